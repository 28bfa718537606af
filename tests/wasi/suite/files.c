// The functions of open files and streams.
#include "suite.h"

static uint64_t position;

static int seek(fd_t fd, int64_t offset, uint32_t whence) {
  position = 777;
  return fd_seek(fd, offset, whence, &position);
}

static int stat_fd(fd_t fd) {
  memset(&status, 0, sizeof status);
  return fd_filestat_get(fd, &status);
}

static void reading(void) {
  fd_t fd = must_open("file", 0, READ);
  TRY("fd_read", read_some(fd, 4));
  SHOW_TEXT("fd_read gives", data, moved);
  __wasi_iovec_t vectors[] = {
      {(uint8_t*)data, 1}, {NULL, 0}, {(uint8_t*)data + 100, 2}, {(uint8_t*)data + 200, 100}};
  TRY("fd_read to several buffers", fd_read(fd, vectors, 4, &moved));
  SHOW_TEXT("fd_read to several buffers, the second", data + 100, 2);
  TRY("fd_read until its end", read_some(fd, 100));
  TRY("fd_read at its end", read_some(fd, 100));
  SHOW("fd_read at its end gives", moved);
  TRY("fd_read of nothing", read_some(fd, 0));
  TRY("fd_read to no buffers", fd_read(fd, vectors, 0, &moved));
  TRY("fd_read of a file that is not open", read_some(NO_FD, 1));
  TRY("fd_read of a directory", read_some(RW, 1));
  TRY("fd_read of standard output", read_some(1, 1));
  TRY("fd_read of standard input", read_some(0, 100));
  SHOW_TEXT("fd_read of standard input gives", data, moved);
  TRY("fd_read of standard input at its end", read_some(0, 100));
  SHOW("fd_read of standard input at its end gives", moved);
  TRY("fd_pread", pread_some(fd, 3, 2));
  SHOW_TEXT("fd_pread gives", data, moved);
  TRY("fd_pread behind the end", pread_some(fd, 3, 1000));
  SHOW("fd_pread behind the end gives", moved);
  vectors[3].buf_len = 3;
  TRY("fd_pread to several buffers", fd_pread(fd, vectors, 4, 1, &moved));
  SHOW_TEXT("fd_pread to several buffers, the second", data + 100, 2);
  TRY("fd_tell is not changed by fd_pread", fd_tell(fd, &position));
  SHOW("fd_tell gives", position);
  TRY("fd_pread at an offset that is too large", pread_some(fd, 3, UINT64_MAX));
  TRY("fd_pread of a file that is not open", pread_some(NO_FD, 1, 0));
  TRY("fd_pread of a directory", pread_some(RW, 1, 0));
  TRY("fd_pread of standard input", pread_some(0, 1, 0));
  TRY("fd_pread of standard output", pread_some(1, 1, 0));
  TRY("fd_write to a file that can be read", write_some(fd, "x"));
  TRY("fd_pwrite to a file that can be read", pwrite_some(fd, "x", 0));
  TRY("fd_close", fd_close(fd));
  TRY("fd_close again", fd_close(fd));
  TRY("fd_close of a file that is not open", fd_close(NO_FD));
  TRY("fd_close of no number", fd_close(UINT32_MAX));
  fd = must_open("write-only", CREAT, WRITE);
  TRY("fd_read of a file that can be written", read_some(fd, 1));
  TRY("fd_pread of a file that can be written", pread_some(fd, 1, 0));
  fd_close(fd);
}

