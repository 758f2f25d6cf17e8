//! Model repositories of NVIDIA's Triton Inference Server, one for each backend. All have a model of the same name.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use itertools::Itertools;

use crate::CliError;
use network::Network;
use weights::{
    onnx::export::{Export, INPUT, OUTPUT},
    safetensors,
};

/// Maximum number of pictures in a run.
const MAX_BATCH: usize = 8;
/// Smallest side for which TensorRT builds an engine.
const MIN_SIDE_PX: usize = 64;

/// Paths and contents of the files of a model. Its configuration comes after what it is about, because a server may
/// read it at once.
pub type Files = Vec<(PathBuf, Vec<u8>)>;

/// The files of a model called `name` in repositories below `folder`, and the command that builds TensorRT's engine.
///
/// # Errors
/// [`CliError::Failed`] if the weights cannot be written as safetensors.
pub fn files(
    (name, folder): (&str, &Path),
    network: &Network,
    metadata: &BTreeMap<String, String>,
    export: &Export,
    onnx: Vec<u8>,
) -> Result<(Files, String), CliError> {
    let path = |backend: &str, file: &str| folder.join(backend).join(name).join(file);
    let sides = |rows: &str, columns: &str, between: &str| {
        let sides =
            if export.has_float_pixels { ["3", rows, columns] } else { [rows, columns, "3"] };
        sides.join(between)
    };
    let shape = |batch: usize, rows: usize, columns: usize| {
        let (columns, rows) = export.size.unwrap_or((columns, rows));
        format!("{INPUT}:{batch}x{}", sides(&rows.to_string(), &columns.to_string(), "x"))
    };
    let command = format!(
        "trtexec --onnx={:?} --saveEngine={:?} --stronglyTyped --minShapes={} --optShapes={} --maxShapes={}",
        path("onnxruntime", "1/model.onnx"),
        path("tensorrt", "1/model.plan"),
        shape(1, MIN_SIDE_PX, MIN_SIDE_PX),
        shape(1, 720, 1280),
        shape(MAX_BATCH, 1080, 1920)
    );
    let texts = ["title", "credit", "license"].into_iter().filter_map(|key| {
        Some(format!("# {key}: {}\n", metadata.get(key)?.split_whitespace().join(" ")))
    });
    let texts: String = texts.collect();
    let dims = match export.size {
        Some((width, height)) => sides(&height.to_string(), &width.to_string(), ", "),
        None => sides("-1", "-1", ", "),
    };
    let number_type = if export.has_float_pixels { "FP32" } else { "UINT8" };
    let tensor = format!("data_type: TYPE_{number_type} dims: [ {dims} ] }} ]");
    let config = |backend: &str| {
        let config = format!(
            "{texts}backend: \"{backend}\"\nmax_batch_size: {MAX_BATCH}\ninput [ {{ name: \"{INPUT}\" {tensor}\n\
             output [ {{ name: \"{OUTPUT}\" {tensor}\ndynamic_batching {{ }}\n"
        );
        (path(backend, "config.pbtxt"), config.into_bytes())
    };
    let weights =
        safetensors::write(network, export.is_half, metadata).map_err(CliError::failed)?;
    let build =
        format!("#!/bin/sh\n# Run it in the folder in which styleforge export ran.\n{command}\n");
    let files = vec![
        (path("onnxruntime", "1/model.onnx"), onnx),
        config("onnxruntime"),
        (path("tensorrt", "1/build.sh"), build.into_bytes()),
        config("tensorrt"),
        (path("styleforge", "1/model.safetensors"), weights),
        // This backend knows its input and output itself.
        (path("styleforge", "config.pbtxt"), format!("{texts}backend: \"styleforge\"\n").into()),
    ];
    Ok((files, command))
}
