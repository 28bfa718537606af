//! The envelope around serialized modules: it says who wrote it, and lets nothing damaged or foreign reach an engine.
//!
//! Layout: magic, checksum of all that follows, then length-prefixed: library version, backend, settings, outline of the
//! module's declarations, the engine's own artifact. Numbers are little-endian.

use super::engine::Engine;
use super::error::{Error, ErrorKind, Result};
use super::preamble;
use std::borrow::Cow;

const MAGIC: &[u8; 8] = b"\0wasmrt\x01";
const CHECKSUM: usize = size_of::<u32>();

pub fn is_artifact(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// An artifact around what an engine gave, in two pieces: the second, which may be large, is the engine's own, not copied.
pub fn write<'a>(engine: &Engine, outline: &[u8], payload: [Cow<'a, [u8]>; 2]) -> [Cow<'a, [u8]>; 2] {
    let [start, rest] = payload;
    let mut head = [&MAGIC[..], &[0; CHECKSUM]].concat();
    let settings = engine.inner.settings();
    for part in [crate::VERSION.as_bytes(), engine.backend.name().to_bytes(), settings.as_bytes(), outline] {
        head.extend_from_slice(&(part.len() as u64).to_le_bytes());
        head.extend_from_slice(part);
    }
    head.extend_from_slice(&((start.len() + rest.len()) as u64).to_le_bytes());
    head.extend_from_slice(&start);
    let (before, checked) = head.split_at_mut(MAGIC.len() + CHECKSUM);
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(checked);
    checksum.update(&rest);
    before[MAGIC.len()..].copy_from_slice(&checksum.finalize().to_le_bytes());
    [head.into(), rest]
}

/// The outline and the engine's artifact inside `bytes`, if an engine like `engine` wrote them.
pub fn read<'a>(engine: &Engine, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8])> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        let what = if bytes.starts_with(b"\0asm") {
            "a WebAssembly binary; give it to wasm_module_new"
        } else {
            preamble::describe(bytes).unwrap_or("not a module serialized by this library")
        };
        return Err(refusal(format!("expected the bytes of wasm_module_serialize, got {what}")));
    };
    let damaged = || refusal("the serialized module is damaged or incomplete".to_string());
    let (checksum, rest) = rest.split_first_chunk::<CHECKSUM>().ok_or_else(damaged)?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*checksum) {
        return Err(damaged());
    }
    let mut parts = Parts(rest);
    let mut next = || parts.next().ok_or_else(damaged);
    let (version, backend, settings, outline, payload) = (next()?, next()?, next()?, next()?, next()?);
    expect("version", crate::VERSION, version)?;
    expect("backend", &engine.backend.name().to_string_lossy(), backend)?;
    expect("engine settings", &engine.inner.settings(), settings)?;
    Ok((outline, payload))
}

struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }
}

fn expect(what: &str, ours: &str, theirs: &[u8]) -> Result<()> {
    if ours.as_bytes() == theirs {
        return Ok(());
    }
    let theirs = String::from_utf8_lossy(theirs);
    Err(refusal(format!("the serialized module was made with {what} \"{theirs}\", this engine has \"{ours}\"")))
}

fn refusal(message: String) -> Error {
    Error::new(ErrorKind::Artifact, message)
}
