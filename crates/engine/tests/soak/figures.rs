//! Resources of the program at a moment: memory, threads, handles, GPU memory.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    process::{self, Command},
    sync::atomic::{AtomicUsize, Ordering},
};

const MIB: f64 = 1024.0 * 1024.0;

/// Counts the bytes that the program's own code has on the heap.
struct Counting;

static HEAP_BYTES: AtomicUsize = AtomicUsize::new(0);

fn grown(pointer: *mut u8, bytes: usize) -> *mut u8 {
    if !pointer.is_null() {
        HEAP_BYTES.fetch_add(bytes, Ordering::Relaxed);
    }
    pointer
}

// SAFETY: every call is passed to the system's allocator; the rest only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        grown(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        grown(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HEAP_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        let moved = grown(unsafe { System.realloc(pointer, layout, new_size) }, new_size);
        if !moved.is_null() {
            HEAP_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        moved
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes of all GPUs' memory that this process uses, according to NVIDIA's tool; `None` if there is no tool, or if it
/// does not list this process.
pub fn own_gpu_bytes() -> Option<u64> {
    let asked = Command::new("nvidia-smi")
        .arg("--query-compute-apps=pid,used_memory")
        .arg("--format=csv,noheader,nounits")
        .output()
        .ok()?;
    let text = String::from_utf8(asked.stdout).ok()?;
    let own = process::id().to_string();
    let lines = text.lines().filter_map(|line| line.split_once(", "));
    let mibs: Vec<u64> = lines
        .filter(|(process, _)| *process == own)
        .filter_map(|(_, mib)| mib.trim().parse().ok())
        .collect();
    (!mibs.is_empty()).then(|| mibs.iter().sum::<u64>() << 20)
}

/// Resources of the program at one moment.
#[derive(Clone, Copy, Debug)]
pub struct HeldMemory {
    pub resident_bytes: u64,
    pub heap_bytes: u64,
    /// Bytes in use from the C library's allocator, by the program and the libraries that it loads.
    pub allocated_bytes: u64,
    /// Free bytes that the C library's allocator keeps.
    pub unused_bytes: u64,
    /// Resident bytes of files, programs and devices: everything that is not anonymous memory.
    pub mapped_bytes: u64,
    pub threads: u64,
    /// Open files, sockets and devices.
    pub handles: u64,
    /// Bytes of the device's own memory: those of this process or, if the driver does not report them, those of all
    /// processes beyond the use right after the device was opened.
    pub gpu_bytes: Option<u64>,
}

impl HeldMemory {
    pub fn now(gpu_bytes: Option<u64>) -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("Linux tells it");
        let field = |name: &str| -> u64 {
            status
                .lines()
                .find(|line| line.starts_with(name))
                .and_then(|line| line.split_whitespace().nth(1))
                .and_then(|n| n.parse().ok())
                .expect("a number")
        };
        // SAFETY: mallinfo2 only reads the allocator's counters.
        let allocator = unsafe { libc::mallinfo2() };
        let handles = fs::read_dir("/proc/self/fd").expect("Linux tells it");
        Self {
            resident_bytes: field("VmRSS:") * 1024,
            heap_bytes: HEAP_BYTES.load(Ordering::Relaxed) as u64,
            allocated_bytes: (allocator.uordblks + allocator.hblkhd) as u64,
            unused_bytes: allocator.fordblks as u64,
            mapped_bytes: (field("RssFile:") + field("RssShmem:")) * 1024,
            threads: field("Threads:"),
            // One of them is this listing.
            handles: handles.count() as u64 - 1,
            gpu_bytes,
        }
    }

    /// The median of each number.
    pub fn median(of: &[Self]) -> Self {
        let middle = |number: fn(&Self) -> u64| {
            let mut numbers: Vec<u64> = of.iter().map(number).collect();
            numbers.sort_unstable();
            numbers[numbers.len() / 2]
        };
        Self {
            resident_bytes: middle(|h| h.resident_bytes),
            heap_bytes: middle(|h| h.heap_bytes),
            allocated_bytes: middle(|h| h.allocated_bytes),
            unused_bytes: middle(|h| h.unused_bytes),
            mapped_bytes: middle(|h| h.mapped_bytes),
            threads: middle(|h| h.threads),
            handles: middle(|h| h.handles),
            gpu_bytes: of[0].gpu_bytes.map(|_| middle(|h| h.gpu_bytes.unwrap_or(0))),
        }
    }

    /// The larger of each number.
    pub fn most(self, other: Self) -> Self {
        Self {
            resident_bytes: self.resident_bytes.max(other.resident_bytes),
            heap_bytes: self.heap_bytes.max(other.heap_bytes),
            allocated_bytes: self.allocated_bytes.max(other.allocated_bytes),
            unused_bytes: self.unused_bytes.max(other.unused_bytes),
            mapped_bytes: self.mapped_bytes.max(other.mapped_bytes),
            threads: self.threads.max(other.threads),
            handles: self.handles.max(other.handles),
            gpu_bytes: self.gpu_bytes.max(other.gpu_bytes),
        }
    }
}

impl std::fmt::Display for HeldMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:8.1} {:8.1} {:8.1} {:8.1} {:8.1} {} {:8} {:8}",
            self.resident_bytes as f64 / MIB,
            self.mapped_bytes as f64 / MIB,
            self.allocated_bytes as f64 / MIB,
            self.unused_bytes as f64 / MIB,
            self.heap_bytes as f64 / MIB,
            self.gpu_bytes
                .map_or("       -".to_owned(), |bytes| format!("{:8.1}", bytes as f64 / MIB)),
            self.threads,
            self.handles
        )
    }
}

/// The header of a table of [`HeldMemory`].
pub const HEAD: &str = " RSS MiB   mapped   malloc   unused     ours  GPU MiB  threads  handles";
