//! Jobs in a caller's stream.

use super::*;
use backend::{ExternalJob, ExternalSession};

/// Queues jobs of every kind, and paints in between.
fn queued(session: &mut dyn Session, from: u64, to: u64) -> Result<(), BackendError> {
    let job = ExternalJob { from, to, is_exact: false, stream: 1, is_captured: false };
    let jobs = [
        job,
        ExternalJob { is_exact: true, ..job },
        ExternalJob { stream: 2, ..job },
        ExternalJob { stream: 3, is_captured: true, ..job },
    ];
    for job in jobs {
        let external: &mut dyn ExternalSession = session.external().expect("a device with streams");
        assert_eq!(external.photo_size(), photo().size());
        // SAFETY: the fake GPU checks the addresses.
        unsafe { external.queue(job)? };
    }
    session.paint(&photo(), &mut photo(), &RunControl::default())?;
    session.external().expect("a device with streams").finish()
}

#[test]
fn jobs_in_a_stream_of_the_caller_run_or_fail_cleanly_at_every_call() {
    for after in 0.. {
        let gpu = FakeGpu::new();
        let backend = gpu.backend().expect("a GPU");
        let (width, height) = photo().size();
        let spec = SessionSpec { batch: 2, ..SessionSpec::single(width, height, FUSED) };
        let mut session = backend.open(&network(), &spec).expect("a session");
        let [from, to] = [8, 24].map(|bytes| {
            backend.driver().allocate(bytes * width * height).expect("memory of the caller")
        });
        gpu.launched();
        gpu.fail_any(after, INVALID_VALUE);
        let run = queued(session.as_mut(), from.0, to.0);
        let (launched, is_done) = (gpu.launched(), gpu.is_armed());
        drop(session);
        backend.driver().free(from);
        backend.driver().free(to);
        drop(backend);
        assert_eq!(gpu.leaks(), [""; 0], "after {after} calls");
        if is_done {
            run.expect("nothing failed");
            let (one, rest) = launched.split_at(launched.len() / 5);
            assert!(
                !one.is_empty() && rest.chunks(one.len()).all(|other| other.len() == one.len())
            );
            assert_eq!(one, &rest[rest.len() - one.len()..], "painting launches the same");
            return;
        }
        run.expect_err("a call failed");
    }
}
