//! Paints the photos: on the CPU one after another, on GPUs by threads that share them.

use std::{
    iter,
    ops::{ControlFlow, Range},
};

use super::{Run, memory::OpenBytes};
use crate::{CliError, job::Target};
use engine::share_in_order;
use threads::processors;
use values::mode::DeviceChoice;

/// Maximum number of threads for each GPU. They read and write files while one of them paints.
pub const THREADS_PER_GPU: usize = 8;

impl Run<'_> {
    /// Paints every photo in every style. Files are reported in the order of the photos. Failures are reported and
    /// counted; cancelling is the only error.
    pub fn paint_photos(&mut self, targets: &[Vec<Target>]) -> Result<(), CliError> {
        let (job, devices) = (self.job, self.painters.count());
        let parts: Vec<_> = parts(job.sources.len(), job.args.batch, devices).collect();
        let kind = self.painters.with(|painter| painter.backend().device().kind);
        if kind == DeviceChoice::Cpu || parts.len() == 1 {
            return parts.into_iter().try_for_each(|part| {
                self.paint_sources(&job.sources[part.clone()], &targets[part])
            });
        }
        let threads = processors().clamp(devices, THREADS_PER_GPU * devices);
        let whole = Run { open_bytes: OpenBytes::of_free_memory(), ..self.of_part() };
        let control = self.control.clone();
        let paint = |part: Range<usize>| {
            let mut run = whole.of_part();
            let done = run.paint_sources(&job.sources[part.clone()], &targets[part]);
            (run, done)
        };
        let mut outcome = Ok(());
        // The lines of a part need little memory.
        share_in_order(threads, usize::from(u16::MAX), parts.into_iter(), paint, |(part, done)| {
            self.failures += part.failures;
            self.skipped += part.skipped;
            self.progress.print_all(part.progress);
            if outcome.is_ok() {
                outcome = done;
            }
            if outcome.is_ok() {
                return ControlFlow::Continue(());
            }
            control.cancel();
            ControlFlow::Break(())
        });
        outcome
    }

    /// A run for some of the photos, which another thread paints.
    fn of_part(&self) -> Self {
        Self {
            progress: self.progress.of_part(),
            control: self.control.clone(),
            noted: self.noted.clone(),
            open_bytes: self.open_bytes.clone(),
            failures: 0,
            skipped: 0,
            ..*self
        }
    }
}

