//! What a person says of a file that does not tell it itself.

use crate::models::{Misfit, rrmina::Published};

use super::{PixelChoice, WeightsError};

/// What a person says of a file, where it does not tell, or wrongly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The values of its network.
    pub pixels: PixelChoice,
    /// Which of rrmina's networks it holds.
    pub network: Option<Published>,
}

impl Choice {
    /// Refuses a network's name for a file that holds a graph.
    ///
    /// # Errors
    /// [`WeightsError::Misfit`].
    pub(super) fn check_no_network(self) -> Result<(), WeightsError> {
        match self.network {
            None => Ok(()),
            Some(asked) => Err(WeightsError::Misfit(Misfit::Other {
                asked: asked.name(),
                found: "a graph, which defines its own network",
            })),
        }
    }
}

impl From<PixelChoice> for Choice {
    fn from(pixels: PixelChoice) -> Self {
        Self { pixels, network: None }
    }
}
