//! Tensors as they are stored in a file: a number type, a shape, and where the numbers are.
//!
//! Everything is checked against bytes that are present before anything is allocated. This module knows no file format
//! and no layer.

use std::borrow::Cow;

use half::{bf16, f16};

use values::{allocation, named};

/// Number types in which a checkpoint may store its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StorageType {
    /// IEEE half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision; rounded to single when read.
    F64,
}

impl StorageType {
    /// Bytes of one number.
    pub const fn size_bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

named!(StorageType, "number type", F16 = "fp16", Bf16 = "bf16", F32 = "fp32", F64 = "fp64");

/// Number type of a stored tensor, usable as weights or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    Float(StorageType),
    /// Integers, booleans, complex numbers: a name for messages and the bytes of one number.
    Other(&'static str, usize),
}

impl Dtype {
    /// The type of this name. Numbers of less than a byte count as one; such tensors are only named when they are
    /// refused.
    pub fn named(name: &'static str) -> Self {
        if let Ok(float) = name.parse() {
            return Self::Float(float);
        }
        let size_bytes = match name {
            "uint16" | "int16" => 2,
            "uint32" | "int32" => 4,
            "uint64" | "int64" | "complex64" => 8,
            "complex128" => 16,
            _ => 1,
        };
        Self::Other(name, size_bytes)
    }

    pub const fn size_bytes(self) -> usize {
        match self {
            Self::Float(float) => float.size_bytes(),
            Self::Other(_, size) => size,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Float(float) => float.name(),
            Self::Other(name, _) => name,
        }
    }

    /// The type of weights.
    ///
    /// # Errors
    /// [`TensorProblem`] for any other type.
    pub fn float(self) -> Result<StorageType, TensorProblem> {
        match self {
            Self::Float(float) => Ok(float),
            Self::Other(name, _) => {
                Err(format!("is stored as {name}; weights must be fp16, bf16, fp32 or fp64"))
            }
        }
    }
}

/// What is wrong with a tensor, as text that follows its name.
pub type TensorProblem = String;

/// Maximum number of dimensions of a tensor.
pub const MAX_RANK: usize = 8;

/// A view of numbers in a file. It is checked to be within the bytes when it is created.
#[derive(Clone, Debug)]
pub struct StoredTensor<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    /// Little-endian numbers.
    bytes: Cow<'a, [u8]>,
    /// Position of the first element, in elements.
    offset: usize,
    /// Distance between neighbouring indices, in elements, one per dimension.
    strides: Vec<usize>,
    /// What turns stored integers into the tensor's numbers.
    scaling: Option<Scaling>,
}

/// `(integer - zero) * scale`. Scales and zeros follow each other along a side, or there is one for all.
#[derive(Clone, Debug)]
pub struct Scaling {
    pub scales: Vec<f32>,
    pub zeros: Vec<f32>,
    /// Number of neighbouring integers with the same scale.
    pub run: usize,
}

impl Scaling {
    /// The scale and the zero of the number at a place in row-major order.
    pub fn at(&self, place: usize) -> (f32, f32) {
        let index = place / self.run % self.scales.len();
        (self.scales[index], self.zeros[index % self.zeros.len()])
    }
}

impl<'a> StoredTensor<'a> {
    /// A tensor whose numbers are contiguous and fill `bytes` exactly.
    pub fn contiguous(
        dtype: Dtype,
        shape: Vec<usize>,
        bytes: Cow<'a, [u8]>,
    ) -> Result<Self, TensorProblem> {
        let count = element_count(&shape)?;
        if count.checked_mul(dtype.size_bytes()) != Some(bytes.len()) {
            return Err(format!(
                "has shape {shape:?} in {} but {} bytes of data",
                dtype.name(),
                bytes.len()
            ));
        }
        Ok(Self { strides: row_major(&shape), dtype, shape, bytes, offset: 0, scaling: None })
    }

    /// The numbers that integers stand for; `None` if the tensor does not consist of integers.
    pub fn scaled(self, scaling: Scaling) -> Option<Self> {
        let is_integer = matches!(
            self.dtype.name(),
            "int64" | "int32" | "int16" | "uint16" | "int8" | "uint8" | "bool"
        );
        (is_integer && self.scaling.is_none()).then_some(Self { scaling: Some(scaling), ..self })
    }

