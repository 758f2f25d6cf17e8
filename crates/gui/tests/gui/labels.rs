//! Untrusted text (style and file names, cameras, and messages about them) in labels of the window.
#![cfg(unix)]

use std::fs;

use eframe::egui::{Key, Modifiers, Role, ViewportCommand};
use egui_kittest::kittest::{NodeT, Queryable, by};
use engine::capture::{Camera, CameraId};
use gui::style_source::Card;
use values::mode::ModelSize;

use crate::window::Window;

/// A name that would start a new line, reverse the following letters, or control a terminal.
const HOSTILE: &str =
    "x\u{1b}]0;y\u{7}\u{9b}\r\u{7f}\u{61c}\u{200e}\u{2028}\u{202e}\u{2066}\nFORGED";
/// How it is shown.
const SHOWN: &str = "x\\u{1b}]0;y\\u{7}";

fn is_odd(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn hostile_card() -> Card {
    Card {
        id: "odd".to_owned(),
        title: format!("{HOSTILE}{}", " title".repeat(20_000)),
        credit: format!("by {HOSTILE}"),
        models: vec![ModelSize::Lite],
        ..Card::default()
    }
}

impl Window {
    /// Checks everything that is painted, everything in the accessibility tree, and the window title.
    #[track_caller]
    fn labels_are_plain(&self) {
        let mut texts = self.texts();
        texts.extend(self.painted_texts());
        texts.extend(self.commands().into_iter().filter_map(|command| match command {
            ViewportCommand::Title(title) => Some(title),
            _ => None,
        }));
        for text in texts {
            assert!(!text.contains(is_odd), "{text:?}");
            assert!(!text.lines().any(|l| l.starts_with("FORGED")), "{text:?}");
            assert!(text.chars().count() < 4000, "{} characters", text.chars().count());
        }
    }

    /// Draws frames until a name or text contains this; checks each frame.
    #[track_caller]
    fn until_plain(&mut self, part: &str) {
        self.until(part, |w| {
            w.labels_are_plain();
            w.has_containing(part)
        });
    }
}

#[test]
fn titles_and_names_of_files_are_plain() {
    let mut w = Window::showing(vec![hostile_card()]);
    w.until_plain(SHOWN);
    let title = w.texts().into_iter().find(|text| text.starts_with(SHOWN)).expect("the style");
    assert!(title.chars().count() <= 200, "{} characters", title.chars().count());
    let file = w.photo_file(&format!("{HOSTILE}.png"), 40, 30);
    w.drop_file(&file);
    w.until_plain(", 40 × 30 px");
    w.click(&title);
    w.until("the painting", |w| {
        w.labels_are_plain();
        w.is_painted()
    });
    w.lower_strength();
    // Its credit, the question about it, and its destination.
    w.click("About");
    w.click("Credits");
    w.until_plain(&format!("by {SHOWN}"));
    w.key(Modifiers::NONE, Key::Escape);
    w.drop_photo("next.png", 20, 20);
    w.until_plain("Save the painting first?");
    w.click("Cancel");
    fs::create_dir(w.path(HOSTILE)).expect("made");
    let target = w.path(HOSTILE).join(format!("{HOSTILE}.png"));
    for message in ["Saved as ", "Replace "] {
        w.platform.answer(Some(target.clone()));
        w.click("Save as…");
        w.until_plain(message);
    }
    assert!(w.has_containing(&format!("Replace {SHOWN}")));
    w.click("Cancel");
    let missing = w.path(&format!("{HOSTILE} is not there.png"));
    w.drop_file(&missing);
    w.until_plain("could not be read");
}

#[test]
fn a_folder_of_photos_is_reported_in_plain_words() {
    let mut w = Window::showing(vec![hostile_card()]);
    w.until_plain(SHOWN);
    let folder = w.path(HOSTILE);
    fs::create_dir_all(folder.join("deeper")).expect("made");
    Window::photo_with_a_note(&folder.join(format!("{HOSTILE}.jpg")));
    fs::write(folder.join(format!("{HOSTILE}.png")), "rubbish").expect("written");
    w.drop_file(&folder);
    w.until_plain("Paint 2 photos");
    assert!(w.has_containing("1 subfolder is not painted; choose that folder"));
    let title =
        w.texts().into_iter().find(|text| text.starts_with(SHOWN) && text.contains("title"));
    w.choose_style(&title.expect("the style"));
    w.start_folder();
    w.until_plain("1 photo painted, 1 photo not painted.");
    w.show_queue();
    w.until_plain("1 photo not painted");
    w.until_plain("1 warning");
    w.click("Close");
    let empty = w.path(&format!("{HOSTILE} is empty"));
    fs::create_dir(&empty).expect("made");
    w.drop_file(&empty);
    w.until_plain("There are no photos or videos in ");
}

#[test]
fn names_of_cameras_and_sources_are_plain() {
    let mut w = Window::live();
    w.until_plain(" fps at ");
    let camera = Camera {
        id: CameraId::new(format!("id {HOSTILE}")),
        name: format!("Camera {HOSTILE}"),
        description: HOSTILE.to_owned(),
        problem: None,
    };
    w.platform.plug_in(vec![camera]);
    let lists = w.harness.query_all(by().role(Role::ComboBox));
    let source = lists.into_iter().find(|list| {
        let node = list.accesskit_node();
        [node.label(), node.value()].into_iter().flatten().any(|text| text == "Demo scene")
    });
    source.expect("the list of sources").click();
    w.until_plain(&format!("Camera {SHOWN}"));
    let name = w.texts().into_iter().find(|text| text.starts_with("Camera x"));
    w.click(&name.expect("the camera"));
    w.until_plain("here is no camera id x");
}
