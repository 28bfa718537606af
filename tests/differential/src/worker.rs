//! A process that runs modules and compares, so that a crash or a hang is a difference like any other.

use crate::compare::{Verdict, compare};
use crate::generate::Task;
use crate::session::{self, Event, Plant};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;
use wasmparser::{Validator, WasmFeatures};
use wasmrt_c_api::*;

/// How often things happened.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub results: u64,
    pub traps: u64,
    pub host_calls: u64,
    pub memories: u64,
    pub changes: u64,
    pub not_instantiated: u64,
    pub refused: u64,
}

impl Counts {
    fn of(events: &[Event]) -> Counts {
        let count = |kind| events.iter().filter(|event| event.kind == kind).count() as u64;
        Counts {
            results: count("results"),
            traps: count("trap"),
            host_calls: count("host call"),
            memories: count("memory"),
            changes: count("global") + count("table") + count("change"),
            not_instantiated: count("instantiation trap"),
            refused: count("refused"),
        }
    }

    fn fields(&mut self) -> [&mut u64; 7] {
        let Counts { results, traps, host_calls, memories, changes, not_instantiated, refused } = self;
        [results, traps, host_calls, memories, changes, not_instantiated, refused]
    }

    pub fn add(&mut self, mut other: Counts) {
        for (sum, count) in self.fields().into_iter().zip(other.fields()) {
            *sum += *count;
        }
    }
}

/// What is wanted of a worker.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub task: Task,
    pub plant: Option<Plant>,
    pub wasm: &'a [u8],
}

pub struct Worker {
    library: PathBuf,
    backends: [String; 2],
    /// Whether what the process says on its way down is shown.
    loud: bool,
    process: Option<(Child, ChildStdin, Receiver<String>)>,
}

impl Worker {
    pub fn new(library: &Path, backends: [String; 2]) -> Worker {
        Worker { library: library.to_path_buf(), backends, loud: true, process: None }
    }

    /// Another one, for attempts that may well crash: each in a process of its own, so that none depends on the one
    /// before.
    pub fn for_attempts(&self) -> Worker {
        Worker { library: self.library.clone(), backends: self.backends.clone(), loud: false, process: None }
    }

