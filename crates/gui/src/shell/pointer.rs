//! The position of the pointer on the screen, from the X server.
//!
//! While a file is dragged over a window, X does not send pointer motions to the window, but the server can be queried.
//! On other systems the position is `None`.

#[cfg(target_os = "linux")]
mod x11 {
    use std::sync::Mutex;

    use x11rb::{
        connection::Connection, errors::ReplyError, protocol::xproto::ConnectionExt,
        rust_connection::RustConnection,
    };

    use values::lock::lock;

    /// A connection to the X server, opened by the first query.
    #[derive(Default)]
    pub struct Pointer {
        connection: Mutex<Option<(RustConnection, usize)>>,
    }

    impl Pointer {
        /// The pointer's position in pixels of the screen. Waits for the server's answer.
        pub fn position(&self) -> Option<(i32, i32)> {
            let mut guard = lock(&self.connection);
            let (connection, screen) = match guard.take() {
                Some(open) => open,
                None => x11rb::connect(None).ok()?,
            };
            // A failed connection is not stored, so the next query opens a new one.
            let found = ask(&connection, screen).ok()??;
            *guard = Some((connection, screen));
            Some(found)
        }
    }

    fn ask(connection: &RustConnection, screen: usize) -> Result<Option<(i32, i32)>, ReplyError> {
        let Some(screen) = connection.setup().roots.get(screen) else {
            return Ok(None);
        };
        let reply = connection.query_pointer(screen.root)?.reply()?;
        Ok(reply.same_screen.then_some((reply.root_x.into(), reply.root_y.into())))
    }
}

#[cfg(not(target_os = "linux"))]
mod x11 {
    /// There is no X server to query.
    #[derive(Default)]
    pub struct Pointer;

    impl Pointer {
        /// The position is not available.
        pub fn position(&self) -> Option<(i32, i32)> {
            None
        }
    }
}

pub use x11::Pointer;
