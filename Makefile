# The two commands that a clean clone needs are `make demo` and `make test`; all else is cargo and CMake as usual.
# Needed: Rust with cargo, gcc, make, python3 with pip, node with npm. `make setup` installs the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# cargo's profile: release is what is installed and measured, quick is the same without minutes of linking.
PROFILE := release
BUILD := $(if $(filter release,$(PROFILE)),build,build/$(PROFILE))
JOBS := $(shell nproc)
WITH_CMAKE := scripts/with-cmake
ENGINES := wasmtime wasmi
CONFIGURE := $(WITH_CMAKE) cmake -S . -G "Unix Makefiles" --log-level=WARNING \
	-DCMAKE_RULE_MESSAGES=OFF -DCMAKE_TARGET_MESSAGES=OFF
CARGO_TEST := cargo test --quiet --profile quick --locked
CLIPPY := cargo clippy --profile quick --locked
TOOLS := --package wasmrt-headers --package wasmrt-spec --package wasmrt-c-api --package wasmrt-differential

# cargo builds the same engines for every step below; only its diagnostics are worth reading
export CARGO_TERM_QUIET := true

.PHONY: help setup demo run-demo check test lint lint-rust lint-rust-alone lint-texts format abi notices headers
.PHONY: test-rust test-rust-alone test-headers test-ownership test-miri
.PHONY: test-c test-c-alone test-spec test-fuzz test-differential test-wasi-oracle test-tools build configure clean
.PHONY: bench bench-guard bench-program installed wheel test-bindings docs test-docs dist test-dist
.NOTPARALLEL:

help:
	@echo "make demo     build everything, run the hello example, a real module and Python on every engine"
	@echo "make check    what to run before each commit: formatting, lints, headers, ABI, unit tests; a minute or two"
	@echo "make test     all tests: lints, cargo's tests for each set of engines, then ctest likewise; half an hour"
	@echo "make setup    install what the tests use and this machine lacks"
	@echo "make build    the library, the examples and the C tests, in build/"
	@echo "make clean    remove build/ and target/"
	@echo "Parts of make test: make lint, test-headers, test-rust, test-rust-alone, test-ownership, test-c-alone, test-c"
	@echo "make test-c PROFILE=quick   the C tests in build/quick, with a library that links in seconds"
	@echo "make test-miri  the ownership tests under Miri, where that is installed"
	@echo "make test-spec  the specification's test suite alone (ctest runs it too), with its tables"
	@echo "make test-fuzz  fuzzing for longer: FUZZ_TIME=600 seconds for each fuzzer and engine, FUZZ_SEED=number"
	@echo "make test-differential  generated modules on both engines, compared: COUNT=100000 SEED=1000000"
	@echo "make test-wasi-oracle  what the tests of WASI expect, once more from wasmtime of PyPI"
	@echo "make bench      measures against other implementations of wasm.h, writes docs/performance.md; make bench-guard"
	@echo "make docs       the documents and the reference as a site, in build/site; make test-docs looks at it, too"
	@echo "make installed  the library, installed in build/prefix: what the packages for Python and Go are built over"
	@echo "make wheel      the Python package, in build/python/dist; make test-bindings tests it, and Go's package"
	@echo "make dist       archives, Debian packages, checksums, in build/dist; make test-dist installs and tries them"
	@echo "What is generated and committed: make headers, make abi, make notices; make format for the sources"
	@echo "Install afterwards: cmake --install build --prefix PREFIX"

setup:
	@scripts/setup

demo:
	@$(MAKE) --no-print-directory PROFILE=quick run-demo

run-demo: configure
	@echo "-- building (the engines take some minutes the first time)"
	@$(WITH_CMAKE) cmake --build $(BUILD) --target wasmrt-examples --parallel $(JOBS) -- --no-print-directory
	@$(WITH_CMAKE) cmake --build $(BUILD) --target run-hello -- --no-print-directory
	@$(WITH_CMAKE) cmake --build $(BUILD) --target run-source_map -- --no-print-directory
	@echo "-- Python (wasmtime compiles it first, for several seconds)"
	@$(WITH_CMAKE) cmake --build $(BUILD) --target run-python -- --no-print-directory

