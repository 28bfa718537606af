// Writes the WebAssembly modules that the benchmarks run. They are binaries, because few
// implementations of wasm.h read the text format, and have parameters, because the benchmarks show
// how costs grow.
#ifndef BENCHES_MODULES_H
#define BENCHES_MODULES_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint8_t *data;
  size_t size;
  size_t capacity;
} bytes_t;

// One export "f" of this type, which returns its first parameter that has the type of the result,
// or constants. Types are strings: one of the letters i, I, f, F (i32, i64, f32, f64) for each
// value.
bytes_t module_with_function(const char *parameters, const char *results);

// Imports a function of the given type, i32 parameters and results only, and exports "loop" (i32)
// -> (): calls the import that many times.
bytes_t module_with_callback_loop(const char *parameters, const char *results);

// Imports "import_0" () -> () and exports a memory "memory", and "loop" as above.
bytes_t module_with_memory_and_callback_loop(void);

// Imports `imports` functions () -> () and exports `exports` functions () -> () of its own.
bytes_t module_with_imports_and_exports(size_t imports, size_t exports);

// Exports a mutable global, a memory and a table of ten references to functions.
bytes_t module_with_global_memory_table(void);

// A memory, filled with `size` bytes at its start.
bytes_t module_with_data(size_t size);

// A memory of so many pages, and nothing else.
bytes_t module_with_memory(size_t pages);

// `count` functions (i32 i32) -> (i32) with some arithmetic and a branch each; the last is
// exported.
bytes_t module_with_functions(size_t count);

void bytes_free(bytes_t *bytes);

#endif
