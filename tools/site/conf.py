# Sphinx's configuration. scripts/docs runs it, on the pages that it collects in build/docs/source.

import pathlib
import re

from docutils import nodes
from sphinx.domains.c import CDomain
from sphinx.domains.cpp import CPPDomain
from sphinx.util import logging

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANIFEST = (ROOT / "Cargo.toml").read_text()
PYTHON = ROOT / "bindings/python"
LOGGER = logging.getLogger(__name__)

project = "wasmrt"
version = release = re.search(r'^version = "(.*)"', MANIFEST, re.MULTILINE)[1]

extensions = ["myst_parser", "breathe"]
breathe_projects = {"c": str(ROOT / "build/docs/c/xml"), "cpp": str(ROOT / "build/docs/cpp/xml")}
breathe_domain_by_extension = {"h": "c", "hh": "cpp"}
breathe_show_include = False
myst_heading_anchors = 6  # GitHub's, which links between the documents use

html_theme = "furo"
html_title = f"wasmrt {version}"
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_copy_source = False
html_use_index = False
html_domain_indices = False
html_show_copyright = False
html_show_sphinx = False
pygments_style = "tango"
pygments_dark_style = "monokai"
highlight_language = "none"

nitpicky = True

if PYTHON.is_dir():  # from its sources: nothing has to be built or imported
    extensions.append("autoapi.extension")
    autoapi_dirs = [str(PYTHON / "src")]
    autoapi_root = "reference/python"
    autoapi_options = ["members", "undoc-members", "imported-members", "show-inheritance"]
    autoapi_add_toctree_entry = False
    autoapi_member_order = "groupwise"
    autodoc_typehints = "signature"
    default_role = "code"
    suppress_warnings = ["autoapi.python_import_resolution"]  # what a module makes as it is imported
# Types of the languages, and names that have no page.
nitpick_ignore_regex = [("py:.*", ".*"), (r"c(pp)?:identifier", r"u?int\d+_t|size_t|ptrdiff_t|wasm|wasmrt|(\w+::)?detail(::.*)?|ownvec<.*")]


def names_of(env):
    """Where each name of C, C++ and Python is documented: a page, and an anchor on it."""
    if not hasattr(env, "wasmrt_names"):
        env.wasmrt_names = names = {}
        for domain in ("py", "cpp", "c"):
            for name, _, _, page, anchor, _ in env.domains[domain].get_objects():
                names[name] = names[name.rpartition(".")[2]] = (page, anchor)
        for page in env.found_docs:
            if page.startswith("reference/wasm"):
                names[page.removeprefix("reference/")] = (page, "")
    return env.wasmrt_names


def place_of(env, name):
    """Where a name is documented as it is written: `Linker::define` is `wasmrt::Linker::define`."""
    names = names_of(env)
    name = re.sub(r"^wasmrt\._\w+\.", "wasmrt.", name)  # Python's modules are its own affair
    plain = re.sub(r"<.*?>+", "", name.removesuffix("()").rstrip("*& "))
    return next((names[full] for full in (plain, f"wasm::{name}", f"wasm::{plain}", f"wasmrt::{plain}", f"wasmrt.{plain}") if full in names), None)


def reference_to(app, docname, place, content):
    page, anchor = place
    uri = app.builder.get_relative_uri(docname, page) + (f"#{anchor}" if anchor else "")
    return nodes.reference("", "", content, internal=True, refuri=uri)


def find_reference(app, env, node, content):
    """A name that a declaration uses: in C++ one of C's or of the other namespace, in Python one of a module."""
    place = place_of(env, node["reftarget"]) if node.get("refdomain") in ("c", "cpp", "py") else None
    return place and reference_to(app, node["refdoc"], place, content)


def link_code(app, doctree, docname):
    """Makes links of the names in texts: `wasm_func_call` in the guide leads to its entry.

    `_type` after `wasm_func_call` is `wasm_func_type`. Plain words are names only on pages about C++ or Python.
    """
    plain_words = bool(re.search(r"/cpp|\.hh$|/python", docname))
    before = ""
    for code in list(doctree.findall(nodes.literal)):
        outside = code.parent
        while outside and not isinstance(outside, (nodes.reference, nodes.title)):
            outside = outside.parent
        name = code.astext()
        if name.startswith("_"):
            parts = before.split("_")
            candidates = ["_".join(parts[:end]) + name for end in range(len(parts) - 1, 0, -1)]
        else:
            candidates = [name] if plain_words or re.search(r"_|::|\.", name) else []
        found = next(((full, place) for full in candidates if (place := place_of(app.env, full))), None)
        if found and not outside:
            before, place = found
            code.replace_self(reference_to(app, docname, place, code.deepcopy()))


def check_docstring(app, what, name, found, skip, options):
    """Warns of a public name of Python without a comment, which is an error as every warning is."""
    parts = name.split(".")
    says = what in ("attribute", "data") or found.docstring  # constants are named after those of C
    if not skip and not says and not any(part.startswith("_") for part in parts):
        LOGGER.warning("%s has no docstring", name)


def without_parameters(domain):
    """A domain that does not list parameters, which nobody looks for."""

    class Domain(domain):
        def get_objects(self):
            return (found for found in super().get_objects() if found[2] not in ("functionParam", "templateParam"))

    return Domain


def setup(app):
    app.add_domain(without_parameters(CDomain), override=True)
    app.add_domain(without_parameters(CPPDomain), override=True)
    app.connect("missing-reference", find_reference)
    app.connect("doctree-resolved", link_code)
    if "autoapi.extension" in extensions:
        app.connect("autoapi-skip-member", check_docstring)
