// WASI: a hundred thousand tries for each function that takes a path, while a thread exchanges the directories that the
// path goes through for links that lead out, and moves them out. Nothing outside may be seen or changed. With openat2, and
// without.
#include "wasi.h"
#include "without_openat2.h"

#include <pthread.h>

// A guest with a directory of its own. What it can name is there twice more, in the directories above and beside its own:
//
//     guest/d/{bait,victim,link,empty,sub}   guest/out -> ../outside   guest/absolute -> BASE/outside
//     outside/{bait,victim,link,empty,sub}
//     {bait,victim,link,empty}
//
// The thread exchanges d and the links, and moves d/sub to where `..` leads to the last of these. The guest has guest as
// descriptor 3, and as descriptor 4 d itself, wherever that is: to make good what it has done.
static char base[256];
static atomic_bool racing;

enum { IN = 3, FIXED = 4, OUTSIDE = 11 };

static void fill_directory(const char* where, bool inside) {
  char name[512];
  snprintf(name, sizeof name, "%s/bait", where);
  host_write(name, inside ? "inside" : "secret text");
  snprintf(name, sizeof name, "%s/victim", where);
  host_write(name, inside ? "inside" : "secret text");
  snprintf(name, sizeof name, "%s/link", where);
  REQUIRE(symlink(inside ? "inside" : "secret-text", name) == 0);
  snprintf(name, sizeof name, "%s/empty", where);
  REQUIRE(mkdir(name, 0700) == 0);
}

static void* race(void* env) {
  (void)env;
  char d[300], out[300], absolute[300], sub[300], escaped[300];
  snprintf(d, sizeof d, "%s/guest/d", base);
  snprintf(out, sizeof out, "%s/guest/out", base);
  snprintf(absolute, sizeof absolute, "%s/guest/absolute", base);
  snprintf(sub, sizeof sub, "%s/guest/d/sub", base);
  snprintf(escaped, sizeof escaped, "%s/escaped", base);
  enum { EXCHANGE = 2 };
  while (racing) {
    for (int way = 0; way < 2; way++) {
      const char* link = way ? absolute : out;
      for (int back = 0; back < 2; back++) {
        syscall(SYS_renameat2, AT_FDCWD, d, AT_FDCWD, link, EXCHANGE);
      }
    }
    rename(sub, escaped);
    rename(escaped, sub);
  }
  return NULL;
}

// Everything outside that a guest could have changed, as text.
static void describe(char* text, size_t room) {
  static const char* const folders[] = {"", "/outside", "/outside/sub", "/outside/empty", "/empty"};
  size_t used = 0;
  text[0] = 0;
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    char folder[300];
    snprintf(folder, sizeof folder, "%s%s", base, folders[i]);
    struct dirent** entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    for (int entry = 0; entry < count; entry++) {
      struct stat status;
      char path[600];
      snprintf(path, sizeof path, "%s/%s", folder, entries[entry]->d_name);
      bool above =
          entries[entry]->d_name[0] == '.' || strcmp(entries[entry]->d_name, "escaped") == 0;
      if (!above && lstat(path, &status) == 0 && used < room) {
        // The guest's own directory changes.
        bool own = strcmp(entries[entry]->d_name, "guest") == 0;
        used += (size_t)snprintf(
            text + used, room - used, "%s %lu %o %lu %ld %ld.%ld\n", path + strlen(base),
            (unsigned long)status.st_ino, status.st_mode, own ? 0 : (unsigned long)status.st_nlink,
            own ? 0 : (long)status.st_size, own ? 0 : (long)status.st_mtim.tv_sec,
            own ? 0 : status.st_mtim.tv_nsec);
      }
      free(entries[entry]);
    }
    if (count >= 0) free(entries);
  }
}

typedef struct tally_t {
  size_t done, refused, out;
} tally_t;

