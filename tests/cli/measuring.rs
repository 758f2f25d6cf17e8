//! `styleforge bench` and `styleforge compare`: what they measure, show, write and refuse.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::Value;

use pictures::decode;

use crate::sandbox::{Run, Sandbox, send};

#[test]
fn bench_reports_everything_a_number_needs() {
    let s = Sandbox::new();
    let run = s.styleforge(&[
        "bench",
        "--style",
        "./tiny.safetensors",
        "--size",
        "24x16",
        "--size",
        "9x7",
        "--frames",
        "3",
        "--warmup",
        "1",
        "--kernels",
        "--json",
        "--device",
        "cpu",
        "--threads",
        "1",
    ]);
    let report = run
        .ends(0)
        .says("Measuring 3 frames of each mode and size (12 in all) after 1 to warm up.")
        .json();
    let results = report["results"].as_array().expect("results");
    assert_eq!(results.len(), 4, "two sizes, two variants");
    for result in results {
        for key in ["median_ms", "p50_ms", "p95_ms", "p99_ms", "fps", "gflops"] {
            assert!(result[key].as_f64().expect(key) > 0.0, "{key}");
        }
        let planned = result["peak_memory_bytes"].as_u64().expect("planned");
        assert!(planned > 0);
        if cfg!(target_os = "linux") {
            let process = result["process_peak_bytes"].as_u64().expect("measured");
            assert!(process > planned, "the process holds the run and more");
        }
        assert_eq!(result["median_ms"], result["p50_ms"]);
        assert_eq!(result["device"], "cpu");
        assert_eq!(result["method"], "host");
        assert_eq!((&result["frames"], &result["warmup_frames"]), (&3.into(), &1.into()));
        let mode = format!("{} fp32", result["variant"].as_str().expect("variant"));
        assert_eq!(result["mode"], mode);
        assert_eq!(result["precision"], "fp32");
        assert!(result["host_p50_ms"].as_f64() >= result["p50_ms"].as_f64());
        assert!(result["eager_p50_ms"].is_null(), "the processor records nothing");
        assert!(result.get("ceiling").is_none());
        let shapes = result["reference_shapes"].as_array().expect("reference shapes");
        let of = |shape: &str| shapes.iter().filter(|found| found["shape"] == shape).count();
        // On the largest maps and on the smallest. In the fused variant a norm is part of a convolution.
        let norms = if result["variant"] == "fused" { 0 } else { 2 };
        let counts = ["instance-norm", "conv-norm-relu", "residual-block"].map(of);
        assert_eq!(counts, [norms, 2, 2], "{shapes:?}");
        assert!(shapes.iter().all(|shape| shape["us"].as_f64() > Some(0.0)), "{shapes:?}");
    }
    assert_eq!(results[0]["size"], "24x16");
    let (first, second) = (&results[0], &results[1]);
    assert!(first["ratio"].is_null() && first["equality"].is_null());
    assert_eq!(second["compared_with"], "baseline fp32");
    let equality = &second["equality"];
    assert!(equality["failure"].is_null(), "{equality}");
    assert!(equality["largest_levels"].as_u64().expect("compared") <= 1);
    let medians = [first, second].map(|r| r["p50_ms"].as_f64().expect("median"));
    let ratio = second["ratio"].as_f64().expect("comparable");
    assert!((ratio - medians[0] / medians[1]).abs() < 1e-9);
    for result in results {
        let kernels = result["kernels"].as_array().expect("kernels");
        assert_eq!(result["launches"], kernels.len());
        let sum: f64 = kernels.iter().map(|k| k["ms"].as_f64().expect("ms")).sum();
        assert!(sum > 0.0 && kernels.iter().all(|k| k["gb_per_s"].as_f64() > Some(0.0)));
        assert_eq!(result["profiled_frames"], 3);
    }
    for (model, heading) in [
        (&["--model", "lite"][..], "; random weights lite (chosen with --model); "),
        (&[], "; random weights full (the default); "),
    ] {
        let brief = ["bench", "--size", "8x8", "--frames", "1", "--variant", "fused"];
        let text = s.styleforge(&[&brief[..], model].concat()).ends(0).text();
        assert!(text.contains("8x8") && text.contains(heading), "{text}");
    }
    s.styleforge(&["bench", "--size", "8"]).ends(2);
    let small = ["bench", "--size", "64x64", "--max-memory", "1MB"];
    s.styleforge(&small).ends(2).says("1 MB may be used; choose a smaller --size");
    // The size that the message suggests fits.
    let narrow = ["bench", "--max-memory", "6MB", "--frames", "1", "--size"];
    let narrow = |size: &str| s.styleforge(&[&narrow[..], &[size], &BRIEF[..2]].concat());
    let refused = narrow("300x200").ends(2).stderr;
    let (_, after) = (refused.split_once("choose a smaller --size (at most ")).expect(&refused);
    let (fits, _) = after.split_once(')').expect("a size");
    let (width, height) = fits.split_once('x').expect("two sides");
    let [width, height] = [width, height].map(|side| side.parse::<usize>().expect("pixels"));
    assert!(width < 300 && width.abs_diff(height * 3 / 2) <= 1, "{fits}");
    narrow(fits).ends(0);
    narrow(&format!("{}x{}", width + 3, height + 2)).ends(2);
    let whole = ["bench", "--size", "20000x20000"];
    s.styleforge(&whole).ends(2).says("at 20000x20000 needs");
}

