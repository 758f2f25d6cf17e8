//! Lists for choosing a mode: variant, precision, attention if there is a choice, and the device for a comparison.

use eframe::egui::Ui;

use super::{
    label::capital,
    list::choose,
    theme::{self, HintBeside},
};
use crate::{
    backend::DeviceInfo,
    engine::live::CandidateChoice,
    mode::{AttentionChoice, DeviceChoice, ModeChoice, Precision, PrecisionChoice, Variant},
};

/// Which lists are offered.
#[derive(Clone, Copy)]
pub struct Offers {
    /// Whether a GPU paints, so that the CPU is an alternative.
    device: bool,
    /// Whether there is a choice of attention: a GPU paints, and the style's network has attention.
    attention: bool,
    /// Whether a CPU paints, which lacks some variants and precisions.
    is_processor: bool,
}

impl Offers {
    /// The lists for this device and for a network with or without attention.
    pub fn of(device: Option<&DeviceInfo>, has_attention: bool) -> Self {
        let is = |kind| device.is_some_and(|d| d.kind == kind);
        let has_gpu = is(DeviceChoice::Cuda);
        Self {
            device: has_gpu,
            attention: has_gpu && has_attention,
            is_processor: is(DeviceChoice::Cpu),
        }
    }

    /// The variants that the device has.
    fn variants(self) -> impl Iterator<Item = Variant> {
        let is_there = move |v: &Variant| !self.is_processor || *v != Variant::FusedNorm;
        Variant::ALL.iter().copied().filter(is_there)
    }

    /// The precisions that the device has, regardless of the network.
    fn precisions(self) -> impl Iterator<Item = PrecisionChoice> {
        let is_there = move |choice: &PrecisionChoice| match choice {
            PrecisionChoice::Auto | PrecisionChoice::Fixed(Precision::Fp32) => true,
            PrecisionChoice::Fixed(precision) => {
                !self.is_processor || *precision == Precision::Int8
            }
        };
        PrecisionChoice::ALL.iter().copied().filter(is_there)
    }
}

/// The title of the lists for the painting engine.
const ENGINE: &str = "Engine";
/// Widths of the lists next to each other, in points: variant, precision, attention, device.
const WIDTHS: [f32; 4] = [112.0, 72.0, 84.0, 64.0];

/// Lists next to each other, for one side of a comparison; their names begin with `side`.
pub fn candidate(
    ui: &mut Ui,
    side: &str,
    CandidateChoice { device, mode }: &mut CandidateChoice,
    offers: Offers,
) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        // Offer everything: each side has its own device, which reports what it lacks.
        variant(ui, side, WIDTHS[0], mode, Variant::ALL.iter().copied());
        precision(ui, side, WIDTHS[1], mode, PrecisionChoice::ALL.iter().copied());
        if offers.attention && *device != DeviceChoice::Cpu {
            attention(ui, side, WIDTHS[2], mode);
        }
        if offers.device {
            let devices = [DeviceChoice::Auto, DeviceChoice::Cpu];
            let name = |device| if device == DeviceChoice::Cpu { "CPU" } else { "GPU" };
            let hint = "Device for this side.";
            list(ui, [side, "device"], WIDTHS[3], device, devices, name, hint);
        }
    });
}

/// Lists below each other, each with its name, for the painting engine.
pub fn engine(ui: &mut Ui, mode: &mut ModeChoice, offers: Offers) {
    theme::row(ui, ENGINE, |ui, _| {
        variant(ui, ENGINE, ui.available_width(), mode, offers.variants());
    });
    theme::row(ui, "Precision", |ui, _| {
        precision(ui, ENGINE, ui.available_width(), mode, offers.precisions());
    });
    if offers.attention {
        theme::row(ui, "Attention", |ui, _| {
            attention(ui, ENGINE, ui.available_width(), mode);
        });
    }
}

fn variant(
    ui: &mut Ui,
    title: &str,
    width: f32,
    mode: &mut ModeChoice,
    offered: impl Iterator<Item = Variant>,
) {
    let hint = "How the network is divided into kernels. Baseline: one operation each. Fused: several operations each.";
    list(ui, [title, "variant"], width, &mut mode.variant, offered, Variant::name, hint);
}

fn precision(
    ui: &mut Ui,
    title: &str,
    width: f32,
    mode: &mut ModeChoice,
    offered: impl Iterator<Item = PrecisionChoice>,
) {
    let hint = "Number format for inference. Auto: the fastest accurate one on this device.";
    let precision = &mut mode.precision;
    list(ui, [title, "precision"], width, precision, offered, PrecisionChoice::name, hint);
}

fn attention(ui: &mut Ui, title: &str, width: f32, mode: &mut ModeChoice) {
    let hint = "How the GPU computes attention. Naive stores all scores; Tiled and Online store none; Flash is Online on tensor cores. Auto: Naive for Baseline, otherwise the fastest available.";
    let attention = &mut mode.attention;
    let all = AttentionChoice::ALL.iter().copied();
    list(ui, [title, "attention"], width, attention, all, AttentionChoice::name, hint);
}

fn list<T: Copy + PartialEq>(
    ui: &mut Ui,
    [title, what]: [&str; 2],
    width: f32,
    value: &mut T,
    offered: impl IntoIterator<Item = T>,
    name: fn(T) -> &'static str,
    hint: &str,
) {
    let spoken = format!("{title}: {what}");
    let button = choose(ui, &spoken, width, value, offered, |one| shown_name(name(one)))
        .accessible_name(spoken);
    match title {
        // The list is in the column of controls.
        ENGINE => button.hint_beside(hint),
        _ => button.on_hover_text(hint),
    };
}

/// A value's name in the window: words are capitalized, names of formats stay unchanged.
fn shown_name(name: &str) -> String {
    if name.contains(|c: char| c.is_ascii_digit()) { name.to_owned() } else { capital(name) }
}
