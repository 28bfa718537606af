"""Reads the declarations of a C header from the compiler's preprocessor: without comments, with macros expanded."""

import os
import pathlib
import re
import subprocess

COMPILER = os.environ.get("CC", "gcc")


def compile_c(arguments, source=None):
    """Runs the C compiler, on the C text `source` if given; returns (succeeded, diagnostics)."""
    command = [COMPILER, *arguments, *(["-x", "c", "-"] if source is not None else [])]
    run = subprocess.run(command, input=source, capture_output=True, text=True)
    return run.returncode == 0, run.stderr


def preprocess(header, include_directory, *options):
    """The preprocessed text of `header` alone, without what it includes."""
    run = subprocess.run(
        [COMPILER, "-E", "-std=c11", f"-I{include_directory}", *options, str(header)],
        capture_output=True, text=True, check=True)
    text, inside = [], False
    for line in run.stdout.splitlines():
        marker = re.match(r'#\s+\d+\s+"([^"]*)"', line)
        if marker:
            inside = pathlib.Path(marker.group(1)).resolve() == pathlib.Path(header).resolve()
        elif inside and not line.startswith("#"):
            text.append(line)
    return "\n".join(text)


def declarations(text):
    """The declarations of a preprocessed text in order, with bodies and single spaces."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    text = re.sub(r'extern "" \{', "", text)
    start = depth = 0
    for position, character in enumerate(text):
        if character in "({[":
            depth += 1
        elif character in ")}]":
            depth -= 1
        ends_body = character == "}" and depth == 0 and "(" in text[start:text.find("{", start)]
        if depth == 0 and (character == ";" or ends_body):
            declaration = " ".join(text[start:position + 1].split())
            start = position + 1
            if declaration != ";":
                yield declaration


def members(body):
    """(path, type) of each member of a struct's or union's body, nested ones as `outer.inner`."""
    for declaration in declarations(body):
        nested = re.fullmatch(r"(?:struct|union)\s*\{(.*)\}\s*(\w+)\s*;", declaration)
        if nested:
            yield nested.group(2), None
            for path, type_name in members(nested.group(1)):
                yield f"{nested.group(2)}.{path}", type_name
        else:
            type_name, name, array = re.fullmatch(r"(.*?)\s*(\w+)((?:\[\d+\])*)\s*;", declaration).groups()
            yield name, type_name + array


class Header:
    """Everything that one header declares, by kind and name."""

    def __init__(self, path, include_directory=None):
        self.path = pathlib.Path(path)
        self.include_directory = pathlib.Path(include_directory or self.path.parent)
        self.functions = {}  # name: prototype
        self.inlines = {}    # name of a static inline function: prototype
        self.constants = {}  # name of a static const object: type
        self.typedefs = {}   # name: declaration
        self.structs = {}    # name: [(member, type)]
        self.enums = {}      # tag: [constant]
        for declaration in declarations(preprocess(self.path, self.include_directory)):
            self._sort(declaration)
        self.macros = self._macros()

    def _sort(self, declaration):
        if declaration.startswith("_Static_assert"):
            return
        if match := re.fullmatch(r"(?:typedef )?enum (\w*)\s*\{(.*)\}\s*\w*\s*;", declaration):
            names = [item.split("=")[0].strip() for item in match.group(2).split(",")]
            self.enums[match.group(1)] = [name for name in names if name]
        elif match := re.fullmatch(r"(?:typedef )?(?:struct|union) (\w+)\s*\{(.*)\}\s*\w*\s*;", declaration):
            self.structs[match.group(1)] = list(members(match.group(2)))
        elif match := re.fullmatch(r"typedef .*?(?:\(\*\s*(\w+)\)\(.*\)|(\w+))\s*;", declaration):
            self.typedefs[match.group(1) or match.group(2)] = declaration
        elif match := re.fullmatch(r"static const (\w+) (\w+) = .*;", declaration):
            self.constants[match.group(2)] = match.group(1)
        elif match := re.fullmatch(r"(static inline [^({]*?\b(\w+)\s*\([^{]*\))\s*\{.*\}", declaration):
            self.inlines[match.group(2)] = match.group(1)
        elif declaration.endswith("}"):
            pass  # an inline function that is not static: no part of any program's interface
        elif match := re.fullmatch(r"(?:extern )?([^({]*?\b(\w+)\s*\(.*\))\s*;", declaration):
            self.functions[match.group(2)] = match.group(1)
        elif not re.fullmatch(r"struct \w+\s*;", declaration):
            raise ValueError(f"{self.path.name}: what kind of declaration is this? {declaration}")

    def _macros(self):
        """Macros that the header itself defines, not those of the headers it includes: {name: replacement}."""
        run = subprocess.run(
            [COMPILER, "-E", "-dD", "-std=c11", f"-I{self.include_directory}", str(self.path)],
            capture_output=True, text=True, check=True)
        macros, inside = {}, False
        for line in run.stdout.splitlines():
            if marker := re.match(r'#\s+\d+\s+"([^"]*)"', line):
                inside = pathlib.Path(marker.group(1)).resolve() == self.path.resolve()
            elif match := re.match(r"#undef (\w+)", line):
                macros.pop(match.group(1), None)
            elif inside and (match := re.match(r"#define (\w+)(\([^)]*\))? ?(.*)", line)):
                macros[match.group(1)] = match.group(3).strip()
        return macros
