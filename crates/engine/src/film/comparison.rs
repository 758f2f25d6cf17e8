//! A part of a film, painted once and steadied in several ways, to choose from.

use std::sync::Arc;

use super::RenderError;
use crate::{
    FilmPainter, Stylization,
    paint::{OutputSize, WorkingSize, at_size},
    steadied::Steadier,
};
use media::{
    film::{OpenFilm, Range},
    framing::Framing,
};
use network::Network;
use values::frame::Frame;

/// What is compared.
pub struct Comparison {
    pub film: Arc<OpenFilm>,
    pub range: Range,
    /// Long side of the pictures, and maximum number of frames.
    pub long_side_px: usize,
    pub max_frames: usize,
    pub framing: Framing,
    pub network: Arc<Network>,
    pub stylization: Stylization<WorkingSize>,
}

impl Comparison {
    /// Paints it; `take` gets the time of each frame, in seconds, and the frame with each of these values of steadiness,
    /// and returns whether to continue. Blocks until `painter` has painted all of it.
    ///
    /// # Errors
    /// [`RenderError`].
    pub fn paint<const N: usize>(
        &self,
        percents: [u8; N],
        painter: &FilmPainter,
        mut take: impl FnMut(f64, [Frame; N]) -> bool,
    ) -> Result<(), RenderError> {
        let Self { film, stylization, .. } = self;
        let size = WorkingSize::LongSide(self.long_side_px);
        let settings = Stylization { size, ..stylization.clone() }.paint_settings();
        let mut steadiers = percents.map(|percent| (percent, Steadier::new(1)));
        let mut decoder = film.decoder(self.range, Some(self.long_side_px))?;
        for _ in 0..self.max_frames {
            let Some((seconds, frame)) = decoder.next_timed()? else { break };
            let frame = Arc::new(film.framed(self.framing, frame));
            let control = Arc::default();
            let painted = painter.paint(&[&frame], &self.network, settings, None, &control)?;
            let Some(painting) = painted.first() else { break };
            let paintings = steadiers.each_mut().map(|(percent, steadier)| {
                let mut painting = painting.clone();
                let source = |(width, height)| at_size(&frame, width, height);
                steadier.steadied(false, *percent, &mut painting.painted, source);
                painting.into_finished(&frame, OutputSize::Working, stylization.look)
            });
            if !take(seconds, paintings) {
                break;
            }
        }
        Ok(())
    }
}
