//! The times of two modes that paint the same frames in turn.

use std::{collections::VecDeque, sync::Arc};

use crate::pages::lab::meters::push_newest;
use engine::live::meter::Spread;
use values::mode::Mode;

/// Number of newest frames that are used.
const KEPT: usize = 120;
/// Minimum number of frames that both modes must paint before their ratio is shown; fewer are not significant.
pub const MIN_PAIRS: usize = 8;

/// What is compared.
#[derive(Clone, PartialEq)]
pub struct ComparedModes {
    pub modes: [Mode; 2],
    /// Their names if they differ from the modes' names: those of two devices.
    pub names: Option<Arc<[String; 2]>>,
    /// Width and height of the network's input, in pixels.
    pub working: (usize, usize),
}

/// Device times of frames that both modes have painted, in milliseconds.
#[derive(Default)]
pub struct PairTimes {
    of: Option<ComparedModes>,
    pub pairs: VecDeque<[f64; 2]>,
}

impl PairTimes {
    /// Notes a frame that both modes have painted. Discards the times of a different comparison.
    pub fn note(&mut self, of: ComparedModes, ms: [f64; 2]) {
        if self.of.as_ref() != Some(&of) {
            self.of = Some(of);
            self.pairs.clear();
        }
        push_newest(&mut self.pairs, KEPT, ms);
    }

    /// Spread of both modes' times; `None` before the first frame.
    pub fn spreads(&self) -> Option<[Spread; 2]> {
        let of = |side: usize| {
            let mut times: Vec<f32> = self.pairs.iter().map(|pair| pair[side] as f32).collect();
            Spread::of(&mut times)
        };
        Some([of(0)?, of(1)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_those_of_the_newest_frames_of_the_same_comparison() {
        let mut times = PairTimes::default();
        assert_eq!(times.spreads(), None);
        let of = ComparedModes { modes: [Mode::default(); 2], names: None, working: (640, 480) };
        // A slow first frame of each mode does not change the medians.
        times.note(of.clone(), [900.0, 80.0]);
        for _ in 0..MIN_PAIRS {
            times.note(of.clone(), [20.0, 10.0]);
        }
        assert_eq!(times.pairs.len(), MIN_PAIRS + 1);
        let medians = times.spreads().map(|both| both.map(|side| side.p50));
        assert_eq!(medians, Some([20.0, 10.0]));
        for _ in 0..2 * KEPT {
            times.note(of.clone(), [40.0, 10.0]);
        }
        assert_eq!(times.pairs.len(), KEPT);
        let medians = times.spreads().map(|both| both.map(|side| side.p50));
        assert_eq!(medians, Some([40.0, 10.0]));
        let working = (320, 240);
        times.note(ComparedModes { working, ..of }, [5.0, 2.0]);
        assert_eq!(times.pairs.len(), 1, "another size is another comparison");
    }
}
