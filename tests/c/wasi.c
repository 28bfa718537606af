// WASI preview 1: every function in success and in its errors, and the C interface around it.
#include "wasi.h"

#include <limits.h>
#include <sys/wait.h>

// ------------------------------------------------------------------------------------------------
// Arguments, clocks, random bytes, the process

TEST(arguments_and_environment_come_as_given) {
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_arg(config, "program"));
  CHECK(wasmrt_wasi_config_arg(config, ""));
  CHECK(wasmrt_wasi_config_arg(config, "an argument"));
  CHECK(wasmrt_wasi_config_env(config, "A", "1"));
  CHECK(wasmrt_wasi_config_env(config, "AB", "x=y"));
  CHECK(wasmrt_wasi_config_env(config, "A", "2"));
  CHECK_FAILS(!wasmrt_wasi_config_env(config, "A=", "1"));
  CHECK_FAILS(!wasmrt_wasi_config_env(config, "", "1"));
  guest_t guest = guest_new(config), *g = &guest;
  CHECK_INT(W(args_sizes_get, OUT, OUT + 4), OK);
  CHECK_INT(guest_u32(g, OUT), 3);
  CHECK_INT(guest_u32(g, OUT + 4), 8 + 1 + 12);
  CHECK_INT(W(args_get, OUT, DATA), OK);
  CHECK_STR((char*)guest_at(g, guest_u32(g, OUT)), "program");
  CHECK_STR((char*)guest_at(g, guest_u32(g, OUT + 4)), "");
  CHECK_STR((char*)guest_at(g, guest_u32(g, OUT + 8)), "an argument");
  CHECK_INT(W(environ_sizes_get, OUT, OUT + 4), OK);
  CHECK_INT(guest_u32(g, OUT), 2);
  CHECK_INT(W(environ_get, OUT, DATA), OK);
  CHECK_STR((char*)guest_at(g, guest_u32(g, OUT)), "A=2");
  CHECK_STR((char*)guest_at(g, guest_u32(g, OUT + 4)), "AB=x=y");
  int64_t end = PAGES * 65536;
  CHECK_INT(W(args_sizes_get, end - 3, OUT), E_FAULT);
  CHECK_INT(W(args_sizes_get, OUT, end - 3), E_FAULT);
  CHECK_INT(W(args_get, end - 8, OUT), E_FAULT);
  CHECK_INT(W(args_get, OUT, end - 20), E_FAULT);
  CHECK_INT(W(environ_get, -1, -1), E_FAULT);
  CHECK_INT(W(environ_sizes_get, -4, OUT), E_FAULT);
  guest_delete(g);
}

TEST(the_environment_of_the_process_can_be_had) {
  setenv("WASMRT_TEST_VARIABLE", "inherited", 1);
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_inherit_env(config));
  guest_t guest = guest_new(config), *g = &guest;
  CHECK_INT(W(environ_sizes_get, OUT, OUT + 4), OK);
  uint32_t count = guest_u32(g, OUT), size = guest_u32(g, OUT + 4);
  REQUIRE(4 * count + size < PAGES * 65536 - DATA);
  CHECK_INT(W(environ_get, DATA, DATA + 4 * count), OK);
  bool found = false;
  for (uint32_t i = 0; i < count; i++) {
    const char* variable = (char*)guest_at(g, guest_u32(g, DATA + 4 * i));
    found |= strcmp(variable, "WASMRT_TEST_VARIABLE=inherited") == 0;
  }
  CHECK(found);
  guest_delete(g);
}

TEST(clocks_are_the_systems) {
  guest_t guest = guest_new(wasmrt_wasi_config_new()), *g = &guest;
  for (int64_t clock = 0; clock < 4; clock++) {
    CHECK_INT(W(clock_res_get, clock, OUT), OK);
    CHECK(guest_u64(g, OUT) > 0);
    CHECK_INT(W(clock_time_get, clock, 0, OUT), OK);
    CHECK(guest_u64(g, OUT) > 0);
    uint64_t before = guest_u64(g, OUT);
    CHECK_INT(W(clock_time_get, clock, 0, OUT), OK);
    CHECK(clock == 0 || guest_u64(g, OUT) >= before);
  }
  CHECK_INT(W(clock_res_get, 4, OUT), E_INVAL);
  CHECK_INT(W(clock_time_get, -1, 0, OUT), E_INVAL);
  CHECK_INT(W(clock_time_get, 0, 0, PAGES * 65536 - 7), E_FAULT);
  CHECK_INT(W(clock_res_get, 0, -1), E_FAULT);
  guest_delete(g);
}

static int finalized;
static void count_finalized(void* env) {
  (void)env;
  finalized++;
}
static uint64_t fixed_clock(void* env) {
  return *(uint64_t*)env;
}
static bool counting_random(void* env, void* to, size_t size) {
  uint8_t* next = env;
  for (size_t i = 0; i < size; i++) ((uint8_t*)to)[i] = (*next)++;
  return true;
}
static bool no_random(void* env, void* to, size_t size) {
  (void)env, (void)to, (void)size;
  return false;
}

TEST(clocks_and_random_bytes_can_be_the_hosts) {
  uint64_t time = 42;
  uint8_t next = 7;
  finalized = 0;
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_clock(config, WASMRT_WASI_CLOCK_REALTIME, fixed_clock, &time,
                                 count_finalized));
  CHECK(wasmrt_wasi_config_random(config, counting_random, &next, count_finalized));
  CHECK_FAILS(!wasmrt_wasi_config_clock(config, 4, fixed_clock, &time, count_finalized));
  CHECK_FAILS(!wasmrt_wasi_config_random(config, NULL, NULL, count_finalized));
  CHECK_INT(finalized, 2);
  guest_t guest = guest_new(config), *g = &guest;
  CHECK_INT(W(clock_time_get, 0, 0, OUT), OK);
  CHECK_INT(guest_u64(g, OUT), 42);
  CHECK_INT(W(random_get, DATA, 1000), OK);
  CHECK_INT(*guest_at(g, DATA + 999), (uint8_t)(7 + 999));
  CHECK_INT(finalized, 2);
  guest_delete(g);
  CHECK_INT(finalized, 4);

  config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_random(config, no_random, NULL, NULL));
  guest = guest_new(config);
  CHECK_INT(W(random_get, DATA, 8), E_IO);
  guest_delete(g);
}

TEST(random_bytes_differ_unless_they_have_a_seed) {
  uint8_t bytes[3][1000];
  for (int round = 0; round < 3; round++) {
    wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
    if (round > 0) CHECK(wasmrt_wasi_config_random_seed(config, 5));
    guest_t guest = guest_new(config), *g = &guest;
    CHECK_INT(W(random_get, DATA, sizeof bytes[0]), OK);
    memcpy(bytes[round], guest_at(g, DATA), sizeof bytes[0]);
    CHECK_INT(W(random_get, DATA, 0), OK);
    CHECK_INT(W(random_get, 0, PAGES * 65536), OK);
    CHECK_INT(W(random_get, 1, PAGES * 65536), E_FAULT);
    CHECK_INT(W(random_get, 0, -1), E_FAULT);
    guest_delete(g);
  }
  CHECK(memcmp(bytes[0], bytes[1], sizeof bytes[0]) != 0);
  CHECK(memcmp(bytes[1], bytes[2], sizeof bytes[0]) == 0);
}

// A few bytes are made in advance: a child of the process must not get those of its parent.
TEST(random_bytes_differ_in_a_child_process) {
  guest_t guest = guest_new(wasmrt_wasi_config_new()), *g = &guest;
  uint8_t bytes[3][16], none[16] = {0};
  int ends[2], status;
  CHECK_INT(W(random_get, DATA, sizeof bytes[0]), OK);
  memcpy(bytes[0], guest_at(g, DATA), sizeof bytes[0]);
  REQUIRE(pipe(ends) == 0);
  pid_t child = fork();
  REQUIRE(child >= 0);
  CHECK_INT(W(random_get, DATA, sizeof bytes[0]), OK);
  if (child == 0)
    _exit(write(ends[1], guest_at(g, DATA), sizeof bytes[0]) != sizeof bytes[0] || checks_failed);
  memcpy(bytes[1], guest_at(g, DATA), sizeof bytes[0]);
  CHECK(read(ends[0], bytes[2], sizeof bytes[0]) == sizeof bytes[0]);
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  for (int i = 0; i < 3; i++) {
    CHECK(memcmp(bytes[i], none, sizeof none) != 0);
    CHECK(memcmp(bytes[i], bytes[(i + 1) % 3], sizeof none) != 0);
  }
  close(ends[0]);
  close(ends[1]);
  guest_delete(g);
}

TEST(what_is_not_supported_says_so) {
  guest_t guest = guest_new(wasmrt_wasi_config_new()), *g = &guest;
  CHECK_INT(W(proc_raise, 9), E_NOTSUP);
  CHECK_INT(guest_call(g, "sched_yield", NULL, 0), OK);
  CHECK_INT(W(sock_recv, 0, 0, 0, 0, 0, 0), E_NOTSOCK);
  CHECK_INT(W(sock_send, 99, 0, 0, 0, 0), E_BADF);
  CHECK_INT(W(sock_shutdown, 1, 0), E_NOTSOCK);
  CHECK_INT(W(sock_accept, 99, 0, 0), E_BADF);
  guest_delete(g);
}

// ------------------------------------------------------------------------------------------------
// Streams

TEST(output_is_captured_up_to_its_bound) {
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_capture(config, WASMRT_WASI_STDOUT, 8));
  CHECK_FAILS(!wasmrt_wasi_config_capture(config, WASMRT_WASI_STDIN, 8));
  CHECK_FAILS(!wasmrt_wasi_config_capture(config, 3, 8));
  guest_t guest = guest_new(config), *g = &guest;
  CHECK_INT(guest_write(g, 1, "hello"), OK);
  CHECK_INT(guest_u32(g, OUT), 5);
  CHECK_INT(guest_write(g, 1, "world"), OK);
  CHECK_INT(guest_u32(g, OUT), 3);
  CHECK_INT(guest_write(g, 1, "!"), E_NOSPC);
  CHECK_INT(guest_write(g, 2, "discarded"), OK);
  CHECK_INT(guest_u32(g, OUT), 9);
  char text[16] = {0};
  size_t count = 99;
  CHECK(wasmrt_wasi_read(g->wasi, WASMRT_WASI_STDOUT, text, 6, &count));
  CHECK_INT(count, 6);
  CHECK_STR(text, "hellow");
  CHECK_INT(guest_write(g, 1, "!"), OK);
  CHECK(wasmrt_wasi_read(g->wasi, WASMRT_WASI_STDOUT, text, sizeof text, &count));
  CHECK_INT(count, 3);
  CHECK(wasmrt_wasi_read(g->wasi, WASMRT_WASI_STDOUT, NULL, 0, &count));
  CHECK_INT(count, 0);
  CHECK_FAILS(!wasmrt_wasi_read(g->wasi, WASMRT_WASI_STDERR, text, sizeof text, &count));
  CHECK_FAILS(!wasmrt_wasi_read(g->wasi, 3, text, sizeof text, &count));
  CHECK_FAILS(!wasmrt_wasi_read(g->wasi, WASMRT_WASI_STDOUT, NULL, 1, &count));
  CHECK_FAILS(!wasmrt_wasi_read(g->wasi, WASMRT_WASI_STDOUT, text, 1, NULL));
  // What was captured stays when the guest closes the stream.
  CHECK_INT(guest_write(g, 1, "last"), OK);
  CHECK_INT(W(fd_close, 1), OK);
  CHECK_INT(guest_write(g, 1, "more"), E_BADF);
  CHECK(wasmrt_wasi_read(g->wasi, WASMRT_WASI_STDOUT, text, sizeof text, &count));
  CHECK_INT(count, 4);
  guest_delete(g);
}

