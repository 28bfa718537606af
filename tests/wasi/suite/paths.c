// The functions that take paths, and those of directories.
#include "suite.h"

// A name that is longer than names are, and a path that is longer than paths are.
static char long_name[300], long_path[6000];

static int by_text(const void* one, const void* other) {
  return strcmp(*(char* const*)one, *(char* const*)other);
}

// The names and types in a directory, in order, read with room for so many bytes at a time.
static void list(const char* what, fd_t fd, uint32_t room) {
  static char names[512][64], *order[512];
  int count = 0;
  uint64_t cookie = 0;
  uint32_t used = 0;
  if (!begin(what)) return;
  do {
    int error = fd_readdir(fd, data, room, cookie, &used);
    if (error != 0) {
      ended(error);
      return;
    }
    uint32_t at = 0;
    while (at + sizeof(__wasi_dirent_t) <= used && count < 512) {
      __wasi_dirent_t entry;
      memcpy(&entry, data + at, sizeof entry);
      if (at + sizeof entry + entry.d_namlen > used) break;
      snprintf(names[count], 64, "%.*s:%d", (int)entry.d_namlen, data + at + sizeof entry,
               entry.d_type);
      order[count] = names[count];
      count++;
      cookie = entry.d_next;
      at += sizeof entry + entry.d_namlen;
    }
    if (at == 0) break;
  } while (used == room);
  qsort(order, (size_t)count, sizeof *order, by_text);
  if (count > 32) {
    printf("%d entries, the last %s\n", count, order[count - 1]);
  } else {
    for (int i = 0; i < count; i++) printf("%s%s", i ? " " : "", order[i]);
    printf("\n");
  }
  fflush(stdout);
}

