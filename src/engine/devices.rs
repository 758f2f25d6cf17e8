//! The devices that paint, each with its pool of sessions. Belongs to the engine's thread.

use std::sync::Arc;

use super::paint::Painter;
use crate::{backend::Backend, mode::DeviceChoice};

/// Names a device as long as it is open; never used again for another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeviceId(usize);

/// The open devices: the first one paints everything, further ones are opened for comparisons.
pub struct Devices {
    first: Painter,
    more: Vec<(DeviceId, Painter)>,
    newest: DeviceId,
}

impl Devices {
    /// One device.
    pub fn new(first: Painter) -> Self {
        Self { first, more: Vec::new(), newest: DeviceId::default() }
    }

    /// The first device, which always exists.
    pub fn first(&self) -> &Painter {
        &self.first
    }

    /// See [`Devices::first`].
    pub fn first_mut(&mut self) -> &mut Painter {
        &mut self.first
    }

    /// All devices, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceId, &Painter)> {
        let more = self.more.iter().map(|(id, painter)| (*id, painter));
        std::iter::once((DeviceId::default(), &self.first)).chain(more)
    }

    /// See [`Devices::iter`].
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (DeviceId, &mut Painter)> {
        let more = self.more.iter_mut().map(|(id, painter)| (*id, painter));
        std::iter::once((DeviceId::default(), &mut self.first)).chain(more)
    }

    /// A device that is still open.
    pub fn get(&self, id: DeviceId) -> Option<&Painter> {
        self.iter().find(|(of, _)| *of == id).map(|(_, painter)| painter)
    }

    /// See [`Devices::get`].
    pub fn get_mut(&mut self, id: DeviceId) -> Option<&mut Painter> {
        self.iter_mut().find(|(of, _)| *of == id).map(|(_, painter)| painter)
    }

    /// The first device of a kind, if one is open.
    pub fn of_kind(&self, kind: DeviceChoice) -> Option<(DeviceId, &Painter)> {
        let is_meant = |painter: &Painter| {
            kind == DeviceChoice::Auto || kind == painter.backend().device().kind
        };
        self.iter().find(|(_, painter)| is_meant(painter))
    }

    /// Adds a device that was opened.
    pub fn add(&mut self, backend: Arc<dyn Backend>) {
        self.newest.0 += 1;
        self.more.push((self.newest, self.first.with_backend(backend)));
    }

    /// Closes all devices but the first one, with their sessions.
    pub fn keep_first(&mut self) {
        self.more.clear();
    }
}