    /// Has a module run on both backends. An error is one of this program.
    pub fn ask(&mut self, request: Request, time_limit: Duration) -> Result<(Verdict, Counts), String> {
        if !self.loud {
            self.end();
        }
        if self.process.is_none() {
            self.process = Some(self.start().map_err(|error| format!("cannot start a worker: {error}"))?);
        }
        let (_, input, lines) = self.process.as_mut().expect("started above");
        let sent = send(input, request);
        let (mut verdict, mut counts) = (None, Counts::default());
        while sent.is_ok() {
            match lines.recv_timeout(time_limit) {
                Ok(line) => {
                    let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
                    match (word, &mut verdict) {
                        ("same", _) => verdict = Some(Verdict::Same),
                        ("exhausted", _) => verdict = Some(Verdict::Exhausted),
                        ("differ", _) => verdict = Some(Verdict::Differ(rest.to_string(), Vec::new())),
                        ("|", Some(Verdict::Differ(_, lines))) => lines.push(rest.to_string()),
                        ("counts", _) => {
                            for (field, number) in counts.fields().into_iter().zip(rest.split(' ')) {
                                *field = number.parse().unwrap_or(0);
                            }
                        }
                        ("error", _) => return Err(rest.to_string()),
                        (".", _) => return Ok((verdict.ok_or("a worker gave no answer")?, counts)),
                        _ => return Err(format!("a worker said {line:?}")),
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.end();
                    let text = format!("it takes longer than {} s", time_limit.as_secs());
                    return Ok((Verdict::Differ("hang".to_string(), vec![text]), counts));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let text = match self.end() {
            Some(status) => match status.signal() {
                Some(signal) => format!("the process was ended by signal {signal}"),
                None => format!("the process ended, {status}"),
            },
            None => "the process is gone".to_string(),
        };
        Ok((Verdict::Differ("crash".to_string(), vec![text]), counts))
    }

    fn start(&self) -> std::io::Result<(Child, ChildStdin, Receiver<String>)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--worker").arg("--library").arg(&self.library);
        command.args(self.backends.iter().flat_map(|name| ["--backend", name]));
        if !self.loud {
            // Nobody reads a backtrace then, and making one takes its time.
            command.stderr(Stdio::null()).env("RUST_BACKTRACE", "0");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok((child, input, receiver))
    }

    /// Ends the process, if it has not ended by itself.
    fn end(&mut self) -> Option<std::process::ExitStatus> {
        let (mut child, input, lines) = self.process.take()?;
        drop(input);
        // When it has closed its output, it is about to end; its own status is the telling one.
        if !matches!(lines.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected)) {
            let _ = child.kill();
        }
        child.wait().ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

fn send(input: &mut ChildStdin, request: Request) -> std::io::Result<()> {
    let plant =
        Plant::ALL.iter().position(|(_, plant)| request.plant == Some(*plant)).map_or(u8::MAX, |index| index as u8);
    input.write_all(&[(request.task == Task::Compile) as u8, plant])?;
    input.write_all(&(request.wasm.len() as u32).to_le_bytes())?;
    input.write_all(request.wasm)?;
    input.flush()
}

/// What follows the name of a backend whose engine counts fuel and can be interrupted.
const METERED: &str = "+fuel";

/// The worker's side: answers until its input ends.
pub fn serve(backends: [&str; 2]) -> Result<(), String> {
    let mut engines = Vec::new();
    for backend in backends {
        let metered = backend.strip_suffix(METERED);
        let name = std::ffi::CString::new(metered.unwrap_or(backend)).map_err(|error| error.to_string())?;
        // SAFETY: the configuration is passed on to the engine, which is owned.
        unsafe {
            let config = (api().wasm_config_new)();
            if !(api().wasmrt_config_set_backend)(config, name.as_ptr()) {
                return Err(last_error().1);
            }
            if metered.is_some() {
                (api().wasmrt_config_set_fuel)(config, true);
                (api().wasmrt_config_set_interruption)(config, true);
            }
            engines.push(Own::new((api().wasm_engine_new_with_config)(config))?);
        }
    }
    let engines = [engines[0].get(), engines[1].get()];
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut head = [0; 6];
    while input.read_exact(&mut head).is_ok() {
        let mut wasm = vec![0; u32::from_le_bytes([head[2], head[3], head[4], head[5]]) as usize];
        input.read_exact(&mut wasm).map_err(|error| error.to_string())?;
        let plant = Plant::ALL.get(usize::from(head[1])).map(|(_, plant)| *plant);
        let answer =
            if head[0] == 1 { compile(backends, engines, &wasm) } else { run(backends, engines, &wasm, plant) };
        write_answer(&mut output, answer).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn write_answer(output: &mut impl Write, answer: Result<(Verdict, Counts), String>) -> std::io::Result<()> {
    match answer {
        Err(text) => writeln!(output, "error {}", text.replace('\n', " "))?,
        Ok((verdict, mut counts)) => {
            match verdict {
                Verdict::Same => writeln!(output, "same")?,
                Verdict::Exhausted => writeln!(output, "exhausted")?,
                Verdict::Differ(kind, lines) => {
                    writeln!(output, "differ {kind}")?;
                    for line in lines {
                        writeln!(output, "| {}", line.replace('\n', " "))?;
                    }
                }
            }
            writeln!(output, "counts {}", counts.fields().map(|count| count.to_string()).join(" "))?;
        }
    }
    writeln!(output, ".")?;
    output.flush()
}

fn run(
    names: [&str; 2],
    engines: [*mut wasm_engine_t; 2],
    wasm: &[u8],
    plant: Option<Plant>,
) -> Result<(Verdict, Counts), String> {
    let first = session::run(engines[0], wasm, None)?;
    let second = session::run(engines[1], wasm, plant)?;
    let verdict = match compare(names, [&first, &second]) {
        // Only valid modules are run. Engines that are loaded do not have everything.
        Verdict::Same if !names[0].contains('/') && first.iter().any(|event| event.kind == "refused") => {
            Verdict::Differ("refused by both".to_string(), first.into_iter().map(|event| event.text).collect())
        }
        verdict => return Ok((verdict, Counts::of(&first))),
    };
    Ok((verdict, Counts::default()))
}

/// What both engines have, in their configurations here.
fn common_features() -> WasmFeatures {
    WasmFeatures::WASM2
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::MEMORY64
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::WIDE_ARITHMETIC
}

/// Compiles a module, which may be invalid: whether it is must be said alike, and as `wasmparser` of this program says.
/// Where that depends on proposals that only one engine has, anything goes.
fn compile(names: [&str; 2], engines: [*mut wasm_engine_t; 2], wasm: &[u8]) -> Result<(Verdict, Counts), String> {
    let valid = |features| Validator::new_with_features(features).validate_all(wasm);
    let expected = match (valid(common_features()), valid(WasmFeatures::all())) {
        (Ok(_), _) => Some(Ok(())),
        (_, Err(error)) => Some(Err(error.to_string())),
        _ => None,
    };
    let (mut lines, mut counts) = (Vec::new(), Counts::default());
    let mut all = Vec::new();
    for (name, engine) in names.iter().zip(engines) {
        let bytes = wasm_byte_vec_t { size: wasm.len(), data: wasm.as_ptr().cast_mut() };
        // SAFETY: the bytes are only read; store and module are owned.
        let (valid, module) = unsafe {
            let store = Own::new((api().wasm_store_new)(engine))?;
            let valid = (api().wasm_module_validate)(store.get(), &bytes);
            (valid, Own::new((api().wasm_module_new)(store.get(), &bytes)).map(drop))
        };
        counts.refused += u64::from(!valid);
        all.push(valid);
        if valid != module.is_ok() {
            lines.push(format!("{name}: validate says {valid}, but making the module: {module:?}"));
        }
        // Engines that are loaded have more or less than ours.
        let expected = expected.as_ref().filter(|expected| expected.is_err() || !name.contains('/'));
        if expected.is_some_and(|expected| expected.is_ok() != valid) {
            lines.push(format!("{name}: validate says {valid}, {module:?}; expected {expected:?}"));
        }
    }
    if names[0].contains('/') && all[0] != all[1] {
        lines.push(format!("valid for one only: {all:?}"));
    }
    let verdict = if lines.is_empty() { Verdict::Same } else { Verdict::Differ("validity".to_string(), lines) };
    Ok((verdict, counts))
}
