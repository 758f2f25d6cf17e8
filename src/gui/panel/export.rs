//! Exports the panel's figures as JSON, for other programs.

use std::time::Instant;

use serde_json::json;

use super::{
    super::intent::Intent,
    meters::{Meters, STAGES},
    steps::Steps,
};
use crate::{
    backend::DeviceInfo,
    engine::live::meter::Spread,
    measure::{KernelTable, MeasureError},
};

/// The intent to save the panel's figures in a file.
pub fn exported(meters: &Meters, steps: &Steps, device: &DeviceInfo, now: Instant) -> Intent {
    let report = report(meters, steps, device, now);
    Intent::Export {
        file_name: "styleforge-performance.json".to_owned(),
        bytes: report.map(String::into_bytes).map_err(|e| e.to_string()),
    }
}

fn report(
    meters: &Meters,
    steps: &Steps,
    device: &DeviceInfo,
    now: Instant,
) -> Result<String, MeasureError> {
    let table = steps
        .table
        .as_ref()
        .map(|table| KernelTable { device_name: device.name.clone(), ..table.clone() });
    let spread = |s: Spread| json!({ "p50_ms": s.p50, "p95_ms": s.p95 });
    let stages: Vec<_> = STAGES
        .iter()
        .zip(meters.stages_ms(now))
        .map(|((name, _), s)| {
            json!({ "stage": name, "p50_ms": s.map(|s| s.p50), "p95_ms": s.map(|s| s.p95) })
        })
        .collect();
    let facts = meters.newest.map(|n| {
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
        .newest
        .as_ref()
        .map(|s| json!({ "session_bytes": s.session_bytes, "free_bytes": s.free_bytes }));
    let history = meters.history(now).map(|point| {
        json!({
            "ago_s": now.saturating_duration_since(point.at).as_secs_f64(),
            "source_fps": point.rates.source_fps,
            "engine_fps": point.rates.engine_fps,
            "shown_fps": point.rates.shown_fps,
            "latency_p50_ms": point.delay_ms.map(|d| d.p50),
            "latency_p95_ms": point.delay_ms.map(|d| d.p95),
        })
    });
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
        "history": history.collect::<Vec<_>>(),
    });
    let text = serde_json::to_string_pretty(&report).map_err(MeasureError::json)?;
    Ok(text + "\n")
}
