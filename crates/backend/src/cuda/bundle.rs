//! The kernels that are embedded in the program, compiled for every architecture, and which of them a GPU can run.
//!
//! `build.rs` embeds the bundle that `kernels/compiler.rs` describes and writes. It is decoded once, when the first
//! kernel is needed. Knows no kernel by name and calls no driver. Any thread may call.

use std::{
    borrow::Cow,
    io::{ErrorKind, Read},
    ops::Range,
    sync::OnceLock,
};

use lzma_rust2::LzmaReader;

/// The bundle with which this program was built.
static EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.bin"));

const MAGIC: [u8; 4] = *b"SFKB";
const FORMAT: u16 = 3;
const HEADER_BYTES: usize = 40;
/// Maximum size of the decoded entries, because a damaged bundle must not use up all memory.
const MAX_ENTRIES_BYTES: u64 = 256 << 20;

/// Why a bundle cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not a bundle, or a bundle of another format.
    #[error("the built-in kernels have an unknown format; build the program again")]
    Format,
    /// The bundle ends too early or is inconsistent.
    #[error("the built-in kernels are damaged ({what}); build the program again")]
    Damaged {
        /// The position where reading stopped.
        what: String,
    },
}

/// One file of kernels, compiled for one architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelImage<'a> {
    /// A cubin, or PTX with its terminating zero byte, as the driver's `cuModuleLoadData` expects.
    pub bytes: &'a [u8],
    /// The compiler's name of the architecture, for example `sm_90a`. `compute_80` is PTX, which the driver compiles
    /// when it loads it.
    pub target: &'a str,
}

impl KernelImage<'_> {
    /// True if the driver can load it directly. The driver compiles other images, which takes seconds.
    pub fn is_machine_code(&self) -> bool {
        self.target.starts_with("sm_")
    }
}

/// The kernels of a bundle.
#[derive(Debug)]
pub struct Bundle {
    /// The bytes of all entries.
    bytes: Cow<'static, [u8]>,
    entries: Vec<Entry>,
}

/// The names of an image, and its position in [`Bundle::bytes`].
#[derive(Debug)]
struct Entry {
    file: String,
    target: String,
    image: Range<usize>,
}

impl Bundle {
    /// Reads a bundle in the format that `kernels/compiler.rs` writes.
    pub fn read(bundle: &'static [u8]) -> Result<Self, BundleError> {
        let (Some(head), Some(kept)) = (bundle.get(..HEADER_BYTES), bundle.get(HEADER_BYTES..))
        else {
            return Err(BundleError::Format);
        };
        if head[..4] != MAGIC || head[4..6] != FORMAT.to_le_bytes() {
            return Err(BundleError::Format);
        }
        let bytes = match u16::from_le_bytes([head[6], head[7]]) {
            0 => Cow::Borrowed(kept),
            1 => Cow::Owned(decoded(kept)?),
            _ => return Err(BundleError::Format),
        };
        let entries = entries(&bytes).ok_or_else(|| BundleError::Damaged {
            what: "its table and its length disagree".to_owned(),
        })?;
        Ok(Self { bytes, entries })
    }

    /// The image of a file (without its extension) that runs on a GPU of this compute capability. `None` if the bundle
    /// has none, because the file is unknown or the GPU is too old.
    pub fn image(&self, file: &str, compute_capability: (i32, i32)) -> Option<KernelImage<'_>> {
        let of_file = self.images().filter(|(name, _)| *name == file);
        let images: Vec<KernelImage<'_>> = of_file.map(|(_, image)| image).collect();
        let targets: Vec<&str> = images.iter().map(|image| image.target).collect();
        let target = fitting_target(&targets, compute_capability)?;
        images.into_iter().find(|image| image.target == target)
    }

    /// The image of a file that the driver compiles for any GPU.
    pub fn portable_image(&self, file: &str) -> Option<KernelImage<'_>> {
        let is_it =
            |(name, image): &(&str, KernelImage<'_>)| *name == file && !image.is_machine_code();
        self.images().find(is_it).map(|(_, image)| image)
    }

    /// All images with the names of their files, in the bundle's order.
    pub fn images(&self) -> impl Iterator<Item = (&str, KernelImage<'_>)> {
        self.entries.iter().map(move |entry| {
            let bytes = &self.bytes[entry.image.clone()];
            (entry.file.as_str(), KernelImage { bytes, target: &entry.target })
        })
    }
}

