//go:build !go1.21

package wasmrt

// pinner stands for runtime.Pinner. What is on the heap of these versions of Go does not move.
type pinner struct{}

func (*pinner) Pin(any) {}

func (*pinner) Unpin() {}
