//! The layout of a session's memory: one allocation on the device, divided once.

use super::{CudaPlan, stored_channels};

/// Parts of the allocation start at multiples of this.
const ALIGNMENT: usize = 256;

/// Divides one allocation into parts.
#[derive(Default)]
pub struct Cutter {
    /// Bytes.
    pub used: usize,
}

impl Cutter {
    /// The offset of the next part of this size.
    pub fn part(&mut self, bytes: usize) -> usize {
        let offset = self.used;
        self.used = (offset + bytes).next_multiple_of(ALIGNMENT);
        offset
    }
}

/// Where a convolution's values are stored, as offsets in the allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvMemory {
    pub weights: usize,
    pub bias: usize,
    /// The norm's scale.
    pub gamma: usize,
    /// The norm's shift.
    pub beta: usize,
    /// gamma / standard deviation, which the next layer applies; in the baseline 1 / standard deviation.
    pub scale: usize,
    pub mean: usize,
}

/// Where everything is stored, as offsets in the allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryLayout {
    /// The maps.
    pub arena: usize,
    /// By convolution.
    pub convs: Vec<ConvMemory>,
    /// Parts of statistics.
    pub partials: usize,
    /// Tickets: counters of finished CTAs, with which the last CTA detects that it is the last.
    pub tickets: usize,
    /// Statistics that the CTAs of a chain of layers exchange.
    pub exchange: usize,
    /// Flags with which the CTAs of a norm in one launch learn what the others have written.
    pub flags: usize,
    /// Working memory of a library's convolutions.
    pub workspace: usize,
    /// In RGBA8.
    pub photo: usize,
    /// The paintings in RGBA8, followed by the flag for values that the maps' format cannot represent, if there is one.
    pub painting: usize,
    /// Photos and paintings of a second batch, which is transferred while the first is painted.
    pub second: (usize, usize),
    /// The paintings before rounding.
    pub floats: usize,
    /// By constant.
    pub constants: Vec<usize>,
    /// Total size in bytes.
    pub total: usize,
}

impl MemoryLayout {
    /// Divides the memory for a plan.
    pub fn of(plan: &CudaPlan) -> Self {
        let mut cutter = Cutter::default();
        let arena = cutter.part(plan.arena_bytes);
        let convs = plan
            .convs
            .iter()
            .zip(&plan.weight_bytes)
            .map(|(conv, &weight_bytes)| {
                let channels = 4 * stored_channels(conv.out_channels);
                ConvMemory {
                    weights: cutter.part(weight_bytes),
                    bias: cutter.part(channels),
                    gamma: cutter.part(channels),
                    beta: cutter.part(channels),
                    scale: cutter.part(plan.batch * channels),
                    mean: cutter.part(plan.batch * channels),
                }
            })
            .collect();
        let pixels = |(h, w): (usize, usize)| plan.batch * h * w;
        Self {
            arena,
            convs,
            partials: cutter.part(4 * plan.partial_values),
            tickets: cutter.part(4 * plan.tickets),
            exchange: cutter.part(plan.exchange_bytes),
            flags: cutter.part(4 * plan.batch * plan.flags_per_image()),
            workspace: cutter.part(plan.workspace_bytes),
            photo: cutter.part(4 * pixels(plan.extended)),
            painting: cutter.part(plan.painting_bytes() + plan.flag_bytes()),
            second: (
                cutter.part(4 * pixels(plan.extended)),
                cutter.part(plan.painting_bytes() + plan.flag_bytes()),
            ),
            floats: cutter.part(12 * pixels(plan.photo)),
            constants: (plan.constants.iter())
                .map(|constant| cutter.part(constant.bytes))
                .collect(),
            total: cutter.used,
        }
    }

    /// The same layout, with the photos and paintings of the second batch.
    #[must_use]
    pub fn second_slot(&self) -> Self {
        let (photo, painting) = self.second;
        Self { photo, painting, ..self.clone() }
    }
}
