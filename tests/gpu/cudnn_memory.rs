//! Memory use when cuDNN's algorithms are searched, prepared, recorded and used repeatedly: bytes from the C library's
//! allocator and free memory of the GPU, row by row.
//!
//! Each row repeats one action. A leak appears as bytes of a repetition. Memory that is allocated once (kernels that
//! the driver loads at their first launch, caches) appears as bytes of the first run. The whole test takes less than
//! three minutes, because every row has a time limit and prints how often it ran.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use libtest_mimic::Failed;
use styleforge::{
    backend::{
        Backend, RunControl, SessionSpec,
        cuda::{
            Convolutions, CudaBackend,
            driver::{Algorithm, ConvolutionLibrary, Driver, EngineConfig, Purpose},
        },
    },
    mode::{Mode, Precision, Variant},
    plan::cuda::ConvolutionShape,
};

use super::{
    cudnn::{Buffers, open_here, shape},
    network,
};

/// Bytes of the program that one preparation may leak. A user who changes something every five seconds for two hours
/// opens 1,440 sessions of eight shapes, which would be eleven megabytes.
const LOST_BY_A_PREPARATION: f64 = 1024.0;
/// The same for a session, which has eight shapes.
const LOST_BY_A_SESSION: f64 = 8.0 * LOST_BY_A_PREPARATION;
/// Bytes of the GPU that a whole row may leak: the driver allocates memory in pieces of this size.
const LOST_ON_THE_GPU: i64 = 2 << 20;
/// New shapes that are searched one after another.
const NEW_SHAPES: usize = 30;
/// Runs in one graph, as in a search.
const RUNS: usize = 6;

/// Bytes from the C library's allocator, for the program and the libraries that it loads; 0 if it does not report them.
fn allocated_bytes() -> i64 {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: mallinfo2 only reads the allocator's counters.
        let allocator = unsafe { libc::mallinfo2() };
        (allocator.uordblks + allocator.hblkhd) as i64
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    0
}

/// Memory in use at a moment, in bytes.
#[derive(Clone, Copy)]
struct Held {
    allocated: i64,
    gpu: i64,
}

impl Held {
    fn now(driver: &dyn Driver) -> Result<Self, Failed> {
        driver.wait()?;
        let (free, total) = driver.memory_info()?;
        Ok(Self { allocated: allocated_bytes(), gpu: (total - free) as i64 })
    }
}

/// Repeats an action and prints a row.
struct Rows<'a> {
    driver: &'a dyn Driver,
    wrong: Vec<String>,
}

impl Rows<'_> {
    /// Runs `work` up to the given count and time, and prints the memory taken by the first run and by a later one.
    /// Checks a later one against `lost_bytes`, if given.
    fn row(
        &mut self,
        what: &str,
        (most, seconds): (usize, u64),
        lost_bytes: Option<f64>,
        mut work: impl FnMut(usize) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let before = Held::now(self.driver)?;
        let began = Instant::now();
        work(0)?;
        let first = Held::now(self.driver)?;
        let first_ms = began.elapsed().as_secs_f64() * 1e3;
        let again = Instant::now();
        let mut count = 0;
        while count + 1 < most && began.elapsed() < Duration::from_secs(seconds) {
            count += 1;
            work(count)?;
        }
        let ms = again.elapsed().as_secs_f64() * 1e3 / count.max(1) as f64;
        let last = Held::now(self.driver)?;
        let each = (last.allocated - first.allocated) as f64 / count.max(1) as f64;
        let gpu = last.gpu - first.gpu;
        println!(
            "{what:56} {first_ms:8.1} {:12} {:10} {count:6} {ms:8.2} {each:12.1} {gpu:10}",
            first.allocated - before.allocated,
            first.gpu - before.gpu,
        );
        if lost_bytes.is_some_and(|most| each > most || gpu > LOST_ON_THE_GPU) {
            let lost = format!("{what}: {each:.0} bytes each, {gpu} bytes of the GPU in all");
            self.wrong.push(lost);
        }
        Ok(())
    }
}

pub fn prints_where_memory_goes(shared: &dyn Backend) -> Result<(), Failed> {
    let backend = open_here()?;
    let searching = backend.driver().with_queues_for(Purpose::Searching);
    let library = match searching.convolution_library() {
        Ok(library) => library,
        Err(reason) => {
            println!("{reason}");
            return Ok(());
        }
    };
    println!("{}", library.name());
    println!(
        "{:56} {:>8} {:>12} {:>10} {:>6} {:>8} {:>12} {:>10}",
        "bytes", "first ms", "of the first", "its GPU", "times", "ms each", "of each", "GPU in all"
    );
    let start = Held::now(searching.as_ref())?;
    let mut rows = Rows { driver: searching.as_ref(), wrong: Vec::new() };
    for precision in [Precision::Fp32, Precision::Fp16] {
        if (shared.supports(Mode::new(Variant::Baseline, precision))).is_ok() {
            searches(&mut rows, &searching, library, precision)?;
        }
    }
    copies(&mut rows)?;
    sessions(&mut rows, &backend)?;
    let end = Held::now(searching.as_ref())?;
    println!(
        "all together: {} bytes, {} bytes of the GPU; {} bytes are given out",
        end.allocated - start.allocated,
        end.gpu - start.gpu,
        end.allocated
    );
    match rows.wrong.is_empty() {
        true => Ok(()),
        false => Err(rows.wrong.join("\n").into()),
    }
}

