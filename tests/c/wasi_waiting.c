// WASI: what has to wait ends at a deadline, a timeout and an interrupt; pipes that nobody reads are
// errors and not signals.
#include "wasi.h"

#include "configured.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

static wasm_engine_t* interruptible(void) {
  return wasm_engine_new_with_config(config_with(wasmrt_config_set_interruption, NULL));
}

// A pipe or socket for standard input and output, of which the test has the other ends.
typedef struct ends_t {
  int input[2], output[2];
} ends_t;

static guest_t guest_between(wasm_engine_t* engine, ends_t* ends, bool sockets) {
  if (sockets) {
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends->input) == 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends->output) == 0);
  } else {
    REQUIRE(pipe(ends->input) == 0);
    REQUIRE(pipe(ends->output) == 0);
  }
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_fd(config, WASMRT_WASI_STDIN, ends->input[0]));
  CHECK(wasmrt_wasi_config_fd(config, WASMRT_WASI_STDOUT, ends->output[1]));
  close(ends->input[0]);
  close(ends->output[1]);
  return guest_of(engine, config, "wasi_snapshot_preview1");
}

static void fill(guest_t* g) {
  guest_vector(g, 0, PAGES * 65536);
}

// A subscription at DATA + 48 * position.
static void subscribe_clock(guest_t* g, uint32_t position, uint64_t timeout, uint16_t flags) {
  uint32_t at = DATA + 48 * position;
  memset(guest_at(g, at), 0, 48);
  guest_put_u64(g, at, 100 + position);
  guest_put_u32(g, at + 16, 1);
  guest_put_u64(g, at + 24, timeout);
  memcpy(guest_at(g, at + 40), &flags, 2);
}

static void subscribe_fd(guest_t* g, uint32_t position, uint8_t kind, uint32_t fd) {
  uint32_t at = DATA + 48 * position;
  memset(guest_at(g, at), 0, 48);
  guest_put_u64(g, at, 100 + position);
  *guest_at(g, at + 8) = kind;
  guest_put_u32(g, at + 16, fd);
}

enum { EVENTS = DATA + 4096 };
#define POLL(count) W(poll_oneoff, DATA, EVENTS, (count), OUT)

// Everything that can wait for ever, one after the other; true while there is another.
static bool wait_somehow(guest_t* g, int way) {
  switch (way) {
    case 0: CHECK_INT(guest_read(g, 0, 10), -1); return true;
    case 1:
      fill(g);
      while (W(fd_write, 1, VECTORS, 1, OUT) == OK) {
      }
      CHECK(g->trap);
      return true;
    case 2:
      subscribe_clock(g, 0, UINT64_MAX, 0);
      CHECK_INT(POLL(1), -1);
      return true;
    case 3:
      subscribe_clock(g, 0, UINT64_MAX, 1);
      CHECK_INT(POLL(1), -1);
      return true;
    case 4:
      subscribe_fd(g, 0, 1, 0);
      CHECK_INT(POLL(1), -1);
      return true;
    default: return false;
  }
}

// Checks what stopped the guest, and when. It is within 50 ms on a machine that is not overloaded; as
// tests run on others, too, the bound only catches waits that do not end for the reason they have to.
static void check_stopped(const guest_t* g, wasmrt_trap_code_t code, uint64_t due,
                          uint64_t* worst) {
  uint64_t end = now(), late = end > due ? end - due : 0;
  CHECK_INT(wasmrt_trap_code(g->trap), code);
  CHECK(late < repetitions(1, 30) * UINT64_C(1000000000));
  if (late > *worst) *worst = late;
}

