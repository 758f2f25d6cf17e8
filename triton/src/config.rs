//! A model's configuration: completes what the user left out, checks the inputs and outputs, reads the parameters.
//!
//! Works on the JSON that the server passes, in which every field of `model_config.proto` is present. Knows no styles
//! and no devices.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::{DataType, Failure, Kind, Outcome};

/// Pictures of a batch, unless the user sets `max_batch_size`.
const MAX_BATCH: u64 = 16;
/// The parameter that says how pictures are sent: as pixels or as files.
pub const PICTURES: &str = "pictures";

/// What the configuration says about the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensors {
    /// [`DataType::Bytes`] for files.
    pub kind: DataType,
    /// Whether shapes begin with the number of pictures.
    pub has_batches: bool,
    /// Whether each picture comes with its style.
    pub has_style: bool,
}

/// The model's own parameters.
pub fn parameters(config: &Value) -> BTreeMap<String, String> {
    let all = config["parameters"].as_object().into_iter().flatten();
    all.map(|(name, value)| {
        let text = value["string_value"].as_str().unwrap_or_default();
        (name.clone(), text.to_owned())
    })
    .collect()
}

/// Adds the inputs, outputs and batching that the user left out.
///
/// # Errors
/// If a parameter says neither pixels nor files.
pub fn complete(config: &mut Value, has_style: bool) -> Outcome {
    let kind = match parameters(config).get(PICTURES).map_or("pixels", String::as_str) {
        "pixels" => DataType::Uint8,
        "files" => DataType::Bytes,
        other => {
            return Err(Failure::invalid(format!("{PICTURES} is '{other}'; use pixels or files")));
        }
    };
    let Some(config) = config.as_object_mut() else {
        return Err(Failure::invalid("the model's configuration is not an object"));
    };
    let is_empty = |config: &Map<String, Value>, field: &str| {
        config.get(field).and_then(Value::as_array).is_none_or(Vec::is_empty)
    };
    let is_new = is_empty(config, "input") && is_empty(config, "output");
    if is_new && config.get("max_batch_size").and_then(Value::as_i64).unwrap_or(0) == 0 {
        config.insert("max_batch_size".to_owned(), json!(MAX_BATCH));
    }
    let (name, dims) = match kind {
        DataType::Uint8 => ("TYPE_UINT8", json!([-1, -1, -1])),
        DataType::Bytes => ("TYPE_STRING", json!([1])),
    };
    if is_empty(config, "input") {
        let input = |input: &str| json!({"name": input, "data_type": name, "dims": dims, "allow_ragged_batch": kind == DataType::Uint8});
        let inputs: Vec<Value> =
            ["IMAGE", "STYLE"].into_iter().take(1 + usize::from(has_style)).map(input).collect();
        config.insert("input".to_owned(), inputs.into());
    }
    if is_empty(config, "output") {
        config.insert(
            "output".to_owned(),
            json!([{"name": "PAINTING", "data_type": name, "dims": dims}]),
        );
    }
    let batches = config.get("max_batch_size").and_then(Value::as_i64).unwrap_or(0) > 0;
    let schedulers = ["dynamic_batching", "sequence_batching", "ensemble_scheduling"];
    if batches
        && !schedulers.iter().any(|field| config.get(*field).is_some_and(|value| !value.is_null()))
    {
        // A request's own timeout is its deadline in the queue.
        config.insert(
            "dynamic_batching".to_owned(),
            json!({"default_queue_policy": {"allow_timeout_override": true}}),
        );
    }
    Ok(())
}

