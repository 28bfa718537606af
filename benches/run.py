#!/usr/bin/env python3
"""Compares wasmrt with other implementations of wasm.h, and writes docs/performance.md and docs/performance.svg.

Fetches and builds what it compares with, from package registries, into build/benches and build/peers; that takes some
minutes the first time. The figures stay in build/benches/results; --only measures some of them anew.
"""

import argparse
import csv
import datetime
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

import chart
import count

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build/benches"
RESULTS = WORK / "results"
PEERS = ROOT / "build/peers"
DOCS = ROOT / "docs"

# Modules to compile: 49 kB and 867 kB. And wasmtime's own libraries: of the newest version, and of the one that is ours.
FETCHED = {
    "source-map": WORK / "fetched/mappings.wasm",
    "large-module": WORK / "fetched/sqlite3.wasm",
    "wasmtime-50": WORK / "wasmtime-50/_libwasmtime.so",
    "wasmtime": WORK / "wasi/_libwasmtime.so",
}

# What is measured: label, what the tables call it, path, backend to choose.
LIBRARIES = [
    ("wasmrt-wasmtime", "wasmrt", ROOT / "build/lib/libwasmrt.so", "wasmtime"),
    ("own-wasmtime", "wasmtime 48's own", PEERS / "release/libpeer_wasmtime.so", None),
    ("wheel-wasmtime", "wasmtime 50's own (PyPI)", FETCHED["wasmtime-50"], None),
    ("floor-wasmtime", "floor", PEERS / "release/libfloors.so", "wasmtime"),
    ("wasmrt-wasmi", "wasmrt", ROOT / "build/lib/libwasmrt.so", "wasmi"),
    ("own-wasmi", "wasmi 2's own", PEERS / "release/libpeer_wasmi.so", None),
    ("floor-wasmi", "floor", PEERS / "release/libfloors.so", "wasmi"),
]
# The columns of each engine's tables, and the colours of its bars.
ENGINES = {
    "wasmtime": ["wasmrt-wasmtime", "own-wasmtime", "wheel-wasmtime", "floor-wasmtime"],
    "wasmi": ["wasmrt-wasmi", "own-wasmi", "floor-wasmi"],
}
COLOURS = {"wasmrt": "#0969da", "own": "#d1782f", "wheel": "#e3b07c", "floor": "#8c959f"}

ROWS = {
    "call_nothing": "`wasm_func_call` () → ()",
    "call_i32": "`wasm_func_call` i32 → i32",
    "call_mixed": "`wasm_func_call` (i32 i64 f32 f64) → i64",
    "call_pair": "`wasm_func_call` () → (i32 i64)",
    "call_arguments/16": "`wasm_func_call` 16 × i32 → i32",
    "callback_nothing": "host callback () → ()",
    "callback_i32": "host callback i32 → i32",
    "callback_arguments/16": "host callback 16 × i32 → i32",
    "unchecked_nothing": "`wasmrt_func_call_unchecked` () → ()",
    "unchecked_i32": "`wasmrt_func_call_unchecked` i32 → i32",
    "unchecked_mixed": "`wasmrt_func_call_unchecked` (i32 i64 f32 f64) → i64",
    "unchecked_callback_i32": "unchecked host callback i32 → i32",
    "batch_i32": "a row of `wasmrt_func_call_batch`, i32 → i32",
    "batch_mixed": "a row of `wasmrt_func_call_batch`, (i32 i64 f32 f64) → i64",
    "host_call": "`wasm_func_call` of a host function, i32 → i32",
    "global_get": "`wasm_global_get`",
    "global_set": "`wasm_global_set`",
    "memory_data": "`wasm_memory_data` and `_data_size`",
    "table_get": "`wasm_table_get` and delete",
    "table_set": "`wasm_table_set`",
    "func_copy": "`wasm_func_copy` and delete",
    "func_type": "`wasm_func_type` and delete",
    "exports/1": "`wasm_instance_exports`, 1 export, and delete",
    "exports/100": "`wasm_instance_exports`, 100 exports, and delete",
    "store": "store, new and delete",
    "engine": "engine, new and delete",
    "instance": "instance of a tiny module",
    "instance_data/1024": "instance with 1 MB of data",
    "instance_imports/100": "instance with 100 imports and 100 exports",
    "link/10": "instance with 10 imports and exports, linked by name",
    "link/100": "instance with 100 imports and exports, linked by name",
    "link/1000": "instance with 1,000 imports and exports, linked by name",
    "prepared/10": "prepared instance with 10 imports and exports",
    "prepared/100": "prepared instance with 100 imports and exports",
    "prepared/1000": "prepared instance with 1,000 imports and exports",
    "export/100": "one of 100 exports by name, and delete",
    "export_at/100": "one of 100 exports by position, and delete",
    "caller_memory": "host callback that looks up its caller's memory",
    "module/1": "module of one function",
    "module_medium": "module of 49 kB (source-map)",
    "module_large": "module of 867 kB (sqlite)",
    "serialize": "`wasm_module_serialize` of sqlite",
    "deserialize": "`wasm_module_deserialize` of sqlite",
    "mapped": "sqlite from a file that was compiled before",
    "cached": "`wasm_module_new` of sqlite that is in a cache",
}
NOT_COUNTED = {"module_medium", "module_large", "serialize", "deserialize", "mapped",
               "cached"}  # minutes under callgrind
