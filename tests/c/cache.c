// The cache of compiled modules: what is found, what is not, and everything that can happen to the directory.
#define _GNU_SOURCE
#include "configured.h"
#include "files.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static const char* const text =
    "(module (memory (export \"memory\") 1) (data (i32.const 8) \"kept\")"
    "  (func (export \"add\") (param i32) (result i32) (i32.add (local.get 0) (i32.const %d)))"
    "  (@custom \"tag\" \"value\"))";

static wasm_byte_vec_t binary_of(int number) {
  char wat[512];
  snprintf(wat, sizeof wat, text, number);
  return binary_from_wat(wat);
}

static wasm_config_t* cached(const char* directory, uint64_t max_bytes) {
  wasm_config_t* config = wasm_config_new();
  REQUIRE(wasmrt_config_set_cache(config, directory, max_bytes));
  return config;
}

static bool keeps(const wasm_engine_t* engine) {
  return !backend_is(engine, "wasmi");
}

// Makes the module in an engine, and tries it.
static bool works_in(wasm_engine_t* engine, int number) {
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t binary = binary_of(number);
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_byte_vec_delete(&binary);
  bool works = module != NULL;
  if (module) {
    const char* contents;
    size_t size;
    works &= wasmrt_module_custom_section(module, "tag", 3, &contents, &size) && size == 5;
    wasm_instance_t* instance = instantiate(store, module, NULL, 0);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    works &= call_i32_i32(wasm_extern_as_func(exports.data[1]), 5) == number + 5;
    works &= memcmp(wasm_memory_data(wasm_extern_as_memory(exports.data[0])) + 8, "kept", 4) == 0;
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
  }
  wasm_store_delete(store);
  return works;
}

// Takes ownership of the configuration. Checks how often the cache had the module.
static void check_made(wasm_config_t* config, int number, uint64_t found, uint64_t missing) {
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  CHECK(works_in(engine, number));
  uint64_t counts[2] = {9, 9};
  CHECK(wasmrt_engine_cache_counts(engine, &counts[0], &counts[1]));
  CHECK_INT(counts[0], keeps(engine) ? found : 0);
  CHECK_INT(counts[1], keeps(engine) ? missing : 0);
  wasm_engine_delete(engine);
}

// Calls `visit` for each file in the directory; returns how many bytes they have.
static uint64_t for_each_file(const char* directory, void (*visit)(const char* path)) {
  uint64_t bytes = 0;
  DIR* dir = opendir(directory);
  for (struct dirent* entry; dir && (entry = readdir(dir));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    struct stat status;
    const char* path = in(directory, entry->d_name);
    if (stat(path, &status) != 0) continue;
    bytes += (uint64_t)status.st_size;
    if (visit) visit(path);
  }
  if (dir) closedir(dir);
  return bytes;
}

static atomic_size_t warnings;
static char last_warning[1024];

static void remember(void* env, wasmrt_log_level_t level, const char* message) {
  (void)env, (void)level;
  warnings++;
  snprintf(last_warning, sizeof last_warning, "%s", message);
}

TEST(the_second_engine_finds_the_module) {
  char directory[256];
  scratch(directory);
  check_made(cached(directory, 0), 1, 0, 1);
  check_made(cached(directory, 0), 1, 1, 0);
  check_made(cached(directory, 0), 2, 0, 1);
  check_made(cached(directory, 0), 1, 1, 0);
  remove_tree(directory);
}

TEST(the_directory_is_made_for_its_owner) {
  char directory[256];
  scratch(directory);
  const char* below = in(directory, "a/b");
  check_made(cached(below, 0), 1, 0, 1);
  struct stat status;
  REQUIRE(stat(below, &status) == 0);
  CHECK_INT(status.st_mode & 0777, 0700);
  check_made(cached(below, 0), 1, 1, 0);
  remove_tree(directory);
}

