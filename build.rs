//! Compresses the texts of all licences for `src/licences.rs`.

use std::{env, error::Error, fmt::Write as _, fs, io::Write as _, path::Path};

use lzma_rust2::{LzmaOptions, LzmaWriter};

fn main() -> Result<(), Box<dyn Error>> {
    let packed = licences(Path::new(&env::var("CARGO_MANIFEST_DIR")?))?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("licences.lzma"), packed)?;
    Ok(())
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
