//! The keyboard: which keys do what, and the list of them.
//!
//! One table contains every shortcut, so that the list shown on F1 always matches. Shortcuts are disabled while the
//! user types in a field, and arrow keys belong to the focused control.

use eframe::egui::{self, Key, KeyboardShortcut, Modifiers};

use super::{intent::Intent, stage::ViewStep, style_order::Move};

/// Shows the original while it is held down.
const ORIGINAL_KEY: Key = Key::C;

/// One line of the list.
pub struct Line {
    /// The keys as text.
    pub keys: &'static str,
    pub does: &'static str,
    bindings: Vec<(KeyboardShortcut, Intent)>,
}

pub struct Group {
    pub title: &'static str,
    pub lines: Vec<Line>,
}

/// Arrow keys move within a focused control, and a style's card has its own keys.
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

/// Alternative keys and the keys they stand for.
const ALIASES: [(&str, &str); 8] = [
    ("Paste", "Ctrl+V"),
    ("Copy", "Ctrl+C"),
    ("Ctrl+Y", "Ctrl+Shift+Z"),
    ("=", "+"),
    ("Ctrl++", "+"),
    ("Ctrl+=", "+"),
    ("Ctrl+−", "−"),
    ("Shift+/", "?"),
];

/// Parses a key combination as written in the list.
fn parsed(mut keys: &str) -> Option<KeyboardShortcut> {
    let mut modifiers = Modifiers::NONE;
    for (name, modifier) in
        [("Ctrl+", Modifiers::COMMAND), ("Shift+", Modifiers::SHIFT), ("Alt+", Modifiers::ALT)]
    {
        if let Some(rest) = keys.strip_prefix(name) {
            (modifiers, keys) = (modifiers | modifier, rest);
        }
    }
    Some(KeyboardShortcut::new(modifiers, Key::from_name(&keys.replace(' ', ""))?))
}

/// A line of the list. Each of its keys has its own intent, or all keys share one.
fn line<const N: usize>(keys: &'static str, does: &'static str, intents: [Intent; N]) -> Line {
    let single: Vec<String> = match keys {
        "1 to 9" => (1..=9).map(|n| n.to_string()).collect(),
        "Shift+arrows" => ["Left", "Right", "Up", "Down"].map(|key| format!("Shift+{key}")).into(),
        _ => keys
            .split(", ")
            .flat_map(|keys| keys.split(" and "))
            .flat_map(|keys| keys.split(" or "))
            .map(str::to_owned)
            .collect(),
    };
    let mut bindings = Vec::new();
    for (keys, intent) in single.iter().zip(intents.iter().cycle()) {
        let aliases = ALIASES.iter().filter(|(_, same)| same == keys).map(|(alias, _)| *alias);
        let all = aliases.chain([keys.as_str()]).filter_map(parsed);
        bindings.extend(all.map(|keys| (keys, intent.clone())));
    }
    Line { keys, does, bindings }
}

/// Every shortcut.
pub fn groups() -> Vec<Group> {
    use Intent::*;
    use ViewStep::{ActualSize, Fit, NextCompare, Pan, Wipe, ZoomIn, ZoomOut};
    let group = |title, lines| Group { title, lines };
    vec![
        group(
            "Photo",
            vec![
                line("Ctrl+O", "Open a photo", [AskOpen]),
                line("Ctrl+V", "Paste an image or a copied file", [Paste]),
                line("Ctrl+E", "Open the sample", [OpenSample]),
                line("Ctrl+B", "Paint a folder", [AskFolder]),
            ],
        ),
        group(
            "Style",
            vec![
                line("1 to 9", "Select a style", [0, 1, 2, 3, 4, 5, 6, 7, 8].map(PickKey)),
                line("Up, Down", "Previous or next style", [-1, 1].map(StepStyle)),
                line(
                    "Alt+Up, Alt+Down",
                    "Move the style in the list",
                    [Move::Up, Move::Down].map(MoveChosen),
                ),
                line("Ctrl+I", "Add a style", [AskStyle]),
                line("F2", "Rename one of your styles", [RenameChosen]),
                line("Delete", "Remove one of your styles", [RemoveChosen]),
            ],
        ),
        group(
            "Painting",
            vec![
                line("[ and ]", "Less or more detail", [-1, 1].map(StepDetail)),
                line("Page Up, Page Down", "More or less strength", [5, -5].map(StepStrength)),
                line("K", "Keep the photo's colours", [ToggleColors]),
                line("M", "Full or lite model", [ToggleModel]),
                line("Esc", "Cancel painting, close, dismiss", [Escape]),
            ],
        ),
        group(
            "View",
            vec![
                line(
                    "Left, Right",
                    "Move the divider; next saved painting",
                    [-0.05, 0.05].map(Wipe).map(StepView),
                ),
                line("Space", "Freeze (Live); switch view (Photo)", [HoldOrCompare]),
                line("V", "Cycle view", [StepView(NextCompare)]),
                line("C", "Show the original while held", [ShowOriginal]),
                line("F", "Full screen", [ToggleFullScreen]),
                line("Shift+F", "Fit the full screen or fill it", [ToggleFill]),
                line("Alt", "Inspect the pixel under the pointer", []),
                line("+ and −", "Zoom in or out", [ZoomIn, ZoomOut].map(StepView)),
                line("Ctrl+0", "Fit the window", [StepView(Fit)]),
                line("Ctrl+1", "Actual size", [StepView(ActualSize)]),
                line(
                    "Shift+arrows",
                    "Move the picture",
                    [Pan(1.0, 0.0), Pan(-1.0, 0.0), Pan(0.0, 1.0), Pan(0.0, -1.0)].map(StepView),
                ),
            ],
        ),
        group(
            "Live",
            vec![
                line("L", "Switch between Live and Photo", [TurnPage]),
                line("B", "Compare two modes", [ToggleCompare]),
                line("D", "Show the difference", [ToggleDifference]),
                line("G", "Every style at once", [TogglePreviews]),
                line("P", "Lab: rates, latencies, steps", [ToggleLab]),
                line("S", "Save a snapshot", [Snapshot]),
                line("R", "Start or stop recording", [ToggleRecording]),
                line("X", "Turn the camera off at once", [ReleaseCamera]),
            ],
        ),
        group(
            "Result",
            vec![
                line("Ctrl+S", "Save the painting", [Save]),
                line("Ctrl+C", "Copy the painting", [Copy]),
                line("Ctrl+Z", "Undo the last choice", [Undo]),
                line("Ctrl+Shift+Z", "Redo", [Redo]),
            ],
        ),
        group(
            "Window",
            vec![
                line("T", "Dark or light", [ToggleTheme]),
                line("F1 or ?", "This list", [ToggleShortcuts]),
                line("Ctrl+Q", "Quit", [Quit]),
            ],
        ),
    ]
}

