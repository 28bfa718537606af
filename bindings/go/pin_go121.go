//go:build go1.21

package wasmrt

import "runtime"

type pinner = runtime.Pinner
