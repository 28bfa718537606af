#!/usr/bin/env python3
"""Checks that everything that the Markdown documents name exists: links and their anchors, files, functions and other
identifiers, environment variables, make targets, ctest labels and tests, cargo packages.

Apart from links, only code is checked, `inline` and indented. Blocks between ``` are programs, which other tests
compile. With --control, checks that every wrong line of wrong.md is reported.
"""

import argparse
import fnmatch
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONTROL = pathlib.Path(__file__).with_name("wrong.md")
# A changelog names what is gone; the notes are checked as a part of docs/performance.md.
LEFT_OUT = {"CHANGELOG.md", "benches/notes.md"}

# What belongs to other projects. A name with * stands for all that match.
ELSEWHERE = set("""
    wasm_runtime_* wasmtime_* wasmtime_store_t access_caller ImportObject Exception pthread_exit __register_frame ENOTSUP ENOTSOCK
""".split())

FILE = re.compile(r"[\w*.-]+\.(?:c|h|hh|cpp|py|rs|toml|txt|md|supp|svg|wat|wast|cmake|in|lock)")
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def tracked():
    """The files of the tree, relative to its root."""
    git = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    names = listed.stdout.splitlines()
    if listed.returncode != 0 or not names:  # a source archive
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
    left_out = re.compile(r"(build|target|\.git)/|.*/__pycache__/")
    return sorted(name for name in set(names) if not left_out.match(name) and (ROOT / name).is_file())


def anchors(text):
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ +(.*)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class Tree:
    def __init__(self):
        self.files = tracked()
        self.folders = {str(parent) for name in self.files for parent in pathlib.PurePath(name).parents}
        self.basenames = {pathlib.PurePath(name).name for name in self.files}
        self.words = set()
        self.build_files = ""
        for name in self.files:
            if name.endswith((".md", ".svg", ".lock")):
                continue
            text = (ROOT / name).read_bytes().decode(errors="replace")
            if not name.startswith("tests/docs/"):
                self.words.update(WORD.findall(text))
            if name.endswith(("CMakeLists.txt", ".cmake")):
                self.build_files += text
        self.all_words = "\n".join(self.words)
        self.targets = set()
        for line in (ROOT / "Makefile").read_text().splitlines():
            if rule := re.match(r"([\w -]+):(?!=)", line):
                self.targets.update(rule[1].split())
        self.labels = set(re.findall(r"(?:LABELS|wasmrt_skipped_test\(\S+) (\w+)", self.build_files))
        manifests = [(ROOT / name).read_text() for name in self.files if name.endswith("Cargo.toml")]
        self.packages = {found for text in manifests for found in re.findall(r'^name = "([\w-]+)"', text, re.MULTILINE)}

    def has_path(self, path, folder):
        for base in (ROOT, folder, folder / "src"):
            if any(base.glob(path.rstrip("/"))) if "*" in path else (base / path).exists():
                return True
        return False

    def has_word(self, word):
        """Whether it is a name of the sources, a pattern for some (vectors_*), or their beginning or end (MISUSE)."""
        pattern = re.escape(word.lstrip("_")).replace(r"\*", r"\w*") + (r"\w+" if word.endswith("_") else "")
        return word in self.words or re.search(rf"^(?:\w*_)?{pattern}$", self.all_words, re.MULTILINE)


def elsewhere(name):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in ELSEWHERE)


def code_of(text):
    """Pieces of code: line number, text, and whether it is a line of its own (a command) or within a sentence."""
    fenced = False
    plain = []
    for number, line in enumerate(text.splitlines(), 1):
        plain.append("")
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and line.startswith("    ") and not line.lstrip().startswith(("-", "*")):
            yield number, line.split("#")[0].strip(), True
        elif not fenced:
            plain[-1] = line
    # Inline code may go over the end of a line, not over that of a paragraph.
    joined = "\n".join(plain)
    for span in re.finditer(r"(?<!`)`([^`]+?)`(?!`)", joined):
        if "\n\n" not in span[1]:
            yield joined.count("\n", 0, span.start()) + 1, span[1].replace("\n", " "), False


def links_of(text):
    for number, line in enumerate(text.splitlines(), 1):
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            if not re.match(r"[a-z]+:", target):
                yield number, target


