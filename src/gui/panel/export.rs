//! Exports the panel's figures, as files for other programs.

use std::time::Instant;

use serde::Serialize;
use serde_json::json;

use super::{
    PanelIntent,
    meters::{Meters, Point, STAGES},
    steps::Steps,
};
use crate::{
    backend::DeviceInfo,
    engine::live::meter::Spread,
    measure::{
        KernelTable, MeasureError,
        kernels::{Counter, csv, trace},
    },
    text::csv_line,
};

/// The formats of exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// The steps, a line each.
    StepsCsv,
    /// The counters of the last minute, a line for each moment.
    CountersCsv,
    /// Everything.
    Json,
    /// Steps and counters for a timeline viewer.
    Trace,
}

impl ExportFormat {
    /// Everything that can be exported, in the order in which it is offered.
    pub const ALL: [Self; 4] = [Self::StepsCsv, Self::CountersCsv, Self::Json, Self::Trace];

    /// For people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::StepsCsv => "Steps as CSV…",
            Self::CountersCsv => "Counters as CSV…",
            Self::Json => "Everything as JSON…",
            Self::Trace => "Trace for Perfetto…",
        }
    }

    /// What file names end in, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::StepsCsv | Self::CountersCsv => "csv",
            Self::Json | Self::Trace => "json",
        }
    }

    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::StepsCsv => "The time and work of every step, a line each.",
            Self::CountersCsv => "Rates and latency of the last minute, a line for each moment.",
            Self::Json => "Steps, counters and history for other programs.",
            Self::Trace => "Steps and counters for ui.perfetto.dev or chrome://tracing.",
        }
    }

    /// Whether there has to be a sample of the steps.
    pub(super) const fn needs_steps(self) -> bool {
        matches!(self, Self::StepsCsv | Self::Trace)
    }
}

/// The intent to save the panel's numbers in this format.
pub fn exported(
    format: ExportFormat,
    meters: &Meters,
    steps: &Steps,
    device: &DeviceInfo,
    now: Instant,
) -> PanelIntent {
    let table = steps
        .table()
        .map(|table| KernelTable { device_name: device.name.clone(), ..table.clone() });
    let what = match (format, &table) {
        (ExportFormat::StepsCsv | ExportFormat::Trace, Some(table)) => {
            format!("{}-{}", table.mode.replace(", ", "-").replace(' ', "-"), table.size)
        }
        (ExportFormat::CountersCsv, _) => "counters".to_owned(),
        _ => "performance".to_owned(),
    };
    let kind = match format {
        ExportFormat::StepsCsv => "-steps",
        ExportFormat::Trace => "-trace",
        ExportFormat::CountersCsv | ExportFormat::Json => "",
    };
    let text = match format {
        ExportFormat::StepsCsv => Ok(csv(table.as_slice())),
        ExportFormat::CountersCsv => Ok(counters_csv(meters, now)),
        ExportFormat::Json => everything(meters, steps, table, device, now),
        ExportFormat::Trace => {
            let (counters, end_s) = counters(meters, now);
            trace(table.as_slice(), &counters, end_s)
        }
    };
    match text {
        Ok(text) => PanelIntent::Export {
            format,
            bytes: text.into_bytes(),
            file_name: format!("styleforge-{what}{kind}.{}", format.extension()),
        },
        Err(error) => PanelIntent::Failed(error.to_string()),
    }
}

/// A moment of the history in a file.
#[derive(Serialize)]
struct Moment {
    /// Seconds before the export.
    ago_s: f64,
    source_fps: f32,
    engine_fps: f32,
    shown_fps: f32,
    latency_p50_ms: Option<f32>,
    latency_p95_ms: Option<f32>,
}

impl Moment {
    fn of(point: &Point, now: Instant) -> Self {
        Self {
            ago_s: now.saturating_duration_since(point.at).as_secs_f64(),
            source_fps: point.rates.source_fps,
            engine_fps: point.rates.engine_fps,
            shown_fps: point.rates.shown_fps,
            latency_p50_ms: point.delay_ms.map(|d| d.p50),
            latency_p95_ms: point.delay_ms.map(|d| d.p95),
        }
    }
}

fn counters_csv(meters: &Meters, now: Instant) -> String {
    let head = "ago_s,source_fps,engine_fps,shown_fps,latency_p50_ms,latency_p95_ms\n";
    let or_empty = |ms: Option<f32>| ms.map(|ms| format!("{ms:.3}")).unwrap_or_default();
    let line = |m: Moment| {
        csv_line([
            format!("{:.3}", m.ago_s),
            format!("{:.3}", m.source_fps),
            format!("{:.3}", m.engine_fps),
            format!("{:.3}", m.shown_fps),
            or_empty(m.latency_p50_ms),
            or_empty(m.latency_p95_ms),
        ])
    };
    let moments = meters.history(now).map(|p| Moment::of(p, now));
    head.to_owned() + &moments.map(line).collect::<String>()
}

/// The history as values over time, and its end in seconds.
fn counters(meters: &Meters, now: Instant) -> (Vec<Counter>, f64) {
    let Some(first) = meters.history(now).next().map(|p| p.at) else {
        return (Vec::new(), 0.0);
    };
    let since_s = |at: Instant| at.saturating_duration_since(first).as_secs_f64();
    let counter = |name: &str, of: fn(&Point) -> Option<f32>| Counter {
        name: name.to_owned(),
        points: (meters.history(now))
            .filter_map(|p| Some((since_s(p.at), f64::from(of(p)?))))
            .collect(),
    };
    let counters = vec![
        counter("Source, fps", |p| Some(p.rates.source_fps)),
        counter("Engine, fps", |p| Some(p.rates.engine_fps)),
        counter("Shown, fps", |p| Some(p.rates.shown_fps)),
        counter("Latency, median, ms", |p| p.delay_ms.map(|d| d.p50)),
        counter("Latency, p95, ms", |p| p.delay_ms.map(|d| d.p95)),
    ];
    (counters, since_s(now))
}

fn everything(
    meters: &Meters,
    steps: &Steps,
    table: Option<KernelTable>,
    device: &DeviceInfo,
    now: Instant,
) -> Result<String, MeasureError> {
    let spread = |s: Spread| json!({ "p50_ms": s.p50, "p95_ms": s.p95 });
    let stages: Vec<_> = STAGES
        .iter()
        .zip(meters.stages_ms(now))
        .map(|((name, _), s)| {
            json!({ "stage": name, "p50_ms": s.map(|s| s.p50), "p95_ms": s.map(|s| s.p95) })
        })
        .collect();
    let facts = meters.newest().map(|n| {
        json!({
            "captured": n.facts.captured,
            "painted": n.facts.painted,
            "dropped_before_engine": n.facts.dropped,
            "dropped_before_screen": n.dropped_before_screen,
            "working_width": n.facts.working.0,
            "working_height": n.facts.working.1,
            "mode": n.facts.mode,
            "method": n.facts.method,
        })
    });
    let memory = steps
        .newest()
        .map(|s| json!({ "session_bytes": s.session_bytes, "free_bytes": s.free_bytes }));
    let history: Vec<Moment> = meters.history(now).map(|p| Moment::of(p, now)).collect();
    let report = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "device": device,
        "rates": meters.rates(now),
        "latency": meters.delay_ms(now).map(spread),
        "stages": stages,
        "pictures": facts,
        "memory": memory,
        "steps_sum_ms": table.as_ref().map(KernelTable::sum_ms),
        "steps": table,
        "history": history,
    });
    let text = serde_json::to_string_pretty(&report).map_err(MeasureError::json)?;
    Ok(text + "\n")
}