# The inner loop: with all engines only, and nothing that links for long.
check: lint-rust lint-texts test-headers test-rust
	@echo "-- make check passed"

# With all engines comes last: its summary closes the output.
test: test-tools lint test-headers test-rust test-rust-alone test-ownership test-c-alone test-c

lint: lint-rust lint-rust-alone lint-texts

lint-rust:
	@if cargo fmt --version >/dev/null 2>&1; then echo "-- cargo fmt"; cargo fmt --all --check; \
	else echo "-- cargo fmt skipped: rustfmt is not installed (make setup)"; fi
	@if cargo clippy --version >/dev/null 2>&1; then echo "-- cargo clippy"; \
	$(CLIPPY) -- -D warnings; $(CLIPPY) $(TOOLS) -- -D warnings; \
	else echo "-- cargo clippy skipped: it is not installed (make setup)"; fi

# Each engine alone proves that nothing outside its folder needs the other; the last has none but those that are loaded.
lint-rust-alone:
	@if cargo clippy --version >/dev/null 2>&1; then for engine in $(ENGINES) loaded; do \
	echo "-- cargo clippy, $$engine alone"; $(CLIPPY) --no-default-features --features $$engine -- -D warnings; done; fi

lint-texts:
	@scripts/check-arrows
	@scripts/check-arrows --control
	@scripts/check-lines
	@scripts/check-abi
	@scripts/check-abi --control
	@scripts/check-notices
	@if cargo deny --version >/dev/null 2>&1; then echo "-- cargo deny"; \
	cargo deny --log-level error --locked --workspace check licenses bans sources; \
	else echo "-- cargo deny skipped: it is not installed (make setup)"; fi
	@scripts/format-c --check

# What is generated, and committed.
format:
	@cargo fmt --all
	@scripts/format-c

headers:
	@cargo run --quiet --profile quick --locked --package wasmrt-headers

abi:
	@scripts/check-abi --write

notices:
	@if ! cargo about --version >/dev/null 2>&1; then \
	echo "cargo-about is needed: cargo install --locked cargo-about --features cli"; exit 1; fi
	@cargo about generate --locked --all-features --fail about.hbs -o THIRD-PARTY.txt
	@scripts/check-notices

test-headers:
	@echo "-- the headers are what cbindgen makes of the sources (make headers writes them)"
	@$(CARGO_TEST) --package wasmrt-headers

# What needs no engine, under what checks Rust's own code; docs/soundness.md says what for.
test-ownership:
	@scripts/test-ownership plain address thread

test-miri:
	@scripts/test-ownership miri

test-rust:
	@echo "-- cargo test, all engines (building them takes some minutes the first time)"
	@$(CARGO_TEST)

test-rust-alone:
	@for engine in $(ENGINES); do \
	echo "-- cargo test, $$engine alone"; $(CARGO_TEST) --no-default-features --features $$engine; done

test-c: test-tools build
	@echo "-- ctest"
	@$(WITH_CMAKE) ctest --test-dir $(BUILD) --output-on-failure --parallel $(JOBS)

# A build tree for each engine; the slow kinds of tests stay with test-c.
test-c-alone:
	@for engine in $(ENGINES); do \
	echo "-- ctest, $$engine alone"; \
	$(CONFIGURE) -B build/$$engine -DWASMRT_BACKENDS=$$engine -DWASMRT_CARGO_PROFILE=quick \
	-DWASMRT_HAS_SANITIZERS=OFF >/dev/null; \
	$(WITH_CMAKE) cmake --build build/$$engine --parallel $(JOBS) -- --no-print-directory; \
	$(WITH_CMAKE) ctest --test-dir build/$$engine --output-on-failure --parallel $(JOBS) \
	--label-exclude '^(asan|valgrind|package|fuzz|programs|loaded)$$'; done

