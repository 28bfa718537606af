// Forgets one object: the runs under AddressSanitizer and valgrind have to report it (see CMakeLists.txt).
#include <stdio.h>
#include <wasm.h>

int main(void) {
  wasm_valtype_t* forgotten = wasm_valtype_new(WASM_I32);
  if (!forgotten) return 1;
  printf("made a value type of kind %d\n", wasm_valtype_kind(forgotten));
  forgotten = NULL;
  return 0;
}
