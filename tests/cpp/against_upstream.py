#!/usr/bin/env python3
"""Compares include/wasm.hh with the upstream header, and shows with damaged copies that the comparison can fail.

From the declarations of upstream's header a program is made that names each of them with its exact type, and compiled
with our header. The upstream header comes out of a crates.io package, as in tests/header/upstream.py.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "header"))
from upstream import fetch_upstream  # noqa: E402

COMPILER = os.environ.get("CXX", "g++")
# What upstream's header declares of each kind; a reader of it that sees less is wrong.
EXPECTED = {"classes": 29, "functions": 195, "constants": 16, "aliases": 13}


def without_bodies(text, keep=0):
    """The text with everything that is more than `keep` braces deep left out; a body ends its declaration."""
    parts, depth = [], 0
    for character in text:
        if character == "}":
            depth -= 1
            if depth == keep:
                parts.append(";")
        if depth <= keep and character not in "{}":
            parts.append(character)
        if character == "{":
            depth += 1
    return "".join(parts)


def block(text, start):
    """What is between the brace that opens after `start` and the one that closes it."""
    begin = text.index("{", start) + 1
    depth, position = 1, begin
    while depth:
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
    return text[begin:position - 1]


def split(parameters):
    """The parameters, between commas that are in no brackets."""
    parts, depth = [""], 0
    for character in parameters.replace("->", "\0"):
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.replace("\0", "->").strip() for part in parts if part.strip()]


def parameter_type(parameter):
    """The type of a parameter, without its name and its default."""
    text = re.sub(r"\s*(?<![=<>!])=(?!=).*", "", " ".join(parameter.split()))
    text = re.sub(r"\(\*\w+\)", "(*)", text)
    array = re.fullmatch(r"(.*?)\s*\w+\[\]", text)
    if array:
        return array[1] + "*"
    named = re.fullmatch(r"(.*[\s*&>])(\w+)", text)
    if named and named[1].strip() != "const":
        return named[1].strip()
    return text


def checks_of(text):
    """Names of what the header declares, each with a line of C++ that compiles if it is declared that way."""
    text = re.sub(r"//[^\n]*", "", text)
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    text = re.sub(r"\s*->\s*", " -> ", text.replace("WASM_API_EXTERN", ""))
    body = block(text, text.index("namespace wasm"))
    counts = dict.fromkeys(EXPECTED, 0)
    checks = []

    def add(kind, name, line):
        counts[kind] += 1
        checks.append((name, line))

    def function(owner, declaration, replace, outside=False):
        """A function, a member if it has an owner."""
        found = re.fullmatch(r"(static )?(auto|void|bool)? ?(operator \w+|operator\W+?|[\w:<>*]+) ?\((.*)\)( const)?(?: -> (.+))?",
                             declaration)
        if not found or (not found[2] and not found[3].startswith("operator ")):
            return False
        static, kind, name, parameters, const, returned = found.groups()
        returned = returned or kind or name.split()[1]
        types = ", ".join(replace(parameter_type(parameter)) for parameter in split(parameters))
        returned = replace(returned)
        pointer = "*" if static or outside or not owner else f"{owner}::*"
        place = f"{owner}::{name}" if owner else name
        cast = f"static_cast<{returned} ({pointer})({types}){const or ''}>(&{place})"
        add("functions", place, f"using check_{len(checks)} = decltype({cast});")
        return True

    for alias in re.finditer(r"(?:template<class T> )?using (\w+) = ([^;]+);", without_bodies(body)):
        template = "<Ref>" if alias[0].startswith("template") else ""
        target = re.sub(r"\bT\b", "Ref", alias[2]) if template else alias[2]
        add("aliases", alias[1], f'static_assert(std::is_same<{alias[1]}{template}, {target}>::value, "");')

    for enum in re.finditer(r"enum class (\w+) : (\w+) \{([^}]*)\}", body):
        add("aliases", enum[1],
            f'static_assert(std::is_same<std::underlying_type<{enum[1]}>::type, {enum[2]}>::value, "");')
        value = 0
        for constant in filter(None, (part.strip() for part in enum[3].split(","))):
            name, _, given = map(str.strip, constant.partition("="))
            value = int(given) if given else value
            add("constants", f"{enum[1]}::{name}",
                f'static_assert(static_cast<int>({enum[1]}::{name}) == {value}, "");')
            value += 1

    for found in re.finditer(r"(template<(?:class T)?>\s*)?\b(class|struct)\s+(\w+)(<Module>)?\s*(?::\s*public (\w+)\s*)?\{",
                             body):
        template, keyword, name, special, base = found.groups()
        inside = block(body, found.start())
        arguments = ["char", "own<ValType>"] if template and not special else [None]
        for argument in arguments:
            owner = name + (special or (f"<{argument}>" if argument else ""))
            counts["classes"] += 1
            checks.append((owner, f"using check_{len(checks)} = {owner};"))
            if base:
                checks.append((owner, f'static_assert(std::is_base_of<{base}, {owner}>::value, "{owner}");'))
            public, members = keyword == "struct", []
            for part in re.split(r"\b(public|protected|private):", inside):
                if part in ("public", "protected", "private"):
                    public = part == "public"
                elif public:
                    members += without_bodies(part.replace("> = ", ">=")).split(";")
            own_names = re.findall(r"using (\w+) =", inside)

            def replace(type_name, argument=argument, owner=owner, name=name, own_names=own_names):
                if argument:
                    type_name = re.sub(rf"\b{name}\b(?!<)", owner, type_name)
                    type_name = re.sub(r"\bT\b", argument, type_name)
                for own_name in own_names:
                    type_name = re.sub(rf"\b{own_name}\b", f"{owner}::{own_name}", type_name)
                return type_name

            for member in members:
                # a constructor's initialisers are left out
                member = " ".join(re.sub(r"(?<!:):(?!:)\s*\w+\(.*", "", member, flags=re.DOTALL).split())
                constructor = re.fullmatch(rf"(?:explicit )?{name}\((.*)\)", member)
                alias = re.fullmatch(r"using (\w+) = (.*)", member)
                constant = re.fullmatch(r"static const (\w+) (\w+) = (\w+)", member)
                if not member or member.startswith(("template", "~", "friend")) or member.endswith("= default"):
                    continue
                if constructor:
                    types = "".join(f", {replace(parameter_type(part))}" for part in split(constructor[1]))
                    add("functions", f"{owner}()", f'static_assert(std::is_constructible<{owner}{types}>::value, "");')
                elif alias:
                    add("aliases", f"{owner}::{alias[1]}", f'static_assert(std::is_same<{owner}::{alias[1]}, '
                        f'{replace(alias[2])}>::value, "");' if "auto" not in alias[2]
                        else f"using check_{len(checks)} = {owner}::{alias[1]};")
                elif constant:
                    add("constants", f"{owner}::{constant[2]}",
                        f'static_assert({owner}::{constant[2]} == {constant[3]}, "");')
                elif re.fullmatch(r"uint32_t \w+", member):
                    field = member.split()[1]
                    add("constants", f"{owner}::{field}",
                        f'static_assert(std::is_same<decltype({owner}::{field}), uint32_t>::value, "");')
                elif not function(owner, member, replace):
                    sys.exit(f"a member of {owner} that cannot be read: {member}")

    for found in re.finditer(r"template<> inline auto (Val::\w+<[\w*]+>)\(([^)]*)\)( const)? -> (\w+\*?)", body):
        place, parameters, const, returned = found.groups()
        types = ", ".join(parameter_type(part) for part in split(parameters))
        pointer = "Val::*" if const else "*"
        add("functions", place, f"using check_{len(checks)} = "
            f"decltype(static_cast<{returned} ({pointer})({types}){const or ''}>(&{place}));")
    for found in re.finditer(r"^inline bool (\w+)\((\w+) \w+\)", body, re.MULTILINE):
        add("functions", found[1],
            f"using check_{len(checks)} = decltype(static_cast<bool (*)({found[2]})>(&{found[1]}));")
    add("functions", "make_own", f"using check_{len(checks)} = "
        "decltype(static_cast<own<Ref> (*)(Ref*)>(&make_own<Ref>));")
    return counts, checks


def judge(include, checks, extra=()):
    """The compiler's findings, for the lines of the program that do not compile."""
    lines = ["#include <type_traits>", "#include <wasm.hh>", "using namespace wasm;", *(line for _, line in checks)]
    run = subprocess.run([COMPILER, "-std=c++11", "-fsyntax-only", *(f"-I{directory}" for directory in (include, *extra)),
                          "-x", "c++", "-"], input="\n".join(lines) + "\n", capture_output=True, text=True)
    findings = []
    for found in re.finditer(r"^<stdin>:(\d+):\d+: (?:fatal )?error: (.*)$", run.stderr, re.MULTILINE):
        line = int(found[1])
        name = checks[line - 4][0] if line >= 4 else "?"
        findings.append(f"{name}: {found[2]}: {lines[line - 1]}")
    if run.returncode != 0 and not findings:
        findings.append(run.stderr)
    return findings