// What the code depends on, and what decides whether a module is accepted.
TEST(other_configurations_have_entries_of_their_own) {
  char directory[256];
  scratch(directory);
  for (int round = 0; round < 2; ++round) {
    for (int kind = 0; kind < 5; ++kind) {
      wasm_config_t* config = cached(directory, 0);
      if (kind == 1) CHECK(wasmrt_config_set_interruption(config, true));
      if (kind == 2) CHECK(wasmrt_config_set_module_limit(config, WASMRT_MODULE_LIMIT_BYTES, 9999));
      if (kind == 3) CHECK(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_TAIL_CALL, false));
      if (kind == 4) CHECK(wasmrt_config_set_max_wasm_stack(config, 100000));
      // How much stack guests may use is decided when they run.
      bool found = round == 1 || kind == 4;
      check_made(config, 1, found, !found);
    }
  }
  // A module that was kept is refused where the limits are stricter.
  wasm_config_t* config = cached(directory, 0);
  CHECK(wasmrt_config_set_module_limit(config, WASMRT_MODULE_LIMIT_BYTES, 10));
  fixture_t fixture = fixture_from_config(config);
  wasm_byte_vec_t binary = binary_of(1);
  CHECK_FAILS_WITH(!wasm_module_new(fixture.store, &binary), WASMRT_ERROR_LIMIT);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
  remove_tree(directory);
}

TEST(invalid_modules_are_not_kept) {
  char directory[256];
  scratch(directory);
  fixture_t fixture = fixture_from_config(cached(directory, 0));
  for (int i = 0; i < 3; ++i) {
    wasm_byte_vec_t binary = binary_of(i);
    binary.size -= 20;
    CHECK_FAILS_WITH(!wasm_module_new(fixture.store, &binary), WASMRT_ERROR_COMPILE);
    wasm_byte_vec_delete(&binary);
  }
  CHECK_INT(for_each_file(directory, NULL), 0);
  fixture_delete(&fixture);
  remove_tree(directory);
}

// ------------------------------------------------------------------------------------------------
// Damage

static int damage_kind;

static void damage(const char* path) {
  struct stat status;
  if (lstat(path, &status) != 0) return;
  switch (damage_kind) {
    case 0: CHECK(truncate(path, 0) == 0); break;
    case 1: CHECK(truncate(path, status.st_size / 2) == 0); break;
    case 2: CHECK(truncate(path, status.st_size + 10) == 0); break;
    case 3: {
      FILE* file = fopen(path, "r+b");
      REQUIRE(file);
      for (long place = 0; place < status.st_size; place += 97) {
        fseek(file, place, SEEK_SET);
        fputc('x', file);
      }
      fclose(file);
      break;
    }
    case 4: CHECK(unlink(path) == 0 && symlink("/dev/zero", path) == 0); break;
    case 5: CHECK(unlink(path) == 0 && mkfifo(path, 0600) == 0); break;
    default: CHECK(truncate(path, (off_t)1 << 40) == 0); break; // more than there is memory
  }
}

TEST(damaged_entries_are_compiled_again) {
  char directory[256];
  scratch(directory);
  check_made(cached(directory, 0), 1, 0, 1);
  wasmrt_log_set_callback(remember, NULL, NULL);
  for (damage_kind = 0; damage_kind < 7; ++damage_kind) {
    warnings = 0;
    uint64_t bytes = for_each_file(directory, damage);
    check_made(cached(directory, 0), 1, 0, 1);
    check_made(cached(directory, 0), 1, 1, 0);
    if (bytes > 0 && damage_kind < 4) {
      CHECK_INT(warnings, 1);
      CHECK_CONTAINS(last_warning, "compiled again");
    }
  }
  wasmrt_log_set_callback(NULL, NULL, NULL);
  remove_tree(directory);
}