// Ways to a name in d, that lead elsewhere when something is exchanged.
static const char* way_to(const char* name, size_t try) {
  static const char* const ways[] = {"d/%s",       "d/sub/../%s",      "d/sub/../../d/%s",
                                     "./d/././%s", "d/../d/sub/../%s", "out/%s",
                                     "absolute/%s"};
  static char path[128];
  snprintf(path, sizeof path, ways[try % (sizeof ways / sizeof *ways)], name);
  return path;
}

// Whether a file has the size of one that is outside.
static bool is_outside(guest_t* g) {
  return guest_u64(g, OUT + 32) == OUTSIDE;
}

static int try_open(guest_t* g, size_t try, tally_t* tally) {
  int error = guest_open(g, IN, way_to("bait", try), 0, RIGHT_READ);
  if (error != OK) return error;
  int64_t fd = guest_u32(g, OUT);
  CHECK_INT(guest_read(g, fd, 20), OK);
  tally->out += !guest_has(g, "inside");
  CHECK_INT(W(fd_close, fd), OK);
  return OK;
}

static int try_create(guest_t* g, size_t try, tally_t* tally) {
  (void)tally;
  int error = guest_open(g, IN, way_to("new", try), AS_CREATE, RIGHT_RW);
  if (error != OK) return error;
  CHECK_INT(W(fd_close, guest_u32(g, OUT)), OK);
  CHECK_INT(P(path_unlink_file, FIXED, "new"), OK);
  return OK;
}

static int try_stat(guest_t* g, size_t try, tally_t* tally) {
  int error = try % 2 ? STAT(IN, way_to("bait", try)) : LSTAT(IN, way_to("bait", try));
  tally->out += error == OK && is_outside(g);
  return error;
}

static int try_times(guest_t* g, size_t try, tally_t* tally) {
  (void)tally;
  return W(path_filestat_set_times, IN, try % 2, PATH, guest_text(g, PATH, way_to("bait", try)), 1,
           1, 5);
}

static int try_create_directory(guest_t* g, size_t try, tally_t* tally) {
  (void)tally;
  int error = P(path_create_directory, IN, way_to("made", try));
  if (error == OK) CHECK_INT(P(path_remove_directory, FIXED, "made"), OK);
  return error;
}

static int try_remove_directory(guest_t* g, size_t try, tally_t* tally) {
  (void)tally;
  int error = P(path_remove_directory, IN, way_to("empty", try));
  if (error == OK) CHECK_INT(P(path_create_directory, FIXED, "empty"), OK);
  return error;
}

static int try_unlink(guest_t* g, size_t try, tally_t* tally) {
  (void)tally;
  int error = P(path_unlink_file, IN, way_to("victim", try));
  if (error != OK) return error;
  CHECK_INT(guest_open(g, FIXED, "victim", AS_CREATE, RIGHT_RW), OK);
  CHECK_INT(W(fd_close, guest_u32(g, OUT)), OK);
  return OK;
}

static int try_rename(guest_t* g, size_t try, tally_t* tally) {
  (void)tally;
  // One of the two at a time, or both.
  int64_t from = try % 3 == 0 ? FIXED : IN, to = try % 3 == 1 ? FIXED : IN;
  char source[128];
  snprintf(source, sizeof source, "%s", from == FIXED ? "victim" : way_to("victim", try / 3));
  int error = RENAME(from, source, to, to == FIXED ? "renamed" : way_to("renamed", try / 3));
  if (error == OK) CHECK_INT(RENAME(FIXED, "renamed", FIXED, "victim"), OK);
  return error;
}

static int try_link(guest_t* g, size_t try, tally_t* tally) {
  int64_t from = try % 3 == 0 ? FIXED : IN, to = try % 3 == 1 ? FIXED : IN;
  char source[128];
  snprintf(source, sizeof source, "%s", from == FIXED ? "bait" : way_to("bait", try / 3));
  int error = LINK(from, source, to, to == FIXED ? "hard" : way_to("hard", try / 3));
  if (error != OK) return error;
  CHECK_INT(LSTAT(FIXED, "hard"), OK);
  tally->out += is_outside(g);
  CHECK_INT(P(path_unlink_file, FIXED, "hard"), OK);
  return OK;
}

