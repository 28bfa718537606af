// Small valid modules for which a compiler would take minutes or gigabytes. With the default
// configuration and in 8 GB of address space, each is compiled, or refused with an error of kind
// LIMIT.
#include "bytes.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Parts of modules: the type () -> (), then one of `params` and `results` i32.
static bytes_t with_types(size_t params, size_t results) {
  bytes_t module = module_begin(), types = {NULL, 0, 0};
  PUT(&types, "\2\x60\0\0\x60");
  put_number(&types, params);
  REPEAT(&types, "\x7f", params);
  put_number(&types, results);
  REPEAT(&types, "\x7f", results);
  put_section(&module, 1, types);
  return module;
}

// Completes a module that has its sections before the functions: adds a function () -> () with this
// body, and `others` functions of the second type, which trap. Frees the body.
static bytes_t with_body(bytes_t module, size_t others, const char* table, bytes_t body) {
  bytes_t functions = {NULL, 0, 0}, code = {NULL, 0, 0};
  put_number(&functions, 1 + others);
  put(&functions, 0);
  REPEAT(&functions, "\1", others);
  put_section(&module, 3, functions);
  if (table) put_all(&module, table, 6);
  put_number(&code, 1 + others);
  put(&body, 0x0b);
  put_number(&code, body.size);
  put_all(&code, (const char*)body.data, body.size);
  free(body.data);
  REPEAT(&code, "\3\0\0\x0b", others);
  put_section(&module, 10, code);
  return module;
}

// A body that begins with this number of i32 locals.
static bytes_t with_locals(size_t count) {
  bytes_t body = {NULL, 0, 0};
  put(&body, 1);
  put_number(&body, count);
  put(&body, 0x7f);
  return body;
}

// Appends an instruction with one number, such as local.get.
static void put_with(bytes_t* bytes, unsigned char opcode, size_t number) {
  put(bytes, opcode);
  put_number(bytes, number);
}

enum { GET = 0x20, SET = 0x21 };

// Nested loops, each with its own local that changes.
static bytes_t nested_loops(size_t count) {
  bytes_t body = with_locals(count);
  for (size_t i = 0; i < count; i++) {
    PUT(&body, "\3\x40");
    put_with(&body, GET, i);
    PUT(&body, "\x41\1\x6a");
    put_with(&body, SET, i);
  }
  for (size_t i = count; i-- > 0;) {
    put_with(&body, GET, i);
    PUT(&body, "\x0d\0\x0b");
  }
  return with_body(with_types(0, 0), 0, NULL, body);
}

// A branch table over cases that fall through, each of which changes its own local.
static bytes_t cases(size_t count) {
  bytes_t body = with_locals(count + 1);
  REPEAT(&body, "\2\x40", count);
  PUT(&body, "\x20\0\x28\2\0\x0e");
  put_number(&body, count - 1);
  for (size_t i = 0; i < count; i++) put_number(&body, i);
  for (size_t i = 0; i < count; i++) {
    PUT(&body, "\x0b\x20\0");
    put_with(&body, SET, i + 1);
  }
  bytes_t module = with_types(0, 0), functions = {NULL, 0, 0};
  put(&functions, 1);
  put(&functions, 0);
  put_section(&module, 3, functions);
  PUT(&module, "\5\3\1\0\1");
  bytes_t code = {NULL, 0, 0};
  put(&code, 1);
  put(&body, 0x0b);
  put_number(&code, body.size);
  put_all(&code, (const char*)body.data, body.size);
  free(body.data);
  put_section(&module, 10, code);
  return module;
}

static bytes_t nested_blocks(size_t count) {
  bytes_t body = with_locals(1);
  REPEAT(&body, "\2\x7f", count);
  PUT(&body, "\x20\0");
  REPEAT(&body, "\x0b", count);
  put(&body, 0x1a);
  return with_body(with_types(0, 0), 0, NULL, body);
}

