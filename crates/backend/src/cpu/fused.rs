//! The fused variant: runs a whole layer, with tasks of rows or tiles in parallel.

use super::{
    gather::{Input, MapInput, PhotoInput},
    general::run::Run,
    pack::Packed,
    rows::{Output, PictureOutput, RowConv},
    session::{CpuSession, Progress},
    shared::Shared,
    statistics::{self, Extremes, merged_extremes, part_len},
    winograd::{RawMap, photo::PhotoConv, picture::PictureConv, tiles::WinogradConv},
};
use network::quantisation::InputRange;
use plan::{
    Source,
    cpu::{Algorithm, Blocks, MapId, Staging},
};

impl CpuSession {
    /// The input of a fused layer.
    fn input(&self, run: &Run<'_>, source: Source) -> Input {
        let Source::Normalised { map, conv, skip, keep, .. } = source else {
            let ((height, width), photo) = (self.plan.extended, run.input.photo);
            assert!(photo.len() == 4 * height * width, "a photo of another size");
            return Input::Photo(PhotoInput { rgba: photo.as_ptr(), height, width });
        };
        let m = &run.maps[map];
        let is_alike = |id: Option<MapId>| id.is_none_or(|id| run.maps[id].len() == m.len());
        let norm = &self.norms[conv];
        assert!(norm.scale.len().min(norm.shift.len()) >= m.stored_channels, "a norm's channels");
        assert!(is_alike(skip) && is_alike(keep), "maps of one size");
        let start_or_null = |id: Option<MapId>| id.map_or(std::ptr::null_mut(), |id| run.start(id));
        Input::Map(MapInput {
            raw: run.start(map),
            scale: norm.scale.as_ptr(),
            shift: norm.shift.as_ptr(),
            skip: start_or_null(skip),
            keep: start_or_null(keep),
            height: m.shape.height,
            width: m.shape.width,
            channels: m.stored_channels,
        })
    }

    /// The range of the values that a layer reads in this picture; `None` for the photo, whose levels are bytes.
    fn range(
        &mut self,
        input: &Input,
        source: Source,
        progress: &Progress<'_>,
    ) -> Option<InputRange> {
        let Input::Map(map) = input else { return None };
        if let Source::Normalised { conv, relu: true, .. } = source {
            let extremes = self.norms[conv].extremes.iter();
            let rectified = extremes.map(|&(low, high)| (low.max(0.0), high.max(0.0)));
            return Some(InputRange::between(rectified));
        }
        // The extremes of a sum do not follow from the extremes of its terms.
        let parts = Shared::of(&mut self.parts);
        let tasks = self.run_tasks(&Extremes { map, parts }, progress);
        let len = 2 * map.channels;
        let parts = self.parts[..tasks * len].chunks_exact(len);
        let all = parts.map(|part| part.split_at(map.channels));
        Some(InputRange::between(merged_extremes(all, map.channels).into_iter()))
    }

    /// Runs a whole layer: loading, convolution, statistics.
    pub fn fused(
        &mut self,
        run: &Run<'_>,
        progress: &Progress<'_>,
        conv: usize,
        (algorithm, source): (Algorithm, Source),
        to: Option<MapId>,
    ) {
        let input = self.input(run, source);
        let has_extremes = matches!(self.weights[conv].packed, Packed::Bytes(_));
        let range =
            if has_extremes { self.range(&input, source, &progress.before()) } else { None };
        if let (Some(range), Packed::Bytes(weights)) = (range, &mut self.weights[conv].packed) {
            weights.fit(range);
        }
        let parts = Shared::of(&mut self.parts);
        let spec = &self.plan.convs[conv];
        let weights = &self.weights[conv].packed;
        let mut bias: [f32; 3] = std::array::from_fn(|c| self.weights[conv].bias[c]);
        if let Packed::Bytes(weights) = weights {
            (bias.iter_mut().zip(&weights.constant)).for_each(|(b, c)| *b += c);
        }
        let picture = PictureOutput { bias, ..run.picture };
        let map = to.map(|id| {
            let map = run.maps[id];
            let (size, channels) = ((map.shape.height, map.shape.width), map.stored_channels);
            RawMap { raw: run.start(id), size, channels, parts }
        });
        let tasks = match (algorithm, weights, input, map, Blocks::of(spec)) {
            (
                Algorithm::Winograd(kind),
                Packed::Single(panels),
                Input::Map(input),
                Some(output),
                _,
            ) => self.run_tasks(&WinogradConv { input, kind, panels, output }, progress),
            (
                Algorithm::BlockedWinograd,
                Packed::Single(panels),
                Input::Photo(photo),
                Some(output),
                Some(blocks),
            ) => self.run_tasks(&PhotoConv { photo, blocks, panels, output }, progress),
            (
                Algorithm::BlockedWinograd,
                Packed::Single(panels),
                Input::Map(input),
                None,
                Some(blocks),
            ) => {
                let threads = self.threads();
                let layer = PictureConv { input, blocks, panels, output: picture, threads };
                self.run_tasks(&layer, progress)
            }
            _ => {
                let grid = match (map, algorithm) {
                    (None, _) => picture.size,
                    (Some(_), Algorithm::FourPhase) => input.size(),
                    (Some(map), _) => map.size,
                };
                let layer = RowConv {
                    input,
                    algorithm,
                    kernel: spec.kernel,
                    reach: spec.padding,
                    stride: spec.stride,
                    upsample: spec.upsample,
                    staging: Staging::of(spec, algorithm, self.plan.variant),
                    weights,
                    grid,
                    output: map.map_or(Output::Picture(picture), Output::Map),
                };
                self.run_tasks(&layer, progress)
            }
        };
        if let (Some(norm), Some(map)) = (&self.weights[conv].norm, map) {
            let used = &self.parts[..tasks * part_len(map.channels, has_extremes)];
            statistics::finish(used, (map.channels, has_extremes), norm, &mut self.norms[conv]);
        }
    }
}
