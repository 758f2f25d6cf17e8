//! The shipped styles in every mode: compared with the oracle on a small picture, and with the picture that PyTorch
//! painted after training (`tests/styles/`).

use std::path::PathBuf;

use backend::{Backend, RunControl, SessionSpec};
use libtest_mimic::Failed;
use measure::verify::{self, Rule};
use pictures::decode;
use values::{
    frame::{Frame, PictureDifference},
    mode::ModelSize,
};
use weights::Checkpoint;

use crate::shipped::STYLES;

/// Minimum PSNR between the weights rounded to fp16 and those with which PyTorch painted.
const ROUNDED_WEIGHTS_DB: f64 = 50.0;

/// The folder of the project's files: the build folder, or the current folder if the test was copied to another
/// computer.
pub fn root() -> PathBuf {
    let built = crate::home::project();
    if built.is_dir() { built.to_owned() } else { PathBuf::from(".") }
}

fn picture(path: &str) -> Result<Frame, Failed> {
    let photo = decode::from_path(&root().join(path))?;
    Ok(Frame::clone(&photo.frame))
}

/// Minimum PSNR if two causes of difference may add up.
fn both(a_db: f64, b_db: f64) -> f64 {
    let amplitude = |db: f64| 10f64.powf(-db / 20.0);
    -20.0 * (amplitude(a_db) + amplitude(b_db)).log10()
}

/// All six styles in both sizes and every mode.
pub fn every_style_is_right_in_every_mode(backend: &dyn Backend) -> Result<(), Failed> {
    let photo = picture("tests/styles/input.webp")?;
    let control = RunControl::default();
    let mut wrong = Vec::new();
    let mut painted_pictures = 0;
    for style in STYLES {
        for &size in ModelSize::ALL {
            let name = format!("{style} {size}");
            let file = root().join(format!("styles/{style}/{size}.safetensors"));
            let network = Checkpoint::read(&file)?.network;
            let subject = verify::style_subject(&name, network.clone(), &photo);
            verify::verify(backend, &subject, &backend.modes(), 1, |verdict| {
                if let Some(failure) = verdict.failure {
                    wrong.push(format!("{name} {}: {failure}", verdict.mode));
                }
            })?;
            let stored = picture(&format!("tests/styles/{style}-{size}.webp"))?;
            for mode in backend.modes() {
                let spec = SessionSpec::single(photo.width(), photo.height(), mode);
                let mut painted = photo.clone();
                backend.open(&network, &spec)?.paint(&photo, &mut painted, &control)?;
                painted_pictures += 1;
                let rule = Rule::for_mode(mode);
                let least_db = match rule.min_psnr_db {
                    Some(db) => both(db, ROUNDED_WEIGHTS_DB),
                    None => ROUNDED_WEIGHTS_DB,
                };
                let difference = PictureDifference::between(&painted, &stored);
                let psnr_db = difference.map_or(0.0, |d| d.psnr_db);
                if psnr_db < least_db {
                    wrong.push(format!(
                        "{name} {mode}: {psnr_db:.1} dB to the stored picture (limit {least_db:.1})"
                    ));
                }
            }
        }
    }
    println!("{painted_pictures} stored pictures, {} wrong", wrong.len());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
