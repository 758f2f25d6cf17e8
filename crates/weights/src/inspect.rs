//! Inspection of a weights file: what it contains, even if it is refused.
//!
//! For users who wonder why a download does not work, and for scripts. Blocks on the disk; any thread may call it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Serialize;

use network::{
    graph::Graph,
    models::{
        johnson::{Form, NetworkSpec, checkpoint},
        role_of,
    },
};

use super::{
    Budget, Choice, Family, Format, PixelChoice, Result, WeightsError, bytes_in_hex,
    file_name::as_text,
    fit::{Fitted, NamedTensors, Places, guess},
    format_of, named_tensors,
    onnx::OnnxFile,
    read_file, safetensors,
    style_network::{self, StyleNetworkFacts},
    tensor::{Dtype, StoredTensor},
};

/// One tensor of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorFacts {
    pub name: String,
    pub shape: Vec<usize>,
    /// `fp16`, `fp32`, `int64` and the like.
    pub dtype: String,
    /// Smallest finite value; `None` for types that cannot be weights and for empty tensors.
    pub least: Option<f32>,
    /// Largest finite value.
    pub greatest: Option<f32>,
    /// Number of values that are NaN or infinite.
    pub not_finite: usize,
}

/// How much a network computes for one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Work {
    /// Columns of the picture.
    pub width: usize,
    /// Rows of the picture.
    pub height: usize,
    /// As [`Graph::multiply_adds`] counts them.
    pub multiply_adds: u64,
}

impl Work {
    /// Side of the picture for a network that runs at any size.
    const SIDE_PX: usize = 512;

    /// The work of a network; `None` if it does not run at that size.
    fn of(graph: &Graph) -> Option<Self> {
        let [height, width] = graph.fixed_size().unwrap_or([Self::SIDE_PX; 2]);
        let (_, shapes) = graph.for_photo(height, width).ok()?;
        Some(Self { width, height, multiply_adds: graph.multiply_adds(&shapes) })
    }
}

/// The contents of a file. Parts that are unknown are `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Inspection {
    #[serde(serialize_with = "as_text")]
    pub path: PathBuf,
    /// The bytes of `path` as hexadecimal digits, if it is not valid UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
    pub size_bytes: Option<u64>,
    /// `safetensors`, `PyTorch` or `ONNX`.
    pub format: Option<&'static str>,
    /// The family whose names or graph the file has, if known.
    pub family: Option<Family>,
    /// Channels at full, half and quarter size.
    pub widths: Option<[usize; 3]>,
    /// Number of residual blocks.
    pub blocks: Option<usize>,
    /// Kernel sides, in pixels, in layer order: conv1, conv2, conv3, the residual ones, deconv1, deconv2, deconv3.
    pub kernels_px: Option<[usize; 7]>,
    /// The sizes, if the file is a style network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style_network: Option<StyleNetworkFacts>,
    /// Number of operations of each kind, for a network that is no known model.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub operations: BTreeMap<&'static str, usize>,
    /// The cost of painting with it; `None` for a refused file and for a style network.
    pub work: Option<Work>,
    /// Number of values in all tensors of the network or, for a refused file, in all tensors found.
    pub parameters: usize,
    /// Number of tensors per number type.
    pub dtypes: BTreeMap<String, usize>,
    /// Smallest finite value of all tensors.
    pub least: Option<f32>,
    /// Largest finite value of all tensors.
    pub greatest: Option<f32>,
    /// Every tensor, in the file's order.
    pub tensors: Vec<TensorFacts>,
    /// Free text of the file.
    pub metadata: BTreeMap<String, String>,
    /// The options with which the file can be used, if it does not contain the value ranges of its pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needed_options: Option<&'static str>,
    /// Why the file cannot be used as a style; `None` if it can.
    pub refused: Option<String>,
}

/// Reports what a file contains and whether it can be used, if its network reads and makes such pixels.
pub fn describe(path: &Path, pixels: PixelChoice) -> Inspection {
    let mut facts = Inspection {
        path: path.to_owned(),
        path_bytes: bytes_in_hex(path),
        size_bytes: path.metadata().ok().map(|m| m.len()),
        ..Inspection::default()
    };
    let filled =
        read_file(path).and_then(|b| facts.fill(&b, &Budget::for_file(b.len()), pixels.into()));
    facts.judged(filled)
}

