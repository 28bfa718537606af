// WASI: what a guest cannot reach, and cannot change. The tests run twice: with openat2, and in a
// process whose kernel does not have it, where paths are walked step by step. wasi_escapes.c has what
// changes while the guest walks.
#include "wasi.h"
#include "without_openat2.h"

// base/secret is outside; base/in is given to the guest.
static char base[256];

static guest_t guest_inside(wasmrt_wasi_access_t access) {
  scratch(base);
  host_write(in(base, "secret"), "secret");
  REQUIRE(mkdir(in(base, "in"), 0700) == 0);
  REQUIRE(mkdir(in(base, "in/d"), 0700) == 0);
  REQUIRE(mkdir(in(base, "other"), 0700) == 0);
  host_write(in(base, "in/file"), "text");
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  REQUIRE(wasmrt_wasi_config_preopen(config, in(base, "in"), "/in", access));
  REQUIRE(wasmrt_wasi_config_preopen(config, in(base, "other"), "/other", WASMRT_WASI_READ_WRITE));
  return guest_new(config);
}

// Every function with a path that leads out.
static void cannot_reach(guest_t* g, const char* path, const char* kind) {
  int before = (int)checks_failed;
  char below[512];
  CHECK_INT(guest_open(g, 3, path, 0, RIGHT_READ), E_PERM);
  CHECK_INT(guest_open(g, 3, path, AS_DIRECTORY, RIGHT_READ), E_PERM);
  // No file has a name with a slash at its end: that may be seen first.
  bool slash = path[strlen(path) - 1] == '/' && strlen(path) > 1;
  int created = guest_open(g, 3, path, AS_CREATE, RIGHT_RW);
  CHECK(created == E_PERM || (slash && (created == E_ISDIR || created == E_INVAL)));
  CHECK_INT(guest_open(g, 3, path, AS_TRUNC, RIGHT_RW), E_PERM);
  CHECK_INT(STAT(3, path), E_PERM);
  CHECK_INT(W(path_filestat_set_times, 3, AS_FOLLOW, PATH, guest_text(g, PATH, path), 0, 0, 5),
            E_PERM);
  snprintf(below, sizeof below, "%s/x", path);
  CHECK_INT(P(path_create_directory, 3, below), E_PERM);
  CHECK_INT(P(path_remove_directory, 3, below), E_PERM);
  CHECK_INT(P(path_unlink_file, 3, below), E_PERM);
  CHECK_INT(READLINK(3, below, 10), E_PERM);
  CHECK_INT(RENAME(3, "file", 3, below), E_PERM);
  CHECK_INT(RENAME(3, below, 3, "x"), E_PERM);
  CHECK_INT(LINK(3, "file", 3, below), E_PERM);
  CHECK_INT(LINK(3, below, 3, "x"), E_PERM);
  CHECK_INT(SYMLINK("file", 3, below), E_PERM);
  CHECK_INT(LSTAT(3, below), E_PERM);
  if ((int)checks_failed != before) fprintf(stderr, "    the path was %s (%s)\n", path, kind);
}

