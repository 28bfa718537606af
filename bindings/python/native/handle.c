// The type under everything that belongs to a store, and the one under wasmrt.Memory.
#include "core.h"

void handle_delete(int kind, void *ptr) {
  switch (kind) {
    case KIND_FUNC: wasm_func_delete(ptr); break;
    case KIND_GLOBAL: wasm_global_delete(ptr); break;
    case KIND_TABLE: wasm_table_delete(ptr); break;
    case KIND_MEMORY: wasm_memory_delete(ptr); break;
    case KIND_TAG: wasm_extern_delete(ptr); break;
    case KIND_INSTANCE: wasm_instance_delete(ptr); break;
    case KIND_REF: wasm_ref_delete(ptr); break;
    case KIND_LINKER: wasmrt_linker_delete(ptr); break;
    case KIND_PRE: wasmrt_instance_pre_delete(ptr); break;
    case KIND_WASI: wasmrt_wasi_delete(ptr); break;
  }
}

int handle_attach(Handle *handle, Store *store, int kind, void *ptr) {
  bool fits = kind == KIND_FUNC     ? PyObject_TypeCheck((PyObject *)handle, function_type)
              : kind == KIND_MEMORY ? PyObject_TypeCheck((PyObject *)handle, memory_type)
                                    : kind >= 0 && kind <= KIND_WASI;
  if (!fits || handle->store) {
    handle_delete(kind, ptr);
    PyErr_Format(PyExc_RuntimeError,
                 fits ? "the object has been initialized before" : "the object is of another kind");
    return -1;
  }
  Py_INCREF(store);
  handle->store = store;
  handle->kind = kind;
  handle->ptr = ptr;
  handle->next = store->handles;
  if (handle->next) handle->next->prev = handle;
  store->handles = handle;
  return 0;
}

// Deletes the library's object. The handle stays, closed.
void handle_release(Handle *handle) {
  void *ptr = handle->ptr;
  Store *store = handle->store;
  if (!ptr) return;
  handle->ptr = NULL;
  if (handle->prev)
    handle->prev->next = handle->next;
  else
    store->handles = handle->next;
  if (handle->next) handle->next->prev = handle->prev;
  handle->prev = handle->next = NULL;
  // What only the store's thread may delete waits for it.
  bool elsewhere = store->depth > 0 && !pthread_equal(store->owner, pthread_self());
  if (elsewhere && handle->kind >= KIND_LINKER)
    store_discard(store, handle->kind, ptr);
  else
    handle_delete(handle->kind, ptr);
}

void *handle_enter(PyObject *object, int kind) {
  Handle *handle = (Handle *)object;
  if (!PyObject_TypeCheck(object, handle_type))
    return PyErr_Format(PyExc_TypeError, "an object of a store is needed");
  if (!handle->ptr) {
    bool closed = handle->store && !handle->store->ptr;
    return PyErr_Format(closed_error,
                        closed ? "the object's store is closed" : "the object is closed");
  }
  if (kind >= 0 && handle->kind != kind)
    return PyErr_Format(PyExc_TypeError, "the object is of another kind");
  return store_enter(handle->store) < 0 ? NULL : handle->ptr;
}

void handle_leave(PyObject *object) {
  store_leave(((Handle *)object)->store);
}

static PyObject *attach(PyObject *self, PyObject *args) {
  PyObject *store;
  int kind;
  unsigned long long address;
  if (!PyArg_ParseTuple(args, "O!iK", store_type, &store, &kind, &address)) return NULL;
  if (handle_attach((Handle *)self, (Store *)store, kind, (void *)(uintptr_t)address) < 0)
    return NULL;
  if (kind == KIND_FUNC && function_prepare((Function *)self) < 0) return NULL;
  Py_RETURN_NONE;
}

static PyObject *close_(PyObject *self, PyObject *unused) {
  (void)unused;
  Handle *handle = (Handle *)self;
  if (!handle->ptr || !handle->store->ptr) Py_RETURN_NONE;
  if (handle->kind == KIND_MEMORY && ((Memory *)self)->exports > 0) {
    return PyErr_Format(PyExc_BufferError,
                        "the memory has views; release them before it is closed");
  }
  if (store_enter(handle->store) < 0) return NULL;
  // A call that is running may be one of this function.
  if (handle->store->depth > 1)
    PyErr_SetString(PyExc_RuntimeError, "nothing can be closed while its store's guest runs");
  else
    handle_release(handle);
  store_leave(handle->store);
  if (PyErr_Occurred()) return NULL;
  Py_RETURN_NONE;
}

static PyObject *enter(PyObject *self, PyObject *unused) {
  (void)unused;
  Py_INCREF(self);
  return self;
}

