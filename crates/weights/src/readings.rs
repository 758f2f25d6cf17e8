//! Likely pixel formats of a network whose file does not say what its values mean, for the user to choose from. Pure.

use itertools::Itertools;

use super::pixels::{ChannelOrder, PixelChoice, PixelFormat, PixelRange};

/// Maximum number of formats to offer.
const MOST: usize = 4;

/// The likely output range of a network with this input range.
const fn companion(input: PixelRange) -> PixelRange {
    match input {
        PixelRange::Unit | PixelRange::Signed => input,
        // Networks are not trained to output values with the mean subtracted.
        PixelRange::Bytes | PixelRange::ImageNet | PixelRange::Caffe => PixelRange::Bytes,
    }
}

/// The likely formats of a network, the likeliest first. They differ only in what is not `known`. Returns one to four
/// different formats, and only one if everything is known.
pub fn likely_formats(known: PixelChoice) -> Vec<PixelFormat> {
    use PixelRange::{Bytes, ImageNet, Signed, Unit};
    const USUAL: [PixelRange; MOST] = [Bytes, Unit, Signed, ImageNet];
    let ranges = |known: Option<PixelRange>| known.map_or(USUAL.to_vec(), |range| vec![range]);
    let (inputs, outputs) = (ranges(known.input), ranges(known.output));
    // The likely output of every input comes before all others.
    let likely = inputs
        .iter()
        .map(|&input| (input, companion(input)))
        .filter(|(_, output)| known.output.is_none_or(|known| known == *output));
    let all = inputs.iter().copied().cartesian_product(outputs);
    let ranges: Vec<_> = likely.chain(all).unique().collect();
    let orders = match (known.order, ranges.as_slice()) {
        (Some(order), _) => vec![order],
        (None, [_]) => ChannelOrder::ALL.to_vec(),
        // Ask for the order last: without the right ranges there is no recognisable picture at all.
        (None, _) => vec![ChannelOrder::default()],
    };
    ranges
        .into_iter()
        .cartesian_product(orders)
        .map(|((input, output), order)| PixelFormat { input, output, order })
        .unique()
        .take(MOST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ChannelOrder::{Bgr, Rgb};
    use PixelRange::{Bytes, Caffe, ImageNet, Signed, Unit};

    fn offered(
        input: Option<PixelRange>,
        output: Option<PixelRange>,
        order: Option<ChannelOrder>,
    ) -> Vec<(PixelRange, PixelRange, ChannelOrder)> {
        let known = PixelChoice { input, output, order };
        likely_formats(known).into_iter().map(|f| (f.input, f.output, f.order)).collect()
    }

    #[test]
    fn the_usual_four_are_offered_if_nothing_is_known() {
        let usual = [(Bytes, Bytes), (Unit, Unit), (Signed, Signed), (ImageNet, Bytes)];
        for (known, order) in [(None, Rgb), (Some(Rgb), Rgb), (Some(Bgr), Bgr)] {
            let wanted = usual.map(|(input, output)| (input, output, order));
            assert_eq!(offered(None, None, known), wanted);
        }
    }

    #[test]
    fn outputs_are_offered_if_only_the_output_is_unknown() {
        for (input, outputs) in [
            (Bytes, [Bytes, Unit, Signed, ImageNet]),
            (Unit, [Unit, Bytes, Signed, ImageNet]),
            (Signed, [Signed, Bytes, Unit, ImageNet]),
            (ImageNet, [Bytes, Unit, Signed, ImageNet]),
            (Caffe, [Bytes, Unit, Signed, ImageNet]),
        ] {
            let wanted = outputs.map(|output| (input, output, Rgb));
            assert_eq!(offered(Some(input), None, None), wanted);
        }
    }

    #[test]
    fn inputs_are_offered_if_only_the_input_is_unknown() {
        for (output, inputs) in [
            (Bytes, [Bytes, ImageNet, Unit, Signed]),
            (Unit, [Unit, Bytes, Signed, ImageNet]),
            (Signed, [Signed, Bytes, Unit, ImageNet]),
        ] {
            let wanted = inputs.map(|input| (input, output, Bgr));
            assert_eq!(offered(None, Some(output), Some(Bgr)), wanted);
        }
    }

    #[test]
    fn both_orders_are_offered_if_only_the_order_is_unknown() {
        assert_eq!(
            offered(Some(ImageNet), Some(Unit), None),
            [(ImageNet, Unit, Rgb), (ImageNet, Unit, Bgr)]
        );
        assert_eq!(offered(Some(Unit), Some(Unit), Some(Bgr)), [(Unit, Unit, Bgr)]);
    }

    #[test]
    fn readings_are_few_different_and_keep_what_is_known() {
        let ranges: Vec<Option<PixelRange>> =
            std::iter::once(None).chain(PixelRange::ALL.iter().copied().map(Some)).collect();
        for &input in &ranges {
            for &output in &ranges {
                for order in [None, Some(Rgb), Some(Bgr)] {
                    let known = PixelChoice { input, output, order };
                    let formats = likely_formats(known);
                    assert!((1..=MOST).contains(&formats.len()), "{known:?}");
                    for (place, format) in formats.iter().enumerate() {
                        assert!(!formats[..place].contains(format), "{known:?}");
                        assert_eq!(format.input, input.unwrap_or(format.input));
                        assert_eq!(format.output, output.unwrap_or(format.output));
                        assert_eq!(format.order, order.unwrap_or(format.order));
                    }
                }
            }
        }
    }
}
