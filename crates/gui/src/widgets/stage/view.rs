//! The view of the two pictures: which ones are shown, how they are framed, and the steps that change the view.

use eframe::egui::{Color32, Ui};

use crate::widgets::theme;

/// Which of the two pictures is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Compare {
    /// Both, with a divider between them.
    #[default]
    Both,
    Photo,
    Painting,
    /// Both, side by side, at the same zoom and position.
    SideBySide,
}

/// How a picture is placed on the stage before it is zoomed.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Framing {
    /// The whole picture, with a margin around it.
    #[default]
    Window,
    /// The whole picture, as large as the stage allows.
    Fit,
    /// Covers the whole stage; what does not fit is cut off.
    Fill,
}

impl Framing {
    /// The background of the picture: black if it is shown alone.
    pub fn around(self, ui: &Ui) -> Color32 {
        match self {
            Self::Window => theme::palette(ui).stage,
            Self::Fit | Self::Fill => Color32::BLACK,
        }
    }
}

/// A change of the view.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ViewStep {
    ZoomIn,
    ZoomOut,
    /// The whole picture.
    Fit,
    /// One image pixel per screen pixel.
    ActualSize,
    /// Move the picture by this many steps.
    Pan(f32, f32),
    /// Move the divider by this share of the picture.
    Wipe(f32),
    /// Photo, both, painting, photo, …
    NextCompare,
}
