//! Weights in files next to the model, as exporters write them by default.
//!
//! A model names such a file. Only a regular file in the model's own folder is read, and of it only the part with the
//! weights. That part is appended to the model's bytes as one more field ([`ExternalFile`]), so that readers get all
//! bytes in one piece and the budget follows from their number.

use std::{
    collections::BTreeMap,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::{
    messages::{ExternalFile, Graph, Model, Node, Tensor},
    tensors::dtype_of,
    wire,
};
use crate::{Budget, MAX_FILE_BYTES, Result, WeightsError, error::shortened, plain_file};
use values::{allocation::can_allocate, disk::words};

/// Maximum number of files next to a model.
const MAX_FILES: usize = 1000;
/// Maximum number of unused bytes of a file for each tensor in it, besides as many as the tensor has.
const MAX_GAP_BYTES: u64 = 64 << 10;

/// Where a tensor's numbers are in a file next to the model.
struct Location<'m> {
    file: &'m str,
    start: u64,
    end: u64,
}

/// The location of an external tensor's numbers.
fn location<'m>(tensor: &Tensor<'m>) -> Result<Location<'m>> {
    let refused = |problem: String| WeightsError::tensor(tensor.name, problem);
    let text = |key: &str| {
        tensor.external_data.iter().find(|entry| entry.key == key).map_or("", |entry| entry.value)
    };
    let number = |key: &str| match text(key) {
        "" => Ok(None),
        number => number
            .parse::<u64>()
            .map(Some)
            .map_err(|_| refused(format!("has an unreadable {key} in its file"))),
    };
    let file = text("location");
    let file = file.strip_prefix("./").unwrap_or(file);
    if matches!(file, "" | "." | "..") || file.contains(['/', '\\', ':', '\0']) {
        return Err(refused(format!(
            "is stored in the external file '{}', which is not a file name in the model's folder; \
             save the model again with its weights in one file beside it",
            shortened(file)
        )));
    }
    let start = number("offset")?.unwrap_or(0);
    let length = match number("length")? {
        Some(length) => length,
        None => {
            let sides = tensor.dims.iter().map(|&side| u64::try_from(side).ok());
            let size_bytes = dtype_of(tensor.data_type).map_or(0, |dtype| dtype.size_bytes());
            sides
                .chain([Some(size_bytes as u64)])
                .try_fold(1u64, |product, side| product.checked_mul(side?))
                .ok_or_else(|| refused("has impossible sides".to_owned()))?
        }
    };
    let end = start
        .checked_add(length)
        .ok_or_else(|| refused(format!("needs {length} bytes from byte {start} of its file")))?;
    Ok(Location { file, start, end })
}

/// Changes a tensor.
type Visit<'v, 'm> = &'v mut dyn FnMut(&mut Tensor<'m>) -> Result<()>;

fn each_of_graph<'m>(graph: &mut Graph<'m>, visit: Visit<'_, 'm>) -> Result<()> {
    graph.initializer.iter_mut().try_for_each(&mut *visit)?;
    each_of_nodes(&mut graph.node, visit)
}

fn each_of_nodes<'m>(nodes: &mut [Node<'m>], visit: Visit<'_, 'm>) -> Result<()> {
    for attribute in nodes.iter_mut().flat_map(|node| &mut node.attribute) {
        if let Some(tensor) = &mut attribute.t {
            visit(tensor)?;
        }
        if let Some(graph) = &mut attribute.g {
            each_of_graph(graph, visit)?;
        }
    }
    Ok(())
}

/// Calls `visit` with every external tensor of a model.
fn each_external<'m>(model: &mut Model<'m>, visit: Visit<'_, 'm>) -> Result<()> {
    let visit: Visit<'_, 'm> =
        &mut |tensor| if tensor.is_external { visit(tensor) } else { Ok(()) };
    if let Some(graph) = &mut model.graph {
        each_of_graph(graph, visit)?;
    }
    model.functions.iter_mut().try_for_each(|function| each_of_nodes(&mut function.node, visit))
}

