//! Checks that exported functions pass their own names, with which messages about their misuse begin.

use std::path::Path;

/// Finds the names that a source has as a first argument. Returns each with the exported function that it is in.
fn names(source: &str) -> Vec<(&str, &str)> {
    let functions = source.match_indices("extern \"C\" fn ").map(|(place, start)| {
        let name = &source[place + start.len()..];
        (place, name.split('(').next().unwrap_or_default())
    });
    let functions: Vec<_> = functions.filter(|(_, name)| name.trim_start_matches("[<").starts_with("wasm")).collect();
    let within = |place| {
        let before = functions.iter().rev().find(|(function, _)| *function < place);
        before.map_or("no function", |(_, name)| name)
    };
    let mut found = Vec::new();
    for (place, _) in source.match_indices('(') {
        let argument = source[place + 1..].trim_start();
        if let Some(name) = argument.strip_prefix("\"wasm").and_then(|rest| rest.split_once("\",")) {
            found.push((&argument[1..argument.len() - name.1.len() - 2], within(place)));
        } else if let Some((name, _)) = argument.strip_prefix("stringify!(").and_then(|rest| rest.split_once(')')) {
            found.push((name, within(place)));
        }
    }
    found
}

/// Checks the sources in a folder, and returns the number of names in them.
fn check(folder: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            count += check(&path);
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("text");
        for (name, function) in names(&source) {
            assert_eq!(name, function, "the name that a function of {} gives", path.display());
            count += 1;
        }
    }
    count
}

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn functions_give_their_own_names() {
    let count = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/c_api"));
    assert!(count > 100, "only {count} names were found");
}

#[test]
fn a_wrong_name_is_found() {
    let source = r#"extern "C" fn wasm_a_new(x: u8) { answer("wasm_a_new", ()) }
        extern "C" fn [<wasm_ $name _b>]() { answer(stringify!([<wasm_ $name _b>]), ()); answer(
            "wasm_a_new", ()) }"#;
    let own = "[<wasm_ $name _b>]";
    assert_eq!(names(source), [("wasm_a_new", "wasm_a_new"), (own, own), ("wasm_a_new", own)]);
}
