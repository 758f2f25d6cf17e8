//! `styleforge doctor`: what this computer has, what works, and how to fix the rest.

use std::{
    env,
    fmt::Display,
    path::{Path, PathBuf},
};

use itertools::Itertools;
use serde::Serialize;

use super::{
    CliError, display, reason_of,
    terminal::{print_report, table},
};
use backend::{
    DeviceOptions,
    cuda::{self, CudaDevice, CudaProbe},
};
use engine::{
    capture::{self, Setup},
    paint::default_memory_limit_bytes,
};
use media::{codec::Codec, record::Microphone};
use pictures::heic;
use threads::process::program;
use values::{
    disk,
    mode::{DeviceChoice, ModeChoice},
};
use weights::StyleLibrary;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Ok,
    /// Works with limitations.
    Note,
    /// Something required does not work.
    Problem,
}

impl Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "PROBLEM",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    topic: &'static str,
    verdict: Verdict,
    found: String,
    /// What to do, one step a line.
    advice: Option<String>,
}

impl Finding {
    fn ok(topic: &'static str, found: impl Into<String>) -> Self {
        Self { topic, verdict: Verdict::Ok, found: found.into(), advice: None }
    }

    fn note(topic: &'static str, found: impl Into<String>, advice: &str) -> Self {
        Self { verdict: Verdict::Note, advice: Some(advice.to_owned()), ..Self::ok(topic, found) }
    }

    /// Devices, and what is wrong with one of them.
    fn named(topic: &'static str, names: &str, problem: Option<impl Display>) -> Self {
        match problem {
            Some(problem) => Self::note(topic, names, &problem.to_string()),
            None => Self::ok(topic, names),
        }
    }

    fn problem(topic: &'static str, found: impl Into<String>, advice: &str) -> Self {
        Self { verdict: Verdict::Problem, ..Self::note(topic, found, advice) }
    }
}

/// The `--json` report.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    system: String,
    findings: Vec<Finding>,
}

/// # Errors
/// [`CliError::AlreadyReported`] if something required does not work.
pub fn run(json: bool) -> Result<(), CliError> {
    let library = StyleLibrary::standard();
    let mut findings = [
        vec![processor(), memory()],
        graphics(),
        vec![cameras(), camera_out(), video(), microphone(), phone_photos(), screen(), dialogs()],
        styles(&library),
    ]
    .concat();
    findings.extend(library.user_folder().map(user_folder));
    let broken = findings.iter().any(|f| f.verdict == Verdict::Problem);
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        system: format!("{} {}", env::consts::OS, env::consts::ARCH),
        findings,
    };
    print_report(json, &report, || text(&report))?;
    if broken { Err(CliError::AlreadyReported) } else { Ok(()) }
}

fn text(report: &Report) -> Vec<String> {
    let mut rows = Vec::new();
    for f in &report.findings {
        rows.push(vec![f.verdict.to_string(), f.topic.to_owned(), f.found.clone()]);
        for step in f.advice.iter().flat_map(|advice| advice.lines()) {
            rows.push(vec![String::new(), String::new(), format!("-> {step}")]);
        }
    }
    let mut lines = vec![format!("StyleForge {} on {}", report.version, report.system)];
    lines.extend(table(&rows));
    lines
}

fn processor() -> Finding {
    let threads = threads::processors();
    let sets = instruction_sets().join(", ");
    match backend::select(DeviceChoice::Cpu, &DeviceOptions::default()) {
        Ok(selected) => {
            let device = selected.backend.device();
            Finding::ok(
                "Processor",
                format!(
                    "{}, {threads} threads, has {sets}; paints with {} threads, {}",
                    device.name, device.threads, device.instructions
                ),
            )
        }
        Err(error) => Finding::problem(
            "Processor",
            format!("{threads} threads, has {sets}: {error}"),
            "close other programs and try again with --threads 1",
        ),
    }
}

/// The instruction sets of this CPU that matter for painting.
fn instruction_sets() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let sets = [
        ("SSE4.2", is_x86_feature_detected!("sse4.2")),
        ("AVX", is_x86_feature_detected!("avx")),
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("FMA", is_x86_feature_detected!("fma")),
        ("AVX-512F", is_x86_feature_detected!("avx512f")),
    ];
    #[cfg(target_arch = "aarch64")]
    let sets = [("NEON", std::arch::is_aarch64_feature_detected!("neon"))];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let sets = [("no instruction set that StyleForge uses", true)];
    sets.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect()
}