static void writing(void) {
  fd_t fd = must_open("written", CREAT | EXCL, READ | WRITE);
  TRY("fd_write", write_some(fd, "0123456789"));
  SHOW("fd_write gives", moved);
  __wasi_ciovec_t vectors[] = {{(const uint8_t*)"ab", 2}, {NULL, 0}, {(const uint8_t*)"cd", 2}};
  TRY("fd_write of several buffers", fd_write(fd, vectors, 3, &moved));
  SHOW("fd_write of several buffers gives", moved);
  TRY("fd_write of nothing", write_some(fd, ""));
  SHOW("fd_write of nothing gives", moved);
  TRY("fd_write of no buffers", fd_write(fd, vectors, 0, &moved));
  TRY("fd_write to a file that is not open", write_some(NO_FD, "x"));
  TRY("fd_write to a directory", write_some(RW, "x"));
  TRY("fd_write to standard input", write_some(0, "x"));
  TRY("fd_write to a full device", write_some(2, "x"));
  TRY("fd_pwrite", pwrite_some(fd, "XY", 3));
  TRY("fd_pwrite of several buffers", fd_pwrite(fd, vectors, 3, 20, &moved));
  SHOW("fd_pwrite of several buffers gives", moved);
  TRY("fd_pwrite at an offset that is too large", pwrite_some(fd, "x", UINT64_MAX));
  TRY("fd_pwrite beyond the largest file", pwrite_some(fd, "x", 1 << 24));
  TRY("fd_pwrite to a file that is not open", pwrite_some(NO_FD, "x", 0));
  TRY("fd_pwrite to a directory", pwrite_some(RW, "x", 0));
  TRY("fd_pwrite to standard output", pwrite_some(1, "x", 0));
  TRY("fd_pwrite to standard input", pwrite_some(0, "x", 0));
  load("written");
  for (uint32_t i = 0; i < moved; i++)
    if (data[i] == 0) data[i] = '.';
  SHOW_TEXT("what was written", data, moved);
  fd_close(fd);
  fd = must_open_in(RW, "appended", CREAT, READ | WRITE, __WASI_FDFLAGS_APPEND);
  write_some(fd, "one");
  TRY("fd_seek of a file that is appended to", seek(fd, 0, FROM_START));
  TRY("fd_write to its end", write_some(fd, "two"));
  load("appended");
  SHOW_TEXT("what was appended", data, moved);
  fd_close(fd);
}

static void positions(void) {
  fd_t fd = must_open("file", 0, READ | WRITE);
  TRY("fd_seek from the start", seek(fd, 4, FROM_START));
  SHOW("fd_seek from the start gives", position);
  TRY("fd_seek from the position", seek(fd, -1, FROM_CURRENT));
  SHOW("fd_seek from the position gives", position);
  TRY("fd_seek from the end", seek(fd, -2, FROM_END));
  SHOW("fd_seek from the end gives", position);
  TRY("fd_seek behind the end", seek(fd, 5, FROM_END));
  SHOW("fd_seek behind the end gives", position);
  TRY("fd_seek before the start", seek(fd, -1, FROM_START));
  TRY("fd_seek before the start, from the end", seek(fd, -100, FROM_END));
  TRY("fd_seek before the start, from the position", seek(fd, INT64_MIN, FROM_CURRENT));
  TRY("fd_tell", fd_tell(fd, &position));
  SHOW("fd_tell after errors gives", position);
  TRY("fd_seek of a file that is not open", seek(NO_FD, 0, FROM_START));
  TRY("fd_seek of a directory", seek(RW, 0, FROM_START));
  TRY("fd_seek of standard input", seek(0, 0, FROM_START));
  TRY("fd_seek of standard output", seek(1, 0, FROM_CURRENT));
  TRY("fd_tell of a file that is not open", fd_tell(NO_FD, &position));
  TRY("fd_tell of a directory", fd_tell(RW, &position));
  TRY("fd_tell of standard input", fd_tell(0, &position));
  for (uint32_t advice = 0; advice < 6; advice++) {
    char what[32];
    snprintf(what, sizeof what, "fd_advise %u", (unsigned)advice);
    TRY(what, fd_advise(fd, 0, 10, advice));
  }
  TRY("fd_advise of all of it", fd_advise(fd, 0, 0, __WASI_ADVICE_WILLNEED));
  TRY("fd_advise with an offset that is too large", fd_advise(fd, UINT64_MAX, 1, 0));
  TRY("fd_advise with a length that is too large", fd_advise(fd, 0, UINT64_MAX, 0));
  TRY("fd_advise of a file that is not open", fd_advise(NO_FD, 0, 1, 0));
  TRY("fd_advise of a directory", fd_advise(RW, 0, 1, 0));
  TRY("fd_advise of standard input", fd_advise(0, 0, 1, 0));
  TRY("fd_sync", fd_sync(fd));
  TRY("fd_sync of a directory", fd_sync(RW));
  TRY("fd_sync of a file that is not open", fd_sync(NO_FD));
  TRY("fd_sync of standard input", fd_sync(0));
  TRY("fd_datasync", fd_datasync(fd));
  TRY("fd_datasync of a directory", fd_datasync(RW));
  TRY("fd_datasync of a file that is not open", fd_datasync(NO_FD));
  TRY("fd_datasync of standard output", fd_datasync(1));
  fd_close(fd);
}

