// The API fuzzer: bytes become a sequence of calls of wasm.h, and a model of what the library
// should hold is kept beside it. Every answer is compared with the model; the first that differs
// aborts with the number and the name of the step.
//
// The model knows every object that the program has a handle to, and how many. Each object carries
// a witness: host info with a finalizer. It tells when the object goes, which must be neither
// before nor after the model says so, and exactly once.
#ifndef WASMRT_FUZZ_H
#define WASMRT_FUZZ_H

#include <inttypes.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wasm.h>
#include <wasmrt.h>

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

// ------------------------------------------------------------------------------------------------
// Entry points

// Interprets bytes as calls; returns 0, or does not return.
int fuzz_api(const uint8_t* data, size_t size);

// Mutates modules, artifacts and text as the bytes say, and hands them to whoever parses them.
int fuzz_bytes(const uint8_t* data, size_t size);

// Calls the functions of WASI as the bytes say, in a directory of its own.
int fuzz_wasi(const uint8_t* data, size_t size);

// ------------------------------------------------------------------------------------------------
// Input: when it is used up, all numbers are 0 and the sequence ends.

typedef struct input_t {
  const uint8_t* data;
  size_t size, position;
} input_t;

uint8_t next_byte(void);
uint32_t next_u32(void);
uint64_t next_u64(void);
bool input_ended(void);
// A number below `limit`, which is at most 256.
unsigned below(unsigned limit);
bool one_in(unsigned count);

// ------------------------------------------------------------------------------------------------
// Failure

_Noreturn void fail(const char* file, int line, const char* format, ...)
    __attribute__((format(printf, 3, 4)));

