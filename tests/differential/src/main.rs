//! Runs generated modules on both engines of libwasmrt, through its C functions, and compares what happens. README.md
//! says more.

mod bridge;
mod compare;
mod generate;
mod minimise;
mod outline;
mod session;
mod worker;

use compare::Verdict;
use generate::Task;
use session::Plant;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wasmrt_c_api as c_api;
use worker::{Counts, Request, Worker};

const USAGE: &str = "usage: wasmrt-differential [--library FILE] [--seed N] [--count N] [--output FOLDER] [FILE.wat]...

Runs the modules of the corpus, then as many generated ones, on both backends, and compares what happens. The status is 1 if
there is a difference; the module is then made smaller and printed.
  --library FILE   the library, by default build/lib/libwasmrt.so of this tree
  --backend NAME   twice: which backends, instead of those that are compiled in; NAME+fuel for an engine that counts fuel and
                   can be interrupted
  --seed N         the first seed, by default 0
  --count N        how many generated modules, by default 2000
  --output FOLDER  also write what is found there: as SEED.wat, and as generated, SEED.wasm
  --print          only print the module of --seed
  --plant NAME     make the second backend's host differ once in each module: host-result, host-trap, argument, memory,
                   global or table
  --control        see whether differences that are planted are found
  FILE.wat         only these modules, made smaller too where they differ";

/// A generated module is done in milliseconds.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Left out is also what makes loops end: that shall not take long.
const TIME_LIMIT_OF_ATTEMPTS: Duration = Duration::from_secs(3);
const ATTEMPTS: usize = 6000;
/// When so many have been found, more would tell nothing new.
const MOST_DIFFERENCES: usize = 20;

#[derive(Default)]
struct Options {
    library: PathBuf,
    backends: Vec<String>,
    seed: u64,
    count: u64,
    output: Option<PathBuf>,
    files: Vec<PathBuf>,
    print: bool,
    plant: Option<Plant>,
    control: bool,
    /// This is a worker.
    worker: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("wasmrt-differential: {message}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, String> {
    let options = options()?;
    if options.print {
        print!("{}", text(&generate::module(options.seed)?.1));
        return Ok(true);
    }
    c_api::load(&options.library)?;
    let backends = backends(&options)?;
    if options.worker {
        return worker::serve([&backends[0], &backends[1]]).map(|()| true);
    }
    let mut runner = Runner {
        worker: Worker::new(&options.library, backends),
        plant: options.plant,
        output: options.output,
        counts: Counts::default(),
        modules: 0,
        exhausted: 0,
        differences: 0,
    };
    if options.control {
        return control(&mut runner);
    }
    let start = Instant::now();
    let corpus = if options.files.is_empty() { modules_in("corpus")? } else { options.files.clone() };
    for file in &corpus {
        runner.check(&file.display().to_string(), Task::Run, parse(file)?)?;
    }
    if options.files.is_empty() {
        // They are of the engines that are compiled in.
        let known = if options.backends.is_empty() { modules_in("known")? } else { Vec::new() };
        for file in known {
            runner.check_known(&file)?;
        }
        for seed in options.seed..options.seed + options.count {
            let (task, wasm) = generate::module(seed)?;
            runner.check(&format!("seed {seed}"), task, wasm)?;
            if runner.differences == MOST_DIFFERENCES {
                println!("stopped after seed {seed}: there are enough differences to look at");
                break;
            }
        }
    }
    runner.summarise(start.elapsed());
    // A library on which nothing ever runs would make no difference either.
    let counts = runner.counts;
    let idle = options.count >= 100 && options.files.is_empty() && (counts.results == 0 || counts.host_calls == 0);
    if idle {
        println!("nothing was compared: no calls gave results, or no host function was called");
    }
    Ok(runner.differences == 0 && !idle)
}

struct Runner {
    worker: Worker,
    plant: Option<Plant>,
    output: Option<PathBuf>,
    counts: Counts,
    modules: u64,
    exhausted: u64,
    differences: usize,
}

impl Runner {
    /// Runs a module on both backends; a difference is minimised and printed.
    fn check(&mut self, name: &str, task: Task, wasm: Vec<u8>) -> Result<(), String> {
        let plant = self.plant;
        let (verdict, counts) = self.worker.ask(Request { task, plant, wasm: &wasm }, TIME_LIMIT)?;
        self.modules += 1;
        self.counts.add(counts);
        let (kind, lines) = match verdict {
            Verdict::Same => return Ok(()),
            Verdict::Exhausted => {
                self.exhausted += 1;
                return Ok(());
            }
            Verdict::Differ(kind, lines) => (kind, lines),
        };
        self.differences += 1;
        println!("difference in {name}: {kind}");
        for line in lines {
            println!("  {line}");
        }
        let mut worker = self.worker.for_attempts();
        let smaller = minimise::minimise(wasm.clone(), ATTEMPTS, |wasm| {
            let answer = worker.ask(Request { task, plant, wasm }, TIME_LIMIT_OF_ATTEMPTS);
            matches!(answer, Ok((Verdict::Differ(found, _), _)) if found == kind)
        });
        let (verdict, _) = self.worker.ask(Request { task, plant, wasm: &smaller }, TIME_LIMIT)?;
        let text = text(&smaller);
        println!("smaller, {} of {} bytes:\n{text}", smaller.len(), wasm.len());
        if let Verdict::Differ(_, lines) = verdict {
            for line in lines {
                println!("  {line}");
            }
        }
        if let Some(folder) = &self.output {
            let path = |extension| folder.join(name.replace([' ', '/'], "-")).with_extension(extension);
            let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path("wat"), &text));
            written.and_then(|()| std::fs::write(path("wasm"), &wasm)).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Runs a module on which an engine is known to be wrong: no longer to be so is wrong here.
    fn check_known(&mut self, file: &Path) -> Result<(), String> {
        let request = Request { task: Task::Run, plant: None, wasm: &parse(file)? };
        if let (Verdict::Same | Verdict::Exhausted, _) = self.worker.for_attempts().ask(request, TIME_LIMIT)? {
            self.differences += 1;
            println!("no difference in {}: it belongs in the corpus now, and into the generator", file.display());
        }
        Ok(())
    }