TEST(input_is_bytes_or_nothing) {
  guest_t guest = guest_new(wasmrt_wasi_config_new()), *g = &guest;
  CHECK_INT(guest_read(g, 0, 10), OK);
  CHECK(guest_has(g, ""));
  CHECK_INT(guest_write(g, 0, "x"), E_BADF);
  CHECK_INT(guest_read(g, 1, 1), E_BADF);
  guest_delete(g);
  for (int context = 0; context < 2; context++) {
    wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
    CHECK(wasmrt_wasi_config_stdin_bytes(config, "some input", 10));
    guest = guest_new(config);
    CHECK_INT(guest_read(g, 0, 4), OK);
    CHECK(guest_has(g, "some"));
    // Two buffers, one of them empty.
    guest_put_u32(g, VECTORS, DATA), guest_put_u32(g, VECTORS + 4, 0);
    guest_put_u32(g, VECTORS + 8, DATA + 100), guest_put_u32(g, VECTORS + 12, 3);
    guest_put_u32(g, VECTORS + 16, DATA), guest_put_u32(g, VECTORS + 20, 100);
    CHECK_INT(W(fd_read, 0, VECTORS, 3, OUT), OK);
    CHECK_INT(guest_u32(g, OUT), 6);
    CHECK(memcmp(guest_at(g, DATA + 100), " in", 3) == 0 &&
          memcmp(guest_at(g, DATA), "put", 3) == 0);
    CHECK_INT(guest_read(g, 0, 4), OK);
    CHECK(guest_has(g, ""));
    CHECK_INT(W(fd_seek, 0, 0, 0, OUT), E_SPIPE);
    CHECK_INT(W(fd_tell, 1, OUT), E_SPIPE);
    guest_delete(g);
  }
}

static ptrdiff_t read_three(void* env, void* to, size_t size) {
  int* calls = env;
  if (++*calls > 2) return -EIO;
  size_t count = size < 3 ? size : 3;
  memcpy(to, "abc", count);
  return (ptrdiff_t)count;
}

static ptrdiff_t read_too_much(void* env, void* to, size_t size) {
  (void)env, (void)to;
  return (ptrdiff_t)size + 1;
}

typedef struct taker_t {
  guest_t* guest;
  char text[65536];
  size_t size;
  size_t most;
  bool grow, close;
} taker_t;

static ptrdiff_t take(void* env, const void* from, size_t size) {
  taker_t* taker = env;
  if (taker->grow) CHECK(wasm_memory_grow(taker->guest->memory, 3));
  if (taker->close) {
    guest_t* g = taker->guest;
    CHECK_INT(W(fd_close, 1), OK);
    taker->close = false;
  }
  if (size > taker->most) size = taker->most;
  if (size == 0) return -EPIPE;
  REQUIRE(taker->size + size <= sizeof taker->text);
  memcpy(taker->text + taker->size, from, size);
  taker->size += size;
  return (ptrdiff_t)size;
}

TEST(streams_can_be_callbacks) {
  int calls = 0;
  static taker_t taker;
  taker = (taker_t){.most = 100000};
  finalized = 0;
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_reader(config, read_three, &calls, count_finalized));
  CHECK(wasmrt_wasi_config_writer(config, WASMRT_WASI_STDOUT, take, &taker, count_finalized));
  CHECK_FAILS(!wasmrt_wasi_config_writer(config, WASMRT_WASI_STDIN, take, NULL, count_finalized));
  CHECK_FAILS(!wasmrt_wasi_config_reader(config, NULL, NULL, count_finalized));
  CHECK_INT(finalized, 2);
  guest_t guest = guest_new(config), *g = &guest;
  taker.guest = g;
  CHECK_INT(guest_read(g, 0, 10), OK);
  CHECK(guest_has(g, "abc"));
  CHECK_INT(guest_read(g, 0, 2), OK);
  CHECK(guest_has(g, "ab"));
  CHECK_INT(guest_read(g, 0, 2), E_IO);
  CHECK_INT(guest_read(g, 0, 0), OK);
  // More than the callback gets at a time, while it makes the guest's memory grow.
  for (uint32_t i = 0; i < 40000; i++) *guest_at(g, DATA + i) = (uint8_t)(i * 7);
  guest_vector(g, DATA, 40000);
  taker.grow = true;
  CHECK_INT(W(fd_write, 1, VECTORS, 1, OUT), OK);
  taker.grow = false;
  CHECK_INT(guest_u32(g, OUT), 40000);
  CHECK_INT(taker.size, 40000);
  CHECK(memcmp(taker.text, guest_at(g, DATA), 40000) == 0);
  CHECK(wasm_memory_size(g->memory) > PAGES);
  // It takes less, or nothing; it closes the stream that it is.
  taker.most = 2;
  CHECK_INT(guest_write(g, 1, "hello"), OK);
  CHECK_INT(guest_u32(g, OUT), 2);
  taker.most = 0;
  CHECK_INT(guest_write(g, 1, "hello"), E_PIPE);
  taker.most = 100, taker.close = true;
  memcpy(guest_at(g, DATA), "closed", 6);
  guest_vector(g, DATA, 6);
  wasm_val_t arguments[] = {I32(1), I32(VECTORS), I32(1), I32(OUT)}, result;
  CHECK_NO_TRAP(call(wasm_extern_as_func(g->exports.data[26]), arguments, 4, &result, 1));
  CHECK_INT(result.of.i32, OK);
  CHECK_INT(guest_write(g, 1, "x"), E_BADF);
  guest_delete(g);
  CHECK_INT(finalized, 4);

  config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_reader(config, read_too_much, NULL, NULL));
  guest = guest_new(config);
  CHECK_INT(guest_read(g, 0, 5), E_IO);
  guest_delete(g);
}

TEST(streams_can_be_files_and_descriptors) {
  char directory[256];
  scratch(directory);
  host_write(in(directory, "input"), "from a file");
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_file(config, WASMRT_WASI_STDIN, in(directory, "input"), false));
  CHECK(wasmrt_wasi_config_file(config, WASMRT_WASI_STDOUT, in(directory, "output"), true));
  int fd = open(in(directory, "errors"), O_CREAT | O_RDWR, 0600);
  CHECK(wasmrt_wasi_config_fd(config, WASMRT_WASI_STDERR, fd));
  CHECK_FAILS(!wasmrt_wasi_config_file(config, 0, in(directory, "missing"), false));
  CHECK_CONTAINS(wasmrt_last_error_message(), "missing");
  CHECK_FAILS(!wasmrt_wasi_config_fd(config, 0, 12345));
  CHECK_FAILS(!wasmrt_wasi_config_fd(config, 0, -1));
  guest_t guest = guest_new(config), *g = &guest;
  CHECK_INT(guest_read(g, 0, 100), OK);
  CHECK(guest_has(g, "from a file"));
  CHECK_INT(guest_write(g, 1, "to a file"), OK);
  CHECK_INT(guest_write(g, 2, "to a descriptor"), OK);
  CHECK_INT(W(fd_tell, 2, OUT), OK);
  CHECK_INT(guest_u64(g, OUT), 15);
  // The file is the host's: its times are not the guest's to set.
  CHECK_INT(W(fd_filestat_set_times, 2, 0, 0, 5), E_PERM);
  CHECK_INT(W(fd_filestat_get, 2, OUT), OK);
  CHECK_INT(*guest_at(g, OUT + 16), 4);
  CHECK_INT(guest_u64(g, OUT + 32), 15);
  CHECK_INT(W(fd_filestat_get, 0, OUT), OK);
  guest_delete(g);
  CHECK(host_has(in(directory, "output"), "to a file"));
  CHECK(host_has(in(directory, "errors"), "to a descriptor"));
  CHECK_INT(fcntl(fd, F_GETFD), 0);
  close(fd);
  // Standard output as it is.
  config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_inherit(config, WASMRT_WASI_STDOUT));
  CHECK_FAILS(!wasmrt_wasi_config_inherit(config, 3));
  guest = guest_new(config);
  CHECK_INT(guest_write(g, 1, "inherited\n"), OK);
  guest_delete(g);
  remove_tree(directory);
}

// ------------------------------------------------------------------------------------------------
// Files

static guest_t guest_in(const char* directory) {
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  REQUIRE(wasmrt_wasi_config_preopen(config, directory, "/w", WASMRT_WASI_READ_WRITE));
  return guest_new(config);
}

TEST(files_are_written_and_read) {
  char directory[256];
  scratch(directory);
  guest_t guest = guest_in(directory), *g = &guest;
  int64_t fd = guest_opened(g, 3, "file", AS_CREATE, RIGHT_RW);
  CHECK_INT(fd, 4);
  CHECK_INT(guest_write(g, fd, "hello world"), OK);
  CHECK_INT(guest_u32(g, OUT), 11);
  CHECK_INT(W(fd_tell, fd, OUT), OK);
  CHECK_INT(guest_u64(g, OUT), 11);
  CHECK_INT(guest_read(g, fd, 5), OK);
  CHECK(guest_has(g, ""));
  CHECK_INT(W(fd_seek, fd, 6, 0, OUT), OK);
  CHECK_INT(guest_read(g, fd, 100), OK);
  CHECK(guest_has(g, "world"));
  CHECK_INT(W(fd_seek, fd, -11, 1, OUT), OK);
  CHECK_INT(guest_u64(g, OUT), 0);
  CHECK_INT(W(fd_seek, fd, -1, 2, OUT), OK);
  CHECK_INT(guest_u64(g, OUT), 10);
  CHECK_INT(W(fd_seek, fd, -1, 0, OUT), E_INVAL);
  CHECK_INT(W(fd_seek, fd, 0, 3, OUT), E_INVAL);
  CHECK_INT(W(fd_seek, fd, 0, 0, PAGES * 65536 - 7), E_FAULT);
  CHECK_INT(W(fd_tell, fd, -1), E_FAULT);
  guest_vector(g, DATA, 5);
  CHECK_INT(W(fd_pread, fd, VECTORS, 1, 4, OUT), OK);
  CHECK(guest_has(g, "o wor"));
  memcpy(guest_at(g, DATA), "W", 1);
  guest_vector(g, DATA, 1);
  CHECK_INT(W(fd_pwrite, fd, VECTORS, 1, 6, OUT), OK);
  CHECK_INT(W(fd_pread, fd, VECTORS, 1, -1, OUT), E_INVAL);
  CHECK_INT(W(fd_pwrite, fd, VECTORS, 1, INT64_MIN, OUT), E_INVAL);
  CHECK(host_has(in(directory, "file"), "hello World"));
  CHECK_INT(W(fd_tell, fd, OUT), OK);
  CHECK_INT(guest_u64(g, OUT), 10);
  // Appending.
  CHECK_INT(W(fd_fdstat_set_flags, fd, AS_APPEND), OK);
  CHECK_INT(W(fd_seek, fd, 0, 0, OUT), OK);
  CHECK_INT(guest_write(g, fd, "!"), OK);
  CHECK(host_has(in(directory, "file"), "hello World!"));
  CHECK_INT(W(fd_fdstat_get, fd, OUT), OK);
  CHECK_INT(*guest_at(g, OUT), 4);
  CHECK_INT(*guest_at(g, OUT + 2), AS_APPEND);
  CHECK_INT(W(fd_fdstat_set_flags, fd, 32), E_INVAL);
  CHECK_INT(W(fd_fdstat_set_flags, fd, 16), E_NOTSUP);
  // Sizes.
  CHECK_INT(W(fd_filestat_set_size, fd, 5), OK);
  CHECK(host_has(in(directory, "file"), "hello"));
  CHECK_INT(W(fd_filestat_set_size, fd, -1), E_INVAL);
  CHECK_INT(W(fd_allocate, fd, 0, 100), OK);
  CHECK_INT(W(fd_allocate, fd, 0, 0), E_INVAL);
  CHECK_INT(W(fd_allocate, fd, -1, 1), E_INVAL);
  CHECK_INT(W(fd_filestat_get, fd, OUT), OK);
  CHECK_INT(guest_u64(g, OUT + 32), 100);
  CHECK_INT(guest_u64(g, OUT + 24), 1);
  CHECK_INT(W(fd_filestat_set_times, fd, 1000000000, 2000000001, 1 | 4), OK);
  CHECK_INT(W(fd_filestat_get, fd, OUT), OK);
  CHECK_INT(guest_u64(g, OUT + 40), 1000000000);
  CHECK_INT(guest_u64(g, OUT + 48), 2000000001);
  CHECK_INT(W(fd_filestat_set_times, fd, 0, 0, 1 | 2), E_INVAL);
  CHECK_INT(W(fd_filestat_set_times, fd, 0, 0, 16), E_INVAL);
  CHECK_INT(W(fd_filestat_set_times, fd, 0, 0, 2 | 8), OK);
  CHECK_INT(W(fd_filestat_get, fd, OUT), OK);
  CHECK(guest_u64(g, OUT + 48) > 2000000001);
  CHECK_INT(W(fd_filestat_get, fd, PAGES * 65536 - 63), E_FAULT);
  for (int64_t advice = 0; advice < 6; advice++) CHECK_INT(W(fd_advise, fd, 0, 10, advice), OK);
  CHECK_INT(W(fd_advise, fd, 0, 10, 6), E_INVAL);
  CHECK_INT(W(fd_advise, fd, -1, 10, 0), E_INVAL);
  CHECK_INT(W(fd_sync, fd), OK);
  CHECK_INT(W(fd_datasync, fd), OK);
  CHECK_INT(W(fd_close, fd), OK);
  CHECK_INT(W(fd_close, fd), E_BADF);
  CHECK_INT(guest_write(g, fd, "x"), E_BADF);
  CHECK_INT(W(fd_sync, fd), E_BADF);
  // Only what was asked for.
  fd = guest_opened(g, 3, "file", 0, RIGHT_READ);
  CHECK_INT(guest_write(g, fd, "x"), E_BADF);
  CHECK_INT(W(fd_filestat_set_size, fd, 0), E_BADF);
  CHECK_INT(W(fd_allocate, fd, 0, 10), E_BADF);
  CHECK_INT(W(fd_close, fd), OK);
  fd = guest_opened(g, 3, "file", AS_TRUNC, RIGHT_WRITE);
  CHECK_INT(guest_read(g, fd, 1), E_BADF);
  CHECK_INT(W(fd_filestat_get, fd, OUT), OK);
  CHECK_INT(guest_u64(g, OUT + 32), 0);
  CHECK_INT(W(fd_prestat_get, fd, OUT), E_BADF);
  CHECK_INT(W(fd_readdir, fd, DATA, 100, 0, OUT), E_NOTDIR);
  CHECK_INT(guest_open(g, fd, "x", 0, RIGHT_READ), E_NOTDIR);
  guest_delete(g);
  remove_tree(directory);
}

