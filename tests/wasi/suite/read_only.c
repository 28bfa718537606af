// A directory that can only be read: everything that would change something fails, and changes nothing.
#include "suite.h"

static void unchanged(const char* what) {
  char line[128];
  stat_of(RO, "file", 0);
  snprintf(line, sizeof line, "after %s, size", what);
  SHOW(line, status.size);
  snprintf(line, sizeof line, "after %s, links", what);
  SHOW(line, status.nlink);
  snprintf(line, sizeof line, "after %s, modification", what);
  SHOW(line, status.mtim);
}

int main(int argc, char** argv) {
  suite_begin(argc, argv);
  unchanged("nothing");
  fd_t fd = must_open_in(RO, "file", 0, READ, 0), dir = must_open_in(RO, "dir", DIRECTORY, READ, 0);
  TRY("fd_read", read_some(fd, 100));
  SHOW_TEXT("fd_read gives", data, moved);
  TRY("path_filestat_get", stat_of(RO, "link", FOLLOW));
  uint32_t used;
  TRY("path_readlink", path_readlink(RO, TEXT("link"), data, 100, &used));
  TRY("fd_readdir", fd_readdir(dir, data, 100, 0, &used));

  TRY("path_open for writing", open_one(RO, "file", 0, WRITE));
  TRY("path_open for reading and writing", open_one(RO, "file", 0, READ | WRITE));
  TRY("path_open for writing through a link", open_one(RO, "link", 0, WRITE));
  TRY("path_open that truncates", open_one(RO, "file", TRUNC, READ));
  TRY("path_open that truncates for writing", open_one(RO, "file", TRUNC, WRITE));
  TRY("path_open that truncates with no right", open_one(RO, "file", TRUNC, 0));
  TRY("path_open that truncates in a directory that was opened", open_one(dir, "inner", TRUNC, 0));
  TRY("path_open that creates", open_one(RO, "new", CREAT, READ));
  TRY("path_open that creates for writing", open_one(RO, "new", CREAT, WRITE));
  TRY("path_open that only creates", open_one(RO, "new", CREAT | EXCL, READ));
  TRY("path_open that creates in a directory that was opened", open_one(dir, "new", CREAT, READ));
  TRY("path_open of what it did not create", open_one(RO, "new", 0, READ));
  unchanged("path_open");
  TRY("fd_write", write_some(fd, "x"));
  TRY("fd_pwrite", pwrite_some(fd, "x", 0));
  TRY("fd_filestat_set_size", fd_filestat_set_size(fd, 0));
  TRY("fd_allocate", fd_allocate(fd, 0, 1000));
  TRY("fd_filestat_set_times", fd_filestat_set_times(fd, 1, 1, ATIM | MTIM));
  TRY("fd_filestat_set_times of the directory", fd_filestat_set_times(RO, 1, 1, ATIM | MTIM));
  TRY("fd_filestat_set_times of a directory that was opened",
      fd_filestat_set_times(dir, 1, 1, ATIM_NOW | MTIM_NOW));
  unchanged("the functions of files");
  TRY("path_filestat_set_times", path_filestat_set_times(RO, 0, TEXT("file"), 1, 1, ATIM | MTIM));
  TRY("path_filestat_set_times through a link",
      path_filestat_set_times(RO, FOLLOW, TEXT("link"), 1, 1, ATIM | MTIM));
  TRY("path_filestat_set_times of a link",
      path_filestat_set_times(RO, 0, TEXT("link"), 1, 1, ATIM_NOW | MTIM_NOW));
  TRY("path_create_directory", path_create_directory(RO, TEXT("new")));
  TRY("path_create_directory in a directory that was opened",
      path_create_directory(dir, TEXT("new")));
  TRY("path_remove_directory", path_remove_directory(RO, TEXT("hollow")));
  TRY("path_unlink_file", path_unlink_file(RO, TEXT("file")));
  TRY("path_unlink_file of a link", path_unlink_file(RO, TEXT("link")));
  TRY("path_symlink", path_symlink(TEXT("file"), RO, TEXT("soft")));
  TRY("path_rename inside", path_rename(RO, TEXT("file"), RO, TEXT("renamed")));
  TRY("path_rename out of it", path_rename(RO, TEXT("file"), RW, TEXT("stolen")));
  TRY("path_rename into it", path_rename(RW, TEXT("file"), RO, TEXT("planted")));
  TRY("path_link inside", path_link(RO, 0, TEXT("file"), RO, TEXT("hard")));
  TRY("path_link out of it", path_link(RO, 0, TEXT("file"), RW, TEXT("hard")));
  TRY("path_link into it", path_link(RW, 0, TEXT("file"), RO, TEXT("hard")));
  TRY("path_link out of a directory that was opened",
      path_link(dir, 0, TEXT("inner"), RW, TEXT("hard")));
  unchanged("the functions of paths");
  TRY("fd_renumber over one that can be written", fd_renumber(dir, OTHER));
  TRY("path_open that creates under that number", open_one(OTHER, "new", CREAT, READ | WRITE));
  TRY("fd_fdstat_set_rights to all", fd_fdstat_set_rights(fd, UINT64_MAX, UINT64_MAX));
  TRY("fd_write after that", write_some(fd, "x"));
  unchanged("all of this");
  return 0;
}
