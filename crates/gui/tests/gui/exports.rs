//! Exports of films: the form, the queue, and what a restart keeps.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use eframe::egui::{Event, Key, Modifiers, Role, pos2, vec2};
use egui_kittest::kittest::{NodeT, Queryable, by};
use gui::platform::Dialog;
use media::film::OpenFilm;

use crate::window::{Window, saves_there};

/// A clip of five frames.
pub fn clip(folder: &Path) -> PathBuf {
    clip_of(folder, 5)
}

/// A clip of this many frames.
fn clip_of(folder: &Path, frames: u32) -> PathBuf {
    clip_with(folder, frames, "null", "+cgop")
}

/// A clip whose pictures go through this filter, with these flags of the encoder.
fn clip_with(folder: &Path, frames: u32, filter: &str, flags: &str) -> PathBuf {
    let path = folder.join("clip.mp4");
    let seconds = f64::from(frames) / 25.0;
    let made = Command::new("ffmpeg")
        .args("-v error -f lavfi -i testsrc2=s=64x48:r=25 -f lavfi -i sine".split(' '))
        .args(["-vf", filter, "-flags", flags])
        .args("-c:v libx264 -c:a aac -y".split(' '))
        .args(["-t", &seconds.to_string()])
        .arg(&path)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
    path
}

/// What ffprobe says about a property of a video's pictures.
fn property(video: &Path, name: &str) -> String {
    let shown = Command::new("ffprobe")
        .args("-v error -count_frames -select_streams v:0 -of csv=p=0".split(' '))
        .args(["-show_entries", &format!("stream={name}")])
        .arg(video)
        .output();
    String::from_utf8_lossy(&shown.expect("ffprobe is installed").stdout).trim().to_owned()
}

/// Number of frames in a video.
fn frames(video: &Path) -> String {
    property(video, "nb_read_frames")
}

/// Chooses Candy, and adds an export of the clip.
fn add(w: &mut Window, clip: &Path) {
    w.export(clip);
    w.until_label("Export video");
    w.click("Export");
    w.until("the form to close", |w| !w.has("Export video"));
}

/// A window whose device is held, with exports of a clip.
fn with_exports(count: usize) -> Window {
    let mut w = Window::open_after(saves_there);
    w.until_label("Candy");
    w.click("Candy");
    let clip = clip(&w.path(""));
    w.script.hold();
    for _ in 0..count {
        add(&mut w, &clip);
    }
    // High enough that nothing in the list has to be scrolled to.
    w.harness.set_size(vec2(1300.0, 1500.0));
    w.step();
    w.show_queue();
    w
}

#[test]
fn a_film_is_exported_on_the_processor() {
    let mut w = Window::real();
    w.until_label("Candy");
    w.click("Candy");
    let clip = clip(&w.path(""));
    w.export(&clip);
    w.until_contains("0.2 s (5 frames) · about ");
    let output = w.path("film.mkv");
    w.platform.answer(Some(output.clone()));
    w.click("Change…");
    w.until_contains("film.mkv");
    let file_name = "clip-candy.mp4".to_owned();
    assert_eq!(w.platform.asked().last().map(|(d, _)| d.clone()), Some(Dialog::Film { file_name }));
    w.click("Export");
    w.until_contains("Exported as ");
    assert_eq!(frames(&output), "5");
    w.show_queue();
    w.until_label("Done");
    // A message below the list offers it, too.
    w.click_last("Show in folder");
    w.until("the folder", |w| w.platform.shown() == [output.clone()]);
    w.click("Clear completed");
    w.until("an empty queue", |w| !w.has("Clear completed"));
    assert!(output.exists());
}

#[test]
fn interlaced_video_is_deinterlaced_until_the_user_switches_it_off() {
    let mut w = Window::open_after(saves_there);
    w.until_label("Candy");
    w.click("Candy");
    let fields = "tinterlace=interleave_top,setfield=tff";
    let clip = clip_with(&w.path(""), 6, fields, "+ildct+ilme");
    w.script.hold();
    for is_switched_off in [false, true] {
        w.export(&clip);
        w.until_label("Deinterlace");
        if is_switched_off {
            w.click("Deinterlace");
        }
        w.click("Export");
        w.until("the form to close", |w| !w.has("Export video"));
    }
    w.show_queue();
    w.script.release();
    w.until("both", |w| w.texts().iter().filter(|t| t.starts_with("Done")).count() == 2);
    let order = |name: &str| property(&w.path(name), "field_order");
    assert_eq!(order("clip-candy.mp4"), "progressive");
    assert_ne!(order("clip-candy-2.mp4"), "progressive");
}

