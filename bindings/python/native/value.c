// Values, Python's and the library's; and what holds one: globals and elements of tables.
#include "core.h"

bool kind_is_ref(wasm_valkind_t kind) {
  return kind >= WASM_EXTERNREF;
}

const char *kind_name(wasm_valkind_t kind) {
  switch (kind) {
    case WASM_I32: return "i32";
    case WASM_I64: return "i64";
    case WASM_F32: return "f32";
    case WASM_F64: return "f64";
    case WASMRT_V128: return "v128";
    case WASM_EXTERNREF: return "externref";
    case WASM_FUNCREF: return "funcref";
    case WASMRT_ANYREF: return "anyref";
    case WASMRT_EXNREF: return "exnref";
    default: return "unknown";
  }
}

void values_release(wasm_val_t *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (kind_is_ref(values[i].kind)) wasm_val_delete(&values[i]);
  }
}

// Raises a TypeError that names the kinds.
void values_mismatch(const wasm_valkind_t *kinds, size_t wanted, size_t given, const char *what) {
  char names[256] = "";
  size_t used = 0;
  for (size_t i = 0; i < wanted && used < sizeof names - 16; i++) {
    used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                             kind_name(kinds[i]));
  }
  PyErr_Format(PyExc_TypeError, "the function has %zu %s%s (%s), and %zu given", wanted, what,
               wanted == 1 ? "" : "s", names, given);
}

static int int_from_python(wasm_valkind_t kind, PyObject *object, wasm_val_t *out) {
  PyObject *number = object;
  if (PyLong_Check(object))
    Py_INCREF(number);
  else
    number = PyNumber_Index(object);
  if (!number) {
    // Another exception is that of __index__.
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
      PyErr_Clear();
      PyErr_Format(PyExc_TypeError, "an int is needed for an %s, not %R", kind_name(kind),
                   Py_TYPE(object));
    }
    return -1;
  }
  int overflow;
  long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow > 0 && kind == WASM_I64) {
    value = (long long)PyLong_AsUnsignedLongLong(number); // as in the upper half
    overflow = 0;
    if (PyErr_Occurred()) {
      PyErr_Clear();
      overflow = 1;
    }
  }
  if (kind == WASM_I32) {
    overflow = overflow || value < INT32_MIN || value > UINT32_MAX;
    out->of.i32 = (int32_t)(uint32_t)value;
  } else {
    out->of.i64 = value;
  }
  if (overflow)
    PyErr_Format(PyExc_OverflowError, "the int is too large for an %s", kind_name(kind));
  Py_DECREF(number);
  return overflow ? -1 : 0;
}

static int ref_from_python(Store *store, wasm_valkind_t kind, PyObject *object, wasm_val_t *out) {
  out->of.ref = NULL;
  if (object == Py_None) return 0;
  bool is_func = PyObject_TypeCheck(object, function_type);
  bool is_ref = !is_func && PyObject_TypeCheck(object, (PyTypeObject *)class_ref);
  if (kind == WASM_FUNCREF ? !is_func : kind == WASMRT_EXNREF && !is_ref) {
    PyErr_Format(PyExc_TypeError, "a %s or None is needed for a %s, not %R",
                 kind == WASM_FUNCREF ? "Func" : "Ref", kind_name(kind), Py_TYPE(object));
    return -1;
  }
  if (is_ref || kind == WASM_FUNCREF) {
    Handle *handle = (Handle *)object;
    if (handle->ptr && handle->store != store) {
      PyErr_SetString(PyExc_ValueError, "the reference belongs to another store");
      return -1;
    }
    void *ptr = handle_enter(object, -1);
    if (!ptr) return -1;
    out->of.ref = wasm_ref_copy(is_func ? wasm_func_as_ref(ptr) : ptr);
    handle_leave(object);
    return 0;
  }
  Cell *cell = cell_new(store, sizeof *cell, object);
  if (!cell) return -1;
  wasm_foreign_t *foreign = wasm_foreign_new(store->ptr);
  if (!foreign) {
    cell_finalize(cell);
    PyErr_SetString(PyExc_MemoryError, wasmrt_last_error_message());
    return -1;
  }
  wasm_foreign_set_host_info_with_finalizer(foreign, cell, cell_finalize);
  out->of.ref = wasm_foreign_as_ref(foreign);
  return 0;
}

