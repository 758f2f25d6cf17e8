//! Tensors as ONNX files store them.

use std::borrow::Cow;

use super::{
    super::{
        Budget, Result, StorageType, WeightsError,
        tensor::{Dtype, StoredTensor},
    },
    messages::Tensor,
    shown, wire,
};

/// A tensor of the file; checks its length.
pub fn stored<'t>(name: &str, tensor: &'t Tensor<'_>, budget: &Budget) -> Result<StoredTensor<'t>> {
    let refused = |problem: String| WeightsError::tensor(name, problem);
    if tensor.is_external {
        return Err(WeightsError::tensor(
            name,
            "is stored in an external file; keep that file in the folder of the model",
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
    let dtype =
        dtype_of(other).ok_or_else(|| refused(format!("has the unknown number type {other}")))?;
    let bytes = if tensor.raw_data.is_empty() {
        typed_bytes(tensor, dtype, budget)?
    } else {
        Cow::Borrowed(tensor.raw_data)
    };
    StoredTensor::contiguous(dtype, shape, bytes).map_err(refused)
}

/// A number type of ONNX.
pub fn dtype_of(data_type: i32) -> Option<Dtype> {
    let name = match data_type {
        1 => "fp32",
        2 => "uint8",
        3 => "int8",
        4 => "uint16",
        5 => "int16",
        6 => "int32",
        7 => "int64",
        9 => "bool",
        10 => "fp16",
        11 => "fp64",
        12 => "uint32",
        13 => "uint64",
        14 => "complex64",
        15 => "complex128",
        16 => "bf16",
        17..=20 => "fp8",
        21 => "uint4",
        22 => "int4",
        23 => "fp4",
        _ => return None,
    };
    Some(Dtype::named(name))
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
