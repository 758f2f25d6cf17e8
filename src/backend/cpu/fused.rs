//! The fused variant: runs a whole layer, with tasks of rows or tiles in parallel.

use super::{
    gather::{Input, MapInput, PhotoInput},
    pack::Packed,
    rows::{Output, PictureOutput, RowConv},
    session::{CpuSession, PictureTarget, Progress, Shared},
    statistics::{self, merged_extremes, part_len},
    winograd::{RawMap, photo::PhotoConv, picture::PictureConv, tiles::WinogradConv},
};
use crate::{
    plan::cpu::{Algorithm, Blocks, Gather, Staging, strip_rows},
    quantisation::InputRange,
};

impl CpuSession {
    /// The input of a fused layer.
    fn input(&self, base: Shared, photo: &[u8], gather: Gather) -> Input {
        let (height, width) = self.plan.extended;
        let map_input = |map: usize, conv: usize, skip: Option<usize>, keep: Option<usize>| {
            let m = &self.plan.maps[map];
            let is_alike =
                |id: Option<usize>| id.is_none_or(|id| self.plan.maps[id].len() == m.len());
            let norm = &self.norms[conv];
            assert!(
                norm.scale.len().min(norm.shift.len()) >= m.stored_channels,
                "a norm's channels"
            );
            assert!(is_alike(skip) && is_alike(keep), "maps of one size");
            let start = |id: usize| base.start.wrapping_add(self.plan.maps[id].offset);
            Input::Map(MapInput {
                raw: start(map),
                scale: norm.scale.as_ptr(),
                shift: norm.shift.as_ptr(),
                skip: skip.map_or(std::ptr::null(), |id| start(id).cast_const()),
                keep: keep.map_or(std::ptr::null_mut(), start),
                height: m.shape.height,
                width: m.shape.width,
                channels: m.stored_channels,
            })
        };
        match gather {
            Gather::Photo => {
                assert!(photo.len() == 4 * height * width, "a photo of another size");
                Input::Photo(PhotoInput { rgba: photo.as_ptr(), height, width })
            }
            Gather::NormRelu { map, conv, keep } => map_input(map, conv, None, keep),
            Gather::NormAdd { map, conv, skip, keep } => map_input(map, conv, Some(skip), keep),
        }
    }

    /// The range of the values that a layer reads in this picture; `None` for the photo, whose levels are bytes.
    fn range(
        &mut self,
        input: &Input,
        gather: Gather,
        progress: &Progress<'_>,
    ) -> Option<InputRange> {
        let Input::Map(map) = input else { return None };
        if let Gather::NormRelu { conv, .. } = gather {
            let extremes = self.norms[conv].extremes.iter();
            let rectified = extremes.map(|&(low, high)| (low.max(0.0), high.max(0.0)));
            return Some(InputRange::between(rectified));
        }
        // The extremes of a sum do not follow from the extremes of its terms.
        let strip = strip_rows(map.height);
        let tasks = map.height.div_ceil(strip);
        let len = 2 * map.channels;
        let mut parts = std::mem::take(&mut self.parts);
        parts.resize(parts.len().max(tasks * len), 0.0);
        let (shared, kernels) = (Shared::of(&mut parts), self.kernels);
        self.for_each_task(tasks, progress, |task, _| {
            let rows = task * strip..((task + 1) * strip).min(map.height);
            // SAFETY: the set was chosen for this CPU; nothing writes the maps; every task has its own part.
            unsafe { (kernels.extremes_of_rows)(map, rows, shared.slice_mut(task * len, len)) }
        });
        let all = (parts[..tasks * len].chunks_exact(len)).map(|part| part.split_at(map.channels));
        let range = InputRange::between(merged_extremes(all, map.channels).into_iter());
        self.parts = parts;
        Some(range)
    }

