//! How the two pictures are looked at: which ones, how they are framed, and the steps that change it.

use eframe::egui::{Color32, Visuals};

use crate::gui::theme;

/// Which of the two pictures is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compare {
    /// Both, with a divider between them.
    #[default]
    Both,
    /// The photo.
    Photo,
    /// The painting.
    Painting,
    /// Both, one beside the other, at the same zoom and place.
    SideBySide,
}

impl Compare {
    /// Every choice and its name, in the order in which they are offered.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Photo, "Original"),
        (Self::Both, "Split"),
        (Self::SideBySide, "Side by side"),
        (Self::Painting, "Painted"),
    ];
}

/// How a picture lies on the stage until it is zoomed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Whole, with a margin around it.
    #[default]
    Window,
    /// Whole, as large as the stage.
    Fit,
    /// Over all of the stage; what does not fit is cut off.
    Fill,
}

impl Framing {
    /// What lies around the picture: nothing but black where it stands alone.
    pub fn around(self, visuals: &Visuals) -> Color32 {
        match self {
            Self::Window => theme::palette(visuals).stage,
            Self::Fit | Self::Fill => Color32::BLACK,
        }
    }
}

/// A change of the view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ViewStep {
    /// Enlarge.
    ZoomIn,
    /// Shrink.
    ZoomOut,
    /// The whole picture.
    Fit,
    /// One image pixel per screen pixel.
    ActualSize,
    /// Move the picture by so many steps.
    Pan(f32, f32),
    /// Move the divider by this share of the picture.
    Wipe(f32),
    /// Photo, both, painting, photo, …
    NextCompare,
}
