//! The pages: each has its state, its controls and its files. The window asks the page that is shown for its parts with
//! [`PageView`]; `frame` decides which one that is.

pub mod film;
pub mod lab;
pub mod live;
pub mod photo;

use eframe::egui::{Context, Rect, Ui};

use crate::{app::Shell, bars::LowerPanel, shell::dock::Activity, styles::gallery::Subject};

/// A row of a page below the picture.
#[derive(Clone, Copy)]
pub enum Row {
    Actions,
    Paintings,
    Lab,
    FirstStart,
    View,
}

/// What the window asks of the page that it shows.
pub trait PageView {
    /// Draws the styles; painted thumbnails show `subject`.
    fn styles_ui(&self, shell: &mut Shell, subject: Subject, ui: &mut Ui);

    fn controls(&self, shell: &Shell, ui: &mut Ui);

    /// Reserves the rows below the picture, the lowest first.
    fn rows(&self, shell: &Shell, ui: &mut Ui) -> Vec<(Row, LowerPanel)>;

    fn row_ui(&mut self, shell: &Shell, row: Row, ui: &mut Ui);

    /// Draws the picture, or the ways to open one.
    fn stage_ui(&mut self, shell: &Shell, ui: &mut Ui);

    /// Draws what floats over the picture. In full screen, `is_alone` is set.
    fn over_stage(&self, _ui: &Ui, _area: Rect, _is_alone: bool) {}

    /// Draws the buttons for the picture in full screen.
    fn full_screen_buttons(&self, shell: &Shell, ui: &mut Ui);

    /// Shows the original, or again what was shown before.
    fn show_original(&mut self, ctx: &Context, shows: bool);

    /// What is shown, how it was painted, and the device, as text.
    fn status(&self, shell: &Shell) -> [Option<String>; 3];

    /// What is being done, or what to do.
    fn activity(&self, shell: &Shell) -> Option<Activity> {
        (shell.styles.gallery.importing > 0).then(|| ("Adding the style…".to_owned(), None))
    }

    /// Closes what is open above the picture; returns whether there was anything.
    fn close_top(&mut self, shell: &mut Shell) -> bool;
}
