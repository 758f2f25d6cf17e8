//! Folds the operations around a convolution into its weights, for launches that compute them together.

use std::borrow::Cow;

use network::{NodeWeights, Weights};

/// The weights of the convolution `name`, including the affine steps before and after it. The convolution's input is
/// multiplied by `scale`. A layer norm's scale and shift are such a step.
pub fn folded<'w>(
    (name, in_channels): (&str, usize),
    affine: [Option<&str>; 2],
    scale: f32,
    all: &'w Weights,
) -> Cow<'w, NodeWeights> {
    let own = all.of(name);
    if affine == [None, None] && scale == 1.0 {
        return Cow::Borrowed(own);
    }
    let [before, after] = affine.map(|name| name.map(|name| all.of(name)));
    let row_len = own.weight.len() / own.bias.len().max(1);
    let taps = row_len / in_channels;
    let mut folded = own.clone();
    let rows = folded.weight.chunks_exact_mut(row_len);
    for ((output, row), bias) in rows.enumerate().zip(&mut folded.bias) {
        let mut sum = f64::from(*bias);
        for (input, kernel) in row.chunks_exact_mut(taps).enumerate() {
            let [by, plus] = before.map_or([1.0, 0.0], |own| [own.weight[input], own.bias[input]]);
            for weight in kernel {
                sum += f64::from(*weight) * f64::from(plus);
                *weight *= by / scale;
            }
        }
        if let Some(after) = after {
            let scale = after.weight[output];
            row.iter_mut().for_each(|weight| *weight *= scale);
            sum = sum * f64::from(scale) + f64::from(after.bias[output]);
        }
        *bias = sum as f32;
    }
    Cow::Owned(folded)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    /// Compares a convolution of two channels with an affine step on either side, as three steps and as one.
    #[test]
    fn one_step_is_what_three_are() {
        let own = |weight: &[f32], bias: &[f32]| NodeWeights {
            weight: weight.to_vec(),
            bias: bias.to_vec(),
        };
        let all: Weights = [
            ("conv", own(&[1.0, 2.0, -3.0, 0.5], &[0.25, -1.0])),
            ("before", own(&[2.0, -1.0], &[3.0, 0.5])),
            ("after", own(&[4.0, 0.5], &[-2.0, 1.0])),
        ]
        .map(|(name, own)| (name.to_owned(), own))
        .into_iter()
        .collect();
        let pixel = [5.0f32, -7.0];
        let linear = |own: &NodeWeights, v: [f32; 2]| {
            [0, 1].map(|o| own.bias[o] + own.weight[2 * o] * v[0] + own.weight[2 * o + 1] * v[1])
        };
        let affine =
            |own: &NodeWeights, v: [f32; 2]| [0, 1].map(|c| v[c] * own.weight[c] + own.bias[c]);
        let [before, after] = ["before", "after"].map(|name| all.of(name));
        let by_steps = affine(after, linear(all.of("conv"), affine(before, pixel)));
        let both = ["before", "after"].map(Some);
        // The input values are multiplied by one half.
        let scale = 0.5;
        let at_once = linear(&folded(("conv", 2), both, scale, &all), pixel.map(|v| v * scale));
        assert_eq!(at_once, by_steps);
        let none = [None, None];
        assert_eq!(
            linear(&folded(("conv", 2), none, scale, &all), pixel.map(|v| v * scale)),
            linear(all.of("conv"), pixel)
        );
        assert!(matches!(folded(("conv", 2), none, 1.0, &all), Cow::Borrowed(_)));
    }
}
