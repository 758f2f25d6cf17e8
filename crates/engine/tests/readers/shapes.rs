//! Small files that request much work; each shape is made in many sizes.

use super::files::{Pickle, archive, legacy, safetensors, zip};

/// How the work grows with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Twice the file size, twice the work.
    Linear,
    /// The requested work grows faster than the file, so large files are refused.
    Refused,
}

pub struct Shape {
    pub name: &'static str,
    pub growth: Growth,
    /// Makes the file with about this many bytes.
    pub make: fn(usize) -> Vec<u8>,
}

const fn linear(name: &'static str, make: fn(usize) -> Vec<u8>) -> Shape {
    let growth = Growth::Linear;
    Shape { name, growth, make }
}

const fn refused(name: &'static str, make: fn(usize) -> Vec<u8>) -> Shape {
    let growth = Growth::Refused;
    Shape { name, growth, make }
}

pub const SHAPES: &[Shape] = &[
    linear("wrappers nested and repeated", wrappers),
    linear("wrappers of one dict", wrappers_of_one),
    linear("wrappers side by side", wrappers_side_by_side),
    refused("OrderedDict of one list, many times", ordered_dicts),
    linear("one long key of many numbers", long_key),
    linear("one long key of wrappers' words", long_module_key),
    linear("a key of dots", |size| {
        state(|p| {
            p.text(&".".repeat(size)).small_tensor();
        })
    }),
    linear("a key of control characters", |size| {
        state(|p| {
            p.text(&"\u{1}".repeat(size)).small_tensor();
        })
    }),
    linear("many long keys", |size| {
        state(|p| {
            for index in 0..size / 1000 {
                p.text(&format!("{index:0>1000}")).small_tensor();
            }
        })
    }),
    refused("one long key of many storages", long_storage_key),
    refused("one long key of many storages, before 1.6", long_storage_key_legacy),
    linear("one long list of sides in many tensors", long_sides),
    linear("one long list of strides in many tensors", long_strides),
    linear("one tensor under many keys", many_keys),
    linear("many views of one storage", many_views),
    linear("weights that overlap", overlapping_weights),
    linear("names of many blocks", blocks_of_rrmina),
    linear("empty tuples", |size| pickle(size, b")")),
    linear("empty dicts", |size| pickle(size, b"}")),
    linear("tuples of one", |size| pickle(size, b"N\x85")),
    linear("nested tuples", |size| pickle(size, b"\x85")),
    linear("marks", |size| pickle(size, b"(")),
    linear("copies of the top", |size| pickle(size, b"2")),
    linear("memo slots", |size| pickle(size, b"\x94")),
    linear("lists closed at once", |size| pickle(size, b"(l")),
    linear("lists of two", |size| pickle(size, b"(NNl")),
    linear("dicts of one", |size| pickle(size, b"(NNd")),
    linear("appending one by one", |size| pickle_on(size, b"]", b"Na")),
    linear("appending in rows", |size| pickle_on(size, b"]", b"(NNNNe")),
    linear("setting one by one", |size| pickle_on(size, b"}", b"NNs")),
    linear("setting in rows", |size| pickle_on(size, b"}", b"(NNNNu")),
    linear("one row", |size| pickle_on(size, b"(", b"N")),
    linear("a list that holds itself", |size| pickle_on(size, b"]\x94", b"h\0a")),
    linear("long integers", |size| pickle(size, &[&[0x8a, 250][..], &[0x7f; 250]].concat())),
    linear("a long name", |size| pickle_on(size, b"c", b"n")),
    linear("a long object", |size| {
        let name = "n".repeat(size);
        pickle_on(1, format!("i{name}\n{name}\n").as_bytes(), b"N")
    }),
    linear("many entries", |size| {
        let entries = size / 100;
        let names = (0..entries).map(|i| (format!("archive/{i}"), Vec::new()));
        archive(&names.collect::<Vec<_>>())
    }),
    linear("many storages before 1.6", many_storages_legacy),
    linear("many small tensors in a header", |size| {
        header(size, |i| format!(r#""{i}":{{"dtype":"F32","shape":[],"data_offsets":[0,0]}}"#))
    }),
    linear("many empty tensors in a header", |size| {
        header(size, |i| format!(r#""{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#))
    }),
    linear("much metadata", |size| {
        let entries: Vec<String> = (0..size / 10).map(|i| format!(r#""{i}":"""#)).collect();
        safetensors(&format!(r#"{{"__metadata__":{{{}}}}}"#, entries.join(",")), &[])
    }),
    linear("metadata of control characters", |size| {
        let text = "\\u0001".repeat(size / 6);
        safetensors(&format!(r#"{{"__metadata__":{{"title":"{text}"}}}}"#), &[])
    }),
    linear("a side after the other", |size| {
        let sides = "0,".repeat(size / 2);
        safetensors(
            &format!(r#"{{"a":{{"dtype":"F32","shape":[{sides}0],"data_offsets":[0,0]}}}}"#),
            &[],
        )
    }),
    linear("a long number type", |size| {
        let name = "F".repeat(size);
        safetensors(
            &format!(r#"{{"a":{{"dtype":"{name}","shape":[],"data_offsets":[0,0]}}}}"#),
            &[],
        )
    }),
    linear("unused values", |size| {
        let lists = "[],".repeat(size / 3);
        safetensors(&format!(r#"{{"a":{{"more":[{lists}0]}}}}"#), &[])
    }),
    linear("one key twice", |size| {
        let key = "k".repeat(size / 2);
        let entry = format!(r#""{key}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#);
        safetensors(&format!("{{{entry},{entry}}}"), &[])
    }),
];

/// Files in which one long key is compared more often than their size allows: name and file. Each is refused only for
/// these steps.
pub fn long_keys() -> [(&'static str, Vec<u8>); 2] {
    let key = "k".repeat(60_000);
    let (mut tensors, mut storages) = (Pickle::new(), Pickle::new());
    write_long_storage_key(&mut tensors, &key, 500);
    storages.dict(|p| {
        p.text("storage").put(0).global("torch", "FloatStorage");
        p.put(1).text(&key).put(2).tuple(|p| {
            p.raw(b"h\0h\x01h\x02h\x02K\x01");
        });
        p.put(3).raw(b"0000");
        p.repeat(b"h\x03Q0", 500).text("in1.weight");
        p.raw(b"N");
    });
    let stored = (key.clone(), one_number().1);
    [
        ("tensors", zip(&tensors, std::slice::from_ref(&stored))),
        ("storages before 1.6", legacy(&storages, &[(stored.0, 1, stored.1)])),
    ]
}

/// A storage with one number.
fn one_number() -> (String, Vec<u8>) {
    ("0".to_owned(), vec![0, 0, 0x80, 0x3f])
}

/// An archive with a state dict of the keys and values that `write` appends.
fn state(write: impl FnOnce(&mut Pickle)) -> Vec<u8> {
    let mut p = Pickle::new();
    p.dict(write);
    zip(&p, &[one_number()])
}

/// An archive whose pickle repeats the same opcodes.
fn pickle(size: usize, again: &[u8]) -> Vec<u8> {
    pickle_on(size, b"N", again)
}

fn pickle_on(size: usize, start: &[u8], again: &[u8]) -> Vec<u8> {
    let mut p = Pickle::new();
    p.raw(start).repeat(again, size / again.len());
    zip(&p, &[])
}

/// Nested dicts, each stored many times under the keys that readers follow.
fn wrappers(size: usize) -> Vec<u8> {
    let mut p = Pickle::new();
    p.text("model").put(0);
    p.raw(b"}").put(1);
    for level in 1..=4u8 {
        p.raw(b"}").put(level as u32 + 1).raw(b"(");
        p.repeat(&[b'h', 0, b'h', level], size / 16).raw(b"u");
    }
    zip(&p, &[one_number()])
}

/// A dict with weights, many times, after dicts without weights.
fn wrappers_of_one(size: usize) -> Vec<u8> {
    let mut p = Pickle::new();
    p.text("state_dict").put(0);
    p.dict(|p| {
        p.repeat(b"NN", size / 8);
    });
    p.put(1);
    p.dict(|p| {
        p.repeat(b"h\0h\x01", size / 8);
    });
    p.put(2);
    p.dict(|p| {
        p.repeat(b"h\0h\x02", size / 16).text("in1.weight").small_tensor();
    });
    zip(&p, &[one_number()])
}

/// Many dicts, each of which wraps the same dict with many entries.
fn wrappers_side_by_side(size: usize) -> Vec<u8> {
    let mut p = Pickle::new();
    p.text("model").put(0);
    p.dict(|p| {
        p.repeat(b"NN", size / 4);
    });
    p.put(1);
    p.dict(|p| {
        p.repeat(b"h\0}(h\0h\x01u", size / 20);
    });
    zip(&p, &[one_number()])
}

fn ordered_dicts(size: usize) -> Vec<u8> {
    let mut p = Pickle::new();
    p.global("collections", "OrderedDict").put(0);
    p.raw(b"NN\x86").put(1).raw(b"](").repeat(b"h\x01", size / 4).raw(b"e\x85").put(2);
    p.repeat(b"h\0h\x02R0", size / 12);
    zip(&p, &[])
}

fn long_key(size: usize) -> Vec<u8> {
    state(|p| {
        p.text("in1.weight").small_tensor();
        p.text(&"k".repeat(size / 2)).put(0).raw(b"N");
        p.repeat(b"h\0N", size / 6);
    })
}

fn long_module_key(size: usize) -> Vec<u8> {
    state(|p| {
        p.text("in1.weight").small_tensor();
        p.text(&"module.".repeat(size / 14)).put(0).raw(b"N");
        p.repeat(b"h\0N", size / 6);
    })
}

/// Storages and tensors of them that all share one long key.
fn write_long_storage_key(p: &mut Pickle, key: &str, count: usize) {
    p.dict(|p| {
        p.text("storage").put(0).global("torch", "FloatStorage").put(1);
        p.text(key).put(2).tuple(|p| {
            p.raw(b"h\0h\x01h\x02h\x02K\x01");
        });
        p.put(3).global("torch._utils", "_rebuild_tensor_v2").put(4);
        p.raw(b"00000K\x01\x85").put(5);
        p.raw(b"0");
        for index in 0..count {
            p.text(&format!("{index}"));
            p.raw(b"h\x04(h\x03QK\0h\x05h\x05\x89NtR");
        }
    });
}

fn long_storage_key(size: usize) -> Vec<u8> {
    let mut p = Pickle::new();
    // A name in an archive has at most 64 KiB.
    let key = "k".repeat((size / 2).min(60_000));
    write_long_storage_key(&mut p, &key, size / 60);
    zip(&p, &[(key, one_number().1)])
}

fn long_storage_key_legacy(size: usize) -> Vec<u8> {
    let mut p = Pickle::new();
    let key = "k".repeat(size / 4);
    write_long_storage_key(&mut p, &key, size / 60);
    legacy(&p, &[(key, 1, one_number().1)])
}

/// Tensors whose sides or strides are one long tuple.
fn tensors_with(size: usize, sides: &[u8], strides: &[u8]) -> Vec<u8> {
    state(|p| {
        p.storage(
            "FloatStorage",
            |p| {
                p.text("0");
            },
            1,
        )
        .put(0);
        p.global("torch._utils", "_rebuild_tensor_v2").put(1);
        p.raw(b"(").repeat(b"K\x01", size / 4).raw(b"t").put(2);
        p.raw(b")").put(3).raw(b"0000");
        for index in 0..size / 50 {
            p.text(&format!("{index}")).raw(b"h\x01(h\0K\0");
            p.raw(sides).raw(strides).raw(b"\x89NtR");
        }
    })
}

fn long_sides(size: usize) -> Vec<u8> {
    tensors_with(size, b"h\x02", b"h\x02")
}

fn long_strides(size: usize) -> Vec<u8> {
    tensors_with(size, b"h\x03", b"h\x02")
}

fn many_keys(size: usize) -> Vec<u8> {
    state(|p| {
        p.small_tensor().put(0).raw(b"0");
        for index in 0..size / 12 {
            p.text(&format!("{index:x}")).raw(b"h\0");
        }
    })
}

/// A pickle of tensors that each cover the same whole storage.
fn views(size: usize, keys: &[String]) -> Vec<u8> {
    let numbers = size / 8;
    let mut p = Pickle::new();
    p.dict(|p| {
        p.storage(
            "FloatStorage",
            |p| {
                p.text("0");
            },
            numbers as i64,
        )
        .put(0);
        p.tensor(|p| {
            p.get(0).int(0).int(numbers as i64).raw(b"\x85K\x01\x85");
        });
        p.put(1).raw(b"00");
        for key in keys {
            p.text(key).get(1);
        }
    });
    zip(&p, &[("0".to_owned(), vec![0; 4 * numbers])])
}

fn many_views(size: usize) -> Vec<u8> {
    let keys: Vec<String> = (0..size / 24).map(|i| format!("{i:x}")).collect();
    views(size, &keys)
}

fn overlapping_weights(size: usize) -> Vec<u8> {
    let keys = (0..size / 40).map(|i| format!("res{}.in1.weight", i + 1));
    views(size, &keys.collect::<Vec<_>>())
}

/// Names of rrmina's networks with increasing numbers.
fn blocks_of_rrmina(size: usize) -> Vec<u8> {
    let keys = (0..size / 60).map(|i| format!("ResidualBlock.{i}.conv1.conv_layer.weight"));
    views(size, &keys.collect::<Vec<_>>())
}

fn many_storages_legacy(size: usize) -> Vec<u8> {
    let mut p = Pickle::new();
    let keys: Vec<String> = (0..size / 60).map(|i| i.to_string()).collect();
    p.dict(|p| {
        for key in &keys {
            p.text(key).storage(
                "FloatStorage",
                |p| {
                    p.text(key);
                },
                0,
            );
        }
    });
    let storages = keys.into_iter().map(|key| (key, 0, Vec::new()));
    legacy(&p, &storages.collect::<Vec<_>>())
}

fn header(size: usize, entry: impl Fn(usize) -> String) -> Vec<u8> {
    let entries: Vec<String> = (0..size / 55).map(entry).collect();
    safetensors(&format!("{{{}}}", entries.join(",")), &[])
}
