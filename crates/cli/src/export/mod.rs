//! `styleforge export`: writes a style for other programs.

mod triton;

use super::{
    CliError,
    args::ExportArgs,
    check_outputs,
    destination::ends_as_folder,
    save,
    style_choice::{choose_as, of_pictures, print_notes},
    terminal::print,
};
use values::disk;
use weights::{
    StyleLibrary, id_from,
    onnx::export::{self, Export},
};

/// # Errors
/// [`CliError::WrongUse`] if there is no such style, it cannot be exported in this way, or a file exists;
/// [`CliError::Failed`] if a file cannot be written.
pub fn run(args: ExportArgs) -> Result<(), CliError> {
    let style = match of_pictures(&args.pictures, None, args.model)? {
        Some(mixed) => mixed,
        None => {
            let typed = args.style.unwrap_or_default();
            choose_as(&StyleLibrary::standard(), &typed, args.model, args.pixels.choice())?
        }
    };
    print_notes(&style);
    let mut metadata = style.metadata;
    metadata.entry("title".to_owned()).or_insert_with(|| style.title.clone());
    let (is_half, has_float_pixels) = (args.precision == "fp16", args.tensors == "float");
    let export = Export::new(style.network.graph(), is_half, has_float_pixels, args.size)
        .map_err(CliError::wrong_use)?;
    let onnx = export::write(&style.network, &metadata, &export).map_err(CliError::wrong_use)?;
    let mut lines = Vec::new();
    let files = if args.format == "triton" {
        let name = id_from(&style.label);
        let model = (name.as_str(), args.output.as_path());
        let (files, command) = triton::files(model, &style.network, &metadata, &export, onnx)?;
        lines.push(command);
        files
    } else {
        let name = format!("{}.onnx", style.label);
        let is_folder = ends_as_folder(&args.output) || args.output.is_dir();
        vec![(if is_folder { args.output.join(name) } else { args.output }, onnx)]
    };
    // A missing folder is created.
    let paths = files.iter().map(|(path, _)| path);
    let existing = check_outputs(paths.filter(|path| disk::folder_of(path).exists()), args.force)?;
    for (path, bytes) in &files {
        disk::make_folder(disk::folder_of(path)).map_err(CliError::failed)?;
        save(path, bytes, existing)?;
        print(&[path.display().to_string()])?;
    }
    print(&lines)
}