/// The small style at a small size on the CPU, measured briefly.
const BRIEF: [&str; 10] = [
    "--style",
    "./tiny.safetensors",
    "--size",
    "24x16",
    "--frames",
    "2",
    "--device",
    "cpu",
    "--threads",
    "1",
];

#[test]
fn bench_shows_ratios_with_their_check_and_every_kernel() {
    let s = Sandbox::new();
    let text = s.styleforge(&[&["bench", "--kernels"], &BRIEF[..]].concat()).ends(0).text();
    for part in [
        "host clock, 2 interleaved runs of each mode",
        "24x16, fused fp32 against baseline fp32: ",
        "same picture by the rule for fp32",
        "fused fp32 at 24x16: 8 steps, median of 2 frames run step by step, host clock",
        "sum of steps",
        "us, a whole frame",
        "TFLOP/s",
    ] {
        assert!(text.contains(part), "no '{part}' in:\n{text}");
    }
    let ratios = text.lines().filter(|l| l.ends_with('x')).count();
    assert_eq!(ratios, 1, "one ratio:\n{text}");
    let one =
        s.styleforge(&[&["bench", "--variant", "fused", "--batch", "3"], &BRIEF[..]].concat());
    let one = one.ends(0).text();
    assert!(
        one.contains("2 interleaved runs of 3 frames") && !one.contains("same picture"),
        "{one}"
    );
}

/// For a network for style pictures, attention and the linear layers have their own rows.
#[test]
fn bench_shows_attention_and_linear_layers() {
    let s = Sandbox::new();
    let style = ["bench", "--kernels", "--json", "--style-picture"];
    let small = ["--size", "64x48", "--frames", "1", "--warmup", "0"];
    let threads = ["photo.png", "--device", "cpu", "--threads", "1"];
    let report = s.styleforge(&[&style[..], &threads, &small].concat()).ends(0).json();
    let results = report["results"].as_array().expect("results");
    assert_eq!(results.len(), 2, "baseline and fused");
    for result in results {
        let kernels = result["kernels"].as_array().expect("kernels");
        // Rows of the blocks that compute something, by their kernel.
        let computing = |begins: &str| {
            let is_one = |kernel: &&Value| {
                let text = |key: &str| kernel[key].as_str().expect("text");
                let (layer, kernel_name) = (text("layer"), text("kernel"));
                (layer.starts_with("encoder") || layer.starts_with("decoder"))
                    && kernel_name.starts_with(begins)
                    && kernel["flops"].as_u64() > Some(0)
                    && kernel["ms"].as_f64() > Some(0.0)
            };
            kernels.iter().filter(is_one).count()
        };
        // A block has one layer for queries, keys and values, one after attention, and two in the feed-forward part.
        let attention = computing("attention");
        assert!(attention > 0, "{result}");
        assert_eq!(computing("direct 1x1"), 4 * attention, "{result}");
    }
}

