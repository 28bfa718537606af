// Loads and unloads the library a thousand times, and uses it each time in a thread that ends
// first. Mappings, threads and memory do not grow, and the host's own faults still reach the host's
// handler, behind an engine's handler. The argument is the path of the library.
#define _GNU_SOURCE // MAP_ANONYMOUS
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wasmrt.h>

enum { ROUNDS = 1000, WARM_UP = 100 };

#define REQUIRE(condition)                                                    \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      exit(EXIT_FAILURE);                                                     \
    }                                                                         \
  } while (0)

// ------------------------------------------------------------------------------------------------
// What the process has

typedef struct usage_t {
  size_t mappings, threads, resident_pages;
} usage_t;

static usage_t measure(void) {
  usage_t usage = {0, 0, 0};
  FILE* file = fopen("/proc/self/maps", "r");
  REQUIRE(file);
  for (int c; (c = fgetc(file)) != EOF;) usage.mappings += c == '\n';
  fclose(file);
  file = fopen("/proc/self/statm", "r");
  REQUIRE(file && fscanf(file, "%*u %zu", &usage.resident_pages) == 1);
  fclose(file);
  DIR* directory = opendir("/proc/self/task");
  REQUIRE(directory);
  for (struct dirent* entry; (entry = readdir(directory));) {
    usage.threads += entry->d_name[0] != '.';
  }
  closedir(directory);
  return usage;
}

// ------------------------------------------------------------------------------------------------
// The library, by name

// Declares `name` here as the function of that name in the library.
#define FROM(library, name)                           \
  __typeof__(&(name)) name##_found;                   \
  *(void**)(&name##_found) = dlsym((library), #name); \
  REQUIRE(name##_found)

static const char text[] =
    "(module (func (export \"seven\") (result i32) (i32.const 7))"
    "  (memory 1) (func (export \"trap\") (drop (i32.load (i32.const 65536)))))";

static char artifact[1 << 20];
static size_t artifact_size;

// A compiled module, made by another process: an engine's compiling threads would keep the library
// loaded, and this process must be able to unload it.
static void make_artifact(const char* path) {
  int pipes[2];
  REQUIRE(pipe(pipes) == 0);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fprintf(stderr, "%s\n", dlerror());
    REQUIRE(library);
    FROM(library, wasm_engine_new);
    FROM(library, wasm_store_new);
    FROM(library, wasmrt_wat2wasm);
    FROM(library, wasm_module_new);
    FROM(library, wasm_module_serialize);
    wasm_store_t* store = wasm_store_new_found(wasm_engine_new_found());
    wasm_byte_vec_t binary, serialized;
    REQUIRE(store && wasmrt_wat2wasm_found(text, sizeof(text) - 1, &binary));
    wasm_module_serialize_found(wasm_module_new_found(store, &binary), &serialized);
    REQUIRE(serialized.size > 0 && serialized.size < sizeof(artifact));
    for (size_t done = 0; done < serialized.size;) {
      ssize_t count = write(pipes[1], serialized.data + done, serialized.size - done);
      REQUIRE(count > 0);
      done += (size_t)count;
    }
    _exit(EXIT_SUCCESS);
  }
  close(pipes[1]);
  for (ssize_t count = 1; count > 0; artifact_size += (size_t)count) {
    count = read(pipes[0], artifact + artifact_size, sizeof(artifact) - artifact_size);
    REQUIRE(count >= 0);
  }
  close(pipes[0]);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child && status == 0);
}

static void* use(void* library) {
  FROM(library, wasm_engine_new);
  FROM(library, wasm_engine_delete);
  FROM(library, wasm_store_new);
  FROM(library, wasm_store_delete);
  FROM(library, wasm_module_deserialize);
  FROM(library, wasm_module_delete);
  FROM(library, wasm_instance_new);
  FROM(library, wasm_instance_delete);
  FROM(library, wasm_instance_exports);
  FROM(library, wasm_extern_vec_delete);
  FROM(library, wasm_extern_as_func);
  FROM(library, wasm_func_call);
  FROM(library, wasm_trap_delete);
  FROM(library, wasm_valtype_new);
  FROM(library, wasmrt_last_error_message);

  wasm_engine_t* engine = wasm_engine_new_found();
  wasm_store_t* store = wasm_store_new_found(engine);
  REQUIRE(store);
  wasm_byte_vec_t serialized = {artifact_size, artifact};
  wasm_module_t* module = wasm_module_deserialize_found(store, &serialized);
  REQUIRE(module);
  wasm_instance_t* instance = wasm_instance_new_found(store, module, NULL, NULL);
  REQUIRE(instance);
  wasm_extern_vec_t exports;
  wasm_instance_exports_found(instance, &exports);
  wasm_val_t result;
  wasm_val_vec_t results = {1, &result};
  REQUIRE(!wasm_func_call_found(wasm_extern_as_func_found(exports.data[0]), NULL, &results));
  REQUIRE(result.of.i32 == 7);
  wasm_func_t* trapping = wasm_extern_as_func_found(exports.data[1]);
  wasm_trap_t* trap = wasm_func_call_found(trapping, NULL, NULL);
  REQUIRE(trap);
  REQUIRE(!wasm_valtype_new_found(77) && wasmrt_last_error_message_found());

  wasm_trap_delete_found(trap);
  wasm_extern_vec_delete_found(&exports);
  wasm_instance_delete_found(instance);
  wasm_module_delete_found(module);
  wasm_store_delete_found(store);
  wasm_engine_delete_found(engine);
  return NULL;
}

// ------------------------------------------------------------------------------------------------

static char* page;
static volatile sig_atomic_t host_faults;

static void host_handler(int signal_number, siginfo_t* info, void* context) {
  (void)signal_number, (void)context;
  if ((char*)info->si_addr != page) _exit(EXIT_FAILURE);
  host_faults = host_faults + 1;
  mprotect(page, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE);
}

int main(int argument_count, char** arguments) {
  REQUIRE(argument_count == 2);
  const char* path = arguments[1];
  struct sigaction action = {.sa_sigaction = host_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0);
  size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
  page = mmap(NULL, page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  make_artifact(path);

  usage_t before = {0, 0, 0};
  int stayed = 0;
  for (int round = 0; round < ROUNDS; round++) {
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    REQUIRE(library);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, use, library) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    REQUIRE(dlclose(library) == 0);

    void* still_there = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (still_there) REQUIRE(dlclose(still_there) == 0);
    stayed += still_there != NULL;
    if (round == WARM_UP) before = measure();
    if (round % 100 == 0) {
      REQUIRE(mprotect(page, page_size, PROT_NONE) == 0);
      *(volatile char*)page = 'x';
    }
  }
  usage_t after = measure();
  printf("%d rounds; still there after dlclose: %d\n", ROUNDS, stayed);
  printf("mappings %zu, then %zu; threads %zu, then %zu; resident pages %zu, then %zu\n",
         before.mappings, after.mappings, before.threads, after.threads, before.resident_pages,
         after.resident_pages);
  REQUIRE(host_faults == ROUNDS / 100);
  REQUIRE(after.mappings <= before.mappings + 10);
  REQUIRE(after.threads <= before.threads);
  REQUIRE(after.resident_pages <= before.resident_pages + before.resident_pages / 10);
  return EXIT_SUCCESS;
}
