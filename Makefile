# The two commands that a clean clone needs are `make demo` and `make test`; all else is cargo and CMake as usual.
# Needed: Rust with cargo, gcc, make, python3 with pip, node with npm. CMake is installed when it is missing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

BUILD := build
JOBS := $(shell nproc)
WITH_CMAKE := scripts/with-cmake
ENGINES := wasmtime wasmi
CONFIGURE := $(WITH_CMAKE) cmake -S . -G "Unix Makefiles" --log-level=WARNING \
	-DCMAKE_RULE_MESSAGES=OFF -DCMAKE_TARGET_MESSAGES=OFF
CARGO_TEST := cargo test --quiet --release --locked

# cargo builds the same engines for every step below; only its diagnostics are worth reading
export CARGO_TERM_QUIET := true

.PHONY: help demo test lint test-rust test-c test-c-alone test-spec test-fuzz test-differential test-tools build configure
.PHONY: clean
.NOTPARALLEL:

help:
	@echo "make demo   build everything, run the hello example and a real module on every engine"
	@echo "make test   all tests: formatting, lints, cargo's tests for each set of engines, then ctest likewise"
	@echo "make build  the library, the examples and the C tests, in $(BUILD)/"
	@echo "make clean  remove $(BUILD)/ and target/"
	@echo "Parts of make test: make lint, make test-rust, make test-ownership, make test-c, make test-c-alone"
	@echo "make test-miri  the ownership tests under Miri, where that is installed"
	@echo "make test-spec  the specification's test suite alone (ctest runs it too), with its tables"
	@echo "make test-fuzz  fuzzing for longer: FUZZ_TIME=600 seconds for each fuzzer and engine, FUZZ_SEED=number"
	@echo "make test-differential  generated modules on both engines, compared: COUNT=100000 SEED=1000000"
	@echo "make bench  measures against other implementations of wasm.h, writes docs/performance.md; make bench-guard"
	@echo "Install afterwards: cmake --install $(BUILD) --prefix PREFIX"

demo: configure
	@echo "-- building (the engines take some minutes the first time)"
	@$(WITH_CMAKE) cmake --build $(BUILD) --target wasmrt-examples --parallel $(JOBS) -- --no-print-directory
	@$(WITH_CMAKE) cmake --build $(BUILD) --target run-hello -- --no-print-directory
	@$(WITH_CMAKE) cmake --build $(BUILD) --target run-source_map -- --no-print-directory

# With all engines comes last: its summary closes the output, and target/release is left with the whole library.
test: lint test-rust test-ownership test-c-alone test-c

lint:
	@if cargo fmt --version >/dev/null 2>&1; then echo "-- cargo fmt"; cargo fmt --all --check; \
	else echo "-- cargo fmt skipped: rustfmt is not installed (rustup component add rustfmt)"; fi
	@if cargo clippy --version >/dev/null 2>&1; then echo "-- cargo clippy"; \
	cargo clippy --release --locked -- -D warnings; \
	for engine in $(ENGINES); do \
	cargo clippy --release --locked --no-default-features --features $$engine -- -D warnings; done; \
	cargo clippy --release --locked --package wasmrt-headers --package wasmrt-spec \
	--package wasmrt-c-api --package wasmrt-differential -- -D warnings; \
	else echo "-- cargo clippy skipped: it is not installed (rustup component add clippy)"; fi
	@scripts/check-licences

# What needs no engine, under what checks Rust's own code; docs/soundness.md says what for.
.PHONY: test-ownership test-miri
test-ownership:
	@scripts/test-ownership plain address thread

test-miri:
	@scripts/test-ownership miri

# Each engine alone proves that nothing outside its folder needs the other.
test-rust:
	@echo "-- cargo test, all engines (building them takes some minutes the first time)"
	@$(CARGO_TEST)
	@for engine in $(ENGINES); do \
	echo "-- cargo test, $$engine alone"; $(CARGO_TEST) --no-default-features --features $$engine; done
	@echo "-- the headers are what cbindgen makes of the sources (cargo run -p wasmrt-headers writes them)"
	@$(CARGO_TEST) --package wasmrt-headers

test-c: test-tools build
	@echo "-- ctest"
	@$(WITH_CMAKE) ctest --test-dir $(BUILD) --output-on-failure --parallel $(JOBS)

# A build tree for each engine; the slow kinds of tests stay with test-c.
test-c-alone:
	@for engine in $(ENGINES); do \
	echo "-- ctest, $$engine alone"; \
	$(CONFIGURE) -B $(BUILD)/$$engine -DWASMRT_BACKENDS=$$engine -DWASMRT_HAS_SANITIZERS=OFF >/dev/null; \
	$(WITH_CMAKE) cmake --build $(BUILD)/$$engine --parallel $(JOBS) -- --no-print-directory; \
	$(WITH_CMAKE) ctest --test-dir $(BUILD)/$$engine --output-on-failure --parallel $(JOBS) \
	--label-exclude '^(asan|valgrind|package|fuzz)$$'; done

test-spec: build
	@echo "-- the specification's test suite"
	@target/release/wasmrt-spec --check --library $(BUILD)/lib/libwasmrt.so

# An input that fails is left in $(BUILD).
FUZZ_TIME := 60
FUZZ_SEED := $(shell date +%s)
test-fuzz: build
	@for engine in $(ENGINES); do for fuzzer in api bytes; do for program in tests/fuzzer tests/asan/fuzzer; do \
	echo "-- $$program: $$fuzzer on $$engine, seed $(FUZZ_SEED)"; \
	WASMRT_BACKEND=$$engine $(BUILD)/$$program --fuzzer $$fuzzer --seconds $(FUZZ_TIME) --seed $(FUZZ_SEED) \
	--directory $(BUILD); done; done; done

# Other modules than ctest's, and more of them.
test-differential: COUNT ?= 100000
test-differential: SEED ?= 1000000
test-differential: build
	@echo "-- differential runs"
	@target/release/wasmrt-differential --library $(BUILD)/lib/libwasmrt.so --seed $(SEED) --count $(COUNT) \
	--output $(BUILD)/differences

test-tools:
	@scripts/install-test-tools

configure:
	@echo "-- configuring $(BUILD)/"
	@$(CONFIGURE) -B $(BUILD) >/dev/null

build: configure
	@echo "-- building (the engines take some minutes the first time)"
	@$(WITH_CMAKE) cmake --build $(BUILD) --parallel $(JOBS) -- --no-print-directory

clean:
	rm -rf $(BUILD) target

# What is compared with is fetched from package registries, and built: minutes, the first time.
.PHONY: bench bench-guard bench-program
bench: bench-program
	@benches/run.py

# A part of make test, too: instructions of the hot paths, compared with those in benches/expected-instructions.txt
bench-guard: bench-program
	@benches/guard.py

bench-program: test-tools configure
	@$(WITH_CMAKE) cmake --build $(BUILD) --target bench --target wasmrt-cargo -- --no-print-directory
