//! The table: the photo, the choice of how to paint it, the paintings made so far, and which of them are saved.
//! Contains rules only: no threads, no egui. Belongs to the window's thread.

use std::{path::Path, sync::Arc};

use crate::{
    choice::{Choice, NetworkOf, Recipe, SavedKey, rename},
    pages::photo::{
        finished::FinishedPicture,
        opened::{Opened, Origin, Whole},
    },
    styles::mix::Mix,
    widgets::label::stem,
};
use engine::paint::{OutputSize, Painting};
use media::framing::Framing;
use pictures::encode::Format;
use settings::LiveChoices;
use values::mode::ModelSize;

/// Maximum number of paintings kept so that the user can return to them immediately.
const KEPT_PAINTINGS: usize = 12;
/// Maximum size of all kept paintings, in bytes.
const KEPT_BYTES: usize = 256 << 20;

/// Minimum time of a painting that the user is asked about before it is lost, in milliseconds; others are painted again.
const MIN_LOST_MS: f64 = 20_000.0;

/// The photo on the table.
pub struct OpenPhoto {
    /// Increases with every opened photo.
    pub number: u64,
    /// The photo as it was opened.
    pub opened: Opened,
    /// How the photo is turned and cropped.
    pub framing: Framing,
    /// The photo as it is painted: turned and cropped.
    pub framed: Whole,
}

/// A finished painting and the choice that led to it.
#[derive(Clone)]
pub struct Shown {
    pub recipe: Recipe,
    /// The choice at that time.
    pub choice: Choice,
    /// The network's output.
    pub painting: Arc<Painting>,
}

/// What the window shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Page {
    Photo,
    Video,
    Live,
}

/// The table.
pub struct Workspace {
    photo: Option<OpenPhoto>,
    /// How to paint the photo.
    pub choice: Choice,
    /// The choices that undo and redo restore.
    pub history: History,
    /// The state before the change in progress.
    pub before_change: Option<Step>,
    paintings: Vec<(Recipe, Arc<Painting>)>,
    shown: Option<Shown>,
    /// A draft, which hides the finished painting.
    pub draft: Option<Arc<Painting>>,
    /// The results that were saved.
    pub saved: Vec<SavedKey>,
    photos_opened: u64,
    /// The choice with which the photo was opened. The user did not request the resulting painting.
    unasked: Option<Choice>,
    /// The page that is shown. Photos and videos share `choice`.
    page: Page,
    /// The choice and history of live mode, or of the other pages; `None` until they are shown.
    aside: Option<(Choice, History)>,
}

impl Workspace {
    /// An empty table that shows `page`. `live` is the choice of live mode if that has its own.
    pub fn new(page: Page, photo: Choice, live: Option<Choice>) -> Self {
        let (choice, aside) = match (page, live) {
            (Page::Live, Some(live)) => (live, Some(photo)),
            (_, live) => (photo, live),
        };
        Self {
            photo: None,
            choice,
            history: History::default(),
            before_change: None,
            paintings: Vec::new(),
            shown: None,
            draft: None,
            saved: Vec::new(),
            photos_opened: 0,
            unasked: None,
            page,
            aside: aside.map(|choice| (choice, History::default())),
        }
    }

    /// Switches to a page. Live mode has its own style, mix and look, so that the photo keeps its painting; if it is
    /// shown for the first time, it copies them. Returns whether they were copied.
    pub fn turn(&mut self, page: Page) -> bool {
        let was_live = self.is_live();
        self.page = page;
        if was_live == self.is_live() {
            return false;
        }
        let is_copy = self.aside.is_none();
        let copy = || (self.choice.clone(), History::default());
        let (choice, history) = self.aside.take().unwrap_or_else(copy);
        let choice = std::mem::replace(&mut self.choice, choice);
        let history = std::mem::replace(&mut self.history, history);
        self.aside = Some((choice, history));
        is_copy
    }

    pub fn page(&self) -> Page {
        self.page
    }

    pub fn is_live(&self) -> bool {
        self.page == Page::Live
    }

    /// True if photos and live mode have separate choices.
    pub fn has_two_choices(&self) -> bool {
        self.aside.is_some()
    }

    fn choice_of(&self, is_live: bool) -> Option<&Choice> {
        if is_live == self.is_live() {
            Some(&self.choice)
        } else {
            self.aside.as_ref().map(|(choice, _)| choice)
        }
    }

    /// For both pages: whether it is shown, and its choice and history for changes.
    pub fn pages_mut(&mut self) -> impl Iterator<Item = (bool, &mut Choice, &mut History)> {
        self.aside.iter_mut().map(|(choice, history)| (false, choice, history)).chain([(
            true,
            &mut self.choice,
            &mut self.history,
        )])
    }

