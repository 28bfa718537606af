// What the extension module wasmrt._core is made of: the paths that have to be fast, and those that
// need CPython's C API. Everything else of the package calls the library through cffi.
//
// Who owns what. A Store owns the library's store, and a Handle one object in it: a function, a
// memory, a linker. Handles hold their Store, which can reach them, so that closing it closes them
// all. What the library holds of Python's, the host's functions and the objects that guests have as
// references, is in Cells. A Store is the owner of its Cells, so the garbage collector sees what
// they hold, and collects a store together with host functions that refer to it.
//
// Threads. Everything here is read and written with the GIL held, except what is atomic. Guests run
// without the GIL. A store is used by one thread at a time: store_enter refuses a second one.
#ifndef WASMRT_PYTHON_CORE_H
#define WASMRT_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <wasmrt.h>

typedef struct Store Store;
typedef struct Handle Handle;
typedef struct Cell Cell;
typedef struct Trash Trash;

// What a callback has while it uses Python. See threads.c.
typedef struct Gil {
  PyGILState_STATE state;
  bool taken;
} Gil;

// What a handle is of. The numbers are known to _core.pyi and handle.py.
enum {
  KIND_FUNC,
  KIND_GLOBAL,
  KIND_TABLE,
  KIND_MEMORY,
  KIND_TAG,
  KIND_INSTANCE,
  KIND_REF,
  KIND_LINKER,
  KIND_PRE,
  KIND_WASI
};

struct Store {
  PyObject_HEAD wasm_store_t *ptr; // NULL before _attach and after close
  pthread_t owner;                 // the thread that uses the store, if depth > 0
  int depth;
  bool polled;    // the library asks on_poll while guests run
  bool in_poll;   // a signal handler runs while a guest waits for it
  bool unsettled; // the limit of the library's store is not yet what pins and limit say
  bool growth_trap;
  uint64_t limit;  // of bytes of memories, as the user set it
  int pins;        // exported views of memories that would move if they grew
  PyObject *error; // what a callback that could not raise it left, for the call that is running
  Cell *cells;
  Handle *handles;
  Trash *trash;
};

struct Handle {
  PyObject_HEAD void *ptr; // NULL before _attach and after close
  int kind;
  Py_hash_t hash; // 0 before it is asked for
  Store *store;
  Handle *prev, *next;
};

typedef struct Memory {
  Handle handle;
  bool moves; // it may get another address when it grows
  int exports;
} Memory;

typedef struct Function {
  Handle handle;
  size_t params, results;
  bool has_vectors;
  wasm_valkind_t *kinds; // of the parameters, then of the results
} Function;

// Something of Python's that the library holds. Ends with cell_finalize.
struct Cell {
  Store *owner; // NULL if it has none any more
  Cell *prev, *next;
  Cell *pending;
  PyObject *object; // NULL once the owner is closed
};

typedef struct Host {
  Cell cell;
  bool with_caller;
  size_t params, results;
  wasm_valkind_t kinds[];
} Host;

// What the Python part registers with _core.setup.
extern PyObject *class_func, *class_ref, *class_caller, *closed_error, *thread_error, *trap_hook,
    *class_exception, *throw_hook, *error_hook;
extern PyTypeObject *store_type, *handle_type, *function_type, *memory_type;

// threads.c
// Declares the Gil of a callback.
#define GIL(name) Gil name __attribute__((cleanup(gil_hold))) = {.taken = false}
bool is_main_thread(void);
// The interpreter shuts down, and this is another thread than the main one.
bool is_closing(void);
PyThreadState *gil_release(void); // before a call that may take long
void gil_restore(PyThreadState *state);
void gil_hold(Gil *gil); // where a Gil goes out of scope
bool gil_take(Gil *gil); // in callbacks; false if Python can no longer be called
void gil_give(Gil *gil);
extern PyMethodDef thread_methods[];

// cell.c
Cell *cell_new(Store *owner, size_t size, PyObject *object);
void cell_finalize(void *cell); // any thread, without the GIL
void cells_settle(void);        // releases what was finalized
void cells_clear(Store *owner);
int cells_traverse(Store *owner, visitproc visit, void *arg);
extern PyMethodDef cell_methods[];

// store.c
int store_enter(Store *store);
void store_leave(Store *store);
PyObject *store_raise(Store *store, wasm_trap_t *trap); // own; always returns NULL
extern PyType_Spec store_spec;

// handle.c
// The library's pointer, with the store entered; NULL on error.
void *handle_enter(PyObject *object, int kind);
void handle_leave(PyObject *object);
int handle_attach(Handle *handle, Store *store, int kind, void *ptr);
void handle_release(Handle *handle);
void handle_delete(int kind, void *ptr);
void handle_dealloc(PyObject *self);
int handle_traverse(PyObject *self, visitproc visit, void *arg);
int handle_clear(PyObject *self);
void store_discard(Store *store, int kind, void *ptr);
extern PyType_Spec handle_spec, memory_spec;

// value.c
// Owns a reference.
int value_from_python(Store *store, wasm_valkind_t kind, PyObject *object, wasm_val_t *out);
PyObject *value_to_python(Store *store, wasm_val_t *value, bool take);
// The same for numbers and vectors; nothing is owned.
int raw_from_python(wasm_valkind_t kind, PyObject *object, wasmrt_raw_t *out);
PyObject *raw_to_python(wasm_valkind_t kind, const wasmrt_raw_t *value);
PyObject *fail(void); // raises what the library's last error says; always returns NULL
void values_release(wasm_val_t *values, size_t count);
void values_mismatch(const wasm_valkind_t *kinds, size_t wanted, size_t given, const char *what);
const char *kind_name(wasm_valkind_t kind);
bool kind_is_ref(wasm_valkind_t kind);
extern PyMethodDef value_methods[];

// func.c
PyObject *function_wrap(Store *store, wasm_func_t *func); // own
int function_prepare(Function *function);
extern PyType_Spec function_spec;
extern PyMethodDef func_methods[];

#endif
