// The type under wasmrt.Store.
#include "core.h"

// What has to be deleted by the thread that uses the store, and was given up by another one.
struct Trash {
  Trash *next;
  int kind;
  void *ptr;
};

static void empty_trash(Store *store) {
  while (store->trash) {
    Trash *trash = store->trash;
    store->trash = trash->next;
    handle_delete(trash->kind, trash->ptr);
    free(trash);
  }
}

void store_discard(Store *store, int kind, void *ptr) {
  Trash *trash = malloc(sizeof *trash);
  if (!trash) return; // leaked, rather than deleted while it is used
  *trash = (Trash){store->trash, kind, ptr};
  store->trash = trash;
}

// As long as there are views of memories that would move, no memory of the store may grow.
static void settle_limit(Store *store) {
  store->unsettled = false;
  wasmrt_store_set_limit(store->ptr, WASMRT_STORE_LIMIT_MEMORY_BYTES,
                         store->pins ? 0 : store->limit);
  wasmrt_store_set_growth_trap(store->ptr, store->pins || store->growth_trap);
}

int store_enter(Store *store) {
  if (!store->ptr) {
    PyErr_SetString(closed_error, "the store is closed");
    return -1;
  }
  if (store->depth == 0) {
    if (is_closing()) {
      PyErr_SetString(PyExc_RuntimeError, "the interpreter is shutting down");
      return -1;
    }
    store->owner = pthread_self();
    store->depth++;
    Py_CLEAR(store->error); // left by a callback of a call that nobody asked
    store->depth--;
  } else if (!pthread_equal(store->owner, pthread_self())) {
    PyErr_SetString(thread_error,
                    "another thread is using the store; a store is for one thread at a time");
    return -1;
  } else if (store->in_poll) {
    PyErr_SetString(thread_error,
                    "a signal handler cannot use a store whose guest it has interrupted");
    return -1;
  }
  store->depth++;
  if (store->unsettled) settle_limit(store);
  return 0;
}

void store_leave(Store *store) {
  if (--store->depth == 0) {
    if (store->trash) empty_trash(store);
  }
  cells_settle();
}

static void raise_object(PyObject *error) {
  PyObject *traceback = PyException_GetTraceback(error);
  PyObject *type = (PyObject *)Py_TYPE(error);
  Py_INCREF(type);
  PyErr_Restore(type, error, traceback);
}

PyObject *store_raise(Store *store, wasm_trap_t *trap) {
  if (store->error) {
    PyObject *error = store->error;
    store->error = NULL;
    wasm_trap_delete(trap);
    raise_object(error);
    return NULL;
  }
  Cell *cell = trap ? wasmrt_trap_data(trap) : NULL;
  if (cell) {
    PyObject *error = cell->object;
    Py_INCREF(error);
    wasm_trap_delete(trap);
    raise_object(error);
    return NULL;
  }
  PyObject *answer =
      PyObject_CallFunction(trap_hook, "OK", store, (unsigned long long)(uintptr_t)trap);
  Py_XDECREF(answer);
  if (answer) PyErr_SetString(PyExc_SystemError, "the trap was not raised");
  return NULL;
}

// Runs signal handlers, which only the main thread does.
static bool on_poll(void *env) {
  Store *store = env;
  GIL(gil);
  if (store->error) return false; // set by this thread
  if (!is_main_thread() || !gil_take(&gil)) return true;
  store->in_poll = true;
  int answer = PyErr_CheckSignals();
  store->in_poll = false;
  if (answer < 0) {
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (error && traceback) PyException_SetTraceback(error, traceback);
    store->error = error;
    Py_XDECREF(type);
    Py_XDECREF(traceback);
  }
  gil_give(&gil);
  return answer == 0;
}

static PyObject *attach(PyObject *self, PyObject *args) {
  Store *store = (Store *)self;
  unsigned long long address;
  int polled;
  if (!PyArg_ParseTuple(args, "Kp", &address, &polled)) return NULL;
  wasm_store_t *ptr = (wasm_store_t *)(uintptr_t)address;
  if (store->ptr) {
    wasm_store_delete(ptr);
    return PyErr_Format(PyExc_RuntimeError, "the store has been initialized before");
  }
  store->ptr = ptr;
  store->limit = WASMRT_UNLIMITED;
  store->polled = polled && wasmrt_store_set_poll(ptr, on_poll, store, NULL);
  Py_RETURN_NONE;
}

// Deletes everything but memories that have views. They keep the library's store, and nothing else
// can use it.
static void release(Store *store) {
  wasm_store_t *ptr = store->ptr;
  if (!ptr) return;
  if (store->polled) wasmrt_store_set_poll(ptr, NULL, NULL, NULL);
  store->ptr = NULL;
  Handle *handle = store->handles;
  while (handle) {
    Handle *next = handle->next;
    if (handle->kind != KIND_MEMORY || ((Memory *)handle)->exports == 0) handle_release(handle);
    handle = next;
  }
  empty_trash(store);
  wasm_store_delete(ptr);
  cells_clear(store);
  Py_CLEAR(store->error);
  cells_settle();
}

