//! Pickles that are well formed and full of extreme numbers, in both containers.
//!
//! Damaged bytes seldom get past the first checks; what is made here does, and asks for the
//! arithmetic behind them: sides, strides, offsets and views at the ends of their ranges, integers
//! of any length, deep nesting, one object under many names.

use proptest::prelude::*;
use styleforge::{
    models::johnson::{NetworkSpec, keys},
    weights::{Budget, Checkpoint},
};

use super::{
    Line, alone,
    files::{Pickle, legacy, zip},
};

/// A number as a pickle spells it.
#[derive(Clone, Debug)]
enum Number {
    Int(i64),
    Long(Vec<u8>),
    Nothing,
}

#[derive(Clone, Debug)]
struct Storage {
    class: &'static str,
    bytes: Vec<u8>,
    /// The length that the pickle declares, in numbers.
    count: Number,
    /// A part of the storage, as it was named before 1.6.
    view: Option<(Number, Number)>,
}

#[derive(Clone, Debug)]
struct Tensor {
    storage: usize,
    offset: Number,
    sides: Vec<Number>,
    strides: Vec<Number>,
    is_parameter: bool,
}

/// A value of the state dict.
#[derive(Clone, Debug)]
enum Item {
    /// One of the tensors; the first use makes it, all others recall it.
    Tensor(usize),
    Number(Number),
    /// Tuples, lists and dicts in each other.
    Nested(u8, usize),
    /// The dict that is being filled.
    Itself,
}

#[derive(Clone, Debug)]
struct State {
    storages: Vec<Storage>,
    tensors: Vec<Tensor>,
    items: Vec<(String, Item)>,
    wrappers: Vec<&'static str>,
    /// How the dict is filled: at once, one by one, or as the pairs of an OrderedDict.
    filling: u8,
    is_legacy: bool,
}

