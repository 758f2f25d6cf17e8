//! Maps whose values are given other sides for a while: planes laid out in rows, over which a mean goes, and columns
//! and rows, which are repeated. What has the sides of a map again is the map, or the map upsampled.

use crate::graph::Op;

use super::{
    super::{
        super::{numbers::sides_for, shown},
        lowered::Reshaped,
    },
    LoweredNode, Lowering, Map, Node, NodeId, RANK, Step, WeightsError, grown, refused,
    unsupported,
};

/// As many sides as a map has, and nothing repeated.
pub(super) const AS_A_MAP: Reshaped =
    Reshaped { rank: RANK, columns_doubled: false, rows_doubled: false };

pub(super) fn reshaping(graph: &mut Lowering<'_>, node: &Node<'_>) -> Result<NodeId, WeightsError> {
    let map = graph.as_map(node, 0).ok_or_else(|| unsupported(node))?;
    let asked = graph
        .numbers(node, 1)?
        .ok_or_else(|| refused(format!("{} lacks a shape", node.label())))?;
    // Since opset 14 a side of 0 may mean 0; before, it keeps the side.
    let keeps = node.attribute("allowzero").is_none_or(|a| a.i == 0);
    let mut shapes = Vec::new();
    for (given, asked) in graph.sides(map).iter().zip(asked.iter()) {
        let asked =
            asked.as_ints().ok_or_else(|| refused(format!("{} lacks a shape", node.label())))?;
        let sides = new_sides(given, asked, keeps).ok_or_else(|| {
            refused(format!(
                "{} gives a map with the sides {} the shape {}",
                node.label(),
                shown(given),
                shown(asked)
            ))
        })?;
        shapes.push(sides);
    }
    let (origin, reshaped) = origin(graph, map);
    add(graph, node, origin, reshaped, &shapes)
}

/// The map whose values a map in any shape has, and how it has them.
pub(super) fn origin(graph: &Lowering<'_>, map: NodeId) -> (NodeId, Reshaped) {
    match graph.nodes[map] {
        LoweredNode { step: Step::Reshaped(reshaped), inputs: [origin, _], .. } => {
            (origin, reshaped)
        }
        _ => (map, AS_A_MAP),
    }
}

/// Gives a map's values the sides `shapes`, one list for each probe; `how` says what is repeated, its rank counts for
/// nothing.
pub(super) fn add(
    graph: &mut Lowering<'_>,
    node: &Node<'_>,
    origin: NodeId,
    how: Reshaped,
    shapes: &[Vec<usize>],
) -> Result<NodeId, WeightsError> {
    if graph.batch != 1 {
        return Err(refused(format!(
            "{} reshapes a batch of {} pictures, a style network paints one",
            node.label(),
            graph.batch
        )));
    }
    let rank = shapes.first().map_or(0, Vec::len);
    let maps: Option<Vec<Map>> =
        shapes.iter().map(|sides| as_map(sides).filter(|_| sides.len() == rank)).collect();
    let maps = maps.ok_or_else(|| {
        refused(format!(
            "{} makes of a map one with the sides {}",
            node.label(),
            shown(shapes.first().map_or(&[][..], Vec::as_slice))
        ))
    })?;
    if rank == RANK {
        match (how.columns_doubled, how.rows_doubled) {
            (false, false) if maps == graph.maps[origin] => return Ok(origin),
            (true, true) => {
                let doubled = grown(&graph.maps[origin], node, |side| 2 * side)?;
                if maps == doubled {
                    let upsampled = LoweredNode::new(Step::Op(Op::Upsample), &[origin]);
                    return graph.add(upsampled, doubled);
                }
            }
            _ => {}
        }
    }
    let step = Step::Reshaped(Reshaped { rank, ..how });
    graph.add(LoweredNode::new(step, &[origin]), maps)
}

/// The product of sides; `None` where there is no such number.
pub(super) fn product(sides: &[usize]) -> Option<usize> {
    sides.iter().try_fold(1usize, |p, side| p.checked_mul(*side))
}

/// The sides that a map with the sides `given` gets: 0 keeps one, and one of -1 follows from the others.
fn new_sides(given: &[usize], asked: &[i64], keeps: bool) -> Option<Vec<usize>> {
    if asked.len() > RANK {
        return None;
    }
    let meant = |(index, side): (usize, &i64)| match side {
        0 if keeps => i64::try_from(*given.get(index)?).ok(),
        side => Some(*side),
    };
    let meant: Option<Vec<i64>> = asked.iter().enumerate().map(meant).collect();
    sides_for(product(given)?, &meant?)
}

/// The last three of at most four sides, of which the first is one.
fn as_map(sides: &[usize]) -> Option<Map> {
    let mut all = [1; RANK];
    let start = RANK.checked_sub(sides.len())?;
    all[start..].copy_from_slice(sides);
    match all {
        [1, a, b, c] => Some([a, b, c]),
        _ => None,
    }
}
