//! Scripted seams: dialogs, clipboard and styles that do as a test tells them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: a broken test should panic"
)]

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use styleforge::{
    capture::Camera,
    frame::Frame,
    gui::{
        platform::{Clip, Dialog, Platform},
        style_source::{Card, Import, Loaded, StyleSource},
    },
    mode::ModelSize,
    network::Network,
    weights::{PixelChoice, PixelFormat},
};

use crate::support::{network, photo};

/// Dialogs and a clipboard whose answers a test sets.
#[derive(Default)]
pub struct ScriptedPlatform {
    answers: Mutex<VecDeque<Option<PathBuf>>>,
    asked: Mutex<Vec<(Dialog, Option<PathBuf>)>>,
    clipboard: Mutex<Option<Clip>>,
    copied: Mutex<Vec<Frame>>,
    refusal: Mutex<Option<String>>,
    copying: Mutex<()>,
    cameras: Mutex<Vec<Camera>>,
}

impl ScriptedPlatform {
    /// What the next dialog is answered with.
    pub fn answer(&self, path: Option<PathBuf>) {
        self.answers.lock().unwrap().push_back(path);
    }

    /// Every dialog so far and the folder that it started in.
    pub fn asked(&self) -> Vec<(Dialog, Option<PathBuf>)> {
        self.asked.lock().unwrap().clone()
    }

    /// What is pasted next.
    pub fn put_on_clipboard(&self, clip: Clip) {
        *self.clipboard.lock().unwrap() = Some(clip);
    }

    /// Every picture that was copied.
    pub fn copied(&self) -> Vec<Frame> {
        self.copied.lock().unwrap().clone()
    }

    /// Nothing is copied while what this gives is alive.
    pub fn hold_copies(&self) -> MutexGuard<'_, ()> {
        self.copying.lock().unwrap()
    }

    /// The cameras that the system has from now on.
    pub fn plug_in(&self, cameras: Vec<Camera>) {
        *self.cameras.lock().unwrap() = cameras;
    }

    /// From now on nothing works, for this reason.
    pub fn refuse(&self, reason: &str) {
        *self.refusal.lock().unwrap() = Some(reason.to_owned());
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
        Ok(self
            .clipboard
            .lock()
            .unwrap()
            .clone()
            .unwrap_or(Clip::Nothing))
    }

    fn cameras(&self) -> Result<Vec<Camera>, String> {
        self.check()?;
        Ok(self.cameras.lock().unwrap().clone())
    }

    fn copy(&self, picture: &Frame) -> Result<(), String> {
        self.check()?;
        let _wait = self.copying.lock().unwrap();
        self.copied.lock().unwrap().push(picture.clone());
        Ok(())
    }
}

/// Three styles, and whatever is imported.
pub struct ScriptedStyles {
    cards: Mutex<Vec<Card>>,
    loads: Mutex<Vec<(String, ModelSize)>>,
    refusal: Mutex<Option<String>>,
    loading: Mutex<()>,
    imports: Mutex<Vec<(String, PixelChoice)>>,
}

fn card(title: &str) -> Card {
    Card {
        id: title.to_lowercase(),
        title: title.to_owned(),
        credit: if title == "Candy" {
            "A painter, public domain".to_owned()
        } else {
            String::new()
        },
        models: vec![ModelSize::Full, ModelSize::Lite],
        thumbnail: (title == "Candy").then(|| Arc::new(photo(60, 40))),
    }
}

impl Default for ScriptedStyles {
    fn default() -> Self {
        Self::of(["Candy", "Udnie", "Wave"].map(card).to_vec())
    }
}

impl ScriptedStyles {
    /// These styles.
    pub fn of(cards: Vec<Card>) -> Self {
        Self {
            cards: Mutex::new(cards),
            loads: Mutex::default(),
            refusal: Mutex::default(),
            loading: Mutex::default(),
            imports: Mutex::default(),
        }
    }
}

impl ScriptedStyles {
    /// Every network that was loaded.
    pub fn loads(&self) -> Vec<(String, ModelSize)> {
        self.loads.lock().unwrap().clone()
    }

    /// Every style that was added, by its title, and what a person said of it.
    pub fn imports(&self) -> Vec<(String, PixelChoice)> {
        self.imports.lock().unwrap().clone()
    }

    /// No network is loaded while what this gives is alive.
    pub fn hold_loads(&self) -> MutexGuard<'_, ()> {
        self.loading.lock().unwrap()
    }

    /// The next network cannot be loaded, for this reason.
    pub fn refuse(&self, reason: &str) {
        *self.refusal.lock().unwrap() = Some(reason.to_owned());
    }
}

impl StyleSource for ScriptedStyles {
    fn cards(&self) -> (Vec<Card>, Vec<String>) {
        (self.cards.lock().unwrap().clone(), Vec::new())
    }

    fn load(&self, id: &str, requested: ModelSize) -> Result<Loaded, String> {
        let _wait = self.loading.lock().unwrap();
        if let Some(reason) = self.refusal.lock().unwrap().take() {
            return Err(reason);
        }
        self.loads.lock().unwrap().push((id.to_owned(), requested));
        Ok(Loaded {
            network: network(),
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
        self.cards.lock().unwrap().push(card(&title));
        let mut imports = self.imports.lock().unwrap();
        imports.push((title.to_string(), pixels));
        Ok(Import::Added {
            id: title.to_lowercase(),
            warning: (bytes == b"assumed")
                .then(|| "It was assumed that it is one of two.".to_owned()),
        })
    }

    fn network_as(&self, path: &Path, _: PixelFormat) -> Result<Arc<Network>, String> {
        match path.exists() {
            true => Ok(network()),
            false => Err("the file is gone".to_owned()),
        }
    }
}
