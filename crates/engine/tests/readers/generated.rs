//! Well-formed pickles with extreme numbers, in both containers.
//!
//! Damaged bytes rarely pass the first checks. These pickles do, and test the arithmetic after them: sides, strides,
//! offsets and views at the limits of their ranges, integers of any length, deep nesting, one object under many names.

mod state_dict;

use network::models::johnson::{NetworkSpec, keys};
use proptest::prelude::*;
use weights::{Budget, Checkpoint, Choice};

use super::{Line, alone};
use state_dict::{Item, Number, State, Storage, Tensor, number_bytes};

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
        // More sides than any real tensor has.
        1 => (extreme(), 9..3000usize).prop_map(|(side, count)| vec![side; count]),
    ]
}

/// A whole network: later changes are found deep in the fit.
fn network(seed: u64, blocks: usize, filling: u8, is_legacy: bool) -> State {
    let spec = NetworkSpec { blocks, ..NetworkSpec::with_widths([1, 2, 2]) };
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

/// A change to a state dict.
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
    /// One tensor under many additional names.
    Many(usize, usize),
    Wrap(&'static str),
}

fn change() -> impl Strategy<Value = Change> {
    // Positions are taken modulo the number of items.
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
    // Lengths depend on the types, which may have changed since.
    for storage in &mut state.storages {
        let whole = storage.bytes.len() / number_bytes(storage.class) * number_bytes(storage.class);
        storage.bytes.truncate(whole);
    }
    state
}

fn state() -> impl Strategy<Value = State> {
    let whole = (0..4u64, 1..3usize, any::<u8>(), any::<bool>())
        .prop_map(|(seed, blocks, filling, old)| network(seed, blocks, filling, old));
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
            // It may only refuse numbers that the pickle needs as integers.
            Some(reason) => {
                refused.set(refused.get() + 1);
                let expected = ["refers to something that is not a storage", "takes more than"];
                let sound = !reason.contains("refused pickle")
                    || expected.iter().any(|words| reason.contains(words));
                prop_assert!(sound, "{}", reason);
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    eprintln!("{} read, {} refused", read.get(), refused.get());
    assert!(read.get() > 300 && refused.get() > 1000, "{read:?}, {refused:?}");
}

#[test]
fn unchanged_generated_files_are_read() {
    // Allocations here would count in the other tests.
    let _alone = alone();
    for filling in 0..3 {
        for is_legacy in [false, true] {
            let file = network(1, 2, filling, is_legacy).file();
            let budget = Budget::for_file(file.len());
            let checkpoint = Checkpoint::read_within(&file, &budget, Choice::default())
                .expect("a whole network");
            let spec = NetworkSpec::recognise(checkpoint.network.graph());
            assert_eq!(spec.map(|spec| spec.blocks), Some(2));
        }
    }
}