// Loops with 1,000 parameters and results.
static bytes_t wide_loops(size_t count) {
  bytes_t body = with_locals(1);
  REPEAT(&body, "\x20\0", 1000);
  REPEAT(&body, "\3\1\x0b", count);
  REPEAT(&body, "\x1a", 1000);
  return with_body(with_types(1000, 1000), 0, NULL, body);
}

static bytes_t wide_branches(size_t count) {
  bytes_t body = with_locals(1);
  PUT(&body, "\2\1");
  REPEAT(&body, "\x20\0", 1000);
  REPEAT(&body, "\x20\0\x0d\0", count);
  put(&body, 0x0b);
  REPEAT(&body, "\x1a", 1000);
  return with_body(with_types(0, 1000), 0, NULL, body);
}

static bytes_t wide_calls(size_t count) {
  bytes_t body = with_locals(1);
  REPEAT(&body, "\x20\0", 1000);
  REPEAT(&body, "\x10\1", count);
  REPEAT(&body, "\x1a", 1000);
  return with_body(with_types(1000, 1000), 1, NULL, body);
}

static bytes_t wide_functions(size_t count) {
  return with_body(with_types(1000, 1000), count, NULL, with_locals(0));
}

static bytes_t results_that_wait(size_t count) {
  bytes_t body = with_locals(0);
  REPEAT(&body, "\x10\1", count);
  REPEAT(&body, "\x1a", count);
  return with_body(with_types(0, 1), 1, NULL, body);
}

// Values that stay on the operand stack over many blocks, made by an instruction of this size.
static bytes_t waiting(const char* instruction, size_t size, size_t count) {
  bytes_t body = with_locals(1);
  for (size_t i = 0; i < count; i++) put_all(&body, instruction, size);
  REPEAT(&body, "\x20\0\x04\x40\x0b", 5 * count);
  REPEAT(&body, "\x1a", count);
  return with_body(with_types(0, 0), 0, NULL, body);
}

static bytes_t numbers_that_wait(size_t count) {
  return waiting("\x20\0", 2, count);
}

static bytes_t references_that_wait(size_t count) {
  return waiting("\xd0\x6f", 2, count);
}

// Functions with 1,000 parameters and results that the host can get from a table.
static bytes_t functions_in_elements(size_t count) {
  bytes_t module = with_types(1000, 1000), functions = {NULL, 0, 0}, elements = {NULL, 0, 0};
  bytes_t code = {NULL, 0, 0};
  put_number(&functions, count);
  REPEAT(&functions, "\1", count);
  put_section(&module, 3, functions);
  PUT(&elements, "\1\5\x70");
  put_number(&elements, count);
  for (size_t i = 0; i < count; i++) {
    put_with(&elements, 0xd2, i);
    put(&elements, 0x0b);
  }
  put_section(&module, 9, elements);
  put_number(&code, count);
  REPEAT(&code, "\3\0\0\x0b", count);
  put_section(&module, 10, code);
  return module;
}

// One after the other.
static bytes_t results_of_ifs(size_t count) {
  bytes_t body = with_locals(1);
  REPEAT(&body, "\x20\0\x04\x7f\x41\0\x05\x41\0\x0b\x1a", count);
  return with_body(with_types(0, 0), 0, NULL, body);
}

static bytes_t loops_with_branches(size_t count) {
  bytes_t body = with_locals(1);
  REPEAT(&body, "\3\x40", count);
  REPEAT(&body, "\x20\0\x0d\0\x0b", count);
  return with_body(with_types(0, 0), 0, NULL, body);
}

// Arrays of 1,000 elements that are on the operand stack.
static bytes_t arrays_made(size_t count) {
  bytes_t module = module_begin(), types = {NULL, 0, 0}, body = with_locals(0);
  PUT(&types, "\2\x60\0\0\x5e\x7f\1");
  put_section(&module, 1, types);
  for (size_t i = 0; i < count; i++) {
    REPEAT(&body, "\x41\0", 1000);
    PUT(&body, "\xfb\x08\1\xe8\7\x1a");
  }
  return with_body(module, 0, NULL, body);
}