    /// A strided view of a storage; offset and strides in elements.
    pub fn strided(
        dtype: Dtype,
        shape: Vec<usize>,
        storage: &'a [u8],
        offset: usize,
        strides: Vec<usize>,
    ) -> Result<Self, TensorProblem> {
        let count = element_count(&shape)?;
        if strides.len() != shape.len() {
            return Err(format!("has {} dimensions but {} strides", shape.len(), strides.len()));
        }
        let held = storage.len() / dtype.size_bytes();
        if count > held {
            return Err(format!("has shape {shape:?} but its storage has only {held} numbers"));
        }
        let last = if count == 0 {
            Some(offset)
        } else {
            shape.iter().zip(&strides).try_fold(offset, |reach, (side, stride)| {
                reach.checked_add((side - 1).checked_mul(*stride)?)
            })
        };
        let fits = last.is_some_and(|last| if count == 0 { last <= held } else { last < held });
        if !fits {
            return Err(format!(
                "reaches past the end of its storage: shape {shape:?}, strides {strides:?}, \
                 offset {offset}, but the storage has {held} numbers"
            ));
        }
        let bytes = Cow::Borrowed(storage);
        Ok(Self { dtype, shape, bytes, offset, strides, scaling: None })
    }

    pub fn dtype(&self) -> Dtype {
        if self.scaling.is_some() { Dtype::Float(StorageType::F32) } else { self.dtype }
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn element_count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes that the stored numbers take when they are contiguous.
    pub fn size_bytes(&self) -> usize {
        self.element_count() * self.dtype.size_bytes()
    }

    /// Bytes on the heap of a copy.
    pub fn copied_bytes(&self) -> usize {
        let numbers = match &self.bytes {
            Cow::Owned(bytes) => bytes.len(),
            Cow::Borrowed(_) => 0,
        };
        numbers + 2 * size_of_val(self.shape.as_slice())
    }

    /// All numbers in row-major order, in single precision.
    ///
    /// Allocates `element_count` numbers; callers charge them to the file's budget.
    pub fn to_f32(&self) -> Result<Vec<f32>, TensorProblem> {
        let mut values = allocation::list(self.element_count())
            .ok_or("is too large for the free memory; close other programs")?;
        self.each_f32(|value| values.push(value))?;
        Ok(values)
    }

    /// Passes all numbers to `take` in row-major order, in single precision.
    pub fn each_f32(&self, mut take: impl FnMut(f32)) -> Result<(), TensorProblem> {
        if let Some(scaling) = &self.scaling {
            let mut place = 0;
            self.each_i64(|integer| {
                let (scale, zero) = scaling.at(place);
                take((integer as f32 - zero) * scale);
                place += 1;
            });
            return Ok(());
        }
        match self.dtype.float()? {
            StorageType::F16 => self.each(|b| f16::from_le_bytes(b).to_f32(), take),
            StorageType::Bf16 => self.each(|b| bf16::from_le_bytes(b).to_f32(), take),
            StorageType::F32 => self.each(f32::from_le_bytes, take),
            StorageType::F64 => self.each(|b| f64::from_le_bytes(b) as f32, take),
        }
        Ok(())
    }

    /// Decodes every element in row-major order; N is the size of one number.
    fn each<const N: usize, T>(&self, decode: impl Fn([u8; N]) -> T, mut take: impl FnMut(T)) {
        let count = self.element_count();
        let (numbers, _) = self.bytes.as_chunks::<N>();
        if self.strides == row_major(&self.shape) {
            let part = numbers.get(self.offset..self.offset + count);
            part.unwrap_or_default().iter().for_each(|b| take(decode(*b)));
            return;
        }
        let mut index = [0; MAX_RANK];
        let mut at = self.offset;
        for _ in 0..count {
            take(decode(numbers[at]));
            // Count up like an odometer, the last dimension fastest.
            for d in (0..self.shape.len()).rev() {
                index[d] += 1;
                at += self.strides[d];
                if index[d] < self.shape[d] {
                    break;
                }
                at -= self.strides[d] * index[d];
                index[d] = 0;
            }
        }
    }

    /// All numbers of an integer tensor, or `None` for other types. Callers charge them to the file's budget.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        if self.scaling.is_some() {
            return None;
        }
        let mut values = Vec::new();
        self.each_i64(|value| values.push(value))?;
        Some(values)
    }

    /// Passes all numbers of an integer tensor to `take` in row-major order; `None` for other types.
    fn each_i64(&self, take: impl FnMut(i64)) -> Option<()> {
        let Dtype::Other(name, _) = self.dtype else {
            return None;
        };
        match name {
            "int64" => self.each(i64::from_le_bytes, take),
            "int32" => self.each(|b| i64::from(i32::from_le_bytes(b)), take),
            "int16" => self.each(|b| i64::from(i16::from_le_bytes(b)), take),
            "uint16" => self.each(|b| i64::from(u16::from_le_bytes(b)), take),
            "int8" => self.each(|b| i64::from(i8::from_le_bytes(b)), take),
            "uint8" | "bool" => self.each(|[b]| i64::from(b), take),
            _ => return None,
        }
        Some(())
    }
}

