//! Parameter blocks of the elementwise kernels.

params! {
    /// Of `load_photo_*`.
    LoadPhotoParams = 32 in "elementwise.cu" {
        /// RGBA8 pixels (n, height, width).
        photo: u64,
        /// Map (n, height, width, channels) to write.
        map: u64,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// Factor on levels: 1, or 1/256.
        scale: f32,
        /// Channels, padding included: 4, 8 or 16.
        channels: i32,
    }

    /// Of `pad_*`.
    PadParams = 32 in "elementwise.cu" {
        /// Map (n, height, width, channels).
        from: u64,
        /// Map (n, height + 2 margin, width + 2 margin, channels) to write.
        to: u64,
        /// Width of `from` in pixels.
        width: i32,
        /// Height of `from` in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
        /// Pixels added on every side; less than width and height.
        margin: i32,
    }

    /// Of `upsample_*` and `relu_*`.
    MapParams = 32 in "elementwise.cu" {
        /// Map (n, height, width, channels).
        from: u64,
        /// Map to write: twice as wide and high (`upsample`), or of the same size (`relu`).
        to: u64,
        /// Width of `from` in pixels.
        width: i32,
        /// Height of `from` in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
    }

    /// Of `add_*`.
    AddParams = 32 in "elementwise.cu" {
        /// Map (n, height, width, channels) that is added to.
        map: u64,
        /// Map that is added.
        addend: u64,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
    }

    /// Of `bias_*`.
    BiasParams = 40 in "elementwise.cu" {
        /// Map (n, height, width, channels).
        from: u64,
        /// Map to write; may be `from`.
        to: u64,
        /// fp32 (channels), 0 in the padding.
        bias: u64,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
    }

    /// Of `normalise_*`.
    NormaliseParams = 48 in "elementwise.cu" {
        /// Map (n, height, width, channels).
        from: u64,
        /// Map to write; may be `from`.
        to: u64,
        /// fp32 (n, channels), from `mean_finish`.
        mean: u64,
        /// fp32 (n, channels), from `variance_finish`.
        rstd: u64,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
    }

    /// Of `affine_*`.
    AffineParams = 48 in "elementwise.cu" {
        /// Map (n, height, width, channels).
        from: u64,
        /// Map to write; may be `from`.
        to: u64,
        /// fp32 (channels), 0 in the padding.
        gamma: u64,
        /// fp32 (channels), 0 in the padding.
        beta: u64,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
    }

    /// Of `store_picture_*`.
    StorePictureParams = 56 in "elementwise.cu" {
        /// Map (n, map_height, map_width, channels) of levels in its first three channels.
        map: u64,
        /// RGBA8 pixels (n, photo_height, photo_width) from which alpha is copied.
        photo: u64,
        /// RGBA8 pixels (n, height, width) to write.
        picture: u64,
        /// Width of the map in pixels, at least `width`.
        map_width: i32,
        /// Height of the map in pixels, at least `height`.
        map_height: i32,
        /// Channels of the map, padding included.
        channels: i32,
        /// Width of the picture in pixels.
        width: i32,
        /// Height of the picture in pixels.
        height: i32,
        /// Width of the photo in pixels, at least `width`.
        photo_width: i32,
        /// Height of the photo in pixels, at least `height`.
        photo_height: i32,
    }

    /// Of `store_floats_*`.
    StoreFloatsParams = 40 in "elementwise.cu" {
        /// Map (n, map_height, map_width, channels).
        map: u64,
        /// fp32 (n, 3, height, width) to write.
        planes: u64,
        /// Width of the map in pixels, at least `width`.
        map_width: i32,
        /// Height of the map in pixels, at least `height`.
        map_height: i32,
        /// Channels of the map, padding included.
        channels: i32,
        /// Width of the planes in pixels.
        width: i32,
        /// Height of the planes in pixels.
        height: i32,
    }
}