TEST(nothing_leads_out) {
  guest_t guest = guest_inside(WASMRT_WASI_READ_WRITE), *g = &guest;
  cannot_reach(g, "..", "parent");
  cannot_reach(g, "../other", "parent");
  cannot_reach(g, "d/../../other", "parent");
  cannot_reach(g, "./d/.././../in", "and back in");
  cannot_reach(g, "/", "absolute");
  cannot_reach(g, in(base, "in"), "absolute, inside");
  // The guest makes no links that are absolute; the host may have.
  CHECK_INT(SYMLINK("/etc", 3, "etc"), E_PERM);
  REQUIRE(symlink("/etc", in(base, "in/absolute")) == 0);
  REQUIRE(symlink("..", in(base, "in/up")) == 0);
  REQUIRE(symlink("up/other", in(base, "in/chain")) == 0);
  cannot_reach(g, "absolute", "link");
  cannot_reach(g, "up", "link");
  cannot_reach(g, "chain", "link to a link");
  cannot_reach(g, "d/../up/other", "link in the middle");
  CHECK_INT(SYMLINK("../../other", 3, "d/two"), OK);
  cannot_reach(g, "d/two", "link of the guest's");
  // Not even if they lead back in.
  CHECK_INT(SYMLINK("../in/d", 3, "around"), OK);
  cannot_reach(g, "around", "link out and back in");
  REQUIRE(symlink(in(base, "in/d"), in(base, "in/absolute-inside")) == 0);
  cannot_reach(g, "absolute-inside", "absolute link that leads inside");
  cannot_reach(g, "up/", "link with a slash");
  cannot_reach(g, "absolute/", "absolute link with a slash");
  cannot_reach(g, "d/two/", "link of the guest's with a slash");
  // Links that are inside until they are moved, and that a name of the guest's completes.
  CHECK_INT(P(path_create_directory, 3, "d/sub"), OK);
  CHECK_INT(SYMLINK("../../file", 3, "d/sub/movable"), OK);
  CHECK_INT(STAT(3, "d/sub/movable"), OK);
  CHECK_INT(RENAME(3, "d/sub/movable", 3, "d/moved"), OK);
  cannot_reach(g, "d/moved", "link that was moved");
  CHECK_INT(SYMLINK("d/sub/back", 3, "steps"), OK);
  CHECK_INT(SYMLINK("../../..", 3, "d/sub/back"), OK);
  cannot_reach(g, "steps", "chain of the guest's");
  cannot_reach(g, "steps/other", "chain of the guest's in the middle");
  // A link to nothing, outside, is not a place to make something.
  CHECK_INT(SYMLINK("../other/planted", 3, "plant"), OK);
  CHECK_INT(guest_open(g, 3, "plant", AS_CREATE, RIGHT_RW), E_PERM);
  CHECK_INT(guest_open(g, 3, "plant", AS_CREATE | AS_EXCL, RIGHT_RW), E_EXIST);
  CHECK_INT(P(path_create_directory, 3, "plant"), E_EXIST);
  CHECK_INT(access(in(base, "other/planted"), F_OK), -1);
  // From a directory that was opened, nothing leads above it.
  int64_t sub = guest_opened(g, 3, "d/sub", AS_DIRECTORY, RIGHT_READ);
  CHECK_INT(guest_open(g, sub, "..", AS_DIRECTORY, RIGHT_READ), E_PERM);
  CHECK_INT(STAT(sub, "../../file"), E_PERM);
  CHECK_INT(STAT(sub, "back"), E_PERM);
  CHECK_INT(RENAME(3, "d/sub", 3, "sub"), OK);
  CHECK_INT(STAT(sub, "../file"), E_PERM);
  // What an absolute link has in it is not told.
  CHECK_INT(READLINK(3, "absolute", 10), E_PERM);
  // Nothing was changed outside.
  CHECK(host_has(in(base, "secret"), "secret"));
  CHECK(host_has(in(base, "in/file"), "text"));
  CHECK_INT(access(in(base, "other/x"), F_OK), -1);
  // What stays inside is fine.
  CHECK_INT(SYMLINK("../file", 3, "d/inside"), OK);
  CHECK_INT(STAT(3, "d/inside"), OK);
  CHECK_INT(STAT(3, "d/../d/.././file"), OK);
  // The parent of what was given is not told either.
  CHECK_INT(W(fd_readdir, 3, DATA, 4096, 0, OUT), OK);
  struct stat parent;
  REQUIRE(stat(base, &parent) == 0);
  for (uint32_t at = DATA; at < DATA + guest_u32(g, OUT); at += 24 + guest_u32(g, at + 16)) {
    CHECK(guest_u64(g, at + 8) != parent.st_ino);
  }
  guest_delete(g);
  remove_tree(base);
}

