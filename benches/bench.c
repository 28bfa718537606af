// Measures implementations of wasm.h: any shared library, given by its path. See README.md.
//
// Each implementation runs in its own processes, so that none disturbs another, and one that aborts
// on a row loses only that row. Repetitions alternate between the implementations.
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "library.h"
#include "rows.h"
#include "scaling.h"
#include "wasi.h"

#ifdef __has_include
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#endif
#endif

const char *scratch_directory;

static double nanoseconds_of_a_repetition = 5e6;
static chosen_row_t *row_of_children;

static void serve_times(const library_t *library, int command, int answer) {
  chosen_row_t *row = row_of_children;
  clockid_t clock = row->row->wall ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
  load(library);
  prepare(row);
  uint64_t count = 1;
  for (;; count *= 2) {
    double start = now(clock);
    run(row, count);
    if (now(clock) - start >= nanoseconds_of_a_repetition / 2) break;
  }
  const double ready = 0;
  reply(answer, &ready, 1);
  char byte;
  while (read(command, &byte, 1) == 1 && byte == 'r') {
    double start = now(clock);
    run(row, count);
    double time = (now(clock) - start) / (double)count;
    reply(answer, &time, 1);
  }
}

static int times(const library_t *libraries, size_t library_count) {
  static double samples[MAX_LIBRARIES][MAX_REPETITIONS];
  printf("row\tlibrary\tminimum_ns\tmedian_ns\n");
  for (size_t r = 0; r < chosen_count; r++) {
    row_of_children = &chosen[r];
    child_t children[MAX_LIBRARIES];
    for (size_t i = 0; i < library_count; i++) {
      double ready;
      children[i] = start_child(serve_times, &libraries[i]);
      read_answer(&children[i], &ready, 1);
    }
    for (size_t repetition = 0; repetition < repetitions; repetition++) {
      for (size_t i = 0; i < library_count; i++) ask(&children[i], 'r', &samples[i][repetition], 1);
    }
    for (size_t i = 0; i < library_count; i++) {
      sort(samples[i]);
      printf("%s\t%s\t", chosen[r].name, libraries[i].label);
      print_figure(&children[i], "%.4g", samples[i][0]);
      printf("\t");
      print_figure(&children[i], "%.4g", median(samples[i]));
      printf("\n");
      end_child(&children[i]);
    }
  }
  return 0;
}

// Under callgrind, which writes two sums of instructions for each row: of n and of 2 n operations.
static int count_instructions(const library_t *library) {
#ifdef CALLGRIND_ZERO_STATS
  load(library);
  for (size_t i = 0; i < chosen_count; i++) {
    chosen_row_t *row = &chosen[i];
    uint64_t count = row->row->count;
    if (count == 0) continue;
    printf("%s\t%" PRIu64 "\n", row->name, count); // before it runs: it may abort
    fflush(stdout);
    prepare(row);
    run(row, count);
    CALLGRIND_ZERO_STATS;
    run(row, count);
    CALLGRIND_DUMP_STATS_AT("n");
    run(row, 2 * count);
    CALLGRIND_DUMP_STATS_AT("2n");
  }
  return 0;
#else
  (void)library;
  fprintf(stderr, "built without valgrind/callgrind.h, which comes with valgrind\n");
  return 2;
#endif
}

static int usage(void) {
  fprintf(stderr,
          "usage: bench MODE [OPTIONS] LABEL=PATH[,VARIABLE=VALUE]...\n"
          "Measures the libraries at PATH, with these environment variables set, in turns:\n"
          "  times    ns of CPU time of an operation of each row (wall time of compilations)\n"
          "  count    for benches/count: one library, under callgrind\n"
          "  startup  from dlopen to the first result of a small module, and resident memory\n"
          "  memory   resident bytes of a store and of an instance, of 1, 1,000 and 100,000\n"
          "  threads  calls and instantiations per second with up to 64 threads\n"
          "  hello    ns from a new engine to the exit of a WASI program that writes a line\n"
          "  rows     only lists the rows\n"
          "Options: --rows NAME[/PARAMETER],...   --repetitions N\n"
          "  --milliseconds N (of a repetition)   --verbose (show what libraries print)\n"
          "  --medium FILE, --large FILE (modules to compile)\n"
          "  --directory DIRECTORY (for the files of `cached` and of WASI, which stay)\n");
  return 2;
}

int main(int argc, char **argv) {
  if (argc < 2) return usage();
  library_t libraries[MAX_LIBRARIES];
  size_t library_count = 0;
  for (int i = 2; i < argc; i++) {
    if (strcmp(argv[i], "--verbose") == 0) {
      verbose = true;
    } else if (strncmp(argv[i], "--", 2) == 0) {
      const char *option = argv[i];
      if (++i == argc) return usage();
      if (strcmp(option, "--rows") == 0) {
        choose_rows(argv[i]);
      } else if (strcmp(option, "--repetitions") == 0) {
        repetitions = strtoul(argv[i], NULL, 10);
      } else if (strcmp(option, "--milliseconds") == 0) {
        nanoseconds_of_a_repetition = strtod(argv[i], NULL) * 1e6;
      } else if (strcmp(option, "--medium") == 0) {
        module_files[0] = argv[i];
      } else if (strcmp(option, "--large") == 0) {
        module_files[1] = argv[i];
      } else if (strcmp(option, "--directory") == 0) {
        scratch_directory = argv[i];
      } else {
        return usage();
      }
    } else {
      char *path = strchr(argv[i], '=');
      if (path == NULL || library_count == MAX_LIBRARIES) return usage();
      *path++ = 0;
      char *settings = strchr(path, ',');
      if (settings != NULL) *settings++ = 0;
      libraries[library_count++] = (library_t){argv[i], path, settings};
    }
  }
  if (repetitions == 0 || repetitions > MAX_REPETITIONS) return usage();
  if (chosen_count == 0) choose_all_rows();
  signal(SIGPIPE, SIG_IGN); // reading the answer shows that a child died

  if (strcmp(argv[1], "rows") == 0) {
    for (size_t i = 0; i < chosen_count; i++) printf("%s\n", chosen[i].name);
    return 0;
  }
  if (library_count == 0) return usage();
  if (strcmp(argv[1], "times") == 0) return times(libraries, library_count);
  if (strcmp(argv[1], "count") == 0 && library_count == 1) return count_instructions(&libraries[0]);
  if (strcmp(argv[1], "startup") == 0) return startup(libraries, library_count);
  if (strcmp(argv[1], "memory") == 0) return memory_use(libraries, library_count);
  if (strcmp(argv[1], "threads") == 0) return throughput(libraries, library_count);
  if (strcmp(argv[1], "hello") == 0) return hello(libraries, library_count);
  return usage();
}
