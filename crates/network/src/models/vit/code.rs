//! The code that a style transformer makes from a style picture.

/// The code of a style picture. Contains means and standard deviations of its tokens, then scales and offsets of every
/// norm that the code controls, in the network's order. Codes of one network can be mixed with weights.
#[derive(Clone, Debug, PartialEq)]
pub struct StyleCode {
    /// The network that made it.
    pub made_by: NetworkId,
    pub values: Vec<f32>,
}

/// Identifies a network: a hash of its sizes and weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkId(pub u64);

impl NetworkId {
    /// FNV-1a over 32-bit numbers. Only distinguishes one training from the next.
    pub fn of(numbers: impl Iterator<Item = u32>) -> Self {
        Self(numbers.fold(0xcbf2_9ce4_8422_2325, |hash, number| {
            (hash ^ u64::from(number)).wrapping_mul(0x100_0000_01b3)
        }))
    }
}

impl std::fmt::Display for NetworkId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl StyleCode {
    /// The weighted mean of codes. The weights need not add up to one. `None` if `parts` is empty, networks differ, or
    /// no weight is positive.
    pub fn mixed(parts: &[(&Self, f64)]) -> Option<Self> {
        let (first, _) = parts.first()?;
        let total: f64 = parts.iter().map(|(_, weight)| weight.max(0.0)).sum();
        let are_alike = parts.iter().all(|(code, _)| {
            code.made_by == first.made_by && code.values.len() == first.values.len()
        });
        if !are_alike || !total.is_finite() || total <= 0.0 {
            return None;
        }
        let mut sums = vec![0.0f64; first.values.len()];
        for (code, weight) in parts {
            for (sum, &value) in sums.iter_mut().zip(&code.values) {
                *sum += f64::from(value) * weight.max(0.0) / total;
            }
        }
        Some(Self { made_by: first.made_by, values: sums.iter().map(|&sum| sum as f32).collect() })
    }
}
