// Runs the fuzzers on generated inputs, or on files, in a child process, so that an input that ends
// the process can be reported and kept.
#define _DEFAULT_SOURCE // MAP_ANONYMOUS
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
static bool leaks(void) {
  return __lsan_do_recoverable_leak_check() != 0;
}

// The engines need their own handler of SIGSEGV and its stack; impossible sizes are requested on
// purpose; and the library, which is not instrumented, must not find freed memory unchanged.
const char* __asan_default_options(void);
const char* __asan_default_options(void) {
  return "detect_leaks=1:allow_user_segv_handler=1:use_sigaltstack=0:allocator_may_return_null=1:"
         "max_malloc_fill_size=65536:max_free_fill_size=65536:free_fill_byte=221";
}

const char* __ubsan_default_options(void);
const char* __ubsan_default_options(void) {
  return "print_stacktrace=1";
}
#else
static bool leaks(void) {
  return false;
}
#endif

enum {
  MAX_INPUT = 1 << 20,
  LEAK_INTERVAL = 250, // looking for leaks takes as long as many inputs
  HANG_SECONDS = 300,
};

typedef int fuzzer_t(const uint8_t* data, size_t size);

static struct {
  fuzzer_t* fuzzer;
  const char* name;
  const char* backend;
  uint64_t seed, count;
  unsigned seconds;
  const char* directory;
} options = {.fuzzer = fuzz_api, .name = "api", .seed = 1, .count = 1000, .directory = "."};

// Written by the child, read by the parent after the child's end.
static struct {
  volatile uint64_t current, leak_from;
  volatile bool leaked;
} * progress;

