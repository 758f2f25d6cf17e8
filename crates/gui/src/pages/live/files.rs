//! Saves snapshots, recordings and reports of live mode: the intents that start them, and the tasks that write them.

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use eframe::egui::TextureOptions;

use super::{LivePage, Recording, command::LiveCommand};
use crate::{
    app::{App, Shell},
    intent::{Intent, ShellCommand},
    pages::photo::{PhotoPage, finished::SnapshotPicture, paintings::THUMBNAIL_PX},
    shell::{
        messages::{Messages, Topic},
        platform::Dialog,
        tasks::OrText,
    },
    widgets::{
        label::{label, path_label, remark, sentence},
        texture::image_of,
    },
};
use engine::capture::Rotation;
use media::{
    codec::Codec,
    record::{Destination, FrameSink, Microphone, Mp4Choice, Recorded, Recorder, TakenFrames},
};
use pictures::{
    MediaError,
    encode::{self, Existing, Format},
    scale::{scaled, size_within},
};
use settings::{LiveChoices, RecordAs, painted_with::PaintedWith};
use values::{
    disk::{self, WriteError},
    frame::Frame,
};

/// Shown if there is nothing to save or record.
const NO_PICTURE: &str = "There is no live picture yet.";
/// Folder of snapshots and recordings, inside the pictures folder.
const OWN_FOLDER: &str = "StyleForge";
/// Prefix of the names of recordings.
const RECORDING: &str = "recording";
/// Maximum number of snapshots or recordings in one folder.
const MAX_NAMES: u32 = 100_000;

impl LivePage {
    /// Saves the picture on the stage, with how it was painted. Repaints it first, unless that is already done.
    pub fn snapshot(&mut self, shell: &mut Shell) {
        let finer = self.finer(shell);
        let Some(live) = &self.view else {
            return;
        };
        let Some((original, painted)) = live.seen_picture() else {
            shell.messages.about(Topic::Saving).notice(NO_PICTURE);
            return;
        };
        let finer = finer.filter(|_| !live.refined.stays_as_seen);
        let is_finer = live.shown_finer().cloned();
        let frame = Arc::new(original.clone());
        let choice = &shell.workspace.choice;
        let choices = &shell.settings.live;
        let mut source = live.source.to_string();
        if choices.rotate != Rotation::default() {
            source.push_str(&format!(", rotated by {} degrees", choices.rotate));
        }
        if choices.captures_mirrored(&live.source) {
            source.push_str(", mirrored");
        }
        let shown = SnapshotPicture {
            picture: painted.clone(),
            painted: PaintedWith {
                style: choice.network(shell.live_model()).map(|network| network.as_painted()),
                mode: live.facts.and_then(|facts| facts.mode),
                working: live.facts.map(|facts| facts.working),
                detail: None,
                look: choice.look,
                steadiness: Some(choices.steadiness),
                source: Some(source),
                device: shell.device.name(),
            },
        };
        match (is_finer, finer) {
            (Some(repainted), Some(finer)) => {
                save_snapshot(
                    shell,
                    shown.clone().repainted(&repainted, finer.network),
                    Some(shown),
                );
            }
            (_, finer) => self.keep(shell, frame, finer, shown),
        }
    }

    pub fn toggle_recording(&mut self, shell: &mut Shell) {
        let Some(live) = &mut self.view else {
            return;
        };
        if live.is_recording() {
            self.end_recording(shell);
        } else if let Some((_, seen)) = live.picture() {
            // Take frames from now on, even while the file and the encoder are being prepared. The recording starts
            // with the picture that is visible now.
            let (mut sink, taken) = FrameSink::open();
            sink.push(seen, Instant::now());
            live.recording =
                Some(Recording { taken: taken.clone(), recorder: None, is_silent: false });
            shell.engine.record(sink);
            start_recording(shell, taken);
        } else {
            shell.messages.notice(NO_PICTURE);
        }
    }

