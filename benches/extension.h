// Rows that wasm.h has no functions for.
#ifndef BENCHES_EXTENSION_H
#define BENCHES_EXTENSION_H

#include <stdint.h>

// Each pair is a row's `prepare` and `run`, see rows.h.
void prepare_link(uint64_t count);
void make_linked(uint64_t count);
void make_prepared(uint64_t count);
void prepare_export(uint64_t count);
void find_export(uint64_t count);
void prepare_export_at(uint64_t count);
void get_export_at(uint64_t count);
void prepare_caller_memory(uint64_t parameter);
void call_for_memory(uint64_t count);

#endif
