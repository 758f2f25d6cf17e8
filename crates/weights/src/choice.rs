//! What the user says about a file.

use network::models::{Misfit, rrmina::Published};

use super::{PixelChoice, Result, WeightsError};

/// What the user says about a file that does not say it itself, or says it wrongly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The pixel format of its network.
    pub pixels: PixelChoice,
    /// Which of rrmina's networks it contains.
    pub network: Option<Published>,
}

impl Choice {
    /// Refuses the choice of a network for a file that contains a graph.
    ///
    /// # Errors
    /// [`WeightsError::Misfit`].
    pub(super) fn check_no_network(self) -> Result<()> {
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
