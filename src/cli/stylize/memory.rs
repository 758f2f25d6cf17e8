//! Memory of photos that are open together. A photo is never painted smaller to make room for others.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Closed, Opened, Run, failed, format_for};
use crate::{
    cli::{CliError, job::Target},
    engine::paint::{PROGRAM_BYTES, PaintError, PaintSettings, frame_bytes},
    lock::lock,
    media::{decode::Photo, encode, memory},
};

/// Bytes of the photos that several threads have open together, while GPUs paint them.
pub(super) struct OpenBytes {
    limit: u64,
    held: Mutex<u64>,
    freed: Condvar,
}

impl OpenBytes {
    /// Without a limit, for a single thread.
    pub(super) fn unlimited() -> Arc<Self> {
        Self::within(u64::MAX)
    }

    /// Up to half of the free memory.
    pub(super) fn of_free_memory() -> Arc<Self> {
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
    pub(super) fn reserve(self: &Arc<Self>, bytes: u64, waits: bool) -> Option<Reserved> {
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
pub(super) struct Reserved {
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
pub(super) fn open_bytes(closed: &Closed<'_>) -> u64 {
    let frame = frame_bytes(closed.needs.width, closed.needs.height);
    closed.bytes.len() as u64 + closed.needs.bytes + 3 * frame
}

/// Bytes that the open photos occupy.
pub(super) fn held_bytes(opened: &[Opened<'_>]) -> u64 {
    let bytes = |photo: &Opened<'_>| {
        let (width, height) = photo.size();
        frame_bytes(width, height) + photo.file_bytes()
    };
    opened.iter().map(bytes).sum()
}

/// Maximum memory that writing a result of `pixels` pixels takes in addition to the result itself.
fn saving_bytes(photo: &Photo, target: &Target, pixels: usize, given_away: bool) -> u64 {
    let pixels = pixels as u64;
    let encoding = encode::encoding_bytes(format_for(photo, target), pixels, given_away);
    match target {
        Target::File(..) => encoding,
        // For standard output the whole file is built in memory; it is no larger than the picture.
        Target::Stdout(_) => encoding + 4 * pixels,
    }
}

impl Run<'_> {
    /// Whether another photo fits into the memory limit together with the open ones.
    pub(super) fn fits_beside(&self, opened: &[Opened<'_>], closed: &Closed<'_>) -> bool {
        let limit = self.painters.with(|painter| painter.program_limit_bytes(self.job.paint));
        let Some(limit) = limit else {
            return true;
        };
        let size = (closed.needs.width, closed.needs.height);
        let working = |(width, height)| {
            let (width, height) = self.job.paint.working_size.resolve(width, height);
            2 * frame_bytes(width, height)
        };
        let sizes: Vec<_> = opened.iter().map(Opened::size).collect();
        let all: u64 = sizes.iter().copied().map(working).sum();
        let held = held_bytes(opened) + all;
        let reading = PROGRAM_BYTES + held + closed.bytes.len() as u64 + closed.needs.bytes;
        reading <= limit
            && self.styles.iter().all(|style| {
                sizes.iter().chain([&size]).all(|&(width, height)| {
                    let own = frame_bytes(width, height) + working((width, height));
                    let beside = frame_bytes(size.0, size.1) + working(size);
                    let settings = PaintSettings {
                        held_bytes: (held + beside).saturating_sub(own),
                        ..self.job.paint
                    };
                    self.painters.with(|painter| {
                        painter.fits_as_requested(&style.network, (width, height), settings)
                    })
                })
            })
    }

    /// The settings for photos that are open together: the memory that the others occupy and that saving needs.
    pub(super) fn settings(&self, opened: &[Opened<'_>]) -> PaintSettings {
        let job = self.job;
        let resolved = |(width, height)| job.paint.working_size.resolve(width, height);
        let own = |photo: &Opened<'_>| {
            let (width, height) = photo.size();
            let working = resolved((width, height));
            frame_bytes(width, height) + 2 * frame_bytes(working.0, working.1)
        };
        let files: u64 = opened.iter().map(Opened::file_bytes).sum();
        let all: u64 = opened.iter().map(own).sum();
        let saving = |photo: &Opened<'_>| {
            let size = photo.size();
            let (width, height) = job.output_size.resolve(size, resolved(size));
            // In addition to the painting at the photo's size, which is counted where it is created.
            let enlarged = frame_bytes(width, height).saturating_sub(frame_bytes(size.0, size.1));
            let saving =
                |target| 2 * enlarged + saving_bytes(&photo.photo, target, width * height, true);
            photo.targets.iter().flatten().map(|&t| saving(t)).max()
        };
        PaintSettings {
            held_bytes: files + all - opened.iter().map(own).min().unwrap_or(0),
            saving_bytes: opened.iter().filter_map(saving).max().unwrap_or(0),
            ..job.paint
        }
    }

    /// Checks that a photo can be written unpainted within the memory limit. Small photos need no check.
    pub(super) fn check_copy(
        &self,
        opened: &Opened<'_>,
        target: &Target,
        settings: PaintSettings,
    ) -> Result<(), CliError> {
        let (width, height) = opened.size();
        let deep = if settings.is_deep { 4 * frame_bytes(width, height) } else { 0 };
        let copy = saving_bytes(&opened.photo, target, width * height, false) + deep;
        let needed = PROGRAM_BYTES + settings.held_bytes + frame_bytes(width, height) + copy;
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
