//! Other ways to use the window: on a small screen of high resolution, and without a mouse.

use crate::driven::{Setup, Window};
use crate::picture_files::opened;
use crate::screen::{apart, is_plain};

/// The screen of a small computer, in pixels.
const SMALL_SCREEN: [u32; 2] = [1920, 1080];
/// The snapshot button on that screen, in the lowest row.
const SHUTTER: (u32, u32) = (663, 984);
/// The button on that screen that shows the collapsed controls.
const CONTROLS: (u32, u32) = (1655, 45);
/// The area of the controls.
const CONTROLS_AREA: [u32; 4] = [1660, 120, 240, 580];
/// The buttons for photos in the upper bar.
const BUTTONS: [u32; 4] = [0, 0, 480, 44];
/// The areas of the lines and of the search text in the list of shortcuts.
const SHORTCUTS: [[u32; 4]; 2] = [[260, 130, 560, 500], [256, 88, 50, 18]];

/// The whole window is on the screen and can be reached.
pub fn small_screen() {
    let setup = Setup { screen: SMALL_SCREEN, scale: "2", ..Setup::default() };
    let mut window = Window::begin("small-screen", setup);
    let [left, top, width, height] = window.geometry();
    let is_seen = left + width <= SMALL_SCREEN[0] && top + height <= SMALL_SCREEN[1];
    assert!(is_seen, "{width} x {height} px at {left}, {top}");
    let snapshot = || window.click(SHUTTER);
    window.until("a snapshot by a click", snapshot, || !window.snapshots().is_empty());
    window.shot("snapshot");
    window
        .wait_until("an empty stage beside the picture", || is_plain(&window.part(CONTROLS_AREA)));
    window.click(CONTROLS);
    window.wait_until("the controls", || !is_plain(&window.part(CONTROLS_AREA)));
    window.shot("controls");
    window.keys(&["ctrl+q"]);
    window.wait_for_end();
}

/// Everything can be reached by keys: the pointer is never moved. There are no file dialogs either: the path is typed.
pub fn keys_alone() {
    let setup = Setup { has_dialogs: false, ..Setup::default() };
    let mut window = Window::begin("keys-alone", setup);
    let digit = || window.keys(&["4"]);
    window.until("a style by its digit", digit, window.remembers("style = \"rain_princess\""));
    window.keys(&["Down"]);
    window.wait_until("the style below it", window.remembers("style = \"starry_night\""));
    window.snapshot_in("starry_night");
    window.shot("style");

    window.keys(&["F1"]);
    window.until_dialog(true, || {});
    window.shot("shortcuts");
    let all = SHORTCUTS.map(|place| window.part(place));
    window.types("undo");
    window.wait_until("what was searched", || {
        SHORTCUTS.iter().zip(&all).all(|(place, before)| window.part(*place) != *before)
    });
    window.shot("shortcuts-found");
    window.until_dialog(false, || window.keys(&["Escape"]));

    // Moves from control to control, each with the focus frame.
    let tab = || {
        let before = window.part(BUTTONS);
        window.keys(&["Tab"]);
        window.wait_until("the frame around the next control", || window.part(BUTTONS) != before);
    };
    tab();
    window.shot("focus-on-photo");
    window.keys(&["space"]);
    window.wait_until("the page of photos", window.remembers("shows_photos = true"));
    window.shot("photos");
    // Video, Live, Open…, Paste, Sample.
    for _ in 0..5 {
        tab();
    }
    window.keys(&["Return"]);
    window.wait_until("the sample", || window.title().contains("Sample photo"));
    // Until the photo is painted, saving only reports that it is not.
    window.until_dialog(true, || window.keys(&["ctrl+s"]));
    window.shot("saving");
    // Replaces the proposed name, which is selected.
    window.types("moon");
    let saved = window.file("moon.jpg");
    window.until_dialog(false, || window.keys(&["Return"]));
    window.wait_until("the painting", || saved.exists());
    window.shot("saved");
    let photo = crate::home::project().join("assets/sample.jpg");
    let [painting, photo] = [saved, photo].map(|path| opened(&path).to_rgb8());
    let distance = apart(&photo, &painting);
    println!("the painting is {distance:.1} from its photo");
    assert!(distance > 8.0, "the painting is {distance} from its photo");
    window.keys(&["ctrl+q"]);
    window.wait_for_end();
}
