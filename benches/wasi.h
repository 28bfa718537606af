// What measures WASI: guests that call one function in a loop, here and through wasmtime's own C API.
#ifndef BENCHES_WASI_H
#define BENCHES_WASI_H

#include <stddef.h>
#include <stdint.h>

#include "library.h"

void prepare_wasi_clock(uint64_t parameter);
void prepare_wasi_random(uint64_t bytes);
void prepare_wasi_null(uint64_t bytes);
void prepare_wasi_write(uint64_t bytes);
void prepare_wasi_read(uint64_t bytes);
void prepare_wasi_stat(uint64_t parameter);
void prepare_wasi_open(uint64_t parameter);
void prepare_wasi_list(uint64_t entries);
void call_wasi(uint64_t count);

// A mode of the program: a guest that writes a line, in a fresh process each time.
int hello(const library_t *libraries, size_t library_count);

#endif
