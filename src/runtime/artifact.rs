//! The envelope around serialized modules: it says who wrote it, and lets nothing damaged or foreign reach an engine.
//!
//! Layout: magic, checksum of all that follows, then length-prefixed: library version, backend, settings, outline of the
//! module's declarations, the engine's own artifact. Numbers are little-endian.

use super::engine::Engine;
use super::error::{Error, ErrorKind, Result};
use std::borrow::Cow;

const MAGIC: &[u8; 8] = b"\0wasmrt\x01";

pub fn is_artifact(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// An artifact that is yet to be written.
pub struct Artifact<'a> {
    settings: String,
    engine: &'a Engine,
    outline: &'a [u8],
    payload: [Cow<'a, [u8]>; 2],
}

impl<'a> Artifact<'a> {
    pub fn new(engine: &'a Engine, outline: &'a [u8], payload: [Cow<'a, [u8]>; 2]) -> Artifact<'a> {
        Artifact { settings: engine.inner.settings(), engine, outline, payload }
    }

    /// The length-prefixed parts, of which one may consist of two pieces.
    fn parts(&self) -> [[&[u8]; 2]; 5] {
        let backend = self.engine.backend.name().to_bytes();
        let [start, rest] = &self.payload;
        [
            [crate::VERSION.as_bytes(), &[]],
            [backend, &[]],
            [self.settings.as_bytes(), &[]],
            [self.outline, &[]],
            [start, rest],
        ]
    }

    /// How many bytes it takes.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        MAGIC.len() + 4 + self.parts().iter().map(|part| 8 + length(part)).sum::<usize>()
    }

    /// Writes it to `bytes`, which are as many.
    pub fn write(&self, bytes: &mut [u8]) {
        let (magic, rest) = bytes.split_at_mut(MAGIC.len());
        let (checksum, parts) = rest.split_at_mut(4);
        magic.copy_from_slice(MAGIC);
        let mut rest = &mut *parts;
        for part in self.parts() {
            for piece in [&(length(&part) as u64).to_le_bytes(), part[0], part[1]] {
                let (place, after) = std::mem::take(&mut rest).split_at_mut(piece.len());
                place.copy_from_slice(piece);
                rest = after;
            }
        }
        checksum.copy_from_slice(&crc32fast::hash(parts).to_le_bytes());
    }
}

fn length(part: &[&[u8]; 2]) -> usize {
    part[0].len() + part[1].len()
}

/// The outline and the engine's artifact inside `bytes`, if an engine like `engine` wrote them.
pub fn read<'a>(engine: &Engine, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8])> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        let what = if bytes.starts_with(b"\0asm") {
            "a WebAssembly binary; give it to wasm_module_new"
        } else {
            "not a module serialized by this library"
        };
        return Err(refusal(format!("expected the bytes of wasm_module_serialize, got {what}")));
    };
    let damaged = || refusal("the serialized module is damaged or incomplete".to_string());
    let (checksum, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
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
