//! What was compiled before: a folder with a file for each image, named by all that decides it.
//!
//! Part of [`compiler`](super). A person who edits one kernel waits for that one alone. A name is
//! the SHA-256 of the program, the headers that it includes, the options, the target and the
//! compiler's version, so nothing here is ever stale; what the last run did not use is deleted.
//! Several threads may ask for different images at once.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::{CompilerError, Image, Source, Sources, at, digest};

/// The folder, and the files of it that this run used.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    used: Mutex<BTreeSet<PathBuf>>,
}

impl Cache {
    /// The cache in a folder, which is made when it does not exist.
    pub fn open(folder: &Path) -> Result<Self, CompilerError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        Ok(Self { folder: folder.to_owned(), used: Mutex::default() })
    }

    /// The image of a program for a target: what is kept, or what `compile` makes, which is kept.
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
        // Renamed when it is whole, so that a build that is stopped leaves no half of one.
        let unfinished = path.with_extension("part");
        fs::write(&unfinished, kept).map_err(at(&unfinished))?;
        fs::rename(&unfinished, &path).map_err(at(&path))?;
        Ok(image)
    }

    /// Deletes what no call of [`Cache::image_or`] asked for.
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

/// A kept file's log and image.
fn parts(kept: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = kept.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}
