//! The output of `bench --device cuda --kernels`: complete and plausible.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use backend::{Backend, Inspect};
use libtest_mimic::Failed;
use pictures::encode::{self, Encoding, Existing, Format};
use serde_json::Value;

use crate::{real_time, shipped::waves, styles::root};

/// The program: the one built with this test, or the one that `STYLEFORGE_BINARY` names if the test was copied to
/// another computer.
fn program() -> PathBuf {
    std::env::var_os("STYLEFORGE_BINARY")
        .map_or_else(|| Path::new(env!("CARGO_BIN_EXE_styleforge")).to_owned(), PathBuf::from)
}

fn bench(words: &[&str]) -> Result<String, Failed> {
    let done = Command::new(program())
        .args(["bench", "--device", "cuda", "--size", "320x200"])
        .args(["--precision", "fp16", "--frames", "30"])
        .args(words)
        .current_dir(root())
        .output()?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into_owned().into());
    }
    Ok(String::from_utf8(done.stdout)?)
}

fn number(row: &Value, name: &str) -> Result<f64, Failed> {
    row[name].as_f64().ok_or_else(|| format!("{name} is {}", row[name]).into())
}

/// A network for style pictures has its own rows: attention and the linear layers, with what they compute.
fn style_pictures_have_rows() -> Result<(), Failed> {
    let pictures = tempfile::tempdir()?;
    let file = pictures.path().join("style.png");
    let encoding = Encoding::of(Format::Png);
    encode::save(&file, &waves(300, 200, 7), None, encoding, Existing::Keep)?;
    let style = file.to_str().ok_or("a path in other letters")?;
    let variants = ["--variant", "baseline", "--variant", "fused"];
    let words = [&["--kernels", "--json", "--style-picture", style], &variants[..]].concat();
    let report: Value = serde_json::from_str(&bench(&words)?)?;
    let rows = report["results"].as_array().ok_or("no results")?;
    if rows.len() != variants.len() / 2 {
        return Err(format!("{} results", rows.len()).into());
    }
    for row in rows {
        let kernels = row["kernels"].as_array().ok_or("no kernels")?;
        // Attention is found by its kernels, linear layers by their names, because the kernel that multiplies depends
        // on the device.
        for (name, word) in
            [("kernel", "attention"), ("layer", ".qkv"), ("layer", ".up"), ("layer", ".down")]
        {
            let is_named = |kernel: &&Value| {
                kernel[name]
                    .as_str()
                    .is_some_and(|text| text.starts_with(word) || text.ends_with(word))
            };
            let found = kernels.iter().filter(is_named);
            let (mut flops, mut ms) = (0.0, 0.0);
            for kernel in found {
                flops += number(kernel, "flops")?;
                ms += number(kernel, "ms")?;
            }
            if flops <= 0.0 || ms <= 0.0 {
                return Err(format!("no row for {word} in {}: {kernels:?}", row["mode"]).into());
            }
        }
        let ways = row["attention"].as_array().map_or(0, Vec::len);
        if ways == 0 {
            return Err(format!("{}: it is not said how attention is computed", row["mode"]).into());
        }
    }
    Ok(())
}

/// The sum of the kernels' times is reported next to the graph's time with the difference, and is close to it. The
/// clock is known, percentiles rise, launching one by one is not faster, and every reference shape has a row.
pub fn bench_is_complete_and_sane(backend: &dyn Backend) -> Result<(), Failed> {
    let report: Value = serde_json::from_str(&bench(&["--kernels", "--json"])?)?;
    let rows = report["results"].as_array().ok_or("no results")?;
    for row in rows {
        let mode = row["mode"].to_string();
        let (p50, p95, p99) =
            (number(row, "p50_ms")?, number(row, "p95_ms")?, number(row, "p99_ms")?);
        let kernels = row["kernels"].as_array().ok_or("no kernels")?;
        let sum: f64 = kernels.iter().filter_map(|k| k["ms"].as_f64()).sum();
        // An event between two launches costs up to a few microseconds; a graph hides the gaps that it can.
        let most = p50 + 0.02 * kernels.len() as f64;
        if real_time::is_judged() && !(0.4 * p50..most).contains(&sum) {
            return Err(format!("{mode}: kernels {sum} ms, graph {p50} ms").into());
        }
        if !(p50 > 0.0 && p50 <= p95 && p95 <= p99) {
            return Err(format!("{mode}: percentiles {p50} {p95} {p99}").into());
        }
        let eager = number(row, "eager_p50_ms")?;
        if real_time::is_judged() && eager < 0.9 * p50 {
            return Err(format!("{mode}: {eager} ms without a graph, {p50} ms with it").into());
        }
        if backend.inspect().and_then(Inspect::clock_mhz).is_some() {
            for clock in ["clock_before_mhz", "clock_after_mhz"] {
                let mhz = number(row, clock)?;
                if !(100.0..4000.0).contains(&mhz) {
                    return Err(format!("{mode}: {clock} is {mhz}").into());
                }
            }
        }
        let shapes = row["reference_shapes"].as_array().ok_or("no reference shapes")?;
        let is_fused = row["variant"] == "fused";
        for (kind, is_expected) in
            [("instance-norm", !is_fused), ("conv-norm-relu", true), ("residual-block", true)]
        {
            let found = shapes.iter().filter(|shape| shape["shape"] == kind).count();
            // On the largest maps and on the smallest.
            if found != if is_expected { 2 } else { 0 } {
                return Err(format!("{mode}: {found} rows for {kind}").into());
            }
        }
        if let Some(shape) = shapes.iter().find(|shape| shape["us"].as_f64() <= Some(0.0)) {
            return Err(format!("{mode}: {shape}").into());
        }
    }
    style_pictures_have_rows()?;
    let text = bench(&["--kernels", "--variant", "fused"])?;
    for shown in ["sum of steps", "a whole frame", "difference", "MHz before"] {
        if !text.contains(shown) {
            return Err(format!("\"{shown}\" is not shown:\n{text}").into());
        }
    }
    Ok(())
}
