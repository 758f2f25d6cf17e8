//! The Lab alone, through AccessKit, with synthetic pictures and samples.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use backend::DeviceInfo;
use eframe::egui::{self, Role, accesskit::Toggled};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable, by},
};
use engine::live::{Facts, LiveSample, Stages};
use gui::{
    fonts,
    intent::{Intent, ShellCommand},
    panel::Panel,
};
use plan::ConvProvider;
use serde_json::Value;
use values::{
    mode::{DeviceChoice, Mode, Precision, Variant},
    timing::{Ceiling, StepTiming, TimingMethod},
};

/// The content drawn in every frame.
struct Shown {
    panel: Panel,
    device: DeviceInfo,
    now: Instant,
    intents: Vec<Intent>,
    has_fonts: bool,
}

/// A panel under test.
struct Window {
    harness: Harness<'static, Shown>,
}

fn mode() -> Mode {
    Mode::new(Variant::Fused, Precision::Fp16)
}

/// Picture number `frame` of a camera of 60 frames per second, of which every second frame is painted.
fn facts(start: Instant, frame: u64) -> Facts {
    let captured_at = start + Duration::from_micros(frame * 100_000 / 3);
    Facts {
        settings: 1,
        painted: frame + 1,
        captured: 2 * frame + 1,
        dropped: frame,
        sequence: 2 * frame + 1,
        film_seconds: 0.0,
        captured_at,
        ready_at: captured_at + Duration::from_millis(40),
        stages: Stages {
            capture_ms: 16.5,
            decode_ms: 3.0,
            wait_ms: 2.0,
            scale_ms: 1.0,
            upload_ms: 0.5,
            network_ms: 30.0,
            download_ms: 0.5,
            steady_ms: 0.0,
            compose_ms: 1.0,
        },
        working: (640, 360),
        mode: Some(mode()),
        method: TimingMethod::Device,
        pair: None,
    }
}

fn sample(method: TimingMethod) -> Arc<LiveSample> {
    let step = |layer: &str, kernel: &str, ms, flops| StepTiming {
        layer: layer.to_owned(),
        kernel: kernel.to_owned(),
        ms,
        flops,
        bytes: 40_000_000,
    };
    Arc::new(LiveSample {
        mode: mode(),
        conv_provider: None,
        width: 640,
        height: 360,
        method,
        total_ms: 0.9,
        steps: vec![
            step("conv1", "direct 9x9", 0.25, 50_000_000_000),
            step("res1.in1", "normalise", 0.05, 0),
            step("conv2", "winograd 3x3", 0.70, 70_000_000_000),
        ],
        cost_ms: 1.5,
        session_bytes: 214_000_000,
        free_bytes: Some(138_200_000_000),
    })
}

impl Window {
    /// A panel of this size with two seconds of pictures and one sample.
    fn open(width: f32, height: f32) -> Self {
        let mut window = Self::empty(width, height);
        let start = window.shown().now - Duration::from_secs(2);
        let mut last = start;
        for frame in 0..60 {
            let facts = facts(start, frame);
            last = facts.ready_at + Duration::from_millis(5);
            let panel = &mut window.harness.state_mut().panel;
            panel.note_picture(&facts, last, frame / 20);
        }
        let shown = window.harness.state_mut();
        shown.now = last;
        shown.panel.steps.note(sample(TimingMethod::Device));
        shown.panel.steps.set_ceiling(Some(Ceiling {
            copy_gb_per_s: 4000.0,
            peak_tflops: Some(1000.0),
            method: "a copy, the maker's figure".to_owned(),
        }));
        window.step();
        window
    }

    /// A panel of this size without data.
    fn empty(width: f32, height: f32) -> Self {
        let shown = Shown {
            panel: Panel::default(),
            device: DeviceInfo {
                kind: DeviceChoice::Cuda,
                name: "A GPU".to_owned(),
                threads: 132,
                instructions: "sm_90".to_owned(),
            },
            now: Instant::now(),
            intents: Vec::new(),
            has_fonts: false,
        };
        let harness = Harness::builder().with_size(egui::vec2(width, height)).build_ui_state(
            |ui, shown: &mut Shown| {
                if !shown.has_fonts {
                    // They are available from the next frame on.
                    fonts::install(ui.ctx());
                    ui.ctx().request_repaint();
                    shown.has_fonts = true;
                    return;
                }
                let (device, now) = (&shown.device, shown.now);
                shown.panel.ui(ui, device, now);
                shown.intents.extend(Intent::take_sent(ui.ctx()));
            },
            shown,
        );
        Self { harness }
    }

