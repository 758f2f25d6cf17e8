//! Embeds the trained `lite` styles, so that the program works alone.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../styles");
    let own = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let table = embedded_styles(&own.join("../.."))?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("embedded_styles.rs"), table)?;
    Ok(())
}

/// A table of the folders in `styles/` that contain `lite.safetensors`, for `library.rs`.
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
            format!("include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../..\", {path:?}))")
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
