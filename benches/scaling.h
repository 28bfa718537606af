// Modes of the program that look at more than one operation: each prints a table.
#ifndef BENCHES_SCALING_H
#define BENCHES_SCALING_H

#include <stddef.h>

#include "library.h"

int startup(const library_t *libraries, size_t library_count);
int memory_use(const library_t *libraries, size_t library_count);
int throughput(const library_t *libraries, size_t library_count);

#endif
