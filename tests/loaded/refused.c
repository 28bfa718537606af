// A library that has to be refused: refused LIBRARY TEXT... expects an error with all of the texts.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasm.h>
#include <wasmrt.h>

int main(int argument_count, char** arguments) {
  if (argument_count < 3) return EXIT_FAILURE;
  wasm_config_t* config = wasm_config_new();
  bool taken = wasmrt_config_set_backend(config, arguments[1]);
  const char* message = wasmrt_last_error_message();
  printf("%s\n", taken ? "the library is taken" : message ? message : "no message");
  int status = taken || !message ? EXIT_FAILURE : EXIT_SUCCESS;
  for (int i = 2; i < argument_count && status == EXIT_SUCCESS; i++) {
    if (strstr(message, arguments[i])) continue;
    printf("the message lacks \"%s\"\n", arguments[i]);
    status = EXIT_FAILURE;
  }
  wasm_config_delete(config);
  return status;
}
