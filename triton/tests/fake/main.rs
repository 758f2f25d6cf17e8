//! The backend on Triton's C functions as this process defines them: what a real server hardly ever sends.
// The fake server and the backend exchange pointers that live as long as the test, so what they point to is boxed.
#![allow(clippy::undocumented_unsafe_blocks, clippy::vec_box)]
#![allow(clippy::expect_used)]

#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "../support/paint.rs"]
mod paint;
mod server;

/// The fake GPU of the library's own tests.
#[path = "../../../crates/engine/tests/cuda_faults"]
#[allow(dead_code, reason = "these tests use a part of it")]
mod gpu {
    pub mod fake;
}

use std::{
    ffi::{CString, c_void},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::SeqCst},
    thread::available_parallelism,
};

use engine::paint::{OutputSize, PaintSettings, WorkingSize};
use gpu::fake::{self, FakeGpu};
use paint::{candy, photo, pixels, plainly, stylized};
use pictures::{
    decode,
    encode::{self, Encoding, Format},
};
use serde_json::{Value, json};
use server::{Answer, Input, Instance, LIVE, LOG, MINOR, Model, Parameter, Request, taken};
use triton_styleforge::{api, instance};
use values::{compose::Look, frame::Frame};

/// The server's functions count for the whole process, so tests run one after another.
static ALONE: Mutex<()> = Mutex::new(());

/// A loaded model and one of its instances.
struct Loaded {
    instance: Box<Instance>,
    _folder: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// A model with one instance on the processor.
fn load(parameters: Value) -> Result<Loaded, (u32, String)> {
    load_with(parameters, 1)
}

fn load_with(parameters: Value, instances: usize) -> Result<Loaded, (u32, String)> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let of = |(name, value): (&String, &Value)| (name.clone(), json!({"string_value": value}));
    let parameters: serde_json::Map<_, _> =
        parameters.as_object().expect("parameters").iter().map(of).collect();
    let config = json!({"max_batch_size": 0, "input": [], "output": [], "parameters": parameters,
        "instance_group": [{"kind": "KIND_CPU", "count": instances}]});
    let model = Box::new(Model {
        config: Mutex::new(CString::new(config.to_string()).expect("JSON")),
        folder: CString::new(folder.path().to_str().expect("UTF-8")).expect("a path"),
        state: Default::default(),
    });
    let instance = Box::new(Instance {
        model,
        kind: 1,
        state: Default::default(),
        reported: Mutex::default(),
        batches: Mutex::default(),
    });
    // SAFETY: the model lives in the instance, which lives longer than the calls.
    taken(
        unsafe {
            api::TRITONBACKEND_ModelInitialize((&raw const *instance.model).cast_mut().cast())
        }
        .cast(),
    )?;
    let loaded = Loaded { instance, _folder: folder, _alone: alone };
    // SAFETY: as above.
    taken(unsafe { api::TRITONBACKEND_ModelInstanceInitialize(loaded.raw()) }.cast())?;
    Ok(loaded)
}

impl Loaded {
    fn raw(&self) -> *mut api::RawInstance {
        (&raw const *self.instance).cast_mut().cast()
    }

    /// Paints requests together and returns their answers.
    fn execute(&self, requests: Vec<Box<Request>>) -> Vec<Result<Answer, (u32, String)>> {
        let mut raw: Vec<*mut api::RawRequest> =
            requests.iter().map(|request| (&raw const **request).cast_mut().cast()).collect();
        let count = raw.len() as u32;
        // SAFETY: instance and requests live longer than the call.
        let status =
            unsafe { api::TRITONBACKEND_ModelInstanceExecute(self.raw(), raw.as_mut_ptr(), count) };
        taken(status.cast()).expect("the requests are the backend's");
        let answers = requests.into_iter().map(|request| {
            assert!(request.is_released.load(SeqCst));
            request.answer.into_inner().expect("not poisoned").expect("answered")
        });
        answers.collect()
    }

    /// The backend's own state of the instance.
    fn state(&self) -> *mut instance::Instance {
        self.instance.state.load(SeqCst).cast::<instance::Instance>()
    }

    fn instance(&self) -> &instance::Instance {
        // SAFETY: set when the instance was loaded, and valid until it is dropped.
        unsafe { &*self.state() }
    }

