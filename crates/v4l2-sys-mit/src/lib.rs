//! Declarations of Linux's camera interface, as the v4l crate expects them from the published crate of this name. That
//! one generates all of them with bindgen whenever it is built, for which it needs libclang. These are the few that are
//! used, generated once by `tools/camera_bindings.sh`.
//!
//! Names, numbers and layouts are those of `<linux/videodev2.h>` and `<linux/v4l2-controls.h>`, (c) 1999-2012 the
//! contributors: GPL-2.0-or-later WITH Linux-syscall-note OR BSD-3-Clause, of which `../videodev2-LICENSE.txt` is the
//! latter. The numbers' types are those of `<linux/types.h>`, GPL-2.0 WITH Linux-syscall-note; `timeval` is the C
//! library's.
//!
//! They are the same for x86-64 and 64-bit ARM. The compiler checks every size, alignment and offset again.
#![allow(clippy::all, non_camel_case_types, non_upper_case_globals)]

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("the camera's declarations are those of Linux on x86-64 and 64-bit ARM only");

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod bindings;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use bindings::*;
