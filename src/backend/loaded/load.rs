//! Finds a library by its name or path, loads it, and makes sure that its calls of its own functions reach itself.
//!
//! A program that uses this library has functions of the standard's names in its global scope. A library that was linked
//! without care calls its own functions by name, and the system's linker would find ours. `RTLD_DEEPBIND` would prevent
//! that, but not under a sanitizer, and it breaks allocators that are preloaded. So the places where the linker put our
//! addresses are corrected ([`elf::bind_home`]), and nothing is used before all of them are.
//!
//! A library is never unloaded: it may have installed signal handlers, and threads of it may run.

use super::api::is_this_library;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::core::config::runs_with_other_rights;
use std::env::consts::DLL_SUFFIX;
use std::ffi::{CStr, CString, OsStr, OsString, c_void};
use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

/// Names of engines, and the files of their libraries.
const KNOWN: [(&str, &str); 3] = [("wamr", "libiwasm"), ("wasmer", "libwasmer"), ("libwasmtime", "libwasmtime")];

/// The folders in which libraries are looked for by name, before those of the system.
const SEARCH_PATH: &str = "WASMRT_ENGINE_PATH";

/// A library that is loaded, forever.
pub struct Library(NonNull<c_void>);

// SAFETY: a handle is only used to look symbols up, which any thread may do.
unsafe impl Send for Library {}
unsafe impl Sync for Library {}

/// Returns where the library is that `name` means: a path, or a name to look for. `None` if nothing has that name.
pub fn locate(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name));
    }
    let known = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, file)| format!("{file}{DLL_SUFFIX}"));
    let file = known.clone().unwrap_or_else(|| match name.starts_with("lib") {
        true => format!("{name}{DLL_SUFFIX}"),
        false => format!("lib{name}{DLL_SUFFIX}"),
    });
    let folders = search_path();
    let own = std::env::split_paths(&folders).map(|folder| folder.join(&file));
    // Any other name could be one of the system's many libraries.
    own.into_iter().find(|path| path.is_absolute() && path.is_file()).or_else(|| known.map(PathBuf::from))
}

/// Returns the value of the variable, unless the program has rights that those who started it lack.
fn search_path() -> OsString {
    if runs_with_other_rights() { OsString::new() } else { std::env::var_os(SEARCH_PATH).unwrap_or_default() }
}

pub fn refusal(path: &Path, why: impl std::fmt::Display) -> Error {
    let message = format!("\"{}\" cannot be used as an engine: {why}", path.display());
    Error::new(ErrorKind::Unsupported, message)
}

impl Library {
    /// Loads a library. A file name without a path is looked for where the system looks for libraries.
    pub fn open(path: &Path) -> Result<Library> {
        let is_path = path.as_os_str().as_bytes().contains(&b'/');
        if is_path {
            check_file(path)?;
        }
        // The pages that are written below must not be protected again by another thread before that.
        static LOADING: Mutex<()> = Mutex::new(());
        let _alone = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        let library = Library::load(path.as_os_str()).map_err(|why| match is_path {
            true => refusal(path, why),
            false => refusal(path, format!("{why}; give its path, or its folder in {}", SEARCH_PATH)),
        })?;
        if is_this_library(|name| library.symbol_anywhere(name)) {
            return Err(refusal(path, "it is this library itself, or is linked with it"));
        }
        #[cfg(target_os = "linux")]
        match elf::bind_home(&library) {
            Ok(0) => {}
            Ok(_) | Err(_) => return elf::load_bound(&library, path),
        }
        Ok(library)
    }