/// The bundle in this program, decoded at the first call (some milliseconds).
pub fn embedded() -> Result<&'static Bundle, BundleError> {
    static BUNDLE: OnceLock<Result<Bundle, BundleError>> = OnceLock::new();
    BUNDLE.get_or_init(|| Bundle::read(EMBEDDED)).as_ref().map_err(Clone::clone)
}

fn decoded(kept: &[u8]) -> Result<Vec<u8>, BundleError> {
    let damaged = |error: std::io::Error| BundleError::Damaged { what: error.to_string() };
    let ends_early = || damaged(ErrorKind::UnexpectedEof.into());
    let streams = || {
        let (lengths, streams) = kept.split_at_checked(8)?;
        let (around, streams) = streams.split_at_checked(number(lengths, 0)?)?;
        let (instructions, assembly) = streams.split_at_checked(number(lengths, 4)?)?;
        Some([around, instructions, assembly])
    };
    let limit_kib = (MAX_ENTRIES_BYTES >> 10) as u32;
    let decode = |stream: &[u8]| {
        let mut bytes = Vec::new();
        let reader = LzmaReader::new_mem_limit(stream, limit_kib, None).map_err(damaged)?;
        let mut limited = reader.take(MAX_ENTRIES_BYTES);
        limited.read_to_end(&mut bytes).map_err(damaged)?;
        Ok(bytes)
    };
    let [around, instructions, assembly] = streams().ok_or_else(ends_early)?.map(decode);
    let mut bytes = joined(&around?, &instructions?).ok_or_else(ends_early)?;
    bytes.extend(assembly?);
    Ok(bytes)
}

/// The number of four bytes at `at`.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(four.try_into().ok()?)).ok()
}

/// Inserts instructions at their position in the surrounding bytes; `None` if the list before those bytes does not
/// describe both.
fn joined(around: &[u8], instructions: &[u8]) -> Option<Vec<u8>> {
    let turns = number(around, 0)?;
    let mut rest = around.get(turns.checked_mul(8)?.checked_add(4)?..)?;
    let mut left = instructions;
    let mut bytes = Vec::with_capacity(rest.len() + left.len());
    for turn in 0..turns {
        let (some, remainder) = rest.split_at_checked(number(around, 4 + 8 * turn)?)?;
        let (code, other) = left.split_at_checked(number(around, 8 + 8 * turn)?)?;
        bytes.extend(some);
        bytes.extend(code);
        (rest, left) = (remainder, other);
    }
    bytes.extend(rest);
    left.is_empty().then_some(bytes)
}

/// The table at the start of a bundle's entries; `None` if it does not describe everything that follows.
fn entries(bytes: &[u8]) -> Option<Vec<Entry>> {
    let count = number(bytes, 0)?;
    let mut end = count.checked_mul(12)?.checked_add(4)?;
    bytes.get(..end)?;
    let mut entries = Vec::with_capacity(count);
    for row in 0..count {
        let mut part = |column: usize| -> Option<Range<usize>> {
            let start = end;
            end = end.checked_add(number(bytes, 4 + 12 * row + 4 * column)?)?;
            bytes.get(start..end)?;
            Some(start..end)
        };
        let text = |range: Range<usize>| String::from_utf8(bytes[range].to_vec()).ok();
        let (file, target) = (text(part(0)?)?, text(part(1)?)?);
        entries.push(Entry { file, target, image: part(2)? });
    }
    (end == bytes.len()).then_some(entries)
}