    /// How photos are painted, shown or not.
    pub fn photo_choice(&self) -> &Choice {
        self.choice_of(false).unwrap_or(&self.choice)
    }

    /// The choice of live mode if it has its own.
    pub fn live_choice(&self) -> Option<&Choice> {
        self.choice_of(true).filter(|_| self.has_two_choices())
    }

    /// Replaces the photo and returns the previous one. Removes the previous photo's framing from all undo steps.
    pub fn put_photo(&mut self, opened: Opened) -> Option<Opened> {
        self.photos_opened += 1;
        let last = self.choice.framing;
        let framing = opened.framing;
        self.choice.framing = framing;
        self.history.reframe(framing, &self.choice);
        // A size in pixels was chosen for one picture.
        let size = opened.photo.frame.size();
        let is_other = |before: &OpenPhoto| before.opened.photo.frame.size() != size;
        if matches!(self.choice.output, OutputSize::LongSide(_))
            && self.photo.as_ref().is_some_and(is_other)
        {
            self.choice.output = OutputSize::default();
        }
        let before = self.photo.replace(OpenPhoto {
            number: self.photos_opened,
            framing: Framing::default(),
            framed: opened.whole(),
            opened,
        });
        if !self.is_live() {
            self.page = self.photo_page();
        }
        self.paintings.clear();
        self.saved.clear();
        self.shown = None;
        self.draft = None;
        self.unasked = Some(self.choice.clone());
        before.map(|before| Opened { framing: last, ..before.opened })
    }

    /// Shows the photo with this framing. Keeps its paintings, but puts none of them on the table.
    pub fn set_framed(&mut self, framing: Framing, framed: Whole) {
        if let Some(photo) = &mut self.photo {
            photo.framing = framing;
            photo.framed = framed;
            self.show_only_photo();
        }
    }

    /// The page of the photo on the table.
    pub fn photo_page(&self) -> Page {
        match &self.photo {
            Some(photo) if photo.opened.film.is_some() => Page::Video,
            _ => Page::Photo,
        }
    }

    /// The photo, if its page is shown.
    pub fn seen_photo(&self) -> Option<&OpenPhoto> {
        self.photo.as_ref().filter(|_| self.page == self.photo_page())
    }

    pub fn photo(&self) -> Option<&OpenPhoto> {
        self.photo.as_ref()
    }

    /// True if neither the photo nor live mode is shown.
    pub fn is_aside(&self) -> bool {
        self.photo.is_some() && self.seen_photo().is_none() && !self.is_live()
    }

    /// The file of the photo that is shown.
    pub fn shown_file(&self) -> Option<&Path> {
        match &self.seen_photo()?.opened.origin {
            Origin::File(path) => Some(path),
            Origin::Sample | Origin::Clipboard => None,
        }
    }

    /// Width and height of the photo, in pixels.
    pub fn photo_size(&self) -> Option<(usize, usize)> {
        Some(self.photo.as_ref()?.framed.frame.size())
    }

    /// The recipe of the choice with the given model; `None` without a photo or a style.
    pub fn recipe(&self, model: ModelSize) -> Option<Recipe> {
        let photo = self.photo.as_ref()?;
        let (width, height) = self.photo_size()?;
        Some(Recipe {
            photo: photo.number,
            framing: photo.framing,
            network: self.choice.network(model)?,
            working: self.choice.working_size().resolve(width, height),
            mode: self.choice.mode,
            has_16_bits: self.choice.has_16_bits,
        })
    }

    /// The painting on the table; a draft hides the finished painting.
    pub fn on_screen(&self) -> Option<&Arc<Painting>> {
        self.draft.as_ref().or_else(|| self.shown.as_ref().map(|s| &s.painting))
    }

    /// The finished painting on the table, even if a draft hides it.
    pub fn shown(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }

    /// Puts a finished painting on the table.
    pub fn show(&mut self, recipe: Recipe, painting: Arc<Painting>) {
        self.draft = None;
        self.keep(recipe.clone(), painting.clone());
        self.shown = Some(Shown { recipe, choice: self.choice.clone(), painting });
    }

    /// Removes every painting from the table, but keeps them.
    pub fn show_only_photo(&mut self) {
        self.shown = None;
        self.draft = None;
    }

    /// A painting that was made before.
    pub fn kept(&self, recipe: &Recipe) -> Option<Arc<Painting>> {
        self.paintings.iter().find(|(r, _)| r == recipe).map(|(_, p)| p.clone())
    }