TEST(opening_has_its_errors) {
  char directory[256];
  scratch(directory);
  guest_t guest = guest_in(directory), *g = &guest;
  host_write(in(directory, "file"), "text");
  CHECK_INT(guest_open(g, 3, "missing", 0, RIGHT_READ), E_NOENT);
  CHECK_INT(guest_open(g, 3, "file", AS_CREATE | AS_EXCL, RIGHT_RW), E_EXIST);
  CHECK_INT(guest_open(g, 3, "file", AS_DIRECTORY, RIGHT_READ), E_NOTDIR);
  CHECK_INT(guest_open(g, 3, "file/below", 0, RIGHT_READ), E_NOTDIR);
  CHECK_INT(guest_open(g, 3, ".", AS_CREATE | AS_DIRECTORY, RIGHT_READ), E_INVAL);
  CHECK_INT(guest_open(g, 3, ".", 0, RIGHT_RW), E_ISDIR);
  CHECK_INT(guest_open(g, 3, "", 0, RIGHT_READ), E_NOENT);
  CHECK_INT(guest_open(g, 3, "file", 16, RIGHT_READ), E_INVAL);
  CHECK_INT(guest_open(g, 99, "file", 0, RIGHT_READ), E_BADF);
  CHECK_INT(guest_open(g, 1, "file", 0, RIGHT_READ), E_NOTDIR);
  CHECK_INT(guest_open(g, 3, "\xff", 0, RIGHT_READ), E_ILSEQ);
  int64_t size = guest_text(g, PATH, "file");
  CHECK_INT(W(path_open, 3, AS_FOLLOW, PATH, size + 1, 0, RIGHT_READ, 0, 0, OUT), E_INVAL);
  CHECK_INT(W(path_open, 3, 2, PATH, size, 0, RIGHT_READ, 0, 0, OUT), E_INVAL);
  CHECK_INT(W(path_open, 3, 1, PATH, size, 0, RIGHT_READ, 0, 32, OUT), E_INVAL);
  CHECK_INT(W(path_open, 3, 1, PATH, size, AS_CREATE, RIGHT_READ, 0, 0, -1), E_FAULT);
  CHECK_INT(W(path_open, 3, 1, -1, size, 0, RIGHT_READ, 0, 0, OUT), E_FAULT);
  CHECK_INT(W(path_open, 3, 1, PATH, -1, 0, RIGHT_READ, 0, 0, OUT), E_FAULT);
  memset(guest_at(g, DATA), 'x', 5000);
  CHECK_INT(W(path_open, 3, 1, DATA, 5000, 0, RIGHT_READ, 0, 0, OUT), E_NAMETOOLONG);
  CHECK_INT(W(path_open, 3, 1, DATA, 300, 0, RIGHT_READ, 0, 0, OUT), E_NAMETOOLONG);
  // Nothing is open that was not opened.
  CHECK_INT(guest_opened(g, 3, "file", 0, RIGHT_READ), 4);
  // Created without the right to write it.
  int64_t fd = guest_opened(g, 3, "new", AS_CREATE | AS_EXCL, 0);
  CHECK_INT(guest_write(g, fd, "x"), E_BADF);
  CHECK_INT(guest_read(g, fd, 1), E_BADF);
  CHECK_INT(STAT(3, "new"), OK);
  guest_delete(g);
  remove_tree(directory);
}

// The names in a directory, read with a small buffer, in one string.
static void list(guest_t* g, int64_t fd, uint32_t room, char* names) {
  uint64_t cookie = 0;
  names[0] = 0;
  for (int rounds = 0; rounds < 10000; rounds++) {
    CHECK_INT(W(fd_readdir, fd, DATA, room, (int64_t)cookie, OUT), OK);
    uint32_t used = guest_u32(g, OUT), at = DATA, end = DATA + used;
    uint64_t before = cookie;
    while (at + 24 <= end && at + 24 + guest_u32(g, at + 16) <= end) {
      uint32_t size = guest_u32(g, at + 16);
      strncat(names, (char*)guest_at(g, at + 24), size);
      snprintf(names + strlen(names), 8, ":%d ", *guest_at(g, at + 20));
      cookie = guest_u64(g, at);
      at += 24 + size;
    }
    if (used < room) return;
    REQUIRE(cookie != before);
  }
}

TEST(directories_are_made_listed_and_changed) {
  char directory[256], names[4096];
  scratch(directory);
  guest_t guest = guest_in(directory), *g = &guest;
  CHECK_INT(P(path_create_directory, 3, "d"), OK);
  CHECK_INT(P(path_create_directory, 3, "d"), E_EXIST);
  CHECK_INT(P(path_create_directory, 3, "missing/d"), E_NOENT);
  CHECK_INT(P(path_create_directory, 99, "d"), E_BADF);
  int64_t dir = guest_opened(g, 3, "d", AS_DIRECTORY, RIGHT_READ);
  int64_t fd = guest_opened(g, dir, "file", AS_CREATE, RIGHT_RW);
  CHECK_INT(guest_write(g, fd, "text"), OK);
  CHECK_INT(W(fd_filestat_get, fd, OUT), OK);
  uint64_t ino = guest_u64(g, OUT + 8);
  CHECK_INT(STAT(3, "d/file"), OK);
  CHECK_INT(guest_u64(g, OUT + 8), ino);
  CHECK_INT(guest_u64(g, OUT + 32), 4);
  CHECK_INT(*guest_at(g, OUT + 16), 4);
  CHECK_INT(STAT(3, "d/none"), E_NOENT);
  CHECK_INT(STAT(99, "d"), E_BADF);
  CHECK_INT(W(path_filestat_get, 3, AS_FOLLOW, PATH, guest_text(g, PATH, "d"), -1), E_FAULT);
  CHECK_INT(W(path_filestat_get, 3, 2, PATH, guest_text(g, PATH, "d"), OUT), E_INVAL);
  // Links.
  CHECK_INT(LINK(3, "d/file", dir, "hard"), OK);
  CHECK_INT(STAT(dir, "hard"), OK);
  CHECK_INT(guest_u64(g, OUT + 8), ino);
  CHECK_INT(guest_u64(g, OUT + 24), 2);
  CHECK_INT(LINK(3, "d/file", dir, "hard"), E_EXIST);
  CHECK_INT(LINK(3, "none", dir, "x"), E_NOENT);
  CHECK_INT(W(path_link, 3, AS_FOLLOW, PATH, guest_text(g, PATH, "d/file"), 3, OTHER,
              guest_text(g, OTHER, "y")),
            E_INVAL);
  CHECK_INT(SYMLINK("file", dir, "soft"), OK);
  CHECK_INT(SYMLINK("file", dir, "soft"), E_EXIST);
  CHECK_INT(STAT(dir, "soft"), OK);
  CHECK_INT(*guest_at(g, OUT + 16), 4);
  CHECK_INT(LSTAT(dir, "soft"), OK);
  CHECK_INT(*guest_at(g, OUT + 16), 7);
  CHECK_INT(READLINK(dir, "soft", 100), OK);
  CHECK(guest_has(g, "file"));
  CHECK_INT(READLINK(dir, "soft", 2), OK);
  CHECK(guest_has(g, "fi"));
  CHECK_INT(READLINK(dir, "file", 100), E_INVAL);
  CHECK_INT(READLINK(dir, "none", 100), E_NOENT);
  CHECK_INT(READLINK(dir, "soft", PAGES * 65536), E_FAULT);
  CHECK_INT(W(path_open, dir, 0, PATH, guest_text(g, PATH, "soft"), 0, RIGHT_READ, 0, 0, OUT),
            E_LOOP);
  CHECK_INT(guest_open(g, dir, "soft", 0, RIGHT_READ), OK);
  CHECK_INT(SYMLINK("loop", dir, "loop"), OK);
  CHECK_INT(guest_open(g, dir, "loop", 0, RIGHT_READ), E_LOOP);
  CHECK_INT(P(path_unlink_file, dir, "loop"), OK);
  // Times.
  CHECK_INT(W(path_filestat_set_times, 3, AS_FOLLOW, PATH, guest_text(g, PATH, "d/soft"),
              3000000000, 4000000000, 5),
            OK);
  CHECK_INT(STAT(dir, "file"), OK);
  CHECK_INT(guest_u64(g, OUT + 40), 3000000000);
  CHECK_INT(guest_u64(g, OUT + 48), 4000000000);
  CHECK_INT(W(path_filestat_set_times, 3, 0, PATH, guest_text(g, PATH, "d/soft"), 5000000000, 0, 1),
            OK);
  CHECK_INT(LSTAT(dir, "soft"), OK);
  CHECK_INT(guest_u64(g, OUT + 40), 5000000000);
  CHECK_INT(STAT(dir, "file"), OK);
  CHECK_INT(guest_u64(g, OUT + 40), 3000000000);
  CHECK_INT(W(path_filestat_set_times, 3, 0, PATH, guest_text(g, PATH, "d"), 0, 0, 3), E_INVAL);
  CHECK_INT(W(path_filestat_set_times, 3, 1, PATH, guest_text(g, PATH, "no"), 0, 0, 1), E_NOENT);
  // Listed, whatever the size of the buffer.
  for (int i = 0; i < 30; i++) {
    char name[32];
    snprintf(name, sizeof name, "a-longer-name-%d", i);
    CHECK_INT(guest_open(g, dir, name, AS_CREATE, RIGHT_READ), OK);
    CHECK_INT(W(fd_close, guest_u32(g, OUT)), OK);
  }
  char again[4096];
  list(g, dir, 4000, names);
  CHECK_CONTAINS(names, "file:4 ");
  CHECK_CONTAINS(names, "soft:7 ");
  CHECK_CONTAINS(names, ".:3 ");
  CHECK_CONTAINS(names, "..:3 ");
  CHECK_CONTAINS(names, "a-longer-name-29:4 ");
  list(g, dir, 64, again);
  CHECK_STR(again, names);
  CHECK_INT(W(fd_readdir, dir, DATA, 0, 0, OUT), OK);
  CHECK_INT(guest_u32(g, OUT), 0);
  CHECK_INT(W(fd_readdir, dir, DATA, -1, 0, OUT), E_FAULT);
  CHECK_INT(W(fd_readdir, dir, DATA, 100, 0, -1), E_FAULT);
  CHECK_INT(W(fd_readdir, dir, DATA, 100, INT64_MIN, OUT), E_INVAL);
  CHECK_INT(W(fd_readdir, 99, DATA, 100, 0, OUT), E_BADF);
  // Renamed and removed.
  CHECK_INT(RENAME(dir, "file", 3, "moved"), OK);
  CHECK(host_has(in(directory, "moved"), "text"));
  CHECK_INT(RENAME(dir, "file", 3, "moved"), E_NOENT);
  CHECK_INT(RENAME(3, "d", 3, "moved"), E_NOTDIR);
  CHECK_INT(P(path_remove_directory, 3, "d"), E_NOTEMPTY);
  CHECK_INT(P(path_remove_directory, 3, "moved"), E_NOTDIR);
  CHECK_INT(P(path_unlink_file, 3, "moved"), OK);
  CHECK_INT(P(path_unlink_file, 3, "moved"), E_NOENT);
  CHECK_INT(P(path_unlink_file, 3, "d"), E_ISDIR);
  CHECK_INT(P(path_create_directory, 3, "e"), OK);
  CHECK_INT(P(path_remove_directory, 3, "e"), OK);
  CHECK_INT(P(path_create_directory, 3, "e"), OK);
  CHECK_INT(SYMLINK("e", 3, "to-e"), OK);
  CHECK_INT(P(path_remove_directory, 3, "to-e/"), E_NOTDIR);
  CHECK_INT(P(path_remove_directory, 3, "moved/"), E_NOENT);
  CHECK_INT(P(path_remove_directory, 3, "/"), E_PERM);
  CHECK_INT(P(path_remove_directory, 3, "e//"), OK);
  CHECK_INT(P(path_unlink_file, 3, "to-e"), OK);
  // What a directory is not.
  CHECK_INT(guest_read(g, dir, 10), E_BADF);
  CHECK_INT(guest_write(g, dir, "x"), E_BADF);
  guest_vector(g, DATA, 1);
  CHECK_INT(W(fd_pread, dir, VECTORS, 1, 0, OUT), E_BADF);
  CHECK_INT(W(fd_pwrite, dir, VECTORS, 1, 0, OUT), E_BADF);
  CHECK_INT(W(fd_seek, dir, 0, 0, OUT), E_BADF);
  CHECK_INT(W(fd_tell, dir, OUT), E_BADF);
  CHECK_INT(W(fd_advise, dir, 0, 0, 0), E_BADF);
  CHECK_INT(W(fd_allocate, dir, 0, 0), E_BADF);
  CHECK_INT(W(fd_sync, dir), OK);
  CHECK_INT(W(fd_datasync, dir), OK);
  CHECK_INT(W(fd_fdstat_set_flags, dir, AS_NONBLOCK), E_BADF);
  CHECK_INT(W(fd_filestat_set_size, dir, 0), E_BADF);
  CHECK_INT(W(fd_filestat_set_times, dir, 7000000000, 0, 1), OK);
  CHECK_INT(W(fd_filestat_get, dir, OUT), OK);
  CHECK_INT(guest_u64(g, OUT + 40), 7000000000);
  guest_delete(g);
  remove_tree(directory);
}

