// What the programs of the suite share. Each prints a line for every check: what was done, and what
// came of it. The functions are imported here instead of through <wasi/api.h>, so that pointers,
// lengths and flags may be wrong and the same programs can be compiled for `wasi_unstable`.
#ifndef WASMRT_WASI_SUITE_H
#define WASMRT_WASI_SUITE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#ifdef SUITE_UNSTABLE
#define SUITE_MODULE "wasi_unstable"
#else
#define SUITE_MODULE "wasi_snapshot_preview1"
#endif

#define WASI(name, ...) \
  __attribute__((import_module(SUITE_MODULE), import_name(#name))) int32_t name(__VA_ARGS__)

typedef const void* in_t; // read by the function
typedef void* out_t;      // written by it
typedef uint32_t fd_t;

WASI(args_get, out_t, out_t);
WASI(args_sizes_get, out_t, out_t);
WASI(clock_res_get, uint32_t, out_t);
WASI(clock_time_get, uint32_t, uint64_t, out_t);
WASI(environ_get, out_t, out_t);
WASI(environ_sizes_get, out_t, out_t);
WASI(fd_advise, fd_t, uint64_t, uint64_t, uint32_t);
WASI(fd_allocate, fd_t, uint64_t, uint64_t);
WASI(fd_close, fd_t);
WASI(fd_datasync, fd_t);
WASI(fd_fdstat_get, fd_t, out_t);
WASI(fd_fdstat_set_flags, fd_t, uint32_t);
WASI(fd_fdstat_set_rights, fd_t, uint64_t, uint64_t);
WASI(fd_filestat_get, fd_t, out_t);
WASI(fd_filestat_set_size, fd_t, uint64_t);
WASI(fd_filestat_set_times, fd_t, uint64_t, uint64_t, uint32_t);
WASI(fd_pread, fd_t, in_t, uint32_t, uint64_t, out_t);
WASI(fd_prestat_dir_name, fd_t, out_t, uint32_t);
WASI(fd_prestat_get, fd_t, out_t);
WASI(fd_pwrite, fd_t, in_t, uint32_t, uint64_t, out_t);
WASI(fd_read, fd_t, in_t, uint32_t, out_t);
WASI(fd_readdir, fd_t, out_t, uint32_t, uint64_t, out_t);
WASI(fd_renumber, fd_t, fd_t);
WASI(fd_seek, fd_t, int64_t, uint32_t, out_t);
WASI(fd_sync, fd_t);
WASI(fd_tell, fd_t, out_t);
WASI(fd_write, fd_t, in_t, uint32_t, out_t);
WASI(path_create_directory, fd_t, in_t, uint32_t);
WASI(path_filestat_get, fd_t, uint32_t, in_t, uint32_t, out_t);
WASI(path_filestat_set_times, fd_t, uint32_t, in_t, uint32_t, uint64_t, uint64_t, uint32_t);
WASI(path_link, fd_t, uint32_t, in_t, uint32_t, fd_t, in_t, uint32_t);
WASI(path_open, fd_t, uint32_t, in_t, uint32_t, uint32_t, uint64_t, uint64_t, uint32_t, out_t);
WASI(path_readlink, fd_t, in_t, uint32_t, out_t, uint32_t, out_t);
WASI(path_remove_directory, fd_t, in_t, uint32_t);
WASI(path_rename, fd_t, in_t, uint32_t, fd_t, in_t, uint32_t);
WASI(path_symlink, in_t, uint32_t, fd_t, in_t, uint32_t);
WASI(path_unlink_file, fd_t, in_t, uint32_t);
WASI(poll_oneoff, in_t, out_t, uint32_t, out_t);
WASI(proc_raise, uint32_t);
WASI(random_get, out_t, uint32_t);
WASI(sched_yield, void);
WASI(sock_recv, fd_t, in_t, uint32_t, uint32_t, out_t, out_t);
WASI(sock_send, fd_t, in_t, uint32_t, uint32_t, out_t);
WASI(sock_shutdown, fd_t, uint32_t);
#ifndef SUITE_UNSTABLE
WASI(sock_accept, fd_t, uint32_t, out_t);
#endif
__attribute__((import_module(SUITE_MODULE),
               import_name("proc_exit"))) _Noreturn void proc_exit(uint32_t);

// What runs the programs gives these directories.
enum { RW = 3, RO = 4, OTHER = 5, NO_FD = 9999 };

#define READ __WASI_RIGHTS_FD_READ
#define WRITE __WASI_RIGHTS_FD_WRITE
#define CREAT __WASI_OFLAGS_CREAT
#define EXCL __WASI_OFLAGS_EXCL
#define TRUNC __WASI_OFLAGS_TRUNC
#define DIRECTORY __WASI_OFLAGS_DIRECTORY
#define FOLLOW __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW
#define ATIM __WASI_FSTFLAGS_ATIM
#define MTIM __WASI_FSTFLAGS_MTIM
#define ATIM_NOW __WASI_FSTFLAGS_ATIM_NOW
#define MTIM_NOW __WASI_FSTFLAGS_MTIM_NOW

// In bytes, with the length that belongs to it.
#define TEXT(text) (text), (uint32_t)strlen(text)

static const char* const errno_names[] = {
    "SUCCESS",     "2BIG",           "ACCES",       "ADDRINUSE",   "ADDRNOTAVAIL",
    "AFNOSUPPORT", "AGAIN",          "ALREADY",     "BADF",        "BADMSG",
    "BUSY",        "CANCELED",       "CHILD",       "CONNABORTED", "CONNREFUSED",
    "CONNRESET",   "DEADLK",         "DESTADDRREQ", "DOM",         "DQUOT",
    "EXIST",       "FAULT",          "FBIG",        "HOSTUNREACH", "IDRM",
    "ILSEQ",       "INPROGRESS",     "INTR",        "INVAL",       "IO",
    "ISCONN",      "ISDIR",          "LOOP",        "MFILE",       "MLINK",
    "MSGSIZE",     "MULTIHOP",       "NAMETOOLONG", "NETDOWN",     "NETRESET",
    "NETUNREACH",  "NFILE",          "NOBUFS",      "NODEV",       "NOENT",
    "NOEXEC",      "NOLCK",          "NOLINK",      "NOMEM",       "NOMSG",
    "NOPROTOOPT",  "NOSPC",          "NOSYS",       "NOTCONN",     "NOTDIR",
    "NOTEMPTY",    "NOTRECOVERABLE", "NOTSOCK",     "NOTSUP",      "NOTTY",
    "NXIO",        "OVERFLOW",       "OWNERDEAD",   "PERM",        "PIPE",
    "PROTO",       "PROTONOSUPPORT", "PROTOTYPE",   "RANGE",       "ROFS",
    "SPIPE",       "SRCH",           "STALE",       "TIMEDOUT",    "TXTBSY",
    "XDEV",        "NOTCAPABLE",
};

// A runtime that ends the program at a check is asked again for those behind it: the first argument
// says how many to leave out.
static int checks, first_check;

static inline bool begin(const char* what) {
  if (checks++ < first_check) return false;
  printf("%s: ", what);
  fflush(stdout);
  return true;
}

static inline int ended(int error) {
  if (error >= 0 && (size_t)error < sizeof errno_names / sizeof *errno_names) {
    printf("%s\n", errno_names[error]);
  } else {
    printf("%d, which is no error\n", error);
  }
  fflush(stdout);
  return error;
}

// Does something and prints its error; the value is the error.
#define TRY(what, ...) (begin(what) ? ended(__VA_ARGS__) : -1)

// Prints a number, a text.
#define SHOW(what, value)                                  \
  do {                                                     \
    if (begin(what)) printf("%lld\n", (long long)(value)); \
    fflush(stdout);                                        \
  } while (0)
#define SHOW_TEXT(what, text, size)                                      \
  do {                                                                   \
    if (begin(what)) printf("%.*s\n", (int)(size), (const char*)(text)); \
    fflush(stdout);                                                      \
  } while (0)

static inline void suite_begin(int argc, char** argv) {
  first_check = argc > 1 ? atoi(argv[1]) : 0;
}

// Opens what must be there; without it there is nothing to check.
static inline fd_t must_open_in(fd_t dir, const char* path, uint32_t how, uint64_t rights,
                                uint32_t flags) {
  fd_t fd = NO_FD;
  int error = path_open(dir, FOLLOW, TEXT(path), how, rights, 0, flags, &fd);
  if (error != 0) {
    printf("cannot open %s: ", path);
    ended(error);
    exit(1);
  }
  return fd;
}

static inline fd_t must_open(const char* path, uint32_t how, uint64_t rights) {
  return must_open_in(RW, path, how, rights, 0);
}

static inline int open_one(fd_t dir, const char* path, uint32_t how, uint64_t rights) {
  fd_t fd = NO_FD;
  int error = path_open(dir, FOLLOW, TEXT(path), how, rights, 0, 0, &fd);
  if (error == 0) fd_close(fd);
  return error;
}

static char data[4096];
static uint32_t moved;

static inline int read_some(fd_t fd, uint32_t size) {
  __wasi_iovec_t vector = {(uint8_t*)data, size};
  moved = 0;
  return fd_read(fd, &vector, 1, &moved);
}

static inline int write_some(fd_t fd, const char* text) {
  __wasi_ciovec_t vector = {(const uint8_t*)text, strlen(text)};
  moved = 0;
  return fd_write(fd, &vector, 1, &moved);
}

static inline int pread_some(fd_t fd, uint32_t size, uint64_t at) {
  __wasi_iovec_t vector = {(uint8_t*)data, size};
  moved = 0;
  return fd_pread(fd, &vector, 1, at, &moved);
}

static inline int pwrite_some(fd_t fd, const char* text, uint64_t at) {
  __wasi_ciovec_t vector = {(const uint8_t*)text, strlen(text)};
  moved = 0;
  return fd_pwrite(fd, &vector, 1, at, &moved);
}

// What a file has in it now, in `data`.
static inline void load(const char* path) {
  fd_t fd = must_open(path, 0, READ);
  read_some(fd, sizeof data);
  fd_close(fd);
}

#ifdef SUITE_UNSTABLE
// The layouts of the older version, which <wasi/api.h> does not have.
typedef struct filestat_t {
  uint64_t dev, ino;
  uint8_t filetype;
  uint32_t nlink;
  uint64_t size, atim, mtim, ctim;
} filestat_t;
typedef struct subscription_t {
  uint64_t userdata;
  uint8_t tag;
  union {
    struct {
      uint64_t identifier;
      uint32_t id;
      uint64_t timeout, precision;
      uint16_t flags;
    } clock;
    struct {
      fd_t file_descriptor;
    } fd_read;
  } u;
} subscription_t;
enum { FROM_CURRENT, FROM_END, FROM_START };
#else
typedef __wasi_filestat_t filestat_t;
typedef struct subscription_t {
  uint64_t userdata;
  uint8_t tag;
  union {
    struct {
      uint32_t id;
      uint64_t timeout, precision;
      uint16_t flags;
    } clock;
    struct {
      fd_t file_descriptor;
    } fd_read;
  } u;
} subscription_t;
enum { FROM_START, FROM_CURRENT, FROM_END };
#endif

static filestat_t status;

static inline int stat_of(fd_t dir, const char* path, uint32_t flags) {
  memset(&status, 0, sizeof status);
  return path_filestat_get(dir, flags, TEXT(path), &status);
}

#endif