/// As [`describe`], for a file whose bytes are in memory.
pub fn describe_bytes(bytes: &[u8]) -> Inspection {
    describe_within(bytes, &Budget::for_file(bytes.len()))
}

/// As [`describe_bytes`], with the budget to charge. The caller can read the cost from it afterwards.
pub fn describe_within(bytes: &[u8], budget: &Budget) -> Inspection {
    let mut facts = Inspection { size_bytes: Some(bytes.len() as u64), ..Inspection::default() };
    let filled = facts.fill(bytes, budget, Choice::default());
    facts.judged(filled)
}

impl Inspection {
    /// Records why the bytes cannot be used as a style, if so.
    fn judged(mut self, read: Result<()>) -> Self {
        match read {
            Ok(()) => {}
            Err(WeightsError::PixelValues { known }) => {
                self.family = Some(Family::PictureNetwork);
                self.needed_options = Some(match known {
                    PixelChoice { input: Some(_), .. } => "--output-range",
                    PixelChoice { output: Some(_), .. } => "--input-range",
                    _ => "--input-range and --output-range",
                });
            }
            Err(error) => {
                if let WeightsError::Foreign(family) = error {
                    self.family = Some(family);
                }
                self.refused = Some(error.to_string());
            }
        }
        self
    }

    /// Fills in what can be read from the bytes.
    fn fill(&mut self, bytes: &[u8], budget: &Budget, choice: Choice) -> Result<()> {
        let format = format_of(bytes)?;
        self.format = Some(format.name());
        let fitted = if format == Format::Onnx {
            let file = OnnxFile::parse(bytes, budget)?;
            self.metadata = file.metadata(budget)?;
            self.list(&file.tensors(budget)?, budget)?;
            self.family = Some(Family::OnnxExport);
            file.fit(budget, choice).map(|(fitted, _)| fitted)
        } else {
            let (tensors, mut metadata) = named_tensors(bytes, budget)?;
            self.list(&tensors, budget)?;
            let fitted = safetensors::fit_any(&tensors, &mut metadata, choice, budget);
            self.metadata = metadata;
            if matches!(fitted, Err(WeightsError::StyleNetwork)) {
                return self.fill_style_network(&tensors, budget);
            }
            fitted
        };
        let Fitted { family, network, facts, .. } = fitted?;
        self.family = Some(family);
        self.metadata.extend(facts);
        match NetworkSpec::recognise(network.graph()) {
            Some(spec) => self.outline(&spec),
            None => {
                for node in network.graph().nodes() {
                    *self.operations.entry(node.op.name()).or_default() += 1;
                }
            }
        }
        self.parameters = network.graph().parameter_count();
        self.work = Work::of(network.graph());
        Ok(())
    }

    /// Fills in the facts about a style network, and checks that it is complete.
    fn fill_style_network(&mut self, tensors: &NamedTensors<'_>, budget: &Budget) -> Result<()> {
        self.family = Some(Family::StyleNetwork);
        let spec = style_network::spec_of(tensors, &self.metadata, budget)?;
        self.style_network = Some(StyleNetworkFacts::of(&spec));
        self.parameters = style_network::fitted(tensors, &self.metadata, budget)?.parameter_count();
        Ok(())
    }

    fn outline(&mut self, spec: &NetworkSpec) {
        self.widths = Some(spec.widths);
        self.blocks = Some(spec.blocks);
        self.kernels_px = Some(spec.kernels.by_layer().map(|(_, kernel)| kernel));
    }

    fn list(&mut self, tensors: &NamedTensors<'_>, budget: &Budget) -> Result<()> {
        self.family = guess(tensors, budget)?;
        // Also for files that are refused.
        let places = Places::of(tensors, role_of, budget)?;
        if let Ok(spec) = checkpoint::spec(&places, &Form::JOHNSON) {
            self.outline(&spec);
        }
        self.parameters =
            tensors.iter().map(|(_, t)| t.element_count()).fold(0, usize::saturating_add);
        // Tensors may share bytes. If they do so too often, reading their values costs too much for the file's length.
        let total_bytes =
            tensors.iter().map(|(_, t)| t.size_bytes() as u64).fold(0, u64::saturating_add);
        let with_values = total_bytes <= budget.file_bytes().saturating_mul(2);
        for (name, tensor) in tensors {
            let facts = facts_of(name, tensor, with_values, budget)?;
            *self.dtypes.entry(facts.dtype.clone()).or_default() += 1;
            self.least = extreme(f32::min, self.least, facts.least);
            self.greatest = extreme(f32::max, self.greatest, facts.greatest);
            budget.push(&mut self.tensors, facts)?;
        }
        Ok(())
    }
}

