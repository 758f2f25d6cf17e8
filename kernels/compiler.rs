//! Compiles every kernel for every architecture with NVIDIA's run-time compiler (NVRTC).
//!
//! Included by `crates/backend/build.rs` (an edited kernel is recompiled during the build) and by
//! `crates/backend/tests/kernels.rs` (the compile gate, which also writes `bundle.bin`). It needs no GPU and no driver,
//! only the compiler's two libraries; the error explains how to install them. It knows no kernel by name: every `.cu`
//! file in the folder is a program, every `.cuh` file is a header for all of them. The same sources produce the same
//! bytes on any machine, because the compiler sees file names without folders and nothing else.

mod cache;
mod nvrtc;

use std::{
    ffi::c_int,
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use cache::Cache;
pub use nvrtc::Nvrtc;

/// The targets of the kernels, in the order of the bundle: machine code (`sm_`) for common architectures (code for
/// `sm_80` also runs on 8.6 and 8.9), and PTX (`compute_`), which the driver compiles if no machine code fits.
pub const TARGETS: [&str; 5] = ["sm_75", "sm_80", "sm_90a", "sm_120", "compute_80"];

/// Options of every compilation, apart from the architecture. `-v` makes the compiler report
/// registers, spills and shared memory.
const OPTIONS: [&str; 2] = ["--std=c++17", "--ptxas-options=-v"];

/// The compiler's exact version, as pip names it. It is part of the sources' digest.
pub const REQUIREMENT: &str = include_str!("requirements.txt").trim_ascii();

/// The variable that names the folder with the compiler's libraries.
pub const FOLDER_VARIABLE: &str = "STYLEFORGE_NVRTC";

/// First bytes of a bundle.
const MAGIC: [u8; 4] = *b"SFKB";
/// Changes when a reader of the old layout would misread the new one.
const FORMAT: u16 = 3;
/// Bytes before a bundle's entries: magic, format, 1 when compressed, digest.
const HEADER_BYTES: usize = 4 + 2 + 2 + 32;

/// Why the kernels were not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompilerError {
    /// The compiler's libraries cannot be loaded.
    #[error(
        "NVIDIA's run-time compiler was not found ({reason}). Get it with \
         `pip install --target target/nvrtc --no-deps {REQUIREMENT}` and set \
         {FOLDER_VARIABLE}=target/nvrtc"
    )]
    Missing {
        /// The loader's message.
        reason: String,
    },
    /// The library has another version than the one that the bundle is built with.
    #[error(
        "NVIDIA's run-time compiler is version {}.{}, needed is {REQUIREMENT}; set \
         {FOLDER_VARIABLE} to its folder", found.0, found.1
    )]
    Version {
        /// Major and minor version that the library reports.
        found: (c_int, c_int),
    },
    /// A kernel's source is invalid.
    #[error("{file} does not compile for {target}:\n{log}")]
    Program {
        /// The `.cu` file.
        file: String,
        target: String,
        /// The compiler's messages.
        log: String,
    },
    /// A source names an architecture that the table does not have.
    #[error("{file}: its `// targets:` line names {target:?}; known are {}", TARGETS.join(", "))]
    Target {
        /// The `.cu` file.
        file: String,
        /// The unknown name.
        target: String,
    },
    /// A call of the compiler's library failed for a reason outside the source.
    #[error("NVIDIA's run-time compiler fails in {call}: {reason}")]
    Call {
        call: &'static str,
        /// The library's description of the error.
        reason: String,
    },
    /// A source or a cached file cannot be read or written.
    #[error("cannot use {}: {error}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        error: io::Error,
    },
}

/// Adds the file or folder to an I/O error.
fn at(path: &Path) -> impl FnOnce(io::Error) -> CompilerError + use<> {
    let path = path.to_owned();
    move |error| CompilerError::File { path, error }
}

/// A text file in the kernels' folder.
#[derive(Debug)]
pub struct Source {
    /// File name without folders.
    pub name: String,
    pub text: String,
}

