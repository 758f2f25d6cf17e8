//! The commands: the keys that send an intent, what it does, and the buttons and menus that send it.
//!
//! One table contains every shortcut, so that tooltips and the list shown on F1 always match. Shortcuts are disabled
//! while the user types in a field, and arrow keys belong to the focused control.

use std::sync::LazyLock;

use eframe::egui::{
    self, Button, Context, Event, Id, Key, KeyboardShortcut, Modifiers, Response, Ui,
};

use super::command::{ShellCommand, ViewCommand};
use crate::{
    intent::{Intent, LabCommand, LiveCommand, PhotoCommand, Sends, StyleCommand},
    pages::film::Step,
    styles::order::Move,
    widgets::{key_chips::hint, stage::ViewStep},
};

/// Shows the original while it is held down.
const ORIGINAL_KEY: Key = Key::C;
/// Minimum width of a menu, in points.
const MENU_WIDTH: f32 = 160.0;

/// One line of the list.
pub struct Line {
    /// The keys as text.
    pub keys: &'static str,
    pub does: &'static str,
    /// Additional search terms.
    pub also: &'static str,
    bindings: Vec<Binding>,
}

struct Binding {
    /// The key of this intent as text, or all keys of the line if they share one intent.
    text: String,
    keys: KeyboardShortcut,
    intent: Intent,
}

pub struct Group {
    pub title: &'static str,
    pub lines: Vec<Line>,
}

static TABLE: LazyLock<Vec<Group>> = LazyLock::new(table);

/// The groups of a page and their lines. The film page has its own keys instead of those of live mode.
pub fn groups(is_film: bool) -> impl Iterator<Item = (&'static Group, Vec<&'static Line>)> {
    let is_own = |group: &&Group| group.title == FILM;
    let own = move || bindings().filter(move |(group, ..)| is_film && is_own(group));
    let is_taken = move |b: &Binding| own().any(|(.., own)| own.keys == b.keys);
    let seen = TABLE.iter().filter(move |group| group.title != if is_film { LIVE } else { FILM });
    seen.map(move |group| {
        let is_free = |line: &&Line| is_own(&group) || !line.bindings.iter().any(is_taken);
        (group, group.lines.iter().filter(is_free).collect())
    })
}

fn bindings() -> impl Iterator<Item = (&'static Group, &'static Line, &'static Binding)> {
    TABLE
        .iter()
        .flat_map(|group| group.lines.iter().map(move |line| (group, line)))
        .flat_map(|(group, line)| line.bindings.iter().map(move |binding| (group, line, binding)))
}

/// Notes whether the film page is shown, which has keys of its own.
pub fn follow_page(ctx: &Context, is_film: bool) {
    ctx.data_mut(|data| data.insert_temp(Id::unique(FILM), is_film));
}

pub fn is_film(ctx: &Context) -> bool {
    ctx.data(|data| data.get_temp(Id::unique(FILM))).unwrap_or_default()
}

/// The bindings of the page that is shown, its own ones first.
fn bindings_of_page(
    ctx: &Context,
) -> impl Iterator<Item = (&'static Group, &'static Line, &'static Binding)> {
    let is_film = is_film(ctx);
    bindings()
        .filter(move |(group, ..)| is_film && group.title == FILM)
        .chain(bindings().filter(|(group, ..)| group.title != FILM))
}

/// The keys that send an intent, as text; empty without keys.
pub fn keys_of(ctx: &Context, intent: &Intent) -> &'static str {
    bindings_of_page(ctx)
        .find(|(.., binding)| binding.intent == *intent)
        .map_or("", |(.., binding)| &binding.text)
}

/// What a key would do that only live mode can do.
pub fn live_only(intent: &Intent) -> Option<&'static str> {
    bindings()
        .filter(|_| *intent != Intent::Shell(ShellCommand::TurnPage))
        .find(|(group, _, bound)| group.title == LIVE && bound.intent == *intent)
        .map(|(_, line, _)| line.does)
}

/// The number key of the style at a place in the list, counted from 0.
pub fn style_key(place: usize) -> Option<String> {
    (place < 9).then(|| (place + 1).to_string())
}

/// Adds a button that sends an intent, with a tooltip: what it does, and its keys.
pub fn button(
    ui: &mut Ui,
    is_enabled: bool,
    button: Button<'_>,
    [name, does]: [&str; 2],
    intent: impl Into<Intent>,
) -> Response {
    let intent = intent.into();
    let response = ui.add_enabled(is_enabled, button);
    hint(response, does, keys_of(ui, &intent)).accessible_name(name).sends(intent)
}

