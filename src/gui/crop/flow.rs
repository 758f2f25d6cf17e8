//! Starts and ends cropping.

use super::Cropping;
use crate::gui::app::App;

impl App {
    /// Shows the rectangle over the photo, or removes it.
    pub(crate) fn toggle_crop(&mut self) {
        if self.cropping.take().is_none()
            && let Some(photo) = self.workspace.photo()
        {
            let framing = self.workspace.choice.framing;
            self.cropping = Some(Cropping::new(&self.ctx, &photo.whole, framing));
        }
    }

    /// The crop in progress, while it is shown.
    pub(crate) fn seen_crop(&self) -> Option<&Cropping> {
        let is_hidden = self.live.is_some() || self.paintings.viewed().is_some();
        self.cropping.as_ref().filter(|_| !is_hidden)
    }

    /// Crops the photo to the rectangle.
    pub(crate) fn apply_crop(&mut self) {
        if let Some(cropping) = self.cropping.take() {
            self.edit(|choice| choice.framing = cropping.framing());
        }
    }
}