// Every function with a path through a link that the kernel follows without its text.
static void cannot_pass(guest_t* g, const char* link, const char* name) {
  int before = (int)checks_failed;
  char path[512];
  CHECK(guest_open(g, 3, link, 0, RIGHT_READ) > 0);
  CHECK(guest_open(g, 3, link, AS_DIRECTORY, RIGHT_READ) > 0);
  CHECK(guest_open(g, 3, link, AS_CREATE | AS_TRUNC, RIGHT_RW) > 0);
  CHECK(STAT(3, link) > 0);
  CHECK(W(path_filestat_set_times, 3, AS_FOLLOW, PATH, guest_text(g, PATH, link), 1, 1, 5) > 0);
  snprintf(path, sizeof path, "%s/%s", link, name);
  CHECK(guest_open(g, 3, path, 0, RIGHT_READ) > 0);
  CHECK(guest_open(g, 3, path, AS_CREATE, RIGHT_RW) > 0);
  CHECK(STAT(3, path) > 0);
  CHECK(LSTAT(3, path) > 0);
  CHECK(W(path_filestat_set_times, 3, 0, PATH, guest_text(g, PATH, path), 1, 1, 5) > 0);
  CHECK(P(path_create_directory, 3, path) > 0);
  CHECK(P(path_remove_directory, 3, path) > 0);
  CHECK(P(path_unlink_file, 3, path) > 0);
  CHECK(READLINK(3, path, 10) > 0);
  CHECK(RENAME(3, path, 4, "x") > 0);
  CHECK(RENAME(4, "file", 3, path) > 0);
  CHECK(LINK(3, path, 4, "x") > 0);
  CHECK(LINK(4, "file", 3, path) > 0);
  CHECK(SYMLINK("file", 3, path) > 0);
  if ((int)checks_failed != before) fprintf(stderr, "    the link was %s\n", link);
}

TEST(magic_links_are_not_followed) {
  scratch(base);
  host_write(in(base, "file"), "text");
  host_write(in(base, "secret"), "secret");
  int directory = open(base, O_PATH | O_DIRECTORY);
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  REQUIRE(wasmrt_wasi_config_preopen(config, "/proc", "/proc", WASMRT_WASI_READ_WRITE));
  REQUIRE(wasmrt_wasi_config_preopen(config, base, "/w", WASMRT_WASI_READ_WRITE));
  guest_t guest = guest_new(config), *g = &guest;
  char link[64], below[320];
  snprintf(link, sizeof link, "self/fd/%d", directory);
  cannot_pass(g, link, "secret");
  snprintf(link, sizeof link, "thread-self/fd/%d", directory);
  cannot_pass(g, link, "secret");
  snprintf(below, sizeof below, "%s/secret", base + 1);
  cannot_pass(g, "self/root", below);
  cannot_pass(g, "self/cwd", "secret");
  cannot_pass(g, "self/exe", "secret");
  CHECK_INT(guest_open(g, 3, "self/status", 0, RIGHT_READ), OK);
  CHECK(host_has(in(base, "secret"), "secret"));
  CHECK(host_has(in(base, "file"), "text"));
  guest_delete(g);
  close(directory);
  remove_tree(base);
}

