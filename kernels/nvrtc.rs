//! NVRTC's library: loaded when needed, called through its C interface.
//!
//! Part of [`compiler`](super). Knows nothing about bundles. The library may be called from several threads at once; a
//! program that is being compiled belongs to one thread.

use std::{
    env,
    ffi::{CStr, CString, c_char, c_int, c_void},
    path::{Path, PathBuf},
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use libloading::Library;

use super::{Cache, CompilerError, FOLDER_VARIABLE, Image, OPTIONS, Source, Sources, TARGETS};

/// Version that the compiler's library must report. Other versions produce other machine code.
const VERSION: (c_int, c_int) = (12, 9);

const LIBRARY: &str = "libnvrtc.so.12";
const BUILTINS: &str = "libnvrtc-builtins.so.12.9";

type Program = *mut c_void;

/// The loaded library of the compiler.
#[derive(Debug)]
pub struct Nvrtc {
    create: unsafe extern "C" fn(
        *mut Program,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> c_int,
    destroy: unsafe extern "C" fn(*mut Program) -> c_int,
    compile: unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int,
    cubin: Getter,
    ptx: Getter,
    log: Getter,
    error_text: unsafe extern "C" fn(c_int) -> *const c_char,
    // Kept so that the functions above stay valid.
    _libraries: [Library; 2],
}

/// A pair of functions that return a result's size and write the result.
#[derive(Clone, Copy, Debug)]
struct Getter {
    size: unsafe extern "C" fn(Program, *mut usize) -> c_int,
    write: unsafe extern "C" fn(Program, *mut c_char) -> c_int,
    name: &'static str,
}

impl Nvrtc {
    /// Loads the compiler from the folder that [`FOLDER_VARIABLE`] names (the folder of the libraries, or the one that
    /// pip installed into), otherwise through the search path of the system's loader.
    pub fn find() -> Result<Self, CompilerError> {
        let folder = env::var_os(FOLDER_VARIABLE).map(|named| {
            let named = PathBuf::from(named);
            let below = named.join("nvidia/cuda_nvrtc/lib");
            if below.is_dir() { below } else { named }
        });
        let load = |name: &str| {
            let path = folder.as_ref().map_or_else(|| PathBuf::from(name), |f| f.join(name));
            // SAFETY: this is NVIDIA's library; its initialisers only set up its own memory.
            unsafe { Library::new(path) }
        };
        // Loaded first, because the compiler loads it by name when needed and would not find it.
        let builtins = load(BUILTINS).map_err(missing)?;
        let nvrtc = Self::from_libraries(load(LIBRARY).map_err(missing)?, builtins)?;
        Ok(nvrtc)
    }

    fn from_libraries(nvrtc: Library, builtins: Library) -> Result<Self, CompilerError> {
        let getter = |size: &[u8], write: &[u8], name| -> Result<Getter, CompilerError> {
            // SAFETY: nvrtc.h declares all getters of sizes and of bytes with these two types.
            unsafe {
                Ok(Getter {
                    size: *nvrtc.get(size).map_err(missing)?,
                    write: *nvrtc.get(write).map_err(missing)?,
                    name,
                })
            }
        };
        let cubin = getter(b"nvrtcGetCUBINSize\0", b"nvrtcGetCUBIN\0", "nvrtcGetCUBIN")?;
        let ptx = getter(b"nvrtcGetPTXSize\0", b"nvrtcGetPTX\0", "nvrtcGetPTX")?;
        let log =
            getter(b"nvrtcGetProgramLogSize\0", b"nvrtcGetProgramLog\0", "nvrtcGetProgramLog")?;
        // SAFETY: the types are those that nvrtc.h declares for these functions.
        let loaded = unsafe {
            let version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int =
                *nvrtc.get(b"nvrtcVersion\0").map_err(missing)?;
            let mut found = (0, 0);
            version(&mut found.0, &mut found.1);
            if found != VERSION {
                return Err(CompilerError::Version { found });
            }
            Self {
                create: *nvrtc.get(b"nvrtcCreateProgram\0").map_err(missing)?,
                destroy: *nvrtc.get(b"nvrtcDestroyProgram\0").map_err(missing)?,
                compile: *nvrtc.get(b"nvrtcCompileProgram\0").map_err(missing)?,
                error_text: *nvrtc.get(b"nvrtcGetErrorString\0").map_err(missing)?,
                cubin,
                ptx,
                log,
                _libraries: [nvrtc, builtins],
            }
        };
        Ok(loaded)
    }

    /// Compiles all sources for all their targets on two threads. The images are in the order of [`TARGETS`] and then
    /// of the files, because code for one architecture compresses best together. Returns the first error in that order.
    /// Images in the folder `cache` are not compiled again; see [`super::cache`].
    pub fn compile_all(
        &self,
        sources: &Sources,
        cache: &Path,
        only: &[&str],
    ) -> Result<Vec<Image>, CompilerError> {
        let cache = Cache::open(cache)?;
        let mut work = Vec::new();
        for program in &sources.programs {
            let wanted = |target: &&str| only.is_empty() || only.contains(target);
            let targets = program.targets()?.into_iter().filter(wanted);
            work.extend(targets.map(|target| (program, target)));
        }
        work.sort_by_key(|(_, target)| TARGETS.iter().position(|known| known == target));
        let results: Vec<_> = work.iter().map(|_| Mutex::new(None)).collect();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some((program, target)) = work.get(at) else {
                            break;
                        };
                        let image = cache.image_or(sources, program, target, || {
                            self.compile(program, target, &sources.headers)
                        });
                        if let Ok(mut slot) = results[at].lock() {
                            *slot = Some(image);
                        }
                    }
                });
            }
        });
        let finished = results.into_iter().filter_map(|slot| slot.into_inner().ok());
        let mut images = finished.flatten().collect::<Result<Vec<Image>, _>>()?;
        let assembly = images.iter_mut().filter(|i| i.target.starts_with("compute_"));
        assembly.for_each(|image| image.bytes = bare(&image.bytes));
        if only.is_empty() {
            cache.forget_unused()?;
        }
        Ok(images)
    }

    /// Compiles one program for one of [`TARGETS`].
    fn compile(
        &self,
        program: &Source,
        target: &'static str,
        headers: &[Source],
    ) -> Result<Image, CompilerError> {
        let text = |s: &str| {
            CString::new(s).map_err(|_| CompilerError::Program {
                file: program.name.clone(),
                target: target.to_owned(),
                log: "a source holds a zero byte".to_owned(),
            })
        };
        let names = headers.iter().map(|h| text(&h.name)).collect::<Result<Vec<_>, _>>()?;
        let texts = headers.iter().map(|h| text(&h.text)).collect::<Result<Vec<_>, _>>()?;
        let arch = format!("-arch={target}");
        let options = OPTIONS
            .iter()
            .copied()
            .chain([arch.as_str()])
            .map(text)
            .collect::<Result<Vec<_>, _>>()?;
        let (name, source) = (text(&program.name)?, text(&program.text)?);
        let pointers = |list: &[CString]| list.iter().map(|s| s.as_ptr()).collect::<Vec<_>>();

        let mut open = Open { nvrtc: self, program: ptr::null_mut() };
        // SAFETY: all strings outlive the call, which copies them, and the lists have the lengths that are passed.
        let code = unsafe {
            (self.create)(
                &mut open.program,
                source.as_ptr(),
                name.as_ptr(),
                headers.len() as c_int,
                pointers(&texts).as_ptr(),
                pointers(&names).as_ptr(),
            )
        };
        self.succeeded(code, "nvrtcCreateProgram")?;
        // SAFETY: the program is open and the options outlive the call.
        let code = unsafe {
            (self.compile)(open.program, options.len() as c_int, pointers(&options).as_ptr())
        };
        let log = open.get(self.log)?;
        let log = String::from_utf8_lossy(&log).trim_matches(['\0', '\n']).to_owned();
        if code != 0 {
            return Err(CompilerError::Program {
                file: program.name.clone(),
                target: target.to_owned(),
                log,
            });
        }
        let is_ptx = target.starts_with("compute_");
        let bytes = open.get(if is_ptx { self.ptx } else { self.cubin })?;
        Ok(Image { file: program.name.trim_end_matches(".cu").to_owned(), target, bytes, log })
    }

    fn succeeded(&self, code: c_int, call: &'static str) -> Result<(), CompilerError> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: for every code the library returns a static string.
        let reason = unsafe { CStr::from_ptr((self.error_text)(code)) };
        Err(CompilerError::Call { call, reason: reason.to_string_lossy().into_owned() })
    }
}