TEST(waiting_ends_when_it_has_to) {
  const uint64_t timeout = 20 * 1000000;
  uint64_t worst = 0;
  for (int sockets = 0; sockets < 2; sockets++) {
    ends_t ends;
    guest_t guest = guest_between(interruptible(), &ends, sockets), *g = &guest;
    for (int way = 0;; way++) {
      CHECK(wasmrt_store_set_call_timeout(g->store, timeout));
      uint64_t begin = now();
      bool more = wait_somehow(g, way);
      if (!more) break;
      check_stopped(g, WASMRT_TRAP_TIMEOUT, begin + timeout, &worst);
      CHECK(wasmrt_store_set_call_timeout(g->store, WASMRT_NO_TIMEOUT));
      begin = now();
      CHECK(wasmrt_store_set_timeout(g->store, timeout));
      wait_somehow(g, way);
      check_stopped(g, WASMRT_TRAP_TIMEOUT, begin + timeout, &worst);
      CHECK(wasmrt_store_set_timeout(g->store, WASMRT_NO_TIMEOUT));
      wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(g->store);
      pthread_t thread;
      begin = now();
      REQUIRE(pthread_create(&thread, NULL, trigger_soon, interrupt) == 0);
      wait_somehow(g, way);
      check_stopped(g, WASMRT_TRAP_INTERRUPTED, begin + SOON, &worst);
      pthread_join(thread, NULL);
      wasmrt_interrupt_clear(interrupt);
      wasmrt_interrupt_delete(interrupt);
    }
    // And goes on afterwards.
    CHECK(wasmrt_store_set_call_timeout(g->store, WASMRT_NO_TIMEOUT));
    CHECK(write(ends.input[1], "input", 5) == 5);
    CHECK_INT(guest_read(g, 0, 10), OK);
    CHECK(guest_has(g, "input"));
    close(ends.input[1]);
    close(ends.output[0]);
    guest_delete(g);
  }
  printf("waiting ended at most %.2f ms late\n", (double)worst / 1e6);
}

static void* drain(void* env) {
  static char bytes[65536];
  size_t total = 0;
  ssize_t count;
  while ((count = read(*(int*)env, bytes, sizeof bytes)) > 0) total += (size_t)count;
  return (void*)(uintptr_t)total;
}

TEST(pipes_take_everything_however_slowly) {
  for (int with = 0; with < 2; with++) {
    ends_t ends;
    guest_t guest = guest_between(with ? interruptible() : NULL, &ends, false), *g = &guest;
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, drain, &ends.output[0]) == 0);
    guest_vector(g, DATA, 200000);
    CHECK_INT(W(fd_write, 1, VECTORS, 1, OUT), OK);
    CHECK_INT(guest_u32(g, OUT), 200000);
    CHECK_INT(W(fd_close, 1), OK);
    guest_delete(g);
    void* total;
    pthread_join(thread, &total);
    CHECK_INT((uintptr_t)total, 200000);
    close(ends.input[1]);
    close(ends.output[0]);
  }
}

TEST(pipes_that_nobody_reads_are_errors) {
  for (int sockets = 0; sockets < 2; sockets++) {
    for (int with = 0; with < 2; with++) {
      ends_t ends;
      guest_t guest = guest_between(with ? interruptible() : NULL, &ends, sockets), *g = &guest;
      close(ends.output[0]);
      CHECK_INT(guest_write(g, 1, "x"), E_PIPE);
      CHECK_INT(guest_write(g, 1, "x"), E_PIPE);
      sigset_t pending;
      sigpending(&pending);
      CHECK(!sigismember(&pending, SIGPIPE));
      sigset_t blocked;
      pthread_sigmask(SIG_SETMASK, NULL, &blocked);
      CHECK(!sigismember(&blocked, SIGPIPE));
      // One that the host has blocked and not seen stays the host's.
      if (!sockets) {
        sigset_t pipe_only;
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe_only, NULL);
        raise(SIGPIPE);
        CHECK_INT(guest_write(g, 1, "x"), E_PIPE);
        sigpending(&pending);
        CHECK(sigismember(&pending, SIGPIPE));
        CHECK_INT(sigtimedwait(&pipe_only, NULL, &(struct timespec){0}), SIGPIPE);
        pthread_sigmask(SIG_UNBLOCK, &pipe_only, NULL);
      }
      close(ends.input[1]);
      CHECK_INT(guest_read(g, 0, 10), OK);
      CHECK(guest_has(g, ""));
      guest_delete(g);
    }
  }
}

// Takes some of what the guest writes and closes the pipe while the guest waits for room.
static void* take_part(void* env) {
  char bytes[1000];
  CHECK(read(*(int*)env, bytes, sizeof bytes) > 0);
  sleep_for(20 * 1000000);
  close(*(int*)env);
  return NULL;
}