/// A pickle that keeps all it makes, as PyTorch does, to recall it later.
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
        self.pickle
            .raw(b"(")
            .text("storage")
            .global("torch", storage.class);
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
            self.pickle
                .global("torch._utils", "_rebuild_parameter")
                .raw(b"(");
        }
        self.pickle
            .global("torch._utils", "_rebuild_tensor_v2")
            .raw(b"(");
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
                    1 => self
                        .pickle
                        .repeat(b"(", *depth)
                        .raw(b"N")
                        .repeat(b"l", *depth),
                    _ => self.pickle.raw(b"N").repeat(b"\x85\x940}h\0h\0s", *depth),
                };
            }
            Item::Itself => {
                self.pickle.get(0);
            }
        }
    }

    /// The dict of the items, behind its wrappers.
    fn root(&mut self, state: &State) {
        for wrapper in &state.wrappers {
            self.pickle.raw(b"}").text(wrapper);
        }
        match state.filling % 3 {
            0 => self.pickle.raw(b"}").put(0).raw(b"("),
            1 => self.pickle.raw(b"}").put(0),
            _ => self
                .pickle
                .global("collections", "OrderedDict")
                .put(0)
                .raw(b"]("),
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
    fn file(&self) -> Vec<u8> {
        let mut writer = Writer {
            pickle: Pickle::new(),
            slots: 0,
            storages: vec![None; self.storages.len()],
            tensors: vec![None; self.tensors.len()],
        };
        writer.root(self);
        let stored = self.storages.iter().enumerate();
        let stored = stored.map(|(index, storage)| (index.to_string(), storage));
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

fn number_bytes(class: &str) -> usize {
    match class {
        "DoubleStorage" | "LongStorage" => 8,
        "FloatStorage" => 4,
        "BoolStorage" => 1,
        _ => 2,
    }
}

fn extreme() -> impl Strategy<Value = Number> {
    let ends = [
        0,
        1,
        2,
        3,
        9,
        -1,
        127,
        128,
        255,
        256,
        65_536,
        1 << 31,
        (1 << 31) - 1,
        -(1 << 31),
        1 << 32,
        1 << 53,
        1 << 59,
        1 << 60,
        1 << 61,
        1 << 62,
        i64::MAX,
        i64::MIN,
    ];
    prop_oneof![
        8 => prop::sample::select(ends.to_vec()).prop_map(Number::Int),
        2 => any::<i64>().prop_map(Number::Int),
        1 => prop::collection::vec(any::<u8>(), 0..=40).prop_map(Number::Long),
        1 => Just(Number::Nothing),
    ]
}

fn list(length: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<Number>> {
    prop_oneof![
        8 => prop::collection::vec(extreme(), length),
        // More sides than anything has.
        1 => (extreme(), 9..3000usize).prop_map(|(side, count)| vec![side; count]),
    ]
}

/// A whole network: what is changed in it afterwards is met deep in the fit.
fn network(seed: u64, blocks: usize, filling: u8, is_legacy: bool) -> State {
    let spec = NetworkSpec {
        blocks,
        ..NetworkSpec::with_widths([1, 2, 2])
    };
    let network = spec.random(seed).expect("valid");
    let mut state = State {
        storages: Vec::new(),
        tensors: Vec::new(),
        items: Vec::new(),
        wrappers: Vec::new(),
        filling,
        is_legacy,
    };
    let mut add = |key: String, sides: &[usize], values: &[f32]| {
        let numbers = |list: &[usize]| list.iter().map(|n| Number::Int(*n as i64)).collect();
        let mut strides = vec![1; sides.len()];
        for d in (1..sides.len()).rev() {
            strides[d - 1] = strides[d] * sides[d];
        }
        state.items.push((key, Item::Tensor(state.tensors.len())));
        state.tensors.push(Tensor {
            storage: state.storages.len(),
            offset: Number::Int(0),
            sides: numbers(sides),
            strides: numbers(&strides),
            is_parameter: false,
        });
        state.storages.push(Storage {
            class: "FloatStorage",
            bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            count: Number::Int(values.len() as i64),
            view: None,
        });
    };
    for (node, shape) in network.graph().weight_shapes() {
        let (module, own) = (keys::module(node), network.weights().of(&node.name));
        add(format!("{module}.weight"), &shape.weight, &own.weight);
        add(format!("{module}.bias"), &[shape.bias], &own.bias);
    }
    state
}

/// Something in a state dict that is made different.
#[derive(Clone, Debug)]
enum Change {
    Offset(usize, Number),
    Side(usize, usize, Number),
    Stride(usize, usize, Number),
    Sides(usize, Vec<Number>),
    Strides(usize, Vec<Number>),
    Both(usize, Vec<Number>, Vec<Number>),
    Storage(usize, usize),
    Parameter(usize),
    Class(usize, &'static str),
    Count(usize, Number),
    View(usize, Number, Number),
    Length(usize, usize),
    Reference(usize, usize),
    Key(usize, String),
    Add(String, Item),
    /// One tensor under many further names.
    Many(usize, usize),
    Wrap(&'static str),
}

fn change() -> impl Strategy<Value = Change> {
    // Positions are taken modulo the count of what is there.
    let at = || 0..1000usize;
    let key = prop_oneof![
        Just("in1.weight".to_owned()),
        Just("module.in1.weight".to_owned()),
        Just("res9999.in2.bias".to_owned()),
        Just("residual_blocks.9999.conv1.conv.weight".to_owned()),
        Just(String::new()),
        "[a-z.\u{0}-\u{1f}\u{202e}]{1,20}",
        (1..5000usize).prop_map(|n| "module.".repeat(n)),
        (1..5000usize).prop_map(|n| ".".repeat(n)),
    ];
    let key = || key.clone();
    let item = prop_oneof![
        (0..1000usize).prop_map(Item::Tensor),
        extreme().prop_map(Item::Number),
        (any::<u8>(), 0..5000usize).prop_map(|(kind, depth)| Item::Nested(kind, depth)),
        Just(Item::Itself),
    ];
    let class = prop::sample::select(vec![
        "FloatStorage",
        "HalfStorage",
        "BFloat16Storage",
        "DoubleStorage",
        "LongStorage",
        "BoolStorage",
    ]);
    let wrapper = prop::sample::select(vec!["state_dict", "model", "model_state_dict", "other"]);
    prop_oneof![
        (at(), extreme()).prop_map(|(t, n)| Change::Offset(t, n)),
        (at(), 0..4usize, extreme()).prop_map(|(t, d, n)| Change::Side(t, d, n)),
        (at(), 0..4usize, extreme()).prop_map(|(t, d, n)| Change::Stride(t, d, n)),
        (at(), list(0..=9)).prop_map(|(t, l)| Change::Sides(t, l)),
        (at(), list(0..=9)).prop_map(|(t, l)| Change::Strides(t, l)),
        (at(), list(0..=9), list(0..=9)).prop_map(|(t, a, b)| Change::Both(t, a, b)),
        (at(), at()).prop_map(|(t, s)| Change::Storage(t, s)),
        at().prop_map(Change::Parameter),
        (at(), class).prop_map(|(s, c)| Change::Class(s, c)),
        (at(), extreme()).prop_map(|(s, n)| Change::Count(s, n)),
        (at(), extreme(), extreme()).prop_map(|(s, a, b)| Change::View(s, a, b)),
        (at(), 0..5000usize).prop_map(|(s, n)| Change::Length(s, n)),
        (at(), at()).prop_map(|(i, t)| Change::Reference(i, t)),
        (at(), key()).prop_map(|(i, k)| Change::Key(i, k)),
        (key(), item).prop_map(|(k, i)| Change::Add(k, i)),
        (at(), 0..3000usize).prop_map(|(t, n)| Change::Many(t, n)),
        wrapper.prop_map(Change::Wrap),
    ]
}

fn changed(mut state: State, changes: Vec<Change>) -> State {
    let (tensors, storages, items) = (state.tensors.len(), state.storages.len(), state.items.len());
    for change in changes {
        match change {
            Change::Offset(t, number) => state.tensors[t % tensors].offset = number,
            Change::Side(t, d, number) => {
                if let Some(side) = state.tensors[t % tensors].sides.get_mut(d) {
                    *side = number;
                }
            }
            Change::Stride(t, d, number) => {
                if let Some(stride) = state.tensors[t % tensors].strides.get_mut(d) {
                    *stride = number;
                }
            }
            Change::Sides(t, numbers) => state.tensors[t % tensors].sides = numbers,
            Change::Strides(t, numbers) => state.tensors[t % tensors].strides = numbers,
            Change::Both(t, sides, strides) => {
                state.tensors[t % tensors].sides = sides;
                state.tensors[t % tensors].strides = strides;
            }
            Change::Storage(t, s) => state.tensors[t % tensors].storage = s % storages,
            Change::Parameter(t) => state.tensors[t % tensors].is_parameter = true,
            Change::Class(s, class) => state.storages[s % storages].class = class,
            Change::Count(s, number) => state.storages[s % storages].count = number,
            Change::View(s, offset, count) => {
                state.storages[s % storages].view = Some((offset, count));
            }
            Change::Length(s, length) => {
                let storage = &mut state.storages[s % storages];
                let count = length / number_bytes(storage.class);
                storage.bytes = vec![0; count * number_bytes(storage.class)];
                storage.count = Number::Int(count as i64);
            }
            Change::Reference(i, t) => state.items[i % items].1 = Item::Tensor(t % tensors),
            Change::Key(i, key) => state.items[i % items].0 = key,
            Change::Add(key, Item::Tensor(t)) => state.items.push((key, Item::Tensor(t % tensors))),
            Change::Add(key, item) => state.items.push((key, item)),
            Change::Many(t, count) => {
                let more = (0..count).map(|i| (format!("more{i}"), Item::Tensor(t % tensors)));
                state.items.extend(more);
            }
            Change::Wrap(wrapper) => state.wrappers.push(wrapper),
        }
    }
    // Lengths follow from the types, which may have changed after them.
    for storage in &mut state.storages {
        let whole = storage.bytes.len() / number_bytes(storage.class) * number_bytes(storage.class);
        storage.bytes.truncate(whole);
    }
    state
}

fn state() -> impl Strategy<Value = State> {
    let whole = (0..4u64, 1..3usize, any::<u8>(), any::<bool>());
    let whole = whole.prop_map(|(seed, blocks, filling, old)| network(seed, blocks, filling, old));
    (whole, prop::collection::vec(change(), 0..6)).prop_map(|(state, c)| changed(state, c))
}

#[test]
fn well_formed_pickles_of_extreme_numbers_do_no_harm() {
    let _alone = alone();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 3000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let (read, refused) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let result = runner.run(&state(), |state| {
        let line = Line::of("generated".to_owned(), &state.file());
        let mut failures = Vec::new();
        line.faults(&mut failures);
        prop_assert!(failures.is_empty(), "{:?}", failures);
        match &line.read.refused {
            None => read.set(read.get() + 1),
            // Numbers where the pickle itself needs whole ones are the only ones it may refuse.
            Some(reason) => {
                refused.set(refused.get() + 1);
                let expected = ["names something that is no storage", "takes more than"];
                let sound = !reason.contains("refused pickle")
                    || expected.iter().any(|words| reason.contains(words));
                prop_assert!(sound, "{}", reason);
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    eprintln!("{} read, {} refused", read.get(), refused.get());
    assert!(
        read.get() > 300 && refused.get() > 1000,
        "{read:?}, {refused:?}"
    );
}

#[test]
fn what_is_generated_without_changes_is_read() {
    // What this allocates would count in the other tests.
    let _alone = alone();
    for filling in 0..3 {
        for is_legacy in [false, true] {
            let file = network(1, 2, filling, is_legacy).file();
            let budget = Budget::for_file(file.len());
            let checkpoint = Checkpoint::read_within(&file, &budget).expect("a whole network");
            let spec = NetworkSpec::recognise(checkpoint.network.graph());
            assert_eq!(spec.map(|spec| spec.blocks), Some(2));
        }
    }
}
