//! Tasks of a contact sheet: networks are read, paintings made small, and the sheet written.

use std::{path::PathBuf, sync::Arc};

use super::{Background, ReadNetwork, Report, opening::smaller};
use crate::{
    engine::{paint::at_size, protocol::Repainted},
    frame::Frame,
    media::{
        encode::{self, Encoding, Existing},
        scale::size_within,
        sheet::{CELL_PX, ORIGINAL, titled_sheet},
    },
    mode::ModelSize,
};

/// A contact sheet on its way into a file.
#[derive(Clone, Debug)]
pub struct SheetFile {
    /// The target, where nothing lies.
    pub path: PathBuf,
    /// How it is encoded.
    pub encoding: Encoding,
    /// The photo's colour profile.
    pub icc: Option<Vec<u8>>,
    /// Titles and small paintings, in their order.
    pub cells: Vec<(String, Frame)>,
}

impl Background {
    /// Reads the network of a style, in the size that is asked for where it has it, and makes the photo so small;
    /// [`Report::SheetRead`] carries `number`.
    pub fn read_for_sheet(
        &self,
        number: u64,
        (style, model): (String, ModelSize),
        photo: Arc<Frame>,
        long_side_px: usize,
    ) {
        let style_source = self.style_source.clone();
        self.send(move || Report::SheetRead {
            number,
            result: style_source.load(&style, model).map(|loaded| ReadNetwork {
                network: loaded.network,
                photo: smaller(&photo, long_side_px),
            }),
        });
    }

    /// Makes a painting as small as it is on a sheet; [`Report::SheetCell`] carries `number`.
    pub fn make_sheet_cell(&self, number: u64, painted: Arc<Repainted>) {
        self.send(move || Report::SheetCell { number, cell: cell_of(&painted.picture) });
    }

    /// Puts the sheet of a photo together and writes it; [`Report::SheetWritten`] carries `number`.
    pub fn write_sheet(&self, number: u64, photo: Arc<Frame>, mut file: SheetFile) {
        self.send_writing(move || {
            file.cells.insert(0, (ORIGINAL.to_owned(), cell_of(&photo)));
            let page = titled_sheet(&file.cells, CELL_PX)
                .ok_or_else(|| "These are too many styles for one contact sheet.".to_owned());
            let result = page.and_then(|page| {
                let icc = file.icc.as_deref();
                encode::save(&file.path, &page, icc, file.encoding, Existing::Keep)
                    .map_err(|e| e.to_string())
            });
            Report::SheetWritten { number, result: result.map(|_| file.path) }
        });
    }
}

fn cell_of(frame: &Frame) -> Frame {
    let (width, height) = size_within(frame.width(), frame.height(), CELL_PX);
    at_size(frame, width, height).into_owned()
}
