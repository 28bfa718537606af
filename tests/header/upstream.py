#!/usr/bin/env python3
"""Compares include/wasm.h with the upstream header, and shows with damaged copies that the comparison can fail.

The upstream header comes out of the crates.io package `wasmtime-c-api-impl`, by scripts/fetch; nothing of that is
compiled.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from c_header import COMPILER, Header, compile_c, preprocess

FETCH = pathlib.Path(__file__).resolve().parents[2] / "scripts/fetch"
FUNCTION_COUNT = 293

# They write declarations inside upstream's header with a macro `own` that is gone at its end: no program can use them.
INTERNAL_MACROS = re.compile(r"WASM_DECLARE_\w+")


def fetch_upstream(cargo, directory):
    """Puts upstream's headers into `directory`. Ends the program if that fails, as skipped if there is no registry."""
    status = subprocess.run([sys.executable, str(FETCH), "upstream", str(directory)],
                            env={**os.environ, "CARGO": cargo}).returncode
    if status != 0:
        sys.exit(status)


def missing_names(ours, upstream):
    """Functions, helpers, macros, constants and types that only one of the headers has."""
    for name in upstream.functions.keys() - ours.functions.keys():
        yield f"{name}: function is missing"
    for name in ours.functions.keys() - upstream.functions.keys():
        yield f"{name}: function is not in the standard"
    for name in upstream.inlines.keys() - ours.inlines.keys():
        yield f"{name}: static inline helper is missing"
    for name in upstream.constants.keys() - ours.constants.keys():
        yield f"{name}: constant is missing"
    for name in upstream.typedefs.keys() - ours.typedefs.keys() - ours.structs.keys():
        yield f"{name}: type is missing"
    for name in upstream.structs.keys() - ours.structs.keys():
        yield f"{name}: struct is missing"
    for name in upstream.enums.keys() - ours.enums.keys():
        yield f"enum {name}: is missing"
    for name in upstream.macros.keys() - ours.macros.keys():
        if not INTERNAL_MACROS.fullmatch(name):
            yield f"{name}: macro is missing"
    for name in ours.macros.keys() - upstream.macros.keys():
        if not name.lower().startswith("wasm"):
            yield f"{name}: macro is left behind in the program's name space"


def measure(upstream, include_directory, directory):
    """Numbers that the compiler finds in the header in `include_directory`: {what: number}, or (None, diagnostics)."""
    expressions = []
    for struct, fields in upstream.structs.items():
        expressions += [f"sizeof({struct})", f"_Alignof({struct})"]
        for path, _ in fields:
            expressions += [f"offsetof({struct}, {path})", f"sizeof((({struct}*)0)->{path})"]
    for tag, constants in upstream.enums.items():
        expressions += [f"sizeof(enum {tag})", *constants]
    expressions += list(upstream.constants)
    lines = "".join(f'  printf("%s=%lld\\n", "{e}", (long long)({e}));\n' for e in expressions)
    source = f"#include <wasm.h>\n#include <stdio.h>\nint main(void) {{\n{lines}  return 0;\n}}\n"
    program = directory / "measure"
    succeeded, diagnostics = compile_c(["-std=c11", f"-I{include_directory}", "-o", str(program)], source)
    if not succeeded:
        return None, diagnostics
    output = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    return dict(line.rsplit("=", 1) for line in output.splitlines()), ""


def type_unit(upstream):
    """A translation unit that includes the judged header, then repeats upstream's declarations: where a type differs,
    the compiler objects. Names that are missing are found elsewhere."""
    yield "#include <wasm.h>"
    for name in upstream.structs:
        yield f"typedef struct {name} {name};"
    yield from upstream.typedefs.values()
    for prototype in (*upstream.functions.values(), *upstream.inlines.values()):
        yield f"{prototype};"
    for name, type_name in upstream.constants.items():
        yield (f'_Static_assert(__builtin_types_compatible_p(__typeof__(&{name}), const {type_name}*), '
               f'"{name}: another type");')
    for struct, fields in upstream.structs.items():
        for path, type_name in fields:
            if type_name:
                yield (f"_Static_assert(__builtin_types_compatible_p(__typeof__(&(({struct}*)0)->{path}), "
                       f'__typeof__({type_name})*), "{struct}.{path}: another type");')