TEST(pipes_that_are_closed_during_a_write_are_no_signal) {
  for (int sockets = 0; sockets < 2; sockets++) {
    for (int with = 0; with < 2; with++) {
      ends_t ends;
      guest_t guest = guest_between(with ? interruptible() : NULL, &ends, sockets), *g = &guest;
      pthread_t thread;
      REQUIRE(pthread_create(&thread, NULL, take_part, &ends.output[0]) == 0);
      guest_vector(g, DATA, 200000);
      int first = W(fd_write, 1, VECTORS, 1, OUT);
      CHECK(first == OK || first == E_PIPE);
      pthread_join(thread, NULL);
      CHECK_INT(W(fd_write, 1, VECTORS, 1, OUT), E_PIPE);
      sigset_t pending;
      sigpending(&pending);
      CHECK(!sigismember(&pending, SIGPIPE));
      close(ends.input[1]);
      guest_delete(g);
    }
  }
}

typedef struct reader_t {
  int fd;
  bool got;
  wasmrt_trap_code_t code;
} reader_t;

static void* read_once(void* env) {
  reader_t* reader = env;
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_fd(config, WASMRT_WASI_STDIN, reader->fd));
  guest_t guest = guest_of(interruptible(), config, "wasi_snapshot_preview1"), *g = &guest;
  CHECK(wasmrt_store_set_call_timeout(g->store, 100 * 1000000));
  int result = guest_read(g, 0, 10);
  reader->got = result == OK;
  if (g->trap) reader->code = wasmrt_trap_code(g->trap);
  guest_delete(g);
  return NULL;
}

// Several wait for one byte: one gets it, and the timeout of the others is not the system's to keep.
TEST(guests_that_share_a_stream_stop_in_time) {
  enum { READERS = 4 };
  for (int sockets = 0; sockets < 2; sockets++) {
    int pair[2];
    REQUIRE((sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, pair) : pipe(pair)) == 0);
    reader_t readers[READERS];
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++) {
      readers[i] = (reader_t){.fd = pair[0]};
      REQUIRE(pthread_create(&threads[i], NULL, read_once, &readers[i]) == 0);
    }
    sleep_for(50 * 1000000);
    CHECK(write(pair[1], "x", 1) == 1);
    int got = 0;
    for (int i = 0; i < READERS; i++) {
      pthread_join(threads[i], NULL);
      got += readers[i].got;
      CHECK(readers[i].got || readers[i].code == WASMRT_TRAP_TIMEOUT);
    }
    CHECK(got <= 1);
    close(pair[0]);
    close(pair[1]);
  }
}

// A terminal is ready for writing when it has less room than a pipe that is.
TEST(writing_to_a_terminal_that_is_full_stops_in_time) {
  static const uint32_t sizes[] = {100000, 1000, 777, 4000};
  for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++) {
    for (int byte = 0; byte < 2; byte++) {
      int master = posix_openpt(O_RDWR | O_NOCTTY);
      REQUIRE(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
      int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
      REQUIRE(terminal >= 0);
      wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
      CHECK(wasmrt_wasi_config_fd(config, WASMRT_WASI_STDOUT, terminal));
      CHECK(wasmrt_wasi_config_fd(config, WASMRT_WASI_STDIN, master));
      close(terminal);
      guest_t guest = guest_of(interruptible(), config, "wasi_snapshot_preview1"), *g = &guest;
      CHECK_INT(guest_write(g, 1, "out"), OK);
      CHECK_INT(guest_read(g, 0, 10), OK);
      CHECK(guest_has(g, "out"));
      CHECK(wasmrt_store_set_call_timeout(g->store, 100 * 1000000));
      memset(guest_at(g, DATA), byte ? '\n' : 'a', sizes[size]);
      guest_vector(g, DATA, sizes[size]);
      while (W(fd_write, 1, VECTORS, 1, OUT) == OK) {
      }
      CHECK_INT(wasmrt_trap_code(g->trap), WASMRT_TRAP_TIMEOUT);
      close(master);
      guest_delete(g);
    }
  }
}