# (what, pattern, replacement, a name that must be in a finding)
DAMAGES = [
    ("missing function", r"auto module_offset\(\) const", "auto module_place() const", "Frame::module_offset"),
    ("parameter", r"validate\(Store\* store,", "validate(Engine* store,", "Module::validate"),
    ("constness", r"auto data\(\) const -> byte_t\*", "auto data() -> byte_t*", "Memory::data"),
    ("result", r"auto func_index\(\) const -> uint32_t", "auto func_index() const -> size_t", "Frame::func_index"),
    ("base class", r"class Foreign : public Ref", "class Foreign : public Extern", "Foreign"),
    ("number of a constant", r"FUNCREF = WASM_FUNCREF", "FUNCREF = 7", "ValKind::FUNCREF"),
    ("missing constructor", r"explicit Val\(int64_t value\)", "explicit Val(Store* value)", "Val()"),
    ("missing vector function", r"static auto adopt\(", "static auto take(", "vec<char>::adopt"),
    ("alias", r"using pages_t = uint32_t", "using pages_t = uint64_t", "Memory::pages_t"),
    ("width of an enum", r"enum class ExternKind : uint8_t", "enum class ExternKind : uint32_t", "ExternKind"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--include", type=pathlib.Path, required=True, help="directory of wasm.hh")
    parser.add_argument("--upstream", type=pathlib.Path, required=True, help="directory to keep the upstream header in")
    parser.add_argument("--cargo", default="cargo")
    options = parser.parse_args()

    upstream = options.upstream.resolve()
    fetch_upstream(options.cargo, upstream)
    counts, checks = checks_of((upstream / "wasm.hh").read_text())
    if counts != EXPECTED:
        sys.exit(f"the upstream header has {counts}, expected {EXPECTED}")

    problems = [f"upstream's own header: {finding}" for finding in judge(upstream, checks)]
    problems += judge(options.include.resolve(), checks)
    text = (options.include / "wasm.hh").read_text()
    for what, pattern, replacement, named in DAMAGES:
        damaged, count = re.subn(pattern, replacement, text)
        if count == 0:
            problems.append(f"negative control: {what}: the pattern fits nothing in the header ({pattern})")
            continue
        with tempfile.TemporaryDirectory() as temporary:
            pathlib.Path(temporary, "wasm.hh").write_text(damaged)
            findings = judge(temporary, checks, [options.include.resolve()])
        if not any(finding.startswith(f"{named}:") for finding in findings):
            problems.append(f"negative control: {what}: no finding names {named} (found: {findings[:3]})")
    for problem in problems:
        print(problem)
    if problems:
        return 1
    print(f"{', '.join(f'{count} {kind}' for kind, count in counts.items())} agree with upstream; "
          f"{len(DAMAGES)} damaged headers were all refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
