// Reads what the library has freed: the runs under AddressSanitizer and valgrind must report it
// (see CMakeLists.txt).
#include <stdio.h>
#include <wasm.h>

int main(void) {
  wasm_byte_vec_t bytes;
  wasm_byte_vec_new(&bytes, 5, "bytes");
  const volatile char* data = bytes.data;
  wasm_byte_vec_delete(&bytes);
  printf("the first was %d\n", data[0]);
  return 0;
}
