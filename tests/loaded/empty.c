// A library without any function of wasm.h.
int wasmrt_test_nothing = 0;