TEST(preopened_directories_have_names) {
  char directory[256];
  scratch(directory);
  guest_t guest = guest_in(directory), *g = &guest;
  CHECK_INT(W(fd_prestat_get, 3, OUT), OK);
  CHECK_INT(guest_u32(g, OUT), 0);
  CHECK_INT(guest_u32(g, OUT + 4), 2);
  CHECK_INT(W(fd_prestat_get, 4, OUT), E_BADF);
  CHECK_INT(W(fd_prestat_get, 1, OUT), E_BADF);
  CHECK_INT(W(fd_prestat_get, 3, -1), E_FAULT);
  CHECK_INT(W(fd_prestat_dir_name, 3, OUT, 1), E_NAMETOOLONG);
  CHECK_INT(W(fd_prestat_dir_name, 3, OUT, 3), OK);
  CHECK(memcmp(guest_at(g, OUT), "/w", 2) == 0);
  CHECK_INT(W(fd_prestat_dir_name, 3, -1, 2), E_FAULT);
  CHECK_INT(W(fd_prestat_dir_name, 1, OUT, 2), E_BADF);
  guest_delete(g);
  remove_tree(directory);
}

TEST(a_virtual_root_lists_the_directories) {
  char directory[256], names[1024];
  scratch(directory);
  host_write(in(directory, "file"), "text");
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_preopen(config, directory, "/data", WASMRT_WASI_READ_ONLY));
  CHECK(wasmrt_wasi_config_preopen(config, directory, "/home/me", WASMRT_WASI_READ_WRITE));
  CHECK(wasmrt_wasi_config_preopen(config, directory, ".", WASMRT_WASI_READ_WRITE));
  CHECK(wasmrt_wasi_config_virtual_root(config, true));
  guest_t guest = guest_new(config), *g = &guest;
  CHECK_INT(W(fd_prestat_dir_name, 6, OUT, 10), OK);
  CHECK_INT(*guest_at(g, OUT), '/');
  list(g, 6, 200, names);
  CHECK_STR(names, ".:3 ..:3 data:3 home:3 ");
  list(g, 6, 40, names);
  CHECK_STR(names, ".:3 ..:3 data:3 home:3 ");
  int64_t fd = guest_opened(g, 6, "data/file", 0, RIGHT_READ);
  CHECK_INT(guest_read(g, fd, 10), OK);
  CHECK(guest_has(g, "text"));
  fd = guest_opened(g, 6, "home", AS_DIRECTORY, RIGHT_READ);
  list(g, fd, 200, names);
  CHECK_STR(names, ".:3 ..:3 me:3 ");
  CHECK_INT(STAT(fd, "me/file"), OK);
  CHECK_INT(guest_u64(g, OUT + 32), 4);
  CHECK_INT(STAT(fd, "../data/file"), OK);
  CHECK_INT(STAT(fd, ".."), OK);
  CHECK_INT(*guest_at(g, OUT + 16), 3);
  CHECK_INT(STAT(fd, "../.."), E_PERM);
  CHECK_INT(STAT(6, "/data"), E_PERM);
  CHECK_INT(STAT(6, "etc"), E_NOENT);
  CHECK_INT(STAT(6, "data/../../etc"), E_PERM);
  CHECK_INT(guest_open(g, 6, "new", AS_CREATE, RIGHT_RW), E_NOENT);
  CHECK_INT(guest_open(g, 6, "home", AS_CREATE, RIGHT_RW), E_PERM);
  CHECK_INT(guest_open(g, 6, "data/new", AS_CREATE, RIGHT_RW), E_PERM);
  CHECK_INT(guest_open(g, 6, "home/me/new", AS_CREATE, RIGHT_RW), OK);
  CHECK_INT(P(path_create_directory, 6, "home"), E_PERM);
  CHECK_INT(P(path_remove_directory, 6, "home"), E_PERM);
  CHECK_INT(READLINK(6, "home", 10), E_INVAL);
  CHECK_INT(W(fd_filestat_get, 6, OUT), OK);
  guest_delete(g);
  remove_tree(directory);
}

TEST(rights_can_be_given_up_and_not_taken) {
  char directory[256];
  scratch(directory);
  guest_t guest = guest_in(directory), *g = &guest;
  CHECK_INT(W(fd_fdstat_get, 3, OUT), OK);
  CHECK_INT(*guest_at(g, OUT), 3);
  int64_t base = (int64_t)guest_u64(g, OUT + 8), inheriting = (int64_t)guest_u64(g, OUT + 16);
  CHECK((base & 1 << 13) && (inheriting & RIGHT_RW) == RIGHT_RW);
  int64_t fd = guest_opened(g, 3, "file", AS_CREATE, RIGHT_RW);
  CHECK_INT(W(fd_fdstat_get, fd, OUT), OK);
  int64_t rights = (int64_t)guest_u64(g, OUT + 8);
  CHECK_INT(W(fd_sync, fd), OK);
  CHECK_INT(W(fd_fdstat_set_rights, fd, rights & ~(RIGHT_WRITE | 1 << 2 | 1 << 4), 0), OK);
  CHECK_INT(W(fd_sync, fd), E_NOTCAPABLE);
  CHECK_INT(W(fd_seek, fd, 0, 0, OUT), E_SPIPE);
  CHECK_INT(W(fd_tell, fd, OUT), OK);
  CHECK_INT(guest_write(g, fd, "x"), E_BADF);
  CHECK_INT(W(fd_fdstat_set_rights, fd, rights, 0), E_NOTCAPABLE);
  CHECK_INT(W(fd_fdstat_set_rights, 99, 0, 0), E_BADF);
  // To seek is also to tell, and to tell is also to seek nowhere.
  CHECK_INT(W(fd_seek, fd, 0, 1, OUT), OK);
  fd = guest_opened(g, 3, "file", 0, RIGHT_READ);
  CHECK_INT(W(fd_fdstat_set_rights, fd, 1 << 2, 0), OK);
  CHECK_INT(W(fd_tell, fd, OUT), OK);
  CHECK_INT(W(fd_fdstat_set_rights, fd, 0, 0), OK);
  CHECK_INT(W(fd_tell, fd, OUT), E_SPIPE);
  CHECK_INT(W(fd_seek, fd, 0, 1, OUT), E_SPIPE);
  CHECK_INT(W(fd_fdstat_set_rights, 3, base, inheriting & ~RIGHT_WRITE), OK);
  CHECK_INT(guest_open(g, 3, "file", 0, RIGHT_RW), E_NOTCAPABLE);
  CHECK_INT(guest_open(g, 3, "file", 0, RIGHT_READ), OK);
  CHECK_INT(W(fd_fdstat_set_rights, 3, 0, 0), OK);
  CHECK_INT(guest_open(g, 3, "file", 0, RIGHT_READ), E_NOTCAPABLE);
  CHECK_INT(STAT(3, "file"), E_NOTCAPABLE);
  CHECK_INT(W(fd_fdstat_get, fd, -1), E_FAULT);
  CHECK_INT(W(fd_fdstat_get, 99, OUT), E_BADF);
  guest_delete(g);
  remove_tree(directory);
}

TEST(descriptors_are_renumbered) {
  char directory[256];
  scratch(directory);
  guest_t guest = guest_in(directory), *g = &guest;
  int64_t one = guest_opened(g, 3, "one", AS_CREATE, RIGHT_RW);
  int64_t two = guest_opened(g, 3, "two", AS_CREATE, RIGHT_RW);
  CHECK_INT(W(fd_renumber, one, one), OK);
  CHECK_INT(W(fd_renumber, one, 77), E_BADF);
  CHECK_INT(W(fd_renumber, 77, one), E_BADF);
  CHECK_INT(W(fd_renumber, one, -1), E_BADF);
  CHECK_INT(W(fd_renumber, two, one), OK);
  CHECK_INT(guest_write(g, two, "x"), E_BADF);
  CHECK_INT(guest_write(g, one, "second"), OK);
  CHECK(host_has(in(directory, "two"), "second"));
  // The number is free, and over a directory that was given.
  CHECK_INT(guest_opened(g, 3, "three", AS_CREATE, RIGHT_RW), two);
  CHECK_INT(W(fd_renumber, one, 3), OK);
  CHECK_INT(W(fd_prestat_get, 3, OUT), E_BADF);
  CHECK_INT(guest_write(g, 3, "!"), OK);
  CHECK(host_has(in(directory, "two"), "second!"));
  guest_delete(g);
  remove_tree(directory);
}

// ------------------------------------------------------------------------------------------------
// Limits, and what guests choose

static size_t open_descriptors(void) {
  size_t count = 0;
  DIR* dir = opendir("/proc/self/fd");
  while (dir && readdir(dir)) count++;
  if (dir) closedir(dir);
  return count;
}

TEST(descriptors_are_limited_and_closed) {
  char directory[256];
  scratch(directory);
  host_write(in(directory, "file"), "text");
  size_t before = open_descriptors();
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_preopen(config, directory, "/w", WASMRT_WASI_READ_WRITE));
  CHECK(wasmrt_wasi_config_limit(config, WASMRT_WASI_LIMIT_DESCRIPTORS, 10));
  CHECK_FAILS(!wasmrt_wasi_config_limit(config, 2, 10));
  guest_t guest = guest_new(config), *g = &guest;
  for (int i = 4; i < 10; i++) CHECK_INT(guest_opened(g, 3, "file", 0, RIGHT_READ), i);
  CHECK_INT(guest_open(g, 3, "file", 0, RIGHT_READ), E_MFILE);
  CHECK_INT(guest_open(g, 3, "none", AS_CREATE, RIGHT_RW), E_MFILE);
  CHECK_INT(STAT(3, "none"), E_NOENT);
  CHECK_INT(W(fd_close, 7), OK);
  CHECK_INT(guest_opened(g, 3, "file", 0, RIGHT_READ), 7);
  for (size_t i = 0; i < repetitions(10000, 100); i++) {
    CHECK_INT(W(fd_close, 7), OK);
    CHECK_INT(guest_opened(g, 3, "file", 0, RIGHT_READ), 7);
    CHECK_INT(W(fd_renumber, 7, 8), OK);
    CHECK_INT(guest_opened(g, 3, "file", 0, RIGHT_READ), 7);
  }
  guest_delete(g);
  CHECK_INT(open_descriptors(), before);
  fixture_t fixture = fixture_new();
  config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_limit(config, WASMRT_WASI_LIMIT_DESCRIPTORS, 2));
  CHECK_FAILS(wasmrt_wasi_new(fixture.store, config) == NULL);
  wasmrt_wasi_config_delete(config);
  fixture_delete(&fixture);
  remove_tree(directory);
}

