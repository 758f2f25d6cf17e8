//! A window for tests: the real app with scripted dialogs, clipboard, styles and device, driven through AccessKit.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: a broken test should panic"
)]

mod shown;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use backend::{DeviceOptions, OpenDevice, opener};
use eframe::egui::{self, Key, Modifiers, Pos2, Role, ViewportCommand, ViewportEvent, ViewportId};
use egui_kittest::{
    Harness, Node,
    kittest::{NodeT, Queryable, by},
};
use engine::capture::{Camera, CameraId};
use gui::{
    App, Launch,
    style_source::{Card, Library, StyleSource},
};
use media::film::{OpenFilm, Range};
use pictures::{
    decode,
    encode::{self, Encoding, Existing, Format},
};
use pixels::Textures;
use settings::Settings;
use values::frame::Frame;
use weights::StyleLibrary;

use crate::{
    scripted::{ScriptedPlatform, ScriptedStyles, card},
    support::{FakeBackend, Script, photo, real_time::PATIENCE},
};

/// The app, created in its first frame because it needs egui's context.
pub struct Shown {
    app: Option<App>,
    launch: Option<Launch>,
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(app) = &mut self.app {
            app.end();
        }
    }
}

/// The window under test.
pub struct Window {
    pub harness: Harness<'static, Shown>,
    pub script: Arc<Script>,
    pub platform: Arc<ScriptedPlatform>,
    pub style_source: Arc<ScriptedStyles>,
    folder: Arc<tempfile::TempDir>,
    textures: Textures,
    size: egui::Vec2,
    closes: bool,
}

/// Writes settings that make a window save into `folder`, its own.
pub fn saves_there(folder: &Path) {
    let name = folder.display().to_string();
    let snapshots = folder.join("StyleForge").display().to_string();
    let text =
        format!("[choices]\nsnapshot_folder = {snapshots:?}\n[state]\nsave_folder = {name:?}\n");
    std::fs::write(folder.join("settings.toml"), text).expect("written");
}

/// As [`saves_there`], and recordings are folders of pictures.
pub fn records_pictures(folder: &Path) {
    saves_there(folder);
    let path = folder.join("settings.toml");
    let text = std::fs::read_to_string(&path).expect("settings");
    std::fs::write(path, text + "[live]\nrecord_as = \"pictures\"\n").expect("written");
}

impl Window {
    /// An empty window of the usual size.
    pub fn open() -> Self {
        Self::open_after(|_| {})
    }

    /// An empty window; `prepare` may put files into its folder first.
    pub fn open_after(prepare: impl FnOnce(&Path)) -> Self {
        Self::sized_after(1300.0, 850.0, prepare)
    }