#[test]
fn a_sweep_says_how_cost_grows() {
    let s = Sandbox::new();
    let sweep = [
        "bench",
        "--sweep",
        "--model",
        "lite",
        "--max-memory",
        "45MB",
        "--frames",
        "1",
        "--warmup",
        "0",
        "--device",
        "cpu",
        "--threads",
        "1",
    ];
    let report = s.styleforge(&[&sweep[..], &["--json"]].concat()).ends(0).json();
    let series = report["series"].as_array().expect("series");
    let axes: Vec<_> = series.iter().map(|series| series["axis"].as_str()).collect();
    assert_eq!(axes, [Some("size"), Some("blocks"), Some("batch")]);
    let costs = |series: &Value| series["costs"].as_array().expect("costs").clone();
    assert!(!costs(&series[0]).is_empty());
    for cost in series.iter().flat_map(costs) {
        let ms = |key: &str| cost[key].as_f64().expect("milliseconds");
        assert!(ms("device_ms") > 0.0 && ms("host_ms") >= ms("device_ms"));
        assert!(cost["peak_memory_bytes"].as_u64().expect("bytes") < 45_000_000);
    }
    let end = series[0]["end"].as_str().expect("ends early");
    assert!(end.contains("45 MB may be used"), "{end}");
    s.styleforge(&["bench", "--sweep", "--size", "64x64"]).ends(2);
    let none = ["bench", "--sweep", "--max-memory", "5MB"];
    s.styleforge(&none).ends(2).says("5 MB may be used");
    let two = ["bench", "--sweep", "--variant", "fused", "--variant", "baseline"];
    s.styleforge(&two).ends(2).says("one --variant");
}

/// The check of the current picture is completed first.
#[cfg(unix)]
#[test]
fn a_check_that_is_stopped_shows_its_verdicts() {
    let s = Sandbox::new();
    let check = ["check", "--device", "cpu", "--precision", "fp32"];
    let mut child = s
        .command(env!("CARGO_BIN_EXE_styleforge"))
        .args(check)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let begins = |line: std::io::Result<String>| line.is_ok_and(|line| line.contains("Checking"));
    assert!(lines.any(begins));
    send("-INT", &child);
    let lines_after: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(lines_after.iter().any(|line| line.contains("Stopping")), "{lines_after:?}");
    let run = Run::from(child.wait_with_output().expect("ends")).ends(130);
    let shown = run.text();
    assert!(shown.contains("good"), "{shown}");
    // Not the others of its network.
    assert!(!shown.contains("noise 13 x 1"), "{shown}");
}

#[test]
fn kernels_go_to_files_that_others_read() {
    let s = Sandbox::new();
    let files = ["bench", "--csv", "k.csv", "--trace", "k.json"];
    let bench = [&files[..], &BRIEF[..]].concat();
    let text = s.styleforge(&bench).ends(0).text();
    assert!(!text.contains("sum of steps"), "only with --kernels");
    let csv = fs::read_to_string(s.path("k.csv")).expect("written");
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("device,mode,size,method,layer,kernel,us,gb_per_s,tflops,ceiling_share,flops,bytes")
    );
    let fused: Vec<&str> = lines.filter(|l| l.contains(",fused fp32,24x16,host,")).collect();
    assert_eq!(fused.len(), 8, "{csv}");
    let trace: Value = serde_json::from_slice(&fs::read(s.path("k.json")).expect("written"))
        .expect("a trace is JSON");
    let events = trace["traceEvents"].as_array().expect("events");
    let spans: Vec<&Value> = events.iter().filter(|e| e["ph"] == "X" && e["pid"] == 1).collect();
    assert_eq!(spans.len(), fused.len());
    for pair in spans.windows(2) {
        let number = |event: &Value, key: &str| event[key].as_f64().expect("microseconds");
        let end = number(pair[0], "ts") + number(pair[0], "dur");
        assert!((number(pair[1], "ts") - end).abs() < 1e-6, "one after another");
    }
    s.styleforge(&bench).ends(2).says("k.csv");
    s.styleforge(&[&bench[..], &["--force"]].concat()).ends(0);
    let nowhere = ["bench", "--csv", "no/such/folder/k.csv"];
    s.styleforge(&[&nowhere[..], &BRIEF[..]].concat()).ends(2);
    let batch = ["bench", "--kernels", "--batch", "2"];
    s.styleforge(&[&batch[..], &BRIEF[..]].concat()).ends(2);
}

#[test]
fn compare_prints_a_ratio_for_equal_pictures() {
    let s = Sandbox::new();
    let modes = ["compare", "baseline fp32", "fused"];
    let report = s.styleforge(&[&modes[..], &["--json"], &BRIEF[..]].concat()).ends(0).json();
    assert_eq!(report["reference"]["mode"], "baseline fp32");
    assert_eq!(report["other"]["mode"], "fused fp32");
    assert!(report["equality"]["failure"].is_null());
    let median = |side: &str| report[side]["p50_ms"].as_f64().expect("median");
    let ratio = report["ratio"].as_f64().expect("comparable");
    assert!((ratio - median("reference") / median("other")).abs() < 1e-9);
    for side in ["reference", "other"] {
        assert!(report[side]["p95_ms"].as_f64() >= report[side]["p50_ms"].as_f64());
        assert_eq!(report[side]["method"], "host");
    }
    let text = s.styleforge(&[&modes[..], &BRIEF[..]].concat()).ends(0).text();
    assert!(text.contains("times as fast as baseline fp32"), "{text}");
    assert!(text.contains("Results match by the rule for fp32: "), "{text}");
    s.styleforge(&[&["compare", "fused", "fused"], &BRIEF[..]].concat())
        .ends(0)
        .says("both modes are the same");
    s.styleforge(&["compare", "fused"]).ends(2);
    s.styleforge(&["compare", "fused fp32", "fused int4"])
        .ends(2)
        .says("name a variant and a precision");
}