GROWTH = {
    "call_arguments": "arguments of a call",
    "callback_arguments": "arguments of a callback",
    "exports": "exports listed",
    "instance_imports": "imports and exports of an instance",
    "module": "functions compiled",
}
GROWTH_STEPS = [1, 10, 100, 1000]

# Pages of 64 KiB: up to the largest memory.
MEMORY_STEPS = [1, 16, 256, 4096, 16384, 65536]

# WASI: on both engines, and in wasmtime's own C API, which is in the wheel of the same version.
WASI_LIBRARIES = [
    ("wasmrt-wasmtime", "wasmrt, wasmtime", ROOT / "build/lib/libwasmrt.so", "wasmtime"),
    ("wasmrt-wasmi", "wasmrt, wasmi", ROOT / "build/lib/libwasmrt.so", "wasmi"),
    ("wasi-wasmtime", "wasmtime 48's own (PyPI)", FETCHED["wasmtime"], None),
]
WASI_ROWS = {
    "wasi_clock": "`clock_time_get`",
    "wasi_random/8": "`random_get` of 8 bytes",
    "wasi_null/1": "`fd_write` of 1 byte to /dev/null",
    "wasi_write/1": "`fd_write` of 1 byte to a file",
    "wasi_read/1": "`fd_read` of 1 byte of a file",
    "wasi_write/65536": "`fd_write` of 64 KiB to a file",
    "wasi_read/65536": "`fd_read` of 64 KiB of a file",
    "wasi_stat": "`path_filestat_get`",
    "wasi_open": "`path_open` and `fd_close`",
    "wasi_list/1000": "`fd_readdir` of 1,000 entries",
    "hello": "a program that writes a line, from engine to exit",
}

# Engines that are loaded, each beside the same library alone.
LOADED_LIBRARIES = [
    ("wheel-wasmtime", "wasmtime 50 (PyPI)", FETCHED["wasmtime-50"], None),
    ("loaded-wasmtime", "loaded by wasmrt", ROOT / "build/lib/libwasmrt.so", FETCHED["wasmtime-50"]),
    ("own-wasmi", "wasmi 2's own", PEERS / "release/libpeer_wasmi.so", None),
    ("loaded-wasmi", "loaded by wasmrt", ROOT / "build/lib/libwasmrt.so", PEERS / "release/libpeer_wasmi.so"),
]
LOADED_ROWS = ["call_nothing", "call_i32", "call_mixed", "callback_nothing", "callback_i32"]

PARTS = ["sizes", "counts", "times", "growth", "startup", "memory", "memories", "threads", "loaded", "wasi"]


# ---------------------------------------------------------------------------------------------------------------------
# What to measure


def command(*arguments, **options):
    subprocess.run([str(argument) for argument in arguments], check=True, **options)


def prepare(parts):
    WORK.mkdir(parents=True, exist_ok=True)
    RESULTS.mkdir(exist_ok=True)
    print("-- fetching and building what to compare with (minutes, the first time)", flush=True)
    for name in ["wasmtime"] if parts == ["wasi"] else FETCHED:
        command(ROOT / "scripts/fetch", name, FETCHED[name].parent)
    if parts == ["wasi"]:
        return
    command("cargo", "build", "--quiet", "--release", "--locked", cwd=ROOT / "benches/peers",
            env=dict(os.environ, CARGO_TARGET_DIR=str(PEERS)))
    # Only its size is measured.
    command("cargo", "build", "--quiet", "--release", "--locked", "--no-default-features", "--features", "wasmi",
            "--package", "wasmrt", cwd=ROOT, env=dict(os.environ, CARGO_TARGET_DIR=str(WORK / "wasmi-alone")))


# ---------------------------------------------------------------------------------------------------------------------
# Measuring: each function writes tables of results


def arguments_of(labels=None, libraries=LIBRARIES):
    return [f"{label}={path}" + (f",WASMRT_BACKEND={backend}" if backend else "")
            for label, _, path, backend in libraries if labels is None or label in labels]


