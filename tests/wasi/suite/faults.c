// Pointers and lengths that are not inside the memory, in every place that takes one; and numbers that name nothing. A
// runtime may end the program at each: no check needs another.
#include "suite.h"

// The last four bytes of the memory, and what is behind it.
static uint8_t* last;
#define BEHIND (last + 4)
#define NOWHERE ((void*)UINT32_MAX)
#define HUGE_SIZE UINT32_MAX

static uint32_t out[64];
static fd_t file, dir;
static __wasi_iovec_t one = {(uint8_t*)data, 4}, behind, partly, huge, many[2];
static subscription_t wanted;

static void results(void) {
  TRY("args_get, pointers", args_get(BEHIND, data));
  TRY("args_get, partly behind the end", args_get(last, data));
  TRY("args_get, bytes", args_get(out, last));
  TRY("args_get, nowhere", args_get(NOWHERE, NOWHERE));
  TRY("args_sizes_get, count", args_sizes_get(BEHIND, out));
  TRY("args_sizes_get, size", args_sizes_get(out, last + 1));
  TRY("environ_get, pointers", environ_get(last, data));
  TRY("environ_get, bytes", environ_get(out, last));
  TRY("environ_sizes_get, count", environ_sizes_get(NOWHERE, out));
  TRY("environ_sizes_get, size", environ_sizes_get(out, BEHIND));
  TRY("clock_res_get", clock_res_get(0, last));
  TRY("clock_res_get, nowhere", clock_res_get(1, NOWHERE));
  TRY("clock_time_get", clock_time_get(0, 0, last));
  TRY("clock_time_get, nowhere", clock_time_get(1, 0, NOWHERE));
  TRY("random_get, partly behind the end", random_get(last, 5));
  TRY("random_get, a huge length", random_get(data, HUGE_SIZE));
  TRY("random_get, nowhere", random_get(NOWHERE, 1));
  TRY("random_get of nothing at the end", random_get(BEHIND, 0));
  TRY("fd_fdstat_get", fd_fdstat_get(file, last));
  TRY("fd_fdstat_get, nowhere", fd_fdstat_get(file, NOWHERE));
  TRY("fd_filestat_get", fd_filestat_get(file, last - 40));
  TRY("fd_filestat_get, nowhere", fd_filestat_get(file, NOWHERE));
  TRY("fd_prestat_get", fd_prestat_get(RW, last));
  TRY("fd_prestat_get, nowhere", fd_prestat_get(RW, NOWHERE));
  TRY("fd_prestat_dir_name", fd_prestat_dir_name(RW, last + 2, 3));
  TRY("fd_prestat_dir_name, nowhere", fd_prestat_dir_name(RW, NOWHERE, 3));
  TRY("fd_seek", fd_seek(file, 0, FROM_START, last));
  TRY("fd_seek, nowhere", fd_seek(file, 0, FROM_START, NOWHERE));
  TRY("fd_tell", fd_tell(file, last));
  TRY("fd_tell, nowhere", fd_tell(file, NOWHERE));
}

