//! Scripted dialogs, clipboard and styles for tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: a broken test should panic"
)]

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use engine::capture::{Camera, Output, OutputProblem, OutputRequest, Setup, VirtualCamera};
use gui::{
    platform::{Clip, Dialog, Platform},
    style_source::{Card, Import, Loaded, StyleSource},
};
use media::{
    codec::Codec,
    ffmpeg::{Ffmpeg, NoFfmpeg},
};
use network::{
    Network,
    graph::{Graph, NodeId, Op},
};
use settings::{looks::SavedLook, painted_with::Painted};
use values::{frame::Frame, mode::ModelSize};
use weights::{MadeBy, PixelChoice, PixelFormat};

use crate::support::{network, photo};

/// Dialogs and a clipboard whose answers a test sets.
#[derive(Default)]
pub struct ScriptedPlatform {
    answers: Mutex<VecDeque<Option<PathBuf>>>,
    asked: Mutex<Vec<(Dialog, Option<PathBuf>)>>,
    clipboard: Mutex<Option<Clip>>,
    copied: Mutex<Vec<Frame>>,
    refusal: Mutex<Option<String>>,
    cameras: Mutex<Vec<Camera>>,
    /// The virtual camera, if the system has one.
    output: Mutex<Option<ScriptedOutput>>,
    text: Mutex<String>,
    pointer: Mutex<Option<(i32, i32)>>,
    shown: Mutex<Vec<PathBuf>>,
    played: Mutex<Vec<PathBuf>>,
    restarts: Mutex<Vec<Option<PathBuf>>>,
    no_video: Mutex<Option<String>>,
}

impl ScriptedPlatform {
    /// Sets the answer to the next dialog.
    pub fn answer(&self, path: Option<PathBuf>) {
        self.answers.lock().unwrap().push_back(path);
    }

    /// Every dialog so far and its initial folder.
    pub fn asked(&self) -> Vec<(Dialog, Option<PathBuf>)> {
        self.asked.lock().unwrap().clone()
    }

    /// Sets what is pasted next.
    pub fn put_on_clipboard(&self, clip: Clip) {
        *self.clipboard.lock().unwrap() = Some(clip);
    }

    /// Every picture that was copied.
    pub fn copied(&self) -> Vec<Frame> {
        self.copied.lock().unwrap().clone()
    }

    /// Sets the cameras that the system has from now on.
    pub fn plug_in(&self, cameras: Vec<Camera>) {
        *self.cameras.lock().unwrap() = cameras;
    }

    /// Gives the system a virtual camera, and returns it.
    pub fn add_virtual_camera(&self) -> ScriptedOutput {
        self.output.lock().unwrap().get_or_insert_with(ScriptedOutput::default).clone()
    }

    /// The text on the clipboard.
    pub fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// Puts a text on the clipboard.
    pub fn put_text(&self, text: &str) {
        *self.text.lock().unwrap() = text.to_owned();
    }

    /// Every file that was shown in a file manager.
    pub fn shown(&self) -> Vec<PathBuf> {
        self.shown.lock().unwrap().clone()
    }

    /// Every video that was played.
    pub fn played(&self) -> Vec<PathBuf> {
        self.played.lock().unwrap().clone()
    }

    /// The photo of every restart of the program.
    pub fn restarts(&self) -> Vec<Option<PathBuf>> {
        self.restarts.lock().unwrap().clone()
    }

    /// Sets the pointer's screen position, as the system reports it.
    pub fn point(&self, place: Option<(i32, i32)>) {
        *self.pointer.lock().unwrap() = place;
    }

    /// Makes no ffmpeg able to record videos, for this reason.
    pub fn refuse_videos(&self, why: &str) {
        *self.no_video.lock().unwrap() = Some(why.to_owned());
    }

    /// Makes everything fail from now on, with this reason.
    pub fn refuse(&self, reason: &str) {
        *self.refusal.lock().unwrap() = Some(reason.to_owned());
    }

    /// Makes everything work again.
    pub fn allow(&self) {
        *self.refusal.lock().unwrap() = None;
    }

    fn check(&self) -> Result<(), String> {
        match &*self.refusal.lock().unwrap() {
            Some(reason) => Err(reason.clone()),
            None => Ok(()),
        }
    }
}

impl Platform for ScriptedPlatform {
    fn ask(&self, dialog: &Dialog, folder: Option<&Path>) -> Result<Option<PathBuf>, String> {
        self.check()?;
        let mut asked = self.asked.lock().unwrap();
        asked.push((dialog.clone(), folder.map(Path::to_owned)));
        Ok(self.answers.lock().unwrap().pop_front().flatten())
    }