#[test]
fn the_brackets_of_a_timeline_are_moved_by_keys_and_by_the_pointer() {
    let mut w = Window::open_after(saves_there);
    w.until_label("Candy");
    w.click("Candy");
    let clip = clip_of(&w.path(""), 10);
    w.drop_file(&clip);
    w.until_label("Position in the video");
    w.until_painted();
    let node = |w: &Window, name: &str| {
        let bracket = w.harness.get(by().label(name).role(Role::Slider));
        (bracket.accesskit_node().value().expect("a time"), bracket.rect())
    };
    let value = |w: &Window, name: &str| node(w, name).0;
    let textures = |w: &Window, name: &str| {
        let manager = w.harness.ctx.tex_manager();
        manager.read().allocated().filter(|(_, about)| about.name == name).count()
    };
    assert_eq!([value(&w, "In"), value(&w, "Out")], ["0:00.00", "0:00.40"]);
    w.harness.get(by().label("In").role(Role::Slider)).focus();
    w.step();
    w.press(Key::ArrowRight);
    w.until("a later beginning", |w| value(w, "In") == "0:00.04");
    let strip = node(&w, "Position in the video").1;
    w.drag(node(&w, "Out").1.center(), strip.center());
    w.until("an earlier end", |w| ("0:00.15".."0:00.25").contains(&&*value(w, "Out")));
    // Dragged to the edge, a bracket encloses the whole film again.
    w.drag(node(&w, "Out").1.center(), strip.right_center() + vec2(40.0, 0.0));
    w.until("the end", |w| value(w, "Out") == "0:00.40");
    w.click("Clear In/Out");
    w.until("the beginning", |w| value(w, "In") == "0:00.00");
    // It has a single key frame.
    w.until("thumbnails", |w| textures(w, "film") == 1);

    let middle = "0:00.15".."0:00.25";
    w.click("Position in the video");
    w.until("the middle", |w| middle.contains(&&*value(w, "Position in the video")));
    w.click("Compare steadiness");
    // The rest of the film: five frames with three values of steadiness.
    w.until("all frames", |w| (12..=18).contains(&textures(w, "steadiness")));
    w.click("Steadiness 50 %");
    w.until_label("Reset steadiness");
    w.click("Compare steadiness");
    w.until("it to close", |w| !w.has("Steadiness 100 %"));
}

#[test]
fn wide_pixels_are_exported_as_they_are_and_counted_so() {
    let mut w = Window::open_after(saves_there);
    w.until_label("Candy");
    w.click("Candy");
    let clip = clip_with(&w.path(""), 5, "setsar=2", "+cgop");
    let (_, _, shown) = OpenFilm::open(&clip).expect("a clip");
    assert_eq!(shown.size(), (128, 48));
    w.export(&clip);
    w.until_contains("64 × 48 px");
    w.click("Export");
    w.until_contains("Exported as ");
    let output = w.path("clip-candy.mp4");
    assert_eq!(property(&output, "width,height,sample_aspect_ratio"), "64,48,2:1");
}

#[test]
fn exports_run_one_after_another_in_an_order_that_can_be_changed() {
    let mut w = with_exports(3);
    let place = |w: &Window, name: &str| w.texts().iter().position(|text| text == name);
    w.until_label("0 of 5 frames. Starting…");
    w.click_listed("Move up");
    w.until("another order", |w| place(w, "clip-candy-3.mp4") < place(w, "clip-candy-2.mp4"));
    // Its name is dragged below that of the last one, and back.
    for (below, by) in [(true, 30.0), (false, -30.0)] {
        let [from, to] = ["clip-candy-3.mp4", "clip-candy-2.mp4"]
            .map(|name| w.harness.get_by_label(name).rect().center());
        w.drag(from, to + vec2(0.0, by));
        w.until("the other order", |w| {
            (place(w, "clip-candy-3.mp4") > place(w, "clip-candy-2.mp4")) == below
        });
    }
    w.click("Pause");
    w.until_contains("Paused at 0 of 5 frames");
    // The first one is running; removed, it goes with its parts.
    w.harness.query_all_by_label("Cancel job").next().expect("listed").click_accesskit();
    w.step();
    w.until_label("Cancelled at 0 of 5 frames");
    w.click_listed("Delete");
    w.until("one less", |w| !w.has("clip-candy.mp4"));
    w.script.release();
    w.click_listed("Resume");
    w.until("both", |w| {
        !w.has("Waiting") && w.texts().iter().filter(|t| *t == "Done").count() == 2
    });
    for (name, exists) in
        [("clip-candy.mp4", false), ("clip-candy-2.mp4", true), ("clip-candy-3.mp4", true)]
    {
        assert_eq!(w.path(name).exists(), exists, "{name}");
        w.until("no parts", |w| !w.path(&format!("{name}.part")).exists());
    }
}