/// Reads the files that the model at `path` names, and appends them to the model's bytes.
///
/// # Errors
/// [`WeightsError`] names the tensor or the file, and what is wrong with it.
pub fn add_external_files(path: &Path, bytes: &mut Vec<u8>) -> Result<()> {
    let budget = Budget::for_file(bytes.len());
    // For each file: the first byte, the end, and the maximum number of bytes between them.
    let mut parts: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
    let mut model = wire::read(bytes, &budget)?;
    each_external(&mut model, &mut |tensor| {
        let Location { file, start, end } = location(tensor)?;
        budget.steps(1 + file.len())?;
        let most = (end - start).saturating_mul(2).saturating_add(MAX_GAP_BYTES);
        if parts.len() == MAX_FILES && !parts.contains_key(file) {
            return Err(WeightsError::tensor(
                file,
                format!("is one of more than {MAX_FILES} files"),
            ));
        }
        let part = parts.entry(budget.text(file)?).or_insert((start, end, 0));
        *part = (part.0.min(start), part.1.max(end), part.2.saturating_add(most));
        Ok(())
    })?;
    drop(model);
    for (name, (start, end, most)) in parts {
        let file = path.with_file_name(&name);
        let unread = |error: io::Error| {
            let model = path.file_name().unwrap_or_default().to_string_lossy();
            let remedy = if file.is_symlink() {
                "replace the link by the file itself"
            } else {
                "keep both in one folder"
            };
            let problem = format!(
                "contains weights of {} and could not be read: {}; {remedy}",
                shortened(&model),
                words(&error)
            );
            WeightsError::tensor(&name, problem)
        };
        let (mut opened, size_bytes) = plain_file::open_no_link(&file).map_err(&unread)?;
        if end > size_bytes {
            return Err(WeightsError::tensor(
                &name,
                format!("has {size_bytes} bytes, but the model needs {end}; it was cut off"),
            ));
        }
        let length = end - start;
        // The limits on memory and time follow from what is read.
        if length > most {
            let problem = "contains weights that are far apart; \
                           save the model again with its weights in one file beside it";
            return Err(WeightsError::tensor(&name, problem));
        }
        let total_bytes = length.saturating_add(bytes.len() as u64);
        if total_bytes > MAX_FILE_BYTES {
            return Err(WeightsError::TooLarge {
                size_bytes: total_bytes,
                limit_bytes: MAX_FILE_BYTES,
            });
        }
        let head = ExternalFile::head(&name, start, length as usize);
        if bytes.try_reserve_exact(head.len() + length as usize).is_err() || !can_allocate(0) {
            return Err(WeightsError::Memory { needed_bytes: total_bytes });
        }
        bytes.extend(head);
        let expected = bytes.len() as u64 + length;
        opened.seek(SeekFrom::Start(start)).map_err(&unread)?;
        opened.take(length).read_to_end(bytes).map_err(unread)?;
        if bytes.len() as u64 != expected {
            return Err(WeightsError::tensor(&name, "changed while it was read"));
        }
    }
    Ok(())
}