/// Numbers of photos that are painted at once. At the end there are fewer in each, so that every device gets some.
fn parts(photos: usize, batch: usize, devices: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    iter::from_fn(move || {
        let part = start..start + batch.min((photos - start).div_ceil(devices));
        start = part.end;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        fs,
        path::Path,
        sync::{Arc, atomic::Ordering},
        thread,
        time::{Duration, Instant},
    };

    use clap::Parser;

    use super::*;
    use crate::fake::{FakeBackend, Script};
    use crate::{
        args::{Arguments, Command},
        job::Job,
        progress::{Line, Progress},
    };
    use engine::{
        network_choice::ChosenNetwork,
        paint::{Painter, Painters},
    };
    use network::models::johnson::NetworkSpec;
    use pictures::encode::{self, Encoding, Existing, Format};
    use values::frame::Frame;

    /// Paints the photos of a folder on this many GPUs, or on the CPU if 0. One GPU is lost after `lost_after` photos
    /// unless that is 0.
    /// Returns what was printed, and the numbers of paintings and failures.
    fn painted(
        (photos, output): (&Path, &Path),
        gpus: usize,
        lost_after: usize,
    ) -> (Vec<Line>, usize, usize) {
        let words = ["styleforge", "stylize", "--style", "any", "--batch", "3"]
            .map(Path::new)
            .into_iter()
            .chain([Path::new("-o"), output, photos]);
        let Some(Command::Stylize(args)) = Arguments::parse_from(words).command else {
            panic!("another command");
        };
        let job = Job::new(args, &[]).expect("a job");
        let network = NetworkSpec::with_widths([1, 1, 1]).random(1).expect("a valid shape");
        let styles = [ChosenNetwork {
            notes: vec!["a note about the style".to_owned()],
            ..ChosenNetwork::new("any".to_owned(), Arc::new(network))
        }];
        let labels = ["any".to_owned()];
        let kind = if gpus == 0 { DeviceChoice::Cpu } else { DeviceChoice::Cuda };
        let scripts: Vec<_> = (0..gpus.max(1)).map(|_| Arc::new(Script::default())).collect();
        let painter = |number: usize| {
            let script = &scripts[number];
            script.tells_memory.store(true, Ordering::SeqCst);
            let open = FakeBackend::opener_by_kind(script, DeviceChoice::Cuda);
            let backend = open(kind).expect("opened").backend;
            (number, Painter::new(backend, open))
        };
        let painters = Painters::new((0..scripts.len()).map(painter));
        let mut run = Run {
            job: &job,
            styles: &styles,
            painters: &painters,
            progress: Progress::new(0).of_part(),
            control: Arc::default(),
            failures: 0,
            skipped: 0,
            noted: Arc::default(),
            open_bytes: OpenBytes::unlimited(),
        };
        let (targets, _) = job.targets(&labels, &mut HashSet::new()).expect("targets");
        thread::scope(|scope| {
            if lost_after > 0 {
                // The other GPU waits for the loss, so that it cannot paint everything before.
                scripts[0].hold();
                scripts[1].lost_after.store(lost_after, Ordering::SeqCst);
                scope.spawn(|| {
                    let end = Instant::now() + Duration::from_secs(60);
                    while scripts[1].lost_after.load(Ordering::SeqCst) > 0 && Instant::now() < end {
                        thread::sleep(Duration::from_millis(1));
                    }
                    scripts[0].release();
                });
            }
            run.paint_photos(&targets).expect("painted");
        });
        let begun = run.progress.done();
        (run.progress.into_lines(), begun, run.failures)
    }

    #[test]
    fn gpus_paint_a_folder_as_the_cpu_does() {
        let here = tempfile::tempdir().expect("a folder");
        let photos = here.path().join("photos");
        fs::create_dir(&photos).expect("created");
        for number in 0..20 {
            let photo = Frame::from_fn(30, 20, |x, y| [x as u8, y as u8, number as u8, 255]);
            let path = photos.join(format!("{number:02}.png"));
            encode::save(&path, &photo, None, Encoding::of(Format::Png), Existing::Keep)
                .expect("saved");
        }
        fs::write(photos.join("07.png"), "rubbish").expect("written");
        let files = |folder: &Path| {
            (0..20)
                .map(|n| fs::read(folder.join(format!("{n:02}-any.png"))).ok())
                .collect::<Vec<_>>()
        };
        let one = here.path().join("one");
        let (expected, begun, failures) = painted((&photos, &one), 0, 0);
        assert_eq!((begun, failures), (20, 1));
        assert!(files(&one).iter().enumerate().all(|(n, file)| file.is_some() == (n != 7)));
        for (gpus, lost_after) in [(1, 0), (2, 0), (3, 0), (2, 4)] {
            let several = here.path().join(format!("{gpus} {lost_after}"));
            let (mut lines, begun, failures) = painted((&photos, &several), gpus, lost_after);
            assert_eq!((begun, failures), (20, 1));
            assert_eq!(files(&several), files(&one));
            let is_loss = |line: &mut Line| matches!(line, Line::Message(text) if text.contains("the other GPUs do its work"));
            assert_eq!(lines.extract_if(.., is_loss).count(), usize::from(lost_after > 0));
            // Messages may come before or after those of other photos; files are in order.
            let output = |lines: &[Line], folder: &Path| -> Vec<String> {
                let text = |line: &Line| match line {
                    Line::Output(text) => Some(text.replace(&*folder.to_string_lossy(), "")),
                    Line::Message(_) => None,
                };
                lines.iter().filter_map(text).collect()
            };
            assert_eq!(output(&lines, &several), output(&expected, &one));
            let mut messages = [&lines, &expected].map(|lines| {
                let is_message = |line: &&Line| matches!(line, Line::Message(_));
                lines.iter().filter(is_message).cloned().collect::<Vec<_>>()
            });
            messages.iter_mut().for_each(|lines| lines.sort());
            assert_eq!(messages[0], messages[1]);
        }
    }

    #[test]
    fn the_last_photos_are_for_all_devices() {
        let sizes = |photos, batch, devices| {
            let parts: Vec<_> = parts(photos, batch, devices).collect();
            assert!(parts.iter().cloned().flatten().eq(0..photos), "{parts:?}");
            parts.iter().map(Range::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(10, 4, 1), [4, 4, 2]);
        assert_eq!(sizes(20, 4, 4), [4, 4, 3, 3, 2, 1, 1, 1, 1]);
        assert_eq!(sizes(3, 1, 4), [1, 1, 1]);
        assert_eq!(sizes(0, 4, 2), [0; 0]);
    }
}