/// Everything that determines the compiled kernels.
#[derive(Debug)]
pub struct Sources {
    /// The `.cu` files, sorted by name; each is compiled separately.
    pub programs: Vec<Source>,
    /// The `.cuh` files, sorted by name; every program may include them.
    pub headers: Vec<Source>,
}

impl Sources {
    /// Reads the sources of a folder, without its subfolders.
    pub fn read(folder: &Path) -> Result<Self, CompilerError> {
        let mut sources = Self { programs: Vec::new(), headers: Vec::new() };
        for entry in fs::read_dir(folder).map_err(at(folder))? {
            let path = entry.map_err(at(folder))?.path();
            let list = match path.extension().and_then(|ending| ending.to_str()) {
                Some("cu") => &mut sources.programs,
                Some("cuh") => &mut sources.headers,
                _ => continue,
            };
            let text = fs::read_to_string(&path).map_err(at(&path))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            list.push(Source {
                name: name.into_owned(),
                // A checkout may have either kind of line ending.
                text: text.replace("\r\n", "\n"),
            });
        }
        sources.programs.sort_by(|a, b| a.name.cmp(&b.name));
        sources.headers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(sources)
    }

    /// Makes waits that never end trap instead of hanging the device. This costs registers and is only for work on
    /// kernels.
    pub fn bound_waits(&mut self) {
        for header in &mut self.headers {
            header.text.insert_str(0, "#define BOUNDED_WAITS\n");
        }
    }

    /// SHA-256 of all inputs of the compiled kernels: compiler, options, targets, texts.
    pub fn digest(&self) -> [u8; 32] {
        digest(self.programs.iter().chain(&self.headers), &TARGETS)
    }

    /// The headers that a program includes, directly or through others, in the order of
    /// [`Sources::headers`].
    fn headers_of(&self, program: &Source) -> Vec<&Source> {
        let mut is_included = vec![false; self.headers.len()];
        let mut unseen = vec![program];
        while let Some(source) = unseen.pop() {
            for (header, seen) in self.headers.iter().zip(&mut is_included) {
                if !*seen && source.text.contains(&format!("\"{}\"", header.name)) {
                    *seen = true;
                    unseen.push(header);
                }
            }
        }
        self.headers.iter().zip(is_included).filter_map(|(h, is_in)| is_in.then_some(h)).collect()
    }
}

/// SHA-256 of the compiler's version, the options, the targets and the sources.
fn digest<'a>(sources: impl Iterator<Item = &'a Source>, targets: &[&str]) -> [u8; 32] {
    let mut sha = Sha256::new();
    let mut part = |bytes: &[u8]| {
        sha.update((bytes.len() as u64).to_le_bytes());
        sha.update(bytes);
    };
    part(REQUIREMENT.as_bytes());
    for word in OPTIONS.iter().chain(targets) {
        part(word.as_bytes());
    }
    for source in sources {
        part(source.name.as_bytes());
        part(source.text.as_bytes());
    }
    sha.finalize().into()
}

impl Source {
    /// The architectures of this program: all of them, or those that a comment line `// targets: sm_90a` before the
    /// first line of code names.
    pub fn targets(&self) -> Result<Vec<&'static str>, CompilerError> {
        let comments =
            self.text.lines().take_while(|line| line.is_empty() || line.starts_with("//"));
        let Some(words) = comments.filter_map(|line| line.strip_prefix("// targets:")).next()
        else {
            return Ok(TARGETS.to_vec());
        };
        words
            .split([' ', ','])
            .filter(|word| !word.is_empty())
            .map(|word| {
                TARGETS.into_iter().find(|target| *target == word).ok_or_else(|| {
                    CompilerError::Target { file: self.name.clone(), target: word.to_owned() }
                })
            })
            .collect()
    }
}

/// One program compiled for one architecture.
#[derive(Debug)]
pub struct Image {
    /// The program's file name without its extension.
    pub file: String,
    /// One of [`TARGETS`].
    pub target: &'static str,
    /// A cubin, or PTX with its terminating zero byte.
    pub bytes: Vec<u8>,
    /// The compiler's messages.
    pub log: String,
}

