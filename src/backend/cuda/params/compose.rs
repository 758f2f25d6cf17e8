//! Parameter block of composing.

params! {
    /// Of `compose`.
    ComposeParams = 72 in "compose.cu" {
        /// RGBA8 (height, width): the source, composed in place.
        picture: u64,
        /// RGBA8 (small_height, small_width).
        painting: u64,
        /// RGBA8 (small_height, scaled_width): the source at the painting's size.
        scaled: u64,
        /// small_width / width.
        across: f64,
        /// small_height / height.
        down: f64,
        /// Width of the picture in pixels.
        width: i32,
        /// Height of the picture in pixels.
        height: i32,
        /// Width of the painting in pixels.
        small_width: i32,
        /// Height of the painting in pixels.
        small_height: i32,
        /// Pixels from a row of `scaled` to the next.
        scaled_width: i32,
        /// 1 if the range of colours is that of the painting's nearest pixel only.
        nearest: i32,
        /// Percent.
        strength: i32,
        /// 1 to keep the source's chroma.
        keep_colours: i32,
    }
}
