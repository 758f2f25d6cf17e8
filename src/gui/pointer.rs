//! Where the pointer is on the screen, asked of the X server.
//!
//! While a file is dragged over a window, X sends the window no motions of the pointer; the server tells where it is
//! whoever asks. Elsewhere the answer is `None`.

#[cfg(target_os = "linux")]
mod x11 {
    use std::sync::{Mutex, PoisonError};

    use x11rb::{
        connection::Connection, errors::ReplyError, protocol::xproto::ConnectionExt,
        rust_connection::RustConnection,
    };

    /// A connection to the X server, opened by the first question.
    #[derive(Default)]
    pub struct Pointer {
        connection: Mutex<Option<(RustConnection, usize)>>,
    }

    impl Pointer {
        /// Where the pointer is, in pixels of the screen. Waits for the server's answer.
        pub fn position(&self) -> Option<(i32, i32)> {
            let mut held = (self.connection.lock()).unwrap_or_else(PoisonError::into_inner);
            let (connection, screen) = match held.take() {
                Some(open) => open,
                None => x11rb::connect(None).ok()?,
            };
            // One that has failed is opened anew the next time.
            let found = ask(&connection, screen).ok()??;
            *held = Some((connection, screen));
            Some(found)
        }
    }

    fn ask(connection: &RustConnection, screen: usize) -> Result<Option<(i32, i32)>, ReplyError> {
        let Some(screen) = connection.setup().roots.get(screen) else {
            return Ok(None);
        };
        let reply = connection.query_pointer(screen.root)?.reply()?;
        let place = (i32::from(reply.root_x), i32::from(reply.root_y));
        Ok(reply.same_screen.then_some(place))
    }
}

#[cfg(not(target_os = "linux"))]
mod x11 {
    /// Nobody to ask.
    #[derive(Default)]
    pub struct Pointer;

    impl Pointer {
        /// Nobody knows.
        pub fn position(&self) -> Option<(i32, i32)> {
            None
        }
    }
}

pub use x11::Pointer;