    /// The same model on a GPU.
    fn on(self, gpu: &FakeGpu) -> Self {
        let backend = Arc::new(gpu.backend().expect("a GPU"));
        let (model, kind) = (self.instance().model.clone(), api::Kind::Gpu(0));
        let other = instance::Instance::on(backend, 1, model, kind, "paint_0".to_owned());
        let other = Box::into_raw(Box::new(other.expect("an instance")));
        let before: *mut c_void = self.instance.state.swap(other.cast(), SeqCst);
        // SAFETY: a box of the backend, which is no longer its state.
        drop(unsafe { Box::from_raw(before.cast::<instance::Instance>()) });
        self
    }

    fn ready(&self) -> Result<(), (u32, String)> {
        // SAFETY: the instance is loaded.
        taken(unsafe { api::TRITONBACKEND_ModelInstanceReady(self.raw()) }.cast())
    }

    fn one(&self, request: Box<Request>) -> Result<Answer, (u32, String)> {
        self.execute(vec![request]).remove(0)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: as for loading; called once.
        unsafe {
            taken(api::TRITONBACKEND_ModelInstanceFinalize(self.raw()).cast()).expect("finalised");
            let model = (&raw const *self.instance.model).cast_mut().cast();
            taken(api::TRITONBACKEND_ModelFinalize(model).cast()).expect("finalised");
        }
        if !std::thread::panicking() {
            assert_eq!(LIVE.load(SeqCst), 0, "everything is freed");
        }
    }
}

fn input(shape: &[usize], bytes: Vec<u8>) -> Box<Input> {
    Box::new(Input {
        name: c"IMAGE",
        kind: 2,
        shape: shape.iter().map(|&n| n as i64).collect(),
        bytes: vec![bytes],
        memory: 0,
    })
}

fn request(inputs: Vec<Box<Input>>, parameters: &[(&str, &str)]) -> Box<Request> {
    let c = |text: &str| CString::new(text).expect("a text");
    let of = |(name, text): &(&str, &str)| {
        let value = match (text.parse(), text.parse()) {
            (Ok(number), _) => Parameter::Number(number),
            (_, Ok(flag)) => Parameter::Flag(flag),
            _ => Parameter::Text(c(text)),
        };
        (c(name), value)
    };
    let parameters = parameters.iter().map(of).collect();
    Box::new(Request { inputs, parameters, output_memory: Some(0), ..Request::default() })
}

/// A request for one picture with three channels.
fn rgb(frame: &Frame, parameters: &[(&str, &str)]) -> Box<Request> {
    let shape = [1, frame.height(), frame.width(), 3];
    request(vec![input(&shape, pixels(frame, 3))], parameters)
}

fn lite() -> Loaded {
    load(json!({"style": "candy", "model": "lite", "threads": "2"})).expect("loaded")
}

#[test]
fn paintings_are_those_of_stylize_at_every_size_and_in_any_batch() {
    let (loaded, network) = (lite(), candy());
    let sizes = [(40, 30), (1, 1), (64, 48), (40, 30), (3, 70)];
    let mut requests: Vec<_> = sizes.iter().map(|&(w, h)| rgb(&photo(w, h), &[])).collect();
    // In parts, one of them empty.
    let whole = requests[2].inputs[0].bytes.remove(0);
    let (first, second) = whole.split_at(1000);
    requests[2].inputs[0].bytes = vec![first.to_vec(), Vec::new(), second.to_vec()];
    // Two pictures with alpha in one request.
    let clear = Frame::from_fn(20, 16, |x, y| [(x * 9) as u8, (y * 5) as u8, 40, (x * y) as u8]);
    let twice = [clear.rgba(), clear.rgba()].concat();
    requests.push(request(vec![input(&[2, 16, 20, 4], twice)], &[]));
    let answers = loaded.execute(requests);
    let plain = |photo: &Frame| plainly(&network, photo);
    for (&(w, h), answer) in sizes.iter().zip(&answers) {
        let expected = Answer {
            shape: vec![1, h as i64, w as i64, 3],
            bytes: pixels(&plain(&photo(w, h)), 3),
        };
        assert!(answer.as_ref() == Ok(&expected), "{w}x{h}");
    }
    let with_alpha = plain(&clear);
    let expected = Answer {
        shape: vec![2, 16, 20, 4],
        bytes: [with_alpha.rgba(), with_alpha.rgba()].concat(),
    };
    assert!(answers[5].as_ref() == Ok(&expected), "two pictures of one request");
    assert_eq!(*loaded.instance.reported.lock().expect("statistics"), (6, 0));
    assert_eq!(*loaded.instance.batches.lock().expect("statistics"), [1; 7]);
}

