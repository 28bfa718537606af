// What the commands of wasmrt share: reports, options, numbers, files, and the steps from a file to
// a module. The functions that report a failure end the program: the system frees what it holds.

#ifndef COMMON_H
#define COMMON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <wasm.h>
#include <wasmrt.h>

// Exit statuses. `run` otherwise exits with the guest's.
enum { SUCCESS = 0, FAILED = 1, WRONG_USE = 2 };

// -------------------------------------------------------------------------------------------------
// Reports: report.c

// Writes text from a module or a message. Control characters are escaped as \hh, so that no module
// can send commands to the terminal.
void write_escaped(FILE* out, const char* text, size_t size);

// Writes a line to standard error, after "wasmrt: ". Line breaks in the message stay, and are
// followed by an indentation.
void report(const char* format, ...);

// Reports a module that fails, and ends the program.
_Noreturn void fail(const char* format, ...);

// Reports wrong use of a command, in one line that ends with where help is, and ends the program.
// `command` is NULL if no command is concerned.
_Noreturn void wrong_use(const char* command, const char* format, ...);

// Returns the message of the library's last error, without the name of a C function before it.
const char* reason(void);

// Ends the program with `status`, or with FAILED if standard output could not be written.
_Noreturn void finish(int status);

// -------------------------------------------------------------------------------------------------
// Words of the command line: words.c

// The words after a command's name.
typedef struct words_t {
  const char* command;
  char** next; // ends with NULL
} words_t;

// Returns whether the next word is an option. Passes over "--", which ends the options.
bool at_option(words_t* words);

// Takes the next word if it is the option `name`, given as "NAME VALUE" or "NAME=VALUE", and returns
// its value. Returns NULL if it is another option.
const char* take_option(words_t* words, const char* name);

// Takes the next word if it is the option `name`, which has no value. Returns whether it is.
bool take_flag(words_t* words, const char* name);

// Reports the next word as an option that the command does not have.
_Noreturn void unknown_option(const words_t* words);

// Takes the word that names the file, which must be there.
const char* take_file(words_t* words);

// Reports the next word, if there is one, as too much.
void expect_end(const words_t* words);

// Reads a number in decimal digits. Returns false if it is none, or too large for 64 bits.
bool parse_number(const char* text, uint64_t* out);

// Reads a number of bytes: decimal digits, and K, M or G for powers of 1024.
bool parse_bytes(const char* text, uint64_t* out);

// Reads a time: a decimal number and ms, s or m; seconds without. The result is in nanoseconds.
bool parse_time(const char* text, uint64_t* out);

// -------------------------------------------------------------------------------------------------
// Files and modules: module.c

// Reads a whole file; "-" is standard input. A file that cannot be read is wrong use.
void read_input(const words_t* words, const char* path, wasm_byte_vec_t* out);

// Writes a whole file; "-" is standard output.
void write_output(const char* path, const wasm_byte_vec_t* bytes);

// Returns the path of a result without -o: the file's name with another extension, in the current
// directory, or "-" if the file is standard input. To be released with free().
char* output_path(const words_t* words, const char* path, const char* extension);

// Returns an engine on the backend of this name, or on the default one for NULL. Takes `config`.
wasm_engine_t* new_engine(const words_t* words, wasm_config_t* config, const char* backend);

// Takes the flag that lifts the limits of modules. Returns whether it was there.
bool take_no_limits(words_t* words);

// Lifts the limits of modules.
void lift_limits(wasm_config_t* config);

// Ends the program because of the module in the file `path`, for the library's reason.
_Noreturn void fail_on_module(const char* path);

// Replaces WebAssembly text by the binary. Leaves anything else as it is.
void text_to_binary(const char* path, wasm_byte_vec_t* bytes);

// Makes a module of a binary, text or, if that is allowed, an artifact. `path` is for messages.
wasm_module_t* load_module(wasm_store_t* store, const char* path, wasm_byte_vec_t* bytes,
                           bool allow_precompiled);

// -------------------------------------------------------------------------------------------------
// Types and values as text: text.c

// Writes a name from a module.
void print_name(FILE* out, const wasm_name_t* name);

// Writes an import: "module / name: type".
void print_import(FILE* out, const wasm_importtype_t* import);

// Writes an export: "name: type".
void print_export(FILE* out, const wasm_exporttype_t* export);

// Writes a value; numbers are read back as the same.
void print_value(FILE* out, const wasm_val_t* value);

// Reads a value of a kind. Returns false if the text is none.
bool parse_value(const char* text, wasm_valkind_t kind, wasm_val_t* out);

// Returns the name of a kind of value.
const char* kind_name(wasm_valkind_t kind);

// -------------------------------------------------------------------------------------------------
// The commands, each in a file of its own. They return the exit status.

int run_command(words_t* words);
int inspect_command(words_t* words);
int validate_command(words_t* words);
int compile_command(words_t* words);
int backends_command(words_t* words);
int wat2wasm_command(words_t* words);

#endif