    fn shown(&self) -> &Shown {
        self.harness.state()
    }

    fn step(&mut self) {
        self.harness.step();
        self.harness.step();
    }

    fn labels(&self) -> Vec<String> {
        self.harness
            .root()
            .children_recursive()
            .filter_map(|n| n.accesskit_node().label().or(n.accesskit_node().value()))
            .collect()
    }

    fn says(&self, part: &str) {
        let labels = self.labels();
        assert!(labels.iter().any(|l| l.contains(part)), "no '{part}' in {labels:#?}");
    }

    fn click(&mut self, label: &str) {
        self.harness.get(by().label(label).role(Role::Button)).click();
        self.step();
    }

    /// The layers in the rows of the table, from the top.
    fn rows(&self) -> Vec<String> {
        let mut rows: Vec<(f32, String)> = Vec::new();
        for node in self.harness.root().children_recursive() {
            let ak = node.accesskit_node();
            let Some(text) = ak.label().or(ak.value()) else {
                continue;
            };
            if let Some((number, rest)) = text.split_once(". ")
                && number.parse::<usize>().is_ok()
            {
                let layer = rest.split(' ').next().unwrap_or_default().to_owned();
                rows.push((node.rect().top(), layer));
            }
        }
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        rows.into_iter().map(|(_, layer)| layer).collect()
    }

    /// The report that the export button writes.
    fn export(&mut self) -> Value {
        self.click("Export");
        match self.harness.state_mut().intents.pop() {
            Some(Intent::Shell(ShellCommand::Export { bytes: Ok(bytes), file_name })) => {
                assert_eq!(file_name, "styleforge-performance.json");
                serde_json::from_slice(&bytes).expect("JSON")
            }
            other => panic!("no export but {other:?}"),
        }
    }
}

#[test]
fn counters_say_what_was_noted() {
    let w = Window::open(420.0, 1200.0);
    for part in [
        "Source: 60.0 fps",
        "Painted: 30.0 fps",
        "Shown: 30.0 fps",
        "Median: 45.0 ms",
        "p95: 45.0 ms",
        "Capture: median 16.5 ms",
        "Network: median 30.0 ms",
        "Present: median 5.0 ms",
        "Rest: median 2.0 ms",
        "Skipped before painting: 49.6 % (59)",
        "Painted, not shown: 3.3 % (2)",
        "Painted at: 640 × 360 px",
        "Device: A GPU",
        "Memory in use: 214 MB",
        "Memory free: 138.2 GB",
        "Timing the steps: 1.5 ms",
        "Frames per second of the last minute",
        "Latency of the last minute",
    ] {
        w.says(part);
    }
    let (panel, now) = (&w.shown().panel, w.shown().now);
    assert!((panel.fps(now).source_fps - 60.0).abs() < 0.1);
    assert_eq!(panel.delay_ms(now).map(|d| d.p50.round()), Some(45.0));
}

/// The mode names the library of its convolutions, and marks a temporary choice.
#[test]
fn the_mode_says_who_computes_it() {
    let mut w = Window::open(420.0, 1200.0);
    let by_library = LiveSample {
        conv_provider: Some(ConvProvider { name: "cuDNN 9.14".to_owned(), reason: None }),
        ..LiveSample::clone(&sample(TimingMethod::Device))
    };
    let shown = w.harness.state_mut();
    shown.panel.steps.note(Arc::new(by_library));
    w.harness.run_steps(2);
    let device = w.harness.get_by_label("Device: A GPU");
    let described = device.accesskit_node().description().unwrap_or_default();
    let mode = "Mode: fused fp16 (cuDNN 9.14).";
    assert!(described.contains(mode), "{described}");
}

#[test]
fn everything_is_seen_in_a_narrow_and_in_a_low_panel() {
    for (width, height) in [(400.0, 640.0), (1024.0, 300.0), (700.0, 300.0)] {
        let mut w = Window::open(width, height);
        w.says("Source: 60.0 fps");
        for tab in ["Show steps", "Show roofline", "Show counters"] {
            w.click(tab);
            let button = w.harness.get_by_label("Export");
            assert!(button.rect().right() <= width, "{tab} at {width} x {height}");
        }
    }
}