typedef struct setting_t {
  wasmrt_wasi_config_t* config;
  int finalized;
} setting_t;

static ptrdiff_t read_nothing(void* env, void* to, size_t size) {
  (void)env, (void)to, (void)size;
  return 0;
}

static void set_again(void* env) {
  setting_t* setting = env;
  setting->finalized++;
  CHECK(wasmrt_wasi_config_stdin_bytes(setting->config, "last", 4));
}

TEST(finalizers_may_set_what_they_were_replaced_in) {
  for (int way = 0; way < 4; way++) {
    setting_t setting = {wasmrt_wasi_config_new(), 0};
    wasmrt_wasi_config_t* config = setting.config;
    CHECK(wasmrt_wasi_config_reader(config, read_nothing, &setting, set_again));
    switch (way) {
      case 0: CHECK(wasmrt_wasi_config_stdin_bytes(config, "first", 5)); break;
      case 1: CHECK(wasmrt_wasi_config_inherit(config, WASMRT_WASI_STDIN)); break;
      case 2: CHECK(wasmrt_wasi_config_file(config, WASMRT_WASI_STDIN, "/dev/null", false)); break;
      default: CHECK(wasmrt_wasi_config_reader(config, read_nothing, NULL, NULL));
    }
    CHECK_INT(setting.finalized, 1);
    guest_t guest = guest_new(config), *g = &guest;
    CHECK_INT(guest_read(g, 0, 10), OK);
    CHECK(guest_has(g, "last"));
    guest_delete(g);
  }
}

TEST(bytes_written_to_files_are_limited) {
  char directory[256];
  scratch(directory);
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_preopen(config, directory, "/w", WASMRT_WASI_READ_WRITE));
  CHECK(wasmrt_wasi_config_limit(config, WASMRT_WASI_LIMIT_FILE_BYTES, 10));
  guest_t guest = guest_new(config), *g = &guest;
  int64_t fd = guest_opened(g, 3, "file", AS_CREATE, RIGHT_RW);
  CHECK_INT(guest_write(g, fd, "123456"), OK);
  CHECK_INT(W(fd_filestat_set_size, fd, 11), E_DQUOT);
  CHECK_INT(W(fd_allocate, fd, 0, 11), E_DQUOT);
  CHECK_INT(W(fd_filestat_set_size, fd, 7), OK);
  CHECK_INT(guest_write(g, fd, "123456"), OK);
  CHECK_INT(guest_u32(g, OUT), 3);
  CHECK_INT(guest_write(g, fd, "1"), E_DQUOT);
  guest_vector(g, DATA, 1);
  CHECK_INT(W(fd_pwrite, fd, VECTORS, 1, 0, OUT), E_DQUOT);
  guest_delete(g);
  // Holes take no room, until they are allocated.
  config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_preopen(config, directory, "/w", WASMRT_WASI_READ_WRITE));
  CHECK(wasmrt_wasi_config_limit(config, WASMRT_WASI_LIMIT_FILE_BYTES, 100000));
  guest = guest_new(config);
  fd = guest_opened(g, 3, "holes", AS_CREATE, RIGHT_RW);
  guest_vector(g, DATA, 1);
  CHECK_INT(W(fd_pwrite, fd, VECTORS, 1, 1 << 20, OUT), OK);
  CHECK_INT(W(fd_allocate, fd, 0, 1 << 20), E_DQUOT);
  CHECK_INT(W(fd_allocate, fd, 0, 65536), OK);
  CHECK_INT(W(fd_allocate, fd, 65536, 65536), E_DQUOT);
  // What is there already costs nothing.
  CHECK_INT(W(fd_allocate, fd, 0, 16384), OK);
  CHECK_INT(W(fd_allocate, fd, 0, 16384), OK);
  CHECK_INT(W(fd_allocate, fd, 0, 16384), OK);
  guest_delete(g);
  remove_tree(directory);
}

TEST(files_that_can_only_be_read_are_opened_where_they_could_be_created) {
  char directory[256];
  scratch(directory);
  int file = open(in(directory, "file"), O_CREAT | O_WRONLY, 0444);
  REQUIRE(file >= 0 && write(file, "text", 4) == 4);
  close(file);
  REQUIRE(mkdir(in(directory, "dir"), 0700) == 0);
  guest_t guest = guest_in(directory), *g = &guest;
  int64_t fd = guest_opened(g, 3, "file", AS_CREATE, RIGHT_READ);
  CHECK_INT(guest_read(g, fd, 10), OK);
  CHECK(guest_has(g, "text"));
  CHECK_INT(guest_open(g, 3, "dir", AS_CREATE, RIGHT_READ), E_ISDIR);
  CHECK_INT(guest_open(g, 3, "new", AS_CREATE, RIGHT_READ), OK);
  guest_delete(g);
  remove_tree(directory);
}

TEST(lengths_that_guests_choose_cost_nothing) {
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_capture(config, WASMRT_WASI_STDOUT, 1 << 20));
  CHECK(wasmrt_wasi_config_stdin_bytes(config, "input", 5));
  guest_t guest = guest_new(config), *g = &guest;
  CHECK_INT(W(fd_write, 1, VECTORS, -1, OUT), E_FAULT);
  CHECK_INT(W(fd_write, 1, VECTORS, 0x20000001, OUT), E_FAULT);
  CHECK_INT(W(fd_write, 1, -8, 1, OUT), E_FAULT);
  CHECK_INT(W(fd_write, 1, -1, 0, OUT), E_FAULT);
  CHECK_INT(W(fd_write, 1, VECTORS, 1, -1), E_FAULT);
  guest_vector(g, DATA, UINT32_MAX);
  CHECK_INT(W(fd_write, 1, VECTORS, 1, OUT), E_FAULT);
  CHECK_INT(W(fd_read, 0, VECTORS, 1, OUT), E_FAULT);
  guest_vector(g, UINT32_MAX, 1);
  CHECK_INT(W(fd_write, 1, VECTORS, 1, OUT), E_FAULT);
  CHECK_INT(W(fd_read, 0, VECTORS, 1, OUT), E_FAULT);
  // Many buffers: the first are written.
  uint32_t count = 20000;
  for (uint32_t i = 0; i < count; i++) {
    guest_put_u32(g, DATA + 8 * i, OUT);
    guest_put_u32(g, DATA + 8 * i + 4, 1);
  }
  CHECK_INT(W(fd_write, 1, DATA, count, OUT), OK);
  uint32_t written = guest_u32(g, OUT);
  CHECK(written > 0 && written <= count);
  // Things to wait for.
  CHECK_INT(W(poll_oneoff, DATA, DATA, -1, OUT), E_FAULT);
  CHECK_INT(W(poll_oneoff, 0, 0, 1000000, OUT), E_FAULT);
  CHECK_INT(W(poll_oneoff, 0, 0, 4000, OUT), E_INVAL);
  CHECK_INT(W(poll_oneoff, 0, 0, 0, OUT), E_INVAL);
  CHECK_INT(W(poll_oneoff, 0, 0, 1, -1), E_FAULT);
  // Nothing was written where something was wrong.
  memset(guest_at(g, OUT), 0x55, 4);
  CHECK_INT(W(fd_write, 1, -8, 1, OUT), E_FAULT);
  CHECK_INT(guest_u32(g, OUT), 0x55555555);
  guest_delete(g);
}

TEST(a_million_subscriptions_are_refused) {
  guest_t guest = guest_new(wasmrt_wasi_config_new()), *g = &guest;
  CHECK(wasm_memory_grow(g->memory, 60));
  // As many as there is room for.
  CHECK_INT(W(poll_oneoff, 0, 0, 64 * 65536 / 48, OUT), E_INVAL);
  guest_delete(g);
}

// In a memory of 4 GiB, all lengths that a guest can name are inside.
TEST(lengths_that_are_inside_a_large_memory_cost_nothing_either) {
  if (under_valgrind()) return;
  char directory[256];
  scratch(directory);
  host_write(in(directory, "file"), "text");
  wasm_config_t* configuration = wasm_config_new();
  CHECK(wasmrt_config_set_interruption(configuration, true));
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_capture(config, WASMRT_WASI_STDOUT, 100));
  CHECK(wasmrt_wasi_config_stdin_bytes(config, "input", 5));
  CHECK(wasmrt_wasi_config_preopen(config, directory, "/w", WASMRT_WASI_READ_WRITE));
  guest_t guest = guest_with(wasm_engine_new_with_config(configuration), config,
                             "wasi_snapshot_preview1", 65536),
          *g = &guest;
  CHECK_INT(wasm_memory_size(g->memory), 65536);
  // Paths.
  int64_t all = UINT32_MAX;
  CHECK_INT(W(path_open, 3, 1, 0, all, 0, RIGHT_READ, 0, 0, OUT), E_NAMETOOLONG);
  CHECK_INT(W(path_open, 3, 1, 0, 4096, 0, RIGHT_READ, 0, 0, OUT), E_NAMETOOLONG);
  CHECK_INT(W(path_filestat_get, 3, 0, 0, all, OUT), E_NAMETOOLONG);
  CHECK_INT(W(path_filestat_set_times, 3, 0, 0, all, 0, 0, 1), E_NAMETOOLONG);
  CHECK_INT(W(path_create_directory, 3, 0, all), E_NAMETOOLONG);
  CHECK_INT(W(path_remove_directory, 3, 0, all), E_NAMETOOLONG);
  CHECK_INT(W(path_unlink_file, 3, 0, all), E_NAMETOOLONG);
  CHECK_INT(W(path_readlink, 3, 0, all, 0, all, OUT), E_NAMETOOLONG);
  int64_t size = guest_text(g, PATH, "file");
  CHECK_INT(W(path_rename, 3, 0, all, 3, PATH, size), E_NAMETOOLONG);
  CHECK_INT(W(path_rename, 3, PATH, size, 3, 0, all), E_NAMETOOLONG);
  CHECK_INT(W(path_link, 3, 0, 0, all, 3, PATH, size), E_NAMETOOLONG);
  CHECK_INT(W(path_link, 3, 0, PATH, size, 3, 0, all), E_NAMETOOLONG);
  CHECK_INT(W(path_symlink, 0, all, 3, PATH, size), E_NAMETOOLONG);
  CHECK_INT(W(path_symlink, PATH, size, 3, 0, all), E_NAMETOOLONG);
  // Buffers: as many as there is room for, and one that is all of the memory.
  CHECK_INT(W(fd_write, 1, DATA, UINT32_MAX / 8 - DATA / 8, OUT), OK);
  CHECK_INT(W(fd_write, 1, DATA, UINT32_MAX / 8 + 1, OUT), E_FAULT);
  guest_vector(g, 0, UINT32_MAX);
  CHECK_INT(W(fd_write, 1, VECTORS, 1, OUT), OK);
  CHECK_INT(guest_u32(g, OUT), 100);
  guest_vector(g, DATA, UINT32_MAX - DATA);
  CHECK_INT(W(fd_read, 0, VECTORS, 1, OUT), OK);
  CHECK(guest_has(g, "input"));
  int64_t fd = guest_opened(g, 3, "file", 0, RIGHT_READ);
  CHECK_INT(W(fd_read, fd, VECTORS, 1, OUT), OK);
  CHECK(guest_has(g, "text"));
  CHECK_INT(W(fd_pread, fd, VECTORS, 1, 2, OUT), OK);
  CHECK(guest_has(g, "xt"));
  CHECK_INT(W(fd_readdir, 3, DATA, UINT32_MAX - DATA, 0, OUT), OK);
  CHECK(guest_u32(g, OUT) > 24 && guest_u32(g, OUT) < 4096);
  CHECK_INT(SYMLINK("file", 3, "link"), OK);
  CHECK_INT(READLINK(3, "link", UINT32_MAX - DATA), OK);
  CHECK(guest_has(g, "file"));
  CHECK_INT(W(fd_prestat_dir_name, 3, OUT, UINT32_MAX - OUT), OK);
  // Things to wait for.
  CHECK_INT(W(poll_oneoff, 0, 0, 1000000, OUT), E_INVAL);
  CHECK_INT(W(poll_oneoff, 0, 0, UINT32_MAX / 48, OUT), E_INVAL);
  // Random bytes for all of it take long: until the time is over.
  CHECK(wasmrt_store_set_call_timeout(g->store, 20 * 1000000));
  CHECK_INT(W(random_get, 0, all), -1);
  CHECK_INT(wasmrt_trap_code(g->trap), WASMRT_TRAP_TIMEOUT);
  guest_delete(g);
  remove_tree(directory);
}

