//! Measures a server: N clients send pictures, one after another each, and read the paintings. `load --help` lists the
//! options.
//!
//! The clients share one machine with the server, and their time counts: with shared memory, each writes its picture there
//! and copies the painting out of it. Every painting is compared with the first one of its size. Files are not decoded.
#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../tests/support/http.rs"]
mod http;

use std::{
    env, fs,
    fs::File,
    io::{Error, Result},
    os::unix::fs::FileExt,
    process::{ExitCode, id},
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use http::{Client, rgb_request};
use pictures::encode::{self, Encoding, Format};
use serde_json::{Value, json};
use values::frame::Frame;

const USAGE: &str = "load [--model NAME] [--port N] [--clients N] [--seconds N] [--size WxH,WxH] [--route ROUTE] [--json]
  --route  shared (pixels in system shared memory), http (pixels in requests and answers), png or jpeg (files)";
/// Runs before the measurement, while sessions open and processors reach their clock rate.
const WARM_UP: Duration = Duration::from_secs(2);
/// How often it is checked whether a client has failed.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// How pictures are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Shared,
    Http,
    File(Format),
}

#[derive(Clone)]
struct Options {
    model: String,
    port: u16,
    clients: usize,
    seconds: u64,
    sizes: Vec<(usize, usize)>,
    route: Route,
    prints_json: bool,
}

impl Options {
    fn parse() -> Option<Self> {
        let mut options = Self {
            model: "candy".to_owned(),
            port: 8000,
            clients: 16,
            seconds: 10,
            sizes: vec![(512, 512)],
            route: Route::Shared,
            prints_json: false,
        };
        let mut arguments = env::args().skip(1);
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--route" => {
                    options.route = match arguments.next()?.as_str() {
                        "shared" => Route::Shared,
                        "http" => Route::Http,
                        "png" => Route::File(Format::Png),
                        "jpeg" => Route::File(Format::Jpeg),
                        _ => return None,
                    }
                }
                "--json" => options.prints_json = true,
                "--model" => options.model = arguments.next()?,
                "--port" => options.port = arguments.next()?.parse().ok()?,
                "--clients" => {
                    options.clients = arguments.next()?.parse().ok().filter(|n| *n > 0)?
                }
                "--seconds" => {
                    options.seconds = arguments.next()?.parse().ok().filter(|n| *n > 0)?
                }
                "--size" => {
                    let size = |text: &str| {
                        let (width, height) = text.split_once('x')?;
                        Some((width.parse().ok()?, height.parse().ok()?))
                    };
                    options.sizes =
                        arguments.next()?.split(',').map(size).collect::<Option<_>>()?;
                }
                _ => return None,
            }
        }
        Some(options)
    }
}

/// A file in the system's shared memory, registered with the server; both end when it is dropped.
struct Region {
    name: String,
    file: File,
    port: u16,
}

impl Region {
    fn new(port: u16, name: String, bytes: usize) -> Result<Self> {
        let path = format!("/dev/shm/{name}");
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        file.set_len(bytes as u64)?;
        let region = Self { name, file, port };
        let register = json!({"key": format!("/{}", region.name), "offset": 0, "byte_size": bytes});
        region.call("register", &register)?;
        Ok(region)
    }