def without_floors():
    return [label for label, _, _, _ in LIBRARIES if not label.startswith("floor")]


def measure(bench, name, mode, *options, labels=None, libraries=LIBRARIES):
    print(f"-- {name}", flush=True)
    with open(RESULTS / f"{name}.tsv", "w") as file:
        command(bench, mode, *options, *arguments_of(labels, libraries), stdout=file)


def measure_times(bench, options):
    with tempfile.TemporaryDirectory(dir=WORK) as directory:
        measure(bench, "times", "times", "--rows", ",".join(ROWS), "--directory", directory, *options)


def measure_counts(bench):
    print("-- counts", flush=True)
    rows = [row for row in ROWS if row not in NOT_COUNTED]
    counts = count.count_all(bench, arguments_of(), rows)
    with open(RESULTS / "counts.tsv", "w") as file:
        print("row", "library", "instructions", sep="\t", file=file)
        for label, of_library in counts.items():
            for row, figure in of_library.items():
                print(row, label, figure if isinstance(figure, str) else round(figure), sep="\t", file=file)


def measure_wasi(bench, repetitions):
    print("-- wasi", flush=True)
    rows = ",".join(row for row in WASI_ROWS if row != "hello")
    arguments = ["--repetitions", repetitions, *arguments_of(libraries=WASI_LIBRARIES)]
    with tempfile.TemporaryDirectory(dir=WORK) as directory, open(RESULTS / "wasi.tsv", "w") as file:
        command(bench, "times", "--rows", rows, "--directory", directory, *arguments, stdout=file)
    with open(RESULTS / "hello.tsv", "w") as file:
        command(bench, "hello", *arguments, stdout=file)


def stripped_size(path):
    with tempfile.TemporaryDirectory() as directory:
        copy = pathlib.Path(directory, "library")
        shutil.copy(path, copy)
        command("strip", "--strip-unneeded", copy)
        return copy.stat().st_size


def measure_sizes():
    libraries = {
        "wasmrt, both engines": ROOT / "build/lib/libwasmrt.so",
        "wasmrt, wasmi alone": WORK / "wasmi-alone/release/libwasmrt.so",
        "wasmtime 48's own C API": PEERS / "release/libpeer_wasmtime.so",
        "wasmtime 50's own C API (PyPI)": FETCHED["wasmtime-50"],
        "wasmi 2's own C API": PEERS / "release/libpeer_wasmi.so",
    }
    with open(RESULTS / "sizes.tsv", "w") as file:
        print("library", "bytes", sep="\t", file=file)
        for name, path in libraries.items():
            print(name, stripped_size(path), sep="\t", file=file)


def measure_parts(bench, parts, repetitions):
    repeated = ["--repetitions", str(repetitions)]
    times = [*repeated, "--medium", FETCHED["source-map"], "--large", FETCHED["large-module"]]
    growth = ",".join(f"{row}/{step}" for row in GROWTH for step in GROWTH_STEPS)
    memories = ",".join(f"instance_memory/{step}" for step in MEMORY_STEPS)
    steps = {
        "sizes": measure_sizes,
        "counts": lambda: measure_counts(bench),
        "times": lambda: measure_times(bench, times),
        "growth": lambda: measure(bench, "growth", "times", "--rows", growth, *repeated, labels=without_floors()),
        "startup": lambda: measure(bench, "startup", "startup", *repeated, labels=without_floors()),
        "memory": lambda: measure(bench, "memory", "memory", labels=without_floors()),
        # The largest take seconds.
        "memories": lambda: measure(bench, "memories", "times", "--rows", memories, "--repetitions", "5",
                                    "--milliseconds", "100", labels=without_floors()),
        "threads": lambda: measure(bench, "threads", "threads", "--repetitions", "5", labels=without_floors()),
        "loaded": lambda: measure(bench, "loaded", "times", "--rows", ",".join(LOADED_ROWS), *repeated,
                                  libraries=LOADED_LIBRARIES),
        "wasi": lambda: measure_wasi(bench, repetitions),
    }
    for part in parts:
        steps[part]()
    (RESULTS / "when").write_text(datetime.date.today().isoformat())


# ---------------------------------------------------------------------------------------------------------------------
# Reporting


