//! Where `stylize` writes: to a file, into a folder, or to standard output; and in which form.

use std::{
    ffi::{OsStr, OsString},
    path::{MAIN_SEPARATOR, Path, PathBuf},
};

use super::{
    CliError,
    args::AnyFormat,
    inputs::{PhotoInput, STANDARD_STREAM, is_numbered},
    terminal::prints_to_terminal,
    wrong_use,
};
use crate::{
    film::{Container, Numbered},
    media::{
        encode::Format,
        folder::{is_animated, is_film},
    },
};

/// Where the paintings are written, before photos and styles are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    File(PathBuf, AnyFormat),
    Folder(PathBuf, Option<AnyFormat>),
    Stdout(Option<Format>),
}

impl Destination {
    /// The format of a photo's painting. `None` on standard output is the photo's own.
    pub fn format(&self, source: &PhotoInput) -> Option<Format> {
        match self {
            Self::Stdout(format) => *format,
            Self::File(_, format) => picture(*format),
            Self::Folder(_, format) => {
                let own = source.file().and_then(Format::from_path);
                Some(format.and_then(picture).or(own).unwrap_or_default())
            }
        }
    }

    /// The extension of a photo that is painted as PNG because its own format is not written.
    pub fn unwritten<'a>(&self, source: &'a PhotoInput) -> Option<&'a OsStr> {
        let path = source.file()?;
        let is_chosen = match self {
            Self::File(..) => true,
            Self::Folder(_, format) => format.and_then(picture).is_some(),
            Self::Stdout(format) => format.is_some(),
        };
        let is_unwritten = !is_chosen && Format::from_path(path).is_none() && !is_film(path);
        path.extension().filter(|_| is_unwritten)
    }

    /// The path of a painting, which has this name in a folder.
    pub fn path(&self, subfolder: &Path, name: &OsStr) -> PathBuf {
        match self {
            Self::Stdout(_) => PathBuf::from(STANDARD_STREAM),
            Self::File(path, _) => path.clone(),
            Self::Folder(folder, _) => folder.join(subfolder).join(name),
        }
    }

    /// The form in which a source is painted as a video; `None` if it is painted as a photo.
    pub fn container(&self, source: &PhotoInput) -> Option<Container> {
        let path = source.file()?;
        let is_numbered = is_numbered(path);
        let pictures = Format::from_path(path).filter(|_| is_numbered).map(Container::Pictures);
        let container = match self {
            Self::Stdout(_) => None,
            Self::Folder(_, None) => {
                Some(pictures.or(Container::from_path(path)).unwrap_or(Container::Mp4))
            }
            Self::File(_, AnyFormat::Film(container))
            | Self::Folder(_, Some(AnyFormat::Film(container))) => Some(*container),
            Self::File(path, AnyFormat::Picture(format)) if Numbered::of(path).is_some() => {
                Some(Container::Pictures(*format))
            }
            Self::Folder(_, Some(AnyFormat::Picture(format))) if is_numbered => {
                Some(Container::Pictures(*format))
            }
            Self::File(_, AnyFormat::Picture(format))
            | Self::Folder(_, Some(AnyFormat::Picture(format))) => {
                (*format == Format::WebP).then_some(Container::WebP)
            }
        };
        container.filter(|_| is_film(path) || is_animated(path) || is_numbered)
    }
}

/// The name of a painting in a folder; a `number` above 1 tells sources of one name apart.
pub fn name_of(stem: &OsStr, number: usize, label: &str, extension: &str) -> OsString {
    let mut name = stem.to_owned();
    if number > 1 {
        name.push(format!("-{number}"));
    }
    name.push(format!("-{label}.{extension}"));
    name
}