/// The configuration of the algorithm that a search finds; everything is freed.
fn found(
    searching: &Arc<dyn Driver>,
    library: &dyn ConvolutionLibrary,
    shape: &ConvolutionShape,
) -> Result<EngineConfig, Failed> {
    // New for each search, because it caches results.
    let convolutions = Convolutions::new(searching.clone());
    let found = convolutions.fastest(searching.as_ref(), shape, &RunControl::default())?;
    let found = found.ok_or("cancelled by nobody")?;
    Ok(library.config(found.algorithm())?)
}

fn in_words(config: &EngineConfig) -> String {
    let knobs = config.knobs.iter().map(|(knob, value)| format!(" {knob}={value}"));
    format!("engine {}{}", config.engine, knobs.collect::<String>())
}

/// All actions for one shape, then searches of new shapes.
fn searches(
    rows: &mut Rows<'_>,
    searching: &Arc<dyn Driver>,
    library: &dyn ConvolutionLibrary,
    precision: Precision,
) -> Result<(), Failed> {
    let shape_of = shape;
    let shape = shape_of(precision, 137);
    rows.row(&format!("a {precision}: a search"), (31, 12), None, |_| {
        found(searching, library, &shape).map(drop)
    })?;
    let what = format!("a {precision}: the heuristics' suggestions");
    rows.row(&what, (100, 3), None, |_| {
        library.algorithms(&shape, &|| true)?;
        Ok(())
    })?;
    let what = format!("a {precision}: its candidates prepared");
    rows.row(&what, (31, 6), None, |_| {
        for (algorithm, _) in library.algorithms(&shape, &|| false)? {
            library.forget(algorithm);
        }
        Ok(())
    })?;
    let prepare = |config: &EngineConfig| -> Result<Algorithm, Failed> {
        let (algorithm, _) = library.prepare(&shape, config)?;
        Ok(algorithm)
    };
    let mut configs = Vec::new();
    for (algorithm, _) in library.algorithms(&shape, &|| false)? {
        configs.push(library.config(algorithm));
        library.forget(algorithm);
    }
    for config in configs {
        let config = config?;
        let what = format!("b {precision}: candidate {}", in_words(&config));
        rows.row(&what, (51, 2), None, |_| {
            library.forget(prepare(&config)?);
            Ok(())
        })?;
    }
    let fastest = found(searching, library, &shape)?;
    println!("the fastest is {}", in_words(&fastest));
    let what = format!("b {precision}: the fastest prepared");
    let lost = Some(LOST_BY_A_PREPARATION);
    rows.row(&what, (201, 6), lost, |_| {
        library.forget(prepare(&fastest)?);
        Ok(())
    })?;
    let buffers = Buffers::take(rows.driver, library, shape)?;
    let what = format!("b {precision}: the fastest prepared and run once");
    rows.row(&what, (101, 5), None, |_| {
        let algorithm = prepare(&fastest)?;
        let ran = buffers.run(algorithm);
        library.forget(algorithm);
        Ok(ran?)
    })?;
    let algorithm = prepare(&fastest)?;
    let what = format!("b {precision}: the fastest run");
    let ran = rows.row(&what, (1001, 2), None, |_| Ok(buffers.run(algorithm)?));
    let what = format!("c {precision}: its graph recorded, replayed, given back");
    let driver = rows.driver;
    let recorded = rows.row(&what, (201, 3), None, |_| {
        graph(driver, || buffers.launch(algorithm).map_err(Failed::from))
    });
    library.forget(algorithm);
    ran.and(recorded)?;
    for what in ["new shapes searched", "the same searched again"] {
        let what = format!("a {precision}: {what}");
        rows.row(&what, (NEW_SHAPES, 10), None, |number| {
            found(searching, library, &shape_of(precision, 140 + 2 * number)).map(drop)
        })?;
    }
    Ok(())
}

/// Records a few launches, replays them and frees the graph.
fn graph(
    driver: &dyn Driver,
    mut launch: impl FnMut() -> Result<(), Failed>,
) -> Result<(), Failed> {
    driver.begin_recording()?;
    let recorded = (0..RUNS).try_for_each(|_| launch());
    let graph = driver.end_recording()?;
    let replayed = driver.replay(graph);
    let waited = driver.wait();
    driver.free_graph(graph);
    recorded?;
    Ok(replayed.and(waited)?)
}

/// Graphs without cuDNN.
fn copies(rows: &mut Rows<'_>) -> Result<(), Failed> {
    const BYTES: usize = 1 << 20;
    let driver = rows.driver;
    let memory = driver.allocate(2 * BYTES)?;
    let copied = rows.row("c: a graph of copies", (201, 3), None, |_| {
        graph(driver, || Ok(driver.copy(memory, memory.at(BYTES), BYTES)?))
    });
    driver.free(memory);
    copied
}

/// Sessions that are opened and closed.
fn sessions(rows: &mut Rows<'_>, backend: &CudaBackend) -> Result<(), Failed> {
    let network = network();
    for variant in [Variant::Baseline, Variant::FusedNorm, Variant::Fused] {
        for precision in [Precision::Fp32, Precision::Fp16] {
            let mode = Mode::new(variant, precision);
            if backend.supports(mode).is_err() {
                continue;
            }
            let spec = SessionSpec::single(640, 360, mode);
            let what = format!("d: a session of {mode}");
            let lost = Some(LOST_BY_A_SESSION);
            rows.row(&what, (51, 5), lost, |_| {
                backend.open(&network, &spec)?;
                Ok(())
            })?;
        }
    }
    Ok(())
}
