//! The cache of compiled images: a folder with one file per image, named by a hash of everything that determines it.
//!
//! Part of [`compiler`](super). After an edit of one kernel only that kernel is compiled. A name is the SHA-256 of the
//! program, the headers that it includes, the options, the target and the compiler's version, so no file is ever stale.
//! Files that the last run did not use are deleted. Several threads may request different images at once.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::{CompilerError, Image, Source, Sources, at, digest};

/// The folder, and those of its files that this run used.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    used: Mutex<BTreeSet<PathBuf>>,
}

impl Cache {
    /// Opens the cache in a folder, which is created if it does not exist.
    pub fn open(folder: &Path) -> Result<Self, CompilerError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        Ok(Self { folder: folder.to_owned(), used: Mutex::default() })
    }

    /// The image of a program for a target: the cached one, or the result of `compile`, which is then cached.
    pub fn image_or(
        &self,
        sources: &Sources,
        program: &Source,
        target: &'static str,
        compile: impl FnOnce() -> Result<Image, CompilerError>,
    ) -> Result<Image, CompilerError> {
        let all = sources.headers_of(program).into_iter().chain([program]);
        let mut name = String::new();
        for byte in digest(all, &[target]) {
            name.push_str(&format!("{byte:02x}"));
        }
        let path = self.folder.join(name);
        if let Ok(mut used) = self.used.lock() {
            used.insert(path.clone());
        }
        let kept = fs::read(&path).ok();
        if let Some((log, bytes)) = kept.as_deref().and_then(parts) {
            return Ok(Image {
                file: program.name.trim_end_matches(".cu").to_owned(),
                target,
                bytes: bytes.to_vec(),
                log: String::from_utf8_lossy(log).into_owned(),
            });
        }
        let image = compile()?;
        let mut kept = (image.log.len() as u64).to_le_bytes().to_vec();
        kept.extend(image.log.as_bytes());
        kept.extend(&image.bytes);
        // Renamed when complete, so that an interrupted build leaves no partial file.
        let unfinished = path.with_extension("part");
        fs::write(&unfinished, kept).map_err(at(&unfinished))?;
        fs::rename(&unfinished, &path).map_err(at(&path))?;
        Ok(image)
    }

    /// Deletes the files that no call of [`Cache::image_or`] requested.
    pub fn forget_unused(self) -> Result<(), CompilerError> {
        let used = self.used.into_inner().unwrap_or_default();
        for entry in fs::read_dir(&self.folder).map_err(at(&self.folder))? {
            let path = entry.map_err(at(&self.folder))?.path();
            if !used.contains(&path) {
                fs::remove_file(&path).map_err(at(&path))?;
            }
        }
        Ok(())
    }
}

/// The log and the image in a cached file.
fn parts(kept: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = kept.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}
