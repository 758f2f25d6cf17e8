//! All implementations of attention, and the network for any style picture, compared with the oracle.

use std::{sync::Arc, thread};

use backend::Backend;
use engine::style_picture;
use libtest_mimic::Failed;
use measure::verify::{self, Subject};
use network::models::vit::{Spec, Transformer};
use values::{
    frame::Frame,
    mode::{AttentionChoice, AttentionKernel, Mode, Precision, Variant},
};
use weights::StyleNetwork;

use super::{
    general::{Truth, judged},
    general_graphs::{Case, attention_case, far_attention_case, modes, sampled_attention_cases},
    shipped::waves,
};

/// Rows and columns of photos whose tokens fill tiles completely, partly, or not at all: 1 to 1024 tokens.
const SIZES: [(usize, usize); 6] = [(1, 1), (1, 7), (8, 8), (5, 13), (1, 257), (32, 32)];
/// Rows and columns of the map that a photo's tokens attend to, if it is not their own.
const OTHER_SIZES: [(usize, usize); 6] = [(3, 3), (8, 8), (1, 1), (9, 31), (5, 13), (1, 7)];
/// Heads and channels of each, and rows and columns of photos and of the map that they attend to; every multiprocessor
/// of a large GPU gets some of them.
const LARGE: [Large; 4] = [
    ((4, 64), (48, 49), None),
    ((3, 128), (40, 39), None),
    ((4, 64), (48, 49), Some([33, 32])),
    ((3, 128), (40, 39), Some([9, 31])),
];
type Large = ((usize, usize), (usize, usize), Option<[usize; 2]>);
/// Rows and columns of the longest sequences, 32,768 tokens, and of short ones that attend to them or are attended to.
const LONG: (usize, usize) = (128, 256);
const SHORT: (usize, usize) = (8, 8);
/// Number of oracle runs in parallel.
const ORACLES: usize = 12;

/// Every implementation, for heads of every size that has a kernel, with one head and several, attending to their own
/// map and to another.
pub fn attention_is_right_in_every_way(backend: &dyn Backend) -> Result<(), Failed> {
    let mut cases = Vec::new();
    for head_size in [32, 64, 128] {
        for heads in [1, 3] {
            for (size, other) in SIZES.into_iter().zip(OTHER_SIZES) {
                // The oracle takes too long for the largest.
                if size.0 * size.1 > 1000 && head_size * heads > 200 {
                    continue;
                }
                cases.extend([None, Some(other)].map(|other| {
                    attention_case((heads, head_size), size, other.map(|(h, w)| [h, w]))
                }));
            }
        }
    }
    // As many tokens as Hopper's own kernels require.
    cases.extend(LARGE.map(|(heads, size, other)| attention_case(heads, size, other)));
    judged_in_every_way(backend, &cases)
}

/// Every implementation of attention, for a few to 32,768 tokens that attend to a few, and the reverse.
pub fn attention_of_long_sequences_is_right(backend: &dyn Backend) -> Result<(), Failed> {
    let pixels = |(height, width): (usize, usize)| [height, width];
    let cases: Vec<Case> = [32, 64, 128]
        .into_iter()
        .flat_map(|head_size| {
            [(SHORT, LONG), (LONG, SHORT)]
                .map(|(size, other)| far_attention_case(head_size, size, pixels(other)))
        })
        .collect();
    judged_in_every_way(backend, &cases)
}

