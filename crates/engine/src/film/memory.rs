//! How much memory a film takes, and how many of its frames may be on their way at once.

use super::{RenderError, job::Film};
use crate::paint::{PROGRAM_BYTES, PaintError};
use media::{
    film::{Container, FilmError, Tools},
    memory::{Flow, picture_bytes, too_much},
};

/// Pictures of the working size that the steadiness keeps.
const STEADY_PICTURES: u64 = 12;
/// Bytes per pixel of the state of the steadiness: the painting with its detail, and the source in half of the size and
/// less. Devices paint a few pixels more.
const STATE_BYTES_PER_PX: u64 = 20;
const STATE_MARGIN_PX: u64 = 16;
/// Bytes per pixel of an animation's encoder, which works alone at the end.
const ANIMATION_BYTES_PER_PX: [u64; 2] = [50, 8];

/// A film's share of the memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub flow: Flow,
    /// Bytes that painting must leave to frames on their way, and to the processes if the limit is for these, too.
    pub held_bytes: u64,
    /// Bytes of this program and the processes, but for what paints.
    pub needed_bytes: u64,
}

impl Film<'_> {
    /// The film's share if there is enough memory. `fits` returns whether painting suits a share, and why it is impossible.
    ///
    /// # Errors
    /// [`RenderError`] if even few frames at once take too much.
    pub fn share(
        &self,
        tools: &Tools,
        fits: impl Fn(Share) -> Result<bool, PaintError>,
    ) -> Result<Share, RenderError> {
        let limit_bytes = tools.limit_bytes();
        let of = |flow| {
            let (here, processes) = (self.bytes_here(flow), self.process_bytes(flow));
            let counted = if tools.max_memory_bytes.is_some() { processes } else { 0 };
            let needed_bytes = PROGRAM_BYTES + here + processes;
            Share { flow, held_bytes: here + counted, needed_bytes }
        };
        let paints = self.stylization.look.strength_percent > 0;
        let usual = of(Flow::Usual);
        if usual.needed_bytes <= limit_bytes && (!paints || fits(usual).is_ok_and(|fits| fits)) {
            return Ok(usual);
        }
        let frugal = of(Flow::Frugal);
        if frugal.needed_bytes > limit_bytes {
            let why = too_much(self.clip.size, frugal.needed_bytes, limit_bytes);
            return Err(FilmError::file(&self.clip.name, why).into());
        }
        if paints {
            fits(frugal)?;
        }
        Ok(frugal)
    }

    /// Maximum bytes of the state of the steadiness; 0 without steadiness. Also holds for pictures that are rotated.
    pub(super) fn max_state_bytes(&self) -> u64 {
        if self.stylization.steadiness == 0 {
            return 0;
        }
        let size = |(width, height)| self.stylization.size.resolve(width, height);
        let sizes = [self.clip.size, self.framing.size(self.clip.size)].map(size);
        let side = sizes.into_iter().map(|(width, height)| width.max(height)).max().unwrap_or(0);
        STATE_BYTES_PER_PX * (side as u64 + STATE_MARGIN_PX).pow(2)
    }

    /// Frames painted at once.
    pub(super) fn batch(&self, flow: Flow) -> usize {
        if flow == Flow::Frugal { 1 } else { self.batch.max(1) }
    }

    /// Batches on their way at once: while one is encoded, every device has another one, and a second one waits for it.
    pub(super) fn batches(&self, flow: Flow) -> usize {
        if flow == Flow::Frugal { self.devices } else { 2 * self.devices }
    }

    /// Sizes of the paintings, if there are any, and of the finished pictures.
    pub fn sizes(&self) -> [(usize, usize); 2] {
        let size @ (width, height) = self.framing.size(self.clip.size);
        let working = self.stylization.size.resolve(width, height);
        [working, self.output_size.resolve(size, working)]
    }

    /// Bytes of the pictures that are on their way in this program, but for the one that is being painted.
    fn bytes_here(&self, flow: Flow) -> u64 {
        let [working, finished] = self.sizes().map(picture_bytes);
        let painting = if self.stylization.look.strength_percent == 0 { 0 } else { working };
        let waiting = flow.waiting() as u64;
        let batch = self.batch(flow) as u64;
        let framed = u64::from(!self.framing.is_plain());
        let frame = picture_bytes(self.clip.size);
        // Those of the batches, those that wait to be finished, and the one that is being finished.
        let painted = batch * self.batches(flow) as u64 + waiting + batch + 1;
        let steady = if self.stylization.steadiness > 0 { STEADY_PICTURES * working } else { 0 };
        // Two are being made, and two are sent, of which one is converted.
        let encoded = (4 + waiting) * finished;
        self.clip.decoded_bytes(flow)
            + framed * frame
            + painted * (frame + painting)
            + steady
            + encoded
    }

    /// Bytes of the processes.
    fn process_bytes(&self, flow: Flow) -> u64 {
        let [_, finished] = self.sizes();
        // A part ends while the next one begins.
        let encoders = if flow == Flow::Frugal { 1 } else { 2 };
        let encoder = flow.process_bytes(finished, self.codec.bytes_per_px(flow));
        let mut animation = 0;
        if self.container.is_animation() {
            animation = Flow::Usual.process_bytes(finished, ANIMATION_BYTES_PER_PX);
        }
        if self.container == Container::WebP {
            // Its encoder keeps all frames, measured.
            animation += 3 * self.file_bytes().map_or(0, |[_, most]| most);
        }
        (self.clip.decoder_bytes(flow) + encoders * encoder).max(animation)
    }
}
