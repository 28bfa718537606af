// The extension module wasmrt._core.
#include "core.h"

PyObject *class_func, *class_ref, *class_caller, *closed_error, *thread_error, *trap_hook,
    *class_exception, *throw_hook, *error_hook;
PyTypeObject *store_type, *handle_type, *function_type, *memory_type;

static PyObject *setup(PyObject *module, PyObject *args) {
  (void)module;
  PyObject **to[] = {&class_func, &class_ref,       &class_caller, &closed_error, &thread_error,
                     &trap_hook,  &class_exception, &throw_hook,   &error_hook};
  PyObject *given[9];
  if (!PyArg_ParseTuple(args, "OOOOOOOOO", &given[0], &given[1], &given[2], &given[3], &given[4],
                        &given[5], &given[6], &given[7], &given[8])) {
    return NULL;
  }
  for (int i = 0; i < 9; i++) {
    Py_INCREF(given[i]);
    Py_XDECREF(*to[i]);
    *to[i] = given[i];
  }
  Py_RETURN_NONE;
}

// Callbacks ask for the GIL of the main interpreter, and there is one set of types.
static PyObject *check_interpreter(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
  if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
    return PyErr_Format(PyExc_ImportError,
                        "wasmrt cannot be used in a subinterpreter, only in the main one");
  }
  Py_RETURN_NONE;
}

static PyMethodDef own_methods[] = {
    {"check_interpreter", check_interpreter, METH_NOARGS,
     "Refuses subinterpreters, which may find this module initialized."},
    {"setup", setup, METH_VARARGS, "Registers what the Python part defines."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject *add_type(PyObject *module, const char *name, PyType_Spec *spec,
                              PyTypeObject *base) {
  PyObject *bases = base ? PyTuple_Pack(1, base) : NULL;
  PyObject *type = base && !bases ? NULL : PyType_FromSpecWithBases(spec, bases);
  Py_XDECREF(bases);
  if (!type) return NULL;
  Py_INCREF(type);
  if (PyModule_AddObject(module, name, type) < 0) return NULL;
  return (PyTypeObject *)type;
}

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "wasmrt._core",
                                        .m_doc = "What wasmrt does through CPython's C API.",
                                        .m_size = -1};

PyMODINIT_FUNC PyInit__core(void) {
  PyObject *checked = check_interpreter(NULL, NULL);
  if (!checked) return NULL;
  Py_DECREF(checked);
  PyObject *module = PyModule_Create(&definition);
  if (!module) return NULL;
  PyMethodDef *methods[] = {own_methods, thread_methods, cell_methods, value_methods, func_methods};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    if (PyModule_AddFunctions(module, methods[i]) < 0) return NULL;
  }
  if (!(store_type = add_type(module, "Store", &store_spec, NULL))) return NULL;
  if (!(handle_type = add_type(module, "Handle", &handle_spec, NULL))) return NULL;
  if (!(function_type = add_type(module, "Function", &function_spec, handle_type))) return NULL;
  if (!(memory_type = add_type(module, "Memory", &memory_spec, handle_type))) return NULL;
  return module;
}
