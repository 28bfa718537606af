// Cells: what the library holds of Python's.
#include "core.h"

// Finalized on some thread, to be released by one that has the GIL.
static pthread_mutex_t pending_lock = PTHREAD_MUTEX_INITIALIZER;
static Cell *pending;
static atomic_bool has_pending;

Cell *cell_new(Store *owner, size_t size, PyObject *object) {
  Cell *cell = calloc(1, size);
  if (!cell) return (Cell *)PyErr_NoMemory();
  Py_INCREF(object);
  cell->object = object;
  cell->owner = owner;
  if (owner) {
    cell->next = owner->cells;
    if (cell->next) cell->next->prev = cell;
    owner->cells = cell;
  }
  return cell;
}

static void unlink_cell(Cell *cell) {
  if (!cell->owner) return;
  if (cell->prev)
    cell->prev->next = cell->next;
  else
    cell->owner->cells = cell->next;
  if (cell->next) cell->next->prev = cell->prev;
  cell->owner = NULL;
  cell->prev = cell->next = NULL;
}

static int settle_later(void *unused) {
  (void)unused;
  cells_settle();
  return 0;
}

// The library runs finalizers on any thread, also while another one that has the GIL waits for this
// one.
void cell_finalize(void *pointer) {
  Cell *cell = pointer;
  pthread_mutex_lock(&pending_lock);
  cell->pending = pending;
  bool first = !pending;
  pending = cell;
  atomic_store(&has_pending, true);
  pthread_mutex_unlock(&pending_lock);
  if (first && !is_closing()) Py_AddPendingCall(settle_later, NULL);
}

void cells_settle(void) {
  // What is released may finalize more.
  while (atomic_load_explicit(&has_pending, memory_order_relaxed)) {
    pthread_mutex_lock(&pending_lock);
    Cell *cell = pending;
    pending = NULL;
    atomic_store(&has_pending, false);
    pthread_mutex_unlock(&pending_lock);
    while (cell) {
      Cell *next = cell->pending;
      PyObject *object = cell->object;
      unlink_cell(cell);
      free(cell);
      Py_XDECREF(object);
      cell = next;
    }
  }
}

void cells_clear(Store *owner) {
  while (owner->cells) {
    Cell *cell = owner->cells;
    PyObject *object = cell->object;
    unlink_cell(cell);
    cell->object = NULL;
    Py_XDECREF(object);
  }
}

int cells_traverse(Store *owner, visitproc visit, void *arg) {
  for (Cell *cell = owner->cells; cell; cell = cell->next) Py_VISIT(cell->object);
  return 0;
}

// Leaves the current exception, which a callback cannot raise, for the call that is running, unless
// there is one already.
static void leave_error(Store *store) {
  PyObject *type, *error, *traceback;
  PyErr_Fetch(&type, &error, &traceback);
  PyErr_NormalizeException(&type, &error, &traceback);
  if (error && traceback) PyException_SetTraceback(error, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  if (store && !store->error && error)
    store->error = error;
  else
    Py_XDECREF(error);
}

// The error number for a guest after an exception. One that says which it is, an OSError, is the
// guest's affair.
static ptrdiff_t failed(Store *store) {
  if (PyErr_ExceptionMatches(PyExc_OSError)) {
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    PyObject *number = error ? PyObject_GetAttrString(error, "errno") : NULL;
    long code = number && PyLong_Check(number) ? PyLong_AsLong(number) : 0;
    Py_XDECREF(number);
    PyErr_Clear();
    if (code > 0 && code < 4096) {
      Py_XDECREF(type);
      Py_XDECREF(error);
      Py_XDECREF(traceback);
      return -(ptrdiff_t)code;
    }
    PyErr_Restore(type, error, traceback);
  }
  leave_error(store);
  return -5; // EIO
}

static ptrdiff_t on_read(void *env, void *to, size_t size) {
  GIL(gil);
  if (!gil_take(&gil)) return -5;
  Cell *cell = env;
  ptrdiff_t answer = -5;
  Store *store = cell->owner;
  PyObject *bytes =
      cell->object ? PyObject_CallFunction(cell->object, "n", (Py_ssize_t)size) : NULL;
  char *data;
  Py_ssize_t length;
  if (cell->object && (!bytes || PyBytes_AsStringAndSize(bytes, &data, &length) < 0)) {
    answer = failed(store);
  } else if (bytes) {
    if ((size_t)length > size) {
      PyErr_Format(PyExc_ValueError, "the reader was asked for at most %zu bytes and returned %zd",
                   size, length);
      answer = failed(store);
    } else {
      memcpy(to, data, (size_t)length);
      answer = length;
    }
  }
  Py_XDECREF(bytes);
  gil_give(&gil);
  return answer;
}

static ptrdiff_t on_write(void *env, const void *from, size_t size) {
  GIL(gil);
  if (!gil_take(&gil)) return -5;
  Cell *cell = env;
  ptrdiff_t answer = -5;
  Store *store = cell->owner;
  if (cell->object) {
    PyObject *bytes = PyBytes_FromStringAndSize(from, (Py_ssize_t)size);
    PyObject *done = bytes ? PyObject_CallFunctionObjArgs(cell->object, bytes, NULL) : NULL;
    answer = done ? (ptrdiff_t)size : failed(store);
    Py_XDECREF(bytes);
    Py_XDECREF(done);
  }
  gil_give(&gil);
  return answer;
}

static void on_log(void *env, wasmrt_log_level_t level, const char *message) {
  GIL(gil);
  if (!gil_take(&gil)) return;
  Cell *cell = env;
  PyObject *type, *error, *traceback;
  PyErr_Fetch(&type, &error, &traceback);
  PyObject *done = PyObject_CallFunction(cell->object, "Is", (unsigned)level, message);
  if (!done) PyErr_WriteUnraisable(cell->object);
  Py_XDECREF(done);
  PyErr_Restore(type, error, traceback);
  gil_give(&gil);
}

static PyObject *cell_address(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *store, *object;
  if (!PyArg_ParseTuple(args, "OO", &store, &object)) return NULL;
  if (store != Py_None && !PyObject_TypeCheck(store, store_type)) {
    return PyErr_Format(PyExc_TypeError, "a store or None is needed");
  }
  if (store != Py_None && !((Store *)store)->ptr)
    return PyErr_Format(closed_error, "the store is closed");
  Cell *cell = cell_new(store == Py_None ? NULL : (Store *)store, sizeof(Cell), object);
  return cell ? PyLong_FromVoidPtr(cell) : NULL;
}

static bool go_on(void *env) {
  (void)env;
  return true;
}

static PyObject *callbacks(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
  return Py_BuildValue(
      "{sNsNsNsNsN}", "read", PyLong_FromVoidPtr((void *)on_read), "write",
      PyLong_FromVoidPtr((void *)on_write), "log", PyLong_FromVoidPtr((void *)on_log), "go_on",
      PyLong_FromVoidPtr((void *)go_on), "finalize", PyLong_FromVoidPtr((void *)cell_finalize));
}

static PyObject *settle(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
  cells_settle();
  Py_RETURN_NONE;
}

PyMethodDef cell_methods[] = {
    {"cell", cell_address, METH_VARARGS, "Holds an object for the library; returns the address."},
    {"callbacks", callbacks, METH_NOARGS,
     "The addresses of callbacks by name, and of the finalizer of cells."},
    {"settle", settle, METH_NOARGS, "Releases what the library has finished with."},
    {NULL, NULL, 0, NULL},
};