static void sizes_and_times(void) {
  fd_t fd = must_open("sized", CREAT, READ | WRITE), reader = must_open("file", 0, READ);
  write_some(fd, "0123456789");
  TRY("fd_filestat_get", stat_fd(fd));
  SHOW("fd_filestat_get, size", status.size);
  SHOW("fd_filestat_get, type", status.filetype);
  SHOW("fd_filestat_get, links", status.nlink);
  TRY("fd_filestat_get of a directory", stat_fd(RW));
  SHOW("fd_filestat_get of a directory, type", status.filetype);
  TRY("fd_filestat_get of a file that is not open", stat_fd(NO_FD));
  TRY("fd_filestat_get of standard input", stat_fd(0));
  TRY("fd_filestat_set_size, smaller", fd_filestat_set_size(fd, 4));
  stat_fd(fd);
  SHOW("fd_filestat_set_size, smaller, gives", status.size);
  TRY("fd_filestat_set_size, larger", fd_filestat_set_size(fd, 40));
  stat_fd(fd);
  SHOW("fd_filestat_set_size, larger, gives", status.size);
  pread_some(fd, 1, 39);
  SHOW("fd_filestat_set_size, larger, fills with", data[0]);
  TRY("fd_filestat_set_size of a size that is too large", fd_filestat_set_size(fd, UINT64_MAX));
  TRY("fd_filestat_set_size beyond the largest file", fd_filestat_set_size(fd, 1 << 24));
  TRY("fd_filestat_set_size of a file that can be read", fd_filestat_set_size(reader, 1));
  TRY("fd_filestat_set_size of a directory", fd_filestat_set_size(RW, 1));
  TRY("fd_filestat_set_size of a file that is not open", fd_filestat_set_size(NO_FD, 1));
  TRY("fd_filestat_set_size of standard output", fd_filestat_set_size(1, 1));
  TRY("fd_allocate", fd_allocate(fd, 0, 100));
  stat_fd(fd);
  SHOW("fd_allocate gives the size", status.size);
  TRY("fd_allocate inside", fd_allocate(fd, 10, 10));
  TRY("fd_allocate of nothing", fd_allocate(fd, 10, 0));
  TRY("fd_allocate at an offset that is too large", fd_allocate(fd, UINT64_MAX, 1));
  TRY("fd_allocate of a length that is too large", fd_allocate(fd, 0, UINT64_MAX));
  TRY("fd_allocate beyond the largest file", fd_allocate(fd, 1 << 24, 1));
  TRY("fd_allocate of a file that can be read", fd_allocate(reader, 0, 100));
  TRY("fd_allocate of a directory", fd_allocate(RW, 0, 1));
  TRY("fd_allocate of a file that is not open", fd_allocate(NO_FD, 0, 1));
  TRY("fd_allocate of standard output", fd_allocate(1, 0, 1));
  TRY("fd_filestat_set_times", fd_filestat_set_times(fd, 1000000001, 2000000002, ATIM | MTIM));
  stat_fd(fd);
  SHOW("fd_filestat_set_times, access", status.atim);
  SHOW("fd_filestat_set_times, modification", status.mtim);
  TRY("fd_filestat_set_times of one", fd_filestat_set_times(fd, 1, 3000000003, MTIM));
  stat_fd(fd);
  SHOW("fd_filestat_set_times of one keeps", status.atim);
  SHOW("fd_filestat_set_times of one sets", status.mtim);
  TRY("fd_filestat_set_times of none", fd_filestat_set_times(fd, 1, 1, 0));
  TRY("fd_filestat_set_times to now", fd_filestat_set_times(fd, 0, 0, ATIM_NOW | MTIM_NOW));
  stat_fd(fd);
  SHOW("fd_filestat_set_times to now is after 2020", status.mtim > 1577836800 * 1000000000ull);
  TRY("fd_filestat_set_times to two times", fd_filestat_set_times(fd, 0, 0, ATIM | ATIM_NOW));
  TRY("fd_filestat_set_times to two times of modification",
      fd_filestat_set_times(fd, 0, 0, MTIM | MTIM_NOW));
  TRY("fd_filestat_set_times of a directory", fd_filestat_set_times(RW, 5, 5, ATIM | MTIM));
  TRY("fd_filestat_set_times of a file that can be read",
      fd_filestat_set_times(reader, 5, 5, ATIM | MTIM));
  TRY("fd_filestat_set_times of a file that is not open",
      fd_filestat_set_times(NO_FD, 5, 5, ATIM | MTIM));
  TRY("fd_filestat_set_times of standard input", fd_filestat_set_times(0, 5, 5, ATIM | MTIM));
  fd_close(fd);
  fd_close(reader);
}

