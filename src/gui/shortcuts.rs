//! The keyboard: which key gives which intent, and the list of them.
//!
//! One table holds every shortcut, so that the list shown on F1 cannot differ from what works.
//! Keys do nothing while a letter or number is typed into a field, and arrow keys belong to a
//! control that has the focus.

use eframe::egui::{self, Key, Modifiers};

use super::{intent::Intent, stage::ViewStep, style_order::Move};

/// Shows the original while it is held.
const ORIGINAL_KEY: Key = Key::C;

/// What a key does.
#[derive(Clone, Debug, PartialEq)]
pub enum Press {
    /// Something for the app.
    App(Intent),
    /// Something for the view.
    View(ViewStep),
    /// Paint in style number so-and-so of the gallery, counted from 0.
    Style(usize),
    /// Another name for a style of one's own.
    RenameStyle,
    /// A style of one's own goes.
    RemoveStyle,
    /// The chosen style elsewhere in the list.
    MoveStyle(Move),
    /// More detail (1) or less (-1).
    Detail(isize),
    /// More or less strength, in percent.
    Strength(i16),
    /// The photo's colours, kept or not.
    KeepColors,
    /// The other model size.
    Model,
    /// Dark to light, or back.
    Theme,
    /// Hold the live picture; for a photo, the next way to look.
    Space,
    /// The whole picture on the full screen, or all of the screen filled.
    Fill,
    /// The original, as long as the key is down; [`holds_original`] tells.
    Original,
    /// Something about live pictures.
    Live(Intent),
    /// Live pictures to photos, or back.
    LiveOrPhoto,
    /// Close what is open, else stop painting, else dismiss a message.
    Escape,
}

/// One line of the list.
pub struct Line {
    /// The keys in words.
    pub keys: &'static str,
    /// What they do.
    pub does: &'static str,
    bindings: Vec<(Modifiers, Key, Press)>,
}

