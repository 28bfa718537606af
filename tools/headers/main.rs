//! Makes the headers in `include/` from the sources, with cbindgen.
//!
//! `cargo run -p wasmrt-headers` writes them; `cargo test -p wasmrt-headers` fails when they are not what it would write.
//! A package of its own, because cbindgen's dependencies would change the engines' features and so compile them twice.
//!
//! wasm.h is made in one piece. wasmrt.h has a section for each module of `c_api::wasmrt`, in their order: the first line of
//! the module's `//!` comment is the heading, the rest is the contract of its functions, and its items follow.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The C API with its macros expanded: cbindgen does not see functions that macros make, and expanding is a feature of the
/// compiler that is only stable to look at. Backends are left out, so that no engine has to be compiled for this.
fn expanded_c_api() -> Source {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["rustc", "--quiet", "--package", "wasmrt", "--lib", "--no-default-features", "--target-dir"])
        .arg(work_directory())
        .args(["--", "-Zunpretty=expanded"])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Source(String::from_utf8(output.stdout).expect("sources are UTF-8"))
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn work_directory() -> PathBuf {
    root().join("target/headers")
}

/// Expanded source, which is regularly indented.
struct Source(String);

impl Source {
    /// The text of the module whose `mod` line reads so, and the source without it.
    fn split_out(&self, line: &str) -> (String, String) {
        let lines: Vec<_> = self.0.lines().collect();
        let start = lines.iter().position(|text| text.trim_start() == line).expect(line);
        let indent = lines[start].len() - lines[start].trim_start().len();
        let end_line = format!("{}}}", " ".repeat(indent));
        let end = start + lines[start..].iter().position(|text| *text == end_line).expect("the module ends");
        let rest = [&lines[..start], &lines[end + 1..]].concat();
        (lines[start..=end].join("\n"), rest.join("\n"))
    }
}

/// A module that is a section of the header, or several: its own and those of the modules in it.
struct Topic {
    name: String,
    /// The lines of its `//!` comment.
    comment: Vec<String>,
    items: String,
    topics: Vec<Topic>,
}

impl Topic {
    fn new(name: &str, module: String) -> Topic {
        let (mut source, mut topics) = (Source(module), Vec::new());
        loop {
            // The first line is the module's own.
            let child = source.0.lines().skip(1).find(|line| line.trim_start().starts_with("pub mod "));
            let Some(line) = child.map(|line| line.trim_start().to_string()) else { break };
            let (module, rest) = source.split_out(&line);
            source = Source(rest);
            topics.push(Topic::new(line.trim_start_matches("pub mod ").trim_end_matches(" {"), module));
        }
        let comment = |line: &str| Some(line.trim_start().strip_prefix("//!")?.trim_start().to_string());
        let comment = source.0.lines().filter_map(comment).collect();
        Topic { name: name.to_string(), comment, items: source.0, topics }
    }

    fn sections(&self) -> String {
        let [heading, contract @ ..] = &self.comment[..] else { panic!("the module {} has no heading", self.name) };
        let mut section = format!("// {}\n// {heading}\n", "-".repeat(97));
        contract.iter().for_each(|line| section += &format!("{}\n", format!("// {line}").trim_end()));
        section += "\n";
        if self.name == "version" {
            section += &version_macros();
        }
        section + &self.declarations() + &self.topics.iter().map(Topic::sections).collect::<String>()
    }

    /// What cbindgen makes of the items.
    fn declarations(&self) -> String {
        let enums =
            self.items.lines().filter_map(|line| line.trim_start().strip_prefix("pub enum ")?.strip_suffix(" {"));
        // It would leave out what no function names.
        let export = format!("\n[export]\ninclude = {:?}\n", enums.collect::<Vec<_>>());
        let declarations =
            generate(&format!("wasmrt-{}", self.name), &(configuration("wasmrt") + &export), &self.items);
        // As the types of wasm.h are written, but for where one is declared.
        let plainly = |line: &str| match line.starts_with("typedef struct") {
            true => format!("{line}\n"),
            false => format!("{line}\n").replace("struct wasmrt_", "wasmrt_"),
        };
        let declarations: String = declarations.trim().lines().map(plainly).collect();
        if declarations.is_empty() { declarations } else { declarations + "\n" }
    }
}

fn version_macros() -> String {
    let part = |text: &str| text.parse::<u8>().expect("each part of the version fits into a byte");
    let version = env!("CARGO_PKG_VERSION");
    let (major, minor) = (part(env!("CARGO_PKG_VERSION_MAJOR")), part(env!("CARGO_PKG_VERSION_MINOR")));
    let patch = part(env!("CARGO_PKG_VERSION_PATCH"));
    format!(
        "// The version of the header: all of it, one part of it, or all in one number.\n\n\
         #define WASMRT_VERSION \"{version}\"\n\
         #define WASMRT_VERSION_MAJOR {major}\n\
         #define WASMRT_VERSION_MINOR {minor}\n\
         #define WASMRT_VERSION_PATCH {patch}\n\
         #define WASMRT_VERSION_NUMBER 0x{major:02x}{minor:02x}{patch:02x}\n\n"
    )
}

/// wasmrt.h, from the module of its functions.
fn extension_header(module: String) -> String {
    let topics = Topic::new("wasmrt", module).topics;
    let sections: String = topics.iter().map(Topic::sections).collect();
    read("wasmrt.h.in").replace("@SECTIONS@\n", sections.trim_start())
}

/// The text of a file beside this one.
fn read(name: &str) -> String {
    std::fs::read_to_string(root().join("tools/headers").join(name)).expect(name)
}

fn configuration(name: &str) -> String {
    read(&format!("{name}.toml"))
}

/// What cbindgen makes of a source.
fn generate(name: &str, configuration: &str, source: &str) -> String {
    let directory = work_directory();
    let (file, config_file) = (directory.join(format!("{name}.rs")), directory.join(format!("{name}.toml")));
    std::fs::write(&file, source).expect("the source can be written");
    std::fs::write(&config_file, configuration).expect("the configuration can be written");
    let config =
        cbindgen::Config::from_file(config_file.to_str().expect("a path in UTF-8")).expect("a valid configuration");
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(file)
        .generate()
        .expect("cbindgen understands the source");
    let mut header = Vec::new();
    bindings.write(&mut header);
    String::from_utf8(header).expect("headers are UTF-8").trim_start().to_string()
}

/// Each header's file and what should be in it.
fn headers() -> Vec<(PathBuf, String)> {
    let (extension, standard) = expanded_c_api().split_out("pub mod wasmrt {");
    let file = |name: &str| root().join(format!("include/{name}"));
    let standard = generate("wasm", &configuration("wasm"), &standard);
    vec![(file("wasm.h"), standard), (file("wasmrt.h"), extension_header(extension))]
}

fn main() {
    for (file, header) in headers() {
        std::fs::write(&file, header).expect("the header can be written");
        println!("{}", file.display());
    }
}

#[test]
fn headers_are_what_the_sources_give() {
    for (file, header) in headers() {
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        let mut lines = header.lines().zip(committed.lines());
        let line = lines
            .position(|(ours, theirs)| ours != theirs)
            .map_or("its end".to_string(), |line| format!("line {}", line + 1));
        assert!(
            header == committed,
            "{} differs from what the sources give, first in {line}; run: cargo run -p wasmrt-headers",
            file.display()
        );
    }
}

#[test]
fn lines_of_the_extension_header_are_at_most_100_columns() {
    let header = std::fs::read_to_string(root().join("include/wasmrt.h")).expect("the header is there");
    let long: Vec<_> = header.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(long.is_empty(), "{long:#?}");
}