static void attributes(void) {
  __wasi_fdstat_t stat;
  fd_t fd = must_open_in(RW, "file", 0, READ | WRITE, __WASI_FDFLAGS_APPEND);
  TRY("fd_fdstat_get", fd_fdstat_get(fd, &stat));
  SHOW("fd_fdstat_get, type", stat.fs_filetype);
  SHOW("fd_fdstat_get, flags", stat.fs_flags);
  SHOW("fd_fdstat_get, reads and writes", (stat.fs_rights_base & (READ | WRITE)) == (READ | WRITE));
  TRY("fd_fdstat_get of a directory", fd_fdstat_get(RW, &stat));
  SHOW("fd_fdstat_get of a directory, type", stat.fs_filetype);
  SHOW("fd_fdstat_get of a directory, opens", (stat.fs_rights_base & __WASI_RIGHTS_PATH_OPEN) != 0);
  SHOW("fd_fdstat_get of a directory, hands on reading", (stat.fs_rights_inheriting & READ) != 0);
  TRY("fd_fdstat_get of standard output", fd_fdstat_get(1, &stat));
  SHOW("fd_fdstat_get of standard output, writes", (stat.fs_rights_base & WRITE) != 0);
  TRY("fd_fdstat_get of a file that is not open", fd_fdstat_get(NO_FD, &stat));
  fd_t reader = must_open("file", 0, READ);
  fd_fdstat_get(reader, &stat);
  SHOW("fd_fdstat_get of a file that can be read, writes", (stat.fs_rights_base & WRITE) != 0);
  TRY("fd_fdstat_set_flags to none", fd_fdstat_set_flags(fd, 0));
  fd_fdstat_get(fd, &stat);
  SHOW("fd_fdstat_set_flags to none gives", stat.fs_flags);
  TRY("fd_fdstat_set_flags to append", fd_fdstat_set_flags(fd, __WASI_FDFLAGS_APPEND));
  fd_fdstat_get(fd, &stat);
  SHOW("fd_fdstat_set_flags to append gives", stat.fs_flags);
  TRY("fd_fdstat_set_flags to not wait", fd_fdstat_set_flags(fd, __WASI_FDFLAGS_NONBLOCK));
  TRY("fd_fdstat_set_flags to sync", fd_fdstat_set_flags(fd, __WASI_FDFLAGS_SYNC));
  TRY("fd_fdstat_set_flags of a directory", fd_fdstat_set_flags(RW, __WASI_FDFLAGS_NONBLOCK));
  TRY("fd_fdstat_set_flags of a file that is not open", fd_fdstat_set_flags(NO_FD, 0));
  TRY("fd_fdstat_set_rights to fewer", fd_fdstat_set_rights(fd, READ, 0));
  TRY("fd_write without the right", write_some(fd, ""));
  TRY("fd_fdstat_set_rights to more", fd_fdstat_set_rights(fd, READ | WRITE, 0));
  TRY("fd_fdstat_set_rights of a file that is not open", fd_fdstat_set_rights(NO_FD, 0, 0));
  fd_close(fd);
  // The right to seek is also one to tell, and the right to tell one to seek nowhere.
  uint64_t seeks = __WASI_RIGHTS_FD_SEEK, tells = __WASI_RIGHTS_FD_TELL;
  fd = must_open("file", 0, READ);
  TRY("fd_fdstat_set_rights to seeking", fd_fdstat_set_rights(fd, READ | seeks, 0));
  TRY("fd_tell with the right to seek", fd_tell(fd, &position));
  fd_close(fd);
  fd = must_open("file", 0, READ);
  TRY("fd_fdstat_set_rights to telling", fd_fdstat_set_rights(fd, READ | tells, 0));
  TRY("fd_tell with the right to tell", fd_tell(fd, &position));
  TRY("fd_seek nowhere with the right to tell", seek(fd, 0, FROM_CURRENT));
  TRY("fd_seek with the right to tell", seek(fd, 1, FROM_START));
  fd_close(fd);
  fd = must_open("file", 0, READ);
  TRY("fd_fdstat_set_rights to none", fd_fdstat_set_rights(fd, 0, 0));
  TRY("fd_read without the right", read_some(fd, 1));
  TRY("fd_pread without the right", pread_some(fd, 1, 0));
  TRY("fd_sync without the right", fd_sync(fd));
  TRY("fd_datasync without the right", fd_datasync(fd));
  TRY("fd_filestat_get without the right", stat_fd(fd));
  TRY("fd_filestat_set_times without the right", fd_filestat_set_times(fd, 5, 5, ATIM));
  TRY("fd_fdstat_set_flags without the right", fd_fdstat_set_flags(fd, 0));
  TRY("fd_tell without the right", fd_tell(fd, &position));
  TRY("fd_close without a right", fd_close(fd));
  fd_close(reader);
}

