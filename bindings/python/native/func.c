// Calls of WebAssembly by Python, and of Python by WebAssembly.
#include "core.h"

// Functions of at most so many parameters and results are called without an allocation of ours.
enum { FEW = 16 };

static wasm_valkind_t *copy_kinds(const wasm_functype_t *type, size_t *params, size_t *results,
                                  wasm_valkind_t *to) {
  const wasm_valtype_vec_t *p = wasm_functype_params(type), *r = wasm_functype_results(type);
  *params = p->size;
  *results = r->size;
  if (!to) to = malloc(p->size + r->size + 1);
  if (!to) return (wasm_valkind_t *)PyErr_NoMemory();
  for (size_t i = 0; i < p->size; i++) to[i] = wasm_valtype_kind(p->data[i]);
  for (size_t i = 0; i < r->size; i++) to[p->size + i] = wasm_valtype_kind(r->data[i]);
  return to;
}

int function_prepare(Function *function) {
  wasm_functype_t *type = wasm_func_type(function->handle.ptr);
  function->kinds = copy_kinds(type, &function->params, &function->results, NULL);
  wasm_functype_delete(type);
  if (!function->kinds) return -1;
  function->has_vectors =
      memchr(function->kinds, WASMRT_V128, function->params + function->results) != NULL;
  return 0;
}