    fn paste(&self) -> Result<Clip, String> {
        self.check()?;
        Ok(self.clipboard.lock().unwrap().clone().unwrap_or(Clip::Nothing))
    }

    fn paste_text(&self) -> String {
        self.text()
    }

    fn copy_text(&self, text: &str) -> Result<(), String> {
        self.check()?;
        self.put_text(text);
        Ok(())
    }

    fn show(&self, path: &Path) -> Result<(), String> {
        self.check()?;
        self.shown.lock().unwrap().push(path.to_owned());
        Ok(())
    }

    fn play(&self, path: &Path) -> Result<(), String> {
        self.check()?;
        self.played.lock().unwrap().push(path.to_owned());
        Ok(())
    }

    fn restart(&self, photo: Option<&Path>) -> Result<(), String> {
        self.restarts.lock().unwrap().push(photo.map(Path::to_owned));
        self.check()
    }

    fn pointer(&self) -> Option<(i32, i32)> {
        *self.pointer.lock().unwrap()
    }

    fn reduces_motion(&self) -> bool {
        false
    }

    fn cameras(&self) -> Result<Vec<Camera>, String> {
        self.check()?;
        Ok(self.cameras.lock().unwrap().clone())
    }

    fn virtual_cameras(&self) -> Vec<VirtualCamera> {
        self.output.lock().unwrap().iter().map(|output| output.camera.clone()).collect()
    }

    fn video_encoder(&self, codec: Codec) -> Result<Ffmpeg, String> {
        // Asked by every live window.
        static H264: LazyLock<Result<Ffmpeg, NoFfmpeg>> = LazyLock::new(|| Codec::H264.ffmpeg());
        let found = if codec == Codec::H264 { H264.clone() } else { codec.ffmpeg() };
        match &*self.no_video.lock().unwrap() {
            Some(why) => Err(why.clone()),
            None => found.map_err(|why| why.to_string()),
        }
    }

    fn open_output(&self, request: &OutputRequest) -> Result<Box<dyn Output>, OutputProblem> {
        let output = self.output.lock().unwrap().clone();
        let output = output.ok_or_else(|| OutputProblem::Missing(Setup::default()))?;
        *output.size.lock().unwrap() = request.size;
        Ok(Box::new(output))
    }

    fn copy(&self, picture: &Frame) -> Result<(), String> {
        self.check()?;
        self.copied.lock().unwrap().push(picture.clone());
        Ok(())
    }
}

/// A virtual camera that keeps the last picture. A clone is the same one.
#[derive(Clone)]
pub struct ScriptedOutput {
    camera: VirtualCamera,
    size: Arc<Mutex<(usize, usize)>>,
    picture: Arc<Mutex<Vec<u8>>>,
    /// The problem that every picture meets.
    pub problem: Arc<Mutex<Option<OutputProblem>>>,
    pub readers: Arc<AtomicUsize>,
}

impl Default for ScriptedOutput {
    fn default() -> Self {
        let (device, label) = ("/dev/video10".to_owned(), "StyleForge".to_owned());
        Self {
            camera: VirtualCamera { device, label, problem: None },
            size: Arc::default(),
            picture: Arc::default(),
            problem: Arc::default(),
            readers: Arc::default(),
        }
    }
}

impl ScriptedOutput {
    /// Luma of the last picture.
    pub fn luma(&self) -> Vec<u8> {
        self.picture.lock().unwrap().iter().step_by(2).copied().collect()
    }

    /// True if this program has it open.
    pub fn is_open(&self) -> bool {
        Arc::strong_count(&self.picture) > 2
    }
}

impl Output for ScriptedOutput {
    fn camera(&self) -> &VirtualCamera {
        &self.camera
    }

    fn size(&self) -> (usize, usize, usize) {
        let (width, height) = *self.size.lock().unwrap();
        (width, height, 2 * width)
    }

