package wasmrt

/*
#include "shim.h"
*/
import "C"

import "unsafe"

// cgoNothing and cgoCallbacks are what calls between Go and C cost by themselves, for the benchmarks. Tests cannot use
// cgo themselves.

func cgoNothing() { C.wasmrtgo_nothing(nil) }

func cgoCallbacks(n int) { C.wasmrtgo_call_nothing(C.size_t(n)) }

//export wasmrtGoNothing
func wasmrtGoNothing(data unsafe.Pointer) {}
