module wasmrt

go 1.19
