//! A state dict with arbitrary numbers, and its file: a well-formed pickle in either container.

use super::super::files::{Pickle, legacy, zip};

/// A number in one of the forms of a pickle.
#[derive(Clone, Debug)]
pub(super) enum Number {
    Int(i64),
    Long(Vec<u8>),
    Nothing,
}

#[derive(Clone, Debug)]
pub(super) struct Storage {
    pub(super) class: &'static str,
    pub(super) bytes: Vec<u8>,
    /// The length that the pickle declares, in numbers.
    pub(super) count: Number,
    /// A part of the storage, in the form before 1.6.
    pub(super) view: Option<(Number, Number)>,
}

#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub(super) storage: usize,
    pub(super) offset: Number,
    pub(super) sides: Vec<Number>,
    pub(super) strides: Vec<Number>,
    pub(super) is_parameter: bool,
}

/// A value of the state dict.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// One of the tensors; the first use creates it, all others recall it.
    Tensor(usize),
    Number(Number),
    /// Nested tuples, lists and dicts.
    Nested(u8, usize),
    /// The dict that is being filled.
    Itself,
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) storages: Vec<Storage>,
    pub(super) tensors: Vec<Tensor>,
    pub(super) items: Vec<(String, Item)>,
    pub(super) wrappers: Vec<&'static str>,
    /// How the dict is filled: all at once, item by item, or as the pairs of an OrderedDict.
    pub(super) filling: u8,
    pub(super) is_legacy: bool,
}

/// A pickle that memoises everything, as PyTorch does, to recall it later.
struct Writer {
    pickle: Pickle,
    slots: u32,
    storages: Vec<Option<u32>>,
    tensors: Vec<Option<u32>>,
}

impl Writer {
    fn keep(&mut self) -> u32 {
        self.slots += 1;
        self.pickle.put(self.slots);
        self.slots
    }

    fn number(&mut self, number: &Number) {
        match number {
            Number::Int(number) => self.pickle.int(*number),
            Number::Long(bytes) => self.pickle.long(bytes),
            Number::Nothing => self.pickle.raw(b"N"),
        };
    }

    fn numbers(&mut self, numbers: &[Number]) {
        self.pickle.raw(b"(");
        for number in numbers {
            self.number(number);
        }
        self.pickle.raw(b"t");
    }

    fn storage(&mut self, state: &State, index: usize) {
        if let Some(slot) = self.storages[index] {
            self.pickle.get(slot);
            return;
        }
        let storage = &state.storages[index];
        self.pickle.raw(b"(").text("storage").global("torch", storage.class);
        self.pickle.text(&index.to_string()).text("cpu");
        self.number(&storage.count);
        if state.is_legacy {
            match &storage.view {
                Some((offset, count)) => {
                    self.pickle.raw(b"(").text("a view");
                    self.number(offset);
                    self.number(count);
                    self.pickle.raw(b"t");
                }
                None => {
                    self.pickle.raw(b"N");
                }
            }
        }
        self.pickle.raw(b"tQ");
        self.storages[index] = Some(self.keep());
    }

    fn tensor(&mut self, state: &State, index: usize) {
        if let Some(slot) = self.tensors[index] {
            self.pickle.get(slot);
            return;
        }
        let tensor = &state.tensors[index];
        if tensor.is_parameter {
            self.pickle.global("torch._utils", "_rebuild_parameter").raw(b"(");
        }
        self.pickle.global("torch._utils", "_rebuild_tensor_v2").raw(b"(");
        self.storage(state, tensor.storage);
        self.number(&tensor.offset);
        self.numbers(&tensor.sides);
        self.numbers(&tensor.strides);
        self.pickle.raw(b"\x89NtR");
        if tensor.is_parameter {
            self.pickle.raw(b"\x88NtR");
        }
        self.tensors[index] = Some(self.keep());
    }

    fn item(&mut self, state: &State, item: &Item) {
        match item {
            Item::Tensor(index) => self.tensor(state, *index),
            Item::Number(number) => self.number(number),
            Item::Nested(kind, depth) => {
                match kind % 3 {
                    0 => self.pickle.raw(b"N").repeat(b"\x85", *depth),
                    1 => self.pickle.repeat(b"(", *depth).raw(b"N").repeat(b"l", *depth),
                    _ => self.pickle.raw(b"N").repeat(b"\x85\x940}h\0h\0s", *depth),
                };
            }
            Item::Itself => {
                self.pickle.get(0);
            }
        }
    }

    /// The dict of the items, inside its wrappers.
    fn root(&mut self, state: &State) {
        for wrapper in &state.wrappers {
            self.pickle.raw(b"}").text(wrapper);
        }
        match state.filling % 3 {
            0 => self.pickle.raw(b"}").put(0).raw(b"("),
            1 => self.pickle.raw(b"}").put(0),
            _ => self.pickle.global("collections", "OrderedDict").put(0).raw(b"]("),
        };
        for (key, item) in &state.items {
            self.pickle.text(key);
            self.item(state, item);
            match state.filling % 3 {
                0 => {}
                1 => {
                    self.pickle.raw(b"s");
                }
                _ => {
                    self.pickle.raw(b"\x86");
                }
            }
        }
        match state.filling % 3 {
            0 => self.pickle.raw(b"u"),
            1 => &mut self.pickle,
            _ => self.pickle.raw(b"e\x85R"),
        };
        self.pickle.repeat(b"s", state.wrappers.len());
    }
}

impl State {
    /// The file in the container of the state dict.
    pub(super) fn file(&self) -> Vec<u8> {
        let mut writer = Writer {
            pickle: Pickle::new(),
            slots: 0,
            storages: vec![None; self.storages.len()],
            tensors: vec![None; self.tensors.len()],
        };
        writer.root(self);
        let stored =
            self.storages.iter().enumerate().map(|(index, storage)| (index.to_string(), storage));
        if self.is_legacy {
            // Only storages that a tensor names are listed.
            let named = stored.filter(|(index, _)| {
                let index: usize = index.parse().expect("a number");
                writer.storages[index].is_some()
            });
            let storages = named.map(|(key, s)| {
                let count = s.bytes.len() / number_bytes(s.class);
                (key, count as i64, s.bytes.clone())
            });
            legacy(&writer.pickle, &storages.collect::<Vec<_>>())
        } else {
            let storages = stored.map(|(key, s)| (key, s.bytes.clone()));
            zip(&writer.pickle, &storages.collect::<Vec<_>>())
        }
    }
}

/// Bytes of a number in a storage of this class.
pub(super) fn number_bytes(class: &str) -> usize {
    match class {
        "DoubleStorage" | "LongStorage" => 8,
        "FloatStorage" => 4,
        "BoolStorage" => 1,
        _ => 2,
    }
}
