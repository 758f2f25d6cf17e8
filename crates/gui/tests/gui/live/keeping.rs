//! Kept live pictures are painted again at higher quality: the held picture, and snapshots.

use std::path::{Path, PathBuf};

use eframe::egui::Key;
use egui_kittest::kittest::Queryable;
use pictures::{
    decode,
    encode::{self, Encoding, Existing, Format},
};
use settings::Settings;
use values::frame::Frame;

use crate::{
    support::{Behaviour, photo},
    window::{Window, records_pictures, saves_there},
};

const AWAITED: &str = "Refining…";

impl Window {
    /// A window whose live pictures are painted at 320 x 240 px from a larger source.
    fn painting_small() -> Self {
        let mut w = Self::live_after(saves_there);
        w.until_live();
        w.choose("Detail", "320 px");
        w.until("the size and the style", |w| {
            w.pace().contains("320 × 240 px") && !w.pace().contains("not painted")
        });
        w.script.only_from(600);
        w
    }

    fn snapshot_path(&self, number: usize) -> PathBuf {
        self.path(&format!("StyleForge/snapshot-candy-{number:04}.png"))
    }

    /// A snapshot, and whether it contains each of these words.
    fn saved(&self, number: usize, words: [&str; 2]) -> (Frame, [bool; 2]) {
        let path = self.snapshot_path(number);
        let bytes = std::fs::read(&path).expect("a file");
        let has = |words: &str| bytes.windows(words.len()).any(|w| w == words.as_bytes());
        let saved = decode::from_path(&path).expect("a picture");
        (saved.frame.as_ref().clone(), words.map(has))
    }

    /// Number of runs for the large picture and for finer ones.
    fn large_runs(&self) -> [usize; 2] {
        let runs = self.script.runs();
        let finer = runs.iter().filter(|(width, _)| *width >= 600).count();
        let large = runs.iter().filter(|(width, _)| *width == 320).count();
        [large, finer]
    }
}

#[test]
fn the_held_picture_is_replaced_by_a_finer_one_and_kept_as_that() {
    let mut w = Window::painting_small();
    w.script.hold();
    w.press(Key::Space);
    w.until_contains(AWAITED);
    assert!(w.pace().starts_with("Frozen ·") && w.has_containing("Picture, painted"));
    assert!(w.has("Painted at 320 × 240 px"), "{:#?}", w.texts());
    // A snapshot waits for the finer picture.
    w.press(Key::S);
    w.step();
    assert!(!w.snapshot_path(1).exists());
    w.script.release();
    // Said for a while only.
    w.until_contains("px");
    w.until_contains("snapshot-candy-0001.png");
    w.until("the finer picture", |w| !w.has_containing(AWAITED));
    assert!(!w.has("Painted at 320 × 240 px"), "{:#?}", w.texts());
    let runs = w.large_runs();
    assert_eq!(runs[1], 1, "one for both");
    let (first, has) = w.saved(1, ["candy full", "320 x 240 px"]);
    assert_eq!(has, [true, false]);
    assert!(first.width() >= 640 && 4 * first.height() == 3 * first.width());
    assert!(w.has_containing(&format!("Saved at {} × {} px as ", first.width(), first.height())));
    // The shown picture is saved unchanged.
    w.press(Key::S);
    w.until_contains("snapshot-candy-0002.png");
    assert_eq!(w.saved(2, ["candy full", "Device"]).0, first);
    assert_eq!(w.large_runs(), runs);
    // Another style requires another picture.
    w.press(Key::Num2);
    w.until("the other style's", |w| w.large_runs()[1] > runs[1]);
}

#[test]
fn a_snapshot_is_kept_as_it_was_seen_with_one_click() {
    let mut w = Window::painting_small();
    w.press(Key::S);
    w.until_contains("snapshot-candy-0001.png");
    assert_eq!(w.saved(1, ["candy full", "320 x 240 px"]).1, [true, false]);
    w.click("Save live version instead");
    w.until_contains("snapshot-candy-0002.png");
    let (seen, has) = w.saved(2, ["candy lite", "320 x 240 px"]);
    assert_eq!(has, [true, true]);
    assert!(seen.width() >= 640, "at the source's size");
    assert!(!w.has("Save live version instead"), "it is done");
}