#[test]
fn the_marks_of_a_plot_keep_away_from_the_next_column() {
    let w = Window::open(1400.0, 300.0);
    w.says("Source: 60.0 fps");
    let rect = |label: &str| w.harness.get_by_label(label).rect();
    for (plot, next) in [
        ("Frames per second of the last minute", "Latency from capture to screen"),
        ("Latency of the last minute", "Latency by stage, ms"),
    ] {
        // Half of the last marker extends beyond the plot.
        let space = rect(next).left() - rect(plot).right();
        assert!(space >= 12.0 + 14.0, "{space} after {plot}");
    }
}

#[test]
fn rates_fall_when_no_picture_comes_and_restart_forgets() {
    let mut w = Window::open(420.0, 1200.0);
    w.harness.state_mut().now += Duration::from_secs(10);
    w.step();
    w.says("Source: 0.0 fps");
    w.says("Median: – ms");
    w.says("Skipped before painting: 49.6 % (59)");
    w.harness.state_mut().panel.restart();
    w.step();
    w.says("Skipped before painting: –");
    w.click("Show steps");
    w.says("Timing the steps…");
}

#[test]
fn steps_are_shown_and_sorted() {
    let mut w = Window::open(640.0, 400.0);
    w.click("Show steps");
    // 40 MB in 0.25 ms are 160 GB/s; 50 GFLOP in 0.25 ms are 200 TFLOP/s, a fifth of the peak.
    w.says("1. conv1 direct 9x9: 0.250 ms, 25.0 % of all, 40.00 MB read and written, 160.0 GB/s, ");
    w.says("200.0 TFLOP/s, 20.0 % of the limit");
    // A copy would take 0.01 of the 0.05 ms.
    w.says("MB read and written, 800.0 GB/s, 20.0 % of the limit");
    w.says("Sum of steps 1.000 ms, total 0.900 ms, difference -0.100 ms (-11.1 %)");
    w.says("fused fp16 at 640 × 360, middle of 1 sample, device events. The total replays a CUDA");
    assert_eq!(w.rows(), ["conv1", "res1.in1", "conv2"]);
    w.click("Sort by time");
    assert_eq!(w.rows(), ["conv2", "conv1", "res1.in1"]);
    let is_sorted = |w: &Window, head: &str| {
        let node = w.harness.get(by().label(head).role(Role::Button));
        node.accesskit_node().toggled() == Some(Toggled::True)
    };
    assert!(is_sorted(&w, "Sort by time") && !is_sorted(&w, "Sort by layer"));
    w.click("Sort by time");
    assert_eq!(w.rows(), ["res1.in1", "conv1", "conv2"]);
    w.click("Sort by bandwidth");
    assert_eq!(w.rows(), ["res1.in1", "conv1", "conv2"]);
    w.click("Sort by arithmetic");
    assert_eq!(w.rows(), ["conv1", "conv2", "res1.in1"]);
    w.click("Sort by layer");
    assert_eq!(w.rows(), ["conv1", "conv2", "res1.in1"]);
    w.click("Sort by network order");
    assert_eq!(w.rows(), ["conv1", "res1.in1", "conv2"]);
    let shown = w.harness.state_mut();
    shown.panel.steps.note(sample(TimingMethod::Host));
    shown.panel.steps.set_ceiling(None);
    w.step();
    w.says("host clock. Steps are timed while painting");
    assert!(w.harness.query_by_label("Sort by share of the limit").is_none());
    w.says("1. conv1 direct 9x9: 0.250 ms, 25.0 % of all, 40.00 MB read and written, 160.0 GB/s, ");
    w.says("50.000 GFLOP, 200.0 TFLOP/s, from 0.000");
}

#[test]
fn the_steps_and_the_roofline_show_every_step_that_they_can() {
    let mut w = Window::open(420.0, 500.0);
    w.click("Show steps");
    w.says("20.0 % of the limit, from 0.000 to 0.250 ms");
    w.says("20.0 % of the limit, from 0.250 to 0.300 ms");
    w.says("of the limit, from 0.300 to 1.000 ms");
    w.click("Show roofline");
    w.says("Roofline of 2 steps");
    w.says("Roof: 4000 GB/s and 1000 TFLOP/s (a copy, the maker's figure).");
    w.says("Not shown: 1 step without arithmetic");
    w.harness.state_mut().panel.steps.set_ceiling(None);
    w.step();
    w.says("so there is no roof");
}

