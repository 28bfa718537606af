// Arguments, environment, clocks, random bytes and the process.
#include "suite.h"

int main(int argc, char** argv) {
  suite_begin(argc, argv);
  uint32_t count = 77, size = 77;
  char *strings[8], bytes[256];
  TRY("args_sizes_get", args_sizes_get(&count, &size));
  SHOW("args_sizes_get, arguments", count);
  SHOW("args_sizes_get, bytes", size);
  TRY("args_get", args_get(strings, bytes));
  SHOW_TEXT("args_get, the first", strings[0], strlen(strings[0]));
  SHOW_TEXT("args_get, the last", strings[count - 1], strlen(strings[count - 1]));
  SHOW("args_get, the first is at the start", strings[0] == bytes);
  TRY("environ_sizes_get", environ_sizes_get(&count, &size));
  SHOW("environ_sizes_get, variables", count);
  SHOW("environ_sizes_get, bytes", size);
  TRY("environ_get", environ_get(strings, bytes));
  SHOW_TEXT("environ_get, the first", strings[0], strlen(strings[0]));
  SHOW_TEXT("environ_get, the second", strings[1], strlen(strings[1]));

  uint64_t time = 0, later = 0;
  TRY("clock_res_get of the real time", clock_res_get(__WASI_CLOCKID_REALTIME, &time));
  SHOW("clock_res_get of the real time is not 0", time > 0);
  time = 0;
  TRY("clock_res_get of the monotonic clock", clock_res_get(__WASI_CLOCKID_MONOTONIC, &time));
  SHOW("clock_res_get of the monotonic clock is not 0", time > 0);
  TRY("clock_res_get of the time of the process",
      clock_res_get(__WASI_CLOCKID_PROCESS_CPUTIME_ID, &time));
  TRY("clock_res_get of the time of the thread",
      clock_res_get(__WASI_CLOCKID_THREAD_CPUTIME_ID, &time));
  TRY("clock_res_get of a fifth clock", clock_res_get(4, &time));
  TRY("clock_res_get of no clock", clock_res_get(UINT32_MAX, &time));
  TRY("clock_time_get of the real time", clock_time_get(__WASI_CLOCKID_REALTIME, 1, &time));
  SHOW("clock_time_get is after 2020", time > 1577836800 * 1000000000ull);
  TRY("clock_time_get of the monotonic clock", clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &time));
  TRY("clock_time_get of the monotonic clock again",
      clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &later));
  SHOW("clock_time_get does not go back", later >= time);
  TRY("clock_time_get with any precision",
      clock_time_get(__WASI_CLOCKID_MONOTONIC, UINT64_MAX, &time));
  TRY("clock_time_get of the time of the process",
      clock_time_get(__WASI_CLOCKID_PROCESS_CPUTIME_ID, 0, &time));
  TRY("clock_time_get of the time of the thread",
      clock_time_get(__WASI_CLOCKID_THREAD_CPUTIME_ID, 0, &time));
  TRY("clock_time_get of a fifth clock", clock_time_get(4, 0, &time));
  TRY("clock_time_get of no clock", clock_time_get(UINT32_MAX, 0, &time));

  memset(bytes, 0, sizeof bytes);
  TRY("random_get", random_get(bytes, 64));
  int zeros = 0;
  for (int i = 0; i < 64; i++) zeros += bytes[i] == 0;
  SHOW("random_get fills the buffer", zeros < 32);
  SHOW("random_get writes no more", bytes[64]);
  TRY("random_get of nothing", random_get(bytes, 0));
  TRY("sched_yield", sched_yield());

  __wasi_iovec_t vector = {(uint8_t*)data, 10};
  uint16_t flags = 0;
  TRY("sock_recv from a file that is not open", sock_recv(NO_FD, &vector, 1, 0, &moved, &flags));
  TRY("sock_send to a file that is not open", sock_send(NO_FD, &vector, 1, 0, &moved));
  TRY("sock_shutdown of a file that is not open", sock_shutdown(NO_FD, __WASI_SDFLAGS_RD));
  TRY("sock_recv from a stream", sock_recv(0, &vector, 1, 0, &moved, &flags));
  TRY("sock_send to a stream", sock_send(1, &vector, 1, 0, &moved));
  TRY("sock_shutdown of a stream", sock_shutdown(1, __WASI_SDFLAGS_WR));
  fd_t fd = must_open("file", 0, READ);
  TRY("sock_recv from a file", sock_recv(fd, &vector, 1, 0, &moved, &flags));
  TRY("sock_send to a file", sock_send(fd, &vector, 1, 0, &moved));
  TRY("sock_shutdown of a file", sock_shutdown(fd, __WASI_SDFLAGS_RD | __WASI_SDFLAGS_WR));
  TRY("sock_recv from a directory", sock_recv(RW, &vector, 1, 0, &moved, &flags));
#ifndef SUITE_UNSTABLE
  fd_t accepted = NO_FD;
  TRY("sock_accept of a file that is not open", sock_accept(NO_FD, 0, &accepted));
  TRY("sock_accept of a stream", sock_accept(0, 0, &accepted));
  TRY("sock_accept of a file", sock_accept(fd, 0, &accepted));
  TRY("sock_accept of a directory", sock_accept(RW, 0, &accepted));
  SHOW("sock_accept opens nothing", accepted == NO_FD);
#endif
  TRY("proc_raise", proc_raise(6 /* abort */));
  TRY("proc_raise of no signal", proc_raise(255));
  proc_exit(33);
}
