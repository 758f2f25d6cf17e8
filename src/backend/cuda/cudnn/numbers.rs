//! Numbers of `cudnn_graph.h`, version 9: kinds of descriptors, their attributes and the types of
//! those.

use std::ffi::c_int;

pub const CROSS_CORRELATION: c_int = 1;
pub const FLOAT: c_int = 0;
pub const HALF: c_int = 2;
pub const BFLOAT16: c_int = 9;
pub const HEURISTIC_FALLBACK: c_int = 2;
pub const HEURISTIC_A: c_int = 3;

/// Types of attributes.
pub mod of {
    use std::ffi::c_int;

    pub const HANDLE: c_int = 0;
    pub const DATA_TYPE: c_int = 1;
    pub const INT64: c_int = 3;
    pub const FLOAT: c_int = 4;
    pub const VOID_PTR: c_int = 6;
    pub const CONVOLUTION_MODE: c_int = 7;
    pub const HEURISTIC: c_int = 8;
    pub const NUMERICAL_NOTE: c_int = 11;
    pub const BEHAVIOR_NOTE: c_int = 19;
    pub const DESCRIPTOR: c_int = 15;
}

/// Kinds of descriptors.
pub mod kind {
    use std::ffi::c_int;

    pub const CONVOLUTION: c_int = 1;
    pub const ENGINE: c_int = 2;
    pub const ENGINE_CONFIG: c_int = 3;
    pub const HEURISTIC: c_int = 4;
    pub const PLAN: c_int = 5;
    pub const FORWARD: c_int = 10;
    pub const GRAPH: c_int = 15;
    pub const VARIANT_PACK: c_int = 16;
    pub const TENSOR: c_int = 17;
}

/// Attributes.
pub mod attribute {
    use std::ffi::c_int;

    pub const CONVOLUTION_COMPUTE_TYPE: c_int = 100;
    pub const CONVOLUTION_MODE: c_int = 101;
    pub const CONVOLUTION_DILATIONS: c_int = 102;
    pub const CONVOLUTION_STRIDES: c_int = 103;
    pub const CONVOLUTION_POST_PADDINGS: c_int = 104;
    pub const CONVOLUTION_PRE_PADDINGS: c_int = 105;
    pub const CONVOLUTION_SPATIAL_DIMENSIONS: c_int = 106;
    pub const HEURISTIC_MODE: c_int = 200;
    pub const HEURISTIC_GRAPH: c_int = 201;
    pub const HEURISTIC_RESULTS: c_int = 202;
    pub const CONFIG_ENGINE: c_int = 300;
    pub const PLAN_HANDLE: c_int = 400;
    pub const PLAN_CONFIG: c_int = 401;
    pub const PLAN_WORKSPACE_BYTES: c_int = 402;
    pub const FORWARD_ALPHA: c_int = 700;
    pub const FORWARD_BETA: c_int = 701;
    pub const FORWARD_CONVOLUTION: c_int = 702;
    pub const FORWARD_WEIGHTS: c_int = 703;
    pub const FORWARD_INPUT: c_int = 704;
    pub const FORWARD_OUTPUT: c_int = 705;
    pub const GRAPH_HANDLE: c_int = 800;
    pub const GRAPH_OPERATIONS: c_int = 801;
    pub const GRAPH_ENGINE_COUNT: c_int = 802;
    pub const TENSOR_ALIGNMENT: c_int = 900;
    pub const TENSOR_DATA_TYPE: c_int = 901;
    pub const TENSOR_DIMENSIONS: c_int = 902;
    pub const TENSOR_STRIDES: c_int = 903;
    pub const TENSOR_ID: c_int = 906;
    pub const PACK_IDS: c_int = 1000;
    pub const PACK_POINTERS: c_int = 1001;
    pub const PACK_WORKSPACE: c_int = 1003;
    pub const ENGINE_GRAPH: c_int = 1300;
    pub const ENGINE_NUMBER: c_int = 1301;
    pub const ENGINE_NUMERICAL_NOTE: c_int = 1303;
    pub const ENGINE_BEHAVIOR_NOTE: c_int = 1305;
}

/// An engine that is compiled when it is made ready.
pub const RUNTIME_COMPILATION: c_int = 0;

/// What an algorithm says of its arithmetic.
pub mod note {
    use std::ffi::c_int;

    pub const TENSOR_CORE: c_int = 0;
    pub const DOWN_CONVERTS_INPUTS: c_int = 1;
    pub const REDUCED_PRECISION_SUMS: c_int = 2;
    pub const FFT: c_int = 3;
    pub const NONDETERMINISTIC: c_int = 4;
    /// The first of four about Winograd's algorithm.
    pub const WINOGRAD: c_int = 5;
    /// The last of them.
    pub const WINOGRAD_13X13: c_int = 8;
}