    fn load(file: &OsStr) -> Result<Library, String> {
        let file = CString::new(file.as_bytes()).map_err(|_| "its path has a zero byte".to_string())?;
        // There this keeps `dlsym` from looking in other libraries.
        #[cfg(target_vendor = "apple")]
        const FLAGS: libc::c_int = libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_FIRST;
        #[cfg(not(target_vendor = "apple"))]
        const FLAGS: libc::c_int = libc::RTLD_NOW | libc::RTLD_LOCAL;
        // SAFETY: the name is a string; the initialisers of the library are as trustworthy as the program, which asked for
        // it. The error is a string that stays until the next call of this thread.
        unsafe {
            let handle = libc::dlopen(file.as_ptr(), FLAGS);
            NonNull::new(handle).map(Library).ok_or_else(|| {
                let error = libc::dlerror();
                let mut why = String::new();
                if !error.is_null() {
                    why.push_str(&CStr::from_ptr(error).to_string_lossy());
                }
                // The words of glibc, and of musl.
                if why.contains("undefined symbol") || why.contains("symbol not found") {
                    why.push_str("; it has to be linked with the library that has this symbol");
                }
                why
            })
        }
    }

    /// Finds a function of the library itself.
    pub fn symbol(&self, name: &CStr) -> Option<NonNull<c_void>> {
        self.symbol_anywhere(name).filter(|address| self.elsewhere(*address).is_none())
    }

    /// Returns the file that has a function, if that is another library, on which this one depends.
    pub fn home_of(&self, name: &CStr) -> Option<String> {
        self.elsewhere(self.symbol_anywhere(name)?)
    }

    /// Also finds functions of the libraries on which this one depends.
    fn symbol_anywhere(&self, name: &CStr) -> Option<NonNull<c_void>> {
        // SAFETY: the handle is a library's, which is never unloaded, and the name is a string.
        NonNull::new(unsafe { libc::dlsym(self.0.as_ptr(), name.as_ptr()) })
    }

    /// Returns the file of an address, if it is not this library's. Calls of functions there would not be corrected.
    #[cfg(target_os = "linux")]
    fn elsewhere(&self, address: NonNull<c_void>) -> Option<String> {
        let (own, other) = (elf::object_of(elf::dynamic(self)?.cast())?, elf::object_of(address.as_ptr())?);
        (own.0 != other.0).then_some(other.1)
    }

    /// The system looks in the library only: see [`Library::load`].
    #[cfg(not(target_os = "linux"))]
    fn elsewhere(&self, _address: NonNull<c_void>) -> Option<String> {
        None
    }

    /// What is the same for two handles of one library.
    pub fn address(&self) -> usize {
        self.0.addr().get()
    }
}

/// Says what is wrong with a file that cannot be a library of this machine, more clearly than the system's linker.
fn check_file(path: &Path) -> Result<()> {
    let mut header = [0; 64];
    // A pipe would wait for its other end.
    let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let mut file = opened.map_err(|error| refusal(path, format_args!("it cannot be opened ({error})")))?;
    let unreadable = |error| refusal(path, format_args!("it cannot be read ({error})"));
    let found = file.metadata().map_err(unreadable)?;
    if !found.is_file() {
        return Err(refusal(path, if found.is_dir() { "it is a directory" } else { "it is no shared library" }));
    }
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    match file.read_exact(&mut header) {
        Ok(()) if header.starts_with(b"\x7fELF") => {}
        Err(error) if error.kind() != IoErrorKind::UnexpectedEof => return Err(unreadable(error)),
        _ => return Err(refusal(path, "it is no shared library")),
    }
    let machine = u16::from_ne_bytes([header[18], header[19]]);
    let ours = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
    if header[4] != 2 || machine != ours {
        return Err(refusal(path, format_args!("it is for another machine (number {machine}, here it is {ours})")));
    }
    // The system's linker would map what is not there, and end the process.
    match is_whole(&mut file, &header, found.len()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(refusal(path, "the end of the file is missing")),
        Err(error) => Err(unreadable(error)),
    }
}