    fn keep(&mut self, recipe: Recipe, painting: Arc<Painting>) {
        self.paintings.retain(|(r, _)| *r != recipe);
        self.paintings.push((recipe, painting));
        let bytes = |list: &[(Recipe, Arc<Painting>)]| -> usize {
            let of_pixel = |p: &Painting| if p.deep.is_some() { 12 } else { 4 };
            list.iter().map(|(_, p)| p.painted.pixel_count() * of_pixel(p)).sum()
        };
        while self.paintings.len() > 1
            && (self.paintings.len() > KEPT_PAINTINGS || bytes(&self.paintings) > KEPT_BYTES)
        {
            self.paintings.remove(0);
        }
    }

    /// Notes that a mix is now a style: the painting on the table becomes that style's painting and keeps its saved
    /// state.
    pub fn note_kept_mix(&mut self, mix: &NetworkOf, style: NetworkOf) {
        let Some(shown) = self.shown.as_ref().filter(|shown| shown.recipe.network == *mix) else {
            return;
        };
        let before = shown.recipe.clone();
        let painting = shown.painting.clone();
        let recipe = Recipe { network: style, ..before.clone() };
        let saved: Vec<SavedKey> = self
            .saved
            .iter()
            .filter(|(saved, ..)| *saved == before)
            .map(|(_, look, output)| (recipe.clone(), *look, *output))
            .collect();
        self.saved.extend(saved);
        self.keep(recipe, painting);
    }

    /// Returns to the choice of the finished painting on the table, because the newer painting was stopped or failed.
    pub fn revert_choice(&mut self) {
        self.draft = None;
        let Choice { framing, output, look, steadiness, .. } = self.choice;
        let back = match &self.shown {
            Some(shown) => shown.choice.clone(),
            None => Choice { mix: Mix::default(), ..self.choice.clone() },
        };
        // These do not need a network.
        self.choice = Choice { framing, output, look, steadiness, ..back };
        self.history.forget_steps_from(&self.choice);
    }

    /// Adds an undo step: the choice was `before` until now.
    pub fn commit(&mut self, before: Box<Choice>) {
        if *before != self.choice {
            self.history.note(Step::Choice(before));
        }
    }

    /// Notes that a style has a new id.
    pub fn rename_style(&mut self, old: &str, new: &str) {
        let kept = self.paintings.iter_mut().map(|(recipe, _)| recipe);
        let saved = self.saved.iter_mut().map(|(recipe, ..)| recipe);
        let shown = self.shown.iter_mut().map(|shown| &mut shown.recipe);
        for recipe in kept.chain(saved).chain(shown) {
            recipe.network.rename_style(old, new);
        }
        self.shown
            .iter_mut()
            .map(|shown| &mut shown.choice)
            .chain(&mut self.unasked)
            .for_each(|choice| choice.rename_style(old, new));
        for (_, choice, history) in self.pages_mut() {
            choice.rename_style(old, new);
            history.rename(old, new);
        }
    }

    /// The finished picture on the table; `None` while only a draft or the photo is shown.
    pub fn finished(&self) -> Option<FinishedPicture> {
        let open =
            self.photo.as_ref().filter(|photo| photo.framing == self.photo_choice().framing)?;
        let shown = self.shown.as_ref().filter(|_| self.draft.is_none())?;
        Some(FinishedPicture {
            key: self.saved_key()?,
            photo: open.framed.frame.clone(),
            painting: shown.painting.clone(),
        })
    }

    /// The key of the current result among the saved ones.
    fn saved_key(&self) -> Option<SavedKey> {
        let shown = self.shown.as_ref()?;
        let choice = self.photo_choice();
        Some((shown.recipe.clone(), choice.look, choice.output))
    }

    /// True if the result on the table would be lost, and is worth a question: its photo was pasted, it took long, or
    /// the user has changed more than one setting since the photo was opened. Paintings of the sample and of films
    /// never count.
    pub fn is_unsaved(&self) -> bool {
        let choice = self.photo_choice();
        let Some(photo) = self.photo.as_ref().filter(|photo| photo.opened.film.is_none()) else {
            return false;
        };
        let changes = self.unasked.as_ref().map_or(0, |before| choice.changes(before));
        let took_ms = self.shown.as_ref().map_or(0.0, |shown| shown.painting.total_ms);
        let is_worth_it = match photo.opened.origin {
            Origin::Sample => false,
            Origin::Clipboard => changes > 0,
            Origin::File(_) => changes > 1 || changes > 0 && took_ms >= MIN_LOST_MS,
        };
        is_worth_it
            && choice.look.strength_percent > 0
            && self.saved_key().is_some_and(|key| !self.saved.contains(&key))
    }

