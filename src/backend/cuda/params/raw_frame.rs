//! Parameter blocks of decoding a camera's frame and of shrinking it.

params! {
    /// Of `raw_frame`.
    RawFrameParams = 96 in "raw_frame.cu" {
        /// RGBA8 (extended_height, extended_width).
        photo: u64,
        /// The raw frame, without bytes between rows.
        raw: u64,
        /// 0 yuyv, 1 nv12, 2 rgb, 3 bgr, 4 grey.
        format: i32,
        /// Bytes of a row of the first plane.
        row_bytes: i32,
        /// Rows of the first plane.
        rows: i32,
        /// Width of the upright frame in pixels.
        width: i32,
        /// Height of the upright frame in pixels.
        height: i32,
        /// Width of the photo in pixels.
        extended_width: i32,
        /// Height of the photo in pixels.
        extended_height: i32,
        /// Column and row of the upright frame's first pixel in the raw one.
        first: [i32; 2],
        /// Columns and rows from a pixel to its right neighbour.
        across: [i32; 2],
        /// Columns and rows from a pixel to the one below it.
        down: [i32; 2],
        /// Level of black.
        black: i32,
        /// Coefficient of brightness, with 13 fraction bits, like the others.
        brightness: i32,
        /// Of V in red.
        red_of_v: i32,
        /// Of U in green.
        green_of_u: i32,
        /// Of V in green.
        green_of_v: i32,
        /// Of U in blue.
        blue_of_u: i32,
    }
    /// Of `shrink`.
    ShrinkParams = 40 in "raw_frame.cu" {
        /// RGBA8 (extended_height, extended_width).
        photo: u64,
        /// RGBA8 (from_height, from_width).
        from: u64,
        /// Width of `from` in pixels.
        from_width: i32,
        /// Height of `from` in pixels.
        from_height: i32,
        /// Width after resizing, in pixels.
        width: i32,
        /// Height after resizing, in pixels.
        height: i32,
        /// Width of the photo in pixels.
        extended_width: i32,
        /// Height of the photo in pixels.
        extended_height: i32,
    }
}
