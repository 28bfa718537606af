module examples

go 1.19

require wasmrt v0.0.0

replace wasmrt => ../../bindings/go
