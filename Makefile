# The two commands that a clean clone needs are `make demo` and `make test`; everything else is cargo and CMake as usual.
# Needed: Rust with cargo, gcc, make, python3 with pip, node with npm. CMake is installed when it is missing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

BUILD := build
JOBS := $(shell nproc)
WITH_CMAKE := scripts/with-cmake
CARGO_TEST := cargo test --quiet --release --locked

# cargo builds the same engines for every step below; only its diagnostics are worth reading
export CARGO_TERM_QUIET := true

.PHONY: help demo test lint test-rust test-c build configure clean
.NOTPARALLEL:

help:
	@echo "make demo   build everything, run the hello example and a real module on every engine"
	@echo "make test   all tests: formatting, lints, cargo's tests for each set of engines, then ctest"
	@echo "make build  the library, the examples and the C tests, in $(BUILD)/"
	@echo "make clean  remove $(BUILD)/ and target/"
	@echo "Parts of make test: make lint, make test-rust, make test-c"
	@echo "Install afterwards: cmake --install $(BUILD) --prefix PREFIX"

demo: configure
	@echo "-- building (the engines take some minutes the first time)"
	@$(WITH_CMAKE) cmake --build $(BUILD) --target wasmrt-examples --parallel $(JOBS) -- --no-print-directory
	@$(WITH_CMAKE) cmake --build $(BUILD) --target run-hello -- --no-print-directory
	@$(WITH_CMAKE) cmake --build $(BUILD) --target run-source_map -- --no-print-directory

test: lint test-rust test-c

lint:
	@if cargo fmt --version >/dev/null 2>&1; then echo "-- cargo fmt"; cargo fmt --all --check; \
	else echo "-- cargo fmt skipped: rustfmt is not installed (rustup component add rustfmt)"; fi
	@if cargo clippy --version >/dev/null 2>&1; then echo "-- cargo clippy"; \
	cargo clippy --release --locked -- -D warnings; \
	cargo clippy --release --locked --package wasmrt-headers -- -D warnings; \
	else echo "-- cargo clippy skipped: it is not installed (rustup component add clippy)"; fi

# Each engine alone proves that nothing outside its folder needs the other.
test-rust:
	@echo "-- cargo test, both engines (building them takes some minutes the first time)"
	@$(CARGO_TEST)
	@echo "-- cargo test, wasmi alone"
	@$(CARGO_TEST) --no-default-features --features wasmi
	@echo "-- cargo test, wasmtime alone"
	@$(CARGO_TEST) --no-default-features --features wasmtime
	@echo "-- the headers are what cbindgen makes of the sources (cargo run -p wasmrt-headers writes them)"
	@$(CARGO_TEST) --package wasmrt-headers

test-c: test-tools build
	@echo "-- ctest"
	@$(WITH_CMAKE) ctest --test-dir $(BUILD) --output-on-failure --parallel $(JOBS)

.PHONY: test-tools
test-tools:
	@scripts/install-test-tools

configure:
	@echo "-- configuring $(BUILD)/"
	@$(WITH_CMAKE) cmake -S . -B $(BUILD) -G "Unix Makefiles" --log-level=WARNING \
		-DCMAKE_RULE_MESSAGES=OFF -DCMAKE_TARGET_MESSAGES=OFF >/dev/null

build: configure
	@echo "-- building (the engines take some minutes the first time)"
	@$(WITH_CMAKE) cmake --build $(BUILD) --parallel $(JOBS) -- --no-print-directory

clean:
	rm -rf $(BUILD) target