/// Checks the names, types and shapes of the inputs and outputs.
///
/// # Errors
/// What the configuration must say instead.
pub fn tensors(config: &Value, has_style: bool) -> Outcome<Tensors> {
    let list = |field: &str| config[field].as_array().map_or(&[][..], Vec::as_slice);
    let all: Vec<&Value> = list("input").iter().chain(list("output")).collect();
    let names: Vec<&str> = all.iter().filter_map(|tensor| tensor["name"].as_str()).collect();
    let expected =
        if has_style { &["IMAGE", "STYLE", "PAINTING"][..] } else { &["IMAGE", "PAINTING"] };
    let (kind, name, rank) = match all.first().and_then(|image| image["data_type"].as_str()) {
        Some(name @ "TYPE_STRING") => (DataType::Bytes, name, 1),
        _ => (DataType::Uint8, "TYPE_UINT8", 3),
    };
    let fits = |tensor: &&Value| {
        tensor["data_type"] == name
            && tensor["dims"].as_array().is_some_and(|dims| dims.len() == rank)
    };
    if names != expected || !all.iter().all(fits) {
        let what = format!("the inputs and outputs must be {}", expected.join(", "));
        let types = "TYPE_UINT8 with dims [-1, -1, 3], or all of TYPE_STRING with dims [1]";
        return Err(Failure::invalid(format!(
            "{what}, all of {types}; leave them out to get these"
        )));
    }
    Ok(Tensors { kind, has_batches: config["max_batch_size"].as_i64().unwrap_or(0) > 0, has_style })
}

/// Number of the model's instances on the device of `kind`.
pub fn instances_on(config: &Value, kind: Kind) -> usize {
    let groups = config["instance_group"].as_array().map_or(&[][..], Vec::as_slice);
    let is_on = |group: &&Value| match kind {
        Kind::Processor => group["kind"] == "KIND_CPU",
        Kind::Gpu(index) => {
            let gpus = group["gpus"].as_array().map_or(&[][..], Vec::as_slice);
            group["kind"] == "KIND_GPU" && gpus.iter().any(|gpu| gpu.as_u64() == Some(index as u64))
        }
    };
    let count = |group: &Value| group["count"].as_u64().unwrap_or(1) as usize;
    groups.iter().filter(is_on).map(count).sum::<usize>().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_of_one_line_is_completed() {
        let mut config =
            json!({"backend": "styleforge", "max_batch_size": 0, "input": [], "output": []});
        complete(&mut config, true).expect("complete");
        assert_eq!(config["max_batch_size"], MAX_BATCH);
        assert_eq!(config["input"][1]["name"], "STYLE");
        assert_eq!(config["input"][0]["allow_ragged_batch"], true);
        let expected = Tensors { kind: DataType::Uint8, has_batches: true, has_style: true };
        assert_eq!(tensors(&config, true), Ok(expected));
        assert!(tensors(&config, false).is_err(), "the style is not an input");
    }

    #[test]
    fn what_the_user_says_is_kept() {
        let mut config = json!({
            "max_batch_size": 0,
            "input": [{"name": "IMAGE", "data_type": "TYPE_STRING", "dims": [1]}],
            "parameters": {"pictures": {"string_value": "files"}},
        });
        complete(&mut config, false).expect("complete");
        let expected = Tensors { kind: DataType::Bytes, has_batches: false, has_style: false };
        assert_eq!(tensors(&config, false), Ok(expected));
        assert!(config.get("dynamic_batching").is_none());
        for (field, wrong) in
            [("name", json!("X")), ("data_type", json!("TYPE_FP32")), ("dims", json!([1, 2]))]
        {
            let mut config = config.clone();
            config["input"][0][field] = wrong;
            assert!(tensors(&config, false).is_err(), "{field}");
        }
        config["parameters"]["pictures"]["string_value"] = json!("waves");
        assert!(complete(&mut config, false).is_err());
    }

    #[test]
    fn instances_of_a_device_are_counted() {
        let config = json!({"instance_group": [
            {"kind": "KIND_CPU", "count": 2},
            {"kind": "KIND_GPU", "count": 3, "gpus": [0, 1]},
            {"kind": "KIND_GPU", "count": 1, "gpus": [1]},
        ]});
        let kinds = [(Kind::Processor, 2), (Kind::Gpu(0), 3), (Kind::Gpu(1), 4), (Kind::Gpu(2), 1)];
        for (kind, count) in kinds {
            assert_eq!(instances_on(&config, kind), count, "{kind:?}");
        }
    }
}