    /// Reports that a recording has no sound any more.
    pub fn report_no_sound(&mut self, shell: &mut Shell) {
        let recording = self.view.as_mut().and_then(|live| live.recording.as_mut());
        let Some(recording) = recording.filter(|recording| !recording.is_silent) else {
            return;
        };
        if let Some(why) = recording.recorder.as_ref().and_then(Recorder::no_sound) {
            shell.messages.error(sentence(&remark(why)));
            recording.is_silent = true;
        }
    }

    /// Stops the recording, even if it does not have a file yet. Its length counts until now.
    pub fn end_recording(&mut self, shell: &mut Shell) {
        if let Some(Recording { taken, recorder, .. }) =
            self.view.as_mut().and_then(|live| live.recording.take())
        {
            taken.hold_until(Instant::now());
            shell.ending.recordings += 1;
            if let Some(recorder) = recorder {
                finish_recording(shell, recorder);
            }
        }
    }
}

impl Shell {
    /// Asks where to write a report. The dialog asks before an existing file is replaced.
    pub fn ask_export(&mut self, file_name: String, bytes: Vec<u8>) {
        self.ask(Dialog::Export { file_name: file_name.clone() }, move |app, mut path| {
            // Add the extension if it is missing; otherwise no program recognizes the file type.
            if let (None, Some(ending)) = (path.extension(), Path::new(&file_name).extension()) {
                path = path.with_extension(ending);
            }
            let write = move || {
                encode::save_bytes(&path, &bytes, Existing::Replace).map(|()| path).or_text()
            };
            app.shell.tasks.spawn_writing(write, |app, saved| match saved {
                Ok(path) => app.shell.messages.report_saved(&path),
                Err(error) => app.shell.messages.error(error),
            });
        });
    }

    /// The folder for snapshots and recordings.
    pub fn snapshot_folder(&self) -> PathBuf {
        self.settings.choices.snapshot_folder.clone().unwrap_or_else(|| pictures().join(OWN_FOLDER))
    }

    /// The folder of the last saved painting, at first that of the last opened file, or the pictures folder.
    pub fn save_folder(&self) -> PathBuf {
        let state = &self.settings.state;
        state.save_folder.as_ref().or(state.open_folder.as_ref()).cloned().unwrap_or_else(pictures)
    }
}

impl Messages {
    /// Reports that a snapshot or recording was not written, and offers to choose another folder.
    fn report_folder(&mut self, error: String) {
        self.error_with(error, ("Choose folder…", Intent::Shell(ShellCommand::AskSnapshotFolder)));
    }
}

/// The pictures folder, or a folder that exists.
fn pictures() -> PathBuf {
    let home = env::home_dir().filter(|home| home.is_absolute());
    let usual = home.as_ref().map(|home| home.join("Pictures"));
    env::var_os("XDG_PICTURES_DIR")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or(usual.filter(|folder| folder.is_dir()))
        .or(home)
        .unwrap_or_else(|| PathBuf::from("."))
}

/// Creates something under the next free name, for example `StyleForge/recording-0001`.
fn with_free_name<T>(
    folder: &Path,
    stem: &str,
    ending: &str,
    make: impl Fn(&Path) -> Result<T, MediaError>,
) -> Result<T, String> {
    disk::make_folder(folder).or_text()?;
    for n in 1..MAX_NAMES {
        let path = folder.join(format!("{stem}-{n:04}{ending}"));
        if path.exists() {
            continue;
        }
        match make(&path) {
            // Another program has just taken the name.
            Err(MediaError::Write(WriteError::Exists { .. })) => {}
            made => return made.or_text(),
        }
    }
    Err(format!("{} contains too many files named {stem}.", path_label(folder)))
}

/// A picture's size and a small copy of it.
type Thumbnail = ((usize, usize), Frame);

