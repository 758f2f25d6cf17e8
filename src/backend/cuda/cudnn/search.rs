//! Lists cuDNN's engines for a convolution, chooses those that compute as a format promises, and prepares them;
//! describes a prepared one by numbers, and prepares it again by them.

use std::{ffi::c_int, sync::Arc};

use cudarc::cudnn::sys::{
    cudnnBackendAttributeName_t::{self as Attribute, *},
    cudnnBackendAttributeType_t::{self as AttributeType, *},
    cudnnBackendBehaviorNote_t::CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION,
    cudnnBackendDescriptorType_t::*,
    cudnnBackendHeurMode_t::CUDNN_HEUR_MODE_A,
    cudnnBackendNumericalNote_t::{self as Note, *},
    cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
    cudnnDataType_t::{
        self as DataType, CUDNN_DATA_BFLOAT16, CUDNN_DATA_FLOAT, CUDNN_DATA_HALF, CUDNN_DATA_INT8,
    },
};

use super::{
    Cudnn, IDS,
    calls::{Descriptor, Raw},
};
use crate::{
    backend::cuda::driver::{DriverFailure, EngineConfig},
    numeric::NumberFormat,
    plan::cuda::ConvolutionShape,
};

/// Whether an algorithm with these notes computes what a format promises: products of these operands, added
/// in fp32 and always in the same order.
pub(super) fn keeps_promise(operand: NumberFormat, notes: &[c_int]) -> bool {
    let says = |note: Note| notes.contains(&(note as c_int));
    let broken = [
        CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION,
        CUDNN_NUMERICAL_NOTE_FFT,
        CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC,
        CUDNN_NUMERICAL_NOTE_WINOGRAD,
        CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4,
        CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6,
        CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13,
    ];
    let on_tensor_cores = says(CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
    // Rounding to tf32 is what tf32 is.
    let rounds_inputs = says(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS);
    !(broken.into_iter().any(says)
        || on_tensor_cores && operand == NumberFormat::Fp32
        || rounds_inputs && operand != NumberFormat::Tf32)
}

/// How cuDNN calls the type that a format is stored in.
const fn data_type(format: NumberFormat) -> DataType {
    match format {
        NumberFormat::Fp32 | NumberFormat::Fp16x2 | NumberFormat::Tf32 => CUDNN_DATA_FLOAT,
        NumberFormat::Fp16 => CUDNN_DATA_HALF,
        NumberFormat::Bf16 => CUDNN_DATA_BFLOAT16,
        NumberFormat::Int8 => CUDNN_DATA_INT8,
    }
}

/// A candidate for computing a graph: an engine and its settings.
pub(super) struct Candidate {
    config: Descriptor,
    pub(super) engine: Descriptor,
    /// What the configuration refers to, where this program set the knobs.
    _choices: Vec<Descriptor>,
}

/// An engine's notes of one kind.
pub(super) fn notes(
    engine: &Descriptor,
    name: Attribute,
    of: AttributeType,
) -> Result<Vec<c_int>, DriverFailure> {
    let mut notes = [0; 16];
    let count = engine.get_as(name, of, &mut notes)?;
    Ok(notes[..count].to_vec())
}

/// A prepared algorithm.
pub(super) struct Prepared {
    pub(super) plan: Descriptor,
    /// The descriptors that the plan refers to, kept as long as it.
    pub(super) candidate: Candidate,
    _graph: Arc<Vec<Descriptor>>,
}

impl Cudnn {
    /// A tensor of (n, channels, rows, columns) that lies channels-last.
    fn tensor(
        &self,
        id: i64,
        data_type: DataType,
        [n, channels, rows, columns]: [usize; 4],
    ) -> Result<Descriptor, DriverFailure> {
        /// Every map, and every layer's weights, start at multiples of more.
        const ALIGNMENT_BYTES: i64 = 16;
        let tensor = self.descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR)?;
        let [row, image] = [columns * channels, rows * columns * channels];
        let dimensions = [n, channels, rows, columns].map(|d| d as i64);
        let strides = [image, 1, row, channels].map(|s| s as i64);
        tensor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, &[data_type])?;
        tensor.set(CUDNN_ATTR_TENSOR_DIMENSIONS, &dimensions)?;
        tensor.set(CUDNN_ATTR_TENSOR_STRIDES, &strides)?;
        tensor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, &[id])?;
        tensor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, &[ALIGNMENT_BYTES])?;
        tensor.finalize()?;
        Ok(tensor)
    }

    /// The convolution as a graph of one operation: the graph itself, then what it refers to.
    pub(super) fn graph(
        &self,
        handle: Raw,
        shape: &ConvolutionShape,
    ) -> Result<Vec<Descriptor>, DriverFailure> {
        let data = data_type(shape.format.storage);
        let &ConvolutionShape { batch, in_channels, out_channels, kernel, .. } = shape;
        let (out_height, out_width) = shape.output_size();
        let input = [batch, in_channels, shape.height, shape.width];
        let weights = [out_channels, in_channels, kernel, kernel];
        let output = [batch, out_channels, out_height, out_width];
        let [x, w, y] = [
            self.tensor(IDS[0], data, input)?,
            self.tensor(IDS[1], data, weights)?,
            self.tensor(IDS[2], data, output)?,
        ];

        let convolution = self.descriptor(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)?;
        let pair = |v: usize| [v as i64; 2];
        let mode = [CUDNN_CROSS_CORRELATION];
        let compute = [data_type(shape.format.accumulator)];
        convolution.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, &compute)?;
        convolution.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, &mode)?;
        convolution.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, &[2i64])?;
        for (name, value) in [
            (CUDNN_ATTR_CONVOLUTION_DILATIONS, 1),
            (CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, shape.stride),
            (CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 0),
            (CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, 0),
        ] {
            convolution.set(name, &pair(value))?;
        }
        convolution.finalize()?;

        let forward = self.descriptor(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)?;
        forward.refer(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, &convolution)?;
        forward.refer(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, &x)?;
        forward.refer(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, &w)?;
        forward.refer(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, &y)?;
        forward.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, &[1f32])?;
        forward.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, &[0f32])?;
        forward.finalize()?;

        let graph = self.descriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)?;
        graph.set_as(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, &[handle])?;
        graph.refer(CUDNN_ATTR_OPERATIONGRAPH_OPS, &forward)?;
        graph.finalize()?;
        Ok(vec![graph, forward, convolution, x, w, y])
    }

    /// The candidates that cuDNN's heuristic suggests for a graph, best first.
    fn suggested(&self, graph: &Descriptor) -> Result<Vec<Descriptor>, DriverFailure> {
        /// More than any version suggests.
        const MOST: usize = 256;
        let rule = self.descriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR)?;
        rule.refer(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)?;
        rule.set(CUDNN_ATTR_ENGINEHEUR_MODE, &[CUDNN_HEUR_MODE_A])?;
        rule.finalize()?;
        // cuDNN fills in descriptors that exist already, so how many there are is asked first.
        let count = rule.count(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR)?;
        let mut configs = (0..count.min(MOST))
            .map(|_| self.descriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR))
            .collect::<Result<Vec<_>, _>>()?;
        let mut places: Vec<Raw> = configs.iter().map(|c| c.raw).collect();
        let found =
            rule.get_as(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, &mut places)?;
        configs.truncate(found);
        Ok(configs)
    }

    /// The engine of this number for a graph.
    fn engine(&self, graph: &Descriptor, number: i64) -> Result<Descriptor, DriverFailure> {
        let engine = self.descriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR)?;
        engine.refer(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph)?;
        engine.set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, &[number])?;
        engine.finalize()?;
        Ok(engine)
    }

    /// Every engine that computes a graph and is compiled already, as it is without further choices:
    /// the rules of thumb leave some out that are fast on maps that lie channels-last.
    fn engines(&self, graph: &Descriptor) -> Result<Vec<Candidate>, DriverFailure> {
        let mut count = [0i64];
        graph.get(CUDNN_ATTR_OPERATIONGRAPH_ENGINE_GLOBAL_COUNT, &mut count)?;
        let candidate = |number: i64| {
            let engine = self.engine(graph, number)?;
            let notes = notes(&engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE)?;
            if notes.contains(&(CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION as c_int)) {
                // It is not even configured: cuDNN 9.14 and 9.19 lose 73 kB of memory each time.
                return Ok(None);
            }
            self.with_knobs(engine, &[]).map(Some)
        };
        // An engine that cannot compute this graph fails, and is none.
        let each = (0..count[0]).filter_map(|number| candidate(number).ok().flatten());
        Ok(each.collect())
    }

    /// A suggested algorithm with its engine.
    fn with_engine(&self, config: Descriptor) -> Result<Candidate, DriverFailure> {
        let engine = self.descriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR)?;
        config.get_as(
            CUDNN_ATTR_ENGINECFG_ENGINE,
            CUDNN_TYPE_BACKEND_DESCRIPTOR,
            &mut [engine.raw],
        )?;
        Ok(Candidate { config, engine, _choices: Vec::new() })
    }

    /// The candidate of a configuration, made of its numbers without asking the heuristics.
    pub(super) fn configured(
        &self,
        graph: &Descriptor,
        config: &EngineConfig,
    ) -> Result<Candidate, DriverFailure> {
        self.with_knobs(self.engine(graph, config.engine)?, &config.knobs)
    }

    /// An engine with these knobs set.
    fn with_knobs(
        &self,
        engine: Descriptor,
        knobs: &[(i32, i64)],
    ) -> Result<Candidate, DriverFailure> {
        let choice = |&(knob, value): &(i32, i64)| {
            let choice = self.descriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR)?;
            choice.set_as(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, &[knob])?;
            choice.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, &[value])?;
            choice.finalize()?;
            Ok::<_, DriverFailure>(choice)
        };
        let choices = knobs.iter().map(choice);
        let choices = choices.collect::<Result<Vec<_>, _>>()?;
        let config = self.descriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)?;
        config.refer(CUDNN_ATTR_ENGINECFG_ENGINE, &engine)?;
        if !choices.is_empty() {
            let places: Vec<Raw> = choices.iter().map(|c| c.raw).collect();
            config.set_as(
                CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                CUDNN_TYPE_BACKEND_DESCRIPTOR,
                &places,
            )?;
        }
        config.finalize()?;
        Ok(Candidate { config, engine, _choices: choices })
    }

    /// The numbers of a candidate, from which [`Self::configured`] makes it again.
    pub(super) fn engine_config(
        &self,
        candidate: &Candidate,
    ) -> Result<EngineConfig, DriverFailure> {
        /// More than any version has.
        const MOST_KNOBS: usize = 64;
        let mut engine = [0i64];
        (candidate.engine).get(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, &mut engine)?;
        // cuDNN fills in descriptors that exist already.
        let mut choices = (0..MOST_KNOBS)
            .map(|_| self.descriptor(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR))
            .collect::<Result<Vec<_>, _>>()?;
        let mut places: Vec<Raw> = choices.iter().map(|c| c.raw).collect();
        let count = candidate.config.get_as(
            CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
            CUDNN_TYPE_BACKEND_DESCRIPTOR,
            &mut places,
        )?;
        choices.truncate(count);
        let knob = |choice: &Descriptor| {
            let (mut knob, mut value) = ([0; 1], [0i64]);
            choice.get_as(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, &mut knob)?;
            choice.get(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, &mut value)?;
            Ok((knob[0], value[0]))
        };
        let knobs = choices.iter().map(knob).collect::<Result<_, _>>()?;
        Ok(EngineConfig { engine: engine[0], knobs })
    }

    /// Everything that may compute a graph, the library's favourites first. A source that fails has
    /// nothing to offer; another one may have. The heuristic of last resort is left out: what it names is among all
    /// engines, and it loses memory as those do that are compiled when they are needed.
    pub(super) fn candidates<'a>(
        &'a self,
        graph: &'a Descriptor,
    ) -> impl Iterator<Item = Candidate> + 'a {
        let suggested = self.suggested(graph);
        let suggested = suggested.unwrap_or_default().into_iter();
        let all = std::iter::once_with(move || self.engines(graph).unwrap_or_default());
        suggested.filter_map(|config| self.with_engine(config).ok()).chain(all.flatten())
    }

    /// The prepared algorithm, and the bytes of its working memory.
    pub(super) fn prepared(
        &self,
        handle: Raw,
        candidate: Candidate,
        graph: &Arc<Vec<Descriptor>>,
    ) -> Result<(Prepared, usize), DriverFailure> {
        let plan = self.descriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)?;
        plan.set_as(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, &[handle])?;
        plan.refer(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, &candidate.config)?;
        plan.finalize()?;
        let mut bytes = [0i64];
        plan.get(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, &mut bytes)?;
        let prepared = Prepared { plan, candidate, _graph: graph.clone() };
        Ok((prepared, bytes[0].max(0) as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_that_compute_something_else_are_left_out() {
        use NumberFormat::{Bf16, Fp16, Fp32, Tf32};
        for operand in [Fp32, Tf32, Fp16, Bf16] {
            assert!(keeps_promise(operand, &[]));
            // STRICT_NAN_PROP promises more than is needed.
            let harmless = CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP as c_int;
            assert!(keeps_promise(operand, &[harmless]));
            for n in [2, 3, 4, 5, 6, 8] {
                assert!(!keeps_promise(operand, &[n]), "{operand}: {n}");
            }
            let tensor_core = keeps_promise(operand, &[0]);
            assert_eq!(tensor_core, operand != Fp32);
            let converts = keeps_promise(operand, &[1]);
            assert_eq!(converts, operand == Tf32);
        }
    }
}
