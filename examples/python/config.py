"""The backends, and what an engine can be told."""

import wasmrt

for backend in wasmrt.backends:
    config = wasmrt.Config(backend=backend, fuel=True, proposals={"tail-call": False})
    with wasmrt.Engine(config) as engine:
        assert engine.backend == backend

try:
    wasmrt.Engine(wasmrt.Config(backend="abacus"))
except wasmrt.Error as error:
    print(type(error).__name__)