impl Line {
    /// Whether the line's keys send this intent.
    pub fn binds(&self, intent: &Intent) -> bool {
        self.bindings.iter().any(|(_, bound)| bound == intent)
    }
}

/// The shortcuts that were pressed since the last frame. If `covered`, an overlay is open and only the keys that close
/// it count.
pub fn pressed(ctx: &egui::Context, table: &[Group], covered: bool) -> Vec<Intent> {
    let types = ctx.text_edit_focused();
    let has_focus = ctx.memory(|m| m.focused().is_some());
    let has_menu = egui::Popup::is_any_open(ctx);
    let mut presses = Vec::new();
    ctx.input_mut(|input| {
        input.events.retain(|event| {
            let egui::Event::Key { key, pressed: true, modifiers, .. } = event else {
                return true;
            };
            // F1 is not used by text fields, so it can close the list that it has opened.
            if types && *key != Key::F1 {
                return true;
            }
            let press =
                table.iter().flat_map(|group| &group.lines).flat_map(|line| &line.bindings).find(
                    |(keys, _)| {
                        keys.logical_key == *key && are_down(*modifiers, keys.modifiers, *key)
                    },
                );
            let Some((_, press)) = press else {
                return true;
            };
            // An open menu handles Escape itself, and first.
            if has_menu && *press == Intent::Escape {
                return true;
            }
            let closes = matches!(press, Intent::Escape | Intent::ToggleShortcuts | Intent::Quit);
            if covered && !closes {
                return true;
            }
            let is_plain = modifiers.is_none() || *modifiers == Modifiers::ALT;
            // An open menu has the focus even if none of its lines does.
            if (has_focus || has_menu) && is_plain && belongs_to_focus(*key) {
                return true;
            }
            presses.push(press.clone());
            false
        });
    });
    presses
}

/// Whether the key that shows the original is held down; `held_before` is its state in the previous frame. If
/// `covered`, an overlay is open. Call this before [`pressed`], which consumes the keys.
pub fn holds_original(ctx: &egui::Context, held_before: bool, covered: bool) -> bool {
    if covered || ctx.text_edit_focused() {
        return false;
    }
    ctx.input(|input| {
        // With Ctrl the key copies, even if Ctrl is released first.
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

/// Whether exactly the modifiers of a shortcut are down. Shift is ignored for punctuation, because keyboard layouts
/// differ.
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
        let lines = || groups.iter().flat_map(|g| &g.lines);
        let all: Vec<_> = lines().flat_map(|l| &l.bindings).map(|(keys, _)| *keys).collect();
        for (i, binding) in all.iter().enumerate() {
            assert!(!all[..i].contains(binding), "{binding:?} is bound twice");
        }
        for line in lines().filter(|line| line.keys != "Alt") {
            assert!(!line.bindings.is_empty(), "{} does nothing", line.keys);
        }
        let aliases = ALIASES.map(|(alias, _)| parsed(alias).expect(alias));
        assert!(aliases.iter().all(|alias| all.contains(alias)));
        assert_eq!(all.len(), 66);
    }
}