#[test]
fn a_queue_continues_after_a_restart() {
    let mut w = with_exports(2);
    w.until_label("0 of 5 frames. Starting…");
    let mut w = w.reopened();
    w.show_queue();
    w.until("both", |w| w.texts().iter().filter(|t| *t == "Done").count() == 2);
    assert_eq!(frames(&w.path("clip-candy-2.mp4")), "5");
    // A damaged list is kept.
    let mut w = Window::open_after(|folder| {
        fs::write(folder.join("exports.toml"), "{").expect("written");
    });
    w.until_contains("The queue cannot be read");
    assert_eq!(fs::read_to_string(w.path("exports.damaged")).expect("kept"), "{");
}

#[test]
fn videos_of_a_folder_become_exports() {
    let mut w = Window::open_after(saves_there);
    w.until_label("Candy");
    w.click("Candy");
    let folder = w.folder_of_photos(&["a.png"]);
    clip(&folder);
    w.drop_file(&folder);
    w.until_label("Paint 1 photo and 1 video");
    w.start_folder();
    w.until_contains("Exported as ");
    assert!(folder.join("painted/a-candy.png").exists());
    let exported = folder.join("painted/clip-candy.mp4");
    assert_eq!(frames(&exported), "5");
    // Without photos there is nothing to paint but exports.
    fs::remove_file(folder.join("a.png")).expect("removed");
    let start = |w: &mut Window, replaces: bool| {
        w.drop_file(&folder);
        w.until_label("Paint 1 video");
        if replaces {
            w.click("Overwrite existing files");
        }
        w.start_folder();
    };
    start(&mut w, false);
    w.until_contains("1 of 1 videos exist already");
    fs::write(&exported, "old").expect("written");
    start(&mut w, true);
    w.until("the new one", |_| frames(&exported) == "5");
    // An animation is a video, too.
    let made = Command::new("ffmpeg")
        .args("-v error -f lavfi -i testsrc2=s=64x48:r=5 -t 1".split(' '))
        .arg(folder.join("moving.gif"))
        .status();
    assert!(made.expect("ffmpeg is installed").success());
    w.drop_file(&folder);
    w.until_label("Paint 2 videos");
}

#[test]
fn a_paused_queue_says_so_at_the_start_in_its_title_and_when_something_is_added() {
    let w = with_exports(1);
    let list = w.path("exports.toml");
    let mut w = w;
    w.until("the list", |_| fs::read_to_string(&list).is_ok_and(|l| l.contains("\"Running\"")));
    // As if the program was killed now.
    let killed = fs::read(&list).expect("a list");
    let folder = w.end();
    fs::write(&list, killed).expect("written");
    let mut w = Window::of_folder(folder);
    w.until_contains("1 job stopped: StyleForge closed unexpectedly");
    w.until_label("Candy");
    w.show_queue();
    w.until_label("Queue (paused)");
    w.click("Close");
    let clip = w.path("clip.mp4");
    add(&mut w, &clip);
    w.until_contains("Video added to the queue, which is paused.");
    w.click_last("Resume queue");
    w.until("no message", |w| !w.has("Resume queue"));
    w.until_contains("Exported as ");
}

#[test]
fn a_video_is_exported_from_the_full_screen() {
    let mut w = Window::open_after(saves_there);
    w.until_label("Candy");
    w.click("Candy");
    let clip = clip(&w.path(""));
    w.drop_file(&clip);
    w.until_label("Export…");
    w.press(Key::F);
    w.until("the rest to go", |w| !w.has("Settings"));
    w.harness.event(Event::PointerMoved(pos2(400.0, 300.0)));
    w.click("Export…");
    w.until_label("Export video");
}

#[test]
fn the_form_shows_a_rotated_size_and_keeps_an_animation() {
    let mut w = Window::open_after(saves_there);
    w.until_label("Candy");
    w.click("Candy");
    let (clip, rotated) = (clip(&w.path("")), w.path("rotated.mp4"));
    let made = Command::new("ffmpeg")
        .args("-v error -i".split(' '))
        .arg(&clip)
        .args("-c copy -metadata:s:v:0 rotate=90".split(' '))
        .arg(&rotated)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
    w.export(&rotated);
    w.until_label("rotated.mp4, 48 × 64 px");
    let animation = w.path("moves.gif");
    let made =
        Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(&clip).arg(&animation).status();
    assert!(made.expect("ffmpeg is installed").success());
    w.export(&animation);
    w.until_contains("moves-candy.gif");
    let formats = w.harness.query_all_by_label("Format").last();
    formats.expect("the list of the form").click();
    w.click("APNG");
    w.until_contains("moves-candy.apng");
    w.press(Key::Enter);
    w.until("the form to close", |w| !w.has("Export video"));
}

