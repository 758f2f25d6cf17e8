//! A model's configuration: completes what the user left out, checks the inputs and outputs, reads the parameters.
//!
//! Works on the JSON that the server passes, in which every field of `model_config.proto` is present. Knows no styles
//! and no devices.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::{DataType, Kind, Outcome, invalid};

/// Pictures of a batch, unless the user sets `max_batch_size`.
const MAX_BATCH: u64 = 16;
/// The longest time of a request in the queue: a day.
const LONGEST_WAIT_US: u64 = 86_400_000_000;
/// The parameter that says how pictures are sent: as pixels or as files.
pub const PICTURES: &str = "pictures";

/// What the configuration says about the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensors {
    /// [`DataType::Bytes`] for files.
    pub kind: DataType,
    /// Shapes begin with the number of pictures.
    pub has_batches: bool,
    /// Each picture comes with its style.
    pub has_style: bool,
}

/// The model's own parameters.
pub fn parameters(config: &Value) -> BTreeMap<String, String> {
    let all = config["parameters"].as_object().into_iter().flatten();
    let text = |value: &Value| value["string_value"].as_str().unwrap_or_default().to_owned();
    all.map(|(name, value)| (name.clone(), text(value))).collect()
}

fn list<'a>(config: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    config[field].as_array().into_iter().flatten()
}

fn has_batches(config: &Value) -> bool {
    config["max_batch_size"].as_i64() > Some(0)
}

/// Adds the inputs, outputs and batching that the user left out.
///
/// # Errors
/// If a parameter says neither pixels nor files.
pub fn complete(config: &mut Value, has_style: bool) -> Outcome {
    let (kind, dims) = match parameters(config).get(PICTURES).map_or("pixels", String::as_str) {
        "pixels" => ("TYPE_UINT8", json!([-1, -1, -1])),
        "files" => ("TYPE_STRING", json!([1])),
        other => {
            return Err(invalid!("{PICTURES} is '{other}'; use pixels or files"));
        }
    };
    let tensor = |name| json!({"name": name, "data_type": kind, "dims": dims});
    let [has_inputs, has_outputs] =
        ["input", "output"].map(|field| list(config, field).next().is_some());
    if !has_inputs && !has_outputs && !has_batches(config) {
        config["max_batch_size"] = MAX_BATCH.into();
    }
    if !has_inputs {
        let names = ["IMAGE", "STYLE"].into_iter().take(1 + usize::from(has_style));
        let inputs = names.map(|name| {
            let mut input = tensor(name);
            input["allow_ragged_batch"] = (kind == "TYPE_UINT8").into();
            input
        });
        config["input"] = inputs.collect();
    }
    if !has_outputs {
        config["output"] = json!([tensor("PAINTING")]);
    }
    let schedulers = ["dynamic_batching", "sequence_batching", "ensemble_scheduling"];
    if has_batches(config) && schedulers.iter().all(|field| config[field].is_null()) {
        // A request's own timeout is its deadline in the queue. The server ignores it unless it is below the default.
        config["dynamic_batching"] = json!({"default_queue_policy": {
                "allow_timeout_override": true, "default_timeout_microseconds": LONGEST_WAIT_US}});
    }
    Ok(())
}

/// Checks the names, types and shapes of the inputs and outputs.
///
/// # Errors
/// What the configuration must say instead.
pub fn tensors(config: &Value, has_style: bool) -> Outcome<Tensors> {
    let all: Vec<&Value> = list(config, "input").chain(list(config, "output")).collect();
    let expected =
        if has_style { &["IMAGE", "STYLE", "PAINTING"][..] } else { &["IMAGE", "PAINTING"] };
    let (kind, name, rank) = match all.first().and_then(|image| image["data_type"].as_str()) {
        Some(name @ "TYPE_STRING") => (DataType::Bytes, name, 1),
        _ => (DataType::Uint8, "TYPE_UINT8", 3),
    };
    let fits =
        |tensor: &&Value| tensor["data_type"] == name && list(tensor, "dims").count() == rank;
    if !all.iter().map(|tensor| &tensor["name"]).eq(expected) || !all.iter().all(fits) {
        return Err(invalid!(
            "the inputs and outputs must be {}, all of TYPE_UINT8 with dims [-1, -1, 3], or all of TYPE_STRING with \
             dims [1]; leave them out to get these",
            expected.join(", ")
        ));
    }
    Ok(Tensors { kind, has_batches: has_batches(config), has_style })
}

/// Number of the model's instances on the device of `kind`.
pub fn instances_on(config: &Value, kind: Kind) -> usize {
    let is_on = |group: &&Value| match kind {
        Kind::Processor => group["kind"] == "KIND_CPU",
        Kind::Gpu(index) => {
            group["kind"] == "KIND_GPU" && list(group, "gpus").any(|gpu| *gpu == index)
        }
    };
    let count = |group: &Value| group["count"].as_u64().unwrap_or(1) as usize;
    list(config, "instance_group").filter(is_on).map(count).sum::<usize>().max(1)
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
        let queue = &config["dynamic_batching"]["default_queue_policy"];
        assert_eq!(queue["allow_timeout_override"], true, "deadlines of requests");
        assert_eq!(queue["default_timeout_microseconds"], LONGEST_WAIT_US);
        let expected = Tensors { kind: DataType::Uint8, has_batches: true, has_style: true };
        assert_eq!(tensors(&config, true), Ok(expected));
        assert!(tensors(&config, false).is_err(), "the style is not an input");
    }

    #[test]
    fn the_users_choice_is_kept() {
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
