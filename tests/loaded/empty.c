// A library without any function of wasm.h.
int wasmrt_test_nothing = 0;

#ifdef STANDIN_UNLINKED
// Nor one of which a part is missing.
int standin_that_nobody_has(void);
int standin_uses_it(void);
int standin_uses_it(void) {
  return standin_that_nobody_has();
}
#endif