static void buffers(void) {
  TRY("fd_read, the buffers", fd_read(file, BEHIND, 1, out));
  TRY("fd_read, the buffers partly behind the end", fd_read(file, last, 1, out));
  TRY("fd_read, a buffer", fd_read(file, &behind, 1, out));
  TRY("fd_read, a buffer partly behind the end", fd_read(file, &partly, 1, out));
  TRY("fd_read, a huge buffer", fd_read(file, &huge, 1, out));
  TRY("fd_read, the second buffer", fd_read(file, many, 2, out));
  TRY("fd_read, a huge number of buffers", fd_read(file, &one, HUGE_SIZE, out));
  TRY("fd_read, a number of buffers that overflows", fd_read(file, &one, 0x20000001, out));
  TRY("fd_read, the count", fd_read(file, &one, 1, last + 1));
  TRY("fd_read, the count nowhere", fd_read(file, &one, 1, NOWHERE));
  TRY("fd_read, nothing was read", pread_some(file, 3, 0));
  TRY("fd_pread, the buffers", fd_pread(file, BEHIND, 1, 0, out));
  TRY("fd_pread, a buffer", fd_pread(file, &behind, 1, 0, out));
  TRY("fd_pread, a buffer partly behind the end", fd_pread(file, &partly, 1, 0, out));
  TRY("fd_pread, a huge buffer", fd_pread(file, &huge, 1, 0, out));
  TRY("fd_pread, a huge number of buffers", fd_pread(file, &one, HUGE_SIZE, 0, out));
  TRY("fd_pread, the count", fd_pread(file, &one, 1, 0, last + 1));
  TRY("fd_write, the buffers", fd_write(file, BEHIND, 1, out));
  TRY("fd_write, a buffer", fd_write(file, &behind, 1, out));
  TRY("fd_write, a buffer partly behind the end", fd_write(file, &partly, 1, out));
  TRY("fd_write, a huge buffer", fd_write(file, &huge, 1, out));
  TRY("fd_write, the second buffer", fd_write(file, many, 2, out));
  TRY("fd_write, a huge number of buffers", fd_write(file, &one, HUGE_SIZE, out));
  TRY("fd_write, a number of buffers that overflows", fd_write(file, &one, 0x20000001, out));
  TRY("fd_write, the count", fd_write(file, &one, 1, last + 1));
  TRY("fd_write to standard output, a buffer", fd_write(1, &behind, 1, out));
  TRY("fd_pwrite, the buffers", fd_pwrite(file, BEHIND, 1, 0, out));
  TRY("fd_pwrite, a buffer", fd_pwrite(file, &behind, 1, 0, out));
  TRY("fd_pwrite, a huge buffer", fd_pwrite(file, &huge, 1, 0, out));
  TRY("fd_pwrite, a huge number of buffers", fd_pwrite(file, &one, HUGE_SIZE, 0, out));
  TRY("fd_pwrite, the count", fd_pwrite(file, &one, 1, 0, last + 1));
  TRY("fd_readdir, the buffer", fd_readdir(dir, last, 100, 0, out));
  TRY("fd_readdir, a huge buffer", fd_readdir(dir, data, HUGE_SIZE, 0, out));
  TRY("fd_readdir, the count", fd_readdir(dir, data, 100, 0, last + 1));
  TRY("fd_readdir, nowhere", fd_readdir(dir, NOWHERE, 100, 0, out));
}

static void paths(void) {
#define PATHS(name, call_of)                                      \
  TRY(name ", the path", call_of(BEHIND, 4));                     \
  TRY(name ", the path partly behind the end", call_of(last, 5)); \
  TRY(name ", a path of 4 GiB", call_of("file", HUGE_SIZE));      \
  TRY(name ", the path nowhere", call_of(NOWHERE, 4))
#define OPEN(path, size) path_open(RW, FOLLOW, path, size, 0, READ, 0, 0, out)
  PATHS("path_open", OPEN);
#define STAT(path, size) path_filestat_get(RW, 0, path, size, out)
  PATHS("path_filestat_get", STAT);
#define TIMES(path, size) path_filestat_set_times(RW, 0, path, size, 0, 0, ATIM)
  PATHS("path_filestat_set_times", TIMES);
#define MAKE(path, size) path_create_directory(RW, path, size)
  PATHS("path_create_directory", MAKE);
#define REMOVE(path, size) path_remove_directory(RW, path, size)
  PATHS("path_remove_directory", REMOVE);
#define UNLINK(path, size) path_unlink_file(RW, path, size)
  PATHS("path_unlink_file", UNLINK);
#define READLINK(path, size) path_readlink(RW, path, size, data, 10, out)
  PATHS("path_readlink", READLINK);
#define RENAME_FROM(path, size) path_rename(RW, path, size, RW, TEXT("new"))
  PATHS("path_rename from", RENAME_FROM);
#define RENAME_TO(path, size) path_rename(RW, TEXT("file"), RW, path, size)
  PATHS("path_rename to", RENAME_TO);
#define LINK_FROM(path, size) path_link(RW, 0, path, size, RW, TEXT("new"))
  PATHS("path_link from", LINK_FROM);
#define LINK_TO(path, size) path_link(RW, 0, TEXT("file"), RW, path, size)
  PATHS("path_link to", LINK_TO);
#define SYMLINK_TO(path, size) path_symlink(path, size, RW, TEXT("new"))
  PATHS("path_symlink to", SYMLINK_TO);
#define SYMLINK_AT(path, size) path_symlink(TEXT("file"), RW, path, size)
  PATHS("path_symlink at", SYMLINK_AT);
  TRY("path_open, the number", path_open(RW, FOLLOW, TEXT("file"), 0, READ, 0, 0, last + 1));
  TRY("path_open that creates, the number",
      path_open(RW, FOLLOW, TEXT("new"), CREAT, READ | WRITE, 0, 0, NOWHERE));
  TRY("path_open created nothing", stat_of(RW, "new", 0));
  TRY("path_filestat_get, the result", path_filestat_get(RW, 0, TEXT("file"), last - 40));
  TRY("path_readlink, the buffer", path_readlink(RW, TEXT("link"), last, 100, out));
  TRY("path_readlink, a huge buffer", path_readlink(RW, TEXT("link"), data, HUGE_SIZE, out));
  TRY("path_readlink, the count", path_readlink(RW, TEXT("link"), data, 10, last + 1));
}