#[test]
fn compare_prints_the_modes_and_the_style_that_it_uses() {
    let s = Sandbox::new();
    s.styleforge(&["compare", "faster", "fused"])
        .ends(2)
        .says("'faster'")
        .says("variants are baseline, fused-norm, fused, precisions auto, fp32, fp16x2, tf32, fp16, bf16, mixed");
    s.styleforge(&["compare", "baseline", "fp32", "fused", "fp16"]).ends(2);
    s.styleforge(&["compare", "baseline", "fp32"])
        .ends(2)
        .says("put the variant and the precision in quotes");
    let brief = ["--size", "16x8", "--frames", "1", "--warmup", "0"];
    let small = ["--device", "cpu", "--model", "lite"];
    let compare = ["compare", "baseline", "fused"];
    let report = s
        .styleforge(&[&compare[..], &brief[..], &small[..], &["--json"]].concat())
        .ends(0)
        .says("style: candy lite; --style names another");
    assert_eq!(report.json()["style"], "candy lite");
    let typed = s.styleforge(&[&compare[..], &BRIEF[..]].concat()).ends(0);
    assert!(!typed.stderr.contains("names another"));
}

#[test]
fn compare_goes_to_files_that_others_read() {
    let s = Sandbox::new();
    let compare = ["compare", "baseline fp32", "fused fp32"];
    let files = ["--csv", "c.csv", "--chart", "c.png"];
    let arguments = [&compare[..], &files[..], &BRIEF[..]].concat();
    let text = s.styleforge(&arguments).ends(0).text();
    assert!(text.contains("Frames/s"), "{text}");
    let csv = fs::read_to_string(s.path("c.csv")).expect("written");
    let rows: Vec<Vec<&str>> = csv.lines().map(|l| l.split(',').collect()).collect();
    let column = |name: &str| rows[0].iter().position(|&c| c == name).expect("a column");
    assert_eq!(rows.len(), 3, "{csv}");
    assert_eq!(rows[1][column("mode")], "baseline fp32");
    assert_eq!(rows[2][column("mode")], "fused fp32");
    for row in &rows[1..] {
        assert_eq!(row.len(), rows[0].len());
        assert_eq!(row[column("same_picture")], "true");
        let median: f64 = row[column("p50_ms")].parse().expect("milliseconds");
        assert!(median > 0.0);
    }
    let photo = decode::from_path(&s.path("c.png")).expect("a picture");
    assert_eq!((photo.frame.width(), photo.frame.height()), (1200, 700));
    // Existing files are kept.
    s.styleforge(&arguments).ends(2).says("c.csv");
    s.styleforge(&[&arguments[..], &["--force"]].concat()).ends(0);
    let json = [&compare[..], &["--json"], &BRIEF[..]].concat();
    let report = s.styleforge(&json).ends(0).json();
    let runs = report["other"]["runs_ms"].as_array().expect("runs");
    assert_eq!(runs.len(), 2, "every run is in the report");
    assert_eq!(report["date"].as_str().map(str::len), Some(10));
    let large = ["--size", "64x64", "--max-memory", "1MB"];
    s.styleforge(&[&compare[..], &large[..]].concat()).ends(2).says("choose a smaller --size");
}

#[cfg(target_os = "linux")]
#[test]
fn progress_is_shown_on_a_terminal_and_nowhere_else() {
    let s = Sandbox::new();
    let style = ["--style", "./tiny.safetensors", "--device", "cpu"];
    for (measure, name) in [
        (&["bench", "--size", "64x48"][..], "64 x 48"),
        (&["compare", "baseline", "fused", "--size", "64x48"], "baseline fp32 and fused fp32"),
    ] {
        let arguments = [measure, &style].concat();
        let output = s.on_a_terminal(&arguments);
        assert!(output.contains(name) && output.contains('%'), "{output:?}");
        let output = s.styleforge(&arguments).ends(0).stderr;
        assert!(!output.contains('%') && !output.contains('\x1b'), "{output:?}");
    }
}
