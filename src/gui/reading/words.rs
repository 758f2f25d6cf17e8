//! Describes a network's pixel format to the user. Pure functions.

use super::Unclear;
use crate::{
    gui::label::name_label,
    weights::{ChannelOrder, PixelFormat, PixelRange},
};

/// What the question is about.
pub fn explanation(file: &Unclear) -> String {
    let name = name_label(&file.path);
    let unknown = match file.known.missing() {
        Some(does) => {
            format!("which pixel range its network {does}")
        }
        None => "which channel order its network uses".to_owned(),
    };
    format!(
        "{name} does not say {unknown}. Choose the best-looking result; if they look alike, any will do."
    )
}

/// The name of a format, in the terms of the command line.
pub fn title(file: &Unclear, format: PixelFormat) -> String {
    let PixelFormat { input, output, order } = format;
    let ranges = if input == output {
        format!("{input} in and out")
    } else {
        format!("{input} in, {output} out")
    };
    // Leave out the default channel order unless the question is about the order.
    if order == ChannelOrder::default() && file.known.missing().is_some() {
        ranges
    } else {
        format!("{ranges}, {order}")
    }
}

/// The meaning of a format, in one or two sentences.
pub fn meaning(file: &Unclear, format: PixelFormat) -> String {
    let reads = values(format.input);
    let makes = values(format.output);
    let values = if reads == makes {
        format!("Reads and makes {reads}.")
    } else {
        format!("Reads {reads}, makes {makes}.")
    };
    match format.order {
        ChannelOrder::Bgr => format!("{values} Blue comes first."),
        ChannelOrder::Rgb if file.known.missing().is_none() => format!("{values} Red comes first."),
        ChannelOrder::Rgb => values,
    }
}

/// The values of a range.
const fn values(range: PixelRange) -> &'static str {
    match range {
        PixelRange::Bytes => "levels from 0 to 255",
        PixelRange::Unit => "values from 0 to 1",
        PixelRange::Signed => "values from -1 to 1",
        PixelRange::ImageNet => "values around ImageNet's mean",
        PixelRange::Caffe => "levels around ImageNet's mean",
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::weights::PixelChoice;

    fn file(known: PixelChoice) -> Unclear {
        Unclear { path: PathBuf::from("nets/mosaic.onnx"), known }
    }

    fn format(input: PixelRange, output: PixelRange, order: ChannelOrder) -> PixelFormat {
        PixelFormat { input, output, order }
    }

    #[test]
    fn readings_are_named_as_on_the_command_line_and_explained() {
        let unknown = file(PixelChoice::default());
        let reading = format(PixelRange::Unit, PixelRange::Unit, ChannelOrder::Rgb);
        assert_eq!(title(&unknown, reading), "0..1 in and out");
        assert_eq!(meaning(&unknown, reading), "Reads and makes values from 0 to 1.");
        let reading = format(PixelRange::ImageNet, PixelRange::Bytes, ChannelOrder::Bgr);
        assert_eq!(title(&unknown, reading), "imagenet in, 0..255 out, bgr");
        assert_eq!(
            meaning(&unknown, reading),
            "Reads values around ImageNet's mean, makes levels from 0 to 255. Blue comes first."
        );
        let words = explanation(&unknown);
        assert!(
            words.starts_with("mosaic.onnx does not say which pixel range")
                && words.contains("its network reads and makes."),
            "{words}"
        );
    }

    #[test]
    fn where_only_the_order_is_asked_it_is_said() {
        let ordered = file(PixelChoice {
            input: Some(PixelRange::Unit),
            output: Some(PixelRange::Unit),
            order: None,
        });
        let reading = format(PixelRange::Unit, PixelRange::Unit, ChannelOrder::Rgb);
        assert_eq!(title(&ordered, reading), "0..1 in and out, rgb");
        assert!(meaning(&ordered, reading).ends_with("Red comes first."));
        let words = explanation(&ordered);
        assert!(words.contains("which channel order"), "{words}");
    }
}