static bytes_t locals_and_blocks(size_t count) {
  bytes_t body = with_locals(count);
  REPEAT(&body, "\x20\0\x04\x40\x0b", count);
  for (size_t i = 0; i < count; i++) {
    put_with(&body, GET, i);
    put(&body, 0x1a);
  }
  return with_body(with_types(0, 0), 0, NULL, body);
}

static bytes_t handlers(size_t count) {
  bytes_t body = with_locals(0);
  PUT(&body, "\2\x40");
  REPEAT(&body, "\x1f\x40\1\2\0", count);
  REPEAT(&body, "\x10\0", count);
  REPEAT(&body, "\x0b", count + 1);
  return with_body(with_types(0, 0), 0, NULL, body);
}

static bytes_t indirect_calls(size_t count) {
  bytes_t body = with_locals(0);
  REPEAT(&body, "\x41\0\x11\0\0", count);
  return with_body(with_types(0, 0), 0, "\4\4\1\x70\0\1", body);
}

static bytes_t table_gets(size_t count) {
  bytes_t body = with_locals(0);
  REPEAT(&body, "\x41\0\x25\0\x1a", count);
  return with_body(with_types(0, 0), 0, "\4\4\1\x70\0\1", body);
}

static bytes_t structures(size_t count) {
  bytes_t module = module_begin(), types = {NULL, 0, 0}, body = with_locals(0);
  PUT(&types, "\2\x60\0\0\x5f");
  put_number(&types, 10000);
  REPEAT(&types, "\x6e\1", 10000);
  put_section(&module, 1, types);
  REPEAT(&body, "\xfb\1\1\x1a", count);
  return with_body(module, 0, NULL, body);
}

static bytes_t elements(size_t count) {
  bytes_t module = with_types(0, 0), table = {NULL, 0, 0}, content = {NULL, 0, 0};
  PUT(&module, "\3\2\1\0");
  PUT(&table, "\1\x70\0");
  put_number(&table, count);
  put_section(&module, 4, table);
  PUT(&content, "\1\0\x41\0\x0b");
  put_number(&content, count);
  REPEAT(&content, "\0", count);
  put_section(&module, 9, content);
  PUT(&module, "\x0a\4\1\2\0\x0b");
  return module;
}

static bytes_t functions_with_locals(size_t count) {
  bytes_t module = with_types(0, 0), functions = {NULL, 0, 0}, code = {NULL, 0, 0};
  put_number(&functions, count);
  REPEAT(&functions, "\0", count);
  put_section(&module, 3, functions);
  put_number(&code, count);
  REPEAT(&code, "\6\1\xd0\x86\3\x7f\x0b", count); // 50,000 of them
  put_section(&module, 10, code);
  return module;
}

static bytes_t constant_structures(size_t count) {
  bytes_t module = module_begin(), globals = {NULL, 0, 0};
  PUT(&module, "\1\3\1\x5f\0");
  put_number(&globals, count);
  REPEAT(&globals, "\x6e\0\xfb\1\0\x0b", count);
  put_section(&module, 6, globals);
  return module;
}

static bytes_t large_tables(size_t count) {
  bytes_t module = with_types(0, 0), tables = {NULL, 0, 0}, content = {NULL, 0, 0};
  PUT(&module, "\3\2\1\0");
  put_number(&tables, count);
  REPEAT(&tables, "\x70\0\x80\x80\x40", count); // of 1,048,576 elements
  put_section(&module, 4, tables);
  put_number(&content, count);
  for (size_t i = 0; i < count; i++) {
    put_with(&content, 2, i);
    PUT(&content, "\x41\xff\xff\x3f\x0b\0\1\0"); // the last one
  }
  put_section(&module, 9, content);
  PUT(&module, "\x0a\4\1\2\0\x0b");
  return module;
}