/// A heading and its lines.
pub struct Group {
    /// The heading.
    pub title: &'static str,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// Arrow keys move within a control that has the focus, and a style's card has keys of its own.
fn belongs_to_focus(key: Key) -> bool {
    matches!(
        key,
        Key::ArrowUp
            | Key::ArrowDown
            | Key::ArrowLeft
            | Key::ArrowRight
            | Key::Space
            | Key::F2
            | Key::Delete
    )
}

/// Every shortcut.
pub fn groups() -> Vec<Group> {
    use Press::{App, View};
    const CTRL: Modifiers = Modifiers::COMMAND;
    const NONE: Modifiers = Modifiers::NONE;
    let ctrl_shift = CTRL | Modifiers::SHIFT;
    let line = |keys, does, bindings| Line { keys, does, bindings };
    let styles = [
        Key::Num1,
        Key::Num2,
        Key::Num3,
        Key::Num4,
        Key::Num5,
        Key::Num6,
        Key::Num7,
        Key::Num8,
        Key::Num9,
    ];
    vec![
        Group {
            title: "Photo",
            lines: vec![
                line("Ctrl+O", "Open a photo", vec![(CTRL, Key::O, App(Intent::AskOpen))]),
                line(
                    "Ctrl+V",
                    "Paste a picture or a copied file",
                    vec![
                        (CTRL, Key::V, App(Intent::Paste)),
                        (NONE, Key::Paste, App(Intent::Paste)),
                    ],
                ),
                line("Ctrl+E", "Open the sample", vec![(CTRL, Key::E, App(Intent::OpenSample))]),
                line("Ctrl+B", "Paint a folder", vec![(CTRL, Key::B, App(Intent::AskFolder))]),
            ],
        },
        Group {
            title: "Style",
            lines: vec![
                line(
                    "1 to 9",
                    "Paint in that style",
                    styles
                        .into_iter()
                        .enumerate()
                        .map(|(i, key)| (NONE, key, Press::Style(i)))
                        .collect(),
                ),
                line(
                    "Up, Down",
                    "Previous or next style",
                    vec![
                        (NONE, Key::ArrowUp, App(Intent::StepStyle(-1))),
                        (NONE, Key::ArrowDown, App(Intent::StepStyle(1))),
                    ],
                ),
                line(
                    "Alt+Up, Alt+Down",
                    "Move the style in the list",
                    vec![
                        (Modifiers::ALT, Key::ArrowUp, Press::MoveStyle(Move::Up)),
                        (Modifiers::ALT, Key::ArrowDown, Press::MoveStyle(Move::Down)),
                    ],
                ),
                line("Ctrl+I", "Add a style", vec![(CTRL, Key::I, App(Intent::AskStyle))]),
                line("F2", "Rename a style of your own", vec![(NONE, Key::F2, Press::RenameStyle)]),
                line(
                    "Delete",
                    "Remove a style of your own",
                    vec![(NONE, Key::Delete, Press::RemoveStyle)],
                ),
            ],
        },
        Group {
            title: "Painting",
            lines: vec![
                line(
                    "[ and ]",
                    "Less or more detail",
                    vec![
                        (NONE, Key::OpenBracket, Press::Detail(-1)),
                        (NONE, Key::CloseBracket, Press::Detail(1)),
                    ],
                ),
                line(
                    "Page Up, Page Down",
                    "More or less strength",
                    vec![
                        (NONE, Key::PageUp, Press::Strength(5)),
                        (NONE, Key::PageDown, Press::Strength(-5)),
                    ],
                ),
                line("K", "Keep the photo's colours", vec![(NONE, Key::K, Press::KeepColors)]),
                line("M", "Full or lite model", vec![(NONE, Key::M, Press::Model)]),
                line(
                    "Esc",
                    "Cancel painting, close, dismiss",
                    vec![(NONE, Key::Escape, Press::Escape)],
                ),
            ],
        },
        Group {
            title: "View",
            lines: vec![
                line(
                    "Left, Right",
                    "Move the divider; next saved painting",
                    vec![
                        (NONE, Key::ArrowLeft, View(ViewStep::Wipe(-0.05))),
                        (NONE, Key::ArrowRight, View(ViewStep::Wipe(0.05))),
                    ],
                ),
                line(
                    "Space",
                    "Hold the live picture; photo, painting, or both",
                    vec![(NONE, Key::Space, Press::Space)],
                ),
                line(
                    "V",
                    "Next way to look: both, painting, photo",
                    vec![(NONE, Key::V, View(ViewStep::NextCompare))],
                ),
                line(
                    "C",
                    "Show the original while held",
                    vec![(NONE, ORIGINAL_KEY, Press::Original)],
                ),
                line(
                    "F",
                    "Full screen",
                    vec![(NONE, Key::F, Press::Live(Intent::ToggleFullScreen))],
                ),
                line(
                    "Shift+F",
                    "Fit the full screen or fill it",
                    vec![(Modifiers::SHIFT, Key::F, Press::Fill)],
                ),
                line("Alt", "Colours of the pixel below the pointer", Vec::new()),
                line(
                    "+ and −",
                    "Zoom in or out",
                    vec![
                        (NONE, Key::Plus, View(ViewStep::ZoomIn)),
                        (NONE, Key::Equals, View(ViewStep::ZoomIn)),
                        (CTRL, Key::Plus, View(ViewStep::ZoomIn)),
                        (CTRL, Key::Equals, View(ViewStep::ZoomIn)),
                        (NONE, Key::Minus, View(ViewStep::ZoomOut)),
                        (CTRL, Key::Minus, View(ViewStep::ZoomOut)),
                    ],
                ),
                line("Ctrl+0", "Fit the window", vec![(CTRL, Key::Num0, View(ViewStep::Fit))]),
                line("Ctrl+1", "Actual size", vec![(CTRL, Key::Num1, View(ViewStep::ActualSize))]),
                line(
                    "Shift+arrows",
                    "Move the picture",
                    [
                        (Key::ArrowLeft, 1.0, 0.0),
                        (Key::ArrowRight, -1.0, 0.0),
                        (Key::ArrowUp, 0.0, 1.0),
                        (Key::ArrowDown, 0.0, -1.0),
                    ]
                    .into_iter()
                    .map(|(key, x, y)| (Modifiers::SHIFT, key, View(ViewStep::Pan(x, y))))
                    .collect(),
                ),
            ],
        },
        Group {
            title: "Live",
            lines: [
                ("L", "Live pictures or photos", Key::L, Press::LiveOrPhoto),
                ("B", "Compare two modes", Key::B, Press::Live(Intent::ToggleCompare)),
                ("D", "Where the two modes differ", Key::D, Press::Live(Intent::ToggleDifference)),
                ("G", "Every style at once", Key::G, Press::Live(Intent::TogglePreviews)),
                ("P", "Lab: rates, latencies, steps", Key::P, Press::Live(Intent::ToggleLab)),
                ("S", "Save a snapshot", Key::S, Press::Live(Intent::Snapshot)),
                ("R", "Begin or end a recording", Key::R, Press::Live(Intent::ToggleRecording)),
                ("X", "Turn the camera off at once", Key::X, Press::Live(Intent::ReleaseCamera)),
            ]
            .into_iter()
            .map(|(keys, does, key, press)| line(keys, does, vec![(NONE, key, press)]))
            .collect(),
        },
        Group {
            title: "Result",
            lines: vec![
                line("Ctrl+S", "Save the painting", vec![(CTRL, Key::S, App(Intent::Save))]),
                line(
                    "Ctrl+C",
                    "Copy the painting",
                    vec![(CTRL, Key::C, App(Intent::Copy)), (NONE, Key::Copy, App(Intent::Copy))],
                ),
                line("Ctrl+Z", "Undo the last choice", vec![(CTRL, Key::Z, App(Intent::Undo))]),
                line(
                    "Ctrl+Shift+Z",
                    "Redo",
                    vec![
                        (ctrl_shift, Key::Z, App(Intent::Redo)),
                        (CTRL, Key::Y, App(Intent::Redo)),
                    ],
                ),
            ],
        },
        Group {
            title: "Window",
            lines: vec![
                line("T", "Dark or light", vec![(NONE, Key::T, Press::Theme)]),
                line(
                    "F1 or ?",
                    "This list",
                    vec![
                        (NONE, Key::F1, App(Intent::ToggleShortcuts)),
                        (NONE, Key::Questionmark, App(Intent::ToggleShortcuts)),
                        (Modifiers::SHIFT, Key::Slash, App(Intent::ToggleShortcuts)),
                    ],
                ),
                line("Ctrl+Q", "Quit", vec![(CTRL, Key::Q, App(Intent::Quit))]),
            ],
        },
    ]
}

/// What this press does, in words.
pub fn does(table: &[Group], press: &Press) -> Option<&'static str> {
    let mut lines = table.iter().flat_map(|group| &group.lines);
    let found = lines.find(|line| line.bindings.iter().any(|(.., bound)| bound == press));
    found.map(|line| line.does)
}

