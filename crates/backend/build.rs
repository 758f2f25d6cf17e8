//! Embeds the compiled kernels, and translates their parameters to Rust.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

#[path = "../../kernels/compiler.rs"]
mod compiler;
#[path = "../../kernels/params.rs"]
mod params;

use compiler::{Nvrtc, Sources};

/// Set during work on kernels whose CTAs wait for each other.
const BOUNDED_WAITS: &str = "STYLEFORGE_BOUNDED_WAITS";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../kernels");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=../../kernels");
    println!("cargo::rerun-if-env-changed={}", compiler::FOLDER_VARIABLE);
    let sources = Sources::read(&folder)?;
    let all = sources.headers.iter().chain(&sources.programs);
    fs::write(out.join("params.rs"), params::translated(all)?)?;
    match kernels(sources, &folder, &out.join("kernels")) {
        Ok(bundle) => fs::write(out.join("kernels.bin"), bundle)?,
        Err(error) => {
            for line in error.to_string().lines() {
                println!("cargo::error={line}");
            }
        }
    }
    Ok(())
}

/// The bundle of compiled kernels: the committed one if it matches the sources, otherwise one compiled here, which
/// needs the compiler. `cache` keeps images that need not be compiled again.
fn kernels(mut sources: Sources, folder: &Path, cache: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    // Tests that compile kernels are listed as ignored if the compiler is missing.
    println!("cargo::rustc-check-cfg=cfg(nvrtc)");
    let nvrtc = Nvrtc::find();
    if nvrtc.is_ok() {
        println!("cargo::rustc-cfg=nvrtc");
    }
    println!("cargo::rerun-if-env-changed={BOUNDED_WAITS}");
    if env::var_os(BOUNDED_WAITS).is_some() {
        sources.bound_waits();
    }
    let digest = sources.digest();
    let committed = fs::read(folder.join("bundle.bin")).unwrap_or_default();
    if compiler::is_fresh(&committed, &digest) {
        return Ok(committed);
    }
    let nvrtc = nvrtc.map_err(|error| {
        format!("kernels/bundle.bin is not what the sources in kernels/ compile to: {error}")
    })?;
    // During work on kernels one architecture is enough; compiling all of them takes minutes.
    println!("cargo::rerun-if-env-changed=STYLEFORGE_KERNEL_TARGETS");
    let only = env::var("STYLEFORGE_KERNEL_TARGETS").unwrap_or_default();
    let only: Vec<&str> = only.split_terminator(',').collect();
    let images = nvrtc.compile_all(&sources, cache, &only)?;
    println!(
        "cargo::warning=the kernels were compiled for this build; before you commit, write \
         kernels/bundle.bin: STYLEFORGE_WRITE_KERNELS=1 cargo test --test kernels"
    );
    for complaint in images.iter().flat_map(|image| image.complaints()) {
        println!("cargo::warning={complaint}");
    }
    Ok(compiler::bundle(&digest, &compiler::entries(&images), false))
}