/// The target among `targets` whose code runs best on a GPU of this compute capability.
///
/// Machine code runs on its own architecture and on later ones of the same major version. Code for an architecture with
/// a letter (`sm_90a`) runs only on that one. The driver can compile PTX for its own capability and all later ones, but
/// this takes time when it is loaded, so PTX is the last resort.
fn fitting_target<'a>(targets: &[&'a str], (major, minor): (i32, i32)) -> Option<&'a str> {
    let machine_code = targets.iter().filter_map(|target| {
        let version = target.strip_prefix("sm_")?;
        let plain = version.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let number: i32 = plain.parse().ok()?;
        let (its_major, its_minor) = (number / 10, number % 10);
        let fits = if plain == version {
            its_major == major && its_minor <= minor
        } else {
            (its_major, its_minor) == (major, minor)
        };
        // At the same version, code that uses all features of the architecture (with the letter) is better.
        fits.then_some((its_minor, plain != version, *target))
    });
    let assembly = || {
        targets.iter().filter_map(|target| {
            let number: i32 = target.strip_prefix("compute_")?.parse().ok()?;
            (number <= 10 * major + minor).then_some((number, *target))
        })
    };
    machine_code
        .max()
        .map(|(_, _, target)| target)
        .or_else(|| assembly().max().map(|(_, target)| target))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: [&str; 8] =
        ["sm_75", "sm_80", "sm_86", "sm_89", "sm_90a", "sm_100", "sm_120", "compute_80"];

    #[test]
    fn the_closest_machine_code_is_taken_before_ptx() {
        let expected = [
            ((7, 0), None),
            ((7, 2), None),
            ((7, 5), Some("sm_75")),
            ((8, 0), Some("sm_80")),
            ((8, 6), Some("sm_86")),
            ((8, 7), Some("sm_86")),
            ((8, 9), Some("sm_89")),
            ((9, 0), Some("sm_90a")),
            ((10, 0), Some("sm_100")),
            ((10, 3), Some("sm_100")),
            ((11, 0), Some("compute_80")),
            ((12, 0), Some("sm_120")),
            ((12, 1), Some("sm_120")),
            ((13, 0), Some("compute_80")),
        ];
        for (capability, target) in expected {
            assert_eq!(fitting_target(&TARGETS, capability), target, "{capability:?}");
        }
    }

    #[test]
    fn the_order_of_the_targets_does_not_matter() {
        let mut reversed = TARGETS;
        reversed.reverse();
        for capability in [(7, 5), (8, 6), (8, 7), (9, 0), (11, 0)] {
            assert_eq!(fitting_target(&TARGETS, capability), fitting_target(&reversed, capability));
        }
    }

    #[test]
    fn code_with_a_letter_runs_on_its_own_architecture_only() {
        assert_eq!(fitting_target(&["sm_90a"], (9, 0)), Some("sm_90a"));
        assert_eq!(fitting_target(&["sm_90a"], (9, 1)), None);
        assert_eq!(fitting_target(&["sm_90a"], (10, 0)), None);
        assert_eq!(fitting_target(&["sm_90", "sm_90a"], (9, 0)), Some("sm_90a"));
        assert_eq!(fitting_target(&["sm_90", "sm_90a"], (9, 1)), Some("sm_90"));
    }

    #[test]
    fn the_embedded_bundle_serves_every_supported_gpu() {
        let bundle = embedded().expect("a readable bundle");
        assert!(bundle.images().count() > 0, "the bundle is empty");
        for (file, image) in bundle.images() {
            if image.target.starts_with("sm_") {
                assert_eq!(&image.bytes[..4], b"\x7fELF", "{file} {}", image.target);
            } else {
                // The driver reads PTX up to its terminating zero.
                assert_eq!(image.bytes.last(), Some(&0), "{file} {}", image.target);
                assert!(image.bytes.starts_with(b".version"), "{file} {}", image.target);
            }
        }
        for capability in [(7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)] {
            assert!(bundle.image("elementwise", capability).is_some(), "{capability:?}");
        }
        assert!(bundle.image("elementwise", (7, 0)).is_none());
        assert!(bundle.image("nothing of this name", (9, 0)).is_none());
    }

    #[test]
    fn a_damaged_bundle_is_an_error() {
        assert_eq!(Bundle::read(b"short").err(), Some(BundleError::Format));
        let mut other: Vec<u8> = EMBEDDED.to_vec();
        other[4] ^= 1;
        assert_eq!(Bundle::read(other.leak()).err(), Some(BundleError::Format));
        let cut = &EMBEDDED[..EMBEDDED.len() - 20];
        assert!(matches!(Bundle::read(cut), Err(BundleError::Damaged { .. })));
    }
}