// The modules that are there are found although the host has no descriptor left for a copy.
TEST(few_descriptors) {
  char directory[256];
  scratch(directory);
  check_made(cached(directory, 0), 1, 0, 1);
  wasm_engine_t* engine = wasm_engine_new_with_config(cached(directory, 0));
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t binary = binary_of(1);
  struct rlimit old, few;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &old) == 0);
  int next = dup(0);
  close(next);
  few = old;
  few.rlim_cur = (rlim_t)next + 1; // one for the entry, none for its copy
  REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
  wasm_module_t* module = wasm_module_new(store, &binary);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &old) == 0);
  CHECK(module != NULL);
  uint64_t found, missing;
  CHECK(wasmrt_engine_cache_counts(engine, &found, &missing));
  CHECK_INT(found, keeps(engine));
  wasm_module_delete(module);
  wasm_byte_vec_delete(&binary);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  remove_tree(directory);
}

// A module in use does not notice what happens to its entry.
TEST(modules_in_use_outlive_their_entries) {
  char directory[256];
  scratch(directory);
  check_made(cached(directory, 0), 1, 0, 1);
  fixture_t fixture = fixture_from_config(cached(directory, 0));
  wasm_byte_vec_t binary = binary_of(1);
  fixture.module = wasm_module_new(fixture.store, &binary);
  REQUIRE(fixture.module);
  damage_kind = 3;
  for_each_file(directory, damage);
  damage_kind = 0;
  for_each_file(directory, damage);
  fixture.instance = instantiate(fixture.store, fixture.module, NULL, 0);
  wasm_instance_exports(fixture.instance, &fixture.exports);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 5), 6);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
  remove_tree(directory);
}

// ------------------------------------------------------------------------------------------------
// Room

TEST(the_oldest_entries_are_dropped) {
  char directory[256];
  scratch(directory);
  wasm_engine_t* engine = wasm_engine_new_with_config(cached(directory, 0));
  CHECK(works_in(engine, 0));
  if (!keeps(engine)) {
    wasm_engine_delete(engine);
    remove_tree(directory);
    return;
  }
  wasm_engine_delete(engine);
  uint64_t entry = (for_each_file(directory, NULL) + 4095) / 4096 * 4096;
  uint64_t max_bytes = 10 * entry;
  engine = wasm_engine_new_with_config(cached(directory, max_bytes));
  for (int number = 1; number < 40; ++number) {
    CHECK(works_in(engine, number));
    CHECK(works_in(engine, 0)); // keeps this one in use
    CHECK(for_each_file(directory, NULL) <= max_bytes);
  }
  uint64_t found, missing;
  CHECK(wasmrt_engine_cache_counts(engine, &found, &missing));
  CHECK_INT(found, 39);
  CHECK_INT(missing, 39);
  CHECK(for_each_file(directory, NULL) >= max_bytes / 2);
  CHECK(works_in(engine, 39)); // one of the last
  CHECK(works_in(engine, 1));  // one of the first
  CHECK(wasmrt_engine_cache_counts(engine, &found, &missing));
  CHECK_INT(found, 40);
  CHECK_INT(missing, 40);
  wasm_engine_delete(engine);

  // What is larger than the whole directory may be is not kept, and drops nothing.
  engine = wasm_engine_new_with_config(cached(directory, 100));
  uint64_t before = for_each_file(directory, NULL);
  CHECK(works_in(engine, 50));
  CHECK_INT(for_each_file(directory, NULL), before);
  wasm_engine_delete(engine);
  remove_tree(directory);
}

// What a process left that was killed; what is not the cache's own stays.
TEST(abandoned_files_are_removed) {
  char directory[256];
  scratch(directory);
  host_write(in(directory, ".old.tmp"), "abandoned");
  host_write(in(directory, ".new.tmp"), "being written");
  host_write(in(directory, "notes.txt"), "the user's");
  struct timeval long_ago[2] = {{time(NULL) - 100000, 0}, {time(NULL) - 100000, 0}};
  CHECK(utimes(in(directory, ".old.tmp"), long_ago) == 0);
  CHECK(utimes(in(directory, "notes.txt"), long_ago) == 0);
  wasm_engine_t* engine = wasm_engine_new_with_config(cached(directory, 50000));
  for (int number = 0; number < 20; ++number) CHECK(works_in(engine, number));
  if (keeps(engine)) CHECK(access(in(directory, ".old.tmp"), F_OK) != 0);
  CHECK(access(in(directory, ".new.tmp"), F_OK) == 0);
  CHECK(access(in(directory, "notes.txt"), F_OK) == 0);
  wasm_engine_delete(engine);
  remove_tree(directory);
}

