// Leaks what the library allocated: the runs under AddressSanitizer and valgrind must report it
// (see CMakeLists.txt).
#include <stdio.h>
#include <wasm.h>

int main(void) {
  size_t sizes = 0;
  for (int i = 0; i < 10; i++) { // the last one may still be found on the stack
    wasm_byte_vec_t forgotten;
    wasm_byte_vec_new(&forgotten, 9, "forgotten");
    sizes += forgotten.size;
  }
  printf("made 10 vectors of %zu bytes together\n", sizes);
  return 0;
}