/// The shortcuts that were pressed since the last frame. With `covered`, something lies over the window and
/// only the keys that close it count.
pub fn pressed(ctx: &egui::Context, table: &[Group], covered: bool) -> Vec<Press> {
    let types = ctx.text_edit_focused();
    let has_focus = ctx.memory(|m| m.focused().is_some());
    let has_menu = egui::Popup::is_any_open(ctx);
    let mut presses = Vec::new();
    ctx.input_mut(|input| {
        input.events.retain(|event| {
            let egui::Event::Key { key, pressed: true, modifiers, .. } = event else {
                return true;
            };
            // The key that no field takes leads out of the list that it has opened.
            if types && *key != Key::F1 {
                return true;
            }
            let press = table
                .iter()
                .flat_map(|group| &group.lines)
                .flat_map(|line| &line.bindings)
                .find(|(required, k, _)| k == key && are_down(*modifiers, *required, *key))
                .map(|(.., press)| press);
            let Some(press) = press else {
                return true;
            };
            // A list that hangs open closes by itself, and first.
            if has_menu && *press == Press::Escape {
                return true;
            }
            let closes =
                matches!(press, Press::Escape | Press::App(Intent::ToggleShortcuts | Intent::Quit));
            if covered && !closes {
                return true;
            }
            let is_plain = modifiers.is_none() || *modifiers == Modifiers::ALT;
            // An open list has the focus, also where none of its lines has it.
            if (has_focus || has_menu) && is_plain && belongs_to_focus(*key) {
                return true;
            }
            presses.push(press.clone());
            false
        });
    });
    presses
}

/// Whether the key is held that shows the original; `held_before` tells whether it was in the frame before. With
/// `covered`, something lies over the window. To be asked before [`pressed`] takes the keys.
pub fn holds_original(ctx: &egui::Context, held_before: bool, covered: bool) -> bool {
    if covered || ctx.text_edit_focused() {
        return false;
    }
    ctx.input(|input| {
        // With Ctrl it copies, also when Ctrl is let go first.
        let begins = |event: &egui::Event| {
            matches!(
                event,
                egui::Event::Key {
                    key: ORIGINAL_KEY,
                    pressed: true,
                    repeat: false,
                    modifiers: Modifiers::NONE,
                    ..
                }
            )
        };
        input.key_down(ORIGINAL_KEY) && (held_before || input.events.iter().any(begins))
    })
}

/// Whether exactly the modifiers of a shortcut are down. Where a sign lies on a keyboard differs from country
/// to country, so Shift does not count for signs.
fn are_down(down: Modifiers, required: Modifiers, key: Key) -> bool {
    let is_sign = matches!(
        key,
        Key::Plus
            | Key::Minus
            | Key::Equals
            | Key::Questionmark
            | Key::OpenBracket
            | Key::CloseBracket
    );
    down.command == required.command
        && down.alt == required.alt
        && (is_sign || down.shift == required.shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lines_share_a_key() {
        let groups = groups();
        let all: Vec<(Modifiers, Key)> = groups
            .iter()
            .flat_map(|g| &g.lines)
            .flat_map(|l| &l.bindings)
            .map(|(m, k, _)| (*m, *k))
            .collect();
        for (i, binding) in all.iter().enumerate() {
            assert!(!all[..i].contains(binding), "{binding:?} is bound twice");
        }
    }
}