    fn summarise(&self, time: Duration) {
        let Counts { results, traps, host_calls, memories, changes, not_instantiated, refused } = self.counts;
        println!("{} modules in {:.0} s, {} differences", self.modules, time.as_secs_f64(), self.differences);
        println!("calls with results {results}, with a trap {traps}; host calls {host_calls}");
        println!("contents compared: memories {memories}, other {changes}");
        println!(
            "instantiation trapped {not_instantiated}, refused {refused}, call stack exhausted {}",
            self.exhausted
        );
    }
}

/// Plants each kind of difference in a module that lets every one of them show, and sees that it is found, that it is
/// minimised, and that nothing is found when nothing is planted.
fn control(runner: &mut Runner) -> Result<bool, String> {
    let wasm = parse(&folder().join("control.wat"))?;
    let mut good = true;
    for (name, plant) in [("nothing", None)].into_iter().chain(Plant::ALL.map(|(name, plant)| (name, Some(plant)))) {
        let (verdict, counts) = runner.worker.ask(Request { task: Task::Run, plant, wasm: &wasm }, TIME_LIMIT)?;
        if counts.results == 0 || counts.host_calls == 0 {
            return Err("the module of the control does not run".to_string());
        }
        let (found, text) = match verdict {
            Verdict::Differ(kind, _) => (true, kind),
            Verdict::Same | Verdict::Exhausted => (false, "none".to_string()),
        };
        println!("planted: {name}; difference found: {text}");
        good &= found == plant.is_some();
        if found {
            let mut worker = runner.worker.for_attempts();
            let smaller = minimise::minimise(wasm.clone(), ATTEMPTS, |wasm| {
                let answer = worker.ask(Request { task: Task::Run, plant, wasm }, TIME_LIMIT_OF_ATTEMPTS);
                matches!(answer, Ok((Verdict::Differ(kind, _), _)) if kind == text)
            });
            println!("  minimised from {} to {} bytes", wasm.len(), smaller.len());
            good &= smaller.len() < wasm.len();
        }
    }
    // Generated modules, too, let a host function's result show often enough.
    runner.plant = Some(Plant::HostResult);
    let mut found = 0;
    for seed in 0..100 {
        let (task, wasm) = generate::module(seed)?;
        let (verdict, _) = runner.worker.ask(Request { task, plant: runner.plant, wasm: &wasm }, TIME_LIMIT)?;
        found += usize::from(matches!(verdict, Verdict::Differ(..)));
    }
    println!("planted: host-result in 100 generated modules; differences found: {found}");
    Ok(good && found > 0)
}

fn options() -> Result<Options, String> {
    let library = tree().join("build/lib/libwasmrt.so");
    let mut options = Options { library, count: 2000, ..Options::default() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("{text:?} is no number"));
        match argument.as_str() {
            "--library" => options.library = value()?.into(),
            "--backend" => options.backends.push(value()?),
            "--seed" => options.seed = number(value()?)?,
            "--count" => options.count = number(value()?)?,
            "--output" => options.output = Some(value()?.into()),
            "--print" => options.print = true,
            "--plant" => {
                let name = value()?;
                let plant = Plant::ALL.iter().find(|(known, _)| *known == name);
                options.plant = Some(plant.ok_or(format!("there is no {name:?} to plant"))?.1);
            }
            "--control" => options.control = true,
            "--worker" => options.worker = true,
            "--help" => {
                println!("{USAGE}");
                std::process::exit(0);
            }
            option if option.starts_with('-') => return Err(format!("unknown option {option}\n{USAGE}")),
            file => options.files.push(file.into()),
        }
    }
    Ok(options)
}

/// The two backends that are compared: those asked for, or the library's.
fn backends(options: &Options) -> Result<[String; 2], String> {
    let backends = if options.backends.is_empty() { c_api::backends() } else { options.backends.clone() };
    backends.try_into().map_err(|backends: Vec<_>| format!("two backends are compared, not {}", backends.len()))
}

/// The root of the source tree.
fn tree() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The modules that are kept in a folder.
fn modules_in(name: &str) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder().join(name)).map_err(|error| format!("{name}: {error}"))?;
    let mut files: Vec<_> = entries.map_while(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wat"));
    files.sort();
    if files.is_empty() { Err(format!("{name}: there are no modules")) } else { Ok(files) }
}

/// A module of a text file.
fn parse(file: &Path) -> Result<Vec<u8>, String> {
    let text = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    c_api::wat2wasm(&text).map_err(|error| format!("{}: {error}", file.display()))
}

fn text(wasm: &[u8]) -> String {
    wasmprinter::print_bytes(wasm).unwrap_or_else(|error| format!(";; cannot be printed: {error}\n;; {wasm:02x?}\n"))
}
