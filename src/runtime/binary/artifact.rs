//! The envelope of serialized modules: it names their maker, and keeps damaged or foreign ones from the engine.
//!
//! Layout: magic number, checksum of everything after it, then, each with its length before it: version of the
//! library, backend, settings, outline of the module's declarations, the engine's own artifact. Numbers are
//! little-endian.

use super::preamble;
use crate::runtime::base::error::{Advice, Error, ErrorKind, Result};
use std::borrow::Cow;
use std::ffi::CStr;

const MAGIC: &[u8; 8] = preamble::ARTIFACT;
const CHECKSUM: usize = size_of::<u32>();

/// What makes an artifact: the backend, by its name, and the settings on which its artifacts depend.
pub struct Maker<'a> {
    pub backend: &'a CStr,
    pub settings: String,
}

/// Puts the envelope around an engine's artifact. Returns two pieces; the second one, which may be large, is the
/// engine's own and is not copied.
pub fn write<'a>(maker: &Maker, outline: &[u8], payload: [Cow<'a, [u8]>; 2]) -> [Cow<'a, [u8]>; 2] {
    let [start, rest] = payload;
    let mut head = [&MAGIC[..], &[0; CHECKSUM]].concat();
    for part in [crate::VERSION.as_bytes(), maker.backend.to_bytes(), maker.settings.as_bytes(), outline] {
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

/// Returns the outline and the engine's artifact inside `bytes`, if an engine like `maker` wrote them.
pub fn read<'a>(maker: &Maker, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8])> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        let (what, advice) = if bytes.starts_with(b"\0asm") {
            ("a WebAssembly binary", Some(Advice::Compile))
        } else {
            preamble::describe(bytes).unwrap_or(("bytes that this library did not serialize", None))
        };
        let mut error = refusal(format!("expected a serialized module, got {what}"));
        error.advice = advice;
        return Err(error);
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
    expect("backend", &maker.backend.to_string_lossy(), backend)?;
    expect("engine settings", &maker.settings, settings)?;
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
    Err(refusal(format!("the serialized module was made with {what} \"{theirs}\", but this engine has \"{ours}\"")))
}

fn refusal(message: String) -> Error {
    Error::new(ErrorKind::Artifact, message)
}