/// True if a process of this system names the folder.
#[cfg(target_os = "linux")]
fn has_processes(folder: &Path) -> bool {
    let folder = folder.to_str().expect("text");
    let processes = fs::read_dir("/proc").expect("a list").flatten();
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .any(|line| String::from_utf8_lossy(&line).contains(folder))
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_window_stops_its_export_which_continues_after_its_parts() {
    const FRAMES: u32 = 3000;
    let mut w = Window::open_after(saves_there);
    w.until_label("Candy");
    w.click("Candy");
    let clip = clip_of(&w.path(""), FRAMES);
    add(&mut w, &clip);
    let part = |folder: &Path| {
        let files = fs::read_dir(folder.join("clip-candy.mp4.part")).into_iter().flatten();
        files
            .flatten()
            .filter_map(|file| file.file_name().into_string().ok())
            .filter(|name| name.starts_with("000000000-48-"))
            .count()
    };
    w.until("a part", |w| part(&w.path("")) == 1);
    w.script.hold();
    assert!(has_processes(&w.path("")));
    let folder = w.end();
    assert!(!has_processes(folder.path()));
    assert_eq!(part(folder.path()), 1);
    let list = fs::read_to_string(folder.path().join("exports.toml")).expect("a list");
    assert!(list.contains("state = \"Waiting\""), "{list}");
    let mut w = Window::of_folder(folder);
    w.until_contains("Exported as ");
    assert_eq!(frames(&w.path("clip-candy.mp4")), FRAMES.to_string());
    assert_eq!(part(&w.path("")), 0);
}

#[test]
fn a_failed_export_says_why_and_is_tried_again() {
    let mut w = Window::open_after(saves_there);
    w.until_label("Candy");
    w.click("Candy");
    let clip = clip(&w.path(""));
    let taken = w.path("taken.mp4");
    fs::write(&taken, "mine").expect("written");
    w.export(&clip);
    w.until_label("Export video");
    // The dialog asks before it returns an existing file; the video itself is refused here.
    w.platform.answer(Some(clip.clone()));
    w.click("Change…");
    w.until_label("A video cannot replace itself.");
    assert!(w.harness.get_by_label("Export").accesskit_node().is_disabled());
    w.platform.answer(Some(taken.clone()));
    w.click("Change…");
    w.until_contains("taken.mp4");
    fs::rename(&clip, w.path("moved.mp4")).expect("moved");
    w.click("Export");
    w.until_contains("taken.mp4 was not painted: ");
    assert_eq!(fs::read_to_string(&taken).expect("kept"), "mine");
    w.export(&w.path("moved.mp4"));
    w.until_label("Export video");
    w.platform.answer(Some(taken.clone()));
    w.click("Change…");
    w.until_label("Another job writes this file.");
    w.click("Cancel");
    fs::rename(w.path("moved.mp4"), &clip).expect("moved");
    w.show_queue();
    w.click("Try again");
    w.until_label("Done");
    assert_eq!(frames(&taken), "5");
}

#[test]
fn photo_video_and_live_are_pages_with_their_own_commands() {
    let mut w = Window::open();
    w.until_label("Candy");
    w.click("Video");
    w.until_label("Open video…");
    assert!(!w.has("Open a photo…") && !w.has("Sample") && !w.has("Format"));
    let clip = clip(&w.path(""));
    w.drop_file(&clip);
    w.until_label("Play");
    assert!(!w.has("Sample") && !w.has("Format"));
    w.click("Photo");
    w.until_label("Open a photo…");
    assert!(w.has("Sample") && !w.has("Play") && !w.has("Fit"));
    w.key(Modifiers::COMMAND, Key::S);
    w.until_contains("This page has no picture yet.");
    w.press(Key::Escape);
    w.until_label("Play");
    w.click("Live");
    w.until_label("Freeze");
    assert!(!w.has("Open…") && !w.has("Folder…"));
    w.click("Video");
    w.until_label("Play");
    w.drop_photo("photo.png", 40, 30);
    w.until("the photo", |w| w.has("Sample") && w.has("Fit") && !w.has("Play"));
    w.click("Video");
    w.until_label("Open video…");
}
