//! The values that a pickle of tensors consists of.

use super::super::tensor::Dtype;

/// A value on the machine's stack. Small, so it is copied.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits: its little-endian bytes.
    Long(&'a [u8]),
    Text(&'a str),
    /// A value that no weight depends on: a float, bytes, a set, a device.
    Opaque,
    Global(Global),
    /// Index into [`Pickle::objects`].
    Object(usize),
}

/// A value with parts.
#[derive(Debug)]
pub enum Object<'a> {
    Tuple(Vec<Value<'a>>),
    List(Vec<Value<'a>>),
    /// A dict or an OrderedDict: entries in order. A key that is set repeatedly occurs repeatedly.
    Dict(Vec<(Value<'a>, Value<'a>)>),
    Storage(StorageRef<'a>),
    Tensor(TensorRef<'a>),
}

/// A storage, identified by its key. The pickle's claims about it are not checked yet.
#[derive(Debug)]
pub struct StorageRef<'a> {
    pub dtype: Dtype,
    pub key: &'a str,
    /// Declared length, in elements.
    pub count: i64,
    /// Offset and length, in elements, if this is a part of the storage `key`.
    pub view: Option<(i64, i64)>,
}

/// A tensor as the pickle describes it. Nothing in it is checked yet.
#[derive(Clone, Copy, Debug)]
pub struct TensorRef<'a> {
    pub storage: Value<'a>,
    pub offset: Value<'a>,
    pub size: Value<'a>,
    pub strides: Value<'a>,
}

/// A name that state dicts need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Global {
    OrderedDict,
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`.
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
    /// `collections.defaultdict`, which is a dict whose entries follow.
    DefaultDict,
    /// Creates a value that no weight depends on: a set, a device, a number of NumPy, a date, a path.
    Harmless,
    /// A value itself: `torch.float32`, or the type of a `defaultdict`'s values.
    Type,
}

/// The meaning of a name, if state dicts need it.
pub fn global(module: &str, name: &str) -> Option<Global> {
    Some(match (module, name) {
        ("collections", "OrderedDict") => Global::OrderedDict,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
        ("torch" | "torch.cuda", storage) if storage.ends_with("Storage") => {
            Global::Storage(Dtype::named(match storage {
                "FloatStorage" => "fp32",
                "HalfStorage" => "fp16",
                "BFloat16Storage" => "bf16",
                "DoubleStorage" => "fp64",
                "LongStorage" => "int64",
                "IntStorage" => "int32",
                "ShortStorage" => "int16",
                "CharStorage" => "int8",
                "ByteStorage" => "uint8",
                "BoolStorage" => "bool",
                "ComplexFloatStorage" => "complex64",
                "ComplexDoubleStorage" => "complex128",
                _ => return None,
            }))
        }
        ("collections", "defaultdict") => Global::DefaultDict,
        ("torch", "Size" | "device")
        | ("torch.torch_version", "TorchVersion")
        | ("__builtin__" | "builtins", "set" | "frozenset" | "bytearray" | "complex" | "slice")
        | ("_codecs", "encode")
        | ("numpy", "dtype" | "ndarray")
        | ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar" | "_reconstruct")
        | ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer")
        | ("argparse", "Namespace")
        | ("types", "SimpleNamespace")
        | ("datetime", "datetime" | "date" | "time" | "timedelta" | "timezone")
        | (
            "pathlib" | "pathlib._local",
            "Path" | "PosixPath" | "WindowsPath" | "PurePath" | "PurePosixPath" | "PureWindowsPath",
        ) => Global::Harmless,
        (
            "__builtin__" | "builtins",
            "bool" | "dict" | "float" | "int" | "list" | "str" | "tuple" | "object",
        )
        | (
            "torch",
            "float32" | "float64" | "float16" | "bfloat16" | "int64" | "int32" | "int16" | "int8"
            | "uint8" | "bool" | "complex64" | "complex128",
        ) => Global::Type,
        _ => return None,
    })
}

/// What a pickle built.
#[derive(Debug)]
pub struct Pickle<'a> {
    pub root: Value<'a>,
    pub objects: Vec<Object<'a>>,
}

impl<'a> Pickle<'a> {
    pub fn object(&self, value: Value<'a>) -> Option<&Object<'a>> {
        match value {
            Value::Object(index) => self.objects.get(index),
            _ => None,
        }
    }

    pub fn tensor(&self, value: Value<'a>) -> Option<&TensorRef<'a>> {
        match self.object(value) {
            Some(Object::Tensor(tensor)) => Some(tensor),
            _ => None,
        }
    }

    /// All storages that the pickle mentions.
    pub fn storages(&self) -> impl Iterator<Item = &StorageRef<'a>> {
        self.objects.iter().filter_map(|object| match object {
            Object::Storage(storage) => Some(storage),
            _ => None,
        })
    }
}
