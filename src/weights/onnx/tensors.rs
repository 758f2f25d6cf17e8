//! Tensors as ONNX files store them.

use std::borrow::Cow;

use super::{
    super::{
        Budget, Result, StorageType, WeightsError,
        error::shortened,
        tensor::{Dtype, StoredTensor},
    },
    messages::Tensor,
    shown, wire,
};

/// A tensor of the file; checks its length.
pub(super) fn stored<'t>(
    name: &str,
    tensor: &'t Tensor<'_>,
    budget: &Budget,
) -> Result<StoredTensor<'t>> {
    let refused = |problem: String| WeightsError::Tensor { key: shortened(name), problem };
    if tensor.is_external {
        return Err(refused(
            "is stored in an external file; keep that file in the folder of the model".to_owned(),
        ));
    }
    // The strides, which are stored in addition to the shape.
    budget.bytes(size_of_val(tensor.dims.as_slice()))?;
    let mut shape = budget.list(tensor.dims.len())?;
    for side in &tensor.dims {
        shape.push(
            usize::try_from(*side)
                .map_err(|_| refused(format!("has a negative side: {}", shown(&tensor.dims))))?,
        );
    }
    let other = tensor.data_type;
    let unknown = || refused(format!("has the unknown number type {other}"));
    let dtype = dtype_of(other).ok_or_else(unknown)?;
    let bytes = if tensor.raw_data.is_empty() {
        typed_bytes(tensor, dtype, budget)?
    } else {
        Cow::Borrowed(tensor.raw_data)
    };
    StoredTensor::contiguous(dtype, shape, bytes).map_err(refused)
}

/// A number type of ONNX.
pub(super) fn dtype_of(data_type: i32) -> Option<Dtype> {
    let float = Dtype::Float;
    Some(match data_type {
        1 => float(StorageType::F32),
        10 => float(StorageType::F16),
        11 => float(StorageType::F64),
        16 => float(StorageType::Bf16),
        2 => Dtype::Other("uint8", 1),
        3 => Dtype::Other("int8", 1),
        4 => Dtype::Other("uint16", 2),
        5 => Dtype::Other("int16", 2),
        6 => Dtype::Other("int32", 4),
        7 => Dtype::Other("int64", 8),
        9 => Dtype::Other("bool", 1),
        12 => Dtype::Other("uint32", 4),
        13 => Dtype::Other("uint64", 8),
        14 => Dtype::Other("complex64", 8),
        15 => Dtype::Other("complex128", 16),
        // Without the space for packed numbers; such tensors are only named when they are refused.
        17..=20 => Dtype::Other("fp8", 1),
        21 => Dtype::Other("uint4", 1),
        22 => Dtype::Other("int4", 1),
        23 => Dtype::Other("fp4", 1),
        _ => return None,
    })
}

/// Little-endian bytes of numbers that are stored in a typed list. Narrow types use the list of 32-bit integers, one
/// number each.
fn typed_bytes<'t>(tensor: &'t Tensor<'_>, dtype: Dtype, budget: &Budget) -> Result<Cow<'t, [u8]>> {
    let (varints, number_bytes) = match dtype {
        Dtype::Float(StorageType::F32) => return Ok(Cow::Borrowed(&*tensor.float_data)),
        Dtype::Float(StorageType::F64) => return Ok(Cow::Borrowed(&*tensor.double_data)),
        Dtype::Other("int64", size_bytes) => (&tensor.int64_data, size_bytes),
        other => (&tensor.int32_data, other.size_bytes().min(4)),
    };
    budget.steps(varints.len())?;
    // The last byte of a number is the one without the highest bit.
    let count = varints.iter().filter(|byte| **byte < 0x80).count();
    let mut bytes = budget.list(count.saturating_mul(number_bytes))?;
    for number in wire::varints(varints) {
        bytes.extend_from_slice(&number.to_le_bytes()[..number_bytes]);
    }
    Ok(Cow::Owned(bytes))
}
