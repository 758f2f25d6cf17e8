//! Compiles every kernel for every architecture with NVIDIA's run-time compiler (NVRTC).
//!
//! Included by `build.rs` (an edited kernel is recompiled at build) and by `tests/kernels.rs` (the
//! compile gate, which also writes `bundle.bin`). It needs no GPU and no driver, only the compiler's
//! two libraries, and it says how to get them. It knows no kernel by name: all `.cu` files of the
//! folder are programs, all `.cuh` files are headers of each. The same sources give the same bytes
//! on any machine, because the compiler sees file names without folders and nothing else.

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

/// What the kernels are compiled for, in the order of the bundle: machine code (`sm_`) for the
/// architectures that people have (that of `sm_80` runs on 8.6 and 8.9 too), and the compiler's assembly
/// (`compute_`) for the driver to finish where no machine code fits.
pub const TARGETS: [&str; 5] = ["sm_75", "sm_80", "sm_90a", "sm_120", "compute_80"];

/// Options of every compilation, apart from the architecture. `-v` makes the compiler report
/// registers, spills and shared memory.
const OPTIONS: [&str; 2] = ["--std=c++17", "--ptxas-options=-v"];

/// The compiler's exact version, as pip names it. It is part of the sources' digest.
pub const REQUIREMENT: &str = include_str!("requirements.txt").trim_ascii();

/// Names the folder with the compiler's libraries.
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
        /// The loader's words.
        reason: String,
    },
    /// The library is of another version than the bundle is made with.
    #[error(
        "NVIDIA's run-time compiler is version {}.{}, needed is {REQUIREMENT}; set \
         {FOLDER_VARIABLE} to its folder", found.0, found.1
    )]
    Version {
        /// Major and minor version that the library reports.
        found: (c_int, c_int),
    },
    /// A kernel's source is wrong.
    #[error("{file} does not compile for {target}:\n{log}")]
    Program {
        /// The `.cu` file.
        file: String,
        /// The architecture.
        target: String,
        /// What the compiler says.
        log: String,
    },
    /// A source asks for an architecture that the table does not have.
    #[error("{file}: its `// targets:` line names {target:?}; known are {}", TARGETS.join(", "))]
    Target {
        /// The `.cu` file.
        file: String,
        /// The unknown word.
        target: String,
    },
    /// A call of the compiler's library failed for no fault of a source.
    #[error("NVIDIA's run-time compiler fails in {call}: {reason}")]
    Call {
        /// The function.
        call: &'static str,
        /// What the library says.
        reason: String,
    },
    /// A source, or what is kept between builds, cannot be read or written.
    #[error("cannot use {}: {error}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
}

/// Says which file or folder an error of the system is about.
fn at(path: &Path) -> impl FnOnce(io::Error) -> CompilerError + use<> {
    let path = path.to_owned();
    move |error| CompilerError::File { path, error }
}

/// A text file of the kernels' folder.
#[derive(Debug)]
pub struct Source {
    /// File name without folders.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Everything that decides what the compiled kernels are.
#[derive(Debug)]
pub struct Sources {
    /// The `.cu` files, sorted by name: each is compiled by itself.
    pub programs: Vec<Source>,
    /// The `.cuh` files, sorted by name: every program may include them.
    pub headers: Vec<Source>,
}

impl Sources {
    /// Reads the sources of a folder, not of folders in it.
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
                // A checkout may have either kind of line end.
                text: text.replace("\r\n", "\n"),
            });
        }
        sources.programs.sort_by(|a, b| a.name.cmp(&b.name));
        sources.headers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(sources)
    }

    /// Makes waits that never end trap instead of hanging the device, which costs registers: for work on kernels.
    pub fn bound_waits(&mut self) {
        for header in &mut self.headers {
            header.text.insert_str(0, "#define BOUNDED_WAITS\n");
        }
    }

    /// SHA-256 of all that goes into the compiled kernels: compiler, options, targets, texts.
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
        let headers = self.headers.iter().zip(is_included);
        headers.filter_map(|(h, is_in)| is_in.then_some(h)).collect()
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
    /// The architectures that this program is for: all, or those that a comment line
    /// `// targets: sm_90a` before the first line of code names.
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
    /// The program's file name without its ending.
    pub file: String,
    /// One of [`TARGETS`].
    pub target: &'static str,
    /// A cubin, or PTX with its closing zero byte.
    pub bytes: Vec<u8>,
    /// What the compiler had to say.
    pub log: String,
}

/// What one kernel takes of a multiprocessor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The kernel's name.
    pub entry: String,
    /// Registers of a thread.
    pub registers: usize,
    /// Bytes a thread writes because registers ran out; anything but 0 is a mistake.
    pub spill_bytes: usize,
    /// Bytes of a thread's own local memory, for example an array with a changing index.
    pub stack_bytes: usize,
    /// Shared memory of a block that is fixed at compile time.
    pub shared_bytes: usize,
}

impl Image {
    /// What the compiler reports of each kernel; nothing for PTX, which has no registers yet.
    pub fn usage(&self) -> Vec<Usage> {
        let number_before = |line: &str, words: &str| -> usize {
            let before = line.split(words).next().unwrap_or_default();
            let number = before.split([' ', ',']).rfind(|word| !word.is_empty());
            number.and_then(|n| n.parse().ok()).unwrap_or_default()
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

    /// What is wrong although it compiles: the compiler's warnings, what it says slows a kernel down, and registers that spill.
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

/// The entries of a bundle, before they are compressed: their number; of each the
/// lengths of its three parts (file name, target, image); then all parts one after the other.
/// Numbers are four bytes, little endian.
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

/// A bundle: what its sources were, then the [`entries`], either as they are (what a build makes in
/// passing) or compressed (what is committed): the lengths of the first two of three LZMA streams with headers of their own,
/// and all three. Each holds what compresses best together: instructions, assembly, and first what else the entries of
/// machine code are, behind a list of how both lie in turn: its length, then of each turn the bytes of the one and of the
/// other.
pub fn bundle(digest: &[u8; 32], entries: &[u8], are_compressed: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + entries.len());
    bytes.extend(MAGIC);
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend(u16::from(are_compressed).to_le_bytes());
    bytes.extend(digest);
    bytes.extend(entries);
    bytes
}

/// Whether a bundle was made from sources with this digest.
pub fn is_fresh(bundle: &[u8], digest: &[u8; 32]) -> bool {
    bundle.len() >= HEADER_BYTES
        && bundle[..4] == MAGIC
        && bundle[4..6] == FORMAT.to_le_bytes()
        && bundle[8..40] == *digest
}
