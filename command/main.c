// wasmrt: runs WebAssembly modules, and shows, checks and converts them. Uses wasm.h and wasmrt.h
// alone. This file has the choice of the command, and the help.

#define _POSIX_C_SOURCE 200809L

#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define ABOUT_FILES                                                                      \
  "FILE is a WebAssembly binary or text (.wat), for run also an artifact; its content\n" \
  "tells which. \"-\" is standard input."

static const struct {
  const char* name;
  int (*function)(words_t* words);
  const char* summary;
  const char* synopsis;
  const char* text;
} commands[] = {
    {"run", run_command, "run a module", "[OPTIONS] FILE [ARGS...]",
     "Runs a module: its function _start, or _initialize if it has no _start. Modules for WASI\n"
     "(wasi_snapshot_preview1 and wasi_unstable) get the arguments FILE ARGS..., the standard\n"
     "streams, and the directories and variables given here; no others.\n"
     "\n"
     "  --dir HOST[::GUEST][:ro]  give the directory HOST to the module, by the name GUEST or\n"
     "                            else HOST; with :ro, for reading only. May be repeated\n"
     "  --env NAME[=VALUE]        set an environment variable; without a value, to the one it has\n"
     "                            here, if any. May be repeated\n"
     "  --invoke NAME             call this exported function instead, with ARGS as numbers, and\n"
     "                            print its results, one in each line\n"
     "  --timeout T               stop the module when it has run for T: seconds, or with a unit\n"
     "                            as in 500ms, 2s or 1m\n"
     "  --fuel N                  stop the module after about N instructions\n"
     "  --max-memory N            allow N bytes of memory; K, M and G stand for powers of 1024\n"
     "  --backend NAME            the engine: 'wasmrt backends' lists them\n"
     "  --allow-precompiled       take an artifact of 'wasmrt compile', which must be trusted: it\n"
     "                            may hold machine code\n"
     "  --no-limits               take a module however much it costs to compile\n"
     "\n"
     "All words after FILE belong to the module. The exit status is the module's; 1 if it fails;\n"
     "2 if the command is used wrongly.\n"
     "\n"
     "Compiled modules are kept in the directory that the environment variable WASMRT_CACHE_DIR\n"
     "names, if it does, and start faster the next time.\n"
     "\n"
     "A binary or text need not be trusted, except with --no-limits.\n"},
    {"inspect", inspect_command, "show what a module imports and exports", "[OPTIONS] FILE",
     "Shows which WASI a module needs, then its imports and exports with their types, one in each\n"
     "line. Does not run it.\n"
     "\n"
     "  --backend NAME            the engine: 'wasmrt backends' lists them\n"
     "  --proposals               show which proposals of WebAssembly it needs as well\n"
     "  --no-limits               take a module however much it costs to compile\n"},
    {"validate", validate_command, "check whether a module is valid", "[OPTIONS] FILE",
     "Checks whether a module is valid. Prints nothing if it is; otherwise says what is wrong and\n"
     "exits with 1.\n"
     "\n"
     "  --backend NAME            the engine, which decides what it supports\n"
     "  --no-limits               take a module however much it costs to compile\n"},
    {"compile", compile_command, "compile a module ahead of time", "[OPTIONS] FILE",
     "Compiles a module and writes an artifact, which 'wasmrt run --allow-precompiled' takes in\n"
     "place of the module and starts faster. It works with the version and the engine that made "
     "it.\n"
     "\n"
     "  -o, --output OUT          where to write; \"-\" is standard output. By default the\n"
     "                            name of FILE with the extension .cwasm, in the current\n"
     "                            directory\n"
     "  --backend NAME            the engine: 'wasmrt backends' lists them\n"
     "  --fuel                    make an artifact for 'run --fuel'\n"
     "  --timeout                 make an artifact for 'run --timeout'\n"
     "  --no-limits               take a module however much it costs to compile\n"},
    {"backends", backends_command, "list the engines and what they support", "",
     "Lists the engines that the library has: the name and version of each, which settings of\n"
     "wasmrt.h it has, and which proposals of WebAssembly. The first is the default; the\n"
     "environment variable WASMRT_BACKEND chooses another.\n"},
    {"wat2wasm", wat2wasm_command, "convert text to a binary", "[-o OUT] FILE",
     "Converts a module from the text format to the binary format.\n"
     "\n"
     "  -o, --output OUT          where to write; \"-\" is standard output. By default the\n"
     "                            name of FILE with the extension .wasm, in the current\n"
     "                            directory\n"},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

// Returns the index of a command, or COMMANDS.
static size_t find_command(const char* name) {
  size_t i = 0;
  while (i < COMMANDS && strcmp(commands[i].name, name) != 0) ++i;
  return i;
}

static int print_help(void) {
  fputs(
      "Usage: wasmrt COMMAND ...\n"
      "\n"
      "Runs WebAssembly modules, and shows, checks and converts them.\n"
      "\n",
      stdout);
  for (size_t i = 0; i < COMMANDS; ++i)
    printf("  %-10s%s\n", commands[i].name, commands[i].summary);
  fputs(
      "  help      show how a command is used: wasmrt help COMMAND\n"
      "\n"
      "  --help, --version\n"
      "\n" ABOUT_FILES
      "\n\n"
      "Exit status: 0 for success, 1 if a module fails, 2 for wrong use; 'run' exits as the "
      "module\n"
      "does.\n",
      stdout);
  return SUCCESS;
}

static int print_command_help(size_t i) {
  printf("Usage: wasmrt %s%s%s\n\n%s", commands[i].name, *commands[i].synopsis ? " " : "",
         commands[i].synopsis, commands[i].text);
  if (strstr(commands[i].synopsis, "FILE")) puts("\n" ABOUT_FILES);
  return SUCCESS;
}

static int print_version(void) {
  printf("wasmrt %s", wasmrt_version());
  const char* name;
  for (size_t i = 0; (name = wasmrt_backend_name(i)); ++i)
    printf("%s%s %s", i ? ", " : " (", name, wasmrt_backend_version(name));
  puts(wasmrt_backend_count() ? ")" : "");
  return SUCCESS;
}

static bool asks_for_help(const char* word) {
  return word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0);
}

// Opens what the caller closed of the standard streams, so that no other file takes its number.
// Reading it or writing it fails, as if it were closed.
static void reserve_streams(void) {
  for (int stream = 0; stream <= 2; ++stream) {
    if (fcntl(stream, F_GETFD) == -1 && errno == EBADF)
      (void)open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY); // takes the lowest number
  }
}

int main(int argc, char** argv) {
  reserve_streams();
  if (argc < 2) wrong_use(NULL, "a command is missing");
  const char* name = argv[1];
  char** rest = argv + 2;
  if (asks_for_help(name) || (strcmp(name, "help") == 0 && (!*rest || asks_for_help(*rest))))
    finish(print_help());
  if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) finish(print_version());

  bool help = strcmp(name, "help") == 0;
  if (help) name = *rest;
  size_t i = find_command(name);
  if (i == COMMANDS)
    wrong_use(NULL, *name == '-' ? "there is no option '%s'" : "there is no command '%s'", name);
  if (help || asks_for_help(*rest)) finish(print_command_help(i));
  words_t words = {commands[i].name, rest};
  finish(commands[i].function(&words));
}
