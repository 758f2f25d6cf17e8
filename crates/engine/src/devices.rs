//! The devices that paint, each with its session pool. Belongs to the engine's thread.

use std::sync::Arc;

use super::{paint::Painter, sessions::Loaded};
use backend::Backend;
use values::mode::DeviceChoice;

/// Identifies a device while it is open. IDs are never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeviceId(usize);

/// The open devices. The first one paints everything; others are opened for comparisons.
pub struct Devices {
    /// Never empty.
    list: Vec<(DeviceId, Painter)>,
    newest: DeviceId,
}

impl Devices {
    pub fn new(first: Painter) -> Self {
        let newest = DeviceId::default();
        Self { list: vec![(newest, first)], newest }
    }

    /// The first device, which always exists.
    pub fn first(&self) -> &Painter {
        &self.list[0].1
    }

    pub fn first_mut(&mut self) -> &mut Painter {
        &mut self.list[0].1
    }

    /// All devices, the first one first.
    pub fn list(&self) -> &[(DeviceId, Painter)] {
        &self.list
    }

    /// The device, if it is still open.
    pub fn get(&self, id: DeviceId) -> Option<&Painter> {
        self.list.iter().find(|(of, _)| *of == id).map(|(_, painter)| painter)
    }

    pub fn get_mut(&mut self, id: DeviceId) -> Option<&mut Painter> {
        self.list.iter_mut().find(|(of, _)| *of == id).map(|(_, painter)| painter)
    }

    /// The first device of a kind, if one is open.
    pub fn of_kind(&self, kind: DeviceChoice) -> Option<&(DeviceId, Painter)> {
        let is_meant = |painter: &Painter| {
            kind == DeviceChoice::Auto || kind == painter.backend().device().kind
        };
        self.list.iter().find(|(_, painter)| is_meant(painter))
    }

    /// The next outcome of a request to any of the devices.
    pub fn next_loaded(&mut self) -> Option<(DeviceId, u64, Loaded)> {
        self.list.iter_mut().find_map(|(device, painter)| {
            let (number, loaded) = painter.pool.next_loaded()?;
            Some((*device, number, loaded))
        })
    }

    pub fn add(&mut self, backend: Arc<dyn Backend>) {
        self.newest.0 += 1;
        self.list.push((self.newest, self.first().with_backend(backend)));
    }

    /// Closes all devices except the first, with their sessions.
    pub fn keep_first(&mut self) {
        self.list.truncate(1);
    }
}