#[test]
fn parameters_are_those_of_stylize() {
    let (loaded, network) = (lite(), candy());
    let photo = photo(50, 40);
    let look = Look::new(60, true);
    let settings =
        PaintSettings { working_size: WorkingSize::LongSide(32), ..PaintSettings::default() };
    let expected = stylized(&network, &photo, settings, OutputSize::LongSide(64), look);
    let chosen = [
        ("strength", "60"),
        ("keep_colors", "true"),
        ("working_size", "32"),
        ("output_size", "64"),
    ];
    let answer = loaded.one(rgb(&photo, &chosen)).expect("painted");
    assert!(
        answer.bytes == pixels(&expected, 3) && answer.shape == [1, 51, 64, 3],
        "{:?}",
        answer.shape
    );
    let unpainted = loaded.one(rgb(&photo, &[("strength", "0")])).expect("the photo");
    assert!(unpainted.bytes == pixels(&photo, 3));
}

#[test]
fn bad_requests_fail_alone() {
    let loaded = lite();
    let good = || rgb(&photo(30, 20), &[]);
    let of = |shape: &[usize], bytes: usize| request(vec![input(shape, vec![7; bytes])], &[]);
    let mut other_type = of(&[1, 2, 2, 3], 12);
    other_type.inputs[0].kind = 11;
    let mut on_gpu = of(&[1, 2, 2, 3], 12);
    on_gpu.inputs[0].memory = 2;
    let mut output_on_gpu = good();
    output_on_gpu.output_memory = Some(2);
    let mut no_output = good();
    no_output.output_memory = None;
    let mut cancelled = good();
    cancelled.cancelled_after = Some(0);
    let mut negative = of(&[1, 2, 2, 3], 12);
    negative.inputs[0].shape[1] = -2;
    let bad = vec![
        (of(&[1, 0, 30, 3], 0), 3, "at least one pixel"),
        (of(&[0, 2, 2, 3], 0), 3, "at least one picture"),
        (of(&[1, 2, 2, 2], 8), 3, "[height, width, 3]"),
        (of(&[2, 2, 3], 12), 3, "[height, width, 3]"),
        (of(&[1, 2, 2, 3], 11), 3, "not the shape of 11 bytes"),
        (of(&[1, 1 << 40, 1 << 40, 3], 12), 3, "pixels"),
        (of(&[1 << 62, 2, 2, 3], 12), 3, "not the shape"),
        (negative, 3, "at least one pixel"),
        (request(Vec::new(), &[]), 3, "the input IMAGE is missing"),
        (other_type, 3, "UINT8"),
        (on_gpu, 5, "CUDA shared memory"),
        (output_on_gpu, 5, "CUDA shared memory"),
        (no_output, 4, "no memory"),
        (cancelled, 7, "cancelled"),
        (rgb(&photo(8, 8), &[("strenght", "50")]), 3, "there is no parameter strenght"),
        (rgb(&photo(8, 8), &[("strength", "101")]), 3, "0 to 100"),
        (rgb(&photo(8, 8), &[("panic", "1")]), 1, "a bug in StyleForge"),
    ];
    let mut requests = vec![good()];
    let mut expected = vec![None];
    for (request, code, words) in bad {
        requests.extend([request, good()]);
        expected.extend([Some((code, words)), None]);
    }
    let count = expected.len();
    let answers = loaded.execute(requests);
    let first = answers[0].clone().expect("painted");
    for (answer, expected) in answers.into_iter().zip(expected) {
        match (answer, expected) {
            (Ok(answer), None) => assert!(answer == first),
            (Err((code, message)), Some((of, words))) => {
                assert!(
                    code == of && message.contains(words),
                    "{code} {message}, not {of} {words}"
                );
            }
            (answer, expected) => panic!("{answer:?} instead of {expected:?}"),
        }
    }
    let reported = *loaded.instance.reported.lock().expect("statistics");
    assert_eq!(reported, (count / 2 + 1, count / 2));
}

