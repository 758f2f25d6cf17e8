//! The Lab: measurements of live mode as a comparison of two modes, a benchmark of both, a table of the network's
//! steps with a timeline, a roofline and counters.
//!
//! [`Panel`] stores every picture's facts and every sample that the window passes to it, and draws them; it requests
//! nothing itself. `live::comparison` and `live::report` draw the comparison and the benchmark. Pictures are noted even
//! while the panel is closed, so that the history exists when it opens. Samples of steps arrive only while it is open.
//! Belongs to the window's thread.

mod cells;
pub mod command;
mod counters;
pub mod meters;
mod roofline;
pub mod steps;
mod table;

use std::time::{Duration, Instant};

use serde_json::json;

use eframe::egui::{Button, RichText, ScrollArea, Ui};

use self::{
    meters::{Meters, Rates, STAGES},
    steps::{Sorting, Steps},
};
use crate::{
    intent::{Command, LabCommand, ShellCommand},
    shell::{shortcuts::plain_button, tasks::OrText},
    widgets::{fonts::icons, theme},
};
use backend::DeviceInfo;
use engine::live::{Facts, meter::Spread};
use measure::{KernelTable, MeasureError};

/// Time between frames when no pictures arrive, so that the rates are seen to fall.
const FALLING_EVERY: Duration = Duration::from_millis(500);
/// Minimum width at which the head has text next to the icon, in points.
const WORDS_WIDTH: f32 = 560.0;
/// How long the panel is drawn at that rate.
const FALLS_FOR: Duration = Duration::from_secs(5);

/// What the panel shows.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Tab {
    Compare,
    Benchmark,
    Steps,
    Roofline,
    #[default]
    Counters,
}

impl Tab {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Compare, "Compare", "Two engines on the same frames: pictures and times."),
        (Self::Benchmark, "Benchmark", "Both engines by a fixed protocol, with a report."),
        (Self::Steps, "Steps", "Time of every step of the network, on a time axis."),
        (Self::Roofline, "Roofline", "How close every step is to the device's limits."),
        (Self::Counters, "Counters", "Frames per second, latency, dropped frames, memory."),
    ];
}

/// The panel of measurements, which the window calls Lab.
#[derive(Default)]
pub struct Panel {
    meters: Meters,
    pub steps: Steps,
    sorting: Sorting,
    pub tab: Tab,
    /// Since when the picture is frozen.
    frozen_since: Option<Instant>,
    /// Two modes are compared; their steps are not timed.
    pub compares: bool,
}

impl Panel {
    /// Notes a picture that the window received at `shown_at`. `dropped_before_screen` is the total number of pictures
    /// that were replaced by newer ones before the window received them.
    pub fn note_picture(&mut self, facts: &Facts, shown_at: Instant, dropped_before_screen: u64) {
        if self.frozen_since.is_some() {
            self.meters.note_frozen(facts, shown_at, dropped_before_screen);
        } else {
            self.meters.note(facts, shown_at, dropped_before_screen);
        }
    }

