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

use styleforge::{
    backend::RunControl,
    engine::paint::{PaintSettings, Painter, Painting, at_size},
    frame::Frame,
    network::Network,
};

use crate::{
    api::{Code, Failure, InstanceHandle, Kind, Outcome, Request, Tensor, Times, caught, now_ns},
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
    /// First and last moment of painting.
    compute_ns: Option<(u64, u64)>,
    failure: Option<Failure>,
}

struct Photo {
    picture: Picture,
    network: Arc<Network>,
    painted: Option<Painted>,
}

/// The place of a picture: its job, and its index there.
type Place = (usize, usize);

/// What pictures that are painted together have in common.
#[derive(Clone)]
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
        match caught(|| read(instance, &request, &mut room)) {
            Ok((photos, options)) => {
                jobs.push(Some(Job { request, photos, options, compute_ns: None, failure: None }));
            }
            Err(failure) => {
                room.used_bytes = used_before;
                let times = Times::refused(request.begin_ns());
                request.answer(Err(failure), times);
            }
        }
    }
    let groups = grouped(instance, &jobs, room.used_bytes);
    answer_finished(instance, &mut jobs);
    for group in groups {
        paint_group(instance, handle, &mut jobs, group);
        answer_finished(instance, &mut jobs);
    }
}

/// The pictures and choices of a request.
fn read(instance: &Instance, request: &Request, room: &mut Room) -> Outcome<(Vec<Photo>, Options)> {
    instance.ready()?;
    let model = &instance.model;
    let mut options = model.defaults;
    for (name, text) in request.parameters()? {
        options.set(&name, &text).map_err(Failure::invalid)?;
    }
    let pictures = pictures::read("IMAGE", &request.input("IMAGE")?, model.tensors, room)?;
    let mut styles = Vec::new();
    if model.tensors.has_style {
        styles = pictures::read("STYLE", &request.input("STYLE")?, model.tensors, room)?;
        if styles.len() != pictures.len() {
            let counts = format!("{} pictures and {} styles", pictures.len(), styles.len());
            return Err(Failure::invalid(format!(
                "there are {counts}; send one style with each picture"
            )));
        }
    }
    let photos = pictures.into_iter().enumerate().map(|(index, picture)| {
        let network = model.network(styles.get(index).map(|style| &style.frame))?;
        Ok(Photo { picture, network, painted: None })
    });
    Ok((photos.collect::<Outcome<_>>()?, options))
}

/// Sorts the pictures into groups, in the order of the requests. Jobs whose pictures cannot be painted are marked.
fn grouped(instance: &Instance, jobs: &[Option<Job>], used_bytes: u64) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        let Some(job) = job else { continue };
        let settings =
            PaintSettings { working_size: job.options.working_size, ..instance.settings };
        for (number, photo) in job.photos.iter().enumerate() {
            let place = (index, number);
            let frame = &photo.picture.frame;
            let size = settings.working_size.resolve(frame.width(), frame.height());
            let settings = PaintSettings {
                held_bytes: used_bytes.saturating_sub(frame.rgba().len() as u64),
                ..settings
            };
            let has_place = |group: &&mut Group| {
                let of = (group.size, group.settings.working_size);
                of == (size, settings.working_size) && Arc::ptr_eq(&group.network, &photo.network)
            };
            let is_alone = instance.kind == Kind::Processor;
            match groups.iter_mut().find(has_place).filter(|_| !is_alone) {
                Some(group) => group.places.push(place),
                None => groups.push(Group {
                    network: photo.network.clone(),
                    settings,
                    size,
                    places: vec![place],
                }),
            }
        }
    }
    groups
}