pub fn destination(
    output: &Path,
    format: Option<AnyFormat>,
    several: bool,
) -> Result<Destination, CliError> {
    let shown = output.display();
    if output.as_os_str() == STANDARD_STREAM {
        if several {
            return wrong_use(
                "standard output takes one image, and there are several paintings; give a folder with -o, for example -o paintings/",
            );
        }
        if prints_to_terminal() {
            return wrong_use("standard output is a terminal; name a file, or pipe the image");
        }
        return match format {
            Some(AnyFormat::Film(_)) => wrong_use("a video cannot go to standard output"),
            Some(AnyFormat::Picture(format)) => Ok(Destination::Stdout(Some(format))),
            None => Ok(Destination::Stdout(None)),
        };
    }
    let named = AnyFormat::from_path(output);
    if output.is_dir() || ends_as_folder(output) {
        return Ok(Destination::Folder(output.to_owned(), format));
    }
    if several {
        if named.is_some() || output.exists() {
            return wrong_use(format!(
                "several paintings do not fit into one file, {shown}; give a folder instead, for example -o paintings/"
            ));
        }
        return Ok(Destination::Folder(output.to_owned(), format));
    }
    match (named, format) {
        (Some(named), Some(chosen)) if named != chosen => wrong_use(format!(
            "{shown} has the extension of {}, but --format is {}",
            named.name(),
            chosen.name()
        )),
        (_, Some(chosen)) => Ok(Destination::File(output.to_owned(), chosen)),
        (Some(named), None) => Ok(Destination::File(output.to_owned(), named)),
        (None, None) => wrong_use(format!(
            "{shown} has no extension of a supported format; use .png, .jpg, .webp, .bmp, .tiff or .avif, for a video .mp4, .mov, .mkv, .webm, .gif or .apng, add --format, or end the name of a folder with /"
        )),
    }
}

/// Whether a path ends in a separator, so that it can only mean a folder.
pub fn ends_as_folder(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last();
    last.is_some_and(|&b| b == b'/' || char::from(b) == MAIN_SEPARATOR)
}

/// The format of a picture; `None` for that of a video.
fn picture(format: AnyFormat) -> Option<Format> {
    match format {
        AnyFormat::Picture(format) => Some(format),
        AnyFormat::Film(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::inputs::stem_of, *};

    fn file(path: &str) -> PhotoInput {
        PhotoInput::File(PathBuf::from(path))
    }

    #[test]
    fn names_in_a_folder() {
        let folder = |format| Destination::Folder(PathBuf::from("out"), format);
        let path = |d: &Destination, s: &PhotoInput| {
            let format = d.format(s).expect("known in a folder");
            let stem = s.file().map_or("stdin".into(), stem_of);
            let name = name_of(&stem, 1, "candy", format.extension());
            (d.path(Path::new(""), &name).display().to_string(), format)
        };
        assert_eq!(
            path(&folder(None), &file("in/a.b.JPG")),
            ("out/a.b-candy.jpg".to_owned(), Format::Jpeg)
        );
        assert_eq!(path(&folder(None), &file("moving.gif")).1, Format::Png);
        assert_eq!(
            path(&folder(Some(AnyFormat::Picture(Format::WebP))), &file("x.png")).0,
            "out/x-candy.webp"
        );
        assert_eq!(path(&folder(None), &PhotoInput::Stdin).0, "out/stdin-candy.png");
    }

    #[test]
    fn where_one_and_where_many_go() {
        let one = destination(Path::new("nowhere/a.tif"), None, false);
        assert_eq!(
            one.expect("a file"),
            Destination::File(PathBuf::from("nowhere/a.tif"), AnyFormat::Picture(Format::Tiff))
        );
        assert!(
            destination(Path::new("a.png"), Some(AnyFormat::Picture(Format::Jpeg)), false).is_err()
        );
        assert!(destination(Path::new("a"), None, false).is_err());
        assert!(destination(Path::new("a"), Some(AnyFormat::Picture(Format::Png)), false).is_ok());
        assert!(destination(Path::new("a.png"), None, true).is_err());
        assert!(destination(Path::new("-"), None, true).is_err());
        let many = destination(Path::new("new-folder"), None, true);
        assert!(matches!(many, Ok(Destination::Folder(..))));
    }
}