/// 32,768 tokens that attend to each other; the oracle computes a sample of them.
pub fn attention_of_a_long_sequence_to_itself_is_right(
    backend: &dyn Backend,
) -> Result<(), Failed> {
    let mut wrong = Vec::new();
    for head_size in [32, 64, 128] {
        let [whole, seen] = sampled_attention_cases(head_size, LONG, [SHORT.0, SHORT.1]);
        let truth = truths(std::slice::from_ref(&seen))?;
        for way in [AttentionKernel::Online, AttentionKernel::Flash] {
            for precision in [Precision::Fp32, Precision::Fp16] {
                let mode = Mode::new(Variant::Fused, precision)
                    .with_attention(AttentionChoice::Fixed(way));
                match judged(backend, &whole, mode, &truth[0]) {
                    Ok(line) => println!("{}, {mode}: {line}", whole.name),
                    Err(error) => wrong.push(format!("{}, {mode}: {error}", whole.name)),
                }
            }
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n").into()),
    }
}

/// The oracle's results for the cases, several in parallel.
fn truths(cases: &[Case]) -> Result<Vec<Truth>, Failed> {
    let mut judgements: Vec<Truth> = Vec::new();
    for some in cases.chunks(ORACLES) {
        let together = thread::scope(|scope| {
            let threads: Vec<_> =
                (some.iter()).map(|case| scope.spawn(move || Truth::of(case))).collect();
            threads.into_iter().map(|thread| thread.join()).collect::<Result<Vec<_>, _>>()
        });
        judgements.extend(together.map_err(|_| "the oracle failed")?);
    }
    Ok(judgements)
}

/// Compares cases with the oracle, in every implementation of attention and every mode.
fn judged_in_every_way(backend: &dyn Backend, cases: &[Case]) -> Result<(), Failed> {
    let judgements = truths(cases)?;
    let (mut count, mut wrong) = (0, Vec::new());
    for &way in AttentionKernel::ALL {
        for (case, truth) in cases.iter().zip(&judgements) {
            for mode in modes() {
                count += 1;
                let mode = mode.with_attention(AttentionChoice::Fixed(way));
                if let Err(error) = judged(backend, case, mode, truth) {
                    wrong.push(format!("{}, {mode}: {error}", case.name));
                }
            }
        }
    }
    println!("{count} runs, {} wrong", wrong.len());
    if wrong.is_empty() {
        Ok(())
    } else {
        wrong.truncate(60);
        Err(wrong.join("\n").into())
    }
}

/// The embedded network in the style of a picture, checked by the limits for pictures.
pub fn any_style_picture_is_right(backend: &dyn Backend) -> Result<(), Failed> {
    let picture = waves(96, 80, 7);
    let transformer = &StyleNetwork::built_in()?.transformer;
    let code = style_picture::code_of(transformer, &picture)?;
    let network = style_picture::network_of(transformer, &[(&code, 1.0)])?;
    let photo = |width: usize, height: usize| -> (String, Frame) {
        (format!("{width}x{height}"), waves(width, height, 3))
    };
    let subject = Subject {
        name: "any".to_owned(),
        network: Arc::clone(&network),
        pictures: vec![photo(64, 48), photo(160, 128), photo(107, 83)],
    };
    verified(backend, &[subject], &modes().collect::<Vec<_>>(), 2)
}

/// The plain networks with random weights in the style of a picture, checked by the limits for pictures.
pub fn plain_networks_are_right(backend: &dyn Backend) -> Result<(), Failed> {
    let modes: Vec<Mode> = modes()
        .filter(|mode| matches!(mode.precision, Precision::Fp32 | Precision::Fp16))
        .collect();
    let mut subjects = Vec::new();
    for (name, _, spec) in Spec::plain_ones() {
        let transformer = Transformer::made_up(spec)?;
        let code = style_picture::code_of(&transformer, &waves(96, 80, 7))?;
        subjects.push(Subject {
            name: name.to_owned(),
            network: style_picture::network_of(&transformer, &[(&code, 1.0)])?,
            pictures: vec![("96x64".to_owned(), waves(96, 64, 3))],
        });
    }
    verified(backend, &subjects, &modes, 1)
}

/// Checks every subject in these modes and prints its difference from the oracle.
fn verified(
    backend: &dyn Backend,
    subjects: &[Subject],
    modes: &[Mode],
    batch: usize,
) -> Result<(), Failed> {
    let (mut lines, mut is_wrong) = (Vec::new(), false);
    for subject in subjects {
        verify::verify(backend, subject, modes, batch, |verdict| {
            is_wrong |= !verdict.passed;
            lines.push(format!(
                "{} {} {}: largest {}, {:.1} dB, worst map {} {:.1e} {}",
                verdict.network,
                verdict.picture,
                verdict.mode,
                verdict.largest_levels,
                verdict.psnr_db,
                verdict.worst_norm,
                verdict.worst_relative_rms,
                verdict.failure.unwrap_or_default()
            ));
        })?;
    }
    println!("{}", lines.join("\n"));
    match is_wrong {
        false => Ok(()),
        true => Err(lines.join("\n").into()),
    }
}