static void renumbering(void) {
  fd_t one = must_open("file", 0, READ), two = must_open("empty", 0, READ);
  TRY("fd_renumber to itself", fd_renumber(one, one));
  TRY("fd_read after that", read_some(one, 2));
  TRY("fd_renumber to one in use", fd_renumber(one, two));
  TRY("fd_read of the former number", read_some(one, 2));
  TRY("fd_read of the new number", read_some(two, 2));
  SHOW_TEXT("fd_read of the new number gives", data, moved);
  TRY("fd_renumber of a file that is not open", fd_renumber(NO_FD, two));
  TRY("fd_renumber to a number that is not open", fd_renumber(two, NO_FD));
  TRY("fd_renumber to a number that was closed", fd_renumber(two, one));
  TRY("fd_renumber to no number", fd_renumber(two, UINT32_MAX));
  TRY("fd_renumber of both that are not open", fd_renumber(NO_FD, NO_FD));
  TRY("fd_read after all that", read_some(two, 2));
  fd_close(two);
  int leaked = 0;
  for (int i = 0; i < 2000 && !leaked; i++) {
    one = must_open("file", 0, READ), two = must_open("file", 0, READ);
    leaked = fd_renumber(one, two) || fd_close(two);
  }
  SHOW("fd_renumber leaves files open", leaked);
}

int main(int argc, char** argv) {
  suite_begin(argc, argv);
  reading();
  writing();
  positions();
  sizes_and_times();
  attributes();
  renumbering();
  return 0;
}