/// PTX without comments and indentation, which would take a thirtieth of the bundle.
fn bare(ptx: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(ptx);
    let mut bare = String::with_capacity(text.len());
    for line in text.trim_end_matches('\0').lines() {
        let code = line.split("//").next().unwrap_or_default();
        let words: Vec<&str> = code.split_whitespace().collect();
        if !words.is_empty() {
            bare.push_str(&words.join(" "));
            bare.push('\n');
        }
    }
    bare.push('\0');
    bare.into_bytes()
}

fn missing(error: libloading::Error) -> CompilerError {
    // The loader's message, with the path, is in the error's source.
    let source = std::error::Error::source(&error).map(ToString::to_string);
    CompilerError::Missing { reason: source.unwrap_or_else(|| error.to_string()) }
}

/// A program in the library, destroyed when dropped.
struct Open<'a> {
    nvrtc: &'a Nvrtc,
    program: Program,
}

impl Open<'_> {
    fn get(&self, getter: Getter) -> Result<Vec<u8>, CompilerError> {
        let mut size = 0;
        // SAFETY: the program is open; the size is written to a local variable.
        let code = unsafe { (getter.size)(self.program, &mut size) };
        self.nvrtc.succeeded(code, getter.name)?;
        let mut bytes = vec![0u8; size];
        // SAFETY: the buffer has the size that the library returned.
        let code = unsafe { (getter.write)(self.program, bytes.as_mut_ptr().cast()) };
        self.nvrtc.succeeded(code, getter.name)?;
        Ok(bytes)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.program.is_null() {
            // SAFETY: the program is open and not used after this.
            unsafe { (self.nvrtc.destroy)(&mut self.program) };
        }
    }
}
