// Reads a whole file, for the examples that work on files.

#ifndef FILE_H
#define FILE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Returns the file's bytes with one zero after them, to be released with free(). On failure prints
// why and returns NULL. Works for pipes too, whose size is not known in advance.
static inline char* read_file(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  char* bytes = NULL;
  size_t capacity = 0, used = 0;
  errno = file ? 0 : errno;
  while (file && !ferror(file) && !feof(file)) {
    if (capacity - used < 2) {
      char* larger = realloc(bytes, capacity = capacity ? capacity * 2 : 65536);
      if (!larger) break;
      bytes = larger;
    }
    used += fread(bytes + used, 1, capacity - used - 1, file);
  }
  int error = errno;
  bool complete = file && !ferror(file) && feof(file);
  if (file) fclose(file);
  if (!complete) {
    fprintf(stderr, "error: cannot read %s: %s\n", path, strerror(error));
    free(bytes);
    return NULL;
  }
  bytes[used] = 0;
  *size = used;
  return bytes;
}

#endif