static void flags(void) {
  TRY("fd_seek from a fourth place", fd_seek(file, 0, 3, out));
  TRY("fd_seek from nowhere", fd_seek(file, 0, 255, out));
  TRY("fd_advise with a seventh advice", fd_advise(file, 0, 1, 6));
  TRY("fd_advise with no advice", fd_advise(file, 0, 1, 255));
  TRY("fd_fdstat_set_flags with a sixth flag", fd_fdstat_set_flags(file, 32));
  TRY("fd_filestat_set_times with a fifth flag", fd_filestat_set_times(file, 0, 0, 16));
  TRY("path_filestat_set_times with a fifth flag",
      path_filestat_set_times(RW, 0, TEXT("file"), 0, 0, 16));
  TRY("path_filestat_set_times with a second flag of lookup",
      path_filestat_set_times(RW, 2, TEXT("file"), 0, 0, ATIM));
  TRY("path_filestat_get with a second flag of lookup",
      path_filestat_get(RW, 2, TEXT("file"), out));
  TRY("path_link with a second flag of lookup", path_link(RW, 2, TEXT("file"), RW, TEXT("new")));
  TRY("path_open with a second flag of lookup", path_open(RW, 2, TEXT("file"), 0, READ, 0, 0, out));
  TRY("path_open with a fifth flag", path_open(RW, 0, TEXT("file"), 16, READ, 0, 0, out));
  TRY("path_open with a sixth flag of files", path_open(RW, 0, TEXT("file"), 0, READ, 0, 32, out));
  TRY("path_open with rights that there are not",
      path_open(RW, 0, TEXT("file"), 0, UINT64_MAX, 0, 0, out));
  TRY("sock_shutdown of nothing", sock_shutdown(0, 0));
  TRY("sock_shutdown with a third flag", sock_shutdown(0, 4));
}

static void polling(void) {
  wanted = (subscription_t){.tag = __WASI_EVENTTYPE_FD_WRITE};
  wanted.u.fd_read.file_descriptor = 1;
  TRY("poll_oneoff, what is asked for", poll_oneoff(BEHIND, data, 1, out));
  TRY("poll_oneoff, what is asked for partly behind the end", poll_oneoff(last - 8, data, 1, out));
  TRY("poll_oneoff, the events", poll_oneoff(&wanted, last, 1, out));
  TRY("poll_oneoff, the count", poll_oneoff(&wanted, data, 1, last + 1));
  TRY("poll_oneoff, nowhere", poll_oneoff(NOWHERE, NOWHERE, 1, NOWHERE));
  TRY("poll_oneoff, a million", poll_oneoff(&wanted, data, 1000000, out));
  TRY("poll_oneoff, a huge number", poll_oneoff(&wanted, data, HUGE_SIZE, out));
}

int main(int argc, char** argv) {
  suite_begin(argc, argv);
  last = (uint8_t*)(__builtin_wasm_memory_size(0) * 65536 - 4);
  behind = (__wasi_iovec_t){BEHIND, 4};
  partly = (__wasi_iovec_t){last, 5};
  huge = (__wasi_iovec_t){(uint8_t*)data, HUGE_SIZE};
  many[0] = one, many[1] = behind;
  file = must_open("file", 0, READ | WRITE);
  dir = must_open("dir", DIRECTORY, READ);
  results();
  buffers();
  paths();
  flags();
  polling();
  pread_some(file, 100, 0);
  SHOW_TEXT("what is in the file after all this", data, moved);
  return 0;
}