def errors(diagnostics):
    return [line.split("error: ", 1)[1] for line in diagnostics.splitlines() if "error: " in line]


def judge(include_directory, upstream, library_directory, helpers):
    """What is wrong with the wasm.h in `include_directory`: a list of messages, empty if nothing is."""
    findings = []
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        ours = Header(include_directory / "wasm.h")
        findings += sorted(missing_names(ours, upstream))

        expected, _ = measure(upstream, upstream.include_directory, directory)
        measured, diagnostics = measure(upstream, include_directory, directory)
        if measured is None:
            findings += errors(diagnostics)
        else:
            findings += [f"{what} is {measured[what]}, upstream has {number}"
                         for what, number in expected.items() if measured[what] != number]

        _, diagnostics = compile_c(
            ["-std=c11", "-fsyntax-only", f"-I{include_directory}"], "\n".join(type_unit(upstream)) + "\n")
        findings += errors(diagnostics)

        marked = preprocess(ours.path, include_directory, "-DWASM_API_EXTERN=api_extern").count("api_extern")
        if marked != len(upstream.functions):
            findings.append(f"WASM_API_EXTERN: {marked} of {len(upstream.functions)} functions are declared with it")

        program = directory / "helpers"
        succeeded, diagnostics = compile_c(
            ["-std=c11", "-Werror=implicit-function-declaration", f"-I{include_directory}", str(helpers), "-o",
             str(program), f"-L{library_directory}", f"-Wl,-rpath,{library_directory}", "-lwasmrt"])
        if succeeded:
            run = subprocess.run([program], capture_output=True, text=True)
            findings += run.stdout.splitlines()
            if run.returncode not in (0, 1):
                findings.append(f"the program that uses the helpers ended with status {run.returncode}")
        else:
            findings += errors(diagnostics) or [diagnostics]
    return list(dict.fromkeys(findings))  # the compiler says some things once for each use


END = r"(#endif[^\n]*\s*)\Z"  # the end of the include guard