int value_from_python(Store *store, wasm_valkind_t kind, PyObject *object, wasm_val_t *out) {
  out->kind = kind;
  if (kind == WASM_I32 || kind == WASM_I64) return int_from_python(kind, object, out);
  if (kind == WASM_F32 || kind == WASM_F64) {
    double value = PyFloat_AsDouble(object);
    if (value == -1.0 && PyErr_Occurred()) {
      if (PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "a float is needed for an %s, not %R", kind_name(kind),
                     Py_TYPE(object));
      }
      return -1;
    }
    if (kind == WASM_F32)
      out->of.f32 = (float)value;
    else
      out->of.f64 = value;
    return 0;
  }
  if (kind_is_ref(kind)) return ref_from_python(store, kind, object, out);
  out->kind = WASM_I32;
  PyErr_Format(PyExc_TypeError, "values of type %s cannot be passed between Python and WebAssembly",
               kind_name(kind));
  return -1;
}

static PyObject *ref_to_python(Store *store, wasm_ref_t *ref) {
  wasm_foreign_t *foreign = wasm_ref_as_foreign(ref);
  wasm_func_t *func = foreign ? NULL : wasm_ref_as_func(ref);
  PyObject *object;
  if (foreign) {
    Cell *cell = wasm_foreign_get_host_info(foreign);
    object = cell ? cell->object : NULL;
    if (object)
      Py_INCREF(object);
    else
      PyErr_SetString(closed_error, "the object is gone, because its store is closed");
    wasm_foreign_delete(foreign);
    return object;
  }
  if (func) return function_wrap(store, func);
  object = ((allocfunc)PyType_GetSlot((PyTypeObject *)class_ref, Py_tp_alloc))(
      (PyTypeObject *)class_ref, 0);
  if (!object) {
    wasm_ref_delete(ref);
    return NULL;
  }
  if (handle_attach((Handle *)object, store, KIND_REF, ref) < 0) Py_CLEAR(object);
  return object;
}

// If `take`, what the value refers to becomes the answer's; the value has no meaning afterwards,
// even on failure.
PyObject *value_to_python(Store *store, wasm_val_t *value, bool take) {
  switch (value->kind) {
    case WASM_I32: return PyLong_FromLong(value->of.i32);
    case WASM_I64: return PyLong_FromLongLong(value->of.i64);
    case WASM_F32: return PyFloat_FromDouble((double)value->of.f32);
    case WASM_F64: return PyFloat_FromDouble(value->of.f64);
    default:
      if (!kind_is_ref(value->kind)) break;
      if (!value->of.ref) Py_RETURN_NONE;
      return ref_to_python(store, take ? value->of.ref : wasm_ref_copy(value->of.ref));
  }
  return PyErr_Format(PyExc_TypeError, "values of type %s cannot be passed to Python",
                      kind_name(value->kind));
}

int raw_from_python(wasm_valkind_t kind, PyObject *object, wasmrt_raw_t *out) {
  if (kind != WASMRT_V128) {
    wasm_val_t value;
    if (kind_is_ref(kind)) {
      PyErr_Format(PyExc_TypeError, "a %s cannot be passed together with a v128", kind_name(kind));
      return -1;
    }
    if (value_from_python(NULL, kind, object, &value) < 0) return -1;
    memcpy(out, &value.of, sizeof value.of);
    return 0;
  }
  char *data;
  Py_ssize_t size;
  if (!PyBytes_Check(object)) {
    PyErr_Format(PyExc_TypeError, "bytes are needed for a v128, not %R", Py_TYPE(object));
    return -1;
  }
  if (PyBytes_AsStringAndSize(object, &data, &size) < 0) return -1;
  if (size != sizeof out->v128) {
    PyErr_Format(PyExc_ValueError, "a v128 has 16 bytes, and %zd are given", size);
    return -1;
  }
  memcpy(out->v128, data, sizeof out->v128);
  return 0;
}

PyObject *raw_to_python(wasm_valkind_t kind, const wasmrt_raw_t *raw) {
  if (kind == WASMRT_V128)
    return PyBytes_FromStringAndSize((const char *)raw->v128, sizeof raw->v128);
  wasm_val_t value = {.kind = kind};
  memcpy(&value.of, raw, sizeof value.of);
  return value_to_python(NULL, &value, false);
}

static wasm_valkind_t content_kind(const wasm_valtype_t *type) {
  return type ? wasm_valtype_kind(type) : WASM_I32;
}

// Raises what the library's last error says.
PyObject *fail(void) {
  PyObject *error = PyObject_CallObject(error_hook, NULL);
  if (error) PyErr_SetObject((PyObject *)Py_TYPE(error), error);
  Py_XDECREF(error);
  return NULL;
}

// A value that was read; null if it cannot be carried, which the last error says. That was cleared
// before.
static PyObject *read_value(Store *store, wasm_val_t *value) {
  if (kind_is_ref(value->kind) && !value->of.ref && wasmrt_last_error_message()) return fail();
  return value_to_python(store, value, true);
}