/// Numbers as little-endian bytes, in half or single precision.
pub fn encoded(values: &[f32], is_half: bool) -> Vec<u8> {
    if is_half {
        values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect()
    } else {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}

/// Number of elements of a shape. Refuses products and ranks beyond reason.
pub fn element_count(shape: &[usize]) -> Result<usize, TensorProblem> {
    if shape.len() > MAX_RANK {
        return Err(format!("has {} dimensions", shape.len()));
    }
    // Skip zeros, so that the order of the sides does not decide whether the product overflows.
    let nonzero = shape
        .iter()
        .filter(|side| **side != 0)
        .try_fold(1usize, |product, side| product.checked_mul(*side))
        .filter(|product| product.checked_mul(16).is_some())
        .ok_or_else(|| format!("has the impossible shape {shape:?}"))?;
    Ok(if shape.contains(&0) { 0 } else { nonzero })
}

/// Strides of contiguous numbers; the shape has passed [`element_count`].
pub fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for d in (1..shape.len()).rev() {
        strides[d - 1] = strides[d] * shape[d];
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    const F32: Dtype = Dtype::Float(StorageType::F32);

    fn numbers(count: usize) -> Vec<u8> {
        (0..count).flat_map(|v| (v as f32).to_le_bytes()).collect()
    }

    #[test]
    fn views_read_in_row_major_order() {
        let data = numbers(12);
        let view = StoredTensor::strided(F32, vec![3, 2], &data, 1, vec![1, 4]).expect("fits");
        assert_eq!(view.to_f32().expect("floats"), [1.0, 5.0, 2.0, 6.0, 3.0, 7.0]);
        let plain = StoredTensor::strided(F32, vec![2, 2], &data, 3, vec![2, 1]).expect("fits");
        assert_eq!(plain.to_f32().expect("floats"), [3.0, 4.0, 5.0, 6.0]);
        let scalar = StoredTensor::strided(F32, vec![], &data, 11, vec![]).expect("fits");
        assert_eq!(scalar.to_f32().expect("floats"), [11.0]);
    }

    #[test]
    fn reach_is_checked() {
        let data = numbers(12);
        let reach = |shape: &[usize], offset, strides: &[usize]| {
            StoredTensor::strided(F32, shape.to_vec(), &data, offset, strides.to_vec())
        };
        assert!(reach(&[3, 4], 0, &[4, 1]).is_ok());
        assert!(reach(&[3, 4], 1, &[4, 1]).is_err());
        assert!(reach(&[2], 0, &[usize::MAX]).is_err());
        assert!(reach(&[usize::MAX, 4], 0, &[0, 0]).is_err());
        assert!(reach(&[3], 0, &[1, 1]).is_err());
        assert!(reach(&[0], 13, &[1]).is_err());
        assert!(reach(&[1; 9], 0, &[1; 9]).is_err());
        let empty = reach(&[0, usize::MAX / 2, 3], 0, &[1, 1, 1]);
        assert!(empty.is_err(), "sides beyond any file are refused even beside a zero");
    }

    #[test]
    fn contiguous_must_fill_its_bytes() {
        let data = numbers(4);
        assert!(StoredTensor::contiguous(F32, vec![2, 2], Cow::Borrowed(&data)).is_ok());
        assert!(StoredTensor::contiguous(F32, vec![2], Cow::Borrowed(&data)).is_err());
    }

    #[test]
    fn integers_are_no_weights() {
        let data = numbers(2);
        let tensor = StoredTensor::contiguous(Dtype::Other("int64", 8), vec![1], data.into())
            .expect("eight bytes");
        let problem = tensor.to_f32().expect_err("integers");
        assert!(problem.contains("int64"), "{problem}");
    }
}