// Nothing is dropped for room that cannot be made, because others are writing.
TEST(files_being_written_are_not_dropped) {
  char directory[256];
  scratch(directory);
  check_made(cached(directory, 100000), 1, 0, 1);
  uint64_t before = for_each_file(directory, NULL);
  host_write(in(directory, ".other.tmp"), "being written");
  CHECK(truncate(in(directory, ".other.tmp"), 1000000) == 0);
  for (int number = 2; number < 5; ++number) check_made(cached(directory, 100000), number, 0, 1);
  CHECK_INT(for_each_file(directory, NULL), before + 1000000);
  check_made(cached(directory, 100000), 1, 1, 0);
  remove_tree(directory);
}

// As on a disk that is full: no file can have any contents.
TEST(a_full_disk) {
  char directory[256];
  scratch(directory);
  // Without images of data, which are files in memory and cannot have contents either.
  wasm_config_t* config = cached(directory, 0);
  CHECK(wasmrt_config_set_memory_copy_on_write(config, false));
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  CHECK(works_in(engine, 1));
  wasmrt_log_set_callback(remember, NULL, NULL);
  warnings = 0;
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit old, none;
  REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
  none = old;
  none.rlim_cur = 100;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &none) == 0);
  bool works = true;
  for (int number = 2; number < 6; ++number) works &= works_in(engine, number);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &old) == 0);
  signal(SIGXFSZ, SIG_DFL);
  CHECK(works);
  CHECK_INT(warnings, keeps(engine)); // once, not for each module
  if (keeps(engine)) CHECK_CONTAINS(last_warning, directory);
  wasm_engine_delete(engine);
  wasmrt_log_set_callback(NULL, NULL, NULL);
  DIR* dir = opendir(directory);
  for (struct dirent* entry; (entry = readdir(dir));) CHECK(!strstr(entry->d_name, ".tmp"));
  closedir(dir);
  // There is room again.
  for (uint64_t found = 0; found < 2; ++found) {
    config = cached(directory, 0);
    CHECK(wasmrt_config_set_memory_copy_on_write(config, false));
    check_made(config, 2, found, 1 - found);
  }
  remove_tree(directory);
}

TEST(the_directory_disappears) {
  char directory[256];
  scratch(directory);
  wasm_engine_t* engine = wasm_engine_new_with_config(cached(directory, 0));
  CHECK(works_in(engine, 1));
  remove_tree(directory);
  CHECK(works_in(engine, 1));
  CHECK(works_in(engine, 2));
  wasm_engine_delete(engine);
}

// ------------------------------------------------------------------------------------------------
// Many at once

static char shared_directory[256];

static void* use_shared(void* unused) {
  (void)unused;
  for (int round = 0; round < 3; ++round) {
    wasm_engine_t* engine = wasm_engine_new_with_config(cached(shared_directory, 200000));
    for (int number = 0; number < 8; ++number) CHECK(works_in(engine, number));
    wasm_engine_delete(engine);
  }
  return NULL;
}