#[test]
fn the_held_picture_can_stay_as_it_was_seen() {
    const SEEN: &str = "Painted at 320 × 240 px";
    let mut w = Window::painting_small();
    assert!(!w.has("Show live version"), "nothing is held");
    w.press(Key::Space);
    w.until("the finer picture", |w| {
        w.pace().starts_with("Frozen ·") && !w.has(SEEN) && !w.has_containing(AWAITED)
    });
    let pace = w.pace();
    assert!(pace.starts_with("Frozen ·"), "{pace}");
    assert!(!pace.contains("320 × 240 px"), "{pace}");
    let [_, finer] = w.large_runs();
    w.click("Show live version");
    w.until_label(SEEN);
    w.press(Key::S);
    w.until_contains("snapshot-candy-0001.png");
    assert_eq!(w.saved(1, ["candy lite", "320 x 240 px"]).1, [true, true]);
    assert!(!w.has("Save live version instead"), "it is saved like that");
    w.click("Show live version");
    w.until("the finer picture again", |w| !w.has(SEEN));
    assert_eq!(w.large_runs()[1], finer, "which was there");
    w.press(Key::S);
    w.until_contains("snapshot-candy-0002.png");
    assert_eq!(w.saved(2, ["candy full", "320 x 240 px"]).1, [true, false]);
    w.until_label("Save live version instead");
}

#[test]
fn nothing_is_repainted_unless_chosen() {
    let mut w = Window::painting_small();
    w.click("Advanced");
    w.click("Full quality when frozen");
    w.press(Key::Space);
    w.until("the picture to be held", |w| w.pace().starts_with("Frozen ·"));
    w.press(Key::S);
    w.until_contains("snapshot-candy-0001.png");
    assert_eq!(w.saved(1, ["candy lite", "320 x 240 px"]).1, [true, true]);
    assert!(!w.has("Show live version") && !w.has("Save live version instead"));
    assert_eq!(w.large_runs()[1], 0);
    let is_kept = |w: &Window| !Settings::load(&w.settings_path()).0.live.repaint_kept;
    w.until("the settings", is_kept);
}

#[test]
fn a_recording_has_the_finer_picture_of_what_is_held() {
    let mut w = Window::painting_small();
    w.click("Advanced");
    w.click("Record as: Pictures");
    w.press(Key::R);
    let folder = w.path("StyleForge/recording-0001");
    let recorded = move || {
        let table = std::fs::read_to_string(folder.join("frames.csv"));
        let last = table.ok()?.lines().last()?.to_owned();
        let name = last.split(',').nth(1)?.to_owned();
        let number: u64 = last.split(',').next()?.parse().ok()?;
        Some((number, folder.join(name)))
    };
    w.until("pictures", |_| recorded().is_some_and(|(n, _)| n >= 2));
    w.script.hold();
    w.press(Key::Space);
    w.until_contains(AWAITED);
    w.script.release();
    w.until("the finer picture", |w| !w.has_containing(AWAITED));
    // The shown picture.
    w.press(Key::S);
    w.until_contains("snapshot-candy-0001.png");
    let (shown, _) = w.saved(1, ["candy full", "Device"]);
    let path = w.path("as recorded.jpg");
    let encoding = Encoding::of(Format::Jpeg);
    encode::save(&path, &shown, None, encoding, Existing::Keep).expect("saved");
    let read = |path: &Path| decode::from_path(path).expect("a picture").frame;
    let shown = read(&path);
    let mut number = 0;
    w.until("it in the recording", |_| {
        recorded().is_some_and(|(n, last)| {
            number = n;
            read(&last) == shown
        })
    });
    w.press(Key::Space);
    w.until("it to go on", |_| recorded().is_some_and(|(n, _)| n > number + 2));
    let (_, last) = recorded().expect("pictures");
    assert_ne!(read(&last), shown);
}

#[test]
fn continuing_discards_the_repainted_picture() {
    let mut w = Window::painting_small();
    w.script.hold();
    w.press(Key::Space);
    w.until_contains(AWAITED);
    w.until("the run", |w| w.large_runs()[1] == 1);
    w.press(Key::Space);
    w.until("it to go on", |w| !w.pace().starts_with("Frozen ·") && !w.has_containing(AWAITED));
    let [large, _] = w.large_runs();
    w.until("more pictures", |w| w.large_runs()[0] > large);
    w.script.release();
    assert!(!w.has_containing("could not be painted"), "not requested");
}

#[test]
fn a_snapshot_is_painted_while_live_video_continues() {
    let mut w = Window::painting_small();
    w.script.hold();
    w.press(Key::S);
    w.until_contains(AWAITED);
    let [large, _] = w.large_runs();
    w.until("live pictures meanwhile", |w| w.large_runs()[0] > large + 3);
    assert!(!w.snapshot_path(1).exists());
    w.script.release();
    w.until_contains("snapshot-candy-0001.png");
    let (saved, has) = w.saved(1, ["candy full", "320 x 240 px"]);
    assert_eq!(has, [true, false]);
    assert!(saved.width() >= 640);
    w.click("Show in folder");
    w.until("the file manager", |w| w.platform.shown() == [w.snapshot_path(1)]);
}