static void opening(void) {
  fd_t fd = NO_FD;
  TRY("path_open", path_open(RW, FOLLOW, TEXT("file"), 0, READ, 0, 0, &fd));
  SHOW("path_open gives a number of its own", fd > OTHER && fd < 1u << 31);
  fd_close(fd);
  TRY("path_open of a directory", open_one(RW, "dir", DIRECTORY, READ));
  TRY("path_open of a directory that does not say so", open_one(RW, "dir", 0, READ));
  TRY("path_open of a directory for writing", open_one(RW, "dir", 0, READ | WRITE));
  TRY("path_open of what is given itself", open_one(RW, ".", DIRECTORY, READ));
  TRY("path_open in a directory", open_one(RW, "dir/inner", 0, READ));
  TRY("path_open there and back", open_one(RW, "dir/../file", 0, READ));
  TRY("path_open with many slashes", open_one(RW, "dir///inner", 0, READ));
  TRY("path_open of a file that is not there", open_one(RW, "missing", 0, READ));
  TRY("path_open in a directory that is not there", open_one(RW, "missing/file", 0, READ));
  TRY("path_open beneath a file", open_one(RW, "file/below", 0, READ));
  TRY("path_open of a file with a slash", open_one(RW, "file/", 0, READ));
  TRY("path_open of a directory with a slash", open_one(RW, "dir/", DIRECTORY, READ));
  TRY("path_open of a file as a directory", open_one(RW, "file", DIRECTORY, READ));
  TRY("path_open of no path", open_one(RW, "", 0, READ));
  TRY("path_open of a long name", open_one(RW, long_name, 0, READ));
  TRY("path_open of a long path", open_one(RW, long_path, 0, READ));
  TRY("path_open of what is no text", open_one(RW, "\xff\xfe", 0, READ));
  TRY("path_open of a path with a zero", path_open(RW, 0, "fi\0le", 5, 0, READ, 0, 0, &fd));
  TRY("path_open through a link", open_one(RW, "link", 0, READ));
  TRY("path_open through a link to a link", open_one(RW, "chain", 0, READ));
  TRY("path_open of a link", path_open(RW, 0, TEXT("link"), 0, READ, 0, 0, &fd));
  TRY("path_open through a link to a directory", open_one(RW, "dirlink/inner", 0, READ));
  TRY("path_open of a link to nothing", open_one(RW, "dangling", 0, READ));
  TRY("path_open of links in a circle", open_one(RW, "loop", 0, READ));
  TRY("path_open through links in a circle", open_one(RW, "loop/file", 0, READ));
  TRY("path_open of a socket", open_one(RW, "socket", 0, READ));
  TRY("path_open without permission", open_one(RW, "unreadable", 0, READ));
  TRY("path_open in a directory without permission", open_one(RW, "closed/file", 0, READ));
  TRY("path_open of a file that can only be read", open_one(RW, "readable", 0, READ));
  TRY("path_open of a file that can only be read, for writing",
      open_one(RW, "readable", 0, READ | WRITE));
  TRY("path_open that creates", open_one(RW, "created", CREAT, READ | WRITE));
  TRY("path_open that creates what is there", open_one(RW, "created", CREAT, READ | WRITE));
  TRY("path_open that only creates", open_one(RW, "exclusive", CREAT | EXCL, READ | WRITE));
  TRY("path_open that only creates what is there",
      open_one(RW, "exclusive", CREAT | EXCL, READ | WRITE));
  TRY("path_open that only creates a directory", open_one(RW, "dir", CREAT | EXCL, READ | WRITE));
  TRY("path_open that only creates a link", open_one(RW, "dangling", CREAT | EXCL, READ | WRITE));
  TRY("path_open that creates a directory", open_one(RW, "dir", CREAT, READ | WRITE));
  TRY("path_open that creates in a directory that is not there",
      open_one(RW, "missing/file", CREAT, READ | WRITE));
  TRY("path_open that creates a name with a slash", open_one(RW, "new/", CREAT, READ | WRITE));
  TRY("path_open that creates and wants a directory",
      open_one(RW, "new-directory", CREAT | DIRECTORY, READ));
  TRY("path_open that creates without permission", open_one(RW, "closed/new", CREAT, READ | WRITE));
  TRY("path_open that truncates", open_one(RW, "truncated", TRUNC, READ | WRITE));
  stat_of(RW, "truncated", 0);
  SHOW("path_open that truncates gives the size", status.size);
  TRY("path_open that truncates a directory", open_one(RW, "dir", TRUNC, WRITE));
  TRY("path_open of a file that is no directory", open_one(1, "file", 0, READ));
  fd = must_open("file", 0, READ);
  TRY("path_open in a file", open_one(fd, "file", 0, READ));
  fd_close(fd);
  TRY("path_open in a directory that is not open", open_one(NO_FD, "file", 0, READ));
  fd = must_open("dir", DIRECTORY, READ);
  TRY("path_open in a directory that was opened", open_one(fd, "inner", 0, READ));
  TRY("path_open above a directory that was opened", open_one(fd, "../file", 0, READ));
  fd_close(fd);
  TRY("path_open that syncs", path_open(RW, 0, TEXT("file"), 0, READ | WRITE, 0,
                                        __WASI_FDFLAGS_SYNC | __WASI_FDFLAGS_DSYNC, &fd));
  fd_close(fd);
  fd_t fds[1200];
  int count = 0, error = 0;
  while (count < 1200 && error == 0) {
    error = path_open(RW, 0, TEXT("file"), 0, READ, 0, 0, &fds[count]);
    count += error == 0;
  }
  TRY("path_open again and again", error);
  SHOW("path_open again and again opens some", count > 100);
  for (int i = 0; i < count; i++) fd_close(fds[i]);
  TRY("path_open when there is room again", open_one(RW, "file", 0, READ));
}

