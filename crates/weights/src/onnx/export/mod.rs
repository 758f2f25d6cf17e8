//! Writes a network as an ONNX file, from pixels to pixels.
//!
//! The weights have the names and values that they have in the program's own files, and the metadata say how the file
//! was written. A reader can therefore write the file again, and knows by comparison whether it was changed.

mod messages;
mod nodes;
mod sizes;

use std::collections::BTreeMap;

use half::f16;
use serde::{Deserialize, Serialize};

use super::wire::Message;
use crate::any_network::{GRAPH_KEY, graph_text, named_weights, weight_module};
use messages::{FLOAT, UINT8, value_info};
use network::{
    Network,
    graph::{Graph, GraphError},
};
use nodes::Writer;

pub use sizes::Sizes;

/// The input of an exported network.
pub const INPUT: &str = "IMAGE";
/// Its output.
pub const OUTPUT: &str = "PAINTING";

/// The metadata key of an [`Export`].
pub const EXPORT_KEY: &str = "styleforge.export";
/// The name of this program as the file's producer.
pub const PRODUCER: &str = "StyleForge";
/// The metadata key under which readers report the producer.
pub const PRODUCER_KEY: &str = "producer";
/// Names of values that are no weights begin with it.
pub const VALUE_PREFIX: &str = "value/";

/// The version of the format, and of ONNX's own operators.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 18;

/// Why a network is not written as ONNX.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    #[error("{node} cannot be exported: opset 18 of ONNX has no {what}")]
    Operation { node: String, what: &'static str },
    /// The size of the network's maps follows from the photo's size in an unknown way.
    #[error("the network does not run at every size of photos; choose one size (--size)")]
    Sizes,
    /// Contains the name of a weight.
    #[error("{0} has values that fp16 cannot store; choose --precision fp32")]
    Half(String),
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error("the graph cannot be written: {0}")]
    Text(String),
}

/// How a network is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Weights and maps are fp16 instead of fp32.
    pub is_half: bool,
    /// Pictures are fp32, batch x 3 x rows x columns, of 0 to 255, instead of uint8, batch x rows x columns x 3.
    pub has_float_pixels: bool,
    /// Columns and rows, if the file accepts only one size.
    pub size: Option<(usize, usize)>,
    pub sizes: Sizes,
}

impl Export {
    /// `size` is the only size (columns and rows) of photos, if the file is not for any size.
    ///
    /// # Errors
    /// [`ExportError`] if the network does not run at that size, or not at any.
    pub fn new(
        graph: &Graph,
        is_half: bool,
        has_float_pixels: bool,
        size: Option<(usize, usize)>,
    ) -> Result<Self, ExportError> {
        let size = size.or_else(|| graph.fixed_size().map(|[rows, columns]| (columns, rows)));
        Ok(Self { is_half, has_float_pixels, size, sizes: Sizes::of(graph, size)? })
    }
}

/// The bytes of an ONNX file with a network. The same network and metadata make the same bytes.
///
/// # Errors
/// [`ExportError`] names the operation or the weight that the file cannot have.
pub fn write(
    network: &Network,
    metadata: &BTreeMap<String, String>,
    export: &Export,
) -> Result<Vec<u8>, ExportError> {
    let text = |error: serde_json::Error| ExportError::Text(error.to_string());
    let graph = graph_text(network).map_err(text)?;
    let mut writer = Writer::new(network.graph(), *export);
    for (name, dims, values) in named_weights(network, graph.is_none()) {
        if export.is_half && values.iter().any(|v| v.abs() > f16::MAX.to_f32()) {
            return Err(ExportError::Half(name));
        }
        writer.weights(&name, &dims, values);
    }
    writer.graph(|node| weight_module(node, graph.is_none()))?;
    let (width, height) = export.size.unzip();
    let [height, width] = [height.ok_or("height"), width.ok_or("width")];
    let batch = Err("batch");
    let made = [(11, INPUT), (12, OUTPUT)].iter().fold(writer.made, |made, &(field, name)| {
        let value = if export.has_float_pixels {
            value_info(name, FLOAT, [batch, Ok(3), height, width])
        } else {
            value_info(name, UINT8, [batch, height, width, Ok(3)])
        };
        made.message(field, &value)
    });
    let title = metadata.get("title").map_or(PRODUCER, String::as_str);
    let model = Message::default()
        .int(1, IR_VERSION)
        .bytes(2, PRODUCER)
        .message(7, &made.bytes(2, title))
        .message(8, &Message::default().bytes(1, "").int(2, OPSET));
    let mut metadata = metadata.clone();
    metadata.remove(PRODUCER_KEY);
    metadata.insert(EXPORT_KEY.to_owned(), serde_json::to_string(export).map_err(text)?);
    metadata.extend(graph.map(|graph| (GRAPH_KEY.to_owned(), graph)));
    // What other readers of pictures know.
    for (key, value) in
        [("Image.BitmapPixelFormat", "Rgb8"), ("Image.NominalPixelRange", "NominalRange_0_255")]
    {
        metadata.insert(key.to_owned(), value.to_owned());
    }
    let model = metadata.iter().fold(model, |model, (key, value)| {
        model.message(14, &Message::default().bytes(1, key).bytes(2, value))
    });
    Ok(model.0)
}
