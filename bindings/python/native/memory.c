// The buffer of a memory.
//
// A view is the memory itself. Most memories never move: wasmtime reserves address space for as
// much as they may grow to. Those that do move when they grow, on wasmi for example, must not as
// long as there is a view; see settle_limit.
#include "core.h"

#if PY_VERSION_HEX < 0x030B0000 || (defined(Py_LIMITED_API) && Py_LIMITED_API + 0 < 0x030B0000)
// Part of the stable ABI since 3.11, but the same, and accepted by PyType_FromSpec, since 3.9.
typedef struct {
  void *buf;
  PyObject *obj;
  Py_ssize_t len, itemsize;
  int readonly, ndim;
  char *format;
  Py_ssize_t *shape, *strides, *suboffsets;
  void *internal;
} Py_buffer;
#define Py_bf_getbuffer 1
#define Py_bf_releasebuffer 2
#define PyBUF_FORMAT 0x0004
#define PyBUF_ND 0x0008
#define PyBUF_STRIDES (0x0010 | PyBUF_ND)
#endif

static int getbuffer(PyObject *self, Py_buffer *view, int flags) {
  static char nothing[1];
  Memory *memory = (Memory *)self;
  view->obj = NULL;
  wasm_memory_t *ptr = handle_enter(self, KIND_MEMORY);
  if (!ptr) return -1;
  Store *store = memory->handle.store;
  memory->exports++;
  if (memory->moves) {
    store->pins++;
    store->unsettled = true;
    if (store_enter(store) == 0) store_leave(store); // settles it
  }
  char *data = wasm_memory_data(ptr);
  Py_INCREF(self);
  *view = (Py_buffer){
      .buf = data ? data : nothing,
      .obj = self,
      .len = (Py_ssize_t)wasm_memory_data_size(ptr),
      .itemsize = 1,
      .ndim = 1,
      .format = flags & PyBUF_FORMAT ? "B" : NULL,
      .internal = memory->moves ? self : NULL,
  };
  if (flags & PyBUF_ND) view->shape = &view->len;
  if ((flags & PyBUF_STRIDES) == PyBUF_STRIDES) view->strides = &view->itemsize;
  handle_leave(self);
  return 0;
}

// On any thread, so the store is not touched: it settles its limit when it is used next.
static void releasebuffer(PyObject *self, Py_buffer *view) {
  Memory *memory = (Memory *)self;
  Store *store = memory->handle.store;
  memory->exports--;
  if (view->internal) {
    store->pins--;
    store->unsettled = true;
  }
  if (memory->exports == 0 && !store->ptr) handle_release(&memory->handle);
}

static PyObject *get_moves(PyObject *self, void *unused) {
  (void)unused;
  return PyBool_FromLong(((Memory *)self)->moves);
}

static int set_moves(PyObject *self, PyObject *value, void *unused) {
  (void)unused;
  ((Memory *)self)->moves = value == Py_True;
  return 0;
}

static PyGetSetDef getters[] = {
    {"_moves", get_moves, set_moves, "Whether the memory may get another address when it grows.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A memory of the library."}, {Py_tp_getset, getters},
    {Py_tp_traverse, handle_traverse},       {Py_tp_clear, handle_clear},
    {Py_tp_dealloc, handle_dealloc},         {Py_bf_getbuffer, getbuffer},
    {Py_bf_releasebuffer, releasebuffer},    {0, NULL},
};

PyType_Spec memory_spec = {
    .name = "wasmrt._core.Memory",
    .basicsize = sizeof(Memory),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