static bytes_t constant_terms(size_t count) {
  bytes_t module = module_begin(), globals = {NULL, 0, 0};
  PUT(&globals, "\1\x7f\0\x41\0");
  REPEAT(&globals, "\x41\1\x6a", count);
  put(&globals, 0x0b);
  put_section(&module, 6, globals);
  return module;
}

typedef struct shape_t {
  const char* name;
  bytes_t (*make)(size_t count);
  // Compiled; refused where there is a compiler to machine code.
  size_t few, many;
} shape_t;

static const shape_t shapes[] = {
    {"nested loops, a local each", nested_loops, 50, 1000},
    {"cases that fall through", cases, 50, 1000},
    {"nested blocks with results", nested_blocks, 2000, 40000},
    {"loops with 1,000 values", wide_loops, 20, 1000},
    {"branches with 1,000 values", wide_branches, 50, 5000},
    {"calls with 1,000 arguments and results", wide_calls, 20, 5000},
    {"functions with 1,000 parameters and results", wide_functions, 50, 10000},
    {"results that wait for other calls", results_that_wait, 1000, 100000},
    {"numbers that wait over blocks", numbers_that_wait, 100, 20000},
    {"references that wait over blocks", references_that_wait, 50, 8000},
    {"functions that elements refer to", functions_in_elements, 10, 500},
    {"ifs with results", results_of_ifs, 500, 30000},
    {"loops with branches", loops_with_branches, 50, 8000},
    {"arrays of 1,000 elements", arrays_made, 3, 1000},
    {"locals times blocks", locals_and_blocks, 500, 20000},
    {"handlers around calls", handlers, 30, 300},
    {"indirect calls", indirect_calls, 1000, 50000},
    {"elements read", table_gets, 1000, 50000},
    {"structures of 10,000 fields", structures, 1, 1000},
    {"elements", elements, 10000, 1100000},
    {"functions with 50,000 locals", functions_with_locals, 10, 100000},
    {"structures in globals", constant_structures, 500, 100000},
    {"tables of a million elements", large_tables, 1, 100},
    {"terms of a constant expression", constant_terms, 400, 22000},
};

// In the child: exits with 0 if it was compiled, with 1 if the limits refused it, with 3 or 5 if
// the engine refused it during validation or later.
static void compile(bytes_t bytes) {
  struct rlimit limit = {8000000000, 8000000000};
  if (setrlimit(RLIMIT_AS, &limit)) _exit(2);
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t binary = {bytes.size, (char*)bytes.data};
  bool valid = wasm_module_validate(store, &binary);
  bool limited = !valid && wasmrt_last_error_kind() == WASMRT_ERROR_LIMIT;
  // Proposals that an engine lacks.
  if (!valid && !limited) _exit(wasmrt_last_error_kind() == WASMRT_ERROR_COMPILE ? 3 : 4);
  wasm_module_t* module = wasm_module_new(store, &binary);
  if (!module) {
    fprintf(stderr, "    %.150s\n", wasmrt_last_error_message());
    _exit(limited && wasmrt_last_error_kind() == WASMRT_ERROR_LIMIT ? 1 : 5);
  }
  _exit(limited ? 6 : 0);
}

static int exploded(const shape_t* shape, size_t count) {
  bytes_t bytes = shape->make(count);
  fprintf(stderr, "  %zu: %s, %zu bytes\n", count, shape->name, bytes.size);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) compile(bytes);
  free(bytes.data);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(small_ones_are_compiled_and_large_ones_refused) {
  wasm_engine_t* engine = wasm_engine_new();
  bool machine_code = backend_is(engine, "wasmtime");
  wasm_engine_delete(engine);
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    int few = exploded(&shapes[i], shapes[i].few), many = exploded(&shapes[i], shapes[i].many);
    if (machine_code) {
      CHECK_INT(few, 0);
      CHECK_INT(many, 1);
    } else {
      // An engine may check its own limits after validation.
      CHECK(few == 0 || few == 3 || few == 5);
      CHECK(many == 0 || many == 1 || many == 3 || many == 5);
    }
  }
}
