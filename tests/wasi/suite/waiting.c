// poll_oneoff, which does not wait here for long.
#include "suite.h"

static subscription_t wanted[5000];
static __wasi_event_t events[5000];
static uint32_t count;

static subscription_t* want(int which, uint8_t tag) {
  wanted[which] = (subscription_t){.userdata = 100 + (uint64_t)which, .tag = tag};
  return &wanted[which];
}

static void want_clock(int which, uint32_t clock, uint64_t timeout, uint16_t flags) {
  subscription_t* subscription = want(which, __WASI_EVENTTYPE_CLOCK);
  subscription->u.clock.id = clock;
  subscription->u.clock.timeout = timeout;
  subscription->u.clock.flags = flags;
}

static void want_fd(int which, uint8_t tag, fd_t fd) {
  want(which, tag)->u.fd_read.file_descriptor = fd;
}

// The events in the order of what was asked for.
static void poll(const char* what, uint32_t size) {
  if (!begin(what)) return;
  count = 0;
  memset(events, 0, sizeof events);
  int error = poll_oneoff(wanted, events, size, &count);
  printf("%s", errno_names[error]);
  for (uint32_t which = 0; error == 0 && which < size; which++) {
    for (uint32_t i = 0; i < count; i++) {
      if (events[i].userdata != 100 + which) continue;
      printf(" %u:type %d, %s", (unsigned)which, events[i].type, errno_names[events[i].error]);
    }
  }
  printf("\n");
  fflush(stdout);
}

int main(int argc, char** argv) {
  suite_begin(argc, argv);
  poll("nothing", 0);
  want_clock(0, __WASI_CLOCKID_MONOTONIC, 1000000, 0);
  poll("the monotonic clock", 1);
  uint64_t before = 0, after = 0;
  clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &before);
  want_clock(0, __WASI_CLOCKID_MONOTONIC, 3000000, 0);
  poll("three milliseconds", 1);
  clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &after);
  SHOW("three milliseconds take as long", after - before >= 3000000);
  want_clock(0, __WASI_CLOCKID_REALTIME, 1000000, 0);
  poll("the real time", 1);
  uint16_t absolute = __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME;
  want_clock(0, __WASI_CLOCKID_MONOTONIC, 1, absolute);
  poll("a time that is past", 1);
  want_clock(0, __WASI_CLOCKID_REALTIME, 1, absolute);
  poll("a real time that is past", 1);
  clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &before);
  want_clock(0, __WASI_CLOCKID_MONOTONIC, before + 3000000, absolute);
  poll("a time to come", 1);
  clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &after);
  SHOW("a time to come is waited for", after >= before + 3000000);
  want_clock(0, __WASI_CLOCKID_MONOTONIC, 1000000, 0);
  want_clock(1, __WASI_CLOCKID_MONOTONIC, 3600 * 1000000000ull, 0);
  poll("the first of two clocks", 2);
  want_clock(1, __WASI_CLOCKID_MONOTONIC, UINT64_MAX, 0);
  poll("the first of two clocks, one of them for ever", 2);
  fd_t fd = must_open("file", 0, READ | WRITE);
  want_fd(0, __WASI_EVENTTYPE_FD_READ, fd);
  poll("reading a file", 1);
  SHOW("reading a file, bytes", events[0].fd_readwrite.nbytes);
  want_fd(1, __WASI_EVENTTYPE_FD_WRITE, fd);
  TRY("reading and writing a file", poll_oneoff(wanted, events, 2, &count));
  SHOW("reading and writing a file gives some", count > 0);
  want_clock(1, __WASI_CLOCKID_MONOTONIC, 3600 * 1000000000ull, 0);
  poll("reading a file before a clock", 2);
  want_fd(0, __WASI_EVENTTYPE_FD_READ, 0);
  poll("standard input", 1);
  want_fd(0, __WASI_EVENTTYPE_FD_WRITE, 1);
  poll("standard output", 1);
  want_fd(0, __WASI_EVENTTYPE_FD_READ, NO_FD);
  poll("reading what is not open", 1);
  want_fd(0, __WASI_EVENTTYPE_FD_WRITE, NO_FD);
  poll("writing what is not open", 1);
  want_fd(0, __WASI_EVENTTYPE_FD_READ, 1);
  poll("reading standard output", 1);
  want_fd(0, __WASI_EVENTTYPE_FD_WRITE, 0);
  poll("writing standard input", 1);
  want_fd(0, __WASI_EVENTTYPE_FD_READ, RW);
  poll("reading a directory", 1);
  want_fd(0, __WASI_EVENTTYPE_FD_READ, NO_FD);
  want_fd(1, __WASI_EVENTTYPE_FD_READ, fd);
  poll("what is not open, and a file", 2);
  want_clock(0, __WASI_CLOCKID_PROCESS_CPUTIME_ID, 1000, 0);
  poll("the time of the process", 1);
  want_clock(0, 4, 1000, 0);
  poll("a fifth clock", 1);
  want(0, 3);
  poll("a fourth type", 1);
  for (int i = 0; i < 5000; i++) want_fd(i, __WASI_EVENTTYPE_FD_WRITE, 1);
  TRY("a thousand at once", poll_oneoff(wanted, events, 1000, &count));
  SHOW("a thousand at once give some", count > 0);
  TRY("five thousand at once", poll_oneoff(wanted, events, 5000, &count));
  return 0;
}