    fn call(&self, action: &str, json: &Value) -> Result<()> {
        let path = format!("/v2/systemsharedmemory/region/{}/{action}", self.name);
        let answer = Client::new(self.port)?.post(&path, json, &[])?;
        if answer.status == 200 { Ok(()) } else { Err(Error::other(answer.error())) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.call("unregister", &json!({})).ok();
        fs::remove_file(format!("/dev/shm/{}", self.name)).ok();
    }
}

/// A connection, and memory for the photo and the painting.
fn open(options: &Options, number: usize, bytes: usize) -> Result<(Client, Region, Region)> {
    let region = |what: &str| {
        let name = format!("styleforge-load-{}-{number}-{what}", id());
        Region::new(options.port, name, bytes)
    };
    Ok((Client::new(options.port)?, region("in")?, region("out")?))
}

/// Paints until it is stopped. Returns the times of the requests in the measured part, in milliseconds.
fn client(
    options: &Options,
    number: usize,
    start: &Barrier,
    state: &[AtomicBool; 2],
) -> Result<Vec<f64>> {
    let size @ (width, height) = options.sizes[number % options.sizes.len()];
    let bytes = 3 * width * height;
    let frame = Frame::from_fn(width, height, |x, y| {
        [(x * 255 / width) as u8, (y * 255 / height) as u8, (x ^ y) as u8, 255]
    });
    let photo: Result<Vec<u8>> = match options.route {
        Route::File(format) => encode::to_bytes("photo", &frame, None, Encoding::of(format))
            .map(|(file, _)| file)
            .map_err(Error::other),
        _ => Ok(frame.rgba().chunks(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()),
    };
    let opened = open(options, number, bytes);
    start.wait();
    let (photo, (mut client, from, to)) = (photo?, opened?);
    let mut request = rgb_request(size, json!({}));
    if options.route == Route::Shared {
        let place = |region: &Region| json!({"shared_memory_region": region.name, "shared_memory_byte_size": bytes});
        request["inputs"][0]["parameters"] = place(&from);
        request["outputs"][0]["parameters"] = place(&to);
    }
    let path = format!("/v2/models/{}/infer", options.model);
    let (mut painting, mut first, mut times) = (vec![0; bytes], None::<Vec<u8>>, Vec::new());
    let [is_measuring, is_over] = state;
    while !is_over.load(Ordering::Relaxed) {
        let counts = is_measuring.load(Ordering::Relaxed);
        let begun = Instant::now();
        let answer = match options.route {
            Route::Shared => {
                from.file.write_all_at(&photo, 0)?;
                client.post(&path, &request, &[])?
            }
            Route::Http => client.post(&path, &request, &photo)?,
            Route::File(_) => client.post_file(&path, &photo)?,
        };
        if answer.status != 200 {
            return Err(Error::other(format!("{}: {}", answer.status, answer.error())));
        }
        if options.route == Route::Shared {
            to.file.read_exact_at(&mut painting, 0)?;
        } else {
            painting = answer.bytes;
        }
        if counts && !is_over.load(Ordering::Relaxed) {
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        if *first.get_or_insert_with(|| painting.clone()) != painting {
            return Err(Error::other("two paintings of one picture differ"));
        }
    }
    Ok(times)
}

fn main() -> ExitCode {
    let Some(options) = Options::parse() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match measured(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measured(options: &Options) -> Result<()> {
    let start = Barrier::new(options.clients + 1);
    let state = [const { AtomicBool::new(false) }; 2];
    let mut times: Vec<f64> = thread::scope(|scope| {
        let clients: Vec<_> = (0..options.clients)
            .map(|number| {
                scope.spawn({
                    let (start, state) = (&start, &state);
                    move || {
                        let times = client(options, number, start, state);
                        // A client that fails ends the run.
                        state[1].fetch_or(times.is_err(), Ordering::Relaxed);
                        times
                    }
                })
            })
            .collect();
        start.wait();
        thread::sleep(WARM_UP);
        state[0].store(true, Ordering::Relaxed);
        let begun = Instant::now();
        while begun.elapsed().as_secs() < options.seconds && !state[1].load(Ordering::Relaxed) {
            thread::sleep(CHECK_INTERVAL);
        }
        state[1].store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .map(|client| client.join().map_err(|_| Error::other("a client failed"))?)
            .collect::<Result<Vec<_>>>()
            .map(|all| all.concat())
    })?;
    if times.is_empty() {
        return Err(Error::other("no request was answered in this time; use --seconds"));
    }
    times.sort_by(f64::total_cmp);
    let rate = times.len() as f64 / options.seconds as f64;
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(at);
    let sizes: Vec<String> = options.sizes.iter().map(|(w, h)| format!("{w}x{h}")).collect();
    let (sizes, clients) = (sizes.join(","), options.clients);
    let route = format!("{:?}", options.route).to_lowercase();
    if options.prints_json {
        let all = json!({"sizes": sizes, "clients": clients, "route": route, "per_second": rate,
            "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "requests": times.len()});
        println!("{all}");
    } else {
        println!(
            "{sizes}, {clients} clients, {route}: {rate:.1} pictures/s; {p50:.2} ms (95 %: {p95:.2}, 99 %: {p99:.2})"
        );
    }
    Ok(())
}
