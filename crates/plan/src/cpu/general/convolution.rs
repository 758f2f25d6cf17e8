//! The algorithm of any convolution, and how its tasks stage the inputs.

use crate::{
    cpu::{
        CHANNEL_ALIGNMENT, PANEL_COLUMNS, TILE_COLUMNS, TILE_SLACK, WINOGRAD_POINTS,
        padded_channels, staging::tiles_scratch,
    },
    geometry::{Axis, ConvGeometry},
};
use network::graph::{Conv, Node, PadMode, Sides};
use values::tensor::Shape;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvAlgorithm {
    /// Input rows are staged and multiplied by panels of weights.
    Rows,
    /// Like `Rows`, with all kernel columns as columns of one product, followed by shifted sums. For few output
    /// channels.
    ShiftedColumns,
    /// One input channel for each output channel.
    Depthwise,
    /// Winograd F(4x4, 3x3).
    Winograd,
}

use ConvAlgorithm::*;

/// One convolution of a general plan.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneralConv {
    /// The node whose weights it uses.
    pub node: String,
    /// Nodes of scales and shifts after it that are folded into its weights and bias, in order.
    pub affines: Vec<String>,
    /// Channels, kernel and steps.
    pub conv: Conv,
    pub is_transposed: bool,
    /// The border beyond the edge of its input.
    pub border: PadMode,
    /// Rows, then columns.
    pub axes: [Axis; 2],
    pub algorithm: ConvAlgorithm,
}

impl GeneralConv {
    /// A node's convolution, whose input is padded while it is staged; `None` for a node of another kind. Winograd's
    /// algorithm is only used if it is `fused`.
    pub fn new(
        node: &Node,
        pad: Option<(PadMode, Sides)>,
        output: Shape,
        is_fused: bool,
    ) -> Option<Self> {
        let (border, margin) = pad.unwrap_or((PadMode::Constant(0.0), Sides::default()));
        let ConvGeometry { conv, is_transposed, axes } =
            ConvGeometry::of(&node.op, margin, output)?;
        let algorithm = Rows;
        let node = node.name.clone();
        let mut made =
            Self { node, affines: Vec::new(), conv, is_transposed, border, axes, algorithm };
        made.algorithm = made.best_algorithm(is_fused);
        Some(made)
    }

    fn best_algorithm(&self, is_fused: bool) -> ConvAlgorithm {
        let Conv { in_channels, out_channels, kernel, stride, groups, .. } = self.conv;
        // With fewer channels the transforms would not pay off.
        let is_for_winograd =
            self.conv.as_square() == Some((3, 1)) && in_channels > 4 && out_channels > 4;
        let is_narrower =
            padded_channels(kernel[1] * out_channels) < kernel[1] * padded_channels(out_channels);
        if self.is_transposed {
            Rows
        } else if is_fused && is_for_winograd {
            Winograd
        } else if groups > 1 && groups == in_channels && groups == out_channels {
            Depthwise
        } else if groups == 1
            && self.is_dense()
            && stride[1] == 1
            && out_channels <= CHANNEL_ALIGNMENT
            && is_narrower
        {
            ShiftedColumns
        } else {
            Rows
        }
    }

    /// The kernel's name.
    pub fn label(&self) -> String {
        let [rows, columns] = self.conv.kernel;
        match self.algorithm {
            Rows if self.is_transposed => format!("sub-pixel {rows}x{columns}"),
            Rows => format!("direct {rows}x{columns}"),
            ShiftedColumns => format!("shifted columns {rows}x{columns}"),
            Depthwise => format!("depthwise {rows}x{columns}"),
            Winograd => "winograd 4x4".to_owned(),
        }
    }

    /// True if all phases read from one ring of staged rows. Otherwise each phase stages its own taps.
    pub fn is_dense(&self) -> bool {
        self.axes.iter().all(Axis::is_dense)
    }

    /// Channels of one staged pixel.
    pub const fn staged_channels(&self) -> usize {
        match self.algorithm {
            Depthwise => padded_channels(self.conv.in_channels),
            _ => self.conv.in_channels / self.conv.groups,
        }
    }

    /// Columns of the product with the weights of a group.
    pub const fn product_columns(&self) -> usize {
        let outputs = self.conv.out_channels / self.conv.groups;
        match self.algorithm {
            ShiftedColumns => self.conv.kernel[1] * outputs,
            _ => outputs,
        }
    }

    /// Pixels of one computed row that its last outputs need beyond the tile.
    pub const fn shifted_px(&self) -> usize {
        match self.algorithm {
            ShiftedColumns => self.conv.kernel[1] - 1,
            _ => 0,
        }
    }

    /// Values of one staged row.
    pub fn row_len(&self) -> usize {
        let [_, columns] = &self.axes;
        let places = TILE_COLUMNS + TILE_SLACK;
        let pixels = if self.is_dense() || self.algorithm == Depthwise {
            (places - 1) * columns.in_step + columns.span() + self.shifted_px()
        } else {
            places * columns.max_taps()
        };
        // Whole vectors are stored, so a few values after the last pixel are overwritten.
        pixels * self.staged_channels() + CHANNEL_ALIGNMENT
    }

    /// Number of rows that are staged at the same time.
    pub fn staged_rows(&self) -> usize {
        let [rows, _] = &self.axes;
        let is_ring = match self.algorithm {
            Depthwise => rows.is_dense(),
            _ => self.is_dense(),
        };
        if is_ring { rows.span() } else { rows.max_taps() }
    }

    /// Values of one computed pixel.
    pub const fn computed_len(&self) -> usize {
        self.product_columns().next_multiple_of(PANEL_COLUMNS)
    }

    /// Scratch of one worker, in f32.
    pub fn scratch_len(&self) -> usize {
        let inputs = padded_channels(self.conv.in_channels);
        if self.algorithm == Winograd {
            return tiles_scratch(WINOGRAD_POINTS, inputs, 16);
        }
        let ring = self.staged_rows() * self.row_len();
        let pixels = TILE_COLUMNS + TILE_SLACK + self.shifted_px();
        let computed = match self.algorithm {
            Depthwise => 0,
            _ => pixels * self.computed_len() + PANEL_COLUMNS,
        };
        ring + computed
    }

    /// Packed weights and biases, in f32.
    pub fn packed_len(&self) -> usize {
        let Conv { in_channels, out_channels, kernel, groups, .. } = self.conv;
        let columns = padded_channels(self.product_columns());
        let weights = match self.algorithm {
            Depthwise => kernel[0] * kernel[1] * padded_channels(in_channels),
            Winograd => WINOGRAD_POINTS * padded_channels(in_channels) * columns,
            ShiftedColumns => kernel[0] * in_channels * columns,
            // Every tap belongs to one phase.
            Rows => kernel[0] * kernel[1] * in_channels * columns,
        };
        // A grouped convolution would have one panel set per group.
        debug_assert!(groups == 1 || self.algorithm != Winograd);
        // Folded scales and shifts are kept in double precision while the weights are packed.
        weights + 5 * padded_channels(out_channels)
    }
}