TEST(threads_share_a_directory) {
  scratch(shared_directory);
  pthread_t threads[8];
  size_t count = repetitions(8, 2);
  for (size_t i = 0; i < count; ++i)
    REQUIRE(pthread_create(&threads[i], NULL, use_shared, NULL) == 0);
  for (size_t i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  remove_tree(shared_directory);
}

TEST(processes_share_a_directory_that_is_damaged) {
  scratch(shared_directory);
  int count = (int)repetitions(16, 2);
  pid_t children[16];
  for (int i = 0; i < count; ++i) {
    children[i] = fork();
    REQUIRE(children[i] >= 0);
    if (children[i] == 0) {
      checks_failed = 0;
      use_shared(NULL);
      _exit(checks_failed != 0);
    }
  }
  for (int left = count, round = 0; left > 0; ++round) {
    damage_kind = round % 4;
    // Entries come and go meanwhile.
    DIR* dir = opendir(shared_directory);
    for (struct dirent* entry; (entry = readdir(dir));) {
      if (!strstr(entry->d_name, ".wasmrt")) continue;
      int descriptor = open(in(shared_directory, entry->d_name), O_RDWR);
      if (descriptor < 0) continue;
      if (round % 2 == 0) {
        CHECK(ftruncate(descriptor, round % 3 * 1000) == 0);
      } else {
        CHECK(pwrite(descriptor, "damage", 6, round % 7 * 1000) == 6);
      }
      close(descriptor);
    }
    closedir(dir);
    usleep(1000);
    int status;
    for (pid_t child; left > 0 && (child = waitpid(-1, &status, WNOHANG)) > 0; --left)
      CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  remove_tree(shared_directory);
}

// ------------------------------------------------------------------------------------------------
// Choosing a directory

static void check_directory_refused(const char* directory, const char* part) {
  wasm_config_t* config = wasm_config_new();
  CHECK_FAILS_WITH(!wasmrt_config_set_cache(config, directory, 0), WASMRT_ERROR_FILE);
  CHECK_CONTAINS(wasmrt_last_error_message(), directory);
  CHECK_CONTAINS(wasmrt_last_error_message(), part);
  // The configuration is as before.
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  CHECK(engine != NULL);
  wasm_engine_delete(engine);
}

TEST(directories_that_cannot_be_used) {
  char directory[256];
  scratch(directory);
  host_write(in(directory, "file"), "");
  check_directory_refused(in(directory, "file"), "cache");
  check_directory_refused(in(directory, "file/below"), "cache");
  check_directory_refused("", "cache");
  check_directory_refused("/proc/self/wasmrt", "cache");
  REQUIRE(mkdir(in(directory, "open"), 0700) == 0 && chmod(in(directory, "open"), 0777) == 0);
  check_directory_refused(in(directory, "open"), "chmod o-w");
  if (geteuid() != 0) {
    REQUIRE(mkdir(in(directory, "closed"), 0500) == 0);
    check_directory_refused(in(directory, "closed"), "ermission");
  }
  CHECK_FAILS(!wasmrt_config_set_cache(NULL, directory, 0));
  remove_tree(directory);
}

TEST(the_environment_chooses_a_directory) {
  char directory[256];
  scratch(directory);
  setenv("WASMRT_CACHE_DIR", directory, true);
  check_made(wasm_config_new(), 1, 0, 1);
  check_made(wasm_config_new(), 1, 1, 0);
  // The program can do without.
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_cache(config, NULL, 0));
  check_made(config, 1, 0, 0);
  // And it can choose another one.
  char other[256];
  scratch(other);
  check_made(cached(other, 0), 1, 0, 1);
  remove_tree(other);
  host_write(in(directory, "file"), "");
  setenv("WASMRT_CACHE_DIR", in(directory, "file"), true);
  CHECK_FAILS_WITH(!wasm_engine_new(), WASMRT_ERROR_UNSUPPORTED);
  CHECK_CONTAINS(wasmrt_last_error_message(), "WASMRT_CACHE_DIR");
  setenv("WASMRT_CACHE_DIR", "", true);
  check_made(wasm_config_new(), 1, 0, 0);
  unsetenv("WASMRT_CACHE_DIR");
  remove_tree(directory);
}

TEST(counts_of_an_engine_without_a_cache) {
  wasm_engine_t* engine = wasm_engine_new();
  uint64_t found = 9, missing = 9;
  CHECK(works_in(engine, 1));
  CHECK(wasmrt_engine_cache_counts(engine, &found, &missing));
  CHECK_INT(found, 0);
  CHECK_INT(missing, 0);
  CHECK_FAILS(!wasmrt_engine_cache_counts(NULL, &found, &missing));
  CHECK_FAILS(!wasmrt_engine_cache_counts(engine, NULL, &missing));
  CHECK_FAILS(!wasmrt_engine_cache_counts(engine, &found, NULL));
  wasm_engine_delete(engine);
}