def read(name):
    """The lines of a table, as dictionaries."""
    with open(RESULTS / f"{name}.tsv", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def figure(words):
    """A number, or what went wrong instead."""
    try:
        return float(words)
    except (TypeError, ValueError):
        return words


def grouped(number):
    return f"{number:,.0f}"


def duration(nanoseconds):
    if not isinstance(nanoseconds, float):
        return nanoseconds or "–"
    for unit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if nanoseconds >= unit:
            return f"{nanoseconds / unit:.3g} {name}"
    return f"{nanoseconds:.3g} ns"


def ratio(ours, theirs):
    """The ratio of theirs to ours; bold if ours is worse."""
    if not isinstance(ours, float) or not isinstance(theirs, float) or ours == 0:
        return "–"
    words = f"{theirs / ours:.2g}×" if theirs / ours < 10 else f"{theirs / ours:.0f}×"
    return f"**{words}**" if theirs < ours * 0.995 else words


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def title_of(label):
    return next(title for candidate, title, _, _ in LIBRARIES if candidate == label)


def counts_by_library():
    counts = {}
    for row in read("counts"):
        counts.setdefault(row["library"], {})[row["row"]] = figure(row["instructions"])
    return counts


def counts_table(engine, counts):
    ours, own, *_, floor = ENGINES[engine]
    others = ENGINES[engine][1:-1]
    header = ["operation", "wasmrt", *map(title_of, others), "its own ÷ wasmrt", "floor", "wasmrt ÷ floor"]
    rows = []
    for row, title in ROWS.items():
        if row in NOT_COUNTED:
            continue
        figures = {label: counts[label].get(row) for label in ENGINES[engine]}

        def shown(label):
            return grouped(figures[label]) if isinstance(figures[label], float) else figures[label] or "–"

        of_floor = (f"{figures[ours] / figures[floor]:.2f}"
                    if isinstance(figures[ours], float) and isinstance(figures[floor], float) else "–")
        rows.append([title, shown(ours), *map(shown, others), ratio(figures[ours], figures[own]),
                     shown(floor).replace("missing", "–"), of_floor])
    return table(header, rows)


def times_table(engine):
    ours, own, *_, floor = ENGINES[engine]
    times = {(row["row"], row["library"]): (figure(row["minimum_ns"]), figure(row["median_ns"]))
             for row in read("times")}

    def shown(row, label):
        minimum, median = times[row, label]
        return f"{duration(minimum)} / {duration(median)}" if isinstance(minimum, float) else minimum

    return table(["operation", *(title_of(label) for label in ENGINES[engine]), "its own ÷ wasmrt"],
                 [[title, *(shown(row, label).replace("missing", "–") for label in ENGINES[engine]),
                   ratio(times[row, ours][1], times[row, own][1])] for row, title in ROWS.items()])


VALIDATED = ("it takes 1 to 3 % more of the processor's time, because the whole module is validated before any of it is compiled, "
             "and what compiling will cost is estimated, so that hostile modules are refused. The rest is not explained: on "
             "one processor both take as long, but two threads share the work less evenly than with the engine's own C API.")
EAGER = ("all functions are translated at once. The engine's own C API translates a function when it is first called, where a "
         "defect of the translator ends the process in the middle of a call. For trusted modules, "
         "`WASMRT_COMPILER=lazy-translation` translates that late, too.")
AN_INSTANCE = ("an instance is an object with identity, host info and a finalizer, and deletions by other threads are counted: "
               "some 0.1 µs.")

# Why rows take longer than with the engine's own C API, where they do. The page shows these only then. By the engine and the
# row, or by the row alone if the reason is the same for both.
REASONS = {
    ("wasmi", "call_nothing"):
        "each entry compares the stack pointer with the thread's bounds and looks at the floating-point mode. The engine's own C "
        "API does neither: there a recursion through the host ends the process, and a host's mode changes what a guest computes.",
    ("wasmi", "call_arguments/16"):
        "so many values go through the engine's general interface, as they do there; before that, wasmrt compares the kind of "
        "each argument.",
    "global_get":
        "wasmrt reports NULL and an object of another kind, with which the engine's own C API crashes: a nanosecond or two.",
    "global_set":
        "wasmrt reports NULL, an object of another kind, a constant global and a value of another type, with which the engine's "
        "own C API crashes or does nothing: a nanosecond or two.",
    "table_get":
        "a function that comes out of a table is the same object each time, with its host info, so it is looked up. Any thread "
        "may delete it, as garbage-collected languages do, so handles are counted with four locked instructions.",
    "table_set":
        "wasmrt first checks that the element is of the table's type and of its store, and reports it if not: some 3 ns.",
    "exports/100":
        "any thread may delete what is listed, so each handle is counted with a locked instruction when it is made and when it "
        "is deleted.",
    "store":
        "what is in a store has identity, host info and finalizers, and may be deleted in any order, twice, by any thread, and "
        "while a call runs. A store has room for all of that: less than 0.1 µs.",
    "engine":
        "each new engine reads the environment variables, and keeps the settings and limits of its modules. A program rarely "
        "makes more than one.",
    "instance": AN_INSTANCE,
    ("wasmtime", "instance_data/1024"): AN_INSTANCE,
    "instance_imports/100":
        "before the engine sees them, each import's kind, type and store are compared with what the module needs, so that the "
        "message names the one that is wrong; and the instance keeps them.",
    "prepared/1000":
        "the instance keeps each import alive until it is gone, and each export has an object, with 48 instructions for each.",
    "mapped":
        "the file's checksum is compared first, because the engine would run damaged code, and that reads all of it. The engine's "
        "own C API maps it, and reads a page when it is used.",
    **{("wasmtime", row): VALIDATED for row in ("module/1", "module_medium", "module_large")},
    **{("wasmi", row): EAGER for row in ("module/1", "module_medium", "module_large")},
    "serialize": "a checksum is added by which damage is noticed: 30 µs for each megabyte.",
    "deserialize":
        "the checksum is compared first, because the engine would run damaged code: 30 µs for each megabyte. And imports and "
        "exports are read in the module's order.",
}


def reasons(engine):
    """What the page says about rows that take longer than with the engine's own C API."""
    ours, own, *_ = ENGINES[engine]
    medians = {(row["row"], row["library"]): figure(row["median_ns"]) for row in read("times")}
    lines = []
    for row, title in ROWS.items():
        words = ratio(medians[row, ours], medians[row, own])
        if words.startswith("**"):
            reason = REASONS.get((engine, row)) or REASONS.get(row) or "**not explained yet.**"
            lines.append(f"- {title}, {words}: {reason}")
    return ["Why some take longer than with the engine's own C API:", "", *lines, ""] if lines else []


# The aim of each row: greatest number of instructions, and least ratio to the engine's own C API.
# (engine, rows, times the floor, instructions, times fewer than its own C API)
AIMS = [
    ("wasmtime", ["call_nothing", "call_i32", "call_mixed", "call_pair"], 1.3, None, None),
    ("wasmtime", ["call_i32"], None, None, 6),
    ("wasmtime", ["callback_i32"], None, 100, 9),
    ("wasmtime", ["host_call"], None, 80, None),
    ("wasmi", ["call_nothing", "call_i32", "call_mixed", "call_pair"], 1.15, None, 1.7),
    ("wasmi", ["callback_nothing", "callback_i32"], 1.3, None, 3.5),
    ("wasmi", ["host_call"], None, 80, None),
]


def aims_table(counts):
    rows = []

    def add(engine, name, aim, measured, reached):
        rows.append([engine, ROWS[name], aim, measured, "reached" if reached else "**missed**"])

    for engine, names, of_floor, most, fewer in AIMS:
        ours, own, *_, floor = ENGINES[engine]
        for name in names:
            found, floor_found, own_found = counts[ours][name], counts[floor].get(name), counts[own].get(name)
            if of_floor and isinstance(floor_found, float):
                share = found / floor_found
                add(engine, name, f"≤ {of_floor} × floor", f"{share:.2f}", share <= of_floor)
            if most:
                add(engine, name, f"≤ {most} instructions", grouped(found), found <= most)
            if fewer and isinstance(own_found, float):
                share = own_found / found
                add(engine, name, f"≥ {fewer} × fewer than its own", f"{share:.1f}", share >= fewer)
    return table(["engine", "operation", "aim", "measured", ""], rows)


def slower_rows(counts):
    """Rows for which an engine's own C API takes fewer instructions."""
    return [f"- {engine}: {ROWS[row]}: {grouped(found)} against {grouped(counts[ENGINES[engine][1]][row])}"
            for engine in ENGINES for row, found in counts[ENGINES[engine][0]].items()
            if isinstance(found, float) and isinstance(counts[ENGINES[engine][1]].get(row), float)
            and counts[ENGINES[engine][1]][row] < found * 0.995]


def name_of(label):
    """For tables that have all engines in one column."""
    kind, engine = label.split("-", 1)
    return f"wasmrt, {engine}" if kind == "wasmrt" else title_of(label)


def startup_section():
    header = ["", "loaded", "+ engine and store", "+ module", "+ instance and first result", "resident memory"]
    rows = []
    for row in read("startup"):
        stages = [figure(row[name]) for name in ("loaded_us", "store_us", "module_us", "result_us")]
        resident = figure(row["resident_bytes"])
        rows.append([name_of(row["library"]),
                     *(duration(stage * 1e3) if isinstance(stage, float) else stage for stage in stages),
                     f"{resident / 1e6:.1f} MB" if isinstance(resident, float) else resident])
    return table(header, rows)


def memory_section():
    columns = [(name, number) for name in ("store", "instance") for number in (1, 1000, 100000)]
    cells = {(row["object"], int(row["count"]), row["library"]):
             (figure(row["resident_each"]), figure(row["private_each"])) for row in read("memory")}

    def shown(each):
        if not isinstance(each[0], float):
            return each[0]
        resident, private = (f"{size / 1e6:.2f} MB" if size >= 1e5 else f"{grouped(size)} B" for size in each)
        return f"{resident} ({private})" if each[0] >= 1e5 else resident

    header = ["", "first store", "of 1,000 stores", "of 100,000", "first instance", "of 1,000 instances", "of 100,000"]
    return table(header, [[name_of(label), *(shown(cells[(*column, label)]) for column in columns)]
                          for label in without_floors()])


def memories_table():
    cells = {(row["row"], row["library"]): figure(row["minimum_ns"]) for row in read("memories")}
    names = [f"{step >> 14} GiB" if step >> 14 else f"{step >> 4} MiB" if step >> 4 else f"{step << 6} KiB"
             for step in MEMORY_STEPS]
    return table(["Memory of", *names],
                 [[name_of(label), *(duration(cells[f"instance_memory/{step}", label]) for step in MEMORY_STEPS)]
                  for label in without_floors()])


def loaded_table():
    cells = {(row["row"], row["library"]): figure(row["minimum_ns"]) for row in read("loaded")}
    pairs = list(zip(LOADED_LIBRARIES[::2], LOADED_LIBRARIES[1::2]))
    rows = []
    for row in LOADED_ROWS:
        figures = []
        for (alone, *_), (loaded, *_) in pairs:
            both = cells[row, alone], cells[row, loaded]
            more = both[1] - both[0] if all(isinstance(each, float) for each in both) else "–"
            figures += [*map(duration, both), f"{more:.1f} ns" if isinstance(more, float) else more]
        rows.append([ROWS[row], *figures])
    header = ["operation", *(title for pair in pairs for title in (pair[0][1], pair[1][1], "more"))]
    return table(header, rows)


def threads_section():
    cells = {}
    for row in read("threads"):
        cells.setdefault((row["operation"], row["library"]), []).append((row["threads"], figure(row["per_second"])))
    lines = []
    for operation, title in (("call", "Million calls a second"), ("instance", "Million instances a second")):
        numbers = [threads for threads, _ in cells[operation, "wasmrt-wasmi"]]
        header = [title, *(f"{threads} thread{'s' * (threads != '1')}" for threads in numbers)]
        lines += table(header, [
            [name_of(label), *(f"{number / 1e6:.3g}" if isinstance(number, float) else number
                               for _, number in cells[operation, label])]
            for label in without_floors()])
    return lines


def growth_table():
    cells = {(row["row"], row["library"]): figure(row["minimum_ns"]) for row in read("growth")}
    lines = []
    for row, title in GROWTH.items():
        header = [title[0].upper() + title[1:], *map(grouped, GROWTH_STEPS)]
        lines += table(header, [[name_of(label), *(duration(cells[f"{row}/{step}", label]) for step in GROWTH_STEPS)]
                                for label in without_floors()])
    return lines


def wasi_table():
    times = {(row["row"], row["library"]): (figure(row["minimum_ns"]), figure(row["median_ns"]))
             for row in read("wasi") + read("hello")}
    *ours, own = [label for label, _, _, _ in WASI_LIBRARIES]

    def shown(row, label):
        minimum, median = times[row, label]
        return f"{duration(minimum)} / {duration(median)}" if isinstance(minimum, float) else minimum

    header = ["operation", *(title for _, title, _, _ in WASI_LIBRARIES), "its own ÷ wasmrt, wasmtime",
              "its own ÷ wasmrt, wasmi"]
    return table(header, [[title, *(shown(row, label) for label in (*ours, own)),
                           *(ratio(times[row, label][1], times[row, own][1]) for label in ours)]
                          for row, title in WASI_ROWS.items()])


def sizes_table():
    return table(["stripped library", "size"],
                 [[row["library"], f"{float(row['bytes']) / 1e6:.2f} MB"] for row in read("sizes")])


def summary_table():
    """The page in a few lines. A figure of wasmrt's, its engine's own C API's, and how many times better ours is."""
    times = {(row["row"], row["library"]): figure(row["minimum_ns"]) for row in read("times")}
    start = {row["library"]: figure(row["result_us"]) for row in read("startup")}
    memories = {(row["row"], row["library"]): figure(row["minimum_ns"]) for row in read("memories")}
    calls = {(int(row["threads"]), row["library"]): figure(row["per_second"])
             for row in read("threads") if row["operation"] == "call"}
    cores = max(threads for threads, _ in calls if threads <= max(os.cpu_count(), 1))
    shown = {
        "a call, i32 → i32": lambda label: times["call_i32", label],
        "a callback, i32 → i32": lambda label: times["callback_i32", label],
        "a store, new and deleted": lambda label: times["store", label],
        "an instance of a tiny module": lambda label: times["instance", label],
        "an instance with 100 imports and exports": lambda label: times["instance_imports/100", label],
        "compiling 867 kB (sqlite)": lambda label: times["module_large", label],
        "an instance with a memory of 16 MiB": lambda label: memories["instance_memory/256", label],
        "from loading the library to the first result":
            lambda label: start[label] * 1e3 if isinstance(start[label], float) else start[label],
    }
    rows = []
    for title, of in shown.items():
        figures = [of(label) for labels in ENGINES.values() for label in labels[:2]]
        rows.append([title, *map(duration, figures[:2]), ratio(*figures[:2]),
                     *map(duration, figures[2:]), ratio(*figures[2:])])
    figures = [calls[cores, label] for labels in ENGINES.values() for label in labels[:2]]
    millions = [f"{number / 1e6:.3g}" if isinstance(number, float) else number for number in figures]
    rows.append([f"million calls a second, {cores} threads",
                 *millions[:2], ratio(*reversed(figures[:2])), *millions[2:], ratio(*reversed(figures[2:]))])
    header = ["", *(words for engine in ENGINES for words in (f"wasmrt, {engine}", f"{engine}'s own", "better"))]
    return table(header, rows)


def processor():
    names = re.findall(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def draw(counts):
    width = 1000
    series = {label: COLOURS[label.split("-")[0]] for label, _, _, _ in LIBRARIES}
    parts = [chart.text(20, 30, "User instructions of one operation", 18, weight="bold"),
             chart.text(20, 48, "logarithmic scales; shorter is better", 12, fill=chart.FAINT)]
    parts += chart.legend(420, 30, [(COLOURS["wasmrt"], "wasmrt"), (COLOURS["own"], "the engine's own C API"),
                                    (COLOURS["wheel"], "wasmtime 50's (PyPI)"),
                                    (COLOURS["floor"], "floor: its Rust API")])
    height = 0
    for i, (engine, labels) in enumerate(ENGINES.items()):
        rows = []
        for row in ROWS:
            if row in NOT_COUNTED:
                continue
            figures = [counts[label].get(row) for label in labels]
            rows.append((ROWS[row].replace("`", "").replace("wasm_", ""),
                         [number if isinstance(number, float) and number > 0 else None for number in figures]))
        panel, panel_height = chart.bars(20 + i * 490, 70, 480, engine, rows, [series[label] for label in labels])
        parts += panel
        height = max(height, 70 + panel_height)

    # How costs grow: ours drawn through, others dashed; the engines differ by shade.
    top = height + 40
    shades = {"wasmrt-wasmtime": COLOURS["wasmrt"], "own-wasmtime": COLOURS["own"],
              "wasmrt-wasmi": "#1a7f37", "own-wasmi": "#bf3989"}
    parts.append(chart.text(20, top, "How costs grow: ns of one operation (minimum)", 18, weight="bold"))
    parts += chart.legend(20, top + 22, [(colour, name_of(label)) for label, colour in shades.items()])
    cells = {(row["row"], row["library"]): figure(row["minimum_ns"]) for row in read("growth")}
    charts = []
    for row, title in GROWTH.items():
        curves = []
        for label, colour in shades.items():
            points = [(step, cells[f"{row}/{step}", label]) for step in GROWTH_STEPS]
            curves.append(([point for point in points if isinstance(point[1], float)], colour,
                           not label.startswith("wasmrt")))
        charts.append((title, curves))
    for operation, title in (("call", "calls a second, by threads"), ("instance", "instances a second, by threads")):
        curves = []
        for label, colour in shades.items():
            points = [(float(row["threads"]), figure(row["per_second"])) for row in read("threads")
                      if row["operation"] == operation and row["library"] == label]
            curves.append(([point for point in points if isinstance(point[1], float)], colour,
                           not label.startswith("wasmrt")))
        charts.append((title, curves))
    cells = {(row["row"], row["library"]): figure(row["minimum_ns"]) for row in read("memories")}
    curves = []
    for label, colour in shades.items():
        points = [(step, cells[f"instance_memory/{step}", label]) for step in MEMORY_STEPS]
        curves.append(([point for point in points if isinstance(point[1], float)], colour,
                       not label.startswith("wasmrt")))
    charts.append(("an instance, by pages of memory", curves))
    for i, (title, curves) in enumerate(charts):
        parts += chart.lines(20 + i % 4 * 242, top + 44 + i // 4 * 200, 236, 190, title, curves)
    return chart.picture(width, top + 44 + (len(charts) + 3) // 4 * 200, parts)


TIMES = """\
Minimum / median CPU time of one operation; wall time for modules, because compilers use several threads. A word such
as “aborts” says what happened instead."""

STARTUP = """\
From `dlopen` to the first result of a small module, in a fresh process: median wall time since the start, and how much
resident memory the process has gained at the end."""

MEMORY = """\
Resident bytes, with the process's private bytes in brackets; the others are pages of the library, which processes share.
The first store includes its engine, and the first instance also its store and module. The columns for many give what
each of them adds. Instances are of a module with one function, a thousand in one store."""

MEMORIES = """\
Minimum CPU time of an instance with a memory of this size, and of its store, both made and deleted."""

LOADED = """\
Minimum CPU time through a library alone, and through wasmrt with the same library as its [engine](engines.md)."""

WASI = """\
Minimum / median time of one call, which a guest makes in a loop, in turns with wasmtime's own C API, from the PyPI wheel
of its version 48. It is CPU time for the clock and for random bytes. It is wall time for what may have to wait, because
wasmtime's own hands files to other threads and the guest waits for them; files are in the system's cache. The program
runs in a fresh process each time, with the library loaded. A ratio in bold means that wasmrt is slower."""


def report():
    counts = counts_by_library()
    slower = slower_rows(counts)
    notes = pathlib.Path(__file__).with_name("notes.md").read_text().strip()
    page = f"""\
# Performance

What operations of `wasm.h` cost with wasmrt, compared with the engines' own C APIs and with the floor: the cheapest way
that each engine's public Rust interface offers (`call_unchecked`, `Func::wrap`, prepared instances). `make bench` writes
this page and its picture; [benches/README.md](../benches/README.md) says how it measures.

Measured on {(RESULTS / "when").read_text().strip()}: {processor()}. Times depend on what else the machine
does; trust the instructions (in user space, counted by callgrind) and the ratios within one run. The engines' own C APIs
are built like wasmrt, with the same features and optimisation; the library of the PyPI wheel is as its authors built it.

## In a minute

The shortest time of one operation, and how many times better wasmrt is than the same engine's own C API. Bold is where it is
worse; below the [times](#times) is why.

""".splitlines()
    page += summary_table()
    page += """\
![Bars and curves of the tables below](performance.svg)

## Instructions

User instructions of one operation. A ratio in bold means that wasmrt takes more than the engine's own C API.

""".splitlines()
    for engine in ENGINES:
        page += [f"### Instructions, {engine}", "", *counts_table(engine, counts)]
    page += ["## The aims", "", *aims_table(counts)]
    page += ["wasmrt takes more instructions than the engine's own C API for:", "", *(slower or ["- none"]), "", notes, ""]
    page += ["## Times", "", TIMES, ""]
    for engine in ENGINES:
        page += [f"### Times, {engine}", "", *times_table(engine), *reasons(engine)]
    page += ["## Start-up", "", STARTUP, "", *startup_section()]
    page += ["## Memory", "", MEMORY, "", *memory_section()]
    page += ["## Memories by size", "", MEMORIES, "", *memories_table()]
    page += ["## Threads", "", "Each thread has its own store, in one engine. Medians.", "", *threads_section()]
    page += ["## Growth", "", "Minimum time of one operation, depending on the number in the heading.", "", *growth_table()]
    page += ["## Engines that are loaded", "", LOADED, "", *loaded_table()]
    page += ["## WASI", "", WASI, "", *wasi_table()]
    page += ["## Size", "", *sizes_table()]
    DOCS.mkdir(exist_ok=True)
    (DOCS / "performance.md").write_text("\n".join(page).rstrip() + "\n")
    (DOCS / "performance.svg").write_text(draw(counts))
    print("written: docs/performance.md, docs/performance.svg")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", type=pathlib.Path, default=WORK / "bench", help="the benchmark program")
    parser.add_argument("--repetitions", type=int, default=21)
    parser.add_argument("--only", metavar="PART,...", help=f"of {', '.join(PARTS)}; empty: only write the pages")
    options = parser.parse_args()
    parts = PARTS if options.only is None else [part for part in options.only.split(",") if part]
    if parts:
        prepare(parts)
        measure_parts(options.bench.resolve(), parts, options.repetitions)
    if parts == ["wasi"]:
        print("\n".join(wasi_table()), end="")
    if all((RESULTS / f"{part}.tsv").exists() for part in PARTS):
        report()
    else:
        print("docs/performance.md is written when all parts have been measured")


if __name__ == "__main__":
    main()
