//! Decides how memories get their initial data.
//!
//! With copy-on-write the engine keeps an image of this data for each module, in a file that exists only in memory.
//! That takes a file descriptor for as long as the module or an instance of it exists. Descriptors belong to the
//! host, which may have few: when no more can be spared, the module is compiled so that the engine makes no image of
//! it, and instances copy the data.

use crate::runtime::base::file;
use crate::runtime::binary::sections::{DATA, Payloads, write_leb128};
use std::os::fd::AsRawFd;
use wasmparser::{DataKind, Payload};

/// Where to insert instructions that keep the engine from making an image of a module. It makes one only if all data
/// goes to constant offsets, and it does not treat `N + 0` as a constant.
pub struct Image {
    /// The data section with its id and size; `content` is where its contents begin.
    section: std::ops::Range<usize>,
    content: usize,
    /// The end of an active segment's offset, and the instructions to insert there.
    position: usize,
    addition: [u8; 3],
}

impl Image {
    /// Finds the place in a valid module. `None` if the engine makes no image of it anyway.
    pub fn of(wasm: &[u8]) -> Option<Image> {
        const END: u8 = 0x0b;
        // The sections begin after the magic number and the version.
        let mut begin = 8;
        for payload in Payloads::of(wasm).without_code() {
            let Payload::DataSection(section) = payload else {
                begin = payload.as_section().map_or(begin, |(_, range)| range.end);
                continue;
            };
            let (content, end) = (section.range().start, section.range().end);
            let segment = section.into_iter().flatten().find_map(|segment| match segment.kind {
                DataKind::Active { offset_expr, .. } => Some(offset_expr.get_binary_reader().range()),
                DataKind::Passive => None,
            })?;
            let addition = match wasm.get(segment.clone())? {
                // i32.const 0, i32.add
                [0x41, .., END] => [0x41, 0, 0x6a],
                // i64.const 0, i64.add
                [0x42, .., END] => [0x42, 0, 0x7c],
                _ => return None,
            };
            return Some(Image { section: begin..end, content, position: segment.end - 1, addition });
        }
        None
    }

    /// Returns the module, changed so that the engine makes no image of it.
    pub fn avoided(&self, wasm: &[u8]) -> Vec<u8> {
        let mut new = Vec::with_capacity(wasm.len() + 8);
        new.extend_from_slice(&wasm[..self.section.start]);
        new.push(DATA);
        write_leb128(&mut new, self.section.end - self.content + self.addition.len());
        new.extend_from_slice(&wasm[self.content..self.position]);
        new.extend_from_slice(&self.addition);
        new.extend_from_slice(&wasm[self.position..]);
        new
    }
}

/// Whether the host can spare a file descriptor: the last quarter of those that it may have is left to it.
pub fn descriptor_to_spare() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a local for the answer.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } == 0;
    // A new descriptor always gets the lowest free number.
    known && file::in_memory().is_ok_and(|file| (file.as_raw_fd() as u64) < limit.rlim_cur - limit.rlim_cur / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::Parser;

    #[test]
    fn a_module_without_an_image_is_valid_and_has_the_same_data() {
        for (text, has_image) in [
            (
                "(module (memory 1) (func) (data \"passive\") (data (i32.const 70) \"one\") (data (i32.const 9) \"two\"))",
                true,
            ),
            ("(module (memory i64 1) (data (i64.const -1) \"\") (@custom \"after\" \"x\"))", true),
            ("(module (import \"\" \"\" (global i32)) (memory 1) (data (global.get 0) \"one\"))", false),
            ("(module (memory 1) (data \"passive\"))", false),
            ("(module (memory 1))", false),
            ("(module)", false),
        ] {
            let wasm = wat::parse_str(text).expect("valid text");
            let image = Image::of(&wasm);
            assert_eq!(image.is_some(), has_image, "{text}");
            let Some(image) = image else { continue };
            let new = image.avoided(&wasm);
            assert_eq!(new.len(), wasm.len() + 3);
            wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all()).validate_all(&new).expect(text);
            let data = |wasm: &[u8]| -> Vec<Vec<u8>> {
                let payloads = Parser::new(0).parse_all(wasm).map(|payload| payload.expect("a valid module"));
                let sections = payloads.filter_map(|payload| match payload {
                    Payload::DataSection(section) => {
                        Some(section.into_iter().map(|data| data.expect("data").data.to_vec()))
                    }
                    _ => None,
                });
                sections.flatten().collect()
            };
            assert_eq!(data(&wasm), data(&new));
        }
    }
}
