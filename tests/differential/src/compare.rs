//! What the two records of a module say, side by side.

use crate::session::Event;

pub enum Verdict {
    Same,
    /// From here on the engines may differ: one of them ran out of stack, and each has its own idea of how deep one may
    /// call.
    Exhausted,
    /// What kind of difference it is, and a description in lines.
    Differ(String, Vec<String>),
}

/// wasmi does not tell these apart, nor where it traps; where a function can have done either, libwasmrt takes the
/// second.
const TABLE_TRAPS: [&str; 2] = ["trap: out of bounds table access", "trap: undefined element"];
const EXHAUSTED: &str = "call stack exhausted";
/// Events shown that come before a difference.
const CONTEXT: usize = 6;

pub fn compare(names: [&str; 2], records: [&[Event]; 2]) -> Verdict {
    let [first, second] = records;
    let is_table_trap = |event: &Event| TABLE_TRAPS.contains(&event.text.as_str());
    let is_same = |(a, b): (&Event, &Event)| {
        a.kind == b.kind && a.bytes == b.bytes && (a.text == b.text || is_table_trap(a) && is_table_trap(b))
    };
    let same = first.iter().zip(second).take_while(|pair| is_same(*pair)).count();
    let exhausted = |event: &Event| event.kind.ends_with("trap") && event.text.ends_with(EXHAUSTED);
    if first[..same].iter().any(exhausted) || [first.get(same), second.get(same)].into_iter().flatten().any(exhausted) {
        return Verdict::Exhausted;
    }
    if same == first.len() && same == second.len() {
        return Verdict::Same;
    }
    let mut lines = vec!["what both did before:".to_string()];
    lines.extend(first[same.saturating_sub(CONTEXT)..same].iter().map(|event| format!("  {}", event.text)));
    let kind = records.map(|events| events.get(same).map_or("nothing", |event| event.kind)).join(" against ");
    for (name, events) in names.iter().zip(records) {
        lines.push(format!("{name}: {}", events.get(same).map_or("nothing more", |event| &event.text)));
    }
    if let (Some(a), Some(b)) = (first.get(same), second.get(same))
        && let Some(place) = a.bytes.iter().zip(&b.bytes).position(|(a, b)| a != b)
    {
        for (name, bytes) in names.iter().zip([&a.bytes, &b.bytes]) {
            let end = bytes.len().min(place + 16);
            lines.push(format!("{name}: bytes from {place:#x}: {:02x?}", &bytes[place..end]));
        }
    }
    Verdict::Differ(kind, lines)
}
