//! Embeds the trained `lite` styles and the compiled kernels into the program, so that the binary works alone.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use lzma_rust2::{LzmaOptions, LzmaWriter};

#[path = "kernels/compiler.rs"]
mod compiler;
#[path = "kernels/params.rs"]
mod params;

use compiler::{Nvrtc, Sources};

/// Set during work on kernels whose CTAs wait for each other.
const BOUNDED_WAITS: &str = "STYLEFORGE_BOUNDED_WAITS";

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=styles");
    fs::write(out.join("embedded_styles.rs"), embedded_styles(&root)?)?;
    fs::write(out.join("licences.lzma"), licences(&root)?)?;

    println!("cargo::rerun-if-changed=kernels");
    println!("cargo::rerun-if-env-changed={}", compiler::FOLDER_VARIABLE);
    let sources = Sources::read(&root.join("kernels"))?;
    let all = sources.headers.iter().chain(&sources.programs);
    fs::write(out.join("params.rs"), params::translated(all)?)?;
    match kernels(sources, &root.join("kernels"), &out.join("kernels")) {
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

/// The licences of the project and of its dependencies in one text, compressed for `src/licences.rs`. They repeat each
/// other, so they compress to almost nothing.
fn licences(root: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut text = format!(
        "StyleForge {} is free software under the MIT licence or the Apache licence 2.0, as you choose.\n",
        env::var("CARGO_PKG_VERSION")?
    );
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY-LICENSES.txt"] {
        println!("cargo::rerun-if-changed={file}");
        let licence = fs::read_to_string(root.join(file)).map_err(|e| format!("{file}: {e}"))?;
        write!(text, "\n{licence}\n")?;
    }
    let options = LzmaOptions {
        // The dictionary covers the whole text, and unpacking needs no more memory than the text.
        dict_size: u32::try_from(text.len().next_power_of_two())?,
        ..LzmaOptions::with_preset(6)
    };
    let size = Some(text.len() as u64);
    let mut writer = LzmaWriter::new_use_header(Vec::new(), &options, size)?;
    writer.write_all(text.as_bytes())?;
    Ok(writer.finish()?)
}

/// A table of the folders in `styles/` that contain `lite.safetensors`, for `weights/library.rs`.
fn embedded_styles(root: &Path) -> Result<String, Box<dyn Error>> {
    let mut ids = Vec::new();
    if let Ok(folder) = fs::read_dir(root.join("styles")) {
        for entry in folder {
            let path = entry?.path();
            if path.join("lite.safetensors").is_file() {
                let name = path.file_name().unwrap_or_default();
                ids.push(name.to_string_lossy().into_owned());
            }
        }
    }
    ids.sort();
    let mut table = "static EMBEDDED: &[Embedded] = &[\n".to_owned();
    for id in ids {
        let include = |file: &str| {
            let path = format!("/styles/{id}/{file}");
            format!("include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?}))")
        };
        let thumbnail = if root.join("styles").join(&id).join("thumbnail.jpg").is_file() {
            format!("Some({})", include("thumbnail.jpg"))
        } else {
            "None".to_owned()
        };
        let lite = include("lite.safetensors");
        writeln!(table, "    Embedded {{ id: {id:?}, lite: {lite}, thumbnail: {thumbnail} }},")?;
    }
    table.push_str("];\n");
    Ok(table)
}
