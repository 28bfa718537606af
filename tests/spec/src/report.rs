//! What came of it: tables for people, and the list of failures that are known.

use crate::child::{Failure, Outcome};
use crate::suite::Script;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// Failures that are known, with their reasons; see known.txt.
pub struct Known(Vec<KnownFailure>);

struct KnownFailure {
    script: String,
    line: usize,
    backend: String,
    reason: String,
}

impl Known {
    /// Lines are `SUITE/SCRIPT:LINE BACKEND REASON`; `#` starts a comment.
    pub fn read(path: &Path) -> Result<Known, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut known = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let parse = || {
                let (place, rest) = line.split_once(' ')?;
                let (backend, reason) = rest.trim_start().split_once(' ')?;
                let (script, line) = place.rsplit_once(':')?;
                let (script, backend, reason) = (script.to_string(), backend.to_string(), reason.trim().to_string());
                Some(KnownFailure { script, line: line.parse().ok()?, backend, reason })
            };
            known.push(parse().ok_or(format!("{}:{}: not as the comment says", path.display(), number + 1))?);
        }
        Ok(Known(known))
    }

    fn find(&self, backend: &str, script: &str, line: usize) -> Option<usize> {
        self.0.iter().position(|known| known.script == script && known.line == line && known.backend == backend)
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

pub struct Summary {
    backend: String,
    rows: Vec<(String, Row)>,
    total: Row,
    /// Reasons for skipping, by how many assertions of which suites.
    skipped: BTreeMap<String, (usize, BTreeSet<String>)>,
    failures: Vec<(String, Failure)>,
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
            fixed: vec![],
            slowest: vec![],
        };
        let mut found = BTreeSet::new();
        for (script, outcome) in scripts.iter().zip(outcomes) {
            let id = script.id();
            let mut row = Row { scripts: 1, passed: outcome.passed, ..Row::default() };
            for (reason, count) in outcome.skipped {
                row.skipped += count;
                let entry = summary.skipped.entry(reason).or_default();
                entry.0 += count;
                entry.1.insert(script.suite.clone());
            }
            for failure in outcome.failures {
                match known.find(backend, &id, failure.line) {
                    Some(position) => {
                        found.insert(position);
                        row.known += 1;
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
                Some((suite, rows)) if *suite == script.suite => rows.add(&row),
                _ => summary.rows.push((script.suite.clone(), row)),
            }
        }
        let ran =
            |known: &KnownFailure| known.backend == backend && scripts.iter().any(|script| script.id() == known.script);
        let fixed = known.0.iter().enumerate().filter(|(position, known)| ran(known) && !found.contains(position));
        summary.fixed = fixed.map(|(_, known)| format!("{}:{}", known.script, known.line)).collect();
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

    fn table(&self) -> Vec<[String; 6]> {
        let heading = ["suite", "scripts", "passed", "skipped", "known failures", "failed"].map(str::to_string);
        let rows = self.rows.iter().map(|(suite, row)| row.cells(suite));
        [heading].into_iter().chain(rows).chain([self.total.cells("all")]).collect()
    }
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
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

/// Writes the document, or tells whether it is as it would be written.
pub fn document(path: &Path, summaries: &[Summary], known: &Known, write: bool) -> Result<bool, String> {
    let _ = known;
    let mut text = String::new();
    for summary in summaries {
        let _ = write!(text, "## {}\n\n{}\n", summary.backend, markdown(&summary.table()));
    }
    if write {
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        return Ok(true);
    }
    Ok(std::fs::read_to_string(path).is_ok_and(|written| written == text))
}
