//! Keeping live pictures: snapshots, recordings, and what closing would lose.

use std::path::PathBuf;

use eframe::egui::{Key, Modifiers};
use media::codec::Codec;
use pictures::decode;
use settings::Settings;

use crate::window::{Window, records_pictures, saves_there};

impl Window {
    /// Waits for the clock of a recording. It starts with the key press and continues while an encoder starts.
    pub fn until_a_second_is_recorded(&mut self) {
        let has_second = |text: &String| {
            // On its button, or alone on the full screen.
            let clock = ["Stop recording, ", "Recording "];
            clock
                .iter()
                .find_map(|words| text.strip_prefix(words))
                .and_then(|length| length.split(',').next())
                .is_some_and(|length| length.contains(':') && length != "0:00")
        };
        self.until("a second", |w| w.texts().iter().any(has_second));
    }

    /// Keeps all background tasks waiting while `waits` runs.
    fn while_tasks_wait(&mut self, waits: impl FnOnce(&mut Self)) {
        let styles = self.style_source.clone();
        let loads = styles.hold_loads();
        // The other model size of every style: more loads than threads.
        self.press(Key::M);
        waits(self);
        drop(loads);
    }

    /// Starts the first recording of a window; returns its folder once frames are written there.
    fn begin_recording(&mut self) -> PathBuf {
        self.press(Key::R);
        let folder = self.path("StyleForge/recording-0001");
        self.until("frames to be written", |_| folder.join("frame-000002.jpg").exists());
        folder
    }
}

#[test]
fn snapshots_and_recordings_are_files() {
    let mut w = Window::live_after(records_pictures);
    w.until_live();
    w.click("Mirror");
    w.until_live();
    w.press(Key::S);
    w.until_contains("snapshot-candy-0001.png");
    let path = w.path("StyleForge/snapshot-candy-0001.png");
    let saved = decode::from_path(&path).expect("a picture");
    // The demo scene's size, although a CPU paints smaller.
    assert!(saved.frame.width() >= 640);
    let bytes = std::fs::read(&path).expect("a file");
    let has = |words: &str| bytes.windows(words.len()).any(|w| w == words.as_bytes());
    for words in ["candy full", "fused fp32", "demo, mirrored", "100 %", " px", "Device"] {
        assert!(has(words), "no {words} in the snapshot");
    }
    let (width, height) = (saved.frame.width(), saved.frame.height());
    assert!(w.has_containing(&format!("Saved at {width} × {height} px as ")));
    w.press(Key::S);
    w.until_contains("snapshot-candy-0002.png");
    // Saving saves the shown picture: in live mode a snapshot, not an earlier painting.
    w.key(Modifiers::CTRL, Key::S);
    w.until_contains("snapshot-candy-0003.png");

    let folder = w.begin_recording();
    w.press(Key::R);
    w.until_contains("Recorded ");
    assert!(folder.join("frames.csv").exists());
}

#[test]
fn pictures_stay_as_small_as_they_were_painted_if_that_is_wanted() {
    let mut w = Window::live_after(records_pictures);
    w.until_live();
    w.choose("Detail", "320 px");
    w.until("the size", |w| w.pace().contains("320 × 240 px"));
    assert!(w.has("Painted at 320 × 240 px"), "{:#?}", w.texts());
    let size = |picture: PathBuf| {
        let saved = decode::from_path(&picture).expect("a picture");
        (saved.frame.width(), saved.frame.height())
    };
    let folder = w.begin_recording();
    w.press(Key::R);
    w.until_contains(" frames, ");
    assert!(size(folder.join("frame-000001.jpg")).0 >= 640);
    w.click("Advanced");
    w.click("Upscale to source size");
    let is_kept = |w: &Window| !Settings::load(&w.settings_path()).0.live.upscale;
    w.until("the settings", is_kept);
    // Pictures in flight were painted before.
    w.press(Key::R);
    let folder = w.path("StyleForge/recording-0002");
    let mut number = 0;
    w.until("a small picture", |_| {
        let next = folder.join(format!("frame-{:06}.jpg", number + 1));
        let is_there = next.exists();
        number += usize::from(is_there);
        is_there && size(next) == (320, 240)
    });
}

#[test]
fn a_recording_is_announced_at_once_with_how_to_end_it() {
    let mut w = Window::live_after(records_pictures);
    w.until_live();
    // In the same frame as the key press, before there is a file.
    w.keys_at_once(Modifiers::NONE, &[Key::R]);
    assert!(w.has_containing("Stop recording, "), "{:#?}", w.texts());
    let painted = w.painted_texts();
    assert!(painted.iter().any(|text| text.contains("Stop  0:")), "{painted:?}");
    w.until_a_second_is_recorded();
    w.press(Key::R);
    w.until_contains("Recorded ");
    assert!(w.has("Record"));
}

