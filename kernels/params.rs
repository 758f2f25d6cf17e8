//! Translates the parameter blocks of the kernels to Rust, for `build.rs`.
//!
//! A parameter block is a struct whose size the source asserts. It has one field per line, with a comment that says what
//! the field is; that and the comment above the struct become its documentation.

use std::fmt::Write as _;

use super::compiler::Source;

/// A field's name, type and value if nothing is passed, in Rust.
fn field(declaration: &str) -> Option<(&str, String, String)> {
    let (kind, name) = declaration.trim().strip_suffix(';')?.rsplit_once(' ')?;
    let kind = match kind.trim() {
        // An address on the device.
        pointer if pointer.ends_with('*') => "u64",
        "double" => "f64",
        "float" => "f32",
        "int" => "i32",
        block => block,
    };
    Some(match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((name, count)) => {
            (name, format!("[{kind}; {count}]"), format!("[Default::default(); {count}]"))
        }
        None => (name, kind.to_owned(), "Default::default()".to_owned()),
    })
}

/// The structs, and the enum `KernelParams` of those that end in `Params`. A struct that cannot be translated is an
/// error that names it.
pub fn translated<'a>(sources: impl Iterator<Item = &'a Source>) -> Result<String, String> {
    let (mut blocks, mut variants, mut addresses) = (String::new(), String::new(), String::new());
    for Source { name: file, text } in sources {
        let mut parts = text.split("\nstruct ");
        let mut above = parts.next().unwrap_or_default();
        for part in parts {
            let (name, rest) = part.split_once(" {\n").unwrap_or_default();
            let (body, after) = rest.split_once("\n};\n").unwrap_or_default();
            let asserted = after.strip_prefix(&format!("static_assert(sizeof({name}) == "));
            if let Some(bytes) = asserted.and_then(|rest| Some(rest.split_once(',')?.0)) {
                let (mut fields, mut values) = (String::new(), String::new());
                for line in body.lines() {
                    let (declaration, about) = line.split_once("//").unwrap_or((line, ""));
                    let (field, kind, value) = field(declaration)
                        .ok_or_else(|| format!("{file}: {name} has the field {line:?}"))?;
                    if !about.is_empty() {
                        writeln!(fields, "#[doc = {about:?}]").ok();
                    }
                    writeln!(fields, "pub {field}: {kind},").ok();
                    writeln!(values, "{field}: {value},").ok();
                }
                let about: Vec<&str> =
                    above.lines().rev().map_while(|line| line.strip_prefix("//")).collect();
                for line in about.iter().rev() {
                    writeln!(blocks, "#[doc = {line:?}]").ok();
                }
                writeln!(
                    blocks,
                    "#[repr(C)] #[derive(Clone, Copy, Debug, PartialEq)] pub struct {name} {{ {fields} }}\n\
                     const _: () = assert!(size_of::<{name}>() == {bytes});\n\
                     impl Default for {name} {{ fn default() -> Self {{ Self {{ {values} }} }} }}"
                )
                .ok();
                if let Some(variant) = name.strip_suffix("Params") {
                    writeln!(variants, "{variant}({name}),").ok();
                    writeln!(addresses, "Self::{variant}(params) => from_ref(params).cast(),").ok();
                }
            }
            above = part;
        }
    }
    Ok(format!(
        "{blocks}
/// The parameter block of a kernel.
// A session has some hundred of them, so being `Copy` is worth the memory.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Copy, Debug)]
pub enum KernelParams {{ {variants} }}

impl KernelParams {{
    /// The address from which the driver reads it.
    pub fn as_ptr(&self) -> *const c_void {{
        match self {{ {addresses} }}
    }}
}}
"
    ))
}