/// Writes a snapshot into `folder`; returns its path.
fn snapshot(
    folder: &Path,
    SnapshotPicture { picture, painted }: SnapshotPicture,
) -> Result<(PathBuf, Thumbnail), String> {
    let style = painted.style.as_ref().map_or("original", |style| style.label.as_str()).to_owned();
    let bytes = encode::png_with_texts("the snapshot", &picture, &painted.texts()).or_text()?;
    let path = with_free_name(folder, &format!("snapshot-{style}"), ".png", |path| {
        encode::save_bytes(path, &bytes, Existing::Keep).map(|()| path.to_owned())
    })?;
    let size = picture.size();
    let (width, height) = size_within(size.0, size.1, THUMBNAIL_PX);
    Ok((path, (size, scaled(&picture, width, height))))
}

/// Removes temporary files of snapshots and of recordings' pictures that were left by a killed program.
pub fn sweep_pictures(shell: &Shell) {
    let home = shell.snapshot_folder();
    let sweep = move || {
        disk::sweep(&home);
        for entry in std::fs::read_dir(&home).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_number = name
                .to_str()
                .and_then(|name| name.strip_prefix(RECORDING)?.strip_prefix('-'))
                .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
            if is_number && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                disk::sweep(&entry.path());
            }
        }
        Ok(())
    };
    shell.tasks.spawn(sweep, App::report_failure);
}

/// Saves a snapshot under a generated name; `seen` is the live picture if `picture` is a repainted one.
pub fn save_snapshot(shell: &Shell, picture: SnapshotPicture, seen: Option<SnapshotPicture>) {
    let folder = shell.snapshot_folder();
    shell.tasks.spawn_writing(
        move || snapshot(&folder, picture),
        |app, saved| match saved {
            Ok((path, picture)) => {
                show_snapshot(&mut app.shell, &mut app.photo, &path, &picture, seen)
            }
            Err(error) => app.shell.messages.report_folder(error),
        },
    );
}

/// Shows a snapshot and its location.
fn show_snapshot(
    shell: &mut Shell,
    photos: &mut PhotoPage,
    path: &Path,
    (size, thumbnail): &Thumbnail,
    seen: Option<SnapshotPicture>,
) {
    let mut offers = vec![
        ("Show in folder", Intent::Shell(ShellCommand::ShowInFolder(path.to_owned()))),
        ("Copy", Intent::Shell(ShellCommand::CopyFile(path.to_owned()))),
    ];
    if let Some(seen) = seen {
        offers.push((
            "Save live version instead",
            Intent::Live(LiveCommand::SaveAsSeen(Arc::new(seen))),
        ));
    }
    let picture = shell.ctx.load_texture("snapshot", image_of(thumbnail), TextureOptions::LINEAR);
    photos.note_painting(shell, path);
    let text = format!("Saved at {} × {} px as {}", size.0, size.1, path_label(path));
    shell.messages.about(Topic::Saving).saved(text, offers, picture);
}

/// Checks whether sound can be recorded, after it was switched on. Records nothing.
pub fn try_microphone(shell: &Shell) {
    let find = || Microphone::find(None);
    shell.tasks.spawn(find, |app, found| match found {
        Ok(found) => {
            let name = label(&found.name);
            app.shell.messages.notice(format!("Videos are recorded with sound from {name}."));
        }
        Err(why) => {
            app.shell.messages.error(format!("Sound cannot be recorded: {}.", remark(&why)));
            app.live.edit_live(&mut app.shell, |choices| choices.microphone = false);
        }
    });
}

/// Checks whether videos can be recorded with a codec, after it was chosen.
pub fn try_codec(shell: &Shell, codec: Codec) {
    let platform = shell.platform.clone();
    let find = move || platform.video_encoder(codec);
    shell.tasks.spawn(find, move |app, found| {
        if let Err(why) = found {
            let (title, why) = (codec.title(), remark(&why));
            app.shell.messages.error(format!("Videos cannot be recorded in {title}: {why}."));
            app.live.edit_live(&mut app.shell, |choices| choices.codec = Codec::H264);
        } else if let Some(live) = &mut app.live.view {
            live.no_video = None;
        }
    });
}

