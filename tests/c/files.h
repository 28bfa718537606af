// What tests need that work with files.
#ifndef WASMRT_TEST_FILES_H
#define WASMRT_TEST_FILES_H

#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

// Directories of the host's, removed at the end.
static inline void remove_tree(const char* path) {
  struct stat status;
  if (lstat(path, &status) != 0) return;
  if (S_ISDIR(status.st_mode)) {
    DIR* dir = opendir(path);
    for (struct dirent* entry; dir && (entry = readdir(dir));) {
      if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
      char below[4096];
      snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
      remove_tree(below);
    }
    if (dir) closedir(dir);
    rmdir(path);
  } else {
    unlink(path);
  }
}

static inline void scratch(char* path) {
  const char* base = getenv("TMPDIR");
  snprintf(path, 256, "%s/wasmrt-test-XXXXXX", base ? base : "/tmp");
  REQUIRE(mkdtemp(path));
}

static inline const char* in(const char* directory, const char* name) {
  static char paths[4][4096];
  static int next;
  char* path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", directory, name);
  return path;
}

static inline void host_write(const char* path, const char* text) {
  FILE* file = fopen(path, "w");
  REQUIRE(file);
  fputs(text, file);
  fclose(file);
}

static inline bool host_has(const char* path, const char* text) {
  char buffer[256] = {0};
  FILE* file = fopen(path, "r");
  if (!file) return false;
  fread(buffer, 1, sizeof buffer - 1, file);
  fclose(file);
  return strcmp(buffer, text) == 0;
}

#endif