fn facts_of(
    name: &str,
    tensor: &StoredTensor<'_>,
    with_values: bool,
    budget: &Budget,
) -> Result<TensorFacts> {
    let mut shape = budget.list(tensor.shape().len())?;
    shape.extend_from_slice(tensor.shape());
    let mut facts = TensorFacts {
        name: budget.text(name)?,
        shape,
        dtype: budget.text(tensor.dtype().name())?,
        least: None,
        greatest: None,
        not_finite: 0,
    };
    if with_values && matches!(tensor.dtype(), Dtype::Float(_)) {
        budget.steps(tensor.element_count())?;
        let seen = tensor.each_f32(|value| {
            if value.is_finite() {
                facts.least = extreme(f32::min, facts.least, Some(value));
                facts.greatest = extreme(f32::max, facts.greatest, Some(value));
            } else {
                facts.not_finite += 1;
            }
        });
        debug_assert!(seen.is_ok(), "floats are read");
    }
    Ok(facts)
}

/// The smaller or larger of two values, of which either may be missing.
fn extreme(pick: fn(f32, f32) -> f32, a: Option<f32>, b: Option<f32>) -> Option<f32> {
    a.into_iter().chain(b).reduce(pick)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(bytes: &[u8]) -> Inspection {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("file.bin");
        std::fs::write(&path, bytes).expect("written");
        describe(&path, PixelChoice::default())
    }

    #[test]
    fn a_good_file_is_described() {
        let spec = NetworkSpec::with_widths([2, 3, 4]);
        let network = spec.random(1).expect("valid");
        let metadata = BTreeMap::from([("title".to_owned(), "Blue".to_owned())]);
        let bytes = safetensors::write(&network, true, &metadata).expect("written");
        let facts = described(&bytes);
        assert_eq!(facts.refused, None);
        assert_eq!(facts.family, Some(Family::Style));
        assert_eq!(facts.widths, Some([2, 3, 4]));
        assert_eq!(facts.kernels_px, Some([9, 3, 3, 3, 3, 3, 9]));
        assert_eq!(facts.parameters, network.graph().parameter_count());
        assert_eq!(facts.dtypes, BTreeMap::from([("fp16".to_owned(), facts.tensors.len())]));
        assert!(facts.least < Some(0.0) && facts.greatest > Some(100.0));
        assert_eq!(facts.metadata, metadata);
        let json = serde_json::to_value(&facts).expect("JSON");
        assert_eq!(json["family"], "StyleForge style");
    }

    #[test]
    fn a_refused_file_is_described_as_far_as_possible() {
        let network = NetworkSpec::with_widths([2, 3, 4]).random(1).expect("valid");
        let good = safetensors::write(&network, false, &BTreeMap::new()).expect("written");
        let at = good.windows(13).position(|w| w == b"res5.in2.bias").expect("there");
        let mut bytes = good;
        bytes[at..at + 13].copy_from_slice(b"res5.in2.xxxx");
        let facts = described(&bytes);
        let reason = facts.refused.expect("refused");
        assert!(reason.contains("res5.in2.bias"), "{reason}");
        assert_eq!(facts.widths, Some([2, 3, 4]));
        assert_eq!(facts.family, Some(Family::PytorchExamples));
    }

    #[test]
    fn unreadable_files_are_reported() {
        let folder = tempfile::tempdir().expect("folder");
        let reason = describe(folder.path(), PixelChoice::default()).refused.expect("refused");
        assert!(reason.contains("folder"), "{reason}");
        let none = folder.path().join("none");
        let reason = describe(&none, PixelChoice::default()).refused.expect("refused");
        assert!(reason.contains("could not be read"), "{reason}");
        assert!(described(b"").refused.is_some_and(|r| r.contains("empty")));
    }
}