static PyObject *global_get(PyObject *module, PyObject *self) {
  (void)module;
  wasm_global_t *global = handle_enter(self, KIND_GLOBAL);
  if (!global) return NULL;
  wasm_val_t value = WASM_INIT_VAL;
  wasm_globaltype_t *type = wasm_global_type(global);
  wasm_valkind_t kind = content_kind(wasm_globaltype_content(type));
  wasm_globaltype_delete(type);
  PyObject *answer;
  if (kind == WASMRT_V128) {
    wasmrt_raw_t raw;
    answer = wasmrt_global_get_raw(global, &raw) ? raw_to_python(kind, &raw) : fail();
  } else {
    wasmrt_last_error_clear();
    wasm_global_get(global, &value);
    value.kind = kind;
    answer = read_value(((Handle *)self)->store, &value);
  }
  handle_leave(self);
  return answer;
}

static PyObject *global_set(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *self, *object;
  if (!PyArg_ParseTuple(args, "OO", &self, &object)) return NULL;
  wasm_global_t *global = handle_enter(self, KIND_GLOBAL);
  if (!global) return NULL;
  wasm_globaltype_t *type = wasm_global_type(global);
  wasm_valkind_t kind = content_kind(wasm_globaltype_content(type));
  bool constant = wasm_globaltype_mutability(type) == WASM_CONST;
  wasm_globaltype_delete(type);
  wasm_val_t value;
  PyObject *answer = NULL;
  if (constant) {
    PyErr_SetString(PyExc_TypeError, "the global is constant");
  } else if (kind == WASMRT_V128) {
    wasmrt_raw_t raw;
    if (raw_from_python(kind, object, &raw) == 0) {
      answer = wasmrt_global_set_raw(global, &raw) ? Py_None : fail();
      Py_XINCREF(answer);
    }
  } else if (value_from_python(((Handle *)self)->store, kind, object, &value) == 0) {
    wasmrt_last_error_clear();
    wasm_global_set(global, &value);
    values_release(&value, 1);
    answer = wasmrt_last_error_message() ? fail() : Py_None;
    Py_XINCREF(answer);
  }
  handle_leave(self);
  return answer;
}

static PyObject *global_new(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *object, *value_object;
  unsigned long long address;
  if (!PyArg_ParseTuple(args, "O!KO", store_type, &object, &address, &value_object)) return NULL;
  Store *store = (Store *)object;
  const wasm_globaltype_t *type = (const wasm_globaltype_t *)(uintptr_t)address;
  wasm_val_t value;
  if (store_enter(store) < 0) return NULL;
  PyObject *answer = NULL;
  wasm_valkind_t kind = content_kind(wasm_globaltype_content(type));
  if (kind == WASMRT_V128) {
    wasmrt_raw_t raw;
    if (raw_from_python(kind, value_object, &raw) == 0) {
      wasm_global_t *global = wasmrt_global_new_raw(store->ptr, type, &raw);
      answer = global ? PyLong_FromVoidPtr(global) : fail();
    }
  } else if (value_from_python(store, kind, value_object, &value) == 0) {
    wasm_global_t *global = wasm_global_new(store->ptr, type, &value);
    values_release(&value, 1);
    answer = global ? PyLong_FromVoidPtr(global) : fail();
  }
  store_leave(store);
  return answer;
}

static wasm_valkind_t table_kind(const wasm_table_t *table) {
  wasm_tabletype_t *type = wasm_table_type(table);
  wasm_valkind_t kind = content_kind(wasm_tabletype_element(type));
  wasm_tabletype_delete(type);
  return kind;
}

static PyObject *table_get(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *self;
  unsigned long long index;
  uint64_t size;
  if (!PyArg_ParseTuple(args, "OK", &self, &index)) return NULL;
  wasm_table_t *table = handle_enter(self, KIND_TABLE);
  if (!table) return NULL;
  PyObject *answer;
  if (!wasmrt_table_size(table, &size) || index >= size) {
    answer = PyErr_Format(PyExc_IndexError, "index %llu is beyond the end of the table", index);
  } else {
    wasm_val_t value = {.kind = table_kind(table)};
    wasmrt_last_error_clear();
    value.of.ref = wasmrt_table_get(table, index);
    answer = read_value(((Handle *)self)->store, &value);
  }
  handle_leave(self);
  return answer;
}

static PyObject *table_set(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *self, *object;
  unsigned long long index;
  uint64_t size;
  if (!PyArg_ParseTuple(args, "OKO", &self, &index, &object)) return NULL;
  wasm_table_t *table = handle_enter(self, KIND_TABLE);
  if (!table) return NULL;
  PyObject *answer = NULL;
  wasm_val_t value;
  if (!wasmrt_table_size(table, &size) || index >= size) {
    PyErr_Format(PyExc_IndexError, "index %llu is beyond the end of the table", index);
  } else if (value_from_python(((Handle *)self)->store, table_kind(table), object, &value) == 0) {
    answer = wasmrt_table_set(table, index, value.of.ref) ? Py_None : fail();
    Py_XINCREF(answer);
    values_release(&value, 1);
  }
  handle_leave(self);
  return answer;
}