#[test]
fn codec_and_quality_of_videos_are_remembered() {
    let mut w = Window::live_after(|_| {});
    w.until_live();
    // The controls are the last ones of a long column.
    w.harness.set_size(eframe::egui::vec2(1300.0, 1400.0));
    w.click("Advanced");
    w.until_label("Video quality");
    let codec = |w: &Window| Settings::load(&w.settings_path()).0.live.codec;
    w.choose("Video codec", "AV1");
    // An ffmpeg without an encoder for it, or no ffmpeg, brings H.264 back with a message.
    match Codec::Av1.ffmpeg() {
        Ok(_) => w.until("the settings", |w| codec(w) == Codec::Av1),
        Err(_) => {
            w.until_contains("Videos cannot be recorded in AV1: ");
            w.until("the settings", |w| codec(w) == Codec::H264);
        }
    }
    w.click("Record as: Pictures");
    w.until("pictures without a codec", |w| !w.has("Video codec") && !w.has("Video quality"));
}

/// With or without a microphone, the window says what it found.
#[test]
fn switching_sound_on_says_which_microphone_is_recorded_or_what_is_missing() {
    let mut w = Window::live_after(|_| {});
    w.until_live();
    let is_on = |w: &Window| Settings::load(&w.settings_path()).0.live.microphone;
    w.click("Record sound");
    let has_found = |w: &Window| w.has_containing("Videos are recorded with sound from ");
    w.until("an answer", |w| has_found(w) || w.has_containing("Sound cannot be recorded: "));
    let has_found = has_found(&w);
    w.until("the settings", |w| is_on(w) == has_found);
    w.click("Record as: Pictures");
    w.until("pictures without sound", |w| !w.has("Record sound"));
}

#[test]
fn a_recording_that_ends_before_there_is_a_file_for_it_is_kept() {
    let frames = |w: &Window| {
        let table = w.path("StyleForge/recording-0001/frames.csv");
        std::fs::read_to_string(table).map_or(0, |table| table.lines().count() - 1)
    };
    for key in [Key::R, Key::L] {
        let mut w = Window::live_after(records_pictures);
        w.until_live();
        w.while_tasks_wait(|w| {
            w.press(Key::R);
            w.press(key);
            assert!(!w.has_containing("Stop recording"), "{:#?}", w.texts());
        });
        w.until_contains("Recorded ");
        assert_ne!(frames(&w), 0, "what was seen, held");
    }
    // Closing asks for confirmation, and waits for the recording.
    let mut w = Window::live_after(records_pictures);
    w.until_live();
    w.while_tasks_wait(|w| {
        w.press(Key::R);
        assert!(w.close_is_held_back());
        w.until_label("Stop recording?");
        w.click("Stop and close");
        assert!(!w.closes(), "there is no file yet");
    });
    w.until("the window to close", |w| w.closes());
    assert!(frames(&w) > 0);
    // Closing without confirmation waits too.
    let mut w = Window::live_after(records_pictures);
    w.until_live();
    w.while_tasks_wait(|w| {
        w.press(Key::R);
        w.ask_to_end();
    });
    let folder = w.end();
    let recording = folder.path().join("StyleForge/recording-0001");
    assert!(recording.join("frames.csv").exists());
}

/// Finding and starting an encoder may take seconds.
#[test]
fn pictures_are_recorded_from_the_key_on_although_there_is_no_file_yet() {
    let mut w = Window::live_after(records_pictures);
    w.until_live();
    w.while_tasks_wait(|w| {
        w.press(Key::R);
        for (size, painted) in [("320 px", "320 × 240 px"), ("256 px", "256 × 192 px")] {
            w.choose("Detail", size);
            w.until_label(&format!("Painted at {painted}"));
        }
    });
    let table = w.path("StyleForge/recording-0001/frames.csv");
    w.press(Key::R);
    w.until_contains("Recorded ");
    let table = std::fs::read_to_string(table).expect("a table");
    // The pictures shown: one of each size, and the last one held.
    assert!(table.lines().count() > 1 + 2, "{table}");
}

#[test]
fn a_recording_that_cannot_begin_is_not_waited_for() {
    let mut w = Window::live_after(records_pictures);
    w.until_live();
    w.while_tasks_wait(|w| {
        while !w.has_containing("too many things at once") {
            let focus = eframe::egui::Event::WindowFocused(true);
            w.harness.input_mut().events.push(focus);
            w.step();
        }
        w.press(Key::R);
        w.until_label("Record");
    });
}