def wrong_links(document):
    text = document.read_text()
    for number, target in links_of(text):
        path, _, anchor = target.partition("#")
        linked = (document.parent / path) if path else document
        if not linked.exists():
            yield number, f"link to {target}: no such file"
        elif anchor and linked.suffix == ".md" and anchor not in anchors(linked.read_text()):
            yield number, f"link to {target}: no such heading"


def wrong_commands(code, tree):
    """Targets, labels, tests and packages that a command names."""
    for target in re.findall(r"(?:^|&& )make ([a-z][\w-]*)", code):
        if target not in tree.targets:
            yield f"make {target}: no such target"
    if "ctest" in code or re.match(r"-[LR] ", code):
        for label in re.findall(r"-L '?\^?([\w-]+)", code):
            if label not in tree.labels | {"LABEL"}:
                yield f"ctest -L {label}: no such label"
        for pattern in re.findall(r"-R '?([^' ]+)", code):
            for name in pattern.split("|"):
                if name.strip("^$-") not in tree.build_files and name != "NAME":
                    yield f"ctest -R {name}: no such test"
    for package in re.findall(r"cargo .*(?:-p|--package) ([\w-]+)", code):
        if package not in tree.packages | {"wasmtime", "wasmi"}:
            yield f"package {package}: not in the workspace"


def wrong_names(code, command, folder, tree):
    """Files and identifiers. In commands, identifiers are not looked at, nor files that the command may write."""
    for token in re.split(r"[\s=]+", code):
        token = token.lstrip("('\"[").rstrip("().,;:'\"]")
        # Other than names of this tree: addresses, options, absolute paths, variables, what is built or made up.
        if elsewhere(token) or re.match(r"[a-z]+://|[-/~<$]|\./|build/|target/|PREFIX", token):
            continue
        is_path = "/" in token and token.split("/")[0] in tree.folders | {".."}
        if re.fullmatch(r"[\w*./-]+", token) and (is_path or FILE.fullmatch(token)):
            known = tree.has_path(token, folder) or fnmatch.filter(tree.basenames, token)
            if not known and (is_path or not command):
                yield f"{token}: no such file"
        elif not command and re.fullmatch(r"[\w*]+(?:(?:::|->|\.)[\w*]+)*", token):
            for word in re.findall(r"[\w*]*[A-Za-z_][\w*]*", token):
                telling = len(word) > 3 and ("_" in word or not word.islower())
                if telling and not elsewhere(word) and not tree.has_word(word):
                    yield f"{word}: not in the sources"
    for variable in re.findall(r"\bWASMRT_\w+", code):
        if not tree.has_word(variable):
            yield f"{variable}: not in the sources"


def check(document, tree):
    """What is wrong in a document: pairs of a line number and a message."""
    wrong = set(wrong_links(document))
    for number, code, command in code_of(document.read_text()):
        code = code.replace("\\|", "|")  # as tables need it
        messages = [*wrong_commands(code, tree), *wrong_names(code, command, document.parent, tree)]
        wrong.update((number, message) for message in messages)
    return sorted(wrong)


def control(tree):
    """Whether exactly the lines of wrong.md after its second heading are reported."""
    lines = CONTROL.read_text().splitlines()
    start = next(number for number, line in enumerate(lines, 1) if line.startswith("## "))
    wanted = {number for number, line in enumerate(lines, 1) if number > start and line.strip()}
    found = {number for number, _ in check(CONTROL, tree)}
    for number in sorted(wanted ^ found):
        print(f"{CONTROL.name}:{number}: {'not reported' if number in wanted else 'reported'}: {lines[number - 1]}")
    return 1 if wanted != found or not wanted else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control", action="store_true", help="check the check")
    parser.add_argument("documents", nargs="*", type=pathlib.Path, help="by default all but changelogs")
    options = parser.parse_args()
    tree = Tree()
    if options.control:
        return control(tree)
    documents = [path.resolve() for path in options.documents] or [
        ROOT / name for name in tree.files
        if name.endswith(".md") and name not in LEFT_OUT and not name.startswith("tests/docs/")]
    failed = False
    for document in documents:
        for number, what in check(document, tree):
            print(f"{document.relative_to(ROOT)}:{number}: {what}")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
