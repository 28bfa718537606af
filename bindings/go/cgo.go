package wasmrt

// #cgo pkg-config: wasmrt
// #cgo CFLAGS: -Wall -Wextra -Wno-unused-parameter
import "C"
