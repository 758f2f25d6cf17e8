//! Pictures as styles of live painting: dropped while others are painted, and mixed.

use std::{sync::Arc, time::Instant};

use engine::style_picture;
use libtest_mimic::Failed;
use network::Network;
use pictures::{
    decode,
    encode::{self, Encoding, Existing, Format},
};
use weights::StyleNetwork;

use super::{live::Studio, shipped::waves};

/// The networks of two pictures and of a mix of them.
pub fn networks() -> Result<[Arc<Network>; 3], Failed> {
    let transformer = &StyleNetwork::built_in()?.transformer;
    let first = style_picture::code_of(transformer, &waves(640, 480, 1))?;
    let second = style_picture::code_of(transformer, &waves(500, 700, 2))?;
    let of = |parts: &[_]| style_picture::network_of(transformer, parts);
    Ok([of(&[(&first, 1.0)])?, of(&[(&second, 1.0)])?, of(&[(&first, 0.6), (&second, 0.4)])?])
}

/// Seconds from the drop of a file to the first live picture in its style: the file is read and its style computed on
/// the CPU, then its network paints. The network for style pictures is already loaded, as in a window that shows such
/// styles.
pub fn seconds_to_first_picture(studio: &mut Studio) -> Result<f64, Failed> {
    let any = StyleNetwork::built_in()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("painting.jpg");
    let encoding = Encoding::of(Format::Jpeg);
    encode::save(&file, &waves(1600, 1200, 5), None, encoding, Existing::Keep)?;
    let dropped = Instant::now();
    let read = decode::from_path(&file)?;
    let (seen, _) = style_picture::look_at(&any, &read.frame)?;
    let network = style_picture::network_of(&any.transformer, &[(&seen.code, 1.0)])?;
    let seen_s = dropped.elapsed().as_secs_f64();
    studio.settings.stylization.network = Some(network.into());
    let number = studio.engine.set_live(studio.settings.clone());
    studio.until("the first picture in its style", |p| {
        p.facts.is_some_and(|f| f.settings >= number)
    })?;
    let took_s = dropped.elapsed().as_secs_f64();
    println!("a dropped picture is seen after {seen_s:.2} s and paints after {took_s:.2} s");
    Ok(took_s)
}
