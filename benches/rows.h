// The rows of the tables: operations of wasm.h that are measured.
#ifndef BENCHES_ROWS_H
#define BENCHES_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const char *name;
  uint64_t parameter; // unless the command line gives another, as NAME/PARAMETER
  bool wall;          // time that passes, as compilers use several threads, instead of CPU time
  uint64_t count;     // operations that `count` runs; 0: too slow for that
  void (*prepare)(uint64_t parameter);
  void (*run)(uint64_t count);
} row_t;

typedef struct {
  const row_t *row;
  uint64_t parameter;
  char name[64];
  void *floor; // what floor_prepare returned, if the library has it
} chosen_row_t;

enum { MAX_ROWS = 256 };
extern chosen_row_t chosen[MAX_ROWS];
extern size_t chosen_count;

// Adds to the chosen rows, by names separated by commas. "exports/100" is the row "exports" with
// another parameter than its default.
void choose_rows(const char *names);
void choose_all_rows(void);

// Files with the modules of the rows module_medium and module_large, or NULL.
extern const char *module_files[2];

// A directory for the files of the rows that need some, or NULL.
extern const char *scratch_directory;

// Prepares the row with the loaded library; called once, before `run`.
void prepare(chosen_row_t *row);

// Performs the row's operation `count` times.
void run(const chosen_row_t *row, uint64_t count);

#endif