TEST(read_only_holds_for_every_change) {
  guest_t guest = guest_inside(WASMRT_WASI_READ_ONLY), *g = &guest;
  struct stat before, after;
  REQUIRE(stat(in(base, "in/file"), &before) == 0);
  CHECK_INT(guest_open(g, 3, "new", AS_CREATE, RIGHT_READ), E_PERM);
  CHECK_INT(guest_open(g, 3, "new", AS_CREATE | AS_EXCL, 0), E_PERM);
  CHECK_INT(guest_open(g, 3, "file", AS_TRUNC, RIGHT_READ), E_PERM);
  CHECK_INT(guest_open(g, 3, "file", AS_TRUNC, 0), E_PERM);
  CHECK_INT(guest_open(g, 3, "file", AS_EXCL, 0), E_PERM);
  CHECK_INT(guest_open(g, 3, "file", 0, RIGHT_WRITE), E_PERM);
  CHECK_INT(guest_open(g, 3, "file", 0, RIGHT_RW), E_PERM);
  CHECK_INT(P(path_create_directory, 3, "x"), E_PERM);
  CHECK_INT(P(path_remove_directory, 3, "d"), E_PERM);
  CHECK_INT(P(path_unlink_file, 3, "file"), E_PERM);
  CHECK_INT(SYMLINK("file", 3, "x"), E_PERM);
  CHECK_INT(RENAME(3, "file", 3, "x"), E_PERM);
  // From one into the other, either way.
  CHECK_INT(RENAME(3, "file", 4, "x"), E_PERM);
  CHECK_INT(LINK(3, "file", 4, "x"), E_PERM);
  CHECK_INT(guest_open(g, 4, "mine", AS_CREATE, RIGHT_RW), OK);
  CHECK_INT(RENAME(4, "mine", 3, "x"), E_PERM);
  CHECK_INT(LINK(4, "mine", 3, "x"), E_PERM);
  CHECK_INT(W(path_filestat_set_times, 3, AS_FOLLOW, PATH, guest_text(g, PATH, "file"), 1, 1, 5),
            E_PERM);
  CHECK_INT(W(path_filestat_set_times, 3, 0, PATH, guest_text(g, PATH, "file"), 1, 1, 10), E_PERM);
  CHECK_INT(W(fd_filestat_set_times, 3, 1, 1, 5), E_PERM);
  int64_t fd = guest_opened(g, 3, "file", 0, RIGHT_READ);
  CHECK_INT(guest_write(g, fd, "x"), E_BADF);
  guest_vector(g, DATA, 1);
  CHECK_INT(W(fd_pwrite, fd, VECTORS, 1, 0, OUT), E_BADF);
  CHECK_INT(W(fd_filestat_set_size, fd, 0), E_BADF);
  CHECK_INT(W(fd_allocate, fd, 0, 100), E_BADF);
  CHECK_INT(W(fd_filestat_set_times, fd, 1, 1, 5), E_PERM);
  CHECK_INT(W(fd_fdstat_set_rights, fd, -1, -1), E_NOTCAPABLE);
  // A directory that is opened in it is no different, nor one that was renumbered.
  int64_t dir = guest_opened(g, 3, "d", AS_DIRECTORY, RIGHT_READ);
  CHECK_INT(guest_open(g, dir, "new", AS_CREATE, RIGHT_RW), E_PERM);
  CHECK_INT(P(path_create_directory, dir, "x"), E_PERM);
  CHECK_INT(RENAME(4, "mine", dir, "x"), E_PERM);
  CHECK_INT(W(fd_renumber, dir, 4), OK);
  CHECK_INT(guest_open(g, 4, "new", AS_CREATE, RIGHT_RW), E_PERM);
  // And it can be read.
  CHECK_INT(guest_read(g, fd, 10), OK);
  CHECK(guest_has(g, "text"));
  CHECK_INT(STAT(3, "file"), OK);
  CHECK_INT(W(fd_fdstat_get, 3, OUT), OK);
  CHECK_INT(guest_u64(g, OUT + 8) & (1 << 9 | 1 << 26), 0);
  REQUIRE(stat(in(base, "in/file"), &after) == 0);
  CHECK_INT(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
  CHECK_INT(after.st_nlink, 1);
  CHECK(host_has(in(base, "in/file"), "text"));
  guest_delete(g);
  remove_tree(base);
}

TEST(all_of_this_holds_without_openat2) {
  static void (*const tests[])(void) = {nothing_leads_out, magic_links_are_not_followed,
                                        read_only_holds_for_every_change};
  run_without_openat2(tests, sizeof tests / sizeof *tests);
}
