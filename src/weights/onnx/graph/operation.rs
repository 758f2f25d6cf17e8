//! The operations that a graph is brought to.

/// Index of an operation in [`super::Walked::operations`].
pub(in super::super) type Id = usize;
/// Index of a tensor in [`super::Walked::tensors`].
pub(in super::super) type TensorId = usize;

/// What the picture goes through. Equal operations have equal ids, so two nodes that compute the
/// same are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum Operation {
    /// The graph's input.
    Picture,
    /// Reflection padding of so many pixels on every side.
    Pad(Id, usize),
    /// Convolution without padding of its own.
    Conv {
        input: Id,
        weight: TensorId,
        bias: Option<TensorId>,
        stride: usize,
    },
    /// Instance norm with scale and shift, eps 1e-5.
    Norm {
        input: Id,
        scale: TensorId,
        shift: TensorId,
    },
    Relu(Id),
    /// Sum, the smaller id first.
    Add(Id, Id),
    /// Nearest neighbour, twice the size.
    Upsample(Id),
    /// Limits of 0 and 255.
    Clip(Id),
    // Pieces of an instance norm that is spelled out; each names the map that is normed.
    Mean(Id),
    Centred(Id),
    Square(Id),
    Variance(Id),
    /// Variance plus eps.
    Raised(Id),
    Deviation(Id),
    InverseDeviation(Id),
    Normalised(Id),
    ScaledInverse(Id, TensorId),
    Scaled(Id, TensorId),
}

impl Operation {
    /// The operation for people.
    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Self::Picture => "the picture itself",
            Self::Pad(..) => "Pad",
            Self::Conv { .. } => "Conv",
            Self::Norm { .. } => "InstanceNormalization",
            Self::Relu(_) => "Relu",
            Self::Add(..) => "Add",
            Self::Upsample(_) => "an upsampling",
            Self::Clip(_) => "Clip",
            Self::Mean(_)
            | Self::Centred(_)
            | Self::Square(_)
            | Self::Variance(_)
            | Self::Raised(_)
            | Self::Deviation(_)
            | Self::InverseDeviation(_)
            | Self::Normalised(_)
            | Self::ScaledInverse(..)
            | Self::Scaled(..) => "an unfinished norm",
        }
    }
}
