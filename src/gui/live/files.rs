//! Errands of live pictures: snapshots, recordings and reports become files.

use std::path::{Path, PathBuf};

use crate::{
    frame::Frame,
    gui::desk::{Desk, Report, Snapshot},
    media::{
        MediaError,
        encode::{self, Encoding, Existing, Format},
        png_text::with_text,
        record::Recorder,
    },
};

/// Folder of snapshots and recordings, below the pictures.
const OWN_FOLDER: &str = "StyleForge";
/// Snapshots or recordings in one folder at most.
const MOST_NAMES: u32 = 100_000;

impl Desk {
    /// Saves a live picture under a name of its own below `folder`, with `texts` in it;
    /// [`Report::Snapshot`].
    pub fn save_snapshot(
        &self,
        folder: PathBuf,
        style: String,
        frame: Frame,
        texts: Vec<(&'static str, String)>,
    ) {
        self.send(move || Report::Snapshot(snapshot(&folder, &style, &frame, &texts)));
    }

    /// Writes a report; the person has agreed to replace what exists. [`Report::Exported`].
    pub fn export(&self, path: PathBuf, bytes: Vec<u8>) {
        self.send(move || {
            let saved = encode::save_bytes(&path, &bytes, Existing::Replace);
            Report::Exported(saved.map(|()| path).map_err(|e| e.to_string()))
        });
    }

    /// Makes a folder for a recording below `folder`; [`Report::Recording`].
    pub fn start_recording(&self, folder: PathBuf) {
        self.send(move || {
            let started = free_name(&folder, "recording", "")
                .and_then(|path| Recorder::start(&path, Format::Jpeg).map_err(|e| e.to_string()));
            Report::Recording(started.map(Box::new))
        });
    }

    /// Waits for a recording to be written; [`Report::Recorded`].
    pub fn finish_recording(&self, recorder: Recorder) {
        self.send(move || Report::Recorded {
            folder: recorder.folder().to_owned(),
            recorded: recorder.finish(),
        });
    }
}

/// A name of our own that is free: `StyleForge/recording-0001`.
fn free_name(folder: &Path, stem: &str, ending: &str) -> Result<PathBuf, String> {
    let home = if folder.ends_with(OWN_FOLDER) {
        folder.to_owned()
    } else {
        folder.join(OWN_FOLDER)
    };
    std::fs::create_dir_all(&home)
        .map_err(|e| format!("The folder {} could not be made: {e}", home.display()))?;
    (1..MOST_NAMES)
        .map(|n| home.join(format!("{stem}-{n:04}{ending}")))
        .find(|path| !path.exists())
        .ok_or_else(|| format!("{} is full of files named {stem}.", home.display()))
}

fn snapshot(
    folder: &Path,
    style: &str,
    frame: &Frame,
    texts: &[(&'static str, String)],
) -> Result<Snapshot, String> {
    let said = |e: MediaError| e.to_string();
    let (png, _) =
        encode::to_bytes("the snapshot", frame, None, Encoding::of(Format::Png)).map_err(said)?;
    let path = free_name(folder, &format!("snapshot-{style}"), ".png")?;
    encode::save_bytes(&path, &with_text(&png, texts), Existing::Keep).map_err(said)?;
    let size = (frame.width(), frame.height());
    Ok(Snapshot { path, size })
}