static uint64_t scramble(uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

// Input number `number` of a seed: always the same.
static size_t generate(uint64_t number, uint8_t* input) {
  uint64_t state = (options.seed * 0x9e3779b97f4a7c15 + number) * 0xbf58476d1ce4e5b9 | 1;
  for (int i = 0; i < 8; i++) scramble(&state);
  size_t size = 32 + scramble(&state) % (scramble(&state) % 4 == 0 ? 3000 : 600);
  for (size_t i = 0; i < size; i++) input[i] = (uint8_t)(scramble(&state) >> 32);
  return size;
}

static void run_generated(uint8_t* input) {
  time_t start = time(NULL);
  progress->leak_from = 0;
  for (uint64_t i = 0; options.seconds ? time(NULL) - start < options.seconds : i < options.count;
       i++) {
    progress->current = i;
    size_t size = generate(i, input);
    // A copy of the right size, so that reading beyond it is found.
    uint8_t* copy = malloc(size);
    memcpy(copy, input, size);
    options.fuzzer(copy, size);
    free(copy);
    if (i % LEAK_INTERVAL == LEAK_INTERVAL - 1) {
      if (leaks()) {
        progress->leaked = true;
        _exit(EXIT_FAILURE);
      }
      progress->leak_from = i + 1;
    }
  }
  printf("fuzz: %s on %s: %" PRIu64 " inputs of seed %" PRIu64 " passed\n", options.name,
         options.backend, progress->current + 1, options.seed);
}

// Waits for a child, but not longer than HANG_SECONDS without progress. Returns its status from
// waitpid.
static int wait_for(pid_t child) {
  int status;
  uint64_t seen = UINT64_MAX;
  time_t since = time(NULL);
  while (waitpid(child, &status, WNOHANG) == 0) {
    usleep(2000);
    if (seen != progress->current) {
      seen = progress->current;
      since = time(NULL);
    } else if (time(NULL) - since > HANG_SECONDS) {
      fprintf(stderr, "fuzz: no end to input %" PRIu64 "\n", seen);
      kill(child, SIGKILL);
    }
  }
  return status;
}

static bool passes(const uint8_t* input, size_t size, bool quietly) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    if (quietly && !freopen("/dev/null", "w", stderr)) abort();
    options.fuzzer(input, size);
    exit(leaks() ? EXIT_FAILURE : EXIT_SUCCESS);
  }
  int status = wait_for(child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Cuts smaller and smaller pieces out of a failing input, and sets bytes to zero, while it still
// fails.
static size_t minimize(uint8_t* input, size_t size) {
  static uint8_t candidate[MAX_INPUT];
  for (size_t piece = size / 2; piece > 0; piece /= 2) {
    for (size_t at = 0; at + piece <= size;) {
      memcpy(candidate, input, at);
      memcpy(candidate + at, input + at + piece, size - at - piece);
      if (passes(candidate, size - piece, true)) {
        at += piece;
      } else {
        size -= piece;
        memcpy(input, candidate, size);
      }
    }
  }
  for (size_t at = 0; at < size; at++) {
    if (input[at] == 0) continue;
    uint8_t former = input[at];
    input[at] = 0;
    if (passes(input, size, true)) input[at] = former;
  }
  return size;
}

static void keep(const uint8_t* input, size_t size, const char* suffix) {
  char path[4096];
  // A library that is loaded is named by its path.
  const char* last = strrchr(options.backend, '/');
  snprintf(path, sizeof path, "%s/fuzz-%s-%s-%" PRIu64 "-%" PRIu64 "%s.input", options.directory,
           options.name, last ? last + 1 : options.backend, options.seed, progress->current,
           suffix);
  FILE* file = fopen(path, "wb");
  if (!file || fwrite(input, 1, size, file) != size || fclose(file) != 0) {
    fprintf(stderr, "fuzz: cannot write %s: %s\n", path, strerror(errno));
    return;
  }
  fprintf(stderr, "fuzz: the input is in %s (%zu bytes); run it again with --fuzzer %s FILE\n",
          path, size, options.name);
}

// Finds what leaked by running each input since the last check separately.
static void find_leak(uint8_t* input) {
  uint64_t end = progress->current;
  for (uint64_t i = progress->leak_from; i <= end; i++) {
    size_t size = generate(i, input);
    progress->current = i;
    if (!passes(input, size, true)) return;
  }
}

static int fuzz_generated(uint8_t* input) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    run_generated(input);
    exit(EXIT_SUCCESS);
  }
  int status = wait_for(child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return EXIT_SUCCESS;
  if (progress->leaked) find_leak(input);
  size_t size = generate(progress->current, input);
  fprintf(stderr, "fuzz: %s on %s: input %" PRIu64 " of seed %" PRIu64 " fails (%s %d)\n",
          options.name, options.backend, progress->current, options.seed,
          WIFSIGNALED(status) ? "signal" : "exit status",
          WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  keep(input, size, "");
  return EXIT_FAILURE;
}

static size_t read_input(const char* path, uint8_t* input) {
  FILE* file = fopen(path, "rb");
  if (!file) {
    fprintf(stderr, "fuzz: cannot read %s: %s\n", path, strerror(errno));
    exit(EXIT_FAILURE);
  }
  size_t size = fread(input, 1, MAX_INPUT, file);
  fclose(file);
  return size;
}

static _Noreturn void usage(void) {
  fputs(
      "fuzzer [--fuzzer api|bytes|wasi] [--seed NUMBER] [--count NUMBER | --seconds NUMBER]\n"
      "     [--directory WHERE_TO_WRITE_WHAT_FAILS]\n"
      "fuzzer [--fuzzer api|bytes|wasi] [--minimize] FILE...\n",
      stderr);
  exit(EXIT_FAILURE);
}

int main(int argument_count, char** arguments) {
  static uint8_t input[MAX_INPUT];
  progress =
      mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (progress == MAP_FAILED) abort();
  const char* backend = getenv("WASMRT_BACKEND");
  options.backend = backend && backend[0] ? backend : wasmrt_backend_name(0);
  bool minimizing = false;
  int status = EXIT_SUCCESS, files = 0;
  for (int i = 1; i < argument_count; i++) {
    const char* option = arguments[i];
    if (option[0] != '-') {
      size_t size = read_input(option, input);
      files++;
      if (minimizing) {
        if (passes(input, size, true)) usage();
        keep(input, minimize(input, size), "-minimized");
      } else if (passes(input, size, false)) {
        printf("fuzz: %s on %s: %s passed\n", options.name, options.backend, option);
      } else {
        fprintf(stderr, "fuzz: %s on %s: %s fails\n", options.name, options.backend, option);
        status = EXIT_FAILURE;
      }
      continue;
    }
    if (strcmp(option, "--minimize") == 0) {
      minimizing = true;
      continue;
    }
    if (++i == argument_count) usage();
    const char* value = arguments[i];
    if (strcmp(option, "--fuzzer") == 0) {
      static const struct {
        const char* name;
        fuzzer_t* fuzzer;
      } fuzzers[] = {{"api", fuzz_api}, {"bytes", fuzz_bytes}, {"wasi", fuzz_wasi}};
      size_t which = 0;
      while (which < LENGTH_OF(fuzzers) && strcmp(value, fuzzers[which].name) != 0) which++;
      if (which == LENGTH_OF(fuzzers)) usage();
      options.fuzzer = fuzzers[which].fuzzer;
      options.name = fuzzers[which].name;
    } else if (strcmp(option, "--seed") == 0) {
      options.seed = strtoull(value, NULL, 10);
    } else if (strcmp(option, "--count") == 0) {
      options.count = strtoull(value, NULL, 10);
    } else if (strcmp(option, "--seconds") == 0) {
      options.seconds = (unsigned)strtoul(value, NULL, 10);
    } else if (strcmp(option, "--directory") == 0) {
      options.directory = value;
    } else {
      usage();
    }
  }
  return files > 0 ? status : fuzz_generated(input);
}
