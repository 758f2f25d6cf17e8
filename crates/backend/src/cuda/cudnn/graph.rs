//! A convolution as a graph of cuDNN's descriptors, and what its heuristics suggest for it.

use std::ffi::c_int;

use cudarc::cudnn::sys::{
    cudnnBackendAttributeName_t::*,
    cudnnBackendAttributeType_t::*,
    cudnnBackendDescriptorType_t::{self as Kind, *},
    cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
    cudnnDataType_t::{
        self as DataType, CUDNN_DATA_BFLOAT16, CUDNN_DATA_FLOAT, CUDNN_DATA_HALF, CUDNN_DATA_INT8,
    },
};

use super::{
    Cudnn, IDS,
    calls::{Descriptor, Raw},
};
use crate::cuda::driver::DriverResult;
use plan::cuda::ConvolutionShape;
use values::numeric::NumberFormat;

/// cuDNN's constant for the type in which a format is stored.
const fn data_type(format: NumberFormat) -> DataType {
    match format {
        NumberFormat::Fp32 | NumberFormat::Fp16x2 | NumberFormat::Tf32 => CUDNN_DATA_FLOAT,
        NumberFormat::Fp16 => CUDNN_DATA_HALF,
        NumberFormat::Bf16 => CUDNN_DATA_BFLOAT16,
        NumberFormat::Int8 => CUDNN_DATA_INT8,
    }
}

impl Cudnn {
    pub fn descriptor(&self, kind: Kind) -> DriverResult<Descriptor> {
        Descriptor::new(self.calls, kind)
    }

    /// A tensor of (n, channels, rows, columns), stored channels-last.
    fn tensor(
        &self,
        id: i64,
        data_type: DataType,
        [n, channels, rows, columns]: [usize; 4],
    ) -> DriverResult<Descriptor> {
        /// Every map, and every layer's weights, start at multiples of more than this.
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

    /// The convolution as a graph of one operation. The first descriptor is the graph, followed by the descriptors to
    /// which it refers.
    pub fn graph(&self, handle: Raw, shape: &ConvolutionShape) -> DriverResult<Vec<Descriptor>> {
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
        let compute = [data_type(NumberFormat::Fp32)];
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

    /// The configurations that a heuristic of cuDNN suggests for a graph, best first.
    pub fn suggested(&self, graph: &Descriptor, heuristic: c_int) -> DriverResult<Vec<Descriptor>> {
        /// More than any version suggests.
        const MOST: usize = 256;
        let rule = self.descriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR)?;
        rule.refer(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)?;
        rule.set_as(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, &[heuristic])?;
        rule.finalize()?;
        // cuDNN fills in existing descriptors, so their number is queried first.
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
}