    fn agree(&mut self) -> Result<(), OutputProblem> {
        self.problem.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn write(&mut self, yuyv: &[u8]) -> Result<bool, OutputProblem> {
        *self.picture.lock().unwrap() = yuyv.to_vec();
        self.problem.lock().unwrap().clone().map_or(Ok(true), Err)
    }

    fn readers(&self) -> usize {
        self.readers.load(Ordering::Relaxed)
    }
}

/// Three styles, and the imported ones.
pub struct ScriptedStyles {
    cards: Mutex<Vec<Card>>,
    loads: Mutex<Vec<(String, ModelSize)>>,
    refusal: Mutex<Option<String>>,
    panics: Mutex<Option<(String, usize)>>,
    loading: Mutex<()>,
    imports: Mutex<Vec<(String, PixelChoice)>>,
    mixes: Mutex<Vec<(Parts, Arc<Network>)>>,
    pub looks: Mutex<Vec<(String, PathBuf)>>,
    pub kept_looks: Mutex<Vec<(Painted, String)>>,
}

/// Styles of a mix and their weights.
pub type Parts = Vec<(String, u8)>;

/// A style of this title, without a thumbnail unless it is Candy.
pub fn card(title: &str) -> Card {
    Card {
        id: title.to_lowercase(),
        title: title.to_owned(),
        credit: if title == "Candy" {
            "A painter, public domain".to_owned()
        } else {
            String::new()
        },
        after: (title == "Candy").then(|| "After *June Tree* by a painter".to_owned()),
        models: vec![ModelSize::Full, ModelSize::Lite],
        thumbnail: (title == "Candy").then(|| Arc::new(photo(60, 40))),
        ..Card::default()
    }
}

/// A style made from a picture.
pub fn picture_card(title: &str) -> Card {
    Card {
        made_by: Some(MadeBy { network: "any".to_owned(), id: "1".to_owned() }),
        thumbnail: Some(Arc::new(photo(50, 50))),
        ..own_card(title)
    }
}

/// A style that the user imported.
pub fn own_card(title: &str) -> Card {
    Card { own: Some(PathBuf::from("/styles").join(title.to_lowercase())), ..card(title) }
}

/// A small network with attention, for the style Tokens.
fn with_attention() -> Arc<Network> {
    let mut graph = Graph::default();
    let mut add = |op: Op, inputs: &[NodeId]| {
        let name = format!("n{}", inputs.iter().max().map_or(0, |last| last + 1));
        graph.add(&name, "", op, inputs).expect("earlier nodes")
    };
    let photo = add(Op::Photo, &[]);
    let mixed = add(Op::Attention { heads: 1 }, &[photo; 3]);
    add(Op::Picture, &[mixed]);
    Arc::new(Network::random(graph, 1).expect("a network"))
}

impl Default for ScriptedStyles {
    fn default() -> Self {
        Self::of(["Candy", "Udnie", "Wave"].map(card).to_vec())
    }
}

impl ScriptedStyles {
    /// A library of these styles.
    pub fn of(cards: Vec<Card>) -> Self {
        Self {
            cards: Mutex::new(cards),
            loads: Mutex::default(),
            refusal: Mutex::default(),
            panics: Mutex::default(),
            loading: Mutex::default(),
            imports: Mutex::default(),
            mixes: Mutex::default(),
            looks: Mutex::default(),
            kept_looks: Mutex::default(),
        }
    }
}

impl ScriptedStyles {
    /// Every network that was loaded.
    pub fn loads(&self) -> Vec<(String, ModelSize)> {
        self.loads.lock().unwrap().clone()
    }

    /// Every imported style: its title, and the user's pixel choice.
    pub fn imports(&self) -> Vec<(String, PixelChoice)> {
        self.imports.lock().unwrap().clone()
    }

    /// Every mix for which a network was made.
    pub fn mixes(&self) -> Vec<Parts> {
        let mixes = self.mixes.lock().unwrap();
        mixes.iter().map(|(parts, _)| parts.clone()).collect()
    }

    /// The network of the last mix.
    pub fn mixed_network(&self) -> Option<Arc<Network>> {
        let mixes = self.mixes.lock().unwrap();
        mixes.last().map(|(_, network)| network.clone())
    }

    /// No network is loaded while the returned guard is alive.
    pub fn hold_loads(&self) -> MutexGuard<'_, ()> {
        self.loading.lock().unwrap()
    }

    /// Changes the styles as the command line would in the meantime.
    pub fn change(&self, change: impl FnOnce(&mut Vec<Card>)) {
        change(&mut self.cards.lock().unwrap());
    }

    /// Loading this style panics from now on.
    pub fn panic_on(&self, id: &str) {
        *self.panics.lock().unwrap() = Some((id.to_owned(), 0));
    }

    /// The number of such panics.
    pub fn panics(&self) -> usize {
        self.panics.lock().unwrap().as_ref().map_or(0, |(_, count)| *count)
    }

