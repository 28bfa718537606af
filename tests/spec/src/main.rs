//! Runs the WebAssembly specification's test suite through the C functions of libwasmrt, on each of its backends.
//!
//! Each script runs in a process of its own, so that a crash is a failure like any other. README.md says more.

mod adapter;
mod child;
mod proposals;
mod report;
mod script;
mod spectest;
mod suite;
mod values;

use report::Known;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wasmrt_c_api as c_api;

const USAGE: &str = "usage: wasmrt-spec [--library FILE] [--backend NAME]... [--known FILE]... [--write | --check] [SUITE[/SCRIPT]]...

Runs the scripts on each backend (default: all of the library's) and prints a table. The status is 1 if an assertion fails
that is not in known.txt, or one in known.txt passes.
  --library FILE  the library, by default build/lib/libwasmrt.so of this tree
  --backend NAME  only this backend, or the library of this path; may be repeated
  --known FILE    more assertions that fail, as in known.txt; may be repeated
  --write         write docs/conformance.md
  --check         fail if docs/conformance.md is not what --write would write of these backends
  SUITE/SCRIPT    only these, for example wasm-v3/i32.wast";

#[derive(Default)]
struct Options {
    library: PathBuf,
    backends: Vec<String>,
    known: Vec<PathBuf>,
    write: bool,
    check: bool,
    scripts: Vec<String>,
    /// This is a child: run the one script on the one backend, and tell the parent.
    child: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("wasmrt-spec: {message}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, String> {
    let options = options()?;
    c_api::load(&options.library)?;
    if options.child {
        return child::run(&options.backends[0], &options.scripts[0]).map(|()| true);
    }
    let available = c_api::backends();
    let backends = if options.backends.is_empty() { available.clone() } else { options.backends };
    // A path is that of a library, which is loaded.
    let is_there = |backend: &String| backend.contains('/') || available.contains(backend);
    if let Some(unknown) = backends.iter().find(|backend| !is_there(backend)) {
        return Err(format!("the library has no backend {unknown}, but {}", available.join(", ")));
    }
    let scripts: Vec<_> = suite::scripts().into_iter().filter(|script| script.is_among(&options.scripts)).collect();
    if scripts.is_empty() {
        return Err("there is no such script".to_string());
    }
    let mut known = Known::read(&tree().join("tests/spec/known.txt"))?;
    options.known.iter().try_for_each(|path| known.read_more(path))?;
    let mut good = true;
    let mut summaries = Vec::new();
    for backend in &backends {
        let wrong = &child::run_all(&options.library, backend, &[suite::wrong()])[0];
        good &= report::finds_wrong_assertions(backend, wrong, &known);
        let outcomes = child::run_all(&options.library, backend, &scripts);
        let summary = report::Summary::new(backend, &scripts, outcomes, &known);
        good &= summary.print();
        summaries.push(summary);
    }
    if options.write || options.check {
        if !options.scripts.is_empty() || (options.write && backends != available) {
            return Err("docs/conformance.md is about all scripts, on all backends".to_string());
        }
        good &= report::document(tree(), &summaries, options.write)?;
    }
    Ok(good)
}

fn options() -> Result<Options, String> {
    let mut options = Options { library: tree().join("build/lib/libwasmrt.so"), ..Options::default() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--library" => options.library = value()?.into(),
            "--backend" => options.backends.push(value()?),
            "--known" => options.known.push(value()?.into()),
            "--write" => options.write = true,
            "--check" => options.check = true,
            "--child" => options.child = true,
            "--help" => {
                println!("{USAGE}");
                std::process::exit(0);
            }
            option if option.starts_with('-') => return Err(format!("unknown option {option}\n{USAGE}")),
            script => options.scripts.push(script.to_string()),
        }
    }
    if options.child && (options.backends.len() != 1 || options.scripts.len() != 1) {
        return Err("a child runs one script on one backend".to_string());
    }
    Ok(options)
}

/// The root of the source tree.
fn tree() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