static void outside(void) {
  static const char* const paths[] = {"..", "../outside", "dir/../../outside", "/",       "/etc",
                                      "up", "up/outside", "absolute",          "upchain", "dir/.."};
  char what[64];
  uint32_t used;
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    const char* path = paths[i];
#define OUTSIDE(name, call)                         \
  snprintf(what, sizeof what, name " of %s", path); \
  TRY(what, call)
    OUTSIDE("path_open", open_one(RW, path, 0, READ));
    OUTSIDE("path_open that creates", open_one(RW, path, CREAT, READ | WRITE));
    OUTSIDE("path_filestat_get", stat_of(RW, path, FOLLOW));
    if (i == 9) break; // inside: what follows would change it
    OUTSIDE("path_filestat_set_times", path_filestat_set_times(RW, FOLLOW, TEXT(path), 1, 1, 5));
    char below[64];
    snprintf(below, sizeof below, "%s/x", path);
    path = below;
    OUTSIDE("path_create_directory", path_create_directory(RW, TEXT(path)));
    OUTSIDE("path_remove_directory", path_remove_directory(RW, TEXT(path)));
    OUTSIDE("path_unlink_file", path_unlink_file(RW, TEXT(path)));
    OUTSIDE("path_readlink", path_readlink(RW, TEXT(path), data, 10, &used));
    OUTSIDE("path_rename from outside", path_rename(RW, TEXT(path), RW, TEXT("x")));
    OUTSIDE("path_rename to outside", path_rename(RW, TEXT("file"), RW, TEXT(path)));
    OUTSIDE("path_link from outside", path_link(RW, 0, TEXT(path), RW, TEXT("x")));
    OUTSIDE("path_link to outside", path_link(RW, 0, TEXT("file"), RW, TEXT(path)));
    OUTSIDE("path_symlink", path_symlink(TEXT("file"), RW, TEXT(path)));
#undef OUTSIDE
  }
}