# (what is damaged, pattern, replacement, what a finding has to name). The patterns fit upstream's way of writing and
# cbindgen's; a pattern that fits nothing fails the test.
DAMAGES = [
    ("parameter type", r"(\bwasm_table_grow\s*\([^;]*?)wasm_table_size_t", r"\1uint64_t", "wasm_table_grow"),
    ("constness of a parameter", r"(\bwasm_memory_size\s*\(\s*)const ", r"\1", "wasm_memory_size"),
    ("constness of a result", r"const ((?:struct )?wasm_valtype_vec_t\s*\*\s*wasm_functype_params\b)", r"\1",
     "wasm_functype_params"),
    ("result type", r"\bbool (wasm_module_validate\s*\()", r"int \1", "wasm_module_validate"),
    ("missing parameter", r"(\bwasm_module_deserialize\s*\()[^,;]*,\s*", r"\1", "wasm_module_deserialize"),
    ("missing function", r"\bwasm_frame_func_offset\b", "wasm_frame_renamed", "wasm_frame_func_offset"),
    ("function that is not in the standard", END, r"int wasm_invented(void);\n\1", "wasm_invented"),
    ("enum value", r"\bWASM_EXTERNREF = 128\b", "WASM_EXTERNREF = 127", "WASM_EXTERNREF"),
    ("order of an enum", r"\bWASM_EXTERN_TABLE\b([^}]*?)\bWASM_EXTERN_MEMORY\b",
     r"WASM_EXTERN_MEMORY\1WASM_EXTERN_TABLE", "WASM_EXTERN_TABLE"),
    ("order of fields", r"uint32_t min;([^}]*?)uint32_t max;", r"uint32_t max;\1uint32_t min;", "wasm_limits_t"),
    ("type of a field, same size", r"\bint32_t i32;", "uint32_t i32;", "wasm_val_t.of.i32"),
    ("width of a kind", r"typedef uint8_t wasm_valkind_t;", "typedef uint32_t wasm_valkind_t;", "wasm_valkind_t"),
    ("callback type", r"(\(\*wasm_func_callback_t\)\s*\(\s*)const ", r"\1", "wasm_func_callback_t"),
    ("constant", r"\bMEMORY_PAGE_SIZE = 0x10000", "MEMORY_PAGE_SIZE = 0x1000", "MEMORY_PAGE_SIZE"),
    ("missing macro", r"#define WASM_ARRAY_VEC\b", "#define WASM_ARRAY_RENAMED", "WASM_ARRAY_VEC"),
    ("missing name macro", r"#define wasm_name_copy .*", "", "wasm_name_copy"),
    ("macro with another meaning", r"(#define WASM_F64_VAL[^\n]*?)\bWASM_F64\b(?!_)", r"\1WASM_F32", "WASM_F64_VAL"),
    ("unmarked function", r"WASM_API_EXTERN\s+([^;]*?\bwasm_engine_new\s*\()", r"\1", "WASM_API_EXTERN"),
    ("missing helper", r"\bwasm_functype_new_2_1\b", "wasm_functype_renamed", "wasm_functype_new_2_1"),
    ("helper with another meaning", r"(\bwasm_valtype_new_f32\s*\([^}]*?)\bWASM_F32\b", r"\1WASM_F64",
     "wasm_valtype_new_f32"),
    ("helper that forgets a parameter", r"(?s)(\bwasm_functype_new_3_0\s*\(.*?&params, )3", r"\g<1>2",
     "wasm_functype_new_3_0"),
    ("macro left behind", END, r"#define own\n\1", "own: macro"),
]


def judge_damaged(text, judge_directory):
    """Messages about each damage that the comparison missed, or reported for the wrong reason."""
    for what, pattern, replacement, named in DAMAGES:
        damaged, count = re.subn(pattern, replacement, text, count=0 if "missing" in what else 1)
        if count == 0:
            yield f"negative control: {what}: the pattern fits nothing in the header ({pattern})"
            continue
        with tempfile.TemporaryDirectory() as temporary:
            directory = pathlib.Path(temporary)
            (directory / "wasm.h").write_text(damaged)
            findings = judge_directory(directory)
        if not any(named in finding for finding in findings):
            yield f"negative control: {what}: no finding names {named} (found: {findings[:3]})"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--include", type=pathlib.Path, required=True, help="directory of the header to judge")
    parser.add_argument("--library", type=pathlib.Path, required=True, help="directory of libwasmrt.so")
    parser.add_argument("--upstream", type=pathlib.Path, required=True, help="directory to keep the upstream header in")
    parser.add_argument("--cargo", default="cargo")
    options = parser.parse_args()

    fetch_upstream(options.cargo, options.upstream)
    upstream = Header(options.upstream.resolve() / "wasm.h")
    if len(upstream.functions) != FUNCTION_COUNT:
        sys.exit(f"{len(upstream.functions)} functions read from the upstream header, expected {FUNCTION_COUNT}")

    helpers = pathlib.Path(__file__).with_name("helpers.c")

    def judge_directory(directory):
        return judge(directory, upstream, options.library.resolve(), helpers)

    problems = [f"upstream's own header: {finding}" for finding in judge_directory(upstream.include_directory)]
    problems += judge_directory(options.include)
    if not problems:
        text = (options.include / "wasm.h").read_text()
        problems += judge_damaged(text, judge_directory)
    for problem in problems:
        print(problem)
    if problems:
        return 1
    print(f"{len(upstream.functions)} functions, {len(upstream.inlines)} helpers, {len(upstream.structs)} structs and "
          f"{len(upstream.enums)} enums agree with upstream; {len(DAMAGES)} damaged headers were all refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
