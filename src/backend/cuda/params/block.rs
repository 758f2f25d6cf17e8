//! The parameter block of any kernel.

use std::ffi::c_void;

use super::*;

/// Declares [`KernelParams`], whose variants are the kernels' parameter blocks.
macro_rules! any_of {
    ($($variant:ident($params:ident)),* $(,)?) => {
        /// The parameter block of a kernel.
        // A session has some hundred of them, so being `Copy` is worth the memory.
        #[allow(clippy::large_enum_variant)]
        #[derive(Clone, Copy, Debug)]
        pub enum KernelParams {
            $(
                #[doc = concat!("As [`", stringify!($params), "`] says.")]
                $variant($params),
            )*
        }

        impl KernelParams {
            /// The address from which the driver reads it.
            pub fn as_ptr(&self) -> *const c_void {
                match self {
                    $(Self::$variant(params) => std::ptr::from_ref(params).cast(),)*
                }
            }
        }
    };
}

any_of! {
    Conv(ConvParams),
    Chain(ChainParams),
    LoadPhoto(LoadPhotoParams),
    Pad(PadParams),
    Map(MapParams),
    Bias(BiasParams),
    Add(AddParams),
    Normalise(NormaliseParams),
    Affine(AffineParams),
    StorePicture(StorePictureParams),
    StoreFloats(StoreFloatsParams),
    Partial(PartialParams),
    Finish(FinishParams),
    NormStatistics(NormStatisticsParams),
    NormApply(NormApplyParams),
    NormPlane(NormPlaneParams),
    NormResident(NormResidentParams),
    GeneralConv(GeneralConvParams),
    GeneralPointwise(GeneralPointwiseParams),
    GeneralCombine(GeneralCombineParams),
    GeneralLayerNorm(GeneralLayerNormParams),
    GeneralPositions(GeneralPositionsParams),
    Attention(AttentionParams),
    TokenLinear(TokenLinearParams),
    GeneralMove(GeneralMoveParams),
    GeneralResize(GeneralResizeParams),
    GeneralPool(GeneralPoolParams),
    GeneralReducePartial(GeneralReducePartialParams),
    GeneralReduceFinish(GeneralReduceFinishParams),
}