/// Whether a library's file has all that its program headers say.
fn is_whole(file: &mut File, header: &[u8; 64], length: u64) -> std::io::Result<bool> {
    const PT_LOAD: u32 = 1;
    const SIZE: usize = 56;
    let number = |bytes: &[u8], at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let count = usize::from(u16::from_ne_bytes([header[56], header[57]]));
    let (begin, mut programs) = (number(header, 32), vec![0; count * SIZE]);
    if begin.checked_add(programs.len() as u64).is_none_or(|end| end > length) {
        return Ok(false);
    }
    file.read_exact_at(&mut programs, begin)?;
    Ok(programs
        .chunks_exact(SIZE)
        .filter(|program| program.starts_with(&PT_LOAD.to_ne_bytes()))
        .all(|program| number(program, 8).checked_add(number(program, 32)).is_some_and(|end| end <= length)))
}

/// Corrects where a library's calls of itself lead.
#[cfg(target_os = "linux")]
mod elf {
    use super::{Library, refusal};
    use crate::runtime::base::error::Result;
    use crate::runtime::base::file;
    use std::ffi::{CStr, c_char, c_int, c_void};
    use std::io::Write;
    use std::mem::MaybeUninit;
    use std::ops::Range;
    use std::os::fd::{AsRawFd, IntoRawFd};
    use std::path::Path;
    use std::sync::{Mutex, PoisonError};

    /// The linker's description of a loaded library: the beginning of glibc's and musl's `struct link_map`.
    #[repr(C)]
    struct LinkMap {
        base: usize,
        name: *const c_char,
        dynamic: *const Entry,
    }

    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct Entry {
        tag: i64,
        value: usize,
    }

    #[repr(C)]
    struct Relocation {
        offset: usize,
        info: u64,
        addend: isize,
    }

    unsafe extern "C" {
        fn dlinfo(handle: *mut c_void, request: c_int, answer: *mut c_void) -> c_int;
    }

    const DT_NULL: i64 = 0;
    const DT_PLTRELSZ: i64 = 2;
    const DT_STRTAB: i64 = 5;
    const DT_SYMTAB: i64 = 6;
    const DT_RELA: i64 = 7;
    const DT_RELASZ: i64 = 8;
    const DT_SYMBOLIC: i64 = 16;
    const DT_JMPREL: i64 = 23;
    const RTLD_DI_LINKMAP: c_int = 2;
    const FUNCTION: u8 = 2;

    /// The kinds of relocations that are the address of a symbol: in data, in the table of addresses, in that of calls.
    #[cfg(target_arch = "aarch64")]
    const ADDRESSES: [u32; 3] = [257, 1025, 1026];
    #[cfg(not(target_arch = "aarch64"))]
    const ADDRESSES: [u32; 3] = [1, 6, 7];