TEST(the_end_of_a_pipe_is_seen_however_early_it_was) {
  int pair[2];
  REQUIRE(pipe(pair) == 0);
  CHECK(write(pair[1], "x", 1) == 1);
  close(pair[1]);
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_fd(config, WASMRT_WASI_STDIN, pair[0]));
  close(pair[0]);
  guest_t guest = guest_of(interruptible(), config, "wasi_snapshot_preview1"), *g = &guest;
  CHECK_INT(guest_read(g, 0, 10), OK);
  CHECK(guest_has(g, "x"));
  subscribe_fd(g, 0, 1, 0);
  CHECK_INT(POLL(1), OK);
  CHECK_INT(*guest_at(g, EVENTS + 24), 1);
  CHECK_INT(guest_read(g, 0, 10), OK);
  CHECK(guest_has(g, ""));
  guest_delete(g);
}

TEST(streams_give_no_more_access_than_the_host_has) {
  int pair[2];
  REQUIRE(pipe(pair) == 0);
  CHECK(write(pair[1], "secret", 6) == 6);
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_fd(config, WASMRT_WASI_STDIN, pair[1]));
  CHECK(wasmrt_wasi_config_fd(config, WASMRT_WASI_STDOUT, pair[0]));
  guest_t guest = guest_of(NULL, config, "wasi_snapshot_preview1"), *g = &guest;
  CHECK_INT(guest_read(g, 0, 10), E_BADF);
  CHECK_INT(guest_write(g, 1, "x"), E_BADF);
  close(pair[0]);
  close(pair[1]);
  guest_delete(g);
}

TEST(a_clock_that_is_waited_for_has_come_so_far) {
  guest_t guest = guest_of(NULL, wasmrt_wasi_config_new(), "wasi_snapshot_preview1"), *g = &guest;
  for (uint32_t clock = 0; clock < 2; clock++) {
    CHECK_INT(W(clock_time_get, clock, 0, OUT), OK);
    uint64_t until = guest_u64(g, OUT) + 20 * 1000000;
    subscribe_clock(g, 0, until, 1);
    guest_put_u32(g, DATA + 16, clock);
    // One that is later is not over with it.
    uint64_t later = until + 15 * 1000000;
    subscribe_clock(g, 1, later, 1);
    guest_put_u32(g, DATA + 48 + 16, clock);
    CHECK_INT(POLL(2), OK);
    CHECK_INT(guest_u64(g, EVENTS), 100);
    bool both = guest_u32(g, OUT) == 2;
    CHECK_INT(W(clock_time_get, clock, 0, OUT), OK);
    CHECK(guest_u64(g, OUT) >= (both ? later : until));
  }
  guest_delete(g);
}

TEST(nothing_to_read_or_write_is_not_waited_for) {
  ends_t ends;
  guest_t guest = guest_between(interruptible(), &ends, false), *g = &guest;
  CHECK(wasmrt_store_set_call_timeout(g->store, 1000000000));
  CHECK_INT(guest_read(g, 0, 0), OK);
  CHECK(guest_has(g, ""));
  CHECK_INT(guest_write(g, 1, ""), OK);
  CHECK_INT(guest_u32(g, OUT), 0);
  close(ends.input[1]);
  close(ends.output[0]);
  guest_delete(g);
}

TEST(guests_need_not_wait) {
  ends_t ends;
  guest_t guest = guest_between(NULL, &ends, false), *g = &guest;
  CHECK_INT(W(fd_fdstat_set_flags, 0, AS_NONBLOCK), OK);
  CHECK_INT(W(fd_fdstat_set_flags, 1, AS_NONBLOCK), OK);
  CHECK_INT(guest_read(g, 0, 10), E_AGAIN);
  size_t total = 0;
  fill(g);
  while (W(fd_write, 1, VECTORS, 1, OUT) == OK) {
    total += guest_u32(g, OUT);
    fill(g);
  }
  CHECK(!g->trap && total >= 4096);
  CHECK_INT(W(fd_write, 1, VECTORS, 1, OUT), E_AGAIN);
  // The host's own end waits as before.
  CHECK_INT(fcntl(ends.input[1], F_GETFL) & O_NONBLOCK, 0);
  close(ends.input[1]);
  close(ends.output[0]);
  guest_delete(g);
}

