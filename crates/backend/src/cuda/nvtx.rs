//! Named ranges around launches (NVTX), so that NVIDIA's profilers show layers in addition to kernels.
//!
//! Nothing is linked. A profiler that wants ranges stores the path of its own library in `NVTX_INJECTION64_PATH`. That
//! library is loaded, receives a table of slots, and writes its functions into them (the protocol of NVTX version 3).
//! Without a profiler the variable is not set, nothing is loaded, and a range costs one comparison. Implemented here
//! because cudarc's NVTX panics without a library of NVIDIA's toolkit, which a computer with only the driver does not
//! have. Any thread may open ranges. A range must be closed on the thread on which it was opened.

use std::{
    ffi::{CString, c_char, c_int, c_uint, c_void},
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicPtr, Ordering},
    },
};

use libloading::Library;

/// Contains the path of a profiler's library.
const VARIABLE: &str = "NVTX_INJECTION64_PATH";
/// Version of the protocol.
const VERSION: u32 = 3;
/// Number of slots in the protocol's tables, by table number (core, CUDA, OpenCL, CUDA runtime, core with domains,
/// synchronisation). A profiler refuses a program without all of them, so all exist, but only those of core are called.
const PLACES_OF: [usize; 7] = [0, 16, 9, 15, 7, 16, 7];
/// The table of the functions that are called here: those without domains.
const CORE: c_int = 1;
/// Slot of `nvtxRangePushA`.
const RANGE_PUSH: usize = 9;
/// Slot of `nvtxRangePop`.
const RANGE_POP: usize = 11;
/// Id of the export table through which a profiler gets the addresses of the tables and the version of the protocol.
const CALLBACKS: u32 = 1;
const VERSION_INFO: u32 = 3;

type Push = unsafe extern "C" fn(*const c_char) -> c_int;
type Pop = unsafe extern "C" fn() -> c_int;
type ExportTable = extern "C" fn(u32) -> *const c_void;
type Initialise = unsafe extern "C" fn(ExportTable) -> c_int;

/// A slot into which a profiler writes a function.
type Place = AtomicPtr<c_void>;

/// The functions that are called, and one slot for all others.
static PUSH: Place = Place::new(ptr::null_mut());
static POP: Place = Place::new(ptr::null_mut());
static OTHER: Place = Place::new(ptr::null_mut());

/// `NvtxExportTableCallbacks` of the protocol.
#[repr(C)]
struct Callbacks {
    bytes: usize,
    table_of_module: extern "C" fn(c_int, *mut *const *const Place, *mut c_uint) -> c_int,
}

/// `NvtxExportTableVersionInfo` of the protocol.
#[repr(C)]
struct VersionInfo {
    bytes: usize,
    version: u32,
    reserved: u32,
    profilers_version: extern "C" fn(u32),
}

/// The addresses of a table's slots as the protocol requires: slot 0 is unused, and a null address ends the table. A
/// profiler asks for each table once, so they are never freed.
extern "C" fn table_of_module(
    module: c_int,
    table: *mut *const *const Place,
    places: *mut c_uint,
) -> c_int {
    let count = usize::try_from(module).ok().and_then(|module| PLACES_OF.get(module));
    let Some(&count @ 1..) = count else {
        return 0;
    };
    let address = |at| match (module, at) {
        (_, 0) => ptr::null(),
        (CORE, RANGE_PUSH) => &raw const PUSH,
        (CORE, RANGE_POP) => &raw const POP,
        _ if at == count => ptr::null(),
        _ => &raw const OTHER,
    };
    let addresses: Vec<_> = (0..=count).map(address).collect();
    // SAFETY: the protocol says that each of them is either null or a place for the answer.
    unsafe {
        if !table.is_null() {
            *table = addresses.leak().as_ptr();
        }
        if !places.is_null() {
            *places = count as c_uint;
        }
    }
    1
}

/// Accepts any version of the profiler's side.
extern "C" fn profilers_version(_: u32) {}