#define FAIL(...) fail(__FILE__, __LINE__, __VA_ARGS__)
#define EXPECT(condition)                     \
  do {                                        \
    if (!(condition)) FAIL("%s", #condition); \
  } while (0)
#define EXPECT_INT(actual, expected)                                                          \
  do {                                                                                        \
    long long actual_ = (long long)(actual), expected_ = (long long)(expected);               \
    if (actual_ != expected_) FAIL("%s is %lld, expected %lld", #actual, actual_, expected_); \
  } while (0)
#define EXPECT_PTR(actual, expected)                                                      \
  do {                                                                                    \
    const void *actual_ = (actual), *expected_ = (expected);                              \
    if (actual_ != expected_) FAIL("%s is %p, expected %p", #actual, actual_, expected_); \
  } while (0)

// Every refusal has to leave a message and a kind.
void forget_error(void);
void expect_error(const char* file, int line, const char* what);
#define EXPECT_REFUSED(condition)                 \
  do {                                            \
    forget_error();                               \
    EXPECT(condition);                            \
    expect_error(__FILE__, __LINE__, #condition); \
  } while (0)
#define EXPECT_REFUSED_AS(error, condition)      \
  do {                                           \
    EXPECT_REFUSED(condition);                   \
    EXPECT_INT(wasmrt_last_error_kind(), error); \
  } while (0)
#define EXPECT_LEAVES_ERROR(call)            \
  do {                                       \
    forget_error();                          \
    call;                                    \
    expect_error(__FILE__, __LINE__, #call); \
  } while (0)

// ------------------------------------------------------------------------------------------------
// What loaded libraries lack: every answer that the model accepts from them and from no other
// engine. peer.c finds out which of these a library lacks.
//
//   loaded         it is one
//   exceptions     modules with tags do not compile: a proposal that the library does not have
//   collection     the same, with types of garbage collection
//   frames         traps have no frames: the library has none, or tells of the function only
//   stack_frames   traps of an exhausted stack have no frame, or one without a place
//   externrefs     no externref passes between WebAssembly and the host, in tables only null
//   funcrefs       the same of funcref
//   functions      functions pass to WebAssembly but do not come back, other than from tables that
//                  only the host writes
//   identity       a function that comes back is a new object: no library tells which one it is
//   tables         the host cannot make tables, nor look into those of a module
//   imports        neither memories nor tables can be imported
//   growth         the host cannot make tables grow
//   wide_memories  the host cannot make memories with 64-bit addresses
//   wide_tables    the same of tables of externref
//   vectors        the host cannot make globals for vectors: the standard has no values for them
//   tags           the host cannot make tags
//   objects        the host cannot make objects of garbage collection

// clang-format off
#define LACKS(X)                                                                                  \
  X(exceptions) X(collection) X(frames) X(stack_frames) X(externrefs) X(funcrefs) X(functions)    \
  X(identity) X(tables) X(imports) X(growth) X(wide_memories) X(wide_tables) X(vectors) X(tags)  \
  X(objects)
// clang-format on

typedef struct lacks_t {
  bool loaded;
#define FIELD(name) bool name;
  LACKS(FIELD)
#undef FIELD
} lacks_t;

extern lacks_t lacks;

// To be called once, before the first step.
void look_at_peer(wasm_engine_t* engine);

// ------------------------------------------------------------------------------------------------
// The model

typedef enum kind_t {
  FUNC,
  GLOBAL,
  TABLE,
  MEMORY,
  TAG,
  INSTANCE,
  MODULE,
  TRAP,
  FOREIGN,
  KIND_COUNT,
} kind_t;

#define ANY_KIND ((1u << KIND_COUNT) - 1)
#define EXTERN_KINDS (1u << FUNC | 1u << GLOBAL | 1u << TABLE | 1u << MEMORY | 1u << TAG)

// How deeply callbacks take steps; less where an instrumented engine needs much stack.
#ifndef FUZZ_DEPTH
#define FUZZ_DEPTH 4
#endif

enum {
  MAX_ENGINES = 3,
  MAX_STORES = 12,
  MAX_OBJECTS = 3000,
  MAX_LOOSE = 96,
  MAX_VALUES = 20,
  MAX_ELEMENTS = 24,
  MAX_PAGES = 4,
  MAX_EXPORTS = 32,
  MAX_FRAMES = 8,
  MAX_SHARED = 4,
  MAX_DEPTH = FUZZ_DEPTH,
};

typedef struct object_t object_t;

typedef struct engine_t {
  wasm_engine_t* pointer; // NULL once deleted
  unsigned number;        // tells it from all others of the run
  bool lasting;           // one for all inputs, because engines are slow to make
} engine_t;

typedef struct store_t {
  wasm_store_t* pointer;
  unsigned engine_number;
  bool owned;       // wasm_store_delete was not called yet
  unsigned frames;  // wasm_frame_t that keep it
  unsigned running; // calls under way
  // Instances whose start function trapped. On loaded engines each is an object that the store
  // keeps, which only frames tell.
  unsigned failed_starts;
} store_t;

// A value, its reference told as the object it refers to.
typedef struct value_t {
  wasm_valkind_t kind;
  uint64_t bits;
  object_t* object;
} value_t;

// What a global, table or memory holds; several objects of one cell do not exist, but an instance
// knows its cells before the program asks for the objects.
typedef struct cell_t {
  kind_t kind;
  wasm_valkind_t content;
  bool variable;
  value_t value;
  uint32_t size, max;
  object_t* elements[MAX_ELEMENTS];
  bool only_host; // no module may write to this table of the host's, so its functions are known
  uint8_t first[MAX_PAGES], last[MAX_PAGES]; // bytes of each page
} cell_t;

// What a function does.
typedef enum behaviour_t {
  HOST,
  ADD,
  REVERSE,
  UNREACHABLE,
  DIVIDE,
  GI_GET,
  GI_SET,
  GE_GET,
  GE_SET,
  GR_GET,
  GR_SET,
  TE_GET,
  TE_SET,
  TE_GROW,
  TF_GET,
  TF_SET,
  INDIRECT,
  M_GROW,
  LOAD,
  STORE,
  SELF,
  RECURSE,
  LAST,
  SWAP,
  NONE,
  CALL_ONE,
  CALL_TWO,
  CALL_MANY,
  THROUGH, // and, after it, one for each import of numbers
} behaviour_t;

enum { CELL_GI, CELL_GC, CELL_GE, CELL_GR, CELL_TF, CELL_TE, CELL_M, CELL_COUNT };

typedef struct instance_t {
  unsigned module;  // index in the catalogue
  object_t* object; // the instance itself
  cell_t* cells[CELL_COUNT];
  object_t* hosts[MAX_VALUES];    // imported functions, in order
  object_t* exports[MAX_EXPORTS]; // NULL until asked for, unless imported
} instance_t;

struct object_t {
  kind_t kind;
  store_t* store;
  wasm_ref_t* pointer;
  unsigned handles; // all that the program has
  unsigned loose;   // those of them that any step may use up
  unsigned held;    // elements and globals that refer to it as an externref
  bool pinned;      // its store keeps it to the end
  bool uncertain;   // WebAssembly had it, and may keep it as long as it likes
  bool gone;
  unsigned finalized, witnesses; // calls of finalizers, and how many there should be at the end
  struct witness_t* witness;
  bool has_env, env_finalized;

  char params[MAX_VALUES + 1], results[MAX_VALUES + 1]; // of a function or a tag
  behaviour_t behaviour;
  instance_t* instance; // of an instance, or where a function is from, or where a trap arose
  cell_t* cell;
  char message[48]; // of a trap; empty if not known
  wasmrt_trap_code_t code;
  int32_t status;
  unsigned module;  // index in the catalogue, of a module
  object_t* target; // what this function calls, if WebAssembly gave it as another object
};

typedef struct witness_t {
  object_t* object;
  bool replaced;
  unsigned calls;
} witness_t;

// A call that a host function is expected to see.
typedef struct expected_call_t {
  object_t* host;
  value_t arguments[MAX_VALUES];
  bool direct; // not through the engine
  bool seen;
  enum { RETURNS, TRAPS, IS_REFUSED } outcome;
  value_t results[MAX_VALUES];
  object_t* trap;
  struct expected_call_t* outer;
} expected_call_t;

typedef struct frame_t {
  wasm_frame_t* pointer;
  store_t* store;
} frame_t;

typedef struct shared_t {
  wasm_shared_module_t* pointer;
  unsigned module, engine_number;
} shared_t;

typedef struct run_t {
  input_t input;
  unsigned step, depth;
  unsigned finalizing; // finalizers under way: what should be gone may be going
  const char* step_name;
  bool wasmi;
  engine_t engines[MAX_ENGINES];
  unsigned engine_count, engines_made;
  store_t stores[MAX_STORES];
  unsigned store_count;
  object_t* objects[MAX_OBJECTS];
  unsigned object_count;
  frame_t frames[MAX_FRAMES];
  unsigned frame_count;
  shared_t shared[MAX_SHARED];
  unsigned shared_count;
  expected_call_t* expected;
  void** memory; // what the model itself allocated, until the end of the run
  size_t memory_count, memory_room;
} run_t;

extern run_t run;

// Memory of the model, zeroed, which lives until the run ends.
void* model_memory(size_t size);

// --- objects -------------------------------------------------------------------------------------

// Takes a handle that the library has just given into the model. The second expects one that was
// not known yet, the third the handle of a known object.
object_t* adopt(void* handle, kind_t kind, store_t* store);
object_t* adopt_new(void* handle, kind_t kind, store_t* store);
void adopt_known(void* handle, object_t* object);
object_t* find(const void* handle);

// Another handle, of any of the types that the object can be seen as; it is not loose.
wasm_ref_t* take_copy(object_t* object);
// Says that a handle of the program's is about to be given up, or was made loose.
void handle_given_up(object_t* object);
void handle_loosened(object_t* object);
void delete_loose(object_t* object);

// A loose object of one of the kinds; NULL if there is none.
object_t* pick(unsigned kinds);
// The same of one store, or of any store but that.
object_t* pick_of(unsigned kinds, const store_t* store);
object_t* pick_foreign_to(unsigned kinds, const store_t* store);
store_t* pick_store(void);
engine_t* pick_engine(void);
unsigned loose_count(void);

bool store_is_kept(const store_t* store);
// Compares what is gone with what should be.
void check_lives(void);
void end_cell(cell_t* cell);

// --- values --------------------------------------------------------------------------------------

wasm_valkind_t kind_of_letter(char letter);
bool is_reference(wasm_valkind_t kind);
value_t null_value(wasm_valkind_t kind);
// A value of a kind; references are to objects of the store, or null.
value_t any_value(wasm_valkind_t kind, const store_t* store);
// As C has it: a reference is a handle that the value owns.
wasm_val_t own_value(const value_t* value);
// As C has it, borrowed.
wasm_val_t borrow_value(const value_t* value);
void release_value(wasm_val_t* actual, const value_t* value);
void expect_value(const wasm_val_t* actual, const value_t* expected, const char* what);
// The same, and the reference in `actual` becomes a loose handle.
void adopt_value(const wasm_val_t* actual, const value_t* expected, const char* what);
// Whether the engine passes values of the kind, and calls functions with them.
bool carries(wasm_valkind_t kind);
bool can_pass(const object_t* func);
// The function that another one stands for, or itself.
object_t* target_of(object_t* func);
// The same as for values, of the elements of a table.
void expect_element(wasm_ref_t* actual, const cell_t* table, uint32_t index);
void adopt_element(wasm_ref_t* actual, const cell_t* table, uint32_t index);
void cell_hold(object_t* object, wasm_valkind_t content);
void cell_release(object_t* object, wasm_valkind_t content);

// --- types ---------------------------------------------------------------------------------------

wasm_functype_t* new_functype(const char* params, const char* results);
void expect_functype(const wasm_functype_t* type, const char* params, const char* results);
wasm_globaltype_t* new_globaltype(wasm_valkind_t content, bool variable);
wasm_tabletype_t* new_tabletype(wasm_valkind_t element, uint32_t min, uint32_t max);
wasm_memorytype_t* new_memorytype(uint32_t min, uint32_t max);
void expect_externtype(const wasm_externtype_t* type, const object_t* object);
void expect_name(const wasm_name_t* name, const char* text, size_t size);

// --- the catalogue of modules --------------------------------------------------------------------

// More values than a call has room for without the heap.
#define MANY_PARAMS "iIfFeriIfFeriIfFeri"
#define MANY_RESULTS "reFfIireFfIireFfIir"

typedef struct export_t {
  const char* name;
  kind_t kind;
  int what; // a behaviour or a cell
  const char *params, *results;
} export_t;

typedef struct import_t {
  const char *module, *name;
  kind_t kind;
  int cell;
  const char *params, *results;
} import_t;

typedef struct catalogue_entry_t {
  const char* text;
  const import_t* imports;
  size_t import_count;
  const export_t* exports;
  size_t export_count;
  bool with_tag;
  wasm_byte_vec_t binary;
} catalogue_entry_t;

// Where `zero` stands, which `self` gives, in all modules that have it.
enum { FIRST_FUNCTION = 7 };

enum {
  MODULE_OWN,
  MODULE_IMPORTING,
  MODULE_START,
  MODULE_NUMBERS,
  MODULE_TAG,
  MODULE_COUNT,
  // In the place of the second where no references pass.
  MODULE_WITHOUT = MODULE_COUNT,
  CATALOGUE_COUNT
};
extern catalogue_entry_t catalogue[CATALOGUE_COUNT];
void prepare_catalogue(void);
void expect_reflection(const wasm_module_t* module, unsigned index);
void set_up_cell(cell_t* cell, int which);

// --- steps ---------------------------------------------------------------------------------------

// Runs the steps that the input asks for next.
void do_step(void);
void invoke(object_t* func);
void forget_frames(void);
wasm_trap_t* host_callback(const wasm_val_vec_t* args, wasm_val_vec_t* results);
wasm_trap_t* host_callback_with_env(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results);
void env_finalizer(void* env);
// Takes the trap into the model. `message` is NULL if any will do.
object_t* adopt_trap(wasm_trap_t* trap, store_t* store, const char* message);
void look_at_trap_extension(const object_t* object);

// clang-format off
#define STEPS(X)                                                                                  \
  X(step_engine_new)                                                                              \
  X(step_engine_delete)                                                                           \
  X(step_store_new)                                                                               \
  X(step_store_delete)                                                                            \
  X(step_foreign_new)                                                                             \
  X(step_trap_new)                                                                                \
  X(step_func_new)                                                                                \
  X(step_global_new) X(step_table_new) X(step_memory_new) X(step_module_new)                      \
    X(step_module_serialize) X(step_module_file) X(step_module_look) X(step_module_share) X(step_module_obtain) X(step_shared_delete)     \
      X(step_module_foreign) X(step_instance_new) X(step_instance_wrong) X(step_instance_exports) \
        X(step_call) X(step_call_wrong) X(step_global_get) X(step_global_set) X(step_table_get)   \
          X(step_table_set) X(step_table_grow) X(step_memory_access) X(step_memory_grow)          \
            X(step_copy) X(step_delete) X(step_casts) X(step_same) X(step_host_info)              \
              X(step_wrong_kind) X(step_wrong_store) X(step_reflect) X(step_trap_look)            \
                X(step_frame_keep) X(step_frame_delete) X(step_types) X(step_bad_types)           \
                  X(step_vectors) X(step_huge) X(step_nulls) X(step_values) X(step_look_at_all)   \
                    X(step_dead_handle) X(step_abandon) X(step_limits) X(step_linker)             \
                      X(step_trap_extension) X(step_metered) X(step_unmetered)                    \
                        X(step_configuration) X(step_process) X(step_wasi)                      \
                          X(step_callers) X(step_items) X(step_batch) X(step_kinds)
// clang-format on

#define DECLARE(name) void name(void);
STEPS(DECLARE)
#undef DECLARE

#endif