TEST(a_fifo_does_not_hang) {
  char directory[256];
  scratch(directory);
  REQUIRE(mkfifo(in(directory, "fifo"), 0600) == 0);
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  CHECK(wasmrt_wasi_config_preopen(config, directory, "/w", WASMRT_WASI_READ_WRITE));
  guest_t guest = guest_of(interruptible(), config, "wasi_snapshot_preview1"), *g = &guest;
  CHECK_INT(guest_open(g, 3, "fifo", 0, RIGHT_WRITE), E_NXIO);
  CHECK_INT(W(path_filestat_set_times, 3, AS_FOLLOW, PATH, guest_text(g, PATH, "fifo"), 1, 1, 5),
            OK);
  int64_t fd = guest_opened(g, 3, "fifo", 0, RIGHT_READ);
  // Nobody writes: that is its end.
  CHECK_INT(guest_read(g, fd, 1), OK);
  CHECK(guest_has(g, ""));
  int64_t writer = guest_opened(g, 3, "fifo", 0, RIGHT_WRITE);
  CHECK_INT(guest_write(g, writer, "through"), OK);
  CHECK_INT(guest_read(g, fd, 10), OK);
  CHECK(guest_has(g, "through"));
  CHECK(wasmrt_store_set_call_timeout(g->store, 20 * 1000000));
  CHECK_INT(guest_read(g, fd, 10), -1);
  CHECK_INT(wasmrt_trap_code(g->trap), WASMRT_TRAP_TIMEOUT);
  guest_delete(g);
  remove_tree(directory);
}

TEST(several_things_are_waited_for) {
  ends_t ends;
  guest_t guest = guest_between(NULL, &ends, false), *g = &guest;
  // A clock.
  subscribe_clock(g, 0, 1000000, 0);
  CHECK_INT(POLL(1), OK);
  CHECK_INT(guest_u32(g, OUT), 1);
  CHECK_INT(guest_u64(g, EVENTS), 100);
  CHECK_INT(guest_u32(g, EVENTS + 8), 0);
  // One that is past.
  subscribe_clock(g, 0, 1, 1);
  CHECK_INT(POLL(1), OK);
  CHECK_INT(guest_u32(g, OUT), 1);
  // A descriptor that is not there, one that cannot be read, a kind and a clock that are none.
  subscribe_fd(g, 0, 1, 99);
  subscribe_fd(g, 1, 1, 1);
  subscribe_fd(g, 2, 3, 0);
  subscribe_clock(g, 3, 0, 0);
  guest_put_u32(g, DATA + 48 * 3 + 16, 2);
  CHECK_INT(POLL(4), OK);
  CHECK_INT(guest_u32(g, OUT), 4);
  CHECK_INT(*guest_at(g, EVENTS + 8), E_BADF);
  CHECK_INT(*guest_at(g, EVENTS + 10), 1);
  CHECK_INT(*guest_at(g, EVENTS + 32 + 8), E_BADF);
  CHECK_INT(*guest_at(g, EVENTS + 64 + 8), E_INVAL);
  CHECK_INT(*guest_at(g, EVENTS + 96 + 8), E_INVAL);
  // Output has room, input has nothing; then input has something, then is at its end.
  subscribe_fd(g, 0, 1, 0);
  subscribe_fd(g, 1, 2, 1);
  CHECK_INT(POLL(2), OK);
  CHECK_INT(guest_u32(g, OUT), 1);
  CHECK_INT(guest_u64(g, EVENTS), 101);
  CHECK_INT(*guest_at(g, EVENTS + 10), 2);
  CHECK(write(ends.input[1], "input", 5) == 5);
  CHECK_INT(POLL(1), OK);
  CHECK_INT(guest_u32(g, OUT), 1);
  CHECK_INT(guest_u64(g, EVENTS + 16), 5);
  CHECK_INT(guest_read(g, 0, 5), OK);
  close(ends.input[1]);
  CHECK_INT(POLL(1), OK);
  CHECK_INT(*guest_at(g, EVENTS + 24), 1);
  // What never waits is ready.
  subscribe_fd(g, 0, 2, 2);
  CHECK_INT(POLL(1), OK);
  CHECK_INT(guest_u32(g, OUT), 1);
  close(ends.output[0]);
  guest_delete(g);
}