test-spec: build
	@echo "-- the specification's test suite"
	@target/quick/wasmrt-spec --check --library $(BUILD)/lib/libwasmrt.so

# An input that fails is left in $(BUILD).
FUZZ_TIME := 60
FUZZ_SEED := $(shell date +%s)
test-fuzz: build
	@for engine in $(ENGINES); do for fuzzer in api bytes wasi; do for program in tests/fuzzer tests/asan/fuzzer; do \
	echo "-- $$program: $$fuzzer on $$engine, seed $(FUZZ_SEED)"; \
	WASMRT_BACKEND=$$engine $(BUILD)/$$program --fuzzer $$fuzzer --seconds $(FUZZ_TIME) --seed $(FUZZ_SEED) \
	--directory $(BUILD); done; done; done

# Other modules than ctest's, and more of them.
test-differential: COUNT ?= 100000
test-differential: SEED ?= 1000000
test-differential: build
	@echo "-- differential runs"
	@target/quick/wasmrt-differential --library $(BUILD)/lib/libwasmrt.so --seed $(SEED) --count $(COUNT) \
	--output $(BUILD)/differences

# What tests/wasi/suite expects, from wasmtime's own WASI again. The package comes from PyPI.
test-wasi-oracle: build
	@echo "-- the suite of WASI on wasmtime"
	@compgen -G "$(BUILD)/tests/wasi-libc/suite/*.preview1.wasm" >/dev/null || \
	{ echo "no programs of the suite were built: that takes a clang for wasm32-wasi (make setup)"; exit 1; }
	@python3 -m pip install --quiet --quiet --disable-pip-version-check --upgrade \
	--target $(BUILD)/wasi-oracle wasmtime==48.0.0
	@for program in $(BUILD)/tests/wasi-libc/suite/*.preview1.wasm; do \
	python3 tests/wasi/suite/suite.py $$program --oracle $(BUILD)/wasi-oracle 2>/dev/null; done

test-tools:
	@scripts/setup --tests

configure:
	@echo "-- configuring $(BUILD)/"
	@$(CONFIGURE) -B $(BUILD) -DWASMRT_CARGO_PROFILE=$(PROFILE) >/dev/null

build: configure
	@echo "-- building (the engines take some minutes the first time)"
	@$(WITH_CMAKE) cmake --build $(BUILD) --parallel $(JOBS) -- --no-print-directory

clean:
	rm -rf build target

# What is compared with is fetched from package registries, and built: minutes, the first time.
bench: bench-program
	@benches/run.py

# A part of make test, too: instructions of the hot paths, compared with those in benches/expected-instructions.txt
bench-guard: bench-program
	@benches/guard.py

bench-program: test-tools configure
	@$(WITH_CMAKE) cmake --build $(BUILD) --target bench --target wasmrt-cargo -- --no-print-directory

# Needs no library. Sphinx comes from PyPI, and the check of links from npm.
docs:
	@scripts/setup --docs
	@echo "-- the site (a minute or two)"
	@scripts/docs

test-docs: docs
	@echo "-- what the site shows"
	@tests/docs/site.py --control
	@tests/docs/site.py

# The packages for other languages, over a library that is installed.
installed: build
	@$(WITH_CMAKE) cmake --install $(BUILD) --strip --prefix $(BUILD)/prefix >/dev/null

wheel: installed
	@scripts/setup --bindings
	@echo "-- the Python package"
	@scripts/make-wheel $(BUILD)/prefix

test-bindings: wheel
	@scripts/test-python build/python/dist/*.whl
	@scripts/test-go $(BUILD)/prefix

# What a release has. The second installs it in a clean system and builds programs there; both say what they need.
dist:
	@scripts/setup --dist
	@scripts/dist --profile $(PROFILE)

test-dist:
	@scripts/test-dist $(CHECKS)