#[test]
fn a_held_picture_that_goes_back_to_what_was_seen_is_recorded() {
    let mut w = Window::live_after(records_pictures);
    w.until_live();
    w.choose("Detail", "320 px");
    w.until_label("Painted at 320 × 240 px");
    w.click("Advanced");
    w.press(Key::Space);
    w.until("the finer picture", |w| {
        let is_seen = w.has("Painted at 320 × 240 px");
        w.has_containing("Frozen ·") && !is_seen && !w.has_containing("Refining…")
    });
    w.press(Key::R);
    let frame = |w: &Window, n: usize| {
        let name = format!("StyleForge/recording-0001/frame-{n:06}.jpg");
        w.path(&name).exists()
    };
    w.until("the finer picture", |w| frame(w, 1));
    w.click("Full quality when frozen");
    w.until("what was seen", |w| frame(w, 2));
}

#[test]
fn closing_while_recording_asks_and_keeps_what_was_recorded() {
    let mut w = Window::live_after(records_pictures);
    w.until_live();
    let folder = w.begin_recording();
    assert!(w.close_is_held_back());
    w.until_label("Stop recording?");
    assert!(w.has_containing("recording-0001"), "{:#?}", w.texts());
    w.click("Keep recording");
    w.until("the question to go", |w| !w.has("Stop recording?"));
    let written = |name: &str| folder.join(name).exists();
    w.until("more frames", |_| written("frame-000005.jpg"));
    assert!(w.close_is_held_back());
    w.until_label("Stop recording?");
    w.click("Stop and close");
    w.until("the window to close", |w| w.closes());
    let table = std::fs::read_to_string(folder.join("frames.csv")).expect("a table");
    let last = table.lines().last().expect("lines");
    let name = last.split(',').nth(1).expect("a file");
    assert!(written(name), "{last}");
    let half: Vec<_> = std::fs::read_dir(&folder)
        .expect("a folder")
        .filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.contains("part"))
        .collect();
    assert!(half.is_empty(), "{half:?}");
}

#[test]
fn a_recording_that_fails_ends_at_once_and_is_reported() {
    let mut w = Window::live_after(records_pictures);
    w.until_live();
    let folder = w.begin_recording();
    // Simulates an unplugged disk.
    let gone = w.path("gone");
    std::fs::rename(&folder, &gone).expect("renamed");
    w.until_contains("The recording in ");
    let texts = w.texts();
    let message = texts.iter().find(|t| t.contains("The recording in ")).expect("shown just now");
    let written = std::fs::read_dir(&gone)
        .expect("a folder")
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".jpg"))
        .count();
    let ended = format!("{} ended after {written} pictures: ", folder.display());
    assert!(message.contains(&ended), "{message}");
    assert!(message.contains("does not exist"), "{message}");
    assert!(w.has("Record"), "the count must not continue");
    // A new recording starts from zero.
    w.press(Key::R);
    w.until("a new recording", |_| folder.join("frame-000001.jpg").exists());
    w.press(Key::R);
    w.until_contains("Recorded ");
}

#[test]
fn a_request_to_end_asks_nothing_and_loses_nothing_of_a_recording() {
    let mut w = Window::open_after(records_pictures);
    w.until_label("Candy");
    w.open_photo(40, 30);
    w.click("Candy");
    w.until("the choice", |w| w.is_chosen("Candy"));
    w.until_painted();
    w.click("Live");
    w.until_live();
    let recording = w.begin_recording();
    assert!(w.close_is_held_back(), "by hand it is asked first");
    w.ask_to_end();
    w.until("the window to close", |w| w.closes());
    let folder = w.end();
    let table = std::fs::read_to_string(recording.join("frames.csv")).expect("a table");
    let pictures = std::fs::read_dir(&recording).expect("listed").count() - 1;
    assert_eq!(table.lines().count(), 1 + pictures, "{table}");
    let settings = std::fs::read_to_string(folder.path().join("settings.toml")).expect("settings");
    assert!(settings.contains("style = \"candy\""), "{settings}");
}

