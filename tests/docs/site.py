#!/usr/bin/env python3
"""Checks the site that scripts/docs has built, beyond the links: each function of the C headers has an entry, and in a
browser, without a server, the search finds things and no page is wider than a phone. Without Chromium, the browser's part
is skipped. With --control, checks the check of links: that it finds what is broken.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SITE = ROOT / "build/site"
PHONE = 400  # pixels

# What to search for, and what the first result leads to. What a package has is only there with its folder, and with Go.
SEARCHES = {
    "wasm_func_call": "reference/c_func.html#",
    "wasmrt_linker_define": "reference/c_linking_by_name.html#",
    "metering": "docs/wasmrt.html",
    "deep_copy": "reference/cpp_wasm_vectors.html#",
}
if (ROOT / "bindings/python").is_dir():
    SEARCHES["WasmException"] = "reference/python/"
if (ROOT / "bindings/go").is_dir() and subprocess.run(
        [ROOT / "scripts/with-go", "true"], stderr=subprocess.DEVNULL).returncode == 0:
    SEARCHES["NewEngineWithConfig"] = "reference/go.html"

# Loads each page in a frame of a phone's width, and makes each search. What is wrong becomes the document's text.
BROWSER = """<!DOCTYPE html><meta charset="utf-8"><pre id="result">unfinished</pre><iframe id="frame"></iframe><script>
const pages = @PAGES@, searches = @SEARCHES@, phone = @PHONE@, site = "@SITE@/", wrong = [];
const frame = document.getElementById("frame");
frame.style.width = phone + "px";
frame.style.height = "800px";
const load = page => new Promise(done => { frame.onload = () => done(frame.contentDocument); frame.src = site + page; });
const pause = () => new Promise(done => setTimeout(done, 20));
(async () => {
  for (const page of pages) {
    const shown = await load(page);
    // The theme cuts off what is too wide in one place, and lets it be scrolled in another.
    const wide = Math.max(...[...shown.querySelectorAll("html, body, .page, .main, .content, article")].map(
      part => part.scrollWidth));
    if (wide > phone) wrong.push(`${page} is ${wide} pixels wide on a screen of ${phone}`);
  }
  for (const [text, wanted] of Object.entries(searches)) {
    const found = await load("search.html?q=" + text);
    const first = () => found.querySelector("#search-results li a");
    for (let tries = 0; tries < 500 && !first(); ++tries) await pause();
    const href = first() ? first().href : "nothing";
    if (!href.includes(wanted)) wrong.push(`a search for ${text} finds ${href} first, not ${wanted}`);
  }
  document.getElementById("result").textContent = JSON.stringify([pages.length, wrong]);
})().catch(error => { document.getElementById("result").textContent = JSON.stringify([0, [String(error)]]); });
</script>"""


def functions():
    """The functions of the C headers: declared, or defined in them."""
    for name in ("wasm.h", "wasmrt.h"):
        code = re.sub(r"//.*|^#define(.*\\\n)*.*", "", (ROOT / "include" / name).read_text(), flags=re.MULTILINE)
        yield from re.findall(r"^(?:WASM_API_EXTERN|static inline)\s[^;{(]*?(\w+)\(", code, re.MULTILINE)


def entries():
    """The C functions that the site documents, from the index that it has for other sites."""
    header, _, packed = (SITE / "objects.inv").read_bytes().partition(b"zlib.\n")
    lines = zlib.decompress(packed).decode().splitlines()
    return {line.split()[0] for line in lines if line.split()[1] == "c:function"}


def wrong_entries():
    wanted = set(functions())
    if len(wanted) < 400:
        yield f"only {len(wanted)} functions were found in the headers"
    for name in sorted(wanted - entries()):
        yield f"{name} has no entry"
    if '"wasm_func_call"' not in (SITE / "searchindex.js").read_text():
        yield "the search does not know wasm_func_call"


def wrong_in_browser(browser):
    pages = sorted(str(page.relative_to(SITE)) for page in SITE.rglob("*.html") if "_downloads" not in page.parts)
    text = BROWSER
    for name, value in {"PAGES": pages, "SEARCHES": SEARCHES, "PHONE": PHONE}.items():
        text = text.replace(f"@{name}@", json.dumps(value))
    with tempfile.TemporaryDirectory() as folder:
        start = pathlib.Path(folder) / "start.html"
        start.write_text(text.replace("@SITE@", SITE.as_uri()))
        shown = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
             f"--user-data-dir={folder}/profile", "--virtual-time-budget=600000", "--dump-dom", start.as_uri()],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=600).stdout
    result = re.search(r'<pre id="result">(.*?)</pre>', shown, re.DOTALL)
    if not result or not result[1].startswith("["):
        return [f"{browser} did not finish: {result[1] if result else shown[:1000]}"]
    checked, wrong = json.loads(result[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    return wrong if checked == len(pages) else [f"{checked} of {len(pages)} pages were looked at", *wrong]


def control():
    """Whether a page that is missing and an anchor that is missing are found."""
    with tempfile.TemporaryDirectory() as folder:
        page = pathlib.Path(folder) / "page.html"
        page.write_text('<p id="here"><a href="#here">1</a><a href="missing.html">2</a><a href="page.html#there">3</a>')
        found = subprocess.run([ROOT / "scripts/docs", "--links", folder], stderr=subprocess.PIPE, text=True)
        return found.returncode != 0 and all(word in found.stderr for word in ("missing.html", '"there"', "Found 2"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control", action="store_true", help="check the check of links")
    if parser.parse_args().control:
        if not control():
            sys.exit("scripts/docs --links does not find links that lead nowhere")
        return
    wrong = list(wrong_entries())
    if browser := shutil.which("chromium") or shutil.which("google-chrome"):
        wrong += wrong_in_browser(browser)
    else:
        print("-- the site in a browser: skipped, there is no chromium (scripts/setup --docs)")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