static void stats(void) {
  TRY("path_filestat_get", stat_of(RW, "file", FOLLOW));
  SHOW("path_filestat_get, size", status.size);
  SHOW("path_filestat_get, type", status.filetype);
  SHOW("path_filestat_get, links", status.nlink);
  TRY("path_filestat_get of a directory", stat_of(RW, "dir", FOLLOW));
  SHOW("path_filestat_get of a directory, type", status.filetype);
  TRY("path_filestat_get of itself", stat_of(RW, ".", 0));
  TRY("path_filestat_get of a link", stat_of(RW, "link", 0));
  SHOW("path_filestat_get of a link, type", status.filetype);
  SHOW("path_filestat_get of a link, size", status.size);
  TRY("path_filestat_get through a link", stat_of(RW, "link", FOLLOW));
  SHOW("path_filestat_get through a link, type", status.filetype);
  TRY("path_filestat_get of a FIFO", stat_of(RW, "fifo", 0));
  SHOW("path_filestat_get of a FIFO, type", status.filetype);
  TRY("path_filestat_get of a socket", stat_of(RW, "socket", 0));
  SHOW("path_filestat_get of a socket, type", status.filetype);
  TRY("path_filestat_get of a link to nothing", stat_of(RW, "dangling", FOLLOW));
  TRY("path_filestat_get of a link to nothing itself", stat_of(RW, "dangling", 0));
  TRY("path_filestat_get of links in a circle", stat_of(RW, "loop", FOLLOW));
  TRY("path_filestat_get of a file that is not there", stat_of(RW, "missing", 0));
  TRY("path_filestat_get beneath a file", stat_of(RW, "file/below", 0));
  TRY("path_filestat_get of a file with a slash", stat_of(RW, "file/", 0));
  TRY("path_filestat_get of no path", stat_of(RW, "", 0));
  TRY("path_filestat_get of a long name", stat_of(RW, long_name, 0));
  TRY("path_filestat_get of a long path", stat_of(RW, long_path, 0));
  TRY("path_filestat_get of what is no text", stat_of(RW, "\xff", 0));
  TRY("path_filestat_get without permission", stat_of(RW, "closed/file", 0));
  TRY("path_filestat_get in a directory that is not open", stat_of(NO_FD, "file", 0));
  TRY("path_filestat_get in a stream", stat_of(1, "file", 0));
  TRY("path_filestat_set_times",
      path_filestat_set_times(RW, 0, TEXT("dir/inner"), 1000000001, 2000000002, ATIM | MTIM));
  stat_of(RW, "dir/inner", 0);
  SHOW("path_filestat_set_times, access", status.atim);
  SHOW("path_filestat_set_times, modification", status.mtim);
  TRY("path_filestat_set_times of one",
      path_filestat_set_times(RW, 0, TEXT("dir/inner"), 1, 3000000003, MTIM));
  stat_of(RW, "dir/inner", 0);
  SHOW("path_filestat_set_times of one keeps", status.atim);
  TRY("path_filestat_set_times through a link",
      path_filestat_set_times(RW, FOLLOW, TEXT("link"), 5000000005, 0, ATIM));
  stat_of(RW, "file", 0);
  SHOW("path_filestat_set_times through a link sets", status.atim);
  TRY("path_filestat_set_times of a link",
      path_filestat_set_times(RW, 0, TEXT("link"), 0, 7000000007, MTIM));
  stat_of(RW, "link", 0);
  SHOW("path_filestat_set_times of a link sets", status.mtim);
  TRY("path_filestat_set_times of a directory",
      path_filestat_set_times(RW, FOLLOW, TEXT("dir"), 0, 0, ATIM_NOW | MTIM_NOW));
  TRY("path_filestat_set_times to two times",
      path_filestat_set_times(RW, 0, TEXT("file"), 0, 0, MTIM | MTIM_NOW));
  TRY("path_filestat_set_times of a file that is not there",
      path_filestat_set_times(RW, 0, TEXT("missing"), 0, 0, ATIM));
  TRY("path_filestat_set_times of a link to nothing",
      path_filestat_set_times(RW, FOLLOW, TEXT("dangling"), 0, 0, ATIM));
  TRY("path_filestat_set_times of links in a circle",
      path_filestat_set_times(RW, FOLLOW, TEXT("loop"), 0, 0, ATIM));
  TRY("path_filestat_set_times beneath a file",
      path_filestat_set_times(RW, FOLLOW, TEXT("file/below"), 0, 0, ATIM));
  TRY("path_filestat_set_times of no path", path_filestat_set_times(RW, 0, TEXT(""), 0, 0, ATIM));
  TRY("path_filestat_set_times without permission",
      path_filestat_set_times(RW, 0, TEXT("closed/file"), 0, 0, ATIM));
  TRY("path_filestat_set_times of what is no text",
      path_filestat_set_times(RW, 0, TEXT("\xff"), 0, 0, ATIM));
  TRY("path_filestat_set_times in a directory that is not open",
      path_filestat_set_times(NO_FD, 0, TEXT("file"), 0, 0, ATIM));
  TRY("path_filestat_set_times in a stream",
      path_filestat_set_times(1, 0, TEXT("file"), 0, 0, ATIM));
}