#[test]
fn the_notice_of_a_snapshot_shows_and_copies_it() {
    let mut w = Window::painting_small();
    w.press(Key::S);
    w.until_contains("snapshot-candy-0001.png");
    let (saved, _) = w.saved(1, ["Style", "Device"]);
    let (width, height) = (saved.width(), saved.height());
    assert!(w.has_containing(&format!("Saved at {width} × {height} px as ")));
    w.show_queue();
    w.until_label("The saved picture");
    let rect = w.harness.get_by_label("The saved picture").rect();
    let ratio = rect.width() / rect.height();
    assert!((ratio - 4.0 / 3.0).abs() < 0.02 && rect.height() > 15.0, "{rect:?}");
    w.click("Copy");
    w.until("the clipboard", |w| w.platform.copied() == [saved.clone()]);
    w.until_label("snapshot-candy-0001.png is on the clipboard.");
    // Copying a snapshot whose file was removed reports that.
    w.press(Key::S);
    w.until_contains("snapshot-candy-0002.png");
    let shown = |w: &Window, label| w.harness.query_all_by_label(label).count();
    w.until("the pictures of all messages", |w| {
        shown(w, "Copy") > 0 && shown(w, "The saved picture") == shown(w, "Copy")
    });
    std::fs::remove_file(w.snapshot_path(2)).expect("removed");
    w.click_last("Copy");
    w.until_contains("snapshot-candy-0002.png could not be read");
    assert_eq!(w.platform.copied().len(), 1);
}

#[test]
fn a_frame_that_cannot_be_repainted_is_kept_as_seen() {
    let mut w = Window::painting_small();
    w.script.behave(Behaviour::Fail);
    w.press(Key::S);
    w.until_contains("The snapshot could not be refined");
    w.until_contains("snapshot-candy-0001.png");
    let (saved, has) = w.saved(1, ["candy lite", "320 x 240 px"]);
    assert_eq!(has, [true, true]);
    assert!(saved.width() >= 640, "brought up to the source's size");
    w.press(Key::Space);
    w.until_contains("The frozen picture could not be refined");
    assert!(!w.has_containing(AWAITED) && w.pace().starts_with("Frozen ·"));
}

#[test]
fn closing_loses_no_snapshot() {
    let mut w = Window::painting_small();
    w.script.hold();
    w.press(Key::S);
    w.until_contains(AWAITED);
    w.ask_to_end();
    w.until("the window to close", |w| w.closes());
    let path = w.snapshot_path(1);
    let folder = w.end();
    let saved = decode::from_path(&path).expect("a picture");
    assert!(saved.frame.width() >= 640, "{}", folder.path().display());
}

#[test]
fn a_held_picture_is_painted_at_1280_px_where_its_source_has_them() {
    let mut w = Window::live_after(|folder| {
        saves_there(folder);
        let path = folder.join("photo.png");
        let png = Encoding::of(Format::Png);
        encode::save(&path, &photo(1920, 1080), None, png, Existing::Keep).expect("saved");
        let source = path.display().to_string();
        let text = format!("[live]\nsource = {source:?}\nworking_px = 320\n");
        let settings = folder.join("settings.toml");
        let before = std::fs::read_to_string(&settings).expect("settings");
        std::fs::write(settings, before + &text).expect("written");
    });
    w.until_live();
    w.until("the size and the style", |w| {
        w.pace().contains("320 × 180 px") && !w.pace().contains("not painted")
    });
    w.press(Key::Space);
    w.until("the refined picture", |w| w.pace() == "Frozen · refined at 1280 × 720 px");
    let finer = |w: &Window| w.script.runs().into_iter().filter(|(width, _)| *width > 320);
    assert_eq!(finer(&w).collect::<Vec<_>>(), [(1280, 720)]);
    w.press(Key::S);
    w.until_contains("snapshot-candy-0001.png");
    let (saved, has) = w.saved(1, ["1280 x 720 px", "Device"]);
    assert_eq!((saved.width(), saved.height(), has), (1920, 1080, [true; 2]));
}

#[test]
fn capture_controls_keep_their_place_while_recording() {
    let mut w = Window::live_after(records_pictures);
    w.until_live();
    w.choose("Detail", "320 px");
    w.until_label("Painted at 320 × 240 px");
    w.press(Key::Space);
    w.until_label("Show live version");
    w.step();
    let place = |w: &Window| {
        let left = |name: &str| w.harness.get_by_label(name).rect().left();
        ["Freeze", "Snapshot"].map(left)
    };
    let live_version = |w: &Window| w.harness.get_by_label("Show live version").rect().left();
    let before = place(&w);
    w.press(Key::R);
    w.until_contains("Stop recording, ");
    assert_eq!(place(&w), before, "once it begins");
    let beside = live_version(&w);
    w.until_a_second_is_recorded();
    w.step();
    assert_eq!((place(&w), live_version(&w)), (before, beside), "while it continues");
    w.press(Key::R);
    w.until_contains("Recorded ");
    w.step();
    assert_eq!(place(&w), before, "afterwards");
}
