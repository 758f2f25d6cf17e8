//! Lists for choosing a mode: variant, precision, attention if there is a choice, and the device for a comparison.

use eframe::egui::Ui;

use super::{
    label::capital,
    list::choose,
    theme::{self, ColumnTooltip},
};
use backend::DeviceInfo;
use engine::live::CandidateChoice;
use values::mode::{
    AttentionChoice, DeviceChoice, ModeChoice, Precision, PrecisionChoice, Variant,
};

/// Which lists are offered.
#[derive(Clone, Copy)]
pub struct Offers {
    /// A GPU paints, so that the CPU is an alternative.
    device: bool,
    /// There is a choice of attention: a GPU paints, and the style's network has attention.
    attention: bool,
    /// A CPU paints, which lacks some variants and precisions.
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
        Variant::ALL.iter().copied().filter(move |v| !self.is_processor || *v != Variant::FusedNorm)
    }

    /// The precisions that the device has, regardless of the network.
    fn precisions(self) -> impl Iterator<Item = PrecisionChoice> {
        PrecisionChoice::ALL.iter().copied().filter(move |choice| match choice {
            PrecisionChoice::Auto | PrecisionChoice::Fixed(Precision::Fp32) => true,
            PrecisionChoice::Fixed(precision) => {
                !self.is_processor || *precision == Precision::Int8
            }
        })
    }
}

/// The title of the lists for the painting engine.
pub const ENGINE: &str = "Engine";

/// Lists for the engine and the device of one side of a comparison; their accessible names begin with `side`.
pub fn candidate(
    ui: &mut Ui,
    side: &str,
    CandidateChoice { device, mode }: &mut CandidateChoice,
    offers: Offers,
) {
    // Offer everything: each side has its own device, which reports what it lacks.
    let attention = offers.attention && *device != DeviceChoice::Cpu;
    engine(ui, side, mode, Offers { attention, is_processor: false, ..offers });
    if offers.device {
        let devices = [DeviceChoice::Auto, DeviceChoice::Cpu];
        let name = |device| if device == DeviceChoice::Cpu { "CPU" } else { "GPU" };
        list(ui, side, ["Device", "device", "Device for this side."], device, devices, name);
    }
}

/// Lists for an engine, below each other; their accessible names begin with `title`.
pub fn engine(ui: &mut Ui, title: &str, mode: &mut ModeChoice, offers: Offers) {
    let hint = "How the network is divided into kernels. Baseline: one operation each. Fused: several operations each.";
    list(ui, title, [ENGINE, "variant", hint], &mut mode.variant, offers.variants(), Variant::name);
    let hint = "Number format for inference. Auto: the fastest accurate one on this device.";
    list(
        ui,
        title,
        ["Precision", "precision", hint],
        &mut mode.precision,
        offers.precisions(),
        PrecisionChoice::name,
    );
    if offers.attention {
        let hint = "How the GPU computes attention. Naive stores all scores; Tiled and Online store none; Flash is Online on tensor cores. Auto: Naive for Baseline, otherwise the fastest available.";
        let all = AttentionChoice::ALL.iter().copied();
        list(
            ui,
            title,
            ["Attention", "attention", hint],
            &mut mode.attention,
            all,
            AttentionChoice::name,
        );
    }
}

/// A list with its name, what it is for as an accessible name, and its tooltip.
fn list<T: Copy + PartialEq>(
    ui: &mut Ui,
    title: &str,
    [name, what, hint]: [&str; 3],
    value: &mut T,
    offered: impl IntoIterator<Item = T>,
    name_of: fn(T) -> &'static str,
) {
    let spoken = format!("{title}: {what}");
    theme::row(ui, name, |ui, _| {
        let button = choose(ui, &spoken, ui.available_width(), value, offered, |one| {
            shown_name(name_of(one))
        })
        .accessible_name(&spoken);
        match title {
            // The list is in the column of controls.
            ENGINE => button.column_tooltip(hint),
            _ => button.on_hover_text(hint),
        };
    });
}

/// A value's name in the window: words are capitalized, names of formats stay unchanged.
fn shown_name(name: &str) -> String {
    if name.contains(|c: char| c.is_ascii_digit()) { name.to_owned() } else { capital(name) }
}