    /// Notes that the picture is frozen from `now` on, or resumes. While it is frozen, the panel shows the previous
    /// numbers.
    pub fn set_frozen(&mut self, is_frozen: bool, now: Instant) {
        match (self.frozen_since, is_frozen) {
            (None, true) => self.frozen_since = Some(now),
            (Some(_), false) => {
                self.frozen_since = None;
                self.meters.resume();
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// Discards all data, because the source or the device has changed.
    pub fn restart(&mut self) {
        self.meters = Meters::default();
        self.steps.clear();
        self.frozen_since = None;
    }

    /// Frames per second over the last seconds: of the source, of the engine, on the screen.
    pub fn fps(&self, now: Instant) -> Rates {
        self.meters.rates(self.time_of_numbers(now))
    }

    /// The time for which the panel shows its numbers.
    fn time_of_numbers(&self, now: Instant) -> Instant {
        self.frozen_since.map_or(now, |since| since.min(now))
    }

    /// Latency from capture to the window over the last seconds, in milliseconds; `None` while nothing was shown.
    pub fn delay_ms(&self, now: Instant) -> Option<Spread> {
        self.meters.delay_ms(self.time_of_numbers(now))
    }

    /// Draws the panel into `ui` at the time `now`. For the comparison and the benchmark, draws only the head; the
    /// caller draws the rest below.
    pub fn ui(&mut self, ui: &mut Ui, device: &DeviceInfo, now: Instant) {
        let no_roof = self.steps.why_no_roof(device);
        let is_frozen = self.frozen_since.is_some();
        let now = self.time_of_numbers(now);
        if !is_frozen {
            self.meters.tick(now);
            if self
                .meters
                .newest
                .is_some_and(|n| now.saturating_duration_since(n.shown_at) < FALLS_FOR)
            {
                ui.request_repaint_after(FALLING_EVERY);
            }
        }
        let has_words = ui.available_width() >= WORDS_WIDTH;
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            ui.spacing_mut().button_padding.x = if has_words { 8.0 } else { 6.0 };
            for (tab, name, hint) in Tab::ALL {
                let button = Button::selectable(self.tab == tab, RichText::new(name).size(13.0));
                let why_not = no_roof.filter(|_| tab == Tab::Roofline);
                let response = ui
                    .add_enabled(why_not.is_none(), button)
                    .on_hover_text(hint)
                    .on_disabled_hover_text(why_not.unwrap_or_default())
                    .accessible_name(format!("Show {}", name.to_lowercase()));
                if response.clicked() {
                    self.tab = tab;
                }
            }
            self.export_button(ui, device, has_words, now);
            if is_frozen {
                ui.label(theme::small(ui, "Paused"))
                    .on_hover_text("The picture is frozen; these figures are from before.");
            }
        });
        ui.add_space(2.0);
        match self.tab {
            Tab::Compare | Tab::Benchmark => {}
            Tab::Counters => {
                ScrollArea::vertical().id_salt("counters").auto_shrink([false, false]).show(
                    ui,
                    |ui| {
                        counters::ui(ui, &self.meters, self.steps.newest.as_deref(), device, now);
                    },
                );
            }
            Tab::Steps | Tab::Roofline => self.steps_ui(ui, no_roof),
        }
    }

    /// Draws the steps; `no_roof` is the reason why there is no roofline.
    fn steps_ui(&mut self, ui: &mut Ui, no_roof: Option<&str>) {
        if let (Tab::Roofline, Some(why)) = (self.tab, no_roof) {
            ui.add_space(theme::GROUP_GAP);
            ui.vertical_centered(|ui| ui.label(why));
            return;
        }
        let Some(table) = &self.steps.table else {
            ui.add_space(theme::GROUP_GAP);
            ui.vertical_centered(|ui| {
                ui.label(if self.compares {
                    "Steps are not timed during a comparison."
                } else {
                    "Timing the steps…"
                });
                if self.compares {
                    plain_button(ui, "Stop comparing", LabCommand::ToggleCompare);
                }
            });
            return;
        };
        if self.tab == Tab::Roofline {
            roofline::ui(ui, table);
        } else {
            table::ui(ui, table, &mut self.sorting);
        }
    }

    fn export_button(&self, ui: &mut Ui, device: &DeviceInfo, has_words: bool, now: Instant) {
        let text = theme::icon_text(icons::SAVE, "Export…", has_words);
        let button = ui
            .add(Button::new(RichText::new(text).size(13.0)))
            .on_hover_text("Save steps, counters and history as JSON.")
            .accessible_name("Export");
        if button.clicked() {
            ShellCommand::Export {
                file_name: "styleforge-performance.json".to_owned(),
                bytes: report(&self.meters, &self.steps, device, now)
                    .map(String::into_bytes)
                    .or_text(),
            }
            .send(ui);
        }
    }
}

/// The panel's figures as JSON.
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
        "latency": meters.delay_ms(now).map(|s| json!({ "p50_ms": s.p50, "p95_ms": s.p95 })),
        "stages": stages,
        "pictures": facts,
        "memory": memory,
        "steps_sum_ms": table.as_ref().map(KernelTable::sum_ms),
        "steps": table,
        "history": history.collect::<Vec<_>>(),
    });
    Ok(serde_json::to_string_pretty(&report).map_err(MeasureError::json)? + "\n")
}