/// A video that any player opens, in its own file.
#[test]
fn a_recording_is_one_video_file() {
    let mut w = Window::live_after(saves_there);
    w.until_live();
    let folder = w.path("StyleForge");
    let named = |folder: &std::path::Path, part: &str| {
        std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|file| file.file_name().into_string().ok())
            .into_iter()
            .find(|name| name.contains(part))
    };
    let mut stems = Vec::new();
    for stem in ["recording-0001", "recording-0002"] {
        w.press(Key::R);
        w.until("the recording to begin", |_| named(&folder, stem).is_some());
        w.until_a_second_is_recorded();
        w.press(Key::R);
        w.until_contains(&format!("{stem}."));
        let name = named(&folder, stem).expect("a video");
        let bytes = std::fs::read(folder.join(&name)).expect("a file");
        assert!(name.ends_with(".mp4"), "{name}");
        assert_eq!(&bytes[4..8], b"ftyp");
        w.until_contains("Recorded ");
        stems.push(stem);
    }
    // The choice is remembered.
    w.click("Record as: Pictures");
    w.press(Key::R);
    w.until("a picture", |_| {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().join("frame-000001.jpg")).any(|picture| picture.exists())
    });
    w.press(Key::R);
    // Videos are on the strip of saved results, with their first picture; a click shows that large.
    w.click("Photo");
    let name = named(&folder, &format!("{}.", stems[0])).expect("a video");
    let is_drawn = |w: &Window| {
        w.textured().into_iter().filter(|(name, ..)| name == "painting small").count() == 2
    };
    w.until("both videos", |w| w.has(&name) && is_drawn(w));
    w.click(&name);
    w.until_contains("Picture, saved video, ");
    w.click("Play");
    let platform = w.platform.clone();
    w.until("the player", |_| platform.played() == [folder.join(&name)]);
    w.click("Show in folder");
    w.until("the folder", |_| platform.shown() == [folder.join(&name)]);
    assert!(!w.has("Open as a photo"), "it is none");
    w.press(Key::ArrowLeft);
    let newer = named(&folder, &format!("{}.", stems[1])).expect("a video");
    w.until_contains(&format!("{newer}, "));
    w.press(Key::Escape);
    // Also after a restart.
    let mut w = w.reopened();
    w.until("both videos", |w| w.has(&name) && is_drawn(w));
}

#[test]
fn without_an_encoder_a_recording_is_a_folder_and_the_window_says_so_before() {
    let mut w = Window::open_after(saves_there);
    w.until_label("Candy");
    w.platform.refuse_videos("ffmpeg is not installed (not found in PATH)");
    w.click("Live");
    w.until_live();
    w.until_contains("Recordings are folders of pictures: ffmpeg is not installed");
    assert!(!w.has("Record sound"), "{:#?}", w.texts());
    // A folder of this name is taken, as a file would be.
    std::fs::create_dir_all(w.path("StyleForge/recording-0001")).expect("made");
    w.press(Key::R);
    w.until_contains("Recording pictures without sound: ffmpeg is not installed");
    w.press(Key::R);
    w.until_contains("Recorded ");
    assert!(w.path("StyleForge/recording-0002/frame-000001.jpg").exists());
}

#[test]
fn leftovers_of_a_kill_among_the_pictures_go_at_the_next_start() {
    let mut w = Window::live_after(|folder| {
        saves_there(folder);
        let recording = folder.join("StyleForge/recording-0001");
        std::fs::create_dir_all(&recording).expect("made");
        for place in [folder, &folder.join("StyleForge"), &recording] {
            std::fs::write(place.join(".styleforge-Killed.part"), "half").expect("written");
        }
        std::fs::create_dir(folder.join("StyleForge/mine")).expect("made");
        std::fs::write(folder.join("StyleForge/mine/.styleforge-Killed.part"), "")
            .expect("written");
    });
    let left = |name: &'static str| {
        move |w: &Window| w.path(name).join(".styleforge-Killed.part").exists()
    };
    w.until("the sweep", |w| !left("StyleForge/recording-0001")(w));
    assert!(!left("StyleForge")(&w) && !left("")(&w));
    assert!(left("StyleForge/mine")(&w), "no folder of ours");
}

#[test]
fn closing_live_pictures_says_which_painting_would_be_lost() {
    let mut w = Window::unsaved(40, 30);
    w.click("Live");
    w.until_live();
    assert!(w.close_is_held_back());
    w.until_label("Save the painting first?");
    let what = "The painting of photo.png in Candy, which waits under Photo, is not saved.";
    assert!(w.has_containing(what), "{:#?}", w.texts());
    w.click("Close without saving");
    w.until("the window to close", |w| w.closes());
}

#[test]
fn a_recording_lasts_from_key_to_key_also_of_a_picture_that_is_held() {
    let mut w = Window::live_after(records_pictures);
    w.until_live();
    w.press(Key::Space);
    w.until_contains("Frozen ·");
    w.press(Key::R);
    // The clock runs even without new pictures.
    w.until_a_second_is_recorded();
    assert!(w.close_is_held_back());
    w.until_label("Stop recording?");
    assert!(w.has_containing(" so far. The recording so far is kept."));
    w.click("Stop and close");
    w.until("the window to close", |w| w.closes());
    let folder = w.path("StyleForge/recording-0001");
    let table = std::fs::read_to_string(folder.join("frames.csv")).expect("a table");
    assert!(table.contains("\n1,frame-000001.jpg,0.0000\n"), "{table}");
    let last = table.trim_end().rsplit(',').next().map(str::parse::<f64>);
    assert!(matches!(last, Some(Ok(1.0..))), "{table}");
}
