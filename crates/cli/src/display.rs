//! Detects whether a window can be opened.

#[cfg(all(unix, not(target_os = "macos")))]
use values::disk::words;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Display {
    /// A window can be opened; contains the name of the display.
    Reachable(String),
    /// Contains the reason.
    Missing(String),
}

/// Looks for a Wayland or X11 display that responds.
#[cfg(all(unix, not(target_os = "macos")))]
pub fn probe() -> Display {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let mut tried = Vec::new();
    if let Some(wayland) = set("WAYLAND_DISPLAY") {
        // libwayland accepts an absolute path here (wl_display_connect).
        let folder = set("XDG_RUNTIME_DIR").unwrap_or_default();
        let socket = std::path::Path::new(&folder).join(&wayland);
        match std::os::unix::net::UnixStream::connect(&socket) {
            Ok(_) => return Display::Reachable(format!("Wayland {wayland}")),
            Err(e) => tried.push(format!("Wayland {wayland} does not answer ({})", words(&e))),
        }
    }
    if let Some(x11) = set("DISPLAY") {
        match connect_x11(&x11) {
            Ok(()) => return Display::Reachable(format!("X11 {x11}")),
            Err(e) => tried.push(format!("X11 {x11} does not answer ({})", words(&e))),
        }
    }
    if tried.is_empty() {
        tried.push("neither DISPLAY nor WAYLAND_DISPLAY is set".to_owned());
    }
    Display::Missing(tried.join(", "))
}

/// Starts the program again without `WAYLAND_DISPLAY`, which windows prefer to X11 even if nothing answers there. Returns
/// if that fails.
#[cfg(all(unix, not(target_os = "macos")))]
pub fn restart_on_x11() {
    use std::{env, os::unix::process::CommandExt, process::Command};

    if let Ok(own) = env::current_exe() {
        _ = Command::new(own).args(env::args_os().skip(1)).env_remove("WAYLAND_DISPLAY").exec();
    }
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
pub fn restart_on_x11() {}

/// This system always has a display.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub fn probe() -> Display {
    Display::Reachable("the desktop".to_owned())
}

/// Opens and closes a connection to `[host]:display[.screen]`.
#[cfg(all(unix, not(target_os = "macos")))]
fn connect_x11(name: &str) -> std::io::Result<()> {
    use std::{
        io::{Error, ErrorKind},
        net::{TcpStream, ToSocketAddrs},
        os::unix::net::UnixStream,
        time::Duration,
    };

    let wrong = || Error::new(ErrorKind::InvalidInput, "not a display name");
    let (host, rest) = name.rsplit_once(':').ok_or_else(wrong)?;
    let number: u16 =
        rest.split('.').next().and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    if host.is_empty() || host == "unix" {
        let path = format!("/tmp/.X11-unix/X{number}");
        return match UnixStream::connect(&path) {
            Ok(_) => Ok(()),
            Err(error) => connect_abstract(&path).map_err(|_| error),
        };
    }
    let port = number.checked_add(6000).ok_or_else(wrong)?;
    let address = (host, port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "the host is unknown"))?;
    TcpStream::connect_timeout(&address, Duration::from_secs(2)).map(drop)
}

/// Linux servers also listen on an abstract socket.
#[cfg(target_os = "linux")]
fn connect_abstract(path: &str) -> std::io::Result<()> {
    use std::os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixStream},
    };
    UnixStream::connect_addr(&SocketAddr::from_abstract_name(path)?).map(drop)
}

#[cfg(all(unix, not(any(target_os = "macos", target_os = "linux"))))]
fn connect_abstract(_path: &str) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