#[test]
fn memory_limits_hold() {
    let parameters = json!({"style": "candy", "model": "lite", "memory_mb": "100"});
    let loaded = load(parameters).expect("loaded");
    let (small, large) = (photo(64, 64), photo(1600, 1200));
    let all = [("working_size", "original")];
    let answers = loaded.execute(vec![rgb(&large, &all), rgb(&small, &[])]);
    let (code, message) = answers[0].clone().expect_err("too large");
    assert!(code == 3 && message.contains("memory_mb"), "{message}");
    assert!(answers[1].is_ok());
    // Pictures that do not fit in memory together are refused before they are copied.
    let pixels = vec![0; 26_000_000 * 3];
    let huge = request(vec![input(&[1, 5200, 5000, 3], pixels)], &[("working_size", "64")]);
    let answers = loaded.execute(vec![rgb(&small, &[]), huge, rgb(&small, &[])]);
    let (code, message) = answers[1].clone().expect_err("too large");
    assert!(code == 3 && message.contains("the limit is 100 MB"), "{message}");
    assert!(answers[0].is_ok() && answers[0] == answers[2]);
}

#[test]
fn a_painting_ends_when_its_client_cancels() {
    let loaded = load(json!({"style": "candy", "model": "lite", "threads": "1"})).expect("loaded");
    // Cancelled after it has begun.
    let mut request = rgb(&photo(1600, 1200), &[("working_size", "original")]);
    request.cancelled_after = Some(1);
    let (code, message) = loaded.one(request).expect_err("cancelled");
    assert_eq!(code, 7, "{message}");
    let small = photo(40, 30);
    let answer = loaded.one(rgb(&small, &[])).expect("painted");
    assert!(answer.bytes == pixels(&plainly(&candy(), &small), 3));
    assert_eq!(*loaded.instance.reported.lock().expect("statistics"), (1, 1));
}

#[test]
fn instances_share_the_cores() {
    let cores = available_parallelism().expect("a number").get();
    for (instances, threads) in [(1, cores), (2, (cores / 2).max(1)), (cores + 1, 1)] {
        let parameters = json!({"style": "candy", "model": "lite"});
        let loaded = load_with(parameters, instances).expect("loaded");
        let line = LOG.lock().expect("a log").last().cloned().expect("a line");
        let plural = if threads == 1 { "" } else { "s" };
        assert!(line.contains(&format!("({threads} thread{plural})")), "{instances}: {line}");
        drop(loaded);
    }
}

#[test]
fn files_are_painted_in_their_own_format() {
    let parameters = json!({"style": "candy", "model": "lite", "pictures": "files"});
    let (loaded, network) = (load(parameters).expect("loaded"), candy());
    let photo = photo(33, 21);
    let encoded =
        |format| encode::to_bytes("photo", &photo, None, Encoding::of(format)).expect("encoded").0;
    let of = |files: &[Vec<u8>], parameters: &[(&str, &str)]| {
        let bytes = files
            .iter()
            .flat_map(|file| [&(file.len() as u32).to_le_bytes()[..], file].concat())
            .collect();
        let mut input = input(&[files.len(), 1], bytes);
        input.kind = 13;
        request(vec![input], parameters)
    };
    let (png, jpeg) = (encoded(Format::Png), encoded(Format::Jpeg));
    let mut short = of(std::slice::from_ref(&png), &[]);
    short.inputs[0].bytes[0].pop();
    let answers = loaded.execute(vec![
        of(&[png.clone(), jpeg.clone()], &[]),
        of(&[b"GIF89a and so on".to_vec()], &[]),
        short,
        of(&[jpeg], &[("format", "png")]),
    ]);
    let both = answers[0].clone().expect("painted");
    assert_eq!(both.shape, [2, 1]);
    let length = u32::from_le_bytes(both.bytes[..4].try_into().expect("four bytes")) as usize;
    let first = decode::from_bytes("painting", &both.bytes[4..4 + length]).expect("a picture");
    assert!(*first.frame == plainly(&network, &photo));
    assert_eq!(decode::format_of_bytes(&both.bytes[8 + length..]), Some(Format::Jpeg));
    for (answer, words) in
        [(&answers[1], "neither a PNG nor a JPEG"), (&answers[2], "ends within a file")]
    {
        let (code, message) = answer.clone().expect_err("bad");
        assert!(code == 3 && message.contains(words), "{message}");
    }
    let converted = answers[3].clone().expect("painted").bytes;
    assert_eq!(decode::format_of_bytes(&converted[4..]), Some(Format::Png));
}