    /// The photo's file name without extension.
    pub fn photo_stem(&self) -> String {
        match self.photo.as_ref().map(|p| &p.opened.origin) {
            Some(Origin::File(path)) => stem(path).into_owned(),
            Some(Origin::Sample) => "sample".to_owned(),
            _ => "painting".to_owned(),
        }
    }

    /// A file name for the result, without extension, made from the names of the photo and the style.
    pub fn result_stem(&self) -> String {
        let stem = self.photo_stem();
        match self.shown.as_ref() {
            Some(shown) => format!("{stem}-{}", shown.recipe.network.label()),
            None => stem,
        }
    }

    /// The format to save in if the user has not chosen one.
    pub fn natural_format(&self) -> Format {
        self.photo.as_ref().map(|p| p.opened.photo.natural_format).unwrap_or_default()
    }
}

/// Maximum number of steps that can be undone.
const KEPT_STEPS: usize = 200;

/// What reverting a step restores.
#[derive(Clone, PartialEq)]
pub enum Step {
    Choice(Box<Choice>),
    Live(Box<LiveChoices>),
    /// The position of a style: before `next` in the list, or at its end.
    Moved {
        id: String,
        next: Option<String>,
    },
    /// A removed style, and the page's choices before and after the removal.
    Removed {
        id: String,
        choices: Box<[Choice; 2]>,
    },
}

impl Step {
    /// Notes that a style has a new id.
    pub fn rename(&mut self, old: &str, new: &str) {
        match self {
            Self::Choice(choice) => choice.rename_style(old, new),
            Self::Live(_) => {}
            Self::Moved { id, next } => {
                rename(next.iter_mut().chain([id]), old, new);
            }
            Self::Removed { choices, .. } => {
                choices.iter_mut().for_each(|choice| choice.rename_style(old, new));
            }
        }
    }
}

/// The steps before and after the current state of a page.
#[derive(Default)]
pub struct History {
    past: Vec<Step>,
    future: Vec<Step>,
}

impl History {
    /// Handles a new photo with this framing: removes the previous photo's framing from all steps.
    fn reframe(&mut self, framing: Framing, now: &Choice) {
        for steps in [&mut self.past, &mut self.future] {
            for step in steps.iter_mut() {
                if let Step::Choice(choice) = step {
                    choice.framing = framing;
                }
            }
            steps.dedup();
            steps.pop_if(|step| matches!(step, Step::Choice(choice) if **choice == *now));
        }
    }

    /// Adds an undo step.
    pub fn note(&mut self, step: Step) {
        self.future.clear();
        self.past.push(step);
        if self.past.len() > KEPT_STEPS {
            self.past.remove(0);
        }
    }

    /// Removes the choices that led away from this one, because it was restored.
    fn forget_steps_from(&mut self, choice: &Choice) {
        let is_it = |step: &Step| matches!(step, Step::Choice(other) if **other == *choice);
        if let Some(at) = self.past.iter().rposition(is_it) {
            let is_choice = |step: &mut Step| matches!(step, Step::Choice(_));
            self.past.extract_if(at.., is_choice).for_each(drop);
        }
    }

    /// Takes the next step to undo or to redo.
    pub fn take(&mut self, is_undo: bool) -> Option<Step> {
        if is_undo { self.past.pop() } else { self.future.pop() }
    }

    /// Notes the inverse of a step that was undone or redone.
    pub fn note_reverted(&mut self, was_undo: bool, inverse: Step) {
        if was_undo { &mut self.future } else { &mut self.past }.push(inverse);
    }

    /// Takes the removal of a style: the choices before and after it.
    pub fn take_removal(&mut self, style: &str) -> Option<Box<[Choice; 2]>> {
        let is_it = |step: &mut Step| matches!(step, Step::Removed { id, .. } if id == style);
        match self.past.extract_if(.., is_it).next() {
            Some(Step::Removed { choices, .. }) => Some(choices),
            _ => None,
        }
    }

    /// True if there are undo steps, and if there are redo steps.
    pub fn can_step(&self) -> [bool; 2] {
        [&self.past, &self.future].map(|steps| !steps.is_empty())
    }

    /// Notes that a style has a new id.
    pub fn rename(&mut self, old: &str, new: &str) {
        self.past.iter_mut().chain(&mut self.future).for_each(|step| step.rename(old, new));
    }
}

#[cfg(test)]
mod tests;
