//! Paints the pictures of requests, and answers each request.
//!
//! Pictures of one style and size are painted together on a GPU. A processor gains nothing from that, so it paints one
//! after another and answers each request at once. A request that fails is answered alone; the others are painted.

use std::{
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use backend::RunControl;
use engine::paint::{PaintSettings, at_size};
use network::Network;
use values::frame::Frame;

use crate::{
    api::{
        Code, Failure, InstanceHandle, Kind, Outcome, Period, Request, Tensor, caught, invalid,
        now_ns,
    },
    instance::Instance,
    options::Options,
    pictures::{self, Painted, Picture, Room},
};

/// How often a processor asks whether the client still waits for the picture that it paints.
const CANCEL_POLL: Duration = Duration::from_millis(20);

/// A request and the pictures of it.
struct Job {
    request: Request,
    photos: Vec<Photo>,
    options: Options,
    /// When its pictures were painted.
    painted: Option<Period>,
    failure: Option<Failure>,
}

impl Job {
    /// True if its pictures are still to be painted: none has failed, and the client has not cancelled.
    fn is_wanted(&mut self) -> bool {
        if self.failure.is_none() && self.request.is_cancelled() {
            self.failure = Some(Failure::new(Code::Cancelled, "the client cancelled the request"));
        }
        self.failure.is_none()
    }
}

struct Photo {
    picture: Picture,
    network: Arc<Network>,
    painted: Option<Painted>,
}

/// The place of a picture: its job, and its index there.
type Place = (usize, usize);

/// What pictures that are painted together have in common.
struct Group {
    network: Arc<Network>,
    settings: PaintSettings,
    size: (usize, usize),
    places: Vec<Place>,
}

/// Paints and answers all requests.
pub fn execute(instance: &Instance, handle: &InstanceHandle, requests: Vec<Request>) {
    let mut room =
        Room { limit_bytes: instance.settings.max_memory_bytes.unwrap_or(u64::MAX), used_bytes: 0 };
    let mut jobs = Vec::new();
    for request in requests {
        let used_before = room.used_bytes;
        let ((photos, options), failure) = match caught(|| read(instance, &request, &mut room)) {
            Ok(read) => (read, None),
            Err(failure) => {
                room.used_bytes = used_before;
                (Default::default(), Some(failure))
            }
        };
        jobs.push(Some(Job { request, photos, options, painted: None, failure }));
    }
    let groups = grouped(instance, &jobs, room.used_bytes);
    answer_finished(instance, &mut jobs);
    for group in groups {
        paint_group(instance, handle, &mut jobs, &group, group.places.clone());
        answer_finished(instance, &mut jobs);
    }
}

/// The pictures and choices of a request.
fn read(instance: &Instance, request: &Request, room: &mut Room) -> Outcome<(Vec<Photo>, Options)> {
    instance.ready()?;
    let model = &instance.model;
    let mut options = model.defaults;
    for (name, text) in request.parameters()? {
        options.set(&name, &text)?;
    }
    let mut pictures =
        |name| pictures::read(name, &request.input(name)?, model.tensors, &mut *room);
    let photos = pictures("IMAGE")?;
    let mut styles = Vec::new();
    if model.tensors.has_style {
        styles = pictures("STYLE")?;
        if photos.len() != styles.len() {
            return Err(invalid!(
                "there are {} pictures and {} styles; send one style with each picture",
                photos.len(),
                styles.len()
            ));
        }
    }
    let photos = photos.into_iter().enumerate().map(|(index, picture)| {
        let network = model.network(styles.get(index).map(|style| &style.frame))?;
        Ok(Photo { picture, network, painted: None })
    });
    Ok((photos.collect::<Outcome<_>>()?, options))
}

/// Sorts the pictures into groups, in the order of the requests.
fn grouped(instance: &Instance, jobs: &[Option<Job>], used_bytes: u64) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        let Some(job) = job else { continue };
        let working_size = job.options.working_size;
        for (number, Photo { picture, network, .. }) in job.photos.iter().enumerate() {
            let (width, height) = picture.frame.size();
            let size = working_size.resolve(width, height);
            let fits = |group: &&mut Group| {
                instance.kind != Kind::Processor
                    && (group.size, group.settings.working_size) == (size, working_size)
                    && Arc::ptr_eq(&group.network, network)
            };
            if let Some(group) = groups.iter_mut().find(fits) {
                group.places.push((index, number));
                continue;
            }
            let held_bytes = used_bytes.saturating_sub(picture.frame.rgba().len() as u64);
            let settings = PaintSettings { working_size, held_bytes, ..instance.settings };
            groups.push(Group {
                network: network.clone(),
                settings,
                size,
                places: vec![(index, number)],
            });
        }
    }
    groups
}