static PyObject *exit_(PyObject *self, PyObject *unused) {
  (void)unused;
  return PyObject_CallMethod(self, "close", NULL);
}

static PyObject *get_store(PyObject *self, void *unused) {
  (void)unused;
  PyObject *store = (PyObject *)((Handle *)self)->store;
  if (!store) return PyErr_Format(closed_error, "the object is closed");
  Py_INCREF(store);
  return store;
}

static PyObject *get_address(PyObject *self, void *unused) {
  (void)unused;
  if (!handle_enter(self, -1)) return NULL;
  handle_leave(self);
  return PyLong_FromVoidPtr(((Handle *)self)->ptr);
}

static PyObject *get_closed(PyObject *self, void *unused) {
  (void)unused;
  Handle *handle = (Handle *)self;
  return PyBool_FromLong(!handle->ptr || !handle->store->ptr);
}

static const wasm_ref_t *as_ref(Handle *handle) {
  switch (handle->kind) {
    case KIND_FUNC: return wasm_func_as_ref_const(handle->ptr);
    case KIND_GLOBAL: return wasm_global_as_ref_const(handle->ptr);
    case KIND_TABLE: return wasm_table_as_ref_const(handle->ptr);
    case KIND_MEMORY: return wasm_memory_as_ref_const(handle->ptr);
    case KIND_TAG: return wasm_extern_as_ref_const(handle->ptr);
    case KIND_INSTANCE: return wasm_instance_as_ref_const(handle->ptr);
    case KIND_REF: return handle->ptr;
    default: return NULL;
  }
}

// Two handles of one object of the store are equal.
static PyObject *compare(PyObject *self, PyObject *other, int operation) {
  if ((operation != Py_EQ && operation != Py_NE) || !PyObject_TypeCheck(other, handle_type))
    Py_RETURN_NOTIMPLEMENTED;
  Handle *one = (Handle *)self, *two = (Handle *)other;
  bool same = one == two;
  if (!same && one->ptr && two->ptr && one->store == two->store && one->kind == two->kind &&
      one->kind < KIND_LINKER) {
    if (store_enter(one->store) < 0) return NULL;
    same = wasm_ref_same(as_ref(one), as_ref(two));
    store_leave(one->store);
  }
  return PyBool_FromLong(same == (operation == Py_EQ));
}

static Py_hash_t hash(PyObject *self) {
  Handle *handle = (Handle *)self;
  if (handle->hash || handle->kind >= KIND_LINKER || !handle->ptr) return handle->hash;
  if (store_enter(handle->store) < 0) return -1;
  // All handles of an object have the same host info, which is a number of its own.
  static uintptr_t last;
  wasm_ref_t *ref = (wasm_ref_t *)as_ref(handle);
  uintptr_t number = (uintptr_t)wasm_ref_get_host_info(ref);
  if (!number) wasm_ref_set_host_info(ref, (void *)(number = ++last));
  handle->hash = (Py_hash_t)(number & PY_SSIZE_T_MAX);
  store_leave(handle->store);
  return handle->hash;
}

int handle_traverse(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(((Handle *)self)->store);
  return 0;
}

int handle_clear(PyObject *self) {
  // A view that is garbage too releases the memory.
  Handle *handle = (Handle *)self;
  if (handle->kind != KIND_MEMORY || ((Memory *)self)->exports == 0) handle_release(handle);
  return 0;
}

void handle_dealloc(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  Handle *handle = (Handle *)self;
  PyObject_GC_UnTrack(self);
  handle_release(handle);
  Py_CLEAR(handle->store);
  if (PyObject_TypeCheck(self, function_type)) free(((Function *)self)->kinds);
  cells_settle();
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"_attach", attach, METH_VARARGS,
     "Takes an object of the library: its store, kind and address."},
    {"close", close_, METH_NOARGS,
     "Frees the handle, which cannot be used any more. What the store needs of it stays."},
    {"__enter__", enter, METH_NOARGS, "Returns itself."},
    {"__exit__", exit_, METH_VARARGS, "Closes it."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"_address", get_address, NULL, "The address of the library's object.", NULL},
    {"store", get_store, NULL, "The store that it belongs to.", NULL},
    {"closed", get_closed, NULL, "Whether it, or its store, was closed.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "What belongs to a store."},
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {Py_tp_traverse, handle_traverse},
    {Py_tp_clear, handle_clear},
    {Py_tp_dealloc, handle_dealloc},
    {Py_tp_richcompare, compare},
    {Py_tp_hash, hash},
    {0, NULL},
};

PyType_Spec handle_spec = {
    .name = "wasmrt._core.Handle",
    .basicsize = sizeof(Handle),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