PyObject *function_wrap(Store *store, wasm_func_t *func) {
  PyTypeObject *type = (PyTypeObject *)class_func;
  PyObject *object = ((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
  if (!object) {
    wasm_func_delete(func);
    return NULL;
  }
  if (handle_attach((Handle *)object, store, KIND_FUNC, func) < 0 ||
      function_prepare((Function *)object) < 0) {
    Py_CLEAR(object);
  }
  return object;
}

// Calls a function of numbers and vectors, in an entered store.
static PyObject *call_raw(Function *function, PyObject *args) {
  Store *store = function->handle.store;
  size_t params = function->params, results = function->results;
  const wasm_valkind_t *kinds = function->kinds + params;
  PyObject *answer = NULL;
  wasmrt_raw_t *values = calloc(params > results ? params : results, sizeof *values);
  if (!values) return PyErr_NoMemory();
  for (size_t i = 0; i < params; i++) {
    PyObject *item = PyTuple_GetItem(args, (Py_ssize_t)i);
    if (raw_from_python(function->kinds[i], item, &values[i]) < 0) goto release;
  }
  PyThreadState *state = gil_release();
  wasm_trap_t *trap = wasmrt_func_call_unchecked(function->handle.ptr, values);
  gil_restore(state);
  if (trap || store->error) {
    store_raise(store, trap);
  } else if (results == 1) {
    answer = raw_to_python(kinds[0], values);
  } else if (results == 0) {
    answer = Py_None;
    Py_INCREF(answer);
  } else {
    answer = PyTuple_New((Py_ssize_t)results);
    for (size_t i = 0; answer && i < results; i++) {
      PyObject *item = raw_to_python(kinds[i], &values[i]);
      if (!item || PyTuple_SetItem(answer, (Py_ssize_t)i, item) < 0) Py_CLEAR(answer);
    }
  }
release:
  free(values);
  return answer;
}

static PyObject *call(PyObject *self, PyObject *args, PyObject *kwargs) {
  Function *function = (Function *)self;
  size_t params = function->params, results = function->results;
  if (kwargs && PyDict_Size(kwargs) > 0)
    return PyErr_Format(PyExc_TypeError, "the function has no keyword arguments");
  if (!handle_enter(self, KIND_FUNC)) return NULL;
  Store *store = function->handle.store;
  wasm_val_t few[2 * FEW], *values = few;
  PyObject *answer = NULL;
  size_t filled = 0;
  if ((size_t)PyTuple_Size(args) != params) {
    values_mismatch(function->kinds, params, (size_t)PyTuple_Size(args), "parameter");
    goto leave;
  }
  if (function->has_vectors) {
    answer = call_raw(function, args);
    goto leave;
  }
  if (params + results > 2 * FEW && !(values = malloc((params + results) * sizeof *values))) {
    PyErr_NoMemory();
    goto leave;
  }
  for (; filled < params; filled++) {
    wasm_valkind_t kind = function->kinds[filled];
    if (value_from_python(store, kind, PyTuple_GetItem(args, (Py_ssize_t)filled), &values[filled]) <
        0)
      goto release;
  }
  wasm_val_vec_t arg_vec = {params, values}, result_vec = {results, values + params};
  PyThreadState *state = gil_release();
  wasm_trap_t *trap = wasm_func_call(function->handle.ptr, &arg_vec, &result_vec);
  gil_restore(state);
  if (trap || store->error) {
    if (!trap) values_release(result_vec.data, results);
    store_raise(store, trap);
  } else if (results == 1) {
    answer = value_to_python(store, result_vec.data, true);
  } else if (results == 0) {
    answer = Py_None;
    Py_INCREF(answer);
  } else {
    answer = PyTuple_New((Py_ssize_t)results);
    for (size_t i = 0; i < results; i++) {
      PyObject *item = answer ? value_to_python(store, &result_vec.data[i], true) : NULL;
      if (item)
        PyTuple_SetItem(answer, (Py_ssize_t)i, item);
      else if (answer)
        Py_CLEAR(answer);
      else
        values_release(&result_vec.data[i], 1);
    }
  }
release:
  values_release(values, filled);
  if (values != few) free(values);
leave:
  handle_leave(self);
  return answer;
}

// A trap that carries the current exception; for one of WebAssembly, the exception itself, which
// guests may catch.
static wasm_trap_t *trap_of_error(Store *owner, wasm_store_t *store) {
  if (PyErr_ExceptionMatches(class_exception)) {
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    PyObject *address = PyObject_CallFunctionObjArgs(throw_hook, owner, error, NULL);
    wasm_trap_t *thrown = address ? PyLong_AsVoidPtr(address) : NULL;
    Py_XDECREF(address);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    if (thrown) return thrown;
  }
  PyObject *type, *error, *traceback;
  PyErr_Fetch(&type, &error, &traceback);
  PyErr_NormalizeException(&type, &error, &traceback);
  if (error && traceback) PyException_SetTraceback(error, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  PyObject *text = error ? PyObject_Str(error) : NULL;
  PyObject *bytes = text ? PyUnicode_AsEncodedString(text, "utf-8", "replace") : NULL;
  PyErr_Clear();
  wasm_message_t message = {0, NULL};
  if (bytes) wasm_byte_vec_new(&message, (size_t)PyBytes_Size(bytes), PyBytes_AsString(bytes));
  Py_XDECREF(text);
  Py_XDECREF(bytes);
  Cell *cell = error ? cell_new(NULL, sizeof *cell, error) : NULL;
  PyErr_Clear();
  Py_XDECREF(error);
  wasm_trap_t *trap = cell ? wasmrt_trap_new_with_data(store, &message, cell, cell_finalize)
                           : wasm_trap_new(store, &message);
  wasm_byte_vec_delete(&message);
  return trap;
}

static wasm_trap_t *trap_of_text(wasm_store_t *store, const char *text) {
  wasm_message_t message = {strlen(text), (wasm_byte_t *)text};
  return wasm_trap_new(store, &message);
}

// Writes what the host's function returned: all of it, or nothing.
static int take_results(Store *store, Host *host, PyObject *answer, wasm_val_t *results) {
  const wasm_valkind_t *kinds = host->kinds + host->params;
  if (host->results == 1) {
    wasm_val_t value;
    if (value_from_python(store, kinds[0], answer, &value) < 0) return -1;
    results[0] = value;
    return 0;
  }
  if (host->results == 0) {
    if (answer == Py_None) return 0;
    PyErr_Format(PyExc_TypeError, "the host function has no result and must return None, not %R",
                 Py_TYPE(answer));
    return -1;
  }
  PyObject *tuple = PyTuple_Check(answer) || PyList_Check(answer) ? PySequence_Tuple(answer) : NULL;
  size_t given = tuple ? (size_t)PyTuple_Size(tuple) : 0;
  if (PyErr_Occurred()) return -1;
  if (!tuple) {
    PyErr_Format(PyExc_TypeError,
                 "the host function has %zu results and must return a tuple, not %R", host->results,
                 Py_TYPE(answer));
    return -1;
  }
  size_t done = 0;
  if (given != host->results) values_mismatch(kinds, host->results, given, "result");
  wasm_val_t few[FEW], *values = given <= FEW ? few : malloc(given * sizeof *values);
  if (!values) PyErr_NoMemory();
  for (; values && given == host->results && done < given; done++) {
    if (value_from_python(store, kinds[done], PyTuple_GetItem(tuple, (Py_ssize_t)done),
                          &values[done]) < 0)
      break;
  }
  bool complete = values && done == host->results;
  if (complete)
    memcpy(results, values, done * sizeof *values);
  else if (values)
    values_release(values, done);
  if (values != few) free(values);
  Py_DECREF(tuple);
  return complete ? 0 : -1;
}

static wasm_trap_t *host_call(void *env, const wasmrt_caller_t *caller, const wasm_val_vec_t *args,
                              wasm_val_vec_t *results) {
  Host *host = env;
  wasm_store_t *c_store = wasmrt_caller_store(caller);
  GIL(gil);
  if (!gil_take(&gil)) return trap_of_text(c_store, "the interpreter is shutting down");
  wasm_trap_t *trap = NULL;
  Store *store = host->cell.owner;
  PyObject *callable = host->cell.object, *answer = NULL, *caller_object = NULL;
  if (!callable || !store) {
    trap = trap_of_text(c_store, "the store of the host function is closed");
    goto give;
  }
  Py_INCREF(callable);
  Py_ssize_t first = host->with_caller;
  PyObject *tuple = PyTuple_New((Py_ssize_t)host->params + first);
  if (tuple && host->with_caller) {
    caller_object =
        PyObject_CallFunction(class_caller, "OK", store, (unsigned long long)(uintptr_t)caller);
    Py_XINCREF(caller_object);
    if (!caller_object || PyTuple_SetItem(tuple, 0, caller_object) < 0) Py_CLEAR(tuple);
  }
  for (size_t i = 0; tuple && i < host->params; i++) {
    wasm_val_t value = args->data[i];
    PyObject *item = value_to_python(store, &value, false);
    if (!item || PyTuple_SetItem(tuple, first + (Py_ssize_t)i, item) < 0) Py_CLEAR(tuple);
  }
  if (tuple) answer = PyObject_CallObject(callable, tuple);
  if (!answer || take_results(store, host, answer, results->data) < 0)
    trap = trap_of_error(store, c_store);
  Py_XDECREF(answer);
  if (caller_object) {
    answer = PyObject_CallMethod(caller_object, "_end", NULL);
    if (!answer) PyErr_Clear();
    Py_XDECREF(answer);
    Py_DECREF(caller_object);
  }
  Py_XDECREF(tuple);
  Py_DECREF(callable);
give:
  cells_settle();
  gil_give(&gil);
  return trap;
}

static PyObject *host_new(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *object, *callable;
  unsigned long long address;
  int with_caller;
  if (!PyArg_ParseTuple(args, "O!KOp", store_type, &object, &address, &callable, &with_caller))
    return NULL;
  Store *store = (Store *)object;
  const wasm_functype_t *type = (const wasm_functype_t *)(uintptr_t)address;
  size_t params = wasm_functype_params(type)->size, results = wasm_functype_results(type)->size;
  if (store_enter(store) < 0) return NULL;
  PyObject *answer = NULL;
  Host *host = (Host *)cell_new(store, sizeof *host + params + results, callable);
  if (host) {
    host->with_caller = with_caller;
    copy_kinds(type, &host->params, &host->results, host->kinds);
    // Called by this function if it fails, the finalizer releases the cell.
    wasm_func_t *func =
        wasmrt_func_new_with_caller(store->ptr, type, host_call, host, cell_finalize);
    answer = func ? PyLong_FromVoidPtr(func) : fail();
  }
  store_leave(store);
  return answer;
}

static PyObject *get_kinds(PyObject *self, void *unused) {
  (void)unused;
  Function *function = (Function *)self;
  const char *kinds = (const char *)function->kinds;
  if (!kinds) return PyErr_Format(closed_error, "the object is closed");
  return Py_BuildValue("y#y#", kinds, (Py_ssize_t)function->params, kinds + function->params,
                       (Py_ssize_t)function->results);
}

static PyGetSetDef getters[] = {
    {"_kinds", get_kinds, NULL, "The kinds of the parameters and of the results.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A function of the library."},
    {Py_tp_call, call},
    {Py_tp_getset, getters},
    {Py_tp_traverse, handle_traverse},
    {Py_tp_clear, handle_clear},
    {Py_tp_dealloc, handle_dealloc},
    {0, NULL},
};

PyType_Spec function_spec = {
    .name = "wasmrt._core.Function",
    .basicsize = sizeof(Function),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

PyMethodDef func_methods[] = {
    {"host_new", host_new, METH_VARARGS,
     "Makes a host function: store, type, callable, with_caller. Returns its address."},
    {NULL, NULL, 0, NULL},
};