/// Adds a plain button that sends an intent.
pub fn plain_button(ui: &mut Ui, name: &str, intent: impl Into<Intent>) -> Response {
    ui.button(name).sends(intent)
}

/// Adds the button that closes a dialog, which gets the focus if the dialog has just opened.
pub fn close_button(ui: &mut Ui, is_fresh: bool) {
    let response = plain_button(ui, "Close", ShellCommand::CloseOverlay);
    if is_fresh {
        response.request_focus();
    }
}

/// Draws the entries of a context menu: their names, their keys, whether they can be chosen, and their intents.
pub fn menu<'a>(ui: &mut Ui, entries: impl IntoIterator<Item = (&'a str, &'a str, bool, Intent)>) {
    ui.set_min_width(MENU_WIDTH);
    for (name, keys, can, intent) in entries {
        let button = Button::new(name).shortcut_text(keys);
        if ui.add_enabled(can, button).accessible_name(name).sends(intent).clicked() {
            ui.close();
        }
    }
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
fn line<const N: usize>(
    keys: &'static str,
    does: &'static str,
    commands: [impl Into<Intent>; N],
) -> Line {
    let intents = commands.map(Into::into);
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
    for (key, intent) in single.iter().zip(intents.iter().cycle()) {
        let text = if N == 1 { keys } else { key };
        let aliases = ALIASES.iter().filter(|(_, same)| same == key).map(|(alias, _)| *alias);
        let all = aliases.chain([key.as_str()]).filter_map(parsed);
        bindings.extend(all.map(|keys| Binding {
            text: text.to_owned(),
            keys,
            intent: intent.clone(),
        }));
    }
    Line { keys, does, also: "", bindings }
}

impl Line {
    fn also(self, also: &'static str) -> Self {
        Self { also, ..self }
    }
}

/// The group of the commands that only live mode has, and of the switch to it.
const LIVE: &str = "Live";
/// The group of the keys of the film page.
const FILM: &str = "Video";

