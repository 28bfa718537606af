// A program for WASI: sqlite DATABASE SQL prints the rows, with | between the columns.

#include <sqlite3.h>
#include <stdio.h>

static int print_row(void* env, int columns, char** values, char** names) {
  (void)env;
  (void)names;
  for (int i = 0; i < columns; ++i) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "");
  putchar('\n');
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fputs("usage: sqlite DATABASE SQL\n", stderr);
    return 2;
  }
  sqlite3* database;
  int result = sqlite3_open(argv[1], &database);
  if (result == SQLITE_OK) result = sqlite3_exec(database, argv[2], print_row, NULL, NULL);
  if (result != SQLITE_OK) fprintf(stderr, "error: %s\n", sqlite3_errmsg(database));
  sqlite3_close(database);
  return result != SQLITE_OK;
}