/// The resources that one kernel uses on a multiprocessor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    pub entry: String,
    /// Per thread.
    pub registers: usize,
    /// Bytes per thread that are spilled because registers ran out; anything but 0 is an error.
    pub spill_bytes: usize,
    /// Bytes of local memory per thread, for example for an array with a variable index.
    pub stack_bytes: usize,
    /// Shared memory per block that is fixed at compile time.
    pub shared_bytes: usize,
}

impl Image {
    /// What the compiler reports for each kernel. Empty for PTX, which has no registers yet.
    pub fn usage(&self) -> Vec<Usage> {
        let number_before = |line: &str, words: &str| -> usize {
            line.split(words)
                .next()
                .unwrap_or_default()
                .split([' ', ','])
                .rfind(|word| !word.is_empty())
                .and_then(|n| n.parse().ok())
                .unwrap_or_default()
        };
        let mut all: Vec<Usage> = Vec::new();
        for line in self.log.lines() {
            if let Some((_, rest)) = line.split_once("Compiling entry function '") {
                all.push(Usage {
                    entry: rest.split('\'').next().unwrap_or_default().to_owned(),
                    registers: 0,
                    spill_bytes: 0,
                    stack_bytes: 0,
                    shared_bytes: 0,
                });
            }
            let Some(kernel) = all.last_mut() else {
                continue;
            };
            if line.contains(" bytes spill stores") {
                kernel.stack_bytes = number_before(line, " bytes stack frame");
                kernel.spill_bytes = number_before(line, " bytes spill stores")
                    + number_before(line, " bytes spill loads");
            }
            if line.contains(" registers") {
                kernel.registers = number_before(line, " registers");
                if line.contains(" bytes smem") {
                    kernel.shared_bytes = number_before(line, " bytes smem");
                }
            }
        }
        all
    }

    /// Problems of a program that compiles: the compiler's warnings, its performance notes, and spilled registers.
    pub fn complaints(&self) -> Vec<String> {
        let place = format!("{}.cu for {}", self.file, self.target);
        let warnings = self
            .log
            .lines()
            .filter(|line| {
                let line = line.to_lowercase();
                line.contains("warning") || line.contains("performance loss")
            })
            .map(|line| format!("{place}: {line}"));
        let spills = self.usage().into_iter().filter(|u| u.spill_bytes > 0).map(
            |Usage { entry, spill_bytes, .. }| {
                format!("{place}: {entry} spills registers ({spill_bytes} bytes)")
            },
        );
        warnings.chain(spills).collect()
    }
}

/// The uncompressed entries of a bundle: their count; for each entry the lengths of its three parts (file name, target,
/// image); then all parts in order. Numbers are four bytes, little endian.
pub fn entries(images: &[Image]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((images.len() as u32).to_le_bytes());
    for image in images {
        for length in [image.file.len(), image.target.len(), image.bytes.len()] {
            bytes.extend((length as u32).to_le_bytes());
        }
    }
    for image in images {
        bytes.extend(image.file.bytes().chain(image.target.bytes()));
        bytes.extend(&image.bytes);
    }
    bytes
}

/// A bundle: the digest of its sources, then the [`entries`]. During a build these are stored uncompressed. The
/// committed bundle contains the lengths of the first two of three LZMA streams with their own headers, then the three
/// streams. Each stream holds data that compresses well together: the first contains the parts of the machine code's
/// entries that are not instructions, the second the instructions, the third PTX. The first stream begins with a list
/// of how its own data and the instructions alternate: the list's length, then for each turn the bytes of either.
pub fn bundle(digest: &[u8; 32], entries: &[u8], are_compressed: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + entries.len());
    bytes.extend(MAGIC);
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend(u16::from(are_compressed).to_le_bytes());
    bytes.extend(digest);
    bytes.extend(entries);
    bytes
}

/// True if a bundle was built from sources with this digest.
pub fn is_fresh(bundle: &[u8], digest: &[u8; 32]) -> bool {
    bundle.len() >= HEADER_BYTES
        && bundle[..4] == MAGIC
        && bundle[4..6] == FORMAT.to_le_bytes()
        && bundle[8..40] == *digest
}