static void directories(void) {
  TRY("path_create_directory", path_create_directory(RW, TEXT("made")));
  TRY("path_create_directory again", path_create_directory(RW, TEXT("made")));
  TRY("path_create_directory with a slash", path_create_directory(RW, TEXT("made-too/")));
  TRY("path_create_directory over a file", path_create_directory(RW, TEXT("file")));
  TRY("path_create_directory over a link to nothing", path_create_directory(RW, TEXT("dangling")));
  TRY("path_create_directory of itself", path_create_directory(RW, TEXT(".")));
  TRY("path_create_directory in one that is not there",
      path_create_directory(RW, TEXT("missing/new")));
  TRY("path_create_directory beneath a file", path_create_directory(RW, TEXT("file/new")));
  TRY("path_create_directory through links in a circle",
      path_create_directory(RW, TEXT("loop/new")));
  TRY("path_create_directory of no path", path_create_directory(RW, TEXT("")));
  TRY("path_create_directory of a long name", path_create_directory(RW, TEXT(long_name)));
  TRY("path_create_directory of what is no text", path_create_directory(RW, TEXT("\xff")));
  TRY("path_create_directory without permission", path_create_directory(RW, TEXT("closed/new")));
  TRY("path_create_directory in one that is not open", path_create_directory(NO_FD, TEXT("new")));
  TRY("path_create_directory in a stream", path_create_directory(1, TEXT("new")));
  TRY("path_remove_directory", path_remove_directory(RW, TEXT("made")));
  TRY("path_remove_directory with a slash", path_remove_directory(RW, TEXT("made-too/")));
  TRY("path_remove_directory again", path_remove_directory(RW, TEXT("made")));
  TRY("path_remove_directory with a slash again", path_remove_directory(RW, TEXT("made-too/")));
  TRY("path_remove_directory of a file with a slash", path_remove_directory(RW, TEXT("file/")));
  TRY("path_remove_directory of a link with a slash", path_remove_directory(RW, TEXT("dirlink/")));
  TRY("path_remove_directory of one that is not empty", path_remove_directory(RW, TEXT("dir")));
  TRY("path_remove_directory of a file", path_remove_directory(RW, TEXT("file")));
  TRY("path_remove_directory of a link to a directory", path_remove_directory(RW, TEXT("dirlink")));
  TRY("path_remove_directory of itself", path_remove_directory(RW, TEXT(".")));
  TRY("path_remove_directory of no path", path_remove_directory(RW, TEXT("")));
  TRY("path_remove_directory beneath a file", path_remove_directory(RW, TEXT("file/x")));
  TRY("path_remove_directory of what is no text", path_remove_directory(RW, TEXT("\xff")));
  TRY("path_remove_directory without permission", path_remove_directory(RW, TEXT("closed/sub")));
  TRY("path_remove_directory in one that is not open", path_remove_directory(NO_FD, TEXT("dir")));
  TRY("path_remove_directory in a stream", path_remove_directory(1, TEXT("dir")));
  list("fd_readdir", must_open("dir", DIRECTORY, READ), sizeof data);
  list("fd_readdir of an empty directory", must_open("hollow", DIRECTORY, READ), sizeof data);
  list("fd_readdir of many entries", must_open("many", DIRECTORY, READ), sizeof data);
  list("fd_readdir with little room", must_open("many", DIRECTORY, READ), 64);
  fd_t fd = must_open("dir", DIRECTORY, READ), file = must_open("file", 0, READ);
  uint32_t used = 77;
  TRY("fd_readdir with no room", fd_readdir(fd, data, 0, 0, &used));
  SHOW("fd_readdir with no room gives", used);
  TRY("fd_readdir with room for a part", fd_readdir(fd, data, 10, 0, &used));
  SHOW("fd_readdir with room for a part gives", used);
  TRY("fd_readdir of a file", fd_readdir(file, data, 100, 0, &used));
  TRY("fd_readdir of a stream", fd_readdir(0, data, 100, 0, &used));
  TRY("fd_readdir of one that is not open", fd_readdir(NO_FD, data, 100, 0, &used));
  TRY("fd_readdir from a place that is too large", fd_readdir(fd, data, 100, UINT64_MAX, &used));
  fd_close(file);
  __wasi_prestat_t prestat;
  TRY("fd_prestat_get", fd_prestat_get(RW, &prestat));
  SHOW("fd_prestat_get, kind", prestat.tag);
  SHOW("fd_prestat_get, length", prestat.u.dir.pr_name_len);
  TRY("fd_prestat_dir_name", fd_prestat_dir_name(RW, data, 3));
  SHOW_TEXT("fd_prestat_dir_name gives", data, 3);
  TRY("fd_prestat_dir_name with more room", fd_prestat_dir_name(RW, data, 30));
  TRY("fd_prestat_dir_name with less room", fd_prestat_dir_name(RW, data, 2));
  TRY("fd_prestat_get of a directory that was opened", fd_prestat_get(fd, &prestat));
  TRY("fd_prestat_get of a stream", fd_prestat_get(0, &prestat));
  TRY("fd_prestat_get of one that is not open", fd_prestat_get(NO_FD, &prestat));
  TRY("fd_prestat_get behind the last", fd_prestat_get(OTHER + 1, &prestat));
  TRY("fd_prestat_dir_name of a directory that was opened", fd_prestat_dir_name(fd, data, 9));
  TRY("fd_prestat_dir_name of a stream", fd_prestat_dir_name(0, data, 9));
  TRY("fd_prestat_dir_name of one that is not open", fd_prestat_dir_name(NO_FD, data, 9));
  fd_close(fd);
}