static PyObject *table_grow(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *self, *object;
  unsigned long long delta;
  if (!PyArg_ParseTuple(args, "OKO", &self, &delta, &object)) return NULL;
  wasm_table_t *table = handle_enter(self, KIND_TABLE);
  if (!table) return NULL;
  PyObject *answer = NULL;
  uint64_t former;
  wasm_val_t value;
  if (value_from_python(((Handle *)self)->store, table_kind(table), object, &value) == 0) {
    bool grown = wasmrt_table_grow(table, delta, value.of.ref, &former);
    answer = grown ? PyLong_FromUnsignedLongLong(former) : fail();
    values_release(&value, 1);
  }
  handle_leave(self);
  return answer;
}

static PyObject *table_new(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *object, *value_object;
  unsigned long long address;
  if (!PyArg_ParseTuple(args, "O!KO", store_type, &object, &address, &value_object)) return NULL;
  Store *store = (Store *)object;
  const wasm_tabletype_t *type = (const wasm_tabletype_t *)(uintptr_t)address;
  wasm_val_t value;
  if (store_enter(store) < 0) return NULL;
  PyObject *answer = NULL;
  if (value_from_python(store, content_kind(wasm_tabletype_element(type)), value_object, &value) ==
      0) {
    wasm_table_t *table = wasm_table_new(store->ptr, type, value.of.ref);
    values_release(&value, 1);
    answer = table ? PyLong_FromVoidPtr(table) : fail();
  }
  store_leave(store);
  return answer;
}

static PyObject *values_from_python(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *object, *values;
  unsigned long long to;
  const char *kinds;
  Py_ssize_t count;
  if (!PyArg_ParseTuple(args, "O!y#O!K", store_type, &object, &kinds, &count, &PyTuple_Type,
                        &values, &to))
    return NULL;
  wasm_val_t *out = (wasm_val_t *)(uintptr_t)to;
  const wasm_valkind_t *wanted = (const wasm_valkind_t *)kinds;
  if (PyTuple_Size(values) != count) {
    return PyErr_Format(PyExc_TypeError, "%zd values are needed, and %zd given", count,
                        PyTuple_Size(values));
  }
  if (store_enter((Store *)object) < 0) return NULL;
  Py_ssize_t done = 0;
  while (done < count && value_from_python((Store *)object, wanted[done],
                                           PyTuple_GetItem(values, done), &out[done]) == 0)
    done++;
  if (done < count) values_release(out, (size_t)done);
  store_leave((Store *)object);
  if (done < count) return NULL;
  Py_RETURN_NONE;
}

static PyObject *values_to_python(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *object;
  unsigned long long from;
  Py_ssize_t count;
  if (!PyArg_ParseTuple(args, "O!Kn", store_type, &object, &from, &count)) return NULL;
  wasm_val_t *values = (wasm_val_t *)(uintptr_t)from;
  PyObject *tuple = PyTuple_New(count);
  if (!tuple || store_enter((Store *)object) < 0) return Py_XDECREF(tuple), NULL;
  for (Py_ssize_t i = 0; i < count && tuple; i++) {
    PyObject *item = value_to_python((Store *)object, &values[i], false);
    if (!item || PyTuple_SetItem(tuple, i, item) < 0) Py_CLEAR(tuple);
  }
  store_leave((Store *)object);
  return tuple;
}

PyMethodDef value_methods[] = {
    {"global_get", global_get, METH_O, "The value of a global."},
    {"global_set", global_set, METH_VARARGS, "Sets a global: global, value."},
    {"global_new", global_new, METH_VARARGS,
     "Makes a global: store, type, value. Returns its address."},
    {"table_get", table_get, METH_VARARGS, "An element: table, index."},
    {"table_set", table_set, METH_VARARGS, "Sets an element: table, index, value."},
    {"table_grow", table_grow, METH_VARARGS,
     "Adds elements: table, number, value. Returns the former size."},
    {"table_new", table_new, METH_VARARGS,
     "Makes a table: store, type, value. Returns its address."},
    {"values_from_python", values_from_python, METH_VARARGS,
     "Writes values: store, kinds, tuple, address. References are own."},
    {"values_to_python", values_to_python, METH_VARARGS,
     "Reads values: store, address, number. References are not taken."},
    {NULL, NULL, 0, NULL},
};