fn gb(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

fn memory() -> Finding {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let found = format!(
        "{} of {} free; painting takes up to {}",
        gb(system.available_memory()),
        gb(system.total_memory()),
        gb(default_memory_limit_bytes())
    );
    if default_memory_limit_bytes() < 500_000_000 {
        return Finding::note(
            "Memory",
            found,
            "close other programs, or set --max-memory; large photos are painted smaller",
        );
    }
    Finding::ok("Memory", found)
}

/// One finding for every GPU, with its number for --gpu and --devices, or why there is none.
fn graphics() -> Vec<Finding> {
    let topic = "Graphics card";
    let probe = cuda::probe();
    let reason = probe.reason_for_cpu();
    let advice = match probe {
        CudaProbe::Devices(devices) => {
            let cards = (0..).zip(&devices).map(gpu);
            let together = (devices.len() > 1).then(|| {
                Finding::ok(topic, "stylize and bench use all of them with --devices all")
            });
            return cards.chain(together).chain([convolution_library()]).collect();
        }
        CudaProbe::NoDriver => {
            "nothing to do: StyleForge paints on the CPU; if you have an NVIDIA GPU, install its driver"
        }
        CudaProbe::DriverTooOld { .. } => {
            "update the driver; until then StyleForge paints on the CPU"
        }
        CudaProbe::DriverError(_) => {
            "restart the computer or reinstall NVIDIA's driver; until then StyleForge paints on the CPU"
        }
        CudaProbe::NoDevice => {
            "check with nvidia-smi that the GPU is detected; until then StyleForge paints on the CPU"
        }
    };
    vec![Finding::note(topic, reason, advice)]
}

/// Checks whether a GPU paints, and how. Opens it as painting would.
fn gpu((number, device): (usize, &CudaDevice)) -> Finding {
    let topic = "Graphics card";
    let (major, minor) = device.compute_capability;
    let what = format!(
        "GPU {number}: {} (compute {major}.{minor}, {:.0} GB)",
        device.name,
        device.memory_bytes as f64 / 1e9
    );
    match cuda::open(Some(number)) {
        Ok(backend) => {
            let mode = backend.mode(ModeChoice::default());
            let modes = backend.modes().len();
            let free = (backend.free_bytes())
                .map_or(String::new(), |bytes| format!(", {} free", gb(bytes)));
            Finding::ok(topic, format!("{what}{free}; paints in {mode}, has {modes} modes"))
        }
        Err(error) => Finding::note(
            topic,
            format!("{what}; {}", reason_of(error)),
            "nothing to do: StyleForge paints on the CPU",
        ),
    }
}

/// Checks for cuDNN, the library for convolutions that frameworks use and that this program is compared with.
fn convolution_library() -> Finding {
    let topic = "cuDNN";
    match cuda::cudnn::installed() {
        Ok(name) => Finding::ok(
            topic,
            format!("{name}; computes the convolutions of baseline and fused-norm"),
        ),
        Err(reason) => Finding::note(
            topic,
            format!(
                "{reason}; our own kernels compute the convolutions of baseline and fused-norm"
            ),
            "nothing to do: only baseline and fused-norm use it; install cuDNN 9 to compare with it",
        ),
    }
}

fn cameras() -> Finding {
    match capture::cameras() {
        Ok(cameras) if cameras.is_empty() => {
            Finding::note("Cameras", "none", "nothing to do: photos need no camera")
        }
        Ok(cameras) => {
            let names = cameras.iter().map(|c| &c.name).join(", ");
            let problem = cameras.iter().find_map(|c| c.problem.as_ref());
            Finding::named("Cameras", &names, problem)
        }
        Err(error) => {
            Finding::note("Cameras", error.to_string(), "photos and the demo scene need no camera")
        }
    }
}

/// Checks whether the painting can be shown to other programs as a camera.
fn camera_out() -> Finding {
    let topic = "Camera out";
    let cameras = capture::virtual_cameras();
    if cameras.is_empty() {
        let setup = Setup::here();
        return Finding::note(topic, setup.reason(), &setup.steps().join("\n"));
    }
    let names =
        cameras.iter().map(|camera| format!("{} ({})", camera.label, camera.device)).join(", ");
    let problem = cameras.iter().find_map(|camera| camera.problem.as_ref());
    Finding::named(topic, &names, problem)
}

/// Checks whether photos in HEIC can be opened.
fn phone_photos() -> Finding {
    match heic::converter() {
        Some(program) => Finding::ok("HEIC", format!("{} reads it", program.display())),
        None => Finding::note(
            "HEIC",
            "heif-convert is not installed",
            "install it to open photos in HEIC (Debian: libheif-examples)",
        ),
    }
}

/// Checks whether videos can be painted, and in which format recordings are written.
fn video() -> Finding {
    let topic = "Video";
    match Codec::H264.ffmpeg() {
        Ok(ffmpeg) => Finding::ok(
            topic,
            format!(
                "ffmpeg {} with libx264 ({}); videos can be painted, and recordings become MP4",
                ffmpeg.version,
                ffmpeg.program.display()
            ),
        ),
        Err(why) => Finding::note(
            topic,
            format!("{why}; videos cannot be painted, and recordings are folders of pictures"),
            "install ffmpeg with libx264",
        ),
    }
}

/// Checks whether recordings can have sound. Records nothing.
fn microphone() -> Finding {
    let topic = "Microphone";
    match Microphone::find(None) {
        Ok(found) => {
            Finding::ok(topic, format!("{}; only recorded if you switch sound on", found.name))
        }
        Err(why) => Finding::note(
            topic,
            format!("{why}; recordings have no sound"),
            "connect a microphone and start the sound server; sound is recorded through PulseAudio, PipeWire or ALSA",
        ),
    }
}

fn screen() -> Finding {
    match display::probe() {
        display::Display::Reachable(what) => Finding::ok("Display", what),
        display::Display::Missing(reason) => Finding::note(
            "Display",
            reason,
            "the window needs a desktop session; styleforge stylize works without one",
        ),
    }
}

/// Checks for the helper programs that show a file dialog.
fn dialogs() -> Finding {
    let topic = "File dialogs";
    if cfg!(not(target_os = "linux")) {
        return Finding::ok(topic, "the system's");
    }
    if env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some_and(|v| !v.is_empty()) {
        return Finding::ok(topic, "a session bus for the desktop's dialogs");
    }
    let helpers =
        ["zenity", "kdialog"].into_iter().filter(|name| program(name).is_some()).join(", ");
    if helpers.is_empty() {
        return Finding::note(
            topic,
            "no session bus and no zenity",
            "install zenity; without it, type paths into the window or drop files onto it",
        );
    }
    Finding::ok(topic, helpers)
}

fn styles(library: &StyleLibrary) -> Vec<Finding> {
    let found = styles_found(library.styles().len(), library.folders());
    let all = if library.styles().is_empty() {
        Finding::problem("Styles", found, "add one with styleforge styles import FILE")
    } else {
        Finding::ok("Styles", found)
    };
    let problems = (library.problems().iter())
        .map(|problem| Finding::note("Styles", problem.clone(), "repair or remove the file"));
    [all].into_iter().chain(problems).collect()
}

/// How many styles there are, and the folders that were searched for installed ones.
fn styles_found(count: usize, folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return format!(
            "{count}: built in and your own; no folder of installed styles was found, so only lite models are there"
        );
    }
    let folders = folders.iter().map(|folder| folder.display()).join(", ");
    format!("{count}: built in, your own, and from {folders}")
}

/// Checks whether the user's own styles can be saved.
fn user_folder(folder: &Path) -> Finding {
    let topic = "Your styles";
    // The folder is created on the first import, so the nearest existing parent decides.
    match disk::check_folder(folder) {
        Ok(()) => Finding::ok(topic, format!("{} can be written", folder.display())),
        Err(error) => Finding::note(
            topic,
            error.to_string(),
            "make it writable, or set XDG_DATA_HOME to another folder",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_of_styles() {
        let installed = styles_found(6, &[PathBuf::from("a"), PathBuf::from("b")]);
        assert!(installed.ends_with("from a, b"), "{installed}");
        let built_in = styles_found(6, &[]);
        assert!(built_in.starts_with("6: built in and your own; no folder"));
    }
}
