//! The envelope of serialized modules: it names their maker, and keeps damaged or foreign ones from the engine.
//!
//! Layout: the engine's image, which may be mapped from a file and has to be its beginning then; a magic number; the
//! checksum of everything else; then, each with its length before it, version of the library, backend, settings,
//! outline of the module's declarations and the rest of the engine's artifact; the length of the image; a magic number
//! for the end. Numbers are little-endian.

use super::preamble;
use crate::runtime::base::error::{Advice, Error, ErrorKind, Result};
use std::borrow::Cow;
use std::ffi::CStr;

const MAGIC: &[u8] = preamble::ARTIFACT;
const END: &[u8] = preamble::ARTIFACT_END;
const CHECKSUM: usize = size_of::<u32>();

/// What makes an artifact: the backend, by its name, and the settings on which its artifacts depend.
pub struct Maker<'a> {
    pub backend: &'a CStr,
    pub settings: String,
}

/// What an engine keeps of a module.
pub struct Payload<'a> {
    /// What the engine can use in place where a file is mapped. May be empty.
    pub image: Cow<'a, [u8]>,
    pub rest: Cow<'a, [u8]>,
}

/// What an artifact contains.
pub struct Contents<'a> {
    pub outline: &'a [u8],
    pub image: &'a [u8],
    pub rest: &'a [u8],
}

/// Puts the envelope around what an engine keeps. Returns two pieces; the first one, which may be large, is the image
/// and is not copied.
pub fn write<'a>(maker: &Maker, outline: &[u8], payload: Payload<'a>) -> [Cow<'a, [u8]>; 2] {
    let Payload { image, rest } = payload;
    let mut envelope = [MAGIC, &[0; CHECKSUM]].concat();
    for part in [crate::VERSION.as_bytes(), maker.backend.to_bytes(), maker.settings.as_bytes(), outline, &rest] {
        envelope.extend_from_slice(&(part.len() as u64).to_le_bytes());
        envelope.extend_from_slice(part);
    }
    envelope.extend_from_slice(&(image.len() as u64).to_le_bytes());
    envelope.extend_from_slice(END);
    let (before, checked) = envelope.split_at_mut(MAGIC.len() + CHECKSUM);
    before[MAGIC.len()..].copy_from_slice(&checksum(&image, checked).to_le_bytes());
    [image, envelope.into()]
}

fn checksum(image: &[u8], envelope: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(image);
    checksum.update(envelope);
    checksum.finalize()
}

/// Returns what is inside `bytes`, if an engine like `maker` wrote them.
pub fn read<'a>(maker: &Maker, bytes: &'a [u8]) -> Result<Contents<'a>> {
    let damaged = || refusal("the serialized module is damaged or incomplete".to_string());
    let Some(before_end) = bytes.strip_suffix(END) else {
        if bytes.starts_with(MAGIC) {
            return Err(damaged());
        }
        let (what, advice) = if bytes.starts_with(b"\0asm") {
            ("a WebAssembly binary", Some(Advice::Compile))
        } else if preamble::is_compiled_elsewhere(bytes) {
            ("a module compiled ahead of time (.cwasm), or only the beginning of a serialized module", None)
        } else {
            preamble::describe(bytes).unwrap_or(("bytes that this library did not serialize", None))
        };
        let mut error = refusal(format!("expected a serialized module, got {what}"));
        error.advice = advice;
        return Err(error);
    };
    let (_, length) = before_end.split_last_chunk::<8>().ok_or_else(damaged)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged())?;
    let (image, envelope) = bytes.split_at_checked(length).ok_or_else(damaged)?;
    let rest = envelope.strip_prefix(MAGIC).ok_or_else(damaged)?;
    let (expected, rest) = rest.split_first_chunk::<CHECKSUM>().ok_or_else(damaged)?;
    if checksum(image, rest) != u32::from_le_bytes(*expected) {
        return Err(damaged());
    }
    let mut parts = Parts(rest);
    let mut next = || parts.next().ok_or_else(damaged);
    let (version, backend, settings, outline, rest) = (next()?, next()?, next()?, next()?, next()?);
    expect("version", crate::VERSION, version)?;
    expect("backend", &maker.backend.to_string_lossy(), backend)?;
    expect("engine settings", &maker.settings, settings)?;
    Ok(Contents { outline, image, rest })
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