static PyObject *close_(PyObject *self, PyObject *unused) {
  (void)unused;
  Store *store = (Store *)self;
  if (store->ptr) {
    if (store_enter(store) < 0) return NULL;
    if (store->depth > 1) {
      store_leave(store);
      return PyErr_Format(PyExc_RuntimeError, "the store cannot be closed while its guest runs");
    }
    store_leave(store);
    release(store);
  }
  Py_RETURN_NONE;
}

// Calls something that uses the store, such as a function of cffi.
static PyObject *do_(PyObject *self, PyObject *args) {
  Store *store = (Store *)self;
  if (PyTuple_Size(args) < 1) return PyErr_Format(PyExc_TypeError, "a callable is needed");
  PyObject *rest = PyTuple_GetSlice(args, 1, PyTuple_Size(args));
  if (!rest) return NULL;
  if (store_enter(store) < 0) {
    Py_DECREF(rest);
    return NULL;
  }
  PyObject *answer = PyObject_Call(PyTuple_GetItem(args, 0), rest, NULL);
  Py_DECREF(rest);
  store_leave(store);
  return answer;
}

static PyObject *raise_(PyObject *self, PyObject *address) {
  wasm_trap_t *trap = PyLong_AsVoidPtr(address);
  return PyErr_Occurred() ? NULL : store_raise((Store *)self, trap);
}

static PyObject *set_memory_limit(PyObject *self, PyObject *args) {
  Store *store = (Store *)self;
  unsigned long long limit;
  if (!PyArg_ParseTuple(args, "K", &limit) || store_enter(store) < 0) return NULL;
  store->limit = limit;
  settle_limit(store);
  store_leave(store);
  Py_RETURN_NONE;
}

static PyObject *set_growth_trap(PyObject *self, PyObject *value) {
  Store *store = (Store *)self;
  int enabled = PyObject_IsTrue(value);
  if (enabled < 0 || store_enter(store) < 0) return NULL;
  store->growth_trap = enabled;
  settle_limit(store);
  store_leave(store);
  Py_RETURN_NONE;
}

static PyObject *get_address(PyObject *self, void *unused) {
  (void)unused;
  Store *store = (Store *)self;
  if (!store->ptr) return PyErr_Format(closed_error, "the store is closed");
  return PyLong_FromVoidPtr(store->ptr);
}

static PyObject *get_closed(PyObject *self, void *unused) {
  (void)unused;
  return PyBool_FromLong(!((Store *)self)->ptr);
}

static PyObject *get_failed(PyObject *self, void *unused) {
  (void)unused;
  return PyBool_FromLong(((Store *)self)->error != NULL);
}

static PyObject *get_pins(PyObject *self, void *unused) {
  (void)unused;
  return PyLong_FromLong(((Store *)self)->pins);
}

static PyObject *get_memory_limit(PyObject *self, void *unused) {
  (void)unused;
  return PyLong_FromUnsignedLongLong(((Store *)self)->limit);
}

static PyObject *get_growth_trap(PyObject *self, void *unused) {
  (void)unused;
  return PyBool_FromLong(((Store *)self)->growth_trap);
}

static int traverse(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(((Store *)self)->error);
  return cells_traverse((Store *)self, visit, arg);
}

static int clear(PyObject *self) {
  release((Store *)self);
  return 0;
}

static void dealloc(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  release((Store *)self);
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"_attach", attach, METH_VARARGS, "Takes a store of the library."},
    {"_do", do_, METH_VARARGS, "Calls something that uses the store, on this thread alone."},
    {"_raise", raise_, METH_O, "Raises the exception of a trap, which is taken; of no trap for 0."},
    {"_set_memory_limit", set_memory_limit, METH_VARARGS, "Sets the limit of bytes of memories."},
    {"_set_growth_trap", set_growth_trap, METH_O, "Sets whether growth beyond a limit traps."},
    {"close", close_, METH_NOARGS,
     "Frees the store and everything in it. What belongs to it cannot be used any more, except for "
     "views of memories."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"_address", get_address, NULL, "The address of the library's store.", NULL},
    {"_failed", get_failed, NULL, "Whether a callback left an exception for _raise.", NULL},
    {"_pins", get_pins, NULL, "How many views keep memories from growing.", NULL},
    {"_memory_limit", get_memory_limit, NULL, "The limit of bytes of memories.", NULL},
    {"closed", get_closed, NULL, "Whether the store was closed.", NULL},
    {"growth_trap", get_growth_trap, NULL, "Whether growth beyond a limit traps.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A store of the library."},
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_dealloc, dealloc},
    {0, NULL},
};

PyType_Spec store_spec = {
    .name = "wasmrt._core.Store",
    .basicsize = sizeof(Store),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
