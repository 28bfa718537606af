// A program for wasi-libc, which uses WASI as programs do. Prints the same wherever it runs.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int by_name(const void* one, const void* other) { return strcmp(one, other); }

static void list(const char* path) {
  char names[16][64];
  int count = 0;
  DIR* dir = opendir(path);
  for (struct dirent* entry; dir && count < 16 && (entry = readdir(dir));) {
    snprintf(names[count++], 64, "%s:%d", entry->d_name, entry->d_type);
  }
  if (dir) closedir(dir);
  qsort(names, (size_t)count, 64, by_name);
  printf("%s has", path);
  for (int i = 0; i < count; i++) printf(" %s", names[i]);
  printf("\n");
}

int main(int argc, char** argv) {
  char line[64];
  struct stat status;
  printf("%d arguments, the last is %s\n", argc, argv[argc - 1]);
  printf("NAME is %s\n", getenv("NAME"));
  printf("input is %s\n", fgets(line, sizeof line, stdin));

  FILE* file = fopen("/w/lines", "w+");
  for (int i = 0; i < 1000; i++) fprintf(file, "line %d\n", i);
  fseek(file, 0, SEEK_SET);
  printf("the first is %s", fgets(line, sizeof line, file));
  fclose(file);
  printf("stat gives %d", stat("/w/lines", &status));
  printf(": %d bytes, a file: %d\n", (int)status.st_size, S_ISREG(status.st_mode));
  int fd = open("/w/lines", O_WRONLY | O_APPEND);
  printf("appended %d", (int)write(fd, "end\n", 4));
  printf(", size %d\n", (int)lseek(fd, 0, SEEK_END));
  printf("truncated %d", ftruncate(fd, 10));
  printf(", size %d\n", (int)lseek(fd, 0, SEEK_END));
  close(fd);

  printf("mkdir gives %d, then %d", mkdir("/w/dir", 0700), mkdir("/w/dir", 0700));
  printf(" (%d)\n", errno == EEXIST);
  printf("rename gives %d\n", rename("/w/lines", "/w/dir/moved"));
  printf("symlink gives %d\n", symlink("dir/moved", "/w/link"));
  ssize_t size = readlink("/w/link", line, sizeof line);
  printf("readlink gives %.*s\n", (int)size, line);
  printf("through the link: %d\n", stat("/w/link", &status));
  printf("a hard link gives %d\n", link("/w/dir/moved", "/w/hard"));
  list("/w");
  list("/w/dir");
  printf("rmdir gives %d (%d)\n", rmdir("/w/dir"), errno == ENOTEMPTY);
  printf("outside: %d (%d)\n", open("/w/../secret", O_RDONLY), errno == EPERM);
  printf("not given: %d\n", open("/etc/passwd", O_RDONLY));
  printf("removed: %d %d %d %d\n", unlink("/w/hard"), unlink("/w/link"), unlink("/w/dir/moved"),
         rmdir("/w/dir"));
  list("/w");

  struct timespec before, after, pause = {0, 2000000};
  clock_gettime(CLOCK_MONOTONIC, &before);
  printf("nanosleep gives %d\n", nanosleep(&pause, NULL));
  clock_gettime(CLOCK_MONOTONIC, &after);
  long long elapsed = (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec;
  printf("time went on: %d\n", elapsed >= 2000000);
  printf("it is after 2020: %d\n", time(NULL) > 1577836800);
  struct pollfd output = {1, POLLOUT, 0};
  printf("poll gives %d\n", poll(&output, 1, 1000));
  char random[16];
  printf("getentropy gives %d\n", getentropy(random, sizeof random));
  printf("a terminal: %d\n", isatty(1));
  fprintf(stderr, "to standard error\n");
  return 7;
}
