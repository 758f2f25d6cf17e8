//! Parameter block of steadying.

params! {
    /// Of all entries of `steady.cu`.
    SteadyParams = 176 in "steady.cu" {
        /// RGBA8 (height, width), steadied in place.
        painting: u64,
        /// RGBA8 (height, row).
        photo: u64,
        /// Luma of this frame at half size, all levels.
        now: u64,
        /// The same of the frame before.
        before: u64,
        /// Slightly blurred luma of this frame, finest level.
        soft_now: u64,
        /// The same of the frame before.
        soft_before: u64,
        /// Patches of all levels, both directions.
        patches: u64,
        /// Motion per pixel in both directions.
        flow: u64,
        /// Chosen motion and confidence per pixel.
        field: u64,
        /// 1 where a pixel follows the camera.
        follows: u64,
        /// Points that may vote for the camera's motion.
        candidates: u64,
        /// Points that vote.
        points: u64,
        /// Sums of CTAs.
        partials: u64,
        /// Decisions about the whole frame.
        state: u64,
        /// Energy of the painting's detail; then luma of the mixed painting.
        energy: u64,
        /// The mixed painting, which the next frame needs.
        history: u64,
        /// The same of the frame before.
        previous: u64,
        /// Lanczos weights.
        taps: u64,
        /// Width of the painting in pixels.
        width: i32,
        /// Height of the painting in pixels.
        height: i32,
        /// Pixels from a row of the photo to the next.
        row: i32,
        /// Levels of the pyramid.
        levels: i32,
        /// Level of this launch.
        level: i32,
        /// Step of this launch.
        step: i32,
        /// 0 if the painting before is not used.
        continues: i32,
        /// Steadiness, 0 to 1.
        share: f32,
    }
}
