//! A process for each script.
//!
//! The child writes a line for each thing that happens; the parent gathers them, and what became of the child.

use crate::script::{self, Stop};
use crate::suite::{self, Script};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use wast::Wast;
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::Span;

/// What a script came to.
#[derive(Default)]
pub struct Outcome {
    /// Assertions that passed.
    pub passed: usize,
    /// Assertions that need what the engine lacks, by what that is.
    pub skipped: BTreeMap<String, usize>,
    pub failures: Vec<Failure>,
    pub time: Duration,
}

#[derive(Clone)]
pub struct Failure {
    pub line: usize,
    pub text: String,
}

/// No script takes nearly as long, unless something hangs.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Runs one script, in the child.
pub fn run(backend: &str, id: &str) -> Result<(), String> {
    let script = suite::script(id).ok_or("there is no such script")?;
    let mut out = std::io::stdout().lock();
    let mut tell = |text: String| out.write_all(format!("{}\n", text.replace('\n', " ")).as_bytes());
    let line = |offset: usize| Span::from_offset(offset).linecol_in(script.text).0 + 1;
    let mut lexer = Lexer::new(script.text);
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer);
    let parsed = match &buffer {
        Ok(buffer) => parser::parse::<Wast>(buffer).map_err(|error| error.message()),
        Err(error) => Err(error.message()),
    };
    let parsed = match parsed {
        Ok(parsed) => parsed,
        // One failure: nobody knows how many assertions there are.
        Err(message) => {
            return tell(format!("failed 0 the script cannot be parsed: {message}")).map_err(|error| error.to_string());
        }
    };
    let mut running = script::Script::new(backend, script.is_old())?;
    let told = std::cell::RefCell::new(tell);
    let tell = |text| (told.borrow_mut())(text).expect("the parent listens");
    running.run(
        parsed,
        |offset| tell(format!("at {}", line(offset))),
        |report| match report.result {
            Ok(()) if report.asserts => tell("passed".to_string()),
            Err(Stop::Skipped(reason)) if report.asserts => tell(format!("skipped {reason}")),
            Ok(()) | Err(Stop::Skipped(_)) => {}
            Err(Stop::Failed(text)) => tell(format!("failed {} {text}", line(report.offset))),
        },
    );
    drop(running);
    tell("done".to_string());
    Ok(())
}

/// Runs all scripts on a backend, as many at a time as there are processors.
pub fn run_all(library: &Path, backend: &str, scripts: &[Script]) -> Vec<Outcome> {
    let next = Mutex::new(0..scripts.len());
    let outcomes = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(index) = next.lock().expect("no panics").next() else { break };
                    let start = Instant::now();
                    let mut outcome = run_child(library, backend, &scripts[index].id());
                    outcome.time = start.elapsed();
                    outcomes.lock().expect("no panics").push((index, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("no panics");
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn run_child(library: &Path, backend: &str, id: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let failure = |line, text: String| Failure { line, text };
    let child = std::env::current_exe().and_then(|program| {
        let mut command = Command::new(program);
        command.arg("--child").arg("--library").arg(library).args(["--backend", backend, id]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    });
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            outcome.failures.push(failure(0, format!("cannot start: {error}")));
            return outcome;
        }
    };
    let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else { return outcome };
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let process = child.id();
    let (ended, watch) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        let expired = watch.recv_timeout(TIME_LIMIT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        if expired {
            // SAFETY: the child has not been waited for yet, so its number is still its own.
            unsafe { libc::kill(process as libc::pid_t, libc::SIGKILL) };
        }
        expired
    });

    let (mut line, mut done) = (0, false);
    for message in BufReader::new(stdout).lines().map_while(Result::ok) {
        let (word, rest) = message.split_once(' ').unwrap_or((&message, ""));
        match word {
            "at" => line = rest.parse().unwrap_or(line),
            "passed" => outcome.passed += 1,
            "skipped" => *outcome.skipped.entry(rest.to_string()).or_default() += 1,
            "failed" => {
                let (line, text) = rest.split_once(' ').unwrap_or((rest, ""));
                outcome.failures.push(failure(line.parse().unwrap_or(0), text.to_string()));
            }
            "done" => done = true,
            _ => outcome.failures.push(failure(line, format!("the runner said {message:?}"))),
        }
    }
    drop(ended);
    let expired = watchdog.join().unwrap_or(false);
    let status = child.wait();
    let errors = errors.join().unwrap_or_default();
    let end = match &status {
        _ if expired => Some(format!("takes longer than {} s", TIME_LIMIT.as_secs())),
        Ok(status) if status.success() => None,
        Ok(status) => Some(match (status.signal(), done) {
            (Some(signal), false) => format!("the process was ended by signal {signal}"),
            (Some(signal), true) => format!("the process was ended by signal {signal} when all was deleted"),
            (None, _) => format!("the process failed, {status}"),
        }),
        Err(error) => Some(error.to_string()),
    };
    if let Some(end) = end {
        let last = errors.trim().lines().last().unwrap_or_default();
        outcome.failures.push(failure(line, format!("{end} {last}").trim().to_string()));
    }
    outcome
}