// ------------------------------------------------------------------------------------------------
// What nobody asked for

TEST(nothing_is_given_unasked) {
  for (int root = 0; root < 2; root++) {
    wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
    if (root) CHECK(wasmrt_wasi_config_virtual_root(config, true));
    guest_t guest = guest_new(config), *g = &guest;
    for (int64_t fd = 3 + root; fd < 40; fd++) {
      CHECK_INT(W(fd_prestat_get, fd, OUT), E_BADF);
      CHECK_INT(W(fd_fdstat_get, fd, OUT), E_BADF);
      CHECK_INT(guest_open(g, fd, ".", AS_DIRECTORY, RIGHT_READ), E_BADF);
    }
    // A root that has nothing in it leads nowhere.
    CHECK_INT(guest_open(g, 3, "etc", 0, RIGHT_READ), root ? E_NOENT : E_BADF);
    CHECK_INT(guest_open(g, 3, "tmp", AS_CREATE, RIGHT_RW), root ? E_NOENT : E_BADF);
    CHECK_INT(guest_open(g, 3, "..", AS_DIRECTORY, RIGHT_READ), root ? E_PERM : E_BADF);
    CHECK_INT(W(args_sizes_get, OUT, OUT + 4), OK);
    CHECK_INT(guest_u64(g, OUT), 0);
    CHECK_INT(W(environ_sizes_get, OUT, OUT + 4), OK);
    CHECK_INT(guest_u64(g, OUT), 0);
    CHECK_INT(guest_read(g, 0, 10), OK);
    CHECK(guest_has(g, ""));
    guest_delete(g);
  }
}

// ------------------------------------------------------------------------------------------------
// The older version

TEST(the_older_version_differs_in_four_functions) {
  char directory[256];
  scratch(directory);
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_preopen(config, directory, "/w", WASMRT_WASI_READ_WRITE));
  guest_t guest = guest_of(NULL, config, "wasi_unstable"), *g = &guest;
  wasmrt_wasi_version_t version = 99;
  CHECK(wasmrt_module_wasi(g->module, &version));
  CHECK_INT(version, WASMRT_WASI_UNSTABLE);
  int64_t fd = guest_opened(g, 3, "file", AS_CREATE, RIGHT_RW);
  CHECK_INT(guest_write(g, fd, "text"), OK);
  CHECK_INT(W(fd_seek, fd, 1, 2, OUT), OK);
  CHECK_INT(guest_u64(g, OUT), 1);
  CHECK_INT(W(fd_seek, fd, 1, 0, OUT), OK);
  CHECK_INT(guest_u64(g, OUT), 2);
  CHECK_INT(W(fd_seek, fd, 0, 1, OUT), OK);
  CHECK_INT(guest_u64(g, OUT), 4);
  memset(guest_at(g, OUT), 0x55, 64);
  CHECK_INT(W(fd_filestat_get, fd, OUT), OK);
  CHECK_INT(*guest_at(g, OUT + 16), 4);
  CHECK_INT(guest_u32(g, OUT + 20), 1);
  CHECK_INT(guest_u64(g, OUT + 24), 4);
  CHECK_INT(*guest_at(g, OUT + 56), 0x55);
  CHECK_INT(STAT(3, "file"), OK);
  CHECK_INT(guest_u64(g, OUT + 24), 4);
  CHECK_INT(*guest_at(g, OUT + 56), 0x55);
  // A subscription of a clock: userdata, kind, identifier, clock, timeout, precision, flags.
  memset(guest_at(g, DATA), 0, 112);
  guest_put_u64(g, DATA, 77);
  guest_put_u32(g, DATA + 24, 1);
  guest_put_u64(g, DATA + 32, UINT64_MAX);
  guest_put_u64(g, DATA + 56, 78);
  *guest_at(g, DATA + 56 + 8) = 1;
  guest_put_u32(g, DATA + 56 + 16, 99);
  CHECK_INT(W(poll_oneoff, DATA, DATA + 1024, 2, OUT), OK);
  CHECK_INT(guest_u32(g, OUT), 1);
  CHECK_INT(guest_u64(g, DATA + 1024), 78);
  CHECK_INT(*guest_at(g, DATA + 1024 + 8), E_BADF);
  guest_put_u64(g, DATA + 32, 1000);
  CHECK_INT(W(poll_oneoff, DATA, DATA + 1024, 1, OUT), OK);
  CHECK_INT(guest_u64(g, DATA + 1024), 77);
  CHECK_INT(*guest_at(g, DATA + 1024 + 10), 0);
  guest_delete(g);
  remove_tree(directory);
}

// ------------------------------------------------------------------------------------------------
// Memory

#define WRITES \
  "(func (result i32) (call $w (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))"
#define IMPORT                                                                                \
  "(import \"wasi_snapshot_preview1\" \"fd_write\" (func $w (param i32 i32 i32 i32) (result " \
  "i32)))"
#define VECTOR \
  "(data (i32.const 8) \"\\20\\00\\00\\00\\02\\00\\00\\00\") (data (i32.const 32) \"hi\")"

static wasmrt_wasi_t* capturing(wasm_store_t* store) {
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_capture(config, WASMRT_WASI_STDOUT, 100));
  wasmrt_wasi_t* wasi = wasmrt_wasi_new(store, config);
  wasmrt_wasi_config_delete(config);
  REQUIRE(wasi);
  return wasi;
}

static bool captured(wasmrt_wasi_t* wasi, const char* text) {
  char bytes[100];
  size_t count;
  return wasmrt_wasi_read(wasi, WASMRT_WASI_STDOUT, bytes, sizeof bytes, &count) &&
         count == strlen(text) && memcmp(bytes, text, count) == 0;
}

TEST(each_set_of_imports_is_for_one_memory) {
  fixture_t fixture = fixture_new();
  wasmrt_wasi_t* wasi = capturing(fixture.store);
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module " IMPORT "(memory (export \"memory\") 1) (memory (export \"other\") 1)" VECTOR
      "(export \"f\" (func $f)) (func $f (result i32) (call $w (i32.const 1) (i32.const 8) "
      "(i32.const 1) (i32.const 0))))");
  wasm_extern_vec_t imports;
  REQUIRE(wasmrt_wasi_imports(wasi, module, &imports));
  wasm_instance_t* one = instantiate(fixture.store, module, imports.data, imports.size);
  // The same imports for another instance.
  wasm_trap_t* trap = NULL;
  CHECK_FAILS(wasm_instance_new(fixture.store, module, &imports, &trap) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LINK);
  CHECK_TRAP_CONTAINS(trap, "imports of its own");
  wasm_extern_vec_delete(&imports);
  REQUIRE(wasmrt_wasi_imports(wasi, module, &imports));
  wasm_instance_t* two = instantiate(fixture.store, module, imports.data, imports.size);
  wasm_extern_vec_delete(&imports);
  for (int i = 0; i < 2; i++) {
    wasm_extern_vec_t exports;
    wasm_instance_exports(i ? two : one, &exports);
    wasm_memory_data(wasm_extern_as_memory(exports.data[0]))[33] = i ? '2' : '1';
    wasm_val_t result;
    CHECK_NO_TRAP(call(wasm_extern_as_func(exports.data[2]), NULL, 0, &result, 1));
    CHECK_INT(result.of.i32, OK);
    CHECK(captured(wasi, i ? "h2" : "h1"));
    wasm_extern_vec_delete(&exports);
  }
  wasm_instance_delete(one);
  wasm_instance_delete(two);
  wasm_module_delete(module);
  wasmrt_wasi_delete(wasi);
  fixture_delete(&fixture);
}

TEST(linkers_find_wasi_anew_for_each_instance) {
  fixture_t fixture = fixture_new(), other = fixture_new();
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_capture(config, WASMRT_WASI_STDOUT, 100));
  wasmrt_wasi_t* wasi = wasmrt_wasi_new(fixture.store, config);
  wasmrt_wasi_t* foreign = wasmrt_wasi_new(other.store, config);
  wasmrt_wasi_config_delete(config);
  wasmrt_linker_t *linker = wasmrt_linker_new(fixture.store),
                  *front = wasmrt_linker_new(fixture.store);
  REQUIRE(wasi && foreign && linker && front);
  CHECK_FAILS(!wasmrt_linker_define_wasi(linker, foreign));
  CHECK_CONTAINS(wasmrt_last_error_message(), "different stores");
  CHECK_FAILS(!wasmrt_linker_define_wasi(linker, NULL));
  CHECK_FAILS(!wasmrt_linker_define_wasi(NULL, wasi));
  CHECK(wasmrt_linker_define_wasi(linker, wasi));
  // The next linker's is asked as well.
  CHECK(wasmrt_linker_set_next(front, linker));
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module (import \"wasi_snapshot_preview1\" \"fd_write\""
      "    (func $write (param i32 i32 i32 i32) (result i32)))"
      "  (memory (export \"memory\") 1) (data (i32.const 0) \"\\08\\00\\00\\00\\01\\00\\00\\00x\")"
      "  (func (export \"_start\")"
      "    (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))"
      "      (then (unreachable)))))");
  wasmrt_instance_pre_t* pre = wasmrt_linker_prepare(front, module);
  REQUIRE(pre);
  for (int i = 0; i < 4; i++) {
    wasm_instance_t* instance = i < 2 ? wasmrt_instance_pre_instantiate(pre, NULL)
                                      : wasmrt_linker_instantiate(front, module, NULL);
    REQUIRE(instance);
    int32_t status = 77;
    CHECK_NO_TRAP(wasmrt_wasi_start(wasi, instance, &status));
    CHECK_INT(status, 0);
    wasm_instance_delete(instance);
  }
  char text[8];
  size_t count = 0;
  CHECK(wasmrt_wasi_read(wasi, WASMRT_WASI_STDOUT, text, sizeof text, &count));
  CHECK_INT(count, 4);
  // What is defined under the same name comes first; a name that WASI does not have is missing.
  wasm_module_t* unknown = module_from_wat(
      fixture.store, "(module (import \"wasi_snapshot_preview1\" \"fd_wirte\" (func)))");
  CHECK_FAILS(wasmrt_linker_prepare(front, unknown) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LINK);
  CHECK_CONTAINS(wasmrt_last_error_message(),
                 "\"fd_wirte\": expected a function () -> (): it is not");
  wasm_module_delete(unknown);
  wasmrt_instance_pre_delete(pre);
  wasm_module_delete(module);
  wasmrt_linker_delete(linker);
  wasmrt_linker_delete(front);
  wasmrt_wasi_delete(foreign);
  wasmrt_wasi_delete(wasi);
  fixture_delete(&other);
  fixture_delete(&fixture);
}

TEST(start_functions_write_to_memory_that_is_imported) {
  fixture_t fixture = fixture_new();
  wasmrt_wasi_t* wasi = capturing(fixture.store);
  wasm_module_t* module = module_from_wat(
      fixture.store, "(module (import \"env\" \"m\" (memory 1)) " IMPORT VECTOR
                     "(start $s) (func $s (drop (call $w (i32.const 1) (i32.const 8) "
                     "(i32.const 1) (i32.const 0)))))");
  wasm_extern_vec_t imports;
  REQUIRE(wasmrt_wasi_imports(wasi, module, &imports));
  CHECK_INT(imports.size, 2);
  CHECK_NULL(imports.data[0]);
  CHECK(imports.data[1] != NULL);
  wasm_memorytype_t* type = memorytype(1, 1);
  wasm_memory_t* memory = wasm_memory_new(fixture.store, type);
  wasm_memorytype_delete(type);
  imports.data[0] = wasm_memory_as_extern(memory);
  wasm_instance_t* instance = instantiate(fixture.store, module, imports.data, imports.size);
  CHECK(captured(wasi, "hi"));
  // With the same memory, another instance may have the same imports.
  wasm_instance_t* second = instantiate(fixture.store, module, imports.data, imports.size);
  CHECK(captured(wasi, "hi"));
  wasm_extern_vec_delete(&imports);
  wasm_instance_delete(instance);
  wasm_instance_delete(second);
  wasm_module_delete(module);
  wasmrt_wasi_delete(wasi);
  fixture_delete(&fixture);
}