fn table() -> Vec<Group> {
    use LabCommand::*;
    use LiveCommand::*;
    use PhotoCommand::*;
    use ShellCommand::*;
    use StyleCommand::*;
    use ViewCommand::*;
    use ViewStep::{ActualSize, Fit, NextCompare, Pan, Wipe, ZoomIn, ZoomOut};
    let group = |title, lines| Group { title, lines };
    vec![
        group(
            "Photo",
            vec![
                line("Ctrl+O", "Open a photo or video", [AskOpen]),
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
                    "Next photo or painting; move the divider",
                    [-0.05, 0.05].map(Wipe).map(StepView),
                ),
                line("Space", "Freeze (Live); switch view (Photo)", [HoldOrCompare])
                    .also("camera freeze pause"),
                line("V", "Cycle view", [StepView(NextCompare)]),
                line("C", "Show the original while held", [ShowOriginal]),
                line("F", "Full screen", [ToggleFullScreen]),
                line("Shift+F", "Fit the full screen or fill it", [ToggleFill]),
                line("Alt", "Inspect the pixel under the pointer", [Escape; 0]),
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
            LIVE,
            vec![
                line("L", "Switch to Live and back", [TurnPage]).also("camera webcam demo"),
                line("B", "Compare two modes", [ToggleCompare]),
                line("D", "Show the difference", [ToggleDifference]),
                line("G", "Every style at once", [TogglePreviews]).also("gallery previews"),
                line("P", "Lab: rates, latencies, steps", [ToggleLab]),
                line("S", "Save a snapshot", [Snapshot]).also("camera picture shutter"),
                line("R", "Start or stop recording", [ToggleRecording]).also("camera video film"),
                line("O", "Start or stop camera out", [ToggleCameraOut])
                    .also("virtual webcam meeting browser obs"),
                line("X", "Turn the camera off at once", [ReleaseCamera]).also("webcam privacy"),
            ],
        ),
        group(
            FILM,
            vec![
                line("Space", "Play or pause", [Step::Toggle]).also("video"),
                line("Comma, Period", "One frame back or forward", [-1, 1].map(Step::Frame))
                    .also("step"),
                line("I and O", "Set the in or out point", [Step::SetIn, Step::SetOut])
                    .also("trim cut range"),
                line(
                    "J and L",
                    "Play backwards or forwards; again: faster",
                    [-1, 1].map(Step::Run),
                )
                .also("speed reverse"),
                line("K", "Pause", [Step::Pause]),
                line("Shift+K", "Keep the video's colours", [ToggleColors]),
                line("Shift+L", "Switch to Live", [TurnPage]),
            ],
        ),
        group(
            "Result",
            vec![
                line("Ctrl+S", "Save the painting", [Save]).also("export"),
                line("Ctrl+C", "Copy the painting", [Copy]),
                line("Ctrl+Z", "Undo the last choice", [Undo]).also("back"),
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

/// The shortcuts that were pressed since the last frame. If `covered`, an overlay is open and only the keys that close
/// it count. The keys of a focused control have priority, unless `yields`.
pub fn pressed(ctx: &Context, covered: bool, yields: bool) -> Vec<Intent> {
    let types = ctx.text_edit_focused();
    let has_focus = !yields && ctx.memory(|m| m.focused().is_some());
    let has_menu = egui::Popup::is_any_open(ctx);
    let bound: Vec<_> = bindings_of_page(ctx).collect();
    let mut presses = Vec::new();
    ctx.input_mut(|input| {
        input.events.retain(|event| {
            let Event::Key { key, pressed: true, modifiers, .. } = event else {
                return true;
            };
            // F1 is not used by text fields, so it can close the list that it has opened.
            if types && *key != Key::F1 {
                return true;
            }
            let bound = bound.iter().find(|(.., Binding { keys, .. })| {
                keys.logical_key == *key && are_down(*modifiers, keys.modifiers, *key)
            });
            let Some((.., Binding { intent, .. })) = bound else {
                return true;
            };
            // An open menu handles Escape itself, and first.
            if has_menu && *intent == Intent::Shell(ShellCommand::Escape) {
                return true;
            }
            let closes = matches!(
                intent,
                Intent::Shell(ShellCommand::Escape)
                    | Intent::Shell(ShellCommand::ToggleShortcuts)
                    | Intent::Shell(ShellCommand::Quit)
            );
            if covered && !closes {
                return true;
            }
            let is_plain = modifiers.is_none() || *modifiers == Modifiers::ALT;
            // An open menu has the focus even if none of its lines does.
            if (has_focus || has_menu) && is_plain && belongs_to_focus(*key) {
                return true;
            }
            presses.push(intent.clone());
            false
        });
    });
    presses
}

/// True if the key that shows the original is held down; `was_down` is its state in the previous frame. If `covered`,
/// an overlay is open. Call this before [`pressed`], which consumes the keys.
pub fn holds_original(ctx: &Context, was_down: bool, covered: bool) -> bool {
    if covered || ctx.text_edit_focused() {
        return false;
    }
    ctx.input(|input| {
        // With Ctrl the key copies, even if Ctrl is released first.
        let begins = |event: &Event| {
            matches!(
                event,
                Event::Key {
                    key: ORIGINAL_KEY,
                    pressed: true,
                    repeat: false,
                    modifiers: Modifiers::NONE,
                    ..
                }
            )
        };
        input.key_down(ORIGINAL_KEY) && (was_down || input.events.iter().any(begins))
    })
}

/// True if exactly the modifiers of a shortcut are down. Shift is ignored for punctuation, because keyboard layouts
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
        let groups = &*TABLE;
        let lines = || groups.iter().flat_map(|g| &g.lines);
        let all: Vec<_> = lines().flat_map(|l| &l.bindings).map(|b| b.keys).collect();
        // The film page has keys of its own.
        for is_film in [false, true] {
            let page: Vec<_> = groups
                .iter()
                .filter(|group| (group.title == FILM) == is_film)
                .flat_map(|g| &g.lines)
                .flat_map(|l| &l.bindings)
                .collect();
            for (i, binding) in page.iter().enumerate() {
                let is_bound = page[..i].iter().any(|other| other.keys == binding.keys);
                assert!(!is_bound, "{} is bound twice", binding.text);
            }
        }
        for line in lines().filter(|line| line.keys != "Alt") {
            assert!(!line.bindings.is_empty(), "{} does nothing", line.keys);
        }
        let aliases = ALIASES.map(|(alias, _)| parsed(alias).expect(alias));
        assert!(aliases.iter().all(|alias| all.contains(alias)));
        assert_eq!(all.len(), 77);
    }
}