/// Checks whether recordings can be videos, so that the controls say it if they cannot.
pub fn try_video(shell: &Shell) {
    let (platform, codec) = (shell.platform.clone(), shell.settings.live.codec);
    let find = move || platform.video_encoder(codec);
    shell.tasks.spawn(find, |app, found| {
        if let Some(live) = &mut app.live.view {
            live.no_video = found.err();
        }
    });
}

/// Creates a file or folder for a recording, and writes the frames that are taken.
fn start_recording(shell: &Shell, taken: TakenFrames) {
    let folder = shell.snapshot_folder();
    let LiveChoices { record_as, codec, quality, microphone: wants_sound, .. } =
        shell.settings.live;
    let frames = taken.clone();
    let wake_up = shell.tasks.wake_up();
    let platform = shell.platform.clone();
    let start = move || {
        let mut note = None;
        let mut video = None;
        if record_as == RecordAs::Video {
            match platform.video_encoder(codec) {
                Ok(ffmpeg) => video = Some(Mp4Choice { codec, quality, ..ffmpeg.into() }),
                Err(why) => {
                    note = Some(format!("Recording pictures without sound: {}.", remark(&why)))
                }
            }
        }
        if let Some(choice) = video.as_mut().filter(|_| wants_sound) {
            match Microphone::find(None) {
                Ok(found) => choice.microphone = Some(found),
                Err(why) => note = Some(format!("Recording without sound: {}.", remark(&why))),
            }
        }
        let ending = if video.is_some() { ".mp4" } else { "" };
        let recorder = with_free_name(&folder, RECORDING, ending, |path| {
            let path = path.to_owned();
            let destination = if let Some(choice) = video.clone() {
                Destination::Mp4 { path, choice }
            } else {
                disk::make_new_folder(&path)?;
                Destination::Pictures { folder: path, format: Format::Jpeg }
            };
            Recorder::of_taken(&frames, &destination, wake_up.clone())
        })?;
        Ok((recorder, note))
    };
    shell.tasks.spawn_writing_or(
        start,
        |started| started.map_or_else(Some, |(r, _)| r.finish_or_discard().failure_text()),
        move |app, started| {
            // Another recording may have started in the meantime.
            let recording =
                app.live.view.as_mut().filter(|_| !taken.has_end()).map(|live| &mut live.recording);
            match (started, recording) {
                (Ok((recorder, note)), recording) => {
                    if let Some(Some(recording)) = recording {
                        recording.recorder = Some(recorder);
                    } else {
                        finish_recording(&app.shell, recorder);
                    }
                    if let Some(note) = note {
                        app.shell.messages.notice(note);
                    }
                }
                (Err(error), Some(recording)) => {
                    *recording = None;
                    app.shell.messages.report_folder(error);
                }
                (Err(error), None) => {
                    app.shell.ending.recording_ended(&app.shell.ctx);
                    app.shell.messages.report_folder(error);
                }
            }
        },
    );
}

/// Waits until a recording is written. A recording without frames leaves no file.
fn finish_recording(shell: &Shell, recorder: Recorder) {
    shell.tasks.spawn_writing_or(
        move || Ok(recorder.finish_or_discard()),
        |recorded| recorded.map_or_else(Some, |recorded| recorded.failure_text()),
        |app, recorded| {
            app.shell.ending.recording_ended(&app.shell.ctx);
            match recorded {
                Ok(recorded) => show_recorded(&mut app.shell, &mut app.photo, &recorded),
                Err(error) => app.shell.messages.error(error),
            }
        },
    );
}

fn show_recorded(shell: &mut Shell, photos: &mut PhotoPage, recorded: &Recorded) {
    if recorded.is_video && recorded.frames > 0 {
        photos.note_painting(shell, &recorded.path);
    }
    if let Some(failure) = recorded.failure_text() {
        return shell.messages.report_folder(failure);
    }
    let notes: String = recorded.notes.iter().map(|note| format!("; {note}")).collect();
    let path = path_label(&recorded.path);
    let words = recorded.summary();
    shell.messages.about(Topic::Recording);
    shell.messages.report_file(format!("Recorded {path}: {words}{notes}"), &recorded.path);
}