static int try_symlink(guest_t* g, size_t try, tally_t* tally) {
  (void)tally;
  int error = SYMLINK("bait", IN, way_to("soft", try));
  if (error == OK) CHECK_INT(P(path_unlink_file, FIXED, "soft"), OK);
  return error;
}

static int try_readlink(guest_t* g, size_t try, tally_t* tally) {
  int error = READLINK(IN, way_to("link", try), 20);
  tally->out += error == OK && !guest_has(g, "inside");
  return error;
}

static const struct {
  const char* name;
  int (*run)(guest_t*, size_t, tally_t*);
} tries[] = {
    {"path_open", try_open},
    {"path_open that creates", try_create},
    {"path_filestat_get", try_stat},
    {"path_filestat_set_times", try_times},
    {"path_create_directory", try_create_directory},
    {"path_remove_directory", try_remove_directory},
    {"path_unlink_file", try_unlink},
    {"path_rename", try_rename},
    {"path_link", try_link},
    {"path_symlink", try_symlink},
    {"path_readlink", try_readlink},
};

// All of them on the first engine, where a run names it: what walks the paths is the same on each, and some runs only look
// at which functions are called. With checkers, fewer.
static size_t number_of_tries(void) {
#ifdef __SANITIZE_ADDRESS__
  return 2000;
#else
  const char* backend = getenv("WASMRT_BACKEND");
  return backend && strcmp(backend, wasmrt_backend_name(0)) == 0 ? 100000 : 10000;
#endif
}

TEST(nobody_gets_out_while_the_directories_change) {
  static char before[16384], after[16384];
  // In memory: what is renamed all the time need not reach a disk.
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
  scratch(base);
  char path[300];
  for (int i = 0; i < 3; i++) {
    static const char* const folders[] = {"guest", "guest/d", "outside"};
    REQUIRE(mkdir(in(base, folders[i]), 0700) == 0);
  }
  fill_directory(in(base, "guest/d"), true);
  fill_directory(in(base, "outside"), false);
  fill_directory(base, false);
  REQUIRE(mkdir(in(base, "guest/d/sub"), 0700) == 0 && mkdir(in(base, "outside/sub"), 0700) == 0);
  REQUIRE(symlink("../outside", in(base, "guest/out")) == 0);
  snprintf(path, sizeof path, "%s/outside", base);
  REQUIRE(symlink(path, in(base, "guest/absolute")) == 0);
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  REQUIRE(wasmrt_wasi_config_preopen(config, in(base, "guest"), "/g", WASMRT_WASI_READ_WRITE));
  REQUIRE(wasmrt_wasi_config_preopen(config, in(base, "guest/d"), "/d", WASMRT_WASI_READ_WRITE));
  guest_t guest = guest_new(config), *g = &guest;
  describe(before, sizeof before);
  racing = true;
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, race, NULL) == 0);
  for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
    tally_t tally = {0};
    for (size_t try = number_of_tries(); try > 0; try--) {
      int error = tries[i].run(g, try, &tally);
      CHECK(error >= OK);
      *(error == OK ? &tally.done : &tally.refused) += 1;
    }
    describe(after, sizeof after);
    int failed = (int)checks_failed;
    CHECK_INT(tally.out, 0);
    CHECK(tally.done > 0 && tally.refused > 0);
    CHECK_STR(after, before);
    if ((int)checks_failed != failed) fprintf(stderr, "    with %s\n", tries[i].name);
    printf("%s: %zu done, %zu refused\n", tries[i].name, tally.done, tally.refused);
    fflush(stdout);
  }
  racing = false;
  pthread_join(thread, NULL);
  CHECK(host_has(in(base, "outside/bait"), "secret text"));
  CHECK(host_has(in(base, "bait"), "secret text"));
  guest_delete(g);
  remove_tree(base);
}

TEST(nobody_gets_out_without_openat2) {
  static void (*const tests[])(void) = {nobody_gets_out_while_the_directories_change};
  run_without_openat2(tests, 1);
}