    /// An empty window, tall enough for these styles.
    pub fn showing(cards: Vec<Card>) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let style_source = ScriptedStyles::of(cards);
        Self::build_with(folder, egui::vec2(1300.0, 1400.0), false, style_source)
    }

    /// An empty window of this size, in points.
    pub fn sized(width: f32, height: f32) -> Self {
        Self::sized_after(width, height, |_| {})
    }

    /// An empty window of this size, in points; `prepare` may put files into its folder first.
    pub fn sized_after(width: f32, height: f32, prepare: impl FnOnce(&Path)) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        prepare(folder.path());
        Self::build_for(folder, egui::vec2(width, height), false)
    }

    /// A window as on the first start: the demo scene, painted live.
    pub fn live() -> Self {
        Self::live_after(|_| {})
    }

    /// A live window of this size, in points.
    pub fn live_sized(width: f32, height: f32) -> Self {
        Self::live_sized_after(width, height, |_| {})
    }

    /// A live window of this size, in points; `prepare` may put files into its folder first.
    pub fn live_sized_after(width: f32, height: f32, prepare: impl FnOnce(&Path)) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        prepare(folder.path());
        Self::build_for(folder, egui::vec2(width, height), true)
    }

    /// A live window; `prepare` may put files into its folder first.
    pub fn live_after(prepare: impl FnOnce(&Path)) -> Self {
        Self::live_sized_after(1300.0, 850.0, prepare)
    }

    /// A live window on a GPU with the styles Candy and Tokens; only Tokens has a network with attention. Uses the
    /// settings in `folder`.
    pub fn live_on_a_gpu(folder: Arc<tempfile::TempDir>) -> Self {
        Self::live_showing(folder, ["Candy", "Tokens"].map(card).to_vec(), true)
    }

    /// A live window with these styles, on a CPU or a GPU. Uses the settings in `folder`.
    pub fn live_showing(folder: Arc<tempfile::TempDir>, cards: Vec<Card>, on_gpu: bool) -> Self {
        let styles = Arc::new(ScriptedStyles::of(cards));
        let script = Arc::new(Script::default());
        if on_gpu {
            script.be_a_gpu();
        }
        let seams = (styles.clone() as Arc<dyn StyleSource>, FakeBackend::opener(&script));
        let size = egui::vec2(1300.0, 850.0);
        Self::build_on(folder, size, (true, Vec::new()), seams, (script, styles))
    }

    /// Opens the form that exports this clip.
    pub fn export(&mut self, clip: &Path) {
        let (film, ..) = OpenFilm::open(clip).expect("a clip");
        let app = self.harness.state_mut().app.as_mut().expect("a window");
        app.open_export(Arc::new(film), Range::default());
    }

    /// Closes this window and opens one with the same settings file and styles.
    pub fn reopened(self) -> Self {
        let (folder, (cards, _)) = (self.folder.clone(), self.style_source.cards());
        drop(self.harness);
        let style_source = ScriptedStyles::of(cards);
        Self::build_with(folder, self.size, false, style_source)
    }

    /// A window with the settings in `folder`.
    pub fn of_folder(folder: Arc<tempfile::TempDir>) -> Self {
        Self::build_for(folder, egui::vec2(1300.0, 850.0), false)
    }

    /// [`Self::reopened`], live.
    pub fn reopened_live(self) -> Self {
        let folder = self.folder.clone();
        drop(self.harness);
        Self::build_for(folder, egui::vec2(1300.0, 850.0), true)
    }

    /// A window with `photo.png` open.
    pub fn with_photo(width: usize, height: usize) -> Self {
        let mut window = Self::open();
        window.until_label("Candy");
        window.open_photo(width, height);
        window
    }

    /// Opens a photo of this size, `photo.png`.
    pub fn open_photo(&mut self, width: usize, height: usize) {
        self.drop_photo("photo.png", width, height);
        self.until_label(&format!("photo.png, {width} × {height} px"));
    }

    /// Drops the file of a photo on the window.
    pub fn drop_photo(&mut self, name: &str, width: usize, height: usize) {
        let file = self.photo_file(name, width, height);
        self.drop_file(&file);
    }

    /// A window with `photo.png` painted in Candy.
    pub fn painted(width: usize, height: usize) -> Self {
        let mut window = Self::with_photo(width, height);
        window.click("Candy");
        window.until_painted();
        // Lets the fade finish.
        window.step();
        window
    }

    /// Like [`Self::painted`], with a painting that is asked about before it is lost.
    pub fn unsaved(width: usize, height: usize) -> Self {
        let mut window = Self::painted(width, height);
        window.lower_strength();
        window
    }

    /// Changes another setting than the style.
    pub fn lower_strength(&mut self) {
        self.slider("Strength").set_value_accesskit(90.0);
        self.step();
    }

    /// The name of the button that paints a folder.
    pub fn folder_button(&self) -> String {
        let is_it = |text: &String| {
            text.strip_prefix("Paint ")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_numeric()))
        };
        self.texts().into_iter().find(is_it).expect("the button")
    }

    /// Confirms the question about a folder.
    pub fn start_folder(&mut self) {
        self.until_contains("Paint ");
        self.step();
        let name = self.folder_button();
        self.click(&name);
        self.until("the form to close", |w| !w.has("Overwrite existing files"));
    }

    /// Shows the list of jobs and messages, or closes it.
    pub fn show_queue(&mut self) {
        let handle = "Jobs and messages, ";
        self.until_contains(handle);
        self.harness.get_by_label_contains(handle).click();
        self.step();
    }

    fn build_for(folder: Arc<tempfile::TempDir>, size: egui::Vec2, live: bool) -> Self {
        Self::build_with(folder, size, live, ScriptedStyles::default())
    }

    fn build_with(
        folder: Arc<tempfile::TempDir>,
        size: egui::Vec2,
        live: bool,
        style_source: ScriptedStyles,
    ) -> Self {
        let style_source = Arc::new(style_source);
        let script = Arc::new(Script::default());
        let seams = (style_source.clone() as Arc<dyn StyleSource>, FakeBackend::opener(&script));
        Self::build_on(folder, size, (live, Vec::new()), seams, (script, style_source))
    }

    /// A window started with files, which `write` creates in its folder.
    pub fn of_files<const COUNT: usize>(write: impl FnOnce(&Path) -> [PathBuf; COUNT]) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let files = write(folder.path()).into();
        let script = Arc::new(Script::default());
        let style_source = Arc::new(ScriptedStyles::default());
        let seams = (style_source.clone() as Arc<dyn StyleSource>, FakeBackend::opener(&script));
        let size = egui::vec2(1300.0, 850.0);
        Self::build_on(folder, size, (false, files), seams, (script, style_source))
    }

    /// An empty window with a library of styles in its folder and the real devices; only its dialogs are scripted.
    pub fn real() -> Self {
        Self::real_sized(1300.0, 850.0)
    }

    /// As [`Self::real`], of this size, in points.
    pub fn real_sized(width: f32, height: f32) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let library = StyleLibrary::open(&[], folder.path().join("styles"));
        let source: Arc<dyn StyleSource> = Arc::new(Library::of(library));
        let seams = (source, opener(DeviceOptions::default()));
        Self::build_on(
            folder,
            egui::vec2(width, height),
            (false, Vec::new()),
            seams,
            Default::default(),
        )
    }

    fn build_on(
        folder: Arc<tempfile::TempDir>,
        size: egui::Vec2,
        (live, files): (bool, Vec<PathBuf>),
        (source, open_device): (Arc<dyn StyleSource>, OpenDevice),
        (script, style_source): (Arc<Script>, Arc<ScriptedStyles>),
    ) -> Self {
        let platform = Arc::new(ScriptedPlatform::default());
        let settings_path = folder.path().join("settings.toml");
        // Tests count what is painted, so the style pictures are off unless a test turns them on.
        let mut settings = Settings::load(&settings_path);
        settings.0.choices.styles_show_photo = false;
        let launch = Launch {
            platform: platform.clone(),
            style_source: source,
            open_device,
            settings,
            settings_path: Some(settings_path),
            files,
            live,
            licences: || {
                let own = include_str!("../../../../LICENSE-MIT");
                Ok([own, include_str!("../../../../THIRD-PARTY-LICENSES.txt")].concat())
            },
        };
        let shown = Shown { app: None, launch: Some(launch) };
        let textures = Textures::default();
        let builder = Harness::builder().with_size(size).renderer(textures.clone());
        let harness = builder.build_ui_state(
            |ui, shown: &mut Shown| {
                if let Some(launch) = shown.launch.take() {
                    shown.app = Some(App::start(ui.ctx(), launch).expect("threads"));
                }
                let app = shown.app.as_mut().expect("started");
                app.logic();
                app.ui(ui);
            },
            shown,
        );
        Self { harness, script, platform, style_source, folder, textures, size, closes: false }
    }

    /// Simulates a screen with `scale` pixels per point, from the next frame on.
    pub fn set_scale(&mut self, scale: f32) {
        let viewports = &mut self.harness.input_mut().viewports;
        let screen = viewports.entry(ViewportId::ROOT).or_default();
        screen.native_pixels_per_point = Some(scale);
    }

    /// The last frame as pixels.
    pub fn pixels(&self) -> egui::ColorImage {
        let ctx = &self.harness.ctx;
        let scale = ctx.pixels_per_point();
        let output = self.harness.output();
        self.textures.painted(ctx, output, self.size, scale)
    }

    /// A path in the window's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The window's settings file.
    pub fn settings_path(&self) -> PathBuf {
        self.path("settings.toml")
    }

    /// Writes a photo of this size.
    pub fn photo_file(&self, name: &str, width: usize, height: usize) -> PathBuf {
        let path = self.path(name);
        let frame = photo(width, height);
        encode::save(&path, &frame, None, Encoding::of(Format::Png), Existing::Replace).unwrap();
        path
    }

    /// Makes a folder of small photos.
    pub fn folder_of_photos(&self, names: &[&str]) -> PathBuf {
        std::fs::create_dir(self.path("album")).unwrap();
        for name in names {
            self.photo_file(&format!("album/{name}"), 16, 12);
        }
        self.path("album")
    }

    /// Writes a photo without its end marker, which is painted with a note.
    pub fn photo_with_a_note(path: &Path) {
        let photo = std::fs::read(crate::home::project().join("assets/sample.jpg")).unwrap();
        std::fs::write(path, &photo[..photo.len() - 2]).unwrap();
    }

    /// Draws one frame per pending event, at least one.
    pub fn step(&mut self) {
        self.draw();
        self.draw();
    }

    fn draw(&mut self) {
        self.harness.step();
        self.closes |= self.commands().contains(&ViewportCommand::Close);
    }

    /// Draws frames until `holds`; panics if it never does.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let started = Instant::now();
        loop {
            self.draw();
            if holds(self) {
                return;
            }
            if started.elapsed() > PATIENCE {
                panic!("waited in vain for {what}; the window shows {:#?}", self.texts());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Chooses a camera that disappears before it delivers a picture, so that the window waits for it.
    pub fn choose_absent_camera(&mut self) {
        self.platform.plug_in(vec![Camera {
            id: CameraId::new("front"),
            name: "Front".to_owned(),
            description: String::new(),
            problem: None,
        }]);
        let lists = self.harness.query_all(by().role(Role::ComboBox));
        let source = lists.into_iter().find(|list| {
            let node = list.accesskit_node();
            [node.label(), node.value()].into_iter().flatten().any(|text| text == "Demo scene")
        });
        source.expect("the list of sources").click();
        self.until_label("Front");
        self.click("Front");
        self.until_label("Turn off");
    }

    /// Draws frames until a widget has this name or text.
    pub fn until_label(&mut self, label: &str) {
        self.until(label, |w| w.has(label));
    }

    /// Draws frames until a name or text contains `part`.
    pub fn until_contains(&mut self, part: &str) {
        self.until(part, |w| w.has_containing(part));
    }

    /// Draws frames until the painting is finished and shown.
    pub fn until_painted(&mut self) {
        self.until("the painting", Self::is_painted);
    }

    /// Clicks the widget with this name.
    pub fn click(&mut self, label: &str) {
        self.click_resting(label, Self::clickable);
    }

    /// Clicks the last widget with this name.
    pub fn click_last(&mut self, label: &str) {
        self.click_resting(label, Self::last_of);
    }

    fn last_of<'a>(&'a self, label: &'a str) -> Option<Node<'a>> {
        self.harness.query_all_by_label(label).last()
    }

    fn click_resting(
        &mut self,
        label: &str,
        find: impl for<'a> Fn(&'a Self, &'a str) -> Option<Node<'a>>,
    ) {
        // Waits until the widget stops moving: it may be elsewhere in the next frame.
        let mut place = None;
        self.until(label, |w| {
            let now = find(w, label).map(|node| node.rect());
            let rests = now.is_some() && now == place;
            place = now;
            rests
        });
        find(self, label).expect("found just now").click();
        self.step();
    }

    /// Clicks a widget of a list that may have to be scrolled to it.
    pub fn click_listed(&mut self, label: &str) {
        self.until_label(label);
        self.harness.get_by_label(label).click_accesskit();
        self.step();
    }

    /// Double-clicks the slider with this name.
    pub fn double_click_slider(&mut self, label: &str) {
        let at = self.slider(label).rect().lerp_inside(egui::vec2(0.25, 0.5));
        self.harness.hover_at(at);
        self.step();
        // In one frame: the next one is too late for a double click.
        for pressed in [true, false, true, false] {
            let input = self.harness.input_mut();
            input.events.push(egui::Event::PointerButton {
                pos: at,
                button: egui::PointerButton::Primary,
                pressed,
                modifiers: Modifiers::NONE,
            });
        }
        self.step();
    }

    /// The button, box or card of this name, or otherwise any widget with it.
    fn clickable<'a>(&'a self, label: &'a str) -> Option<Node<'a>> {
        let roles = [Role::Button, Role::CheckBox, Role::RadioButton];
        self.harness
            .query_all_by_label(label)
            .find(|n| roles.contains(&n.accesskit_node().role()))
            .or_else(|| self.harness.query_all_by_label(label).next())
    }

    /// Opens the list of this name.
    pub fn open_list(&mut self, list: &str) {
        let node = self.harness.get(by().label(list).role(Role::ComboBox));
        // It may be below the part of the panel that is visible.
        node.click_accesskit();
        self.step();
    }

    /// Opens the list of this name and selects the entry.
    pub fn choose(&mut self, list: &str, entry: &str) {
        self.open_list(list);
        self.click(entry);
        self.step();
    }

    /// Chooses the style in the form for a folder; its card in the gallery has the same name.
    pub fn choose_style(&mut self, entry: &str) {
        self.open_list("Style");
        let is_entry = |node: &Node<'_>| {
            ![Role::CheckBox, Role::RadioButton, Role::ComboBox]
                .contains(&node.accesskit_node().role())
        };
        let entry = self.harness.query_all_by_label(entry).find(is_entry);
        entry.expect("an entry of the list").click();
        self.step();
    }

    /// The chosen entry of a list.
    pub fn chosen(&self, list: &str) -> String {
        let node = self.harness.query_all(by().label(list).role(Role::ComboBox)).last();
        node.and_then(|node| node.accesskit_node().value()).unwrap_or_default()
    }

    /// Presses and releases a key.
    pub fn key(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.step();
    }

    /// Presses keys so fast that they all arrive in one frame.
    pub fn keys_at_once(&mut self, modifiers: Modifiers, keys: &[Key]) {
        let events = keys.iter().map(|&key| egui::Event::Key {
            key,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers,
        });
        self.harness.input_mut().events.extend(events);
        self.step();
    }

    /// Drags with the primary button.
    pub fn drag(&mut self, from: Pos2, to: Pos2) {
        self.harness.hover_at(from);
        self.harness.drag_at(from);
        self.step();
        for share in [0.25, 0.5, 0.75, 1.0] {
            self.harness.hover_at(from + (to - from) * share);
            self.step();
        }
        self.harness.drop_at(to);
        self.step();
    }

    /// Drags files over the window.
    pub fn hover(&mut self, paths: &[&PathBuf]) {
        let hovered = paths
            .iter()
            .map(|&path| egui::HoveredFile { path: Some(path.clone()), ..Default::default() });
        self.harness.input_mut().hovered_files = hovered.collect();
        self.step();
    }

    /// Drops a file on the window.
    pub fn drop_file(&mut self, path: &Path) {
        let input = self.harness.input_mut();
        input.hovered_files.clear();
        input.dropped_files = vec![Arc::new(Dropped(path.to_owned()))];
        self.harness.step();
    }

    /// Saves under a name in the window's folder and reads the file back.
    pub fn save_as(&mut self, name: &str) -> Frame {
        let path = self.path(name);
        self.platform.answer(Some(path.clone()));
        self.click("Save as…");
        self.until("the file", |w| w.has_containing(&format!("Saved as {}", path.display())));
        let photo = decode::from_path(&path).expect("a picture");
        Arc::unwrap_or_clone(photo.frame)
    }

    /// Requests the window to close. Returns whether it stays open to ask for confirmation.
    pub fn close_is_held_back(&mut self) -> bool {
        let viewport = self.harness.input_mut().viewports.entry(ViewportId::ROOT).or_default();
        viewport.events.push(ViewportEvent::Close);
        self.harness.step();
        let held = self.commands().contains(&ViewportCommand::CancelClose);
        let viewports = &mut self.harness.input_mut().viewports;
        if let Some(viewport) = viewports.get_mut(&ViewportId::ROOT) {
            viewport.events.clear();
        }
        held
    }

    /// Simulates that the system asks the program to end, as with SIGTERM.
    pub fn ask_to_end(&mut self) {
        let app = self.harness.state().app.as_ref().expect("started");
        app.stopper()();
        self.step();
    }

    /// Closes the window and waits until the program's work has ended; returns its folder.
    pub fn end(self) -> Arc<tempfile::TempDir> {
        drop(self.harness);
        self.folder
    }

    /// True if the window requested to be closed.
    pub fn closes(&self) -> bool {
        self.closes
    }

    /// True if the last frame requested no other within half a second.
    pub fn rests(&self) -> bool {
        self.harness
            .output()
            .viewport_output
            .get(&ViewportId::ROOT)
            .is_some_and(|o| o.repaint_delay > Duration::from_millis(500))
    }

    /// The viewport commands of the last frame.
    pub fn commands(&self) -> Vec<ViewportCommand> {
        self.harness
            .output()
            .viewport_output
            .get(&ViewportId::ROOT)
            .map(|o| o.commands.clone())
            .unwrap_or_default()
    }
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}