    /// Returns the linker's description of a library.
    fn map(library: &Library) -> Option<&'static LinkMap> {
        let mut map = std::ptr::null::<LinkMap>();
        // SAFETY: writes the address of the library's description, which stays while it is loaded, and it always is.
        unsafe {
            let found = dlinfo(library.0.as_ptr(), RTLD_DI_LINKMAP, (&raw mut map).cast()) == 0;
            if found { map.as_ref() } else { None }
        }
    }

    /// Returns an address in the library.
    pub fn dynamic(library: &Library) -> Option<*const Entry> {
        map(library).map(|map| map.dynamic)
    }

    /// Returns where the library of an address begins, and what its file is called.
    pub fn object_of(address: *const c_void) -> Option<(usize, String)> {
        let mut info = MaybeUninit::<libc::Dl_info>::uninit();
        // SAFETY: if the function finds the library, it fills in the description, whose name stays as the library does.
        unsafe {
            if libc::dladdr(address, info.as_mut_ptr()) == 0 {
                return None;
            }
            let info = info.assume_init();
            Some((info.dli_fbase.addr(), CStr::from_ptr(info.dli_fname).to_string_lossy().into_owned()))
        }
    }

    /// A place that holds the address of another library's function instead of the library's own.
    struct Stray {
        place: *mut usize,
        home: usize,
    }

    struct Tables {
        base: usize,
        symbols: *const libc::Elf64_Sym,
        strings: *const c_char,
        relocations: [(*const Relocation, usize); 2],
    }

    impl Tables {
        fn of(library: &Library) -> Option<Tables> {
            let LinkMap { base, dynamic, .. } = *map(library)?;
            // SAFETY: the library's list of entries ends with a null entry, and stays as the library does.
            let entries = unsafe {
                let count = (0..).take_while(|position| (*dynamic.add(*position)).tag != DT_NULL).count();
                std::slice::from_raw_parts(dynamic, count)
            };
            let value = |tag| entries.iter().find(|entry| entry.tag == tag).map(|entry| entry.value);
            // glibc has added the base to these, musl has not.
            let address = |tag| value(tag).map(|value| if value < base { base + value } else { value });
            let table = |at, bytes| match (address(at), value(bytes)) {
                (Some(at), Some(bytes)) => (std::ptr::with_exposed_provenance(at), bytes / size_of::<Relocation>()),
                _ => (std::ptr::null(), 0),
            };
            Some(Tables {
                base,
                symbols: std::ptr::with_exposed_provenance(address(DT_SYMTAB)?),
                strings: std::ptr::with_exposed_provenance(address(DT_STRTAB)?),
                relocations: [table(DT_JMPREL, DT_PLTRELSZ), table(DT_RELA, DT_RELASZ)],
            })
        }

        /// The places of the library's own functions of the standard's and of its own names that lead elsewhere.
        fn strays(&self) -> Vec<Stray> {
            let mut strays = Vec::new();
            for (first, count) in self.relocations {
                for position in 0..count {
                    // SAFETY: the tables are those of a loaded library, which the linker has relied on to load it.
                    unsafe {
                        let Relocation { offset, info, addend } = &*first.add(position);
                        let symbol = &*self.symbols.add((info >> 32) as usize);
                        let is_own = symbol.st_shndx != 0 && symbol.st_info & 15 == FUNCTION;
                        if !is_own || !ADDRESSES.contains(&(*info as u32)) {
                            continue;
                        }
                        let name = CStr::from_ptr(self.strings.add(symbol.st_name as usize));
                        let place = std::ptr::with_exposed_provenance_mut::<usize>(self.base + offset);
                        let home = (self.base + symbol.st_value as usize).wrapping_add_signed(*addend);
                        if name.to_bytes().starts_with(b"wasm") && place.read_unaligned() != home {
                            strays.push(Stray { place, home });
                        }
                    }
                }
            }
            strays
        }
    }

    /// Makes the library call itself. Returns how many places still lead elsewhere.
    pub fn bind_home(library: &Library) -> Result<usize, ()> {
        let tables = Tables::of(library).ok_or(())?;
        let strays = tables.strays();
        if strays.is_empty() {
            return Ok(0);
        }
        let protected = protected_after_loading(tables.base);
        let protect = |protection| match &protected {
            // SAFETY: the linker keeps these pages for addresses of functions. They stay readable.
            Some(pages) => unsafe {
                let start = std::ptr::with_exposed_provenance_mut(pages.start);
                libc::mprotect(start, pages.len(), protection) == 0
            },
            None => true,
        };
        if !protect(libc::PROT_READ | libc::PROT_WRITE) {
            return Err(());
        }
        for Stray { place, home } in &strays {
            // SAFETY: the place is one of the library's for an address, and writable: it is in its data or on the pages that
            // were made so. The new address is that of the function which the library itself has of this name.
            unsafe { place.write_unaligned(*home) };
        }
        protect(libc::PROT_READ);
        Ok(tables.strays().len())
    }

    /// The pages of a library that the linker makes read-only when it has put addresses there.
    fn protected_after_loading(base: usize) -> Option<Range<usize>> {
        struct Search {
            base: usize,
            found: Option<Range<usize>>,
        }
        unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _size: usize, search: *mut c_void) -> c_int {
            // SAFETY: the linker passes a description with a list of headers, and the pointer that it was given.
            unsafe {
                let (info, search) = (&*info, &mut *search.cast::<Search>());
                if info.dlpi_addr as usize != search.base {
                    return 0;
                }
                let headers = std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into());
                let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
                let protected = headers.iter().find(|header| header.p_type == libc::PT_GNU_RELRO);
                search.found = protected.map(|header| {
                    let start = search.base + header.p_vaddr as usize;
                    start / page * page..(start + header.p_memsz as usize) / page * page
                });
                1
            }
        }
        let mut search = Search { base, found: None };
        // SAFETY: the function gets the pointer to `search`, which outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
        search.found.filter(|pages| !pages.is_empty())
    }

    /// Loads a copy of the library that says of itself that its own functions come first. For systems that let nobody write
    /// where the linker has written.
    pub fn load_bound(library: &Library, path: &Path) -> Result<Library> {
        /// The copies that were loaded, by what they are copies of.
        static COPIES: Mutex<Vec<(usize, Library)>> = Mutex::new(Vec::new());
        let mut copies = COPIES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, copy)) = copies.iter().find(|(original, _)| *original == library.address()) {
            return Ok(Library(copy.0));
        }
        let stray =
            |why: &str| refusal(path, format_args!("its calls of its own functions would reach this library: {why}"));
        let map = map(library).ok_or_else(|| stray("the system does not say where it is"))?;
        // SAFETY: the name is a string.
        let file = unsafe { CStr::from_ptr(map.name) }.to_string_lossy().into_owned();
        let mut bytes = std::fs::read(file).map_err(|error| stray(&error.to_string()))?;
        make_symbolic(&mut bytes).ok_or_else(|| stray("there is no room to change that"))?;
        let mut copy = file::in_memory().map_err(|error| stray(&error.to_string()))?;
        copy.write_all(&bytes).map_err(|error| stray(&error.to_string()))?;
        // The linker takes a library of a name that it knows for the one that it has. So each copy gets a name of its own,
        // even if the program closes descriptors that it does not know; tools read the copy by that name, so it stays open.
        let name = format!("/proc/self/fd/{}{}", "./".repeat(copies.len()), copy.as_raw_fd());
        let bound = Library::load(name.as_ref()).map_err(|why| stray(&why))?;
        let _stays_open = copy.into_raw_fd();
        let is_bound = Tables::of(&bound).is_some_and(|tables| tables.strays().is_empty());
        copies.push((if is_bound { library.address() } else { 0 }, Library(bound.0)));
        if is_bound { Ok(bound) } else { Err(stray("a copy does that, too")) }
    }

    /// Adds the entry that puts a library's own functions first. `None` if its list has no room.
    fn make_symbolic(bytes: &mut [u8]) -> Option<()> {
        const PT_DYNAMIC: u32 = 2;
        let number =
            |bytes: &[u8], at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?) as usize);
        let headers = number(bytes, 32)?;
        let count = u16::from_ne_bytes(bytes.get(56..58)?.try_into().ok()?);
        let header = (0..usize::from(count))
            .map(|position| headers + 56 * position)
            .find(|at| bytes.get(*at..at + 4).is_some_and(|kind| kind == PT_DYNAMIC.to_ne_bytes()))?;
        let (start, length) = (number(bytes, header + 8)?, number(bytes, header + 32)?);
        let tag = |at: usize| number(bytes, at).map(|tag| tag as i64);
        let free = (start..start + length).step_by(size_of::<Entry>()).find(|at| tag(*at) == Some(DT_NULL))?;
        // One null entry has to be left.
        let last = free + size_of::<Entry>();
        if last + size_of::<Entry>() > start + length || tag(last) != Some(DT_NULL) {
            return None;
        }
        bytes[free..free + 8].copy_from_slice(&DT_SYMBOLIC.to_ne_bytes());
        Some(())
    }
}