// The memory is bound although there is no instance yet that the host could know.
TEST(start_functions_write_to_memory_of_their_own) {
  fixture_t fixture = fixture_new();
  wasmrt_wasi_t* wasi = capturing(fixture.store);
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module " IMPORT "(memory (export \"memory\") 1) " VECTOR
      "(func $s (if (call $w (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0))"
      "  (then unreachable)))"
      "(start $s) (export \"again\" (func $s)))");
  wasm_extern_vec_t imports;
  for (int round = 0; round < 2; ++round) {
    REQUIRE(wasmrt_wasi_imports(wasi, module, &imports));
    wasm_instance_t* instance = instantiate(fixture.store, module, imports.data, imports.size);
    CHECK(captured(wasi, "hi"));
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    wasm_val_vec_t none = WASM_EMPTY_VEC;
    CHECK_NO_TRAP(wasm_func_call(wasm_extern_as_func(exports.data[1]), &none, &none));
    CHECK(captured(wasi, "hi"));
    // The imports are bound to this instance's memory.
    wasm_trap_t* trap = NULL;
    CHECK_FAILS(!wasm_instance_new(fixture.store, module, &imports, &trap));
    wasm_trap_delete(trap);
    CHECK(captured(wasi, ""));
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    wasm_extern_vec_delete(&imports);
  }
  // Prepared: each instance gets imports of its own.
  wasmrt_linker_t* linker = wasmrt_linker_new(fixture.store);
  CHECK(wasmrt_linker_define_wasi(linker, wasi));
  wasmrt_instance_pre_t* pre = wasmrt_linker_prepare(linker, module);
  REQUIRE(pre);
  for (int round = 0; round < 3; ++round) {
    wasm_instance_t* instance = wasmrt_instance_pre_instantiate(pre, NULL);
    REQUIRE(instance);
    CHECK(captured(wasi, "hi"));
    wasm_instance_delete(instance);
  }
  wasmrt_instance_pre_delete(pre);
  wasmrt_linker_delete(linker);
  wasm_module_delete(module);
  wasmrt_wasi_delete(wasi);
  fixture_delete(&fixture);
}

typedef struct inner_t {
  wasm_store_t* store;
  wasm_module_t* module;
  wasmrt_wasi_t* wasi;
  int depth;
} inner_t;

static wasm_trap_t* instantiate_another(void* env, const wasm_val_vec_t* arguments,
                                        wasm_val_vec_t* results) {
  (void)arguments, (void)results;
  inner_t* inner = env;
  if (inner->depth-- == 0) return NULL;
  wasm_extern_vec_t imports;
  REQUIRE(wasmrt_wasi_imports(inner->wasi, inner->module, &imports));
  wasm_functype_t* type = wasm_functype_new_0_0();
  wasm_func_t* func = wasm_func_new_with_env(inner->store, type, instantiate_another, inner, NULL);
  wasm_functype_delete(type);
  imports.data[1] = wasm_func_as_extern(func);
  wasm_instance_t* instance = instantiate(inner->store, inner->module, imports.data, imports.size);
  wasm_instance_delete(instance);
  wasm_extern_vec_delete(&imports);
  return NULL;
}

static wasm_trap_t* write_nothing(const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  results->data[0] = (wasm_val_t)WASM_I32_VAL(0);
  return NULL;
}

// Start functions that make instances of the same module, whose start functions do so, before any of
// them uses its memory.
TEST(start_functions_inside_start_functions) {
  fixture_t fixture = fixture_new();
  wasmrt_wasi_t* wasi = capturing(fixture.store);
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module " IMPORT
      "(import \"env\" \"more\" (func $more))"
      "(memory (export \"memory\") 1) " VECTOR
      "(func $s (call $more)"
      "  (if (call $w (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)) (then unreachable)))"
      "(start $s))");
  inner_t inner = {fixture.store, module, wasi, 3};
  wasm_trap_t* trap = instantiate_another(&inner, NULL, NULL);
  CHECK_NO_TRAP(trap);
  CHECK(captured(wasi, "hihihi"));
  // The outermost one has functions of the host's in place of WASI's, and waits for nothing.
  inner.depth = 2;
  wasm_functype_t* types[] = {functype("iiii", "i"), wasm_functype_new_0_0()};
  wasm_func_t* funcs[] = {
      wasm_func_new(fixture.store, types[0], write_nothing),
      wasm_func_new_with_env(fixture.store, types[1], instantiate_another, &inner, NULL)};
  wasm_extern_t* imports[] = {wasm_func_as_extern(funcs[0]), wasm_func_as_extern(funcs[1])};
  wasm_instance_t* outermost = instantiate(fixture.store, module, imports, 2);
  CHECK(captured(wasi, "hihi"));
  wasm_instance_delete(outermost);
  for (int i = 0; i < 2; ++i) {
    wasm_functype_delete(types[i]);
    wasm_func_delete(funcs[i]);
  }
  wasm_module_delete(module);
  wasmrt_wasi_delete(wasi);
  fixture_delete(&fixture);
}

// Other threads could change what WASI's functions are looking at.
TEST(shared_memories_are_refused) {
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_THREADS, true));
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) return; // wasmi
  wasm_store_t* store = wasm_store_new(engine);
  wasmrt_wasi_t* wasi = capturing(store);
  static const char* const modules[] = {
      "(module " IMPORT "(memory (export \"memory\") 1 1 shared) " VECTOR ")",
      "(module (import \"env\" \"m\" (memory 1 1 shared)) " IMPORT ")",
  };
  for (int i = 0; i < 2; ++i) {
    wasm_module_t* module = module_from_wat(store, modules[i]);
    wasm_extern_vec_t imports;
    REQUIRE(wasmrt_wasi_imports(wasi, module, &imports));
    if (i == 1) {
      wasm_importtype_vec_t types;
      wasm_module_imports(module, &types);
      wasm_memory_t* memory = wasm_memory_new(
          store, wasm_externtype_as_memorytype_const(wasm_importtype_type(types.data[0])));
      REQUIRE(memory);
      CHECK_FAILS(!wasmrt_wasi_bind_memory(wasi, memory));
      CHECK_CONTAINS(wasmrt_last_error_message(), "threads share");
      imports.data[0] = wasm_memory_as_extern(memory);
      wasm_importtype_vec_delete(&types);
    }
    wasm_trap_t* trap = NULL;
    CHECK(!wasm_instance_new(store, module, &imports, &trap));
    CHECK_TRAP_CONTAINS(trap, "threads share");
    wasm_extern_vec_delete(&imports);
    wasm_module_delete(module);
  }
  wasmrt_wasi_delete(wasi);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

TEST(memory_can_be_bound_by_hand) {
  fixture_t fixture = fixture_new();
  wasmrt_wasi_t* wasi = capturing(fixture.store);
  wasm_func_t* write = wasmrt_wasi_func(wasi, "wasi_snapshot_preview1", "fd_write");
  wasm_func_t* yield = wasmrt_wasi_func(wasi, "wasi_unstable", "sched_yield");
  CHECK_FAILS(wasmrt_wasi_func(wasi, "wasi_unstable", "sock_accept") == NULL);
  CHECK_FAILS(wasmrt_wasi_func(wasi, "wasi_snapshot_preview1", "fd_wirte") == NULL);
  CHECK_CONTAINS(wasmrt_last_error_message(), "fd_wirte");
  CHECK_FAILS(wasmrt_wasi_func(wasi, "env", "fd_write") == NULL);
  wasm_val_t arguments[] = {I32(1), I32(8), I32(1), I32(0)}, result;
  CHECK_NO_TRAP(call(yield, NULL, 0, &result, 1));
  CHECK_INT(result.of.i32, OK);
  CHECK_NO_TRAP(call(write, arguments, 4, &result, 1));
  CHECK_INT(result.of.i32, E_FAULT);
  wasm_memorytype_t* type = memorytype(1, 1);
  wasm_memory_t* memory = wasm_memory_new(fixture.store, type);
  wasm_memory_t* other = wasm_memory_new(fixture.store, type);
  wasm_memorytype_delete(type);
  memcpy(wasm_memory_data(memory) + 8, "\x20\0\0\0\2\0\0\0", 8);
  memcpy(wasm_memory_data(memory) + 32, "hi", 2);
  CHECK(wasmrt_wasi_bind_memory(wasi, memory));
  CHECK(wasmrt_wasi_bind_memory(wasi, memory));
  CHECK_FAILS(!wasmrt_wasi_bind_memory(wasi, other));
  CHECK_FAILS(!wasmrt_wasi_bind_memory(wasi, NULL));
  fixture_t foreign = fixture_new();
  type = memorytype(1, 1);
  wasm_memory_t* anothers = wasm_memory_new(foreign.store, type);
  wasm_memorytype_delete(type);
  CHECK_FAILS(!wasmrt_wasi_bind_memory(wasi, anothers));
  wasm_memory_delete(anothers);
  fixture_delete(&foreign);
  CHECK_NO_TRAP(call(write, arguments, 4, &result, 1));
  CHECK_INT(result.of.i32, OK);
  CHECK(captured(wasi, "hi"));
  wasm_func_delete(yield);
  wasm_memory_delete(memory);
  wasm_memory_delete(other);
  // The function keeps the context, and the context the store.
  wasmrt_wasi_delete(wasi);
  CHECK_NO_TRAP(call(write, arguments, 4, &result, 1));
  CHECK_INT(result.of.i32, OK);
  wasm_func_delete(write);
  wasi = capturing(fixture.store);
  fixture_delete(&fixture);
  CHECK(captured(wasi, ""));
  wasmrt_wasi_delete(wasi);
}