    fn check(&self) -> Result<(), String> {
        self.refusal.lock().unwrap().take().map_or(Ok(()), Err)
    }

    /// Makes the next load of a network, or the next removal of a style, fail with this reason.
    pub fn refuse(&self, reason: &str) {
        *self.refusal.lock().unwrap() = Some(reason.to_owned());
    }
}

impl StyleSource for ScriptedStyles {
    fn cards(&self) -> (Vec<Card>, Vec<String>) {
        (self.cards.lock().unwrap().clone(), Vec::new())
    }

    fn load(&self, id: &str, requested: ModelSize) -> Result<Loaded, String> {
        let _wait = self.loading.lock();
        let panics = self.panics.lock().unwrap().as_mut().is_some_and(|(of, count)| {
            *count += usize::from(of == id);
            of == id
        });
        assert!(!panics, "scripted panic");
        self.check()?;
        self.loads.lock().unwrap().push((id.to_owned(), requested));
        Ok(Loaded {
            network: match id {
                "tokens" => with_attention(),
                _ => network(),
            },
            note: None,
        })
    }

    fn import(&self, path: &Path, pixels: PixelChoice) -> Result<Import, String> {
        let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
        match bytes.as_slice() {
            b"bad" => {
                return Err("This file was not added as a style. It is broken.".to_owned());
            }
            b"unclear" if pixels == PixelChoice::default() => return Ok(Import::Unclear(pixels)),
            _ => {}
        }
        let title = path.file_stem().unwrap_or_default().to_string_lossy();
        self.cards.lock().unwrap().push(own_card(&title));
        let mut imports = self.imports.lock().unwrap();
        imports.push((title.to_string(), pixels));
        Ok(Import::Added {
            id: title.to_lowercase(),
            warning: (bytes == b"assumed")
                .then(|| "It was assumed that it is one of two.".to_owned()),
        })
    }

    fn import_picture(&self, picture: &Frame, name: &str) -> Result<Import, String> {
        let (w, h) = (picture.width(), picture.height());
        let title = format!("{name} {w}x{h}");
        self.cards.lock().unwrap().push(own_card(&title));
        Ok(Import::Added { id: title.to_lowercase(), warning: None })
    }

    fn mix(&self, parts: &[(String, u8)]) -> Result<Loaded, String> {
        let _wait = self.loading.lock().unwrap();
        self.check()?;
        let network = network();
        let mixed = (parts.to_vec(), network.clone());
        self.mixes.lock().unwrap().push(mixed);
        Ok(Loaded { network, note: None })
    }

    fn keep_mix(&self, _: &[(String, u8)], name: &str, words: &str) -> Result<String, String> {
        let id = name.to_lowercase();
        let mut cards = self.cards.lock().unwrap();
        if cards.iter().any(|card| card.id == id) {
            return Err(format!("there is already a style named {id}"));
        }
        cards.push(Card { credit: words.to_owned(), ..picture_card(name) });
        Ok(id)
    }

    fn rename(&self, id: &str, name: &str) -> Result<String, String> {
        let mut cards = self.cards.lock().unwrap();
        let new = name.to_lowercase();
        if cards.iter().any(|card| card.id == new) {
            return Err(format!("there is already a style named {new}"));
        }
        let renamed =
            cards.iter_mut().find(|card| card.id == id).ok_or_else(|| "it is gone".to_owned())?;
        *renamed = Card { thumbnail: renamed.thumbnail.take(), ..own_card(name) };
        Ok(new)
    }

    fn remove(&self, id: &str) -> Result<(), String> {
        self.check()?;
        self.cards.lock().unwrap().retain(|card| card.id != id);
        Ok(())
    }

    fn looks(&self) -> Vec<(String, PathBuf)> {
        self.looks.lock().unwrap().clone()
    }

    fn adopt_look(&self, look: &SavedLook) -> Result<Painted, String> {
        Ok(look.painted.clone())
    }

    fn keep_look(&self, look: Painted, name: &str, _: &Frame) -> Result<(), String> {
        if self.kept_looks.lock().unwrap().iter().any(|(_, other)| other == name) {
            return Err("it already exists".to_owned());
        }
        self.kept_looks.lock().unwrap().push((look, name.to_owned()));
        Ok(())
    }

    fn network_as(&self, path: &Path, _: PixelFormat) -> Result<Arc<Network>, String> {
        match path.exists() {
            true => Ok(network()),
            false => Err("the file is gone".to_owned()),
        }
    }
}
