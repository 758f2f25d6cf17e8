//! Exports of the corpus' networks, read back by this program's own reader.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use values::mode::ModelSize;
use weights::{
    StyleLibrary,
    onnx::export::{self, Export},
};

/// The file with its description of itself hidden, so that only its nodes describe the network.
fn without_description(mut file: Vec<u8>) -> Vec<u8> {
    for key in ["styleforge.export", "styleforge.graph"] {
        let found = file.windows(key.len()).position(|bytes| bytes == key.as_bytes());
        if let Some(at) = found {
            file[at..at + key.len()].reverse();
        }
    }
    file
}

fn levels_between(a: &Frame, b: &Frame) -> u8 {
    a.rgba().iter().zip(b.rgba()).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or_default()
}

#[test]
fn exports_are_read_back_exactly_and_by_their_nodes() {
    let corpus = networks();
    let (mut wrong, mut by_nodes) = (Vec::new(), 0);
    let mut refused = BTreeSet::new();
    for network in &corpus.networks {
        let name = &network.name;
        let bytes = &corpus.files[&format!("{name}.onnx")];
        let Ok(checkpoint) = Checkpoint::from_bytes_as(bytes, choice(network)) else {
            continue;
        };
        let reference = &network.references[network.references.len().min(2) - 1];
        let photo = corpus.picture(reference.height, reference.width);
        let graph = checkpoint.network.graph();
        for size in [None, Some(photo.size())] {
            let export = match Export::new(graph, false, size.is_some(), size) {
                Ok(export) => export,
                Err(error) => {
                    println!("{name}: {error}");
                    refused.insert(name.as_str());
                    continue;
                }
            };
            let file = export::write(&checkpoint.network, &checkpoint.metadata, &export);
            let file = match file {
                Ok(file) => file,
                Err(error) => {
                    println!("{name}: {error}");
                    refused.insert(name.as_str());
                    continue;
                }
            };
            match Checkpoint::from_bytes(&file) {
                Ok(again) if again.network == checkpoint.network => {}
                Ok(_) => wrong.push(format!("{name}: another network")),
                Err(error) => wrong.push(format!("{name}: {error}")),
            }
            match Checkpoint::from_bytes(&without_description(file)) {
                Ok(again) => {
                    let pictures = [&checkpoint, &again]
                        .map(|read| oracle::judge(&read.network, &photo).picture(&photo));
                    let levels = levels_between(&pictures[0], &pictures[1]);
                    println!("{name}: by its nodes, {levels} levels off");
                    by_nodes += usize::from(levels <= 1);
                }
                Err(error) => println!("{name}: by its nodes: {error}"),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    // One has positions that ONNX lacks, and one runs only at some sizes.
    let refused: Vec<&str> = refused.into_iter().collect();
    assert_eq!(refused, ["pad_kinds", "resize_axes"]);
    println!("{by_nodes} by their nodes");
    assert!(by_nodes > 40, "{by_nodes}");
}

/// The nodes that extend a photo, one reflection after another, make the picture that the program paints.
#[test]
fn small_photos_are_extended_by_several_reflections() {
    let style = StyleLibrary::standard()
        .find("candy")
        .expect("a style")
        .load(ModelSize::Lite)
        .expect("weights");
    for (width, height) in [(1, 1), (2, 2), (4, 30), (3, 40)] {
        let photo = Frame::from_fn(width, height, |x, y| [(x * 60) as u8, (y * 8) as u8, 200, 255]);
        let size = Some((width, height));
        let export = Export::new(style.network.graph(), false, false, size).expect("any size");
        assert!(export.sizes.reflections > usize::from(width == 1), "{width}x{height}");
        let file = export::write(&style.network, &BTreeMap::new(), &export).expect("written");
        let again = Checkpoint::from_bytes(&without_description(file)).expect("read");
        let pictures = [&style.network, &again.network]
            .map(|network| oracle::judge(network, &photo).picture(&photo));
        let levels = levels_between(&pictures[0], &pictures[1]);
        assert!(levels <= 1, "{width}x{height}: {levels} levels");
    }
}

/// A changed file is not what its metadata say.
#[test]
fn an_export_with_another_weight_is_read_by_its_nodes() {
    let corpus = networks();
    let checkpoint = Checkpoint::from_bytes(&corpus.files["bytes_in.onnx"]).expect("read");
    let export = Export::new(checkpoint.network.graph(), false, false, None).expect("any size");
    let mut file =
        export::write(&checkpoint.network, &checkpoint.metadata, &export).expect("written");
    let graph = checkpoint.network.graph();
    let (node, _) = graph.weight_shapes().next().expect("weights");
    let own = checkpoint.network.weights().of(&node.name).weight[0].to_le_bytes();
    let at = file.windows(4).position(|bytes| bytes == own).expect("stored");
    file[at..at + 4].copy_from_slice(&8.0f32.to_le_bytes());
    let again = Checkpoint::from_bytes(&file).expect("read");
    assert_ne!(again.network, checkpoint.network);
    let weights = again.network.graph().weight_shapes();
    let has_it = |name: &str| again.network.weights().of(name).weight.contains(&8.0);
    assert!(weights.map(|(node, _)| node.name.as_str()).any(has_it));
}

#[test]
fn half_precision_rounds_the_weights() {
    let corpus = networks();
    let checkpoint = Checkpoint::from_bytes(&corpus.files["bytes_in.onnx"]).expect("read");
    let graph = checkpoint.network.graph();
    let export = Export::new(graph, true, false, None).expect("any size");
    let file = export::write(&checkpoint.network, &checkpoint.metadata, &export).expect("written");
    let again = Checkpoint::from_bytes(&file).expect("read back");
    assert_eq!((again.network.graph(), again.storage), (graph, StorageType::F16));
    for (node, _) in graph.weight_shapes() {
        let [own, read] = [&checkpoint, &again].map(|c| &c.network.weights().of(&node.name).weight);
        let half = |v: &f32| half::f16::from_f32(*v).to_f32();
        assert_eq!(*read, own.iter().map(half).collect::<Vec<_>>());
    }
    let mut weights = checkpoint.network.weights().clone();
    let (node, _) = graph.weight_shapes().next().expect("weights");
    weights.of_mut(&node.name).weight[0] = 1e6;
    let large = network::Network::new(graph.clone(), weights).expect("of the right lengths");
    let error = export::write(&large, &checkpoint.metadata, &export).expect_err("too large");
    assert!(error.to_string().ends_with("choose --precision fp32"), "{error}");
}
