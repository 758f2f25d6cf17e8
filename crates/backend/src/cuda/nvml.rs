//! A GPU's clock, from NVIDIA's management library, which comes with the driver.
//!
//! Loaded at first use. Without the library, only the clock is unknown. Knows no contexts. Any thread may call.

use std::{
    ffi::{CString, c_char, c_int, c_uint, c_void},
    sync::OnceLock,
};

use libloading::Library;

/// The library's names, as the driver installs them.
const NAMES: &[&str] =
    if cfg!(windows) { &["nvml.dll"] } else { &["libnvidia-ml.so.1", "libnvidia-ml.so"] };
/// `NVML_SUCCESS`.
const SUCCESS: c_int = 0;
/// `NVML_CLOCK_SM`: the clock of the multiprocessors.
const MULTIPROCESSOR_CLOCK: c_int = 1;

type Init = unsafe extern "C" fn() -> c_int;
type HandleByBus = unsafe extern "C" fn(*const c_char, *mut *mut c_void) -> c_int;
type Clock = unsafe extern "C" fn(*mut c_void, c_int, *mut c_uint) -> c_int;

/// The functions of the library that are used here.
struct Calls {
    handle_by_bus: HandleByBus,
    /// The current clock and the highest one.
    clocks: [Clock; 2],
    /// Keeps the functions loaded.
    _library: Library,
}

impl Calls {
    fn load() -> Option<Self> {
        // SAFETY: NVIDIA's library, which the driver installs; loading it runs nothing of a device.
        let library = NAMES.iter().find_map(|name| unsafe { Library::new(*name) }.ok())?;
        // SAFETY: the functions have these signatures since NVML 5 (nvml.h).
        let (init, handle_by_bus, clocks) = unsafe {
            (
                *library.get::<Init>(b"nvmlInit_v2\0").ok()?,
                *library.get::<HandleByBus>(b"nvmlDeviceGetHandleByPciBusId_v2\0").ok()?,
                [
                    *library.get::<Clock>(b"nvmlDeviceGetClockInfo\0").ok()?,
                    *library.get::<Clock>(b"nvmlDeviceGetMaxClockInfo\0").ok()?,
                ],
            )
        };
        // SAFETY: takes nothing and may be called at any time.
        (unsafe { init() } == SUCCESS).then_some(Self { handle_by_bus, clocks, _library: library })
    }
}

/// A GPU's handle in the library.
pub struct ClockMeter {
    calls: &'static Calls,
    device: *mut c_void,
}

// SAFETY: the handle is the library's own, which is documented to be thread-safe. It stays valid until the library is
// shut down, which never happens.
unsafe impl Send for ClockMeter {}
// SAFETY: as above.
unsafe impl Sync for ClockMeter {}

impl ClockMeter {
    /// The GPU on this bus, in the driver's notation (`0000:01:00.0`); `None` if the library is missing or does not
    /// know it.
    pub fn open(bus: &str) -> Option<Self> {
        static CALLS: OnceLock<Option<Calls>> = OnceLock::new();
        let calls = CALLS.get_or_init(Calls::load).as_ref()?;
        let bus = CString::new(bus).ok()?;
        let mut device = std::ptr::null_mut();
        // SAFETY: a string that ends with zero, and a place for the handle.
        let found = unsafe { (calls.handle_by_bus)(bus.as_ptr(), &mut device) };
        (found == SUCCESS).then_some(Self { calls, device })
    }

    /// Current and highest clock rate of the multiprocessors.
    pub fn mhz(&self) -> [Option<u32>; 2] {
        self.calls.clocks.map(|clock| {
            let mut mhz = 0;
            // SAFETY: the library's own handle, a clock that it knows, and a place for the number.
            let status = unsafe { clock(self.device, MULTIPROCESSOR_CLOCK, &mut mhz) };
            (status == SUCCESS && mhz > 0).then_some(mhz)
        })
    }
}
