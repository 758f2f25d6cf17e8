//! A home of its own for each test program: an empty folder, chosen before `main` and removed at the end. So tests
//! neither read nor write the styles, settings and pictures of the user who runs them, and use neither that user's
//! screen nor sound. Programs that a test starts inherit all this.
//!
//! Every test program includes this file, which `tests/architecture` checks.

#![allow(clippy::expect_used, reason = "without a home, no test may run")]

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::Path,
    sync::OnceLock,
};

use tempfile::TempDir;

/// Variables that lead to the home, on all systems.
const HOMES: [&str; 4] = ["HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"];
/// Variables that lead to the user's desktop.
const DESKTOP: [&str; 5] =
    ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS"];
/// The address of the sound server.
const SOUND: &str = "PULSE_SERVER";

/// Bytes of stack for each test's thread: without optimisation, the window's frames need more than the usual 2 MiB.
const STACK: &str = "8388608";

static HOME: OnceLock<TempDir> = OnceLock::new();

// SAFETY: the section lists functions without a result, which the system calls before `main`. On Linux it passes them
// arguments, which C functions may ignore.
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(windows, unsafe(link_section = ".CRT$XCU"))]
#[cfg_attr(not(any(target_vendor = "apple", windows)), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = move_in;

extern "C" fn move_in() {
    let made = tempfile::Builder::new().prefix("styleforge-test-").tempdir();
    let home = HOME.get_or_init(|| made.expect("a folder for temporary files")).path();
    let names = env::vars_os().map(|(name, _)| name);
    let foreign: Vec<OsString> = names.filter(|name| leads_to_the_user(name)).collect();
    // SAFETY: before `main` there is no other thread that could read the environment, because no library that tests are
    // linked to starts one when it is loaded.
    unsafe {
        for name in foreign {
            env::remove_var(name);
        }
        for name in HOMES {
            env::set_var(name, home);
        }
        // The standard library reads it when the first thread starts.
        env::set_var("RUST_MIN_STACK", STACK);
        // Without an address, clients start a server or leave folders where temporary files are. If a server is named,
        // a test of sound may need it (`tools/try_microphone.sh`).
        if env::var_os(SOUND).is_none() {
            env::set_var(SOUND, home.join("no-sound-server"));
        }
    }
    // SAFETY: the function is never unloaded, and nothing in it panics. If it cannot be registered, the folder is left.
    unsafe { libc::atexit(move_out) };
}

extern "C" fn move_out() {
    if let Some(home) = HOME.get() {
        // Fails if a thread that was not waited for writes there at this moment; then the folder is left.
        fs::remove_dir_all(home.path()).ok();
    }
}

fn leads_to_the_user(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"XDG_") || DESKTOP.iter().any(|other| name == *other)
}

/// The project's folder. A test program that was carried to another machine runs in it.
#[allow(dead_code, reason = "not every test program reads files of the project")]
pub fn project() -> &'static Path {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.find(|folder| folder.join("Cargo.lock").is_file()).unwrap_or(Path::new("."))
}

#[test]
fn this_program_has_a_home_of_its_own() {
    let home = HOME.get().expect("chosen before main").path();
    assert_eq!(env::home_dir().as_deref(), Some(home));
    let foreign = env::vars_os().find(|(name, _)| leads_to_the_user(name));
    assert_eq!(foreign, None);
}
