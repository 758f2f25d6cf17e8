//! Which graphs the kernels of Johnson's networks compute correctly, in addition to having a kernel for each group.

use crate::Nodes;
use network::graph::{Conv, NodeId, Op};
use values::tensor::Shape;

/// Largest stride that those kernels support.
const MAX_STRIDE: usize = 2;

/// The first node that prevents a graph from using the specialised plans.
///
/// Specialised plans divide the photo's levels when they are loaded. Only the norm after the convolution that reads
/// them cancels the factor. Their convolutions have odd kernels and strides of 1 and 2. Only stride 1 is allowed over
/// an upsampled map, over the photo, and for making the picture. The photo and the picture's map are never upsampled. A
/// picture is cut from a map that is at least as large.
pub fn unlike_specialised(nodes: &Nodes<'_>, photo: (usize, usize)) -> Option<NodeId> {
    let count = nodes.shapes.len();
    // Maps that contain the photo's levels, and maps that are upsampled.
    let (mut is_levels, mut is_doubled) = (vec![false; count], vec![false; count]);
    (0..count).find(|&id| {
        let (node, readers) = (nodes.node(id), &nodes.readers[id]);
        let reads = |is: &[bool]| node.inputs.iter().any(|&input| is[input]);
        let (levels, doubled) = (reads(&is_levels), reads(&is_doubled));
        is_levels[id] = node.op == Op::Photo;
        match node.op {
            Op::Pad { .. } | Op::Crop(_) | Op::Upsample => {
                is_levels[id] = levels;
                is_doubled[id] = doubled || node.op == Op::Upsample;
                false
            }
            Op::Conv2d(conv) => {
                let is_own_norm = |&reader: &NodeId| match nodes.op(reader) {
                    Op::InstanceStatistics => true,
                    _ => nodes.conv_of_norm(reader) == Some(id),
                };
                let is_picture = |&reader: &NodeId| *nodes.op(reader) == Op::Picture;
                let is_outer = levels || readers.iter().any(is_picture);
                let has_tiles = has_tiles(&conv, doubled || is_outer) && !(doubled && is_outer);
                !has_tiles || (levels && !readers.iter().all(is_own_norm))
            }
            Op::Picture => levels || !covers(nodes.shapes[node.inputs[0]], photo),
            _ => levels,
        }
    })
}

/// True if the tiles support a convolution's kernel and stride. Only a convolution that is not `is_plain` may have
/// stride 2.
pub fn has_tiles(conv: &Conv, is_plain: bool) -> bool {
    conv.as_square().is_some_and(|(kernel_px, stride_px)| {
        let most = if is_plain { 1 } else { MAX_STRIDE };
        kernel_px % 2 == 1 && stride_px <= most
    })
}

/// True if a picture of `photo`'s rows and columns can be cut from a map.
pub const fn covers(map: Shape, photo: (usize, usize)) -> bool {
    map.height >= photo.0 && map.width >= photo.1
}