    /// Runs a whole layer: gather, convolution, statistics.
    #[allow(clippy::too_many_arguments)] // The run's state and the operation's three parts.
    pub(super) fn fused(
        &mut self,
        base: Shared,
        photo: &[u8],
        target: PictureTarget,
        progress: &Progress<'_>,
        conv: usize,
        (algorithm, gather): (Algorithm, Gather),
        to: Option<usize>,
    ) {
        let input = self.input(base, photo, gather);
        let has_extremes = matches!(self.weights[conv].packed, Packed::Bytes(_));
        let range = match has_extremes {
            true => self.range(&input, gather, &progress.before()),
            false => None,
        };
        if let (Some(range), Packed::Bytes(weights)) = (range, &mut self.weights[conv].packed) {
            weights.fit(range);
        }
        let spec = &self.plan.convs[conv];
        let kernels = self.kernels;
        let channels = to.map_or(0, |id| self.plan.maps[id].stored_channels);
        let mut parts = std::mem::take(&mut self.parts);
        let weights = &self.weights[conv].packed;
        let size_of = |id: usize| {
            let shape = self.plan.maps[id].shape;
            (shape.height, shape.width)
        };
        let mut bias: [f32; 3] = std::array::from_fn(|c| self.weights[conv].bias[c]);
        if let Packed::Bytes(weights) = weights {
            (bias.iter_mut().zip(&weights.constant)).for_each(|(b, c)| *b += c);
        }
        let picture =
            PictureOutput { rgba: target.rgba, floats: target.floats, bias, size: self.plan.photo };
        let map = to.map(|id| RawMap {
            raw: base.start.wrapping_add(self.plan.maps[id].offset),
            size: size_of(id),
            channels,
            parts: std::ptr::null_mut(),
        });
        let mut statistics_of = |tasks: usize| {
            let len = tasks * part_len(channels, has_extremes);
            parts.resize(parts.len().max(len), 0.0);
            parts.as_mut_ptr()
        };
        let tasks;
        match (algorithm, weights, input, map, Blocks::of(spec)) {
            (
                Algorithm::Winograd(kind),
                Packed::Single(panels),
                Input::Map(input),
                Some(output),
                _,
            ) => {
                let mut layer = WinogradConv { input, kind, panels, output };
                tasks = layer.tasks();
                layer.output.parts = statistics_of(tasks);
                let layer = &layer;
                self.for_each_task(tasks, progress, |task, scratch| {
                    // SAFETY: the set was chosen for this CPU, pointers come from this session's plan, and every task
                    // index runs once.
                    unsafe { (kernels.winograd)(layer, task, scratch) }
                });
            }
            (
                Algorithm::BlockedWinograd,
                Packed::Single(panels),
                Input::Photo(photo),
                Some(output),
                Some(blocks),
            ) => {
                let mut layer = PhotoConv { photo, blocks, panels, output };
                tasks = layer.tasks();
                layer.output.parts = statistics_of(tasks);
                let layer = &layer;
                self.for_each_task(tasks, progress, |task, scratch| {
                    // SAFETY: as above.
                    unsafe { (kernels.photo)(layer, task, scratch) }
                });
            }
            (
                Algorithm::BlockedWinograd,
                Packed::Single(panels),
                Input::Map(input),
                None,
                Some(blocks),
            ) => {
                let layer = &PictureConv {
                    input,
                    blocks,
                    panels,
                    output: picture,
                    threads: self.threads(),
                };
                tasks = layer.tasks();
                self.for_each_task(tasks, progress, |task, scratch| {
                    // SAFETY: as above.
                    unsafe { (kernels.picture)(layer, task, scratch) }
                });
            }
            _ => {
                let grid = match (map, algorithm) {
                    (None, _) => picture.size,
                    (Some(_), Algorithm::FourPhase) => input.size(),
                    (Some(map), _) => map.size,
                };
                let mut layer = RowConv {
                    input,
                    algorithm,
                    kernel: spec.kernel,
                    stride: spec.stride,
                    upsample: spec.upsample,
                    staging: Staging::of(spec, algorithm, self.plan.variant),
                    weights,
                    grid,
                    output: Output::Picture(picture),
                };
                tasks = layer.tasks();
                if let Some(map) = map {
                    layer.output =
                        Output::Map { raw: map.raw, channels, parts: statistics_of(tasks) };
                }
                let layer = &layer;
                self.for_each_task(tasks, progress, |task, scratch| {
                    // SAFETY: as above.
                    unsafe { (kernels.row_conv)(layer, task, scratch) }
                });
            }
        }
        if let Some(norm) = &self.weights[conv].norm {
            let used = &parts[..tasks * part_len(channels, has_extremes)];
            statistics::finish(used, (channels, has_extremes), norm, &mut self.norms[conv]);
        }
        self.parts = parts;
    }
}
