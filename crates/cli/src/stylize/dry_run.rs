//! What would be painted.

use std::path::Path;

use serde_json::{Value, json};

use super::Run;
use crate::{CliError, job::Target};
use engine::{
    film::{Film, RenderError, Share, check, estimate},
    network_choice::ChosenNetwork,
    paint::{PROGRAM_BYTES, PaintSettings},
};
use media::{
    film::Tools,
    record::{size_range, size_text},
};

impl Run<'_> {
    /// Prints what would be painted of the photos. Those that cannot be read are reported and counted; cancelling is the
    /// only error.
    pub fn plan_photos(&mut self, targets: &[Vec<Target>]) -> Result<(), CliError> {
        for (source, row) in self.job.sources.iter().zip(targets) {
            self.stop_if_cancelled()?;
            let Some(photo) = self.read(&source.input, row)? else { continue };
            let size = self.job.framing.size(photo.size());
            let working = self.job.paint.working_size.resolve(size.0, size.1);
            let (width, height) = self.job.args.output_size.resolve(size, working);
            let line = json!({ "width": width, "height": height });
            for target in photo.targets.iter().flatten() {
                let size = format!("{width}x{height}");
                let names = [photo.name.as_str(), &target.label];
                self.print_plan(names, target.path(), &size, line.clone());
            }
        }
        Ok(())
    }

    /// Prints what would be painted of a film.
    pub fn plan_film(
        &self,
        tools: &Tools,
        film: &Film<'_>,
        style: &ChosenNetwork,
        share: Share,
        settings: PaintSettings,
    ) -> Result<(), RenderError> {
        let outlook = check(tools, film, share.flow)?;
        let (size, [_, (width, height)]) = (film.framing.size(film.clip.size), film.sizes());
        let is_painted = film.stylization.look.strength_percent > 0;
        let memory_bytes = self.painters.with(|painter| {
            let held_bytes = share.needed_bytes - PROGRAM_BYTES;
            let settings = PaintSettings { held_bytes, ..settings };
            match painter.program_limit_bytes(settings).filter(|_| is_painted) {
                Some(_) => Ok(painter.needed_bytes(&style.network, size, settings)?),
                None => Ok(share.needed_bytes),
            }
        });
        let memory_bytes = memory_bytes.map_err(RenderError::Paint)?;
        let frames = film.frames();
        let estimate = estimate(tools, film, share.flow, &|frames, steadying| {
            self.paint_frames(frames, film, style, settings, steadying)
        })?;
        let codec =
            if film.container.is_animation() { film.container.name() } else { film.codec.title() };
        let count = frames.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string());
        let mut words = vec![format!("{count} frames of {width}x{height} in {codec}")];
        words.extend(estimate.map(|estimate| {
            format!("about {}, {}", estimate.time_text(), size_range(estimate.bytes))
        }));
        words.push(format!("{} of memory", size_text(memory_bytes)));
        self.progress.notes_on(&film.clip.name, &outlook.notes);
        let line = json!({
            "frames": frames, "width": width, "height": height, "codec": codec,
            "seconds": estimate.map(|estimate| estimate.seconds[1]),
            "min_seconds": estimate.map(|estimate| estimate.seconds[0]),
            "file_bytes": estimate.map(|estimate| estimate.bytes[1]),
            "min_file_bytes": estimate.map(|estimate| estimate.bytes[0]),
            "memory_bytes": memory_bytes,
        });
        let names = [film.clip.name.as_str(), &style.label];
        self.print_plan(names, film.output, &words.join(", "), line);
        Ok(())
    }

    /// Prints a line about an input that would be painted in a style.
    fn print_plan(&self, [name, style]: [&str; 2], output: &Path, words: &str, mut line: Value) {
        if !self.job.args.json && !self.job.args.quiet {
            // Failing to print it changes nothing.
            self.progress.print(format!("{name} -> {}: {words}", output.display())).ok();
        }
        line["status"] = "planned".into();
        self.print_line(name, style, output, line);
    }
}
