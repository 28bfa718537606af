// The GIL, and the end of the interpreter.
//
// A thread that asks for the GIL after Python has begun to finalize is ended by Python up to 3.13,
// with pthread_exit, which unwinds its stack; that aborts the process if frames of the library are
// on it. So nothing here asks for it once shutdown has been called, which atexit does: callbacks
// trap, and a guest that returns waits for the end of the process. A thread that is in a callback
// already may still be ended, by Python code that runs there: it stops in the callback's frame,
// before those of the library.
#include <time.h>
#include <unistd.h>

#include "core.h"

#if defined __GNUC__ && !defined __EXCEPTIONS
#error "compile with -fexceptions, so that gil_hold is called when a thread is ended"
#endif

static atomic_bool closing;
static atomic_int inside; // threads in callbacks
static pthread_t main_thread;

bool is_main_thread(void) {
  return pthread_equal(pthread_self(), main_thread);
}

bool is_closing(void) {
  return atomic_load_explicit(&closing, memory_order_relaxed) && !is_main_thread();
}

PyThreadState *gil_release(void) {
  return PyEval_SaveThread();
}

void gil_restore(PyThreadState *state) {
  while (is_closing()) pause();
  PyEval_RestoreThread(state);
}

bool gil_take(Gil *gil) {
  if (is_closing()) return false;
  atomic_fetch_add(&inside, 1);
  gil->taken = true;
  gil->state = PyGILState_Ensure();
  return true;
}

void gil_give(Gil *gil) {
  PyGILState_Release(gil->state);
  gil->taken = false;
  atomic_fetch_sub(&inside, 1);
}

// The callback has not returned if it has the GIL: its thread is being ended.
void gil_hold(Gil *gil) {
  while (gil->taken) pause();
}

// This thread, or the one whose `ident` is given.
static PyObject *set_main_thread(PyObject *module, PyObject *args) {
  (void)module;
  unsigned long ident = (unsigned long)pthread_self();
  if (!PyArg_ParseTuple(args, "|k", &ident)) return NULL;
  main_thread = (pthread_t)ident;
  Py_RETURN_NONE;
}

// Waits for callbacks of other threads, but not for long: one may never return.
static PyObject *shutdown_(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
  atomic_store(&closing, true);
  PyThreadState *state = PyEval_SaveThread();
  for (int i = 0; i < 100 && atomic_load(&inside) > 0; i++)
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  PyEval_RestoreThread(state);
  Py_RETURN_NONE;
}

PyMethodDef thread_methods[] = {
    {"set_main_thread", set_main_thread, METH_VARARGS,
     "Says that this thread is the one that runs signal handlers."},
    {"shutdown", shutdown_, METH_NOARGS, "Says that the interpreter shuts down."},
    {NULL, NULL, 0, NULL},
};
