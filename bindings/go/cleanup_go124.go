//go:build go1.24

package wasmrt

import "runtime"

// cleanup has f called with arg some time after nothing refers to owner any more.
func cleanup[T, A any](owner *T, f func(A), arg A) {
	runtime.AddCleanup(owner, f, arg)
}