#[test]
fn any_picture_is_a_style() {
    let loaded = load(json!({"style": "input"})).expect("loaded");
    let (photo, style) =
        (photo(32, 24), Frame::from_fn(60, 50, |x, y| [(x * 4) as u8, 90, (y * 5) as u8, 255]));
    let of = |styled: &Frame| {
        let mut request = rgb(&photo, &[]);
        let mut second = input(&[1, styled.height(), styled.width(), 3], pixels(styled, 3));
        second.name = c"STYLE";
        request.inputs.push(second);
        request
    };
    let answers = loaded.execute(vec![of(&style), rgb(&photo, &[]), of(&style), of(&photo)]);
    assert!(answers[0].is_ok() && answers[0] == answers[2] && answers[0] != answers[3]);
    let (_, message) = answers[1].clone().expect_err("no style");
    assert!(message.contains("the input STYLE is missing"), "{message}");
}

#[test]
fn the_eight_most_recent_style_pictures_are_kept() {
    let loaded = load(json!({"style": "input"})).expect("loaded");
    let model = &loaded.instance().model;
    let network = |red: u8| {
        let style = Arc::new(Frame::from_fn(24, 20, |x, y| [red, x as u8, y as u8, 255]));
        model.network(Some(&style)).expect("a style")
    };
    let first: Vec<_> = (0..8).map(network).collect();
    for (red, known) in first.iter().enumerate() {
        assert!(Arc::ptr_eq(known, &network(red as u8)), "{red}");
    }
    network(8);
    assert!(Arc::ptr_eq(&first[1], &network(1)));
    assert!(!Arc::ptr_eq(&first[0], &network(0)), "the least recent one is computed again");
}

#[test]
fn models_that_cannot_be_loaded_say_why() {
    for (parameters, words) in [
        (json!({}), "does not contain exactly one file"),
        (json!({"style": "nothing"}), "'nothing' is neither a style"),
        (json!({"style": "candy", "colour": "red"}), "there is no parameter colour"),
        (json!({"style": "candy", "threads": "0"}), "use a number above zero"),
        (json!({"style": "candy", "model": "lite", "precision": "fp16"}), "fp16"),
        (json!({"style": "candy", "strength": "200"}), "0 to 100"),
    ] {
        let (_, message) = load(parameters).err().expect("refused");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn old_servers_are_refused() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let initialize = |minor| {
        MINOR.store(minor, SeqCst);
        // SAFETY: the backend's handle is not used.
        taken(unsafe { api::TRITONBACKEND_Initialize(std::ptr::null_mut()) }.cast())
    };
    let (code, message) = initialize(15).expect_err("too old");
    assert!(code == 5 && message.contains("1.15") && message.contains("1.16"), "{message}");
    assert_eq!(initialize(19), Ok(()));
}

#[test]
fn pictures_of_one_size_are_painted_together_on_a_gpu() {
    let gpu = FakeGpu::new();
    let loaded = lite().on(&gpu);
    let (small, large) = (photo(40, 30), photo(64, 48));
    let requests = [&small, &large, &small, &large, &small].map(|photo| rgb(photo, &[]));
    for answer in loaded.execute(requests.into()) {
        answer.expect("painted");
    }
    assert_eq!(*loaded.instance.batches.lock().expect("statistics"), [3, 2]);
}

#[test]
fn a_lost_gpu_is_reported_and_not_replaced() {
    let gpu = FakeGpu::new();
    let loaded = lite().on(&gpu);
    let request = || rgb(&photo(40, 30), &[]);
    assert!(loaded.one(request()).is_ok() && loaded.ready().is_ok());
    gpu.fail("cuGraphLaunch", 0, fake::LAUNCH_FAILED);
    let answers = loaded.execute(vec![request(), request(), request()]);
    let (code, message) = answers[0].clone().expect_err("lost");
    let begins = format!("paint_0: {} was lost (", fake::NAME);
    assert!(code == 4 && message.starts_with(&begins), "{message}");
    assert!(message.ends_with("restart the server"), "{message}");
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(loaded.ready(), Err((code, message.clone())));
    assert_eq!(loaded.one(request()), Err((code, message.clone())));
    assert_eq!(gpu.opened(), 1, "it is not opened again");
    let log = LOG.lock().expect("a log");
    assert_eq!(log.iter().filter(|line| **line == message).count(), 1, "{log:?}");
    drop(log);
    drop(loaded);
    assert_eq!(gpu.leaks(), [""; 0]);
}
