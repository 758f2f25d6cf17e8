//! Memory of photos that are open together. A photo is never painted smaller to make room for others.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Closed, Opened, Run, failed, format_for};
use crate::{CliError, job::Target};
use engine::paint::{PROGRAM_BYTES, PaintError, PaintSettings, frame_bytes};
use pictures::{decode::Photo, encode, memory};
use values::lock::lock;

/// Bytes of the photos that several threads have open together, while GPUs paint them.
pub struct OpenBytes {
    limit: u64,
    held: Mutex<u64>,
    freed: Condvar,
}

impl OpenBytes {
    /// Without a limit, for a single thread.
    pub fn unlimited() -> Arc<Self> {
        Self::within(u64::MAX)
    }

    /// Up to half of the free memory.
    pub fn of_free_memory() -> Arc<Self> {
        Self::within(memory::available_bytes().map_or(u64::MAX, |free| free / 2))
    }

    fn within(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, held: Mutex::default(), freed: Condvar::new() })
    }

    fn held(&self) -> MutexGuard<'_, u64> {
        lock(&self.held)
    }

    /// Reserves the bytes of a photo; `None` if they do not fit next to the open photos. With `waits`, waits until they
    /// fit or no photo is open; the thread must have no other photo open then.
    pub fn reserve(self: &Arc<Self>, bytes: u64, waits: bool) -> Option<Reserved> {
        let lacks = |held: u64| held > 0 && held.saturating_add(bytes) > self.limit;
        let mut held = self.held();
        while lacks(*held) {
            if !waits {
                return None;
            }
            held = self.freed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        *held = held.saturating_add(bytes);
        Some(Reserved { of: self.clone(), bytes })
    }
}

/// The bytes of an open photo, until it is dropped.
pub struct Reserved {
    of: Arc<OpenBytes>,
    bytes: u64,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut held = self.of.held();
        *held = held.saturating_sub(self.bytes);
        self.of.freed.notify_all();
    }
}

/// Bytes that a photo takes while it is decoded, painted and encoded.
pub fn open_bytes(closed: &Closed<'_>) -> u64 {
    closed.bytes.len() as u64 + closed.needs.bytes + 3 * frame_bytes(closed.size())
}

/// Bytes that the open photos occupy.
pub fn held_bytes(opened: &[Opened<'_>]) -> u64 {
    opened.iter().map(|photo| frame_bytes(photo.size()) + photo.file_bytes()).sum()
}

/// Maximum memory that writing a result of `pixels` pixels takes in addition to the result itself.
fn saving_bytes(photo: &Photo, target: &Target, pixels: usize, given_away: bool) -> u64 {
    let pixels = pixels as u64;
    // For standard output the whole file is built in memory; it is no larger than the picture.
    let file = if target.file.is_none() { 4 * pixels } else { 0 };
    file + encode::encoding_bytes(format_for(photo, target), pixels, given_away)
}

impl Run<'_> {
    /// Columns and rows at which a photo of this size is painted if the memory suffices.
    fn requested_size(&self, (width, height): (usize, usize)) -> (usize, usize) {
        self.job.paint.working_size.resolve(width, height)
    }

    /// Bytes of the pictures of a photo of this size while it is painted: the photo, and the network's input and output.
    fn painting_bytes(&self, size: (usize, usize)) -> u64 {
        frame_bytes(size) + 2 * frame_bytes(self.requested_size(size))
    }

    /// True if another photo fits into the memory limit together with the open ones.
    pub fn fits_with(&self, opened: &[Opened<'_>], closed: &Closed<'_>) -> bool {
        let limit = self.painters.with(|painter| painter.program_limit_bytes(self.job.paint));
        let Some(limit) = limit else {
            return true;
        };
        let mut sizes: Vec<_> = opened.iter().map(Opened::size).collect();
        let files: u64 = opened.iter().map(Opened::file_bytes).sum();
        let open: u64 = sizes.iter().map(|&size| self.painting_bytes(size)).sum();
        let reading = PROGRAM_BYTES + files + open + closed.bytes.len() as u64 + closed.needs.bytes;
        sizes.push(closed.size());
        let held = files + open + self.painting_bytes(closed.size());
        reading <= limit
            && self.styles.iter().all(|style| {
                sizes.iter().all(|&size| {
                    let held_bytes = held.saturating_sub(self.painting_bytes(size));
                    let settings = PaintSettings { held_bytes, ..self.job.paint };
                    self.painters
                        .with(|painter| painter.fits_as_requested(&style.network, size, settings))
                })
            })
    }

    /// The settings for photos that are open together: the memory that the others occupy and that saving needs.
    pub fn settings(&self, opened: &[Opened<'_>]) -> PaintSettings {
        let job = self.job;
        let own = || opened.iter().map(|photo| self.painting_bytes(photo.size()));
        let files: u64 = opened.iter().map(Opened::file_bytes).sum();
        let saving = |photo: &Opened<'_>| {
            let size = photo.size();
            let result @ (width, height) =
                job.args.output_size.resolve(size, self.requested_size(size));
            // In addition to the painting at the photo's size, which is counted when it is created.
            let enlarged = frame_bytes(result).saturating_sub(frame_bytes(size));
            let saving =
                |target| 2 * enlarged + saving_bytes(&photo.photo, target, width * height, true);
            photo.targets.iter().flatten().map(|&t| saving(t)).max()
        };
        PaintSettings {
            held_bytes: files + own().sum::<u64>() - own().min().unwrap_or(0),
            saving_bytes: opened.iter().filter_map(saving).max().unwrap_or(0),
            ..job.paint
        }
    }

    /// Checks that a photo can be written unpainted within the memory limit. Small photos need no check.
    pub fn check_copy(
        &self,
        opened: &Opened<'_>,
        target: &Target,
        settings: PaintSettings,
    ) -> Result<(), CliError> {
        let own = frame_bytes(opened.size());
        let deep = if settings.is_deep { 4 * own } else { 0 };
        let pixels = opened.photo.frame.pixel_count();
        let copy = saving_bytes(&opened.photo, target, pixels, false) + deep;
        let needed = PROGRAM_BYTES + settings.held_bytes + own + copy;
        match self.painters.with(|painter| painter.program_limit_bytes(settings)) {
            Some(limit) if needed > limit && copy > PROGRAM_BYTES => {
                let error = PaintError::MemoryLimit {
                    needed_mb: needed.div_ceil(1_000_000),
                    limit_mb: limit / 1_000_000,
                };
                Err(failed(&opened.photo, &error))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn open_photos_stay_within_the_limit() {
        let open = OpenBytes::within(100);
        let first = open.reserve(60, true).expect("nothing is open");
        assert!(open.reserve(60, false).is_none());
        let second = open.reserve(40, false).expect("it fits");
        thread::scope(|scope| {
            // It fits only after both are closed; alone it may exceed the limit.
            let large = scope.spawn(|| open.reserve(500, true).map(|large| large.bytes));
            drop(first);
            drop(second);
            assert_eq!(large.join().expect("no panic"), Some(500));
        });
        assert_eq!(*open.held(), 0);
    }
}