#[test]
fn a_processor_without_a_roof_is_offered_no_roofline() {
    let mut w = Window::open(420.0, 500.0);
    w.click("Show roofline");
    w.says("Roofline of 2 steps");
    let is_offered = |w: &Window| {
        let tab = w.harness.get_by_label("Show roofline");
        !tab.accesskit_node().is_disabled()
    };
    assert!(is_offered(&w));
    w.harness.state_mut().panel.steps.set_ceiling(None);
    w.step();
    assert!(is_offered(&w), "a GPU's may come");
    w.harness.state_mut().device.kind = DeviceChoice::Cpu;
    w.step();
    // A section that is already open shows the reason instead.
    assert!(!is_offered(&w));
    w.says("The roofline needs a known peak performance");
    assert!(w.harness.query_by_label_contains("Roofline of").is_none());
}

#[test]
fn the_export_is_read_again() {
    let mut w = Window::open(640.0, 400.0);
    let report = w.export();
    let number = |value: &Value| value.as_f64().expect("a number");
    assert_eq!(report["device"]["name"], "A GPU");
    assert_eq!(report["steps"]["kernels"][2]["layer"], "conv2");
    assert_eq!(report["steps"]["method"], "device");
    assert_eq!(report["steps"]["ceiling"]["copy_gb_per_s"], 4000.0);
    assert_eq!(report["pictures"]["dropped_before_engine"], 59);
    assert_eq!(report["memory"]["session_bytes"], 214_000_000);
    assert_eq!(report["latency"]["p50_ms"], report["latency"]["p95_ms"]);
    assert!((number(&report["latency"]["p50_ms"]) - 45.0).abs() < 0.5);
    assert!((number(&report["rates"]["source_fps"]) - 60.0).abs() < 0.5);
    assert_eq!(report["stages"][5]["stage"], "Network");
    assert_eq!(report["stages"][5]["p50_ms"], 30.0);
    let moments = report["history"].as_array().expect("moments");
    // Two seconds at four per second, except for the first quarter of a second, which has no rate yet.
    assert!(moments.len() >= 6, "{} moments", moments.len());
    let newest = &moments[moments.len() - 1];
    assert!((number(&newest["latency_p95_ms"]) - 45.0).abs() < 0.5);
}

#[test]
fn without_samples_counters_are_exported() {
    let report = Window::empty(640.0, 400.0).export();
    assert!(report["steps"].is_null() && report["history"].is_array(), "{report}");
}

#[test]
fn a_held_picture_leaves_the_figures_and_a_gap() {
    let mut w = Window::open(420.0, 1200.0);
    let held_at = w.shown().now;
    w.harness.state_mut().panel.set_frozen(true, held_at);
    w.harness.state_mut().now += Duration::from_secs(30);
    w.step();
    w.says("Source: 60.0 fps");
    w.says("Network: median 30.0 ms");
    w.says("Paused");
    let now = w.shown().now;
    // A style that is changed while the picture is held is painted on the held frame, which is not a rate.
    let shown = w.harness.state_mut();
    shown.panel.note_picture(&facts(now, 1), now, 0);
    w.step();
    w.says("Source: 60.0 fps");
    let shown = w.harness.state_mut();
    shown.panel.set_frozen(false, now);
    for frame in 0..45 {
        let facts = facts(now, frame);
        let at = facts.ready_at + Duration::from_millis(5);
        shown.panel.note_picture(&facts, at, 0);
        shown.now = at;
    }
    w.step();
    w.says("Source: 60.0 fps");
    let report = w.export();
    let moments = report["history"].as_array().expect("moments");
    assert!(moments.len() > 4, "{moments:?}");
    let is_no_gap = |moment: &Value| moment["source_fps"].as_f64().is_some_and(|fps| fps > 50.0);
    assert!(moments.iter().all(is_no_gap), "no zeros: {moments:?}");
}

#[test]
fn without_pictures_the_parts_of_the_way_are_unknown() {
    let mut w = Window::open(420.0, 1200.0);
    w.harness.state_mut().now += Duration::from_secs(10);
    w.step();
    w.says("Network: median –, p95 –");
}