TEST(what_wasi_does_not_have_is_refused) {
  fixture_t fixture = fixture_new();
  wasmrt_wasi_t* wasi = capturing(fixture.store);
  wasm_module_t* module = module_from_wat(
      fixture.store, "(module (import \"wasi_snapshot_preview1\" \"fd_frob\" (func)))");
  wasm_extern_vec_t imports = WASM_EMPTY_VEC;
  CHECK_FAILS(!wasmrt_wasi_imports(wasi, module, &imports));
  CHECK_CONTAINS(wasmrt_last_error_message(), "fd_frob");
  CHECK_INT(imports.size, 0);
  wasm_module_delete(module);
  // A function of WASI with another type is the engine's to refuse.
  module = module_from_wat(fixture.store,
                           "(module (import \"wasi_snapshot_preview1\" \"fd_close\" (func)))");
  REQUIRE(wasmrt_wasi_imports(wasi, module, &imports));
  wasm_trap_t* trap = NULL;
  CHECK_FAILS(wasm_instance_new(fixture.store, module, &imports, &trap) == NULL);
  CHECK_TRAP_CONTAINS(trap, "fd_close");
  wasm_extern_vec_delete(&imports);
  wasm_module_delete(module);
  module = module_from_wat(fixture.store, "(module)");
  wasmrt_wasi_version_t version = 99;
  CHECK(wasmrt_module_wasi(module, &version));
  CHECK_INT(version, WASMRT_WASI_NONE);
  CHECK_FAILS(!wasmrt_module_wasi(NULL, &version));
  CHECK_FAILS(!wasmrt_module_wasi(module, NULL));
  CHECK_FAILS(!wasmrt_wasi_imports(wasi, NULL, &imports));
  CHECK_FAILS(!wasmrt_wasi_imports(NULL, module, &imports));
  CHECK_FAILS(!wasmrt_wasi_imports(wasi, module, NULL));
  wasm_module_delete(module);
  wasmrt_wasi_delete(wasi);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Start and exit

#define EXIT "(import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))"

static wasm_trap_t* run(const char* wat, int32_t* status, bool* exited) {
  fixture_t fixture = fixture_new();
  wasmrt_wasi_t* wasi = capturing(fixture.store);
  wasm_module_t* module = module_from_wat(fixture.store, wat);
  wasm_extern_vec_t imports;
  REQUIRE(wasmrt_wasi_imports(wasi, module, &imports));
  wasm_instance_t* instance = instantiate(fixture.store, module, imports.data, imports.size);
  wasm_extern_vec_delete(&imports);
  wasm_trap_t* trap = wasmrt_wasi_start(wasi, instance, status);
  int32_t again = *status;
  *exited = wasmrt_wasi_exit_status(wasi, &again);
  CHECK_INT(again, *status);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasmrt_wasi_delete(wasi);
  fixture_delete(&fixture);
  return trap;
}

TEST(start_gives_the_exit_status) {
  int32_t status = 99;
  bool exited;
  CHECK_NO_TRAP(run("(module " EXIT "(func (export \"_start\") (call $exit (i32.const 3)) "
                    "unreachable))",
                    &status, &exited));
  CHECK_INT(status, 3);
  CHECK(exited);
  CHECK_NO_TRAP(run("(module " EXIT "(func (export \"_start\") (call $exit (i32.const -1))))",
                    &status, &exited));
  CHECK_INT(status, -1);
  CHECK_NO_TRAP(run("(module " EXIT "(func (export \"_start\") (call $exit (i32.const 0))))",
                    &status, &exited));
  CHECK_INT(status, 0);
  CHECK(exited);
  status = 99;
  CHECK_NO_TRAP(run("(module (func (export \"_start\")))", &status, &exited));
  CHECK_INT(status, 0);
  CHECK(exited);
  status = 99;
  CHECK_NO_TRAP(run("(module (func (export \"_initialize\")))", &status, &exited));
  CHECK_INT(status, 0);
  status = 99;
  CHECK_TRAP(run("(module (func (export \"_start\") unreachable))", &status, &exited),
             "unreachable");
  CHECK_INT(status, 99);
  CHECK(!exited);
  CHECK_TRAP_CONTAINS(run("(module (func (export \"main\")))", &status, &exited), "_start");
  CHECK_TRAP_CONTAINS(run("(module (func (export \"_start\") (param i32)))", &status, &exited),
                      "_start");
  CHECK_TRAP_CONTAINS(run("(module (memory (export \"_start\") 1))", &status, &exited), "_start");
}

TEST(null_is_refused) {
  fixture_t fixture = fixture_new();
  wasmrt_wasi_t* wasi = capturing(fixture.store);
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  int32_t status = 99;
  CHECK_FAILS(!wasmrt_wasi_config_arg(NULL, "x"));
  CHECK_FAILS(!wasmrt_wasi_config_arg(config, NULL));
  CHECK_FAILS(!wasmrt_wasi_config_env(NULL, "A", "x"));
  CHECK_FAILS(!wasmrt_wasi_config_env(config, NULL, "x"));
  CHECK_FAILS(!wasmrt_wasi_config_env(config, "A", NULL));
  CHECK_FAILS(!wasmrt_wasi_config_inherit_env(NULL));
  CHECK_FAILS(!wasmrt_wasi_config_inherit(NULL, 0));
  CHECK_FAILS(!wasmrt_wasi_config_file(NULL, 0, "/dev/null", false));
  CHECK_FAILS(!wasmrt_wasi_config_file(config, 0, NULL, false));
  CHECK_FAILS(!wasmrt_wasi_config_fd(NULL, 0, 0));
  CHECK_FAILS(!wasmrt_wasi_config_stdin_bytes(NULL, "x", 1));
  CHECK_FAILS(!wasmrt_wasi_config_stdin_bytes(config, NULL, 1));
  CHECK(wasmrt_wasi_config_stdin_bytes(config, NULL, 0));
  CHECK_FAILS(!wasmrt_wasi_config_capture(NULL, 1, 1));
  CHECK_FAILS(!wasmrt_wasi_config_preopen(NULL, "/", "/", WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen(config, NULL, "/", WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen(config, "/", NULL, WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen(config, "/", "", WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen(config, "/", "/", 0));
  CHECK_FAILS(!wasmrt_wasi_config_preopen(config, "/", "/", 3));
  CHECK_FAILS(!wasmrt_wasi_config_preopen(config, "/not/there", "/", WASMRT_WASI_READ_ONLY));
  CHECK_CONTAINS(wasmrt_last_error_message(), "/not/there");
  CHECK_FAILS(!wasmrt_wasi_config_preopen(config, "/dev/null", "/", WASMRT_WASI_READ_ONLY));
  CHECK(wasmrt_wasi_config_preopen(config, "/", "/", WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen(config, "/tmp", "/", WASMRT_WASI_READ_ONLY));
  int fd = open("/dev/null", O_RDONLY);
  CHECK_FAILS(!wasmrt_wasi_config_preopen_fd(config, fd, "/n", WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen_fd(config, -1, "/n", WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen_fd(config, fd, NULL, WASMRT_WASI_READ_ONLY));
  close(fd);
  CHECK_FAILS(!wasmrt_wasi_config_virtual_root(NULL, true));
  CHECK_FAILS(!wasmrt_wasi_config_clock(config, 0, NULL, NULL, NULL));
  CHECK_FAILS(!wasmrt_wasi_config_random_seed(NULL, 1));
  CHECK_FAILS(!wasmrt_wasi_config_limit(NULL, 0, 1));
  CHECK_FAILS(wasmrt_wasi_new(NULL, config) == NULL);
  CHECK_FAILS(wasmrt_wasi_new(fixture.store, NULL) == NULL);
  CHECK_FAILS(wasmrt_wasi_func(NULL, "wasi_unstable", "fd_close") == NULL);
  CHECK_FAILS(wasmrt_wasi_func(wasi, NULL, "fd_close") == NULL);
  CHECK_FAILS(wasmrt_wasi_func(wasi, "wasi_unstable", NULL) == NULL);
  CHECK_FAILS(wasmrt_wasi_start(NULL, NULL, &status) == NULL);
  CHECK_FAILS(wasmrt_wasi_start(wasi, NULL, &status) == NULL);
  CHECK_FAILS(!wasmrt_wasi_exit_status(NULL, &status));
  CHECK_FAILS(!wasmrt_wasi_exit_status(wasi, NULL));
  CHECK(!wasmrt_wasi_exit_status(wasi, &status));
  CHECK_INT(status, 99);
  CHECK_FAILS(!wasmrt_wasi_bind_memory(NULL, NULL));
  wasmrt_wasi_delete(NULL);
  wasmrt_wasi_config_delete(NULL);
  wasmrt_wasi_config_delete(config);
  wasmrt_wasi_delete(wasi);
  fixture_delete(&fixture);
}

TEST(callbacks_that_are_refused_are_finalized) {
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  finalized = 0;
  CHECK_FAILS(!wasmrt_wasi_config_reader(NULL, read_three, NULL, count_finalized));
  CHECK_FAILS(!wasmrt_wasi_config_writer(NULL, WASMRT_WASI_STDOUT, take, NULL, count_finalized));
  CHECK_FAILS(!wasmrt_wasi_config_writer(config, WASMRT_WASI_STDOUT, NULL, NULL, count_finalized));
  CHECK_FAILS(!wasmrt_wasi_config_writer(config, 3, take, NULL, count_finalized));
  CHECK_FAILS(!wasmrt_wasi_config_clock(NULL, 0, fixed_clock, NULL, count_finalized));
  CHECK_FAILS(!wasmrt_wasi_config_clock(config, 0, NULL, NULL, count_finalized));
  CHECK_FAILS(!wasmrt_wasi_config_random(NULL, no_random, NULL, count_finalized));
  CHECK_INT(finalized, 7);
  wasmrt_wasi_config_delete(config);
}

TEST(what_does_not_fit_is_refused) {
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  int fd = open("/", O_RDONLY | O_DIRECTORY), null = open("/dev/null", O_RDWR);
  char name[5000];
  memset(name, 'n', sizeof name);
  name[sizeof name - 1] = 0;
  CHECK_FAILS(!wasmrt_wasi_config_preopen(config, "/", name, WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen(config, "/", "\xff", WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen(config, "", "/", WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen(config, name, "/", WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen_fd(NULL, fd, "/", WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen_fd(config, fd, name, WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen_fd(config, fd, "", WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen_fd(config, fd, "/", 0));
  CHECK_FAILS(!wasmrt_wasi_config_preopen_fd(config, fd, "/", 3));
  CHECK_FAILS(!wasmrt_wasi_config_preopen_fd(config, INT_MAX, "/", WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen_fd(config, INT_MIN, "/", WASMRT_WASI_READ_ONLY));
  // None of these has taken the name.
  CHECK(wasmrt_wasi_config_preopen_fd(config, fd, "/", WASMRT_WASI_READ_ONLY));
  CHECK_FAILS(!wasmrt_wasi_config_preopen_fd(config, fd, "/", WASMRT_WASI_READ_ONLY));
  for (wasmrt_wasi_stream_t stream = 3; stream != 0; stream = stream == 3 ? UINT32_MAX : 0) {
    CHECK_FAILS(!wasmrt_wasi_config_inherit(config, stream));
    CHECK_FAILS(!wasmrt_wasi_config_file(config, stream, "/dev/null", false));
    CHECK_FAILS(!wasmrt_wasi_config_fd(config, stream, null));
    CHECK_FAILS(!wasmrt_wasi_config_capture(config, stream, 1));
  }
  CHECK_FAILS(!wasmrt_wasi_config_file(config, WASMRT_WASI_STDOUT, "/", false));
  CHECK_FAILS(!wasmrt_wasi_config_file(config, WASMRT_WASI_STDOUT, "/not/there", false));
  CHECK_FAILS(!wasmrt_wasi_config_file(config, WASMRT_WASI_STDIN, "", false));
  CHECK_FAILS(!wasmrt_wasi_config_limit(config, UINT32_MAX, 1));
  CHECK(wasmrt_wasi_config_limit(config, WASMRT_WASI_LIMIT_DESCRIPTORS, UINT64_MAX));
  CHECK(wasmrt_wasi_config_limit(config, WASMRT_WASI_LIMIT_FILE_BYTES, UINT64_MAX));
  CHECK_INT(fcntl(fd, F_GETFD) | fcntl(null, F_GETFD), 0);
  close(fd);
  close(null);
  // And what was refused is not there.
  guest_t guest = guest_new(config), *g = &guest;
  CHECK_INT(W(fd_prestat_get, 3, OUT), OK);
  CHECK_INT(W(fd_prestat_get, 4, OUT), E_BADF);
  CHECK_INT(guest_write(g, 1, "discarded"), OK);
  CHECK_FAILS(!wasmrt_wasi_read(g->wasi, WASMRT_WASI_STDOUT, name, 1, &(size_t){0}));
  CHECK_FAILS(!wasmrt_wasi_read(NULL, WASMRT_WASI_STDOUT, name, 1, &(size_t){0}));
  guest_delete(g);
}

TEST(objects_of_other_stores_are_refused) {
  fixture_t mine = fixture_new(), other = fixture_new();
  wasmrt_wasi_t* wasi = capturing(mine.store);
  wasm_module_t* module =
      module_from_wat(other.store, "(module " EXIT "(func (export \"_start\")))");
  wasm_extern_vec_t imports;
  wasmrt_wasi_t* others = capturing(other.store);
  REQUIRE(wasmrt_wasi_imports(others, module, &imports));
  wasm_instance_t* instance = instantiate(other.store, module, imports.data, imports.size);
  int32_t status = 99;
  wasm_trap_t* trap = wasmrt_wasi_start(wasi, instance, &status);
  CHECK_TRAP_CONTAINS(trap, "store");
  CHECK_INT(status, 99);
  CHECK(!wasmrt_wasi_exit_status(wasi, &status));
  // Functions of one store for an instance of another.
  wasm_module_t* here = module_from_wat(mine.store, "(module " EXIT "(func (export \"_start\")))");
  trap = NULL;
  CHECK_FAILS(wasm_instance_new(mine.store, here, &imports, &trap) == NULL);
  wasm_trap_delete(trap);
  CHECK_NO_TRAP(wasmrt_wasi_start(others, instance, &status));
  CHECK_INT(status, 0);
  wasm_extern_vec_delete(&imports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_module_delete(here);
  wasmrt_wasi_delete(wasi);
  wasmrt_wasi_delete(others);
  fixture_delete(&other);
  fixture_delete(&mine);
}

TEST(directories_can_be_descriptors) {
  char directory[256], names[256];
  scratch(directory);
  host_write(in(directory, "file"), "text");
  int fd = open(directory, O_PATH | O_DIRECTORY);
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_preopen_fd(config, fd, "/w", WASMRT_WASI_READ_ONLY));
  close(fd);
  guest_t guest = guest_new(config), *g = &guest;
  list(g, 3, 200, names);
  CHECK_CONTAINS(names, "file:4 ");
  guest_delete(g);
  remove_tree(directory);
}