/// Gives the tensors of a model their numbers from the files that were appended to it. A tensor whose file is missing
/// stays external.
pub fn resolve(model: &mut Model<'_>, budget: &Budget) -> Result<()> {
    let files = std::mem::take(&mut model.files);
    each_external(model, &mut |tensor| {
        let Location { file, start, end } = location(tensor)?;
        // Any number of names may have the same beginning.
        budget.steps((1 + files.len()).saturating_mul(1 + file.len()))?;
        let Some(found) = files.iter().find(|found| found.name == file) else {
            return Ok(());
        };
        let at = |byte: u64| usize::try_from(byte.checked_sub(found.start as u64)?).ok();
        let numbers = at(start).zip(at(end)).and_then(|(start, end)| found.bytes.get(start..end));
        tensor.raw_data = numbers.ok_or_else(|| {
            WeightsError::tensor(tensor.name, format!("needs bytes {start} to {end} of its file"))
        })?;
        tensor.is_external = false;
        Ok(())
    })
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use std::fs;

    use super::*;
    use crate::onnx::messages::Entry;

    fn message(entries: &[(&'static str, &'static str)]) -> String {
        let entry = |&(key, value): &(&'static str, &'static str)| Entry { key, value };
        let tensor = Tensor {
            name: "w",
            dims: vec![3, 2],
            data_type: 1,
            is_external: true,
            external_data: entries.iter().map(entry).collect(),
            ..Tensor::default()
        };
        match location(&tensor) {
            Ok(Location { file, start, end }) => format!("{file} {start} {end}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_plain_names_are_followed() {
        for name in
            ["", ".", "..", "a/b", "/etc/passwd", "..\\x", "C:x", ".//x", "././x", "./..", "x\0y"]
        {
            let error = message(&[("location", name)]);
            assert!(
                error.contains("not a file name in the model's folder; save the model again"),
                "{error}"
            );
        }
        for name in ["a.onnx.data", "./a.onnx.data"] {
            assert_eq!(message(&[("location", name)]), "a.onnx.data 0 24");
        }
        let part = [("location", "a"), ("offset", "8"), ("length", "4")];
        assert_eq!(message(&part), "a 8 12");
        for (offset, length) in [("-1", "4"), ("18446744073709551615", "1"), ("0", "many")] {
            let error = message(&[("location", "a"), ("offset", offset), ("length", length)]);
            assert!(error.starts_with("w "), "{error}");
        }
    }

    /// A model with weights of four bytes in `file`.
    fn model(file: &str, offsets: &[&str]) -> Vec<u8> {
        let part = |number: u8, content: &[u8]| {
            [&[number << 3 | 2, content.len() as u8], content].concat()
        };
        let entry = |key: &str, value: &str| {
            part(13, &[part(1, key.as_bytes()), part(2, value.as_bytes())].concat())
        };
        let tensor = |offset: &&str| {
            let fields = [
                vec![8, 1, 16, 1, 14 << 3, 1],
                part(8, b"w"),
                entry("location", file),
                entry("offset", offset),
            ];
            part(5, &fields.concat())
        };
        part(7, &offsets.iter().flat_map(tensor).collect::<Vec<_>>())
    }

    #[test]
    fn weights_that_are_far_apart_are_not_read() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("m.onnx");
        let data = fs::File::create(folder.path().join("m.data")).expect("file");
        data.set_len(900 << 20).expect("sparse");
        let read = |offset: &str| {
            let mut bytes = model("m.data", &["0", offset]);
            add_external_files(&path, &mut bytes)
                .map_err(|error| error.to_string())
                .map(|()| bytes.len())
        };
        let most = 2 * MAX_GAP_BYTES + 4 * 4;
        assert!(read(&(most - 4).to_string()).expect("read") > most as usize);
        for far in [most - 3, 899 << 20] {
            let error = read(&far.to_string()).expect_err("far apart");
            assert!(error.contains("m.data contains weights that are far apart"), "{error}");
        }
    }

    #[test]
    fn long_names_of_many_files_are_not_compared_with_each_other() {
        let names: Vec<String> = (0..100).map(|n| format!("{}{n:03}", "x".repeat(1000))).collect();
        let name = names[99].as_str();
        let file = |name| ExternalFile { name, start: 0, bytes: &[0; 4] };
        let entry = Entry { key: "location", value: name };
        let tensor = Tensor { is_external: true, external_data: vec![entry], ..Tensor::default() };
        let graph = Graph { initializer: vec![tensor; 100], ..Default::default() };
        let files = names.iter().map(|name| file(name)).collect();
        let mut model = Model { graph: Some(graph), files, ..Model::default() };
        let error = resolve(&mut model, &Budget::for_file(0)).expect_err("costs too much");
        assert!(error.to_string().contains("takes more than"), "{error}");
    }

    #[test]
    fn a_part_of_a_file_in_the_same_folder_is_read_and_nothing_else() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("m.onnx");
        fs::write(folder.path().join("m.data"), [9, 9, 1, 2, 3, 4, 9]).expect("file");
        let read = |file: &str, offset: &str| {
            let mut bytes = model(file, &[offset]);
            add_external_files(&path, &mut bytes).map_err(|error| error.to_string())?;
            let budget = Budget::for_file(bytes.len());
            let mut model = wire::read(&bytes, &budget).map_err(|error| error.to_string())?;
            resolve(&mut model, &budget).map_err(|error| error.to_string())?;
            Ok::<_, String>(model.graph.expect("there").initializer[0].raw_data.to_vec())
        };
        assert_eq!(read("m.data", "2"), Ok(vec![1, 2, 3, 4]));
        let error = read("m.data", "4").expect_err("too short");
        assert!(error.contains("has 7 bytes, but the model needs 8"), "{error}");
        let error = read("none", "0").expect_err("missing");
        assert!(error.contains("none contains weights of m.onnx"), "{error}");
        fs::create_dir(folder.path().join("deep")).expect("folder");
        assert!(read("deep", "0").expect_err("a folder").contains("folder"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("m.data", folder.path().join("link")).expect("link");
            let error = read("link", "0").expect_err("a link");
            assert!(
                error.ends_with("it is a link; replace the link by the file itself"),
                "{error}"
            );
        }
    }
}