/// Paints the pictures of a group, except those of requests that failed or were cancelled.
fn paint_group(
    instance: &Instance,
    handle: &InstanceHandle,
    jobs: &mut [Option<Job>],
    group: Group,
) {
    let mut places = group.places.clone();
    places.retain(|&(index, _)| {
        let Some(job) = jobs[index].as_mut() else { return false };
        if job.failure.is_none() && job.request.is_cancelled() {
            job.failure = Some(Failure::new(Code::CANCELLED, "the client cancelled the request"));
        }
        job.failure.is_none()
    });
    if places.is_empty() {
        return;
    }
    let begun = now_ns();
    let painted = paint(instance, jobs, &group, &places);
    let is_final = places.len() == 1 || instance.ready().is_err();
    if painted.is_err() && !is_final {
        // Only the picture that caused it fails.
        for place in places {
            paint_group(instance, handle, jobs, Group { places: vec![place], ..group.clone() });
        }
        return;
    }
    let end = now_ns();
    if painted.is_ok() {
        handle.report_batch(places.len(), Times { begin_ns: begun, compute_ns: (begun, end) });
    }
    let (mut frames, failure) = match painted {
        Ok(frames) => (frames.into_iter(), None),
        Err(failure) => (Vec::new().into_iter(), Some(failure)),
    };
    for (index, number) in places {
        let Some(job) = jobs[index].as_mut() else { continue };
        job.compute_ns = Some((job.compute_ns.map_or(begun, |(first, _)| first), end));
        match frames.next() {
            Some(painted) => job.photos[number].painted = Some(painted),
            None => job.failure = failure.clone(),
        }
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
    caught(|| {
        let is_painted = jobs.iter().any(|(job, _)| job.options.look.strength_percent > 0);
        let paintings: Vec<Painting> = match is_painted {
            false => Vec::new(),
            true => {
                let mut painter = instance.painter();
                assert!(!jobs.iter().any(|(job, _)| job.options.panics), "a test wanted it");
                check_memory(&painter, group, &frames)?;
                watched(instance, &jobs, |control| {
                    painter.paint_batch(&frames, 1, &group.network, group.settings, control)
                })
                .map_err(|error| instance.failed(error))?
            }
        };
        let is_free = group.network.graph().fixed_size().is_none();
        if is_free && paintings.iter().any(|painting| painting.painted.size() != group.size) {
            let what = "the GPU has too little free memory for the working size";
            return Err(Failure::new(Code::UNAVAILABLE, what));
        }
        let mut paintings = paintings.into_iter();
        let finished = jobs.iter().map(|(job, photo)| {
            let picture = &photo.picture;
            let frame = finished(&picture.frame, group.size, paintings.next(), &job.options);
            picture.returned(frame, job.options.format)
        });
        finished.collect()
    })
}

/// Refuses pictures that would be painted smaller because of the memory limit.
fn check_memory(painter: &Painter, group: &Group, frames: &[&Arc<Frame>]) -> Outcome {
    for frame in frames {
        if !painter.fits_as_requested(&group.network, frame.size(), group.settings) {
            let ((width, height), limit) =
                (group.size, group.settings.max_memory_bytes.unwrap_or(0) / 1_000_000);
            let what = format!("painting {width} x {height} pixels does not fit in {limit} MB");
            return Err(Failure::invalid(format!(
                "{what}; choose a smaller working_size, or raise memory_mb"
            )));
        }
    }
    Ok(())
}

/// The finished picture; the photo itself at strength 0, which is not painted.
fn finished(
    photo: &Frame,
    working: (usize, usize),
    painting: Option<Painting>,
    options: &Options,
) -> Frame {
    match painting {
        Some(painting) => painting.into_finished(photo, options.output_size, options.look),
        None => {
            let (width, height) = options.output_size.resolve(photo.size(), working);
            at_size(photo, width, height).into_owned()
        }
    }
}

/// Runs `paint`. On a processor, where a picture takes long, it ends when the only client cancels.
fn watched<T>(
    instance: &Instance,
    jobs: &[(&Job, &Photo)],
    paint: impl FnOnce(&RunControl) -> T,
) -> T {
    let control = RunControl::default();
    let (Kind::Processor, [(job, _)]) = (instance.kind, jobs) else {
        return paint(&control);
    };
    let (end, ended) = channel::<()>();
    let (request, watched) = (&job.request, &control);
    thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(CANCEL_POLL) == Err(RecvTimeoutError::Timeout) {
                if request.is_cancelled() {
                    watched.cancel();
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
    for slot in jobs {
        let is_finished = |job: &mut Job| {
            job.failure.is_some() || job.photos.iter().all(|photo| photo.painted.is_some())
        };
        let Some(job) = slot.take_if(is_finished) else { continue };
        let begin_ns = job.request.begin_ns();
        let times = match job.compute_ns {
            Some(compute_ns) => Times { begin_ns, compute_ns },
            None => Times::refused(begin_ns),
        };
        let painted: Vec<&Painted> =
            job.photos.iter().filter_map(|photo| photo.painted.as_ref()).collect();
        let mut write = |mut to: &mut [u8]| {
            for painted in &painted {
                let (own, rest) = std::mem::take(&mut to).split_at_mut(painted.byte_count());
                painted.write(own);
                to = rest;
            }
        };
        let answer = match (job.failure, painted.first()) {
            (None, Some(first)) => {
                let count = painted.len() as i64;
                let batch = instance.model.tensors.has_batches.then_some(count);
                Ok(Tensor {
                    kind: instance.model.tensors.kind,
                    shape: batch.into_iter().chain(first.shape()).collect(),
                    byte_count: painted.iter().map(|painted| painted.byte_count()).sum(),
                    write: &mut write,
                })
            }
            (failure, _) => {
                Err(failure.unwrap_or_else(|| Failure::invalid("the request has no picture")))
            }
        };
        job.request.answer(answer, times);
    }
}