extern "C" fn export_table(which: u32) -> *const c_void {
    static FIRST: Callbacks = Callbacks { bytes: size_of::<Callbacks>(), table_of_module };
    static SECOND: VersionInfo = VersionInfo {
        bytes: size_of::<VersionInfo>(),
        version: VERSION,
        reserved: 0,
        profilers_version,
    };
    match which {
        CALLBACKS => ptr::from_ref(&FIRST).cast(),
        VERSION_INFO => ptr::from_ref(&SECOND).cast(),
        _ => ptr::null(),
    }
}

/// The functions that a profiler provided.
struct Calls {
    push: Push,
    pop: Pop,
    /// Keeps the functions loaded.
    _library: Library,
}

impl Calls {
    /// Loads the profiler's library, if the variable is set.
    fn load() -> Option<Self> {
        let path = std::env::var_os(VARIABLE).filter(|path| !path.is_empty())?;
        // SAFETY: the profiler that started this program requests that its library is loaded.
        let library = unsafe { Library::new(path) }.ok()?;
        // SAFETY: the protocol's function with the protocol's signature; it calls `export_table` and writes into the
        // slots, which live as long as the program.
        let attached = unsafe {
            let initialise = library.get::<Initialise>(b"InitializeInjectionNvtx2\0").ok()?;
            initialise(export_table)
        };
        if attached == 0 {
            return None;
        }
        let given = |place: &Place| {
            let function = place.load(Ordering::Acquire);
            (!function.is_null()).then_some(function)
        };
        let (push, pop) = (given(&PUSH)?, given(&POP)?);
        // SAFETY: the protocol defines which signature the function of a slot has.
        let (push, pop) = unsafe {
            (
                std::mem::transmute::<*mut c_void, Push>(push),
                std::mem::transmute::<*mut c_void, Pop>(pop),
            )
        };
        Some(Self { push, pop, _library: library })
    }
}

/// A range that ends when this is dropped.
pub struct Range(Option<&'static Calls>);

/// Opens a range on this thread, if there is a profiler.
pub fn range(name: &str) -> Range {
    static CALLS: OnceLock<Option<Calls>> = OnceLock::new();
    let calls = CALLS.get_or_init(Calls::load).as_ref();
    let opened = calls.zip(CString::new(name).ok()).map(|(calls, name)| {
        // SAFETY: the profiler's function, and a string that ends with zero and is copied.
        unsafe { (calls.push)(name.as_ptr()) };
        calls
    });
    Range(opened)
}

impl Drop for Range {
    fn drop(&mut self) {
        if let Some(calls) = self.0 {
            // SAFETY: closes the range that was opened on this thread.
            unsafe { (calls.pop)() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates a profiler's side of the protocol, which finds a slot for every function by its number.
    #[test]
    fn a_profiler_finds_its_places() {
        let callbacks = export_table(CALLBACKS).cast::<Callbacks>();
        // SAFETY: the table that was just returned.
        let callbacks = unsafe { &*callbacks };
        assert_eq!(callbacks.bytes, 16);
        let (mut table, mut count) = (ptr::null(), 0);
        assert_eq!((callbacks.table_of_module)(CORE, &mut table, &mut count), 1);
        assert_eq!(count, 16);
        // SAFETY: this many addresses of slots were promised, plus the terminating one.
        let table = unsafe { std::slice::from_raw_parts(table, count as usize + 1) };
        assert!(table[0].is_null() && table[count as usize].is_null());
        assert_eq!(table[RANGE_PUSH], &raw const PUSH);
        assert_eq!(table[RANGE_POP], &raw const POP);
        assert!(table[1..count as usize].iter().all(|place| !place.is_null()));
        for (module, known) in [(0, 0), (5, 1), (6, 1), (7, 0), (-1, 0)] {
            let mut table = ptr::null();
            let answer = (callbacks.table_of_module)(module, &mut table, &mut count);
            assert_eq!(answer, known, "table {module}");
        }
        let version = export_table(VERSION_INFO).cast::<VersionInfo>();
        // SAFETY: the table that was just returned.
        let version = unsafe { &*version };
        assert_eq!((version.bytes, version.version), (24, 3));
        assert!(export_table(7).is_null());
    }

    #[test]
    fn without_a_profiler_ranges_are_nothing() {
        let range = range("conv1");
        assert!(range.0.is_none());
    }
}