static int rename_in(const char* from, const char* to) {
  return path_rename(RW, TEXT(from), RW, TEXT(to));
}

static int link_in(const char* from, const char* to) {
  return path_link(RW, 0, TEXT(from), RW, TEXT(to));
}

static void names(void) {
  must_open("one", CREAT, READ | WRITE), must_open("two", CREAT, READ | WRITE);
  TRY("path_rename", rename_in("one", "renamed"));
  TRY("path_rename of what was renamed", rename_in("one", "again"));
  TRY("path_rename over a file", rename_in("renamed", "two"));
  TRY("path_rename to itself", rename_in("two", "two"));
  TRY("path_rename of a directory", rename_in("hollow", "hollow-too"));
  TRY("path_rename of a directory over an empty one", rename_in("hollow-too", "bare"));
  TRY("path_rename of a directory over one that is not empty", rename_in("bare", "dir"));
  TRY("path_rename of a directory over a file", rename_in("bare", "two"));
  TRY("path_rename of a file over a directory", rename_in("two", "bare"));
  TRY("path_rename of a directory into itself", rename_in("dir", "dir/sub/x"));
  TRY("path_rename of what is given itself", rename_in(".", "x"));
  TRY("path_rename of a link", rename_in("movable", "moved"));
  TRY("path_rename of a link to nothing", rename_in("dangling", "dangling-too"));
  rename_in("dangling-too", "dangling");
  TRY("path_rename into a directory that is not there", rename_in("two", "missing/x"));
  TRY("path_rename beneath a file", rename_in("two", "file/x"));
  TRY("path_rename of a file with a slash", rename_in("two/", "x"));
  TRY("path_rename to a name with a slash", rename_in("two", "three/"));
  rename_in("three", "two");
  TRY("path_rename of a directory to a name with a slash", rename_in("bare", "bare-too/"));
  TRY("path_rename of a directory with a slash", rename_in("bare-too/", "bare"));
  rename_in("bare", "bare-too");
  TRY("path_rename of no path", rename_in("", "x"));
  TRY("path_rename to no path", rename_in("two", ""));
  TRY("path_rename to a long name", rename_in("two", long_name));
  TRY("path_rename of what is no text", rename_in("\xff", "x"));
  TRY("path_rename to what is no text", rename_in("two", "\xff"));
  TRY("path_rename without permission", rename_in("closed/file", "x"));
  TRY("path_rename into a directory without permission", rename_in("two", "closed/x"));
  TRY("path_rename from one that is not open", path_rename(NO_FD, TEXT("two"), RW, TEXT("x")));
  TRY("path_rename to one that is not open", path_rename(RW, TEXT("two"), NO_FD, TEXT("x")));
  TRY("path_rename from a stream", path_rename(1, TEXT("two"), RW, TEXT("x")));
  TRY("path_rename to a stream", path_rename(RW, TEXT("two"), 1, TEXT("x")));
  TRY("path_rename to another file system", path_rename(RW, TEXT("two"), OTHER, TEXT("x")));

  TRY("path_link", link_in("two", "hard"));
  stat_of(RW, "hard", 0);
  SHOW("path_link gives links", status.nlink);
  TRY("path_link over a file", link_in("two", "hard"));
  TRY("path_link of what is not there", link_in("missing", "x"));
  TRY("path_link of a directory", link_in("dir", "x"));
  TRY("path_link of a link", link_in("link", "hard-link"));
  stat_of(RW, "hard-link", 0);
  SHOW("path_link of a link, type", status.filetype);
  TRY("path_link through a link", path_link(RW, FOLLOW, TEXT("link"), RW, TEXT("followed")));
  TRY("path_link into a directory that is not there", link_in("two", "missing/x"));
  TRY("path_link beneath a file", link_in("two", "file/x"));
  TRY("path_link to a name with a slash", link_in("two", "x/"));
  TRY("path_link of no path", link_in("", "x"));
  TRY("path_link to no path", link_in("two", ""));
  TRY("path_link to a long name", link_in("two", long_name));
  TRY("path_link of what is no text", link_in("\xff", "x"));
  TRY("path_link to what is no text", link_in("two", "\xff"));
  TRY("path_link without permission", link_in("closed/file", "x"));
  TRY("path_link into a directory without permission", link_in("two", "closed/x"));
  TRY("path_link from one that is not open", path_link(NO_FD, 0, TEXT("two"), RW, TEXT("x")));
  TRY("path_link to one that is not open", path_link(RW, 0, TEXT("two"), NO_FD, TEXT("x")));
  TRY("path_link from a stream", path_link(1, 0, TEXT("two"), RW, TEXT("x")));
  TRY("path_link to a stream", path_link(RW, 0, TEXT("two"), 1, TEXT("x")));
  TRY("path_link to another file system", path_link(RW, 0, TEXT("two"), OTHER, TEXT("x")));

  uint32_t used = 0;
  TRY("path_symlink", path_symlink(TEXT("two"), RW, TEXT("soft")));
  TRY("path_readlink", path_readlink(RW, TEXT("soft"), data, 100, &used));
  SHOW_TEXT("path_readlink gives", data, used);
  TRY("path_symlink over a link", path_symlink(TEXT("two"), RW, TEXT("soft")));
  TRY("path_symlink over a file", path_symlink(TEXT("two"), RW, TEXT("file")));
  TRY("path_symlink to nothing", path_symlink(TEXT("nothing"), RW, TEXT("soft-too")));
  TRY("path_symlink to outside", path_symlink(TEXT("../outside"), RW, TEXT("soft-out")));
  TRY("path_open through that", open_one(RW, "soft-out", 0, READ));
  TRY("path_symlink to an absolute path", path_symlink(TEXT("/etc/passwd"), RW, TEXT("soft-abs")));
  TRY("path_symlink with nothing in it", path_symlink(TEXT(""), RW, TEXT("soft-empty")));
  TRY("path_symlink with what is no text in it", path_symlink(TEXT("\xff"), RW, TEXT("soft-not")));
  TRY("path_symlink of no path", path_symlink(TEXT("two"), RW, TEXT("")));
  TRY("path_symlink of a name with a slash", path_symlink(TEXT("two"), RW, TEXT("soft-slash/")));
  TRY("path_symlink of a long name", path_symlink(TEXT("two"), RW, TEXT(long_name)));
  TRY("path_symlink of what is no text", path_symlink(TEXT("two"), RW, TEXT("\xff")));
  TRY("path_symlink in a directory that is not there",
      path_symlink(TEXT("two"), RW, TEXT("missing/x")));
  TRY("path_symlink beneath a file", path_symlink(TEXT("two"), RW, TEXT("file/x")));
  TRY("path_symlink without permission", path_symlink(TEXT("two"), RW, TEXT("closed/x")));
  TRY("path_symlink in one that is not open", path_symlink(TEXT("two"), NO_FD, TEXT("x")));
  TRY("path_symlink in a stream", path_symlink(TEXT("two"), 1, TEXT("x")));
  TRY("path_readlink with little room", path_readlink(RW, TEXT("soft"), data, 2, &used));
  SHOW_TEXT("path_readlink with little room gives", data, used);
  TRY("path_readlink with no room", path_readlink(RW, TEXT("soft"), data, 0, &used));
  SHOW("path_readlink with no room gives", used);
  TRY("path_readlink of a file", path_readlink(RW, TEXT("file"), data, 10, &used));
  TRY("path_readlink of a directory", path_readlink(RW, TEXT("dir"), data, 10, &used));
  TRY("path_readlink of what is not there", path_readlink(RW, TEXT("missing"), data, 10, &used));
  TRY("path_readlink of no path", path_readlink(RW, TEXT(""), data, 10, &used));
  TRY("path_readlink beneath a file", path_readlink(RW, TEXT("file/x"), data, 10, &used));
  TRY("path_readlink through links in a circle",
      path_readlink(RW, TEXT("loop/x"), data, 10, &used));
  TRY("path_readlink of a link in a circle", path_readlink(RW, TEXT("loop"), data, 10, &used));
  TRY("path_readlink of an absolute link", path_readlink(RW, TEXT("absolute"), data, 10, &used));
  TRY("path_readlink of what is no text", path_readlink(RW, TEXT("\xff"), data, 10, &used));
  TRY("path_readlink without permission", path_readlink(RW, TEXT("closed/x"), data, 10, &used));
  TRY("path_readlink in one that is not open", path_readlink(NO_FD, TEXT("x"), data, 10, &used));
  TRY("path_readlink in a stream", path_readlink(1, TEXT("x"), data, 10, &used));

  TRY("path_unlink_file", path_unlink_file(RW, TEXT("hard")));
  TRY("path_unlink_file again", path_unlink_file(RW, TEXT("hard")));
  TRY("path_unlink_file of a link", path_unlink_file(RW, TEXT("soft")));
  TRY("path_unlink_file of a link leaves the file", stat_of(RW, "two", 0));
  TRY("path_unlink_file of a link to nothing", path_unlink_file(RW, TEXT("soft-too")));
  TRY("path_unlink_file of a link to a directory", path_unlink_file(RW, TEXT("removable")));
  TRY("path_unlink_file of a directory", path_unlink_file(RW, TEXT("dir")));
  TRY("path_unlink_file of an empty directory", path_unlink_file(RW, TEXT("bare-too")));
  TRY("path_unlink_file of itself", path_unlink_file(RW, TEXT(".")));
  TRY("path_unlink_file of a file with a slash", path_unlink_file(RW, TEXT("two/")));
  TRY("path_unlink_file of a directory with a slash", path_unlink_file(RW, TEXT("dir/")));
  TRY("path_unlink_file of a link with a slash", path_unlink_file(RW, TEXT("dirlink/")));
  TRY("path_unlink_file of no path", path_unlink_file(RW, TEXT("")));
  TRY("path_unlink_file of a long name", path_unlink_file(RW, TEXT(long_name)));
  TRY("path_unlink_file beneath a file", path_unlink_file(RW, TEXT("file/x")));
  TRY("path_unlink_file of what is no text", path_unlink_file(RW, TEXT("\xff")));
  TRY("path_unlink_file without permission", path_unlink_file(RW, TEXT("closed/file")));
  TRY("path_unlink_file in one that is not open", path_unlink_file(NO_FD, TEXT("two")));
  TRY("path_unlink_file in a stream", path_unlink_file(1, TEXT("two")));
  fd_t fd = must_open("two", 0, READ | WRITE);
  path_unlink_file(RW, TEXT("two"));
  TRY("fd_write to a file without a name", write_some(fd, "text"));
  TRY("fd_filestat_get of a file without a name", fd_filestat_get(fd, &status));
  SHOW("fd_filestat_get of a file without a name, links", status.nlink);
  fd_close(fd);
  list("fd_readdir of what is left", must_open("dir", DIRECTORY, READ), sizeof data);
}

int main(int argc, char** argv) {
  suite_begin(argc, argv);
  memset(long_name, 'n', sizeof long_name - 1);
  for (size_t i = 0; i + 1 < sizeof long_path; i++) long_path[i] = i % 2 ? '/' : '.';
  opening();
  outside();
  stats();
  directories();
  names();
  return 0;
}
