//! From HDR to sRGB, for photos and films: light up to nearly that of white paper stays as it is, brighter light
//! approaches the display's maximum.

use moxcms::{CmsError, ColorProfile, Matrix3d, TransferCharacteristics, TransformExecutor};

/// Light of white paper (ITU-R BT.2408), in candelas per square metre.
const REFERENCE_WHITE: f64 = 203.0;
/// Light, 1 for reference white, from which on it is reduced. White becomes level 247.
const KNEE: f32 = 0.875;
const PQ_MAX: f64 = 10_000.0;
/// HLG's usual display, and the exponent of its gamma (ITU-R BT.2100), which moxcms applies to each channel.
const HLG_MAX: f64 = 1000.0;
const HLG_GAMMA: f64 = 1.2;
const LUMINANCE: [f32; 3] = [0.2126, 0.7152, 0.0722];
const MAX_LEVEL: f32 = u16::MAX as f32;

/// The conversion of 16-bit RGBA.
pub(super) struct Hdr {
    /// The light of each level: of HLG that of the scene, otherwise 1 for reference white.
    light: Vec<f32>,
    /// To linear light in sRGB.
    matrix: Matrix3d,
    is_hlg: bool,
    /// sRGB's levels of linear light.
    levels: Vec<u16>,
}

impl Hdr {
    /// From a profile with a matrix. `None` for curves other than PQ and HLG.
    pub fn of(profile: &ColorProfile) -> Option<Self> {
        let points = profile.cicp.as_ref();
        let curve =
            points.map_or_else(|| curve_of(profile), |p| Some(p.transfer_characteristics))?;
        let (max, exponent) = match curve {
            TransferCharacteristics::Smpte2084 => (PQ_MAX / REFERENCE_WHITE, 1.0),
            TransferCharacteristics::Hlg => (1.0, 1.0 / HLG_GAMMA),
            _ => return None,
        };
        let fractions = || (0..=u16::MAX).map(|level| f64::from(level) / f64::from(u16::MAX));
        let light = |level: f64| (max * curve.linearize(level).powf(exponent)) as f32;
        let srgb = TransferCharacteristics::Srgb;
        let level = |light: f64| (srgb.gamma(light) * f64::from(u16::MAX)).round() as u16;
        Some(Self {
            light: fractions().map(light).collect(),
            matrix: profile.transform_matrix(&ColorProfile::new_srgb()),
            is_hlg: curve == TransferCharacteristics::Hlg,
            levels: fractions().map(level).collect(),
        })
    }

    pub fn name(&self) -> &'static str {
        if self.is_hlg { "HLG" } else { "PQ" }
    }
}

impl TransformExecutor<u16> for Hdr {
    fn transform(&self, from: &[u16], to: &mut [u16]) -> Result<(), CmsError> {
        let matrix = self.matrix.v.map(|row| row.map(|factor| factor as f32));
        let dot = |a: [f32; 3], b: [f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        for (from, to) in from.as_chunks::<4>().0.iter().zip(to.as_chunks_mut::<4>().0) {
            let stored = [0, 1, 2].map(|channel| self.light[usize::from(from[channel])]);
            let mut light = matrix.map(|row| dot(row, stored));
            if self.is_hlg {
                let max = (HLG_MAX / REFERENCE_WHITE) as f32;
                let luminance = dot(LUMINANCE, light).max(0.0);
                let factor = max * luminance.powf((HLG_GAMMA - 1.0) as f32);
                light = light.map(|light| factor * light);
            }
            // The same factor for all channels keeps hue and saturation.
            let brightest = light.into_iter().fold(0.0, f32::max);
            let factor = if brightest > KNEE { reduced(brightest) / brightest } else { 1.0 };
            for (to, light) in to.iter_mut().zip(light) {
                // Casts of floats clamp.
                *to = self.levels[usize::from((light * factor * MAX_LEVEL).round() as u16)];
            }
            to[3] = from[3];
        }
        Ok(())
    }
}

/// The HDR curve that the profile's own curves describe.
fn curve_of(profile: &ColorProfile) -> Option<TransferCharacteristics> {
    if !profile.is_matrix_shaper() {
        return None;
    }
    let own = profile.red_trc.as_ref()?.make_linear_evaluator().ok()?;
    // Other curves differ by a third at one of them.
    let is_near = |curve: TransferCharacteristics, exponent: f64| {
        [0.5, 0.75].into_iter().all(|level: f64| {
            let light = curve.linearize(level).powf(exponent);
            let own = f64::from(own.evaluate_value(level as f32));
            (own - light).abs() < 0.1 * light
        })
    };
    let [pq, hlg] = [TransferCharacteristics::Smpte2084, TransferCharacteristics::Hlg];
    // HLG's light is that of the scene or of the display.
    let is_hlg = || is_near(hlg, 1.0) || is_near(hlg, 1.0 / HLG_GAMMA);
    if is_near(pq, 1.0) { Some(pq) } else { is_hlg().then_some(hlg) }
}

/// Reduces light above the knee, smoothly, to less than 1.
fn reduced(light: f32) -> f32 {
    let (room, above) = (1.0 - KNEE, light - KNEE);
    KNEE + room * above / (room + above)
}