/// Paints the pictures of a group, except those of requests that failed or were cancelled.
fn paint_group(
    instance: &Instance,
    handle: &InstanceHandle,
    jobs: &mut [Option<Job>],
    group: &Group,
    mut places: Vec<Place>,
) {
    places.retain(|&(index, _)| jobs[index].as_mut().is_some_and(Job::is_wanted));
    if places.is_empty() {
        return;
    }
    let begun = now_ns();
    let painted = paint(instance, jobs, group, &places);
    let period = (begun, now_ns());
    if painted.is_ok() {
        handle.report_batch(places.len(), period);
    } else if places.len() > 1 && instance.ready().is_ok() {
        // Only the picture that caused it fails.
        for place in places {
            paint_group(instance, handle, jobs, group, vec![place]);
        }
        return;
    }
    let (mut paintings, failure) = match painted {
        Ok(paintings) => (paintings.into_iter(), None),
        Err(failure) => (Vec::new().into_iter(), Some(failure)),
    };
    for (index, number) in places {
        let Some(job) = jobs[index].as_mut() else { continue };
        job.painted = Some((job.painted.map_or(begun, |(first, _)| first), period.1));
        job.photos[number].painted = paintings.next();
        job.failure.clone_from(&failure);
    }
}

/// The finished pictures at `places`, all or none.
fn paint(
    instance: &Instance,
    jobs: &[Option<Job>],
    group: &Group,
    places: &[Place],
) -> Outcome<Vec<Painted>> {
    let jobs: Vec<(&Job, &Photo)> = places
        .iter()
        .filter_map(|&(index, number)| jobs[index].as_ref().map(|job| (job, &job.photos[number])))
        .collect();
    let frames: Vec<&Arc<Frame>> = jobs.iter().map(|(_, photo)| &photo.picture.frame).collect();
    let Group { network, settings, size, .. } = group;
    caught(|| {
        let mut paintings = Vec::new();
        if jobs.iter().any(|(job, _)| job.options.look.strength_percent > 0) {
            let mut painter = instance.painter();
            assert!(!jobs.iter().any(|(job, _)| job.options.panics), "a test wanted it");
            let fits =
                |frame: &&Arc<Frame>| painter.fits_as_requested(network, frame.size(), *settings);
            if !frames.iter().all(fits) {
                // They would be painted smaller.
                let limit = settings.max_memory_bytes.unwrap_or(0) / 1_000_000;
                return Err(invalid!(
                    "painting {} x {} pixels does not fit in {limit} MB; choose a smaller working_size, or raise \
                     memory_mb",
                    size.0,
                    size.1
                ));
            }
            paintings = watched(instance.kind, &jobs[0].0.request, |control| {
                painter.paint_batch(&frames, 1, network, *settings, control)
            })
            .map_err(|error| instance.failed(error))?;
        }
        let is_free = network.graph().fixed_size().is_none();
        if is_free && paintings.iter().any(|painting| painting.painted.size() != *size) {
            return Err(Failure::new(
                Code::Unavailable,
                "the GPU has too little free memory for the working size",
            ));
        }
        let mut paintings = paintings.into_iter();
        let finished = jobs.iter().map(|(Job { options, .. }, Photo { picture, .. })| {
            let photo = &picture.frame;
            let finished = if let Some(painting) = paintings.next() {
                painting.into_finished(photo, options.output_size, options.look)
            } else {
                // At strength 0.
                let (width, height) = options.output_size.resolve(photo.size(), *size);
                at_size(photo, width, height).into_owned()
            };
            picture.returned(finished, options.format)
        });
        finished.collect()
    })
}

/// Runs `paint`. On a processor, which paints the pictures of one request at a time, it ends when the client cancels.
fn watched<T>(kind: Kind, request: &Request, paint: impl FnOnce(&RunControl) -> T) -> T {
    let control = RunControl::default();
    if kind != Kind::Processor {
        return paint(&control);
    }
    let (end, ended) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            let ended = ended;
            while ended.recv_timeout(CANCEL_POLL) == Err(RecvTimeoutError::Timeout) {
                if request.is_cancelled() {
                    control.cancel();
                }
            }
        });
        // Dropping it ends the thread, also after a panic.
        let _end = end;
        paint(&control)
    })
}

/// Answers the requests whose pictures are all painted, or of which one failed.
fn answer_finished(instance: &Instance, jobs: &mut [Option<Job>]) {
    let tensors = instance.model.tensors;
    for slot in jobs {
        let is_finished = |job: &mut Job| {
            job.failure.is_some() || job.photos.iter().all(|photo| photo.painted.is_some())
        };
        let Some(mut job) = slot.take_if(is_finished) else { continue };
        let painted: Vec<Painted> =
            job.photos.into_iter().filter_map(|photo| photo.painted).collect();
        let mut write = |mut to: &mut [u8]| {
            for painted in &painted {
                let (own, rest) = to.split_at_mut(painted.byte_count());
                painted.write(own);
                to = rest;
            }
        };
        let answer = match job.failure {
            Some(failure) => Err(failure),
            None => {
                let count = tensors.has_batches.then_some(painted.len() as i64);
                let sides = painted.first().map(|painted| painted.shape.clone());
                Ok(Tensor {
                    kind: tensors.kind,
                    shape: count.into_iter().chain(sides.into_iter().flatten()).collect(),
                    byte_count: painted.iter().map(Painted::byte_count).sum(),
                    write: &mut write,
                })
            }
        };
        job.request.answer(answer, job.painted);
    }
}
