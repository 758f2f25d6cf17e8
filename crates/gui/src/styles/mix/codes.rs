//! What a mix is made from: the codes of its styles, which must come from the same network.

use std::sync::{Arc, Mutex};

use engine::{
    network_choice::{NetworkChoice, NetworkChoiceError},
    style_picture::StylePictureError,
};
use network::{Network, models::vit::StyleCode};
use values::lock::lock;
use weights::{CodeOf, MadeBy, NetworkLibrary, Style, StyleNetwork};

/// The codes of a mix with their weights, and their network.
pub struct MixedCodes {
    network: StyleNetwork,
    codes: Vec<(StyleCode, f64)>,
}

impl MixedCodes {
    /// The network that paints in the mix.
    ///
    /// # Errors
    /// [`NetworkChoiceError::Mix`] if all weights are zero.
    pub fn painting(&self) -> Result<Arc<Network>, NetworkChoiceError> {
        let chosen = NetworkChoice::Mix(&self.network, &self.codes).load()?;
        Ok(chosen.with_margin(None).network)
    }

    /// What is stored of the mix.
    ///
    /// # Errors
    /// [`StylePictureError`] if all weights are zero.
    pub fn kept(&self) -> Result<CodeOf, StylePictureError> {
        let parts: Vec<_> = self.codes.iter().map(|(code, weight)| (code, *weight)).collect();
        Ok(CodeOf {
            code: StyleCode::mixed(&parts).ok_or(StylePictureError::Nothing)?,
            network: self.network.name.clone(),
        })
    }
}

/// The network of the last mix. A large network is read once, not for every step of a slider.
#[derive(Default)]
pub struct LastNetwork(Mutex<Option<StyleNetwork>>);

impl LastNetwork {
    /// Reads the codes of these styles and, if it differs from the previous one, their network.
    ///
    /// # Errors
    /// A message for the user: why the styles cannot be mixed.
    pub fn codes(
        &self,
        networks: &NetworkLibrary,
        parts: &[(Style, u8)],
    ) -> Result<MixedCodes, String> {
        let Some(made_by) = same_network(parts)? else {
            return Err("None of the mixed styles exists any more.".to_owned());
        };
        let network = self.network(networks, made_by)?;
        let code = |(style, weight): &(Style, u8)| match style.code(&network) {
            Ok(Some(code)) => Ok((code, f64::from(*weight))),
            Ok(None) => Err(no_picture(style)),
            Err(error) => Err(format!("{} could not be loaded. {error}.", style.title)),
        };
        let codes = parts.iter().map(code).collect::<Result<_, _>>()?;
        Ok(MixedCodes { network, codes })
    }

    fn network(&self, networks: &NetworkLibrary, made_by: &MadeBy) -> Result<StyleNetwork, String> {
        let mut last = lock(&self.0);
        let is_it = |network: &&StyleNetwork| {
            network.name == made_by.network && network.transformer.id().to_string() == made_by.id
        };
        if let Some(network) = last.as_ref().filter(is_it) {
            return Ok(network.clone());
        }
        let network = networks
            .find_made_by(made_by)
            .map_err(|error| format!("The styles cannot be mixed: {error}."))?;
        Ok(last.insert(network).clone())
    }
}

/// The network that made all of these styles; `None` without styles.
fn same_network(parts: &[(Style, u8)]) -> Result<Option<&MadeBy>, String> {
    let mut made = parts.iter().map(|(style, _)| match &style.made_by {
        Some(made_by) => Ok((style, made_by)),
        None => Err(no_picture(style)),
    });
    let Some((first, of_first)) = made.next().transpose()? else {
        return Ok(None);
    };
    for other in made {
        let (style, made_by) = other?;
        if let Some(why) = why_not_mixed(made_by, of_first) {
            return Err(format!("{} cannot be mixed with {}: {why}.", style.title, first.title));
        }
    }
    Ok(Some(of_first))
}

fn no_picture(style: &Style) -> String {
    format!("Only styles made from pictures can be mixed; {} is not one.", style.title)
}

/// Why a style made by one network cannot be mixed with one made by another; `None` if the networks are the same.
pub fn why_not_mixed(made_by: &MadeBy, wanted: &MadeBy) -> Option<String> {
    if made_by.is_same_network(wanted) {
        return None;
    }
    Some(if made_by.network == wanted.network {
        format!("it was made by another version of {wanted}")
    } else {
        format!("it was made by {made_by}, the other by {wanted}")
    })
}

#[cfg(test)]
mod tests {
    use std::{fs::File, path::Path};

    use super::*;
    use crate::styles::source::{Library, StyleSource};
    use engine::style_picture;
    use pictures::encode::{self, Encoding, Existing, Format};
    use values::frame::Frame;
    use weights::StyleLibrary;

    /// A library with styles from two networks: `barn` and `night` by one of the user's own, `sea` by the built-in one.
    fn library(place: &Path) -> StyleLibrary {
        let golden = crate::home::project().join("tests/golden/style_networks.tar.xz");
        let packed = File::open(golden).expect("the archive is there");
        let mut archive = tar::Archive::new(lzma_rust2::XzReader::new(packed, false));
        archive.unpack(place).expect("unpacked");
        let mut library = StyleLibrary::open(&[], place.join("styles"));
        let file = place.join("small8.safetensors");
        let mine = library.import_network(&file, Some("mine")).expect("kept");
        let any = StyleNetwork::built_in().expect("inside the program");
        for (name, network, level) in
            [("barn", &mine, 200), ("night", &mine, 20), ("sea", &any, 90)]
        {
            let file = place.join(format!("{name}.png"));
            let picture = Frame::from_fn(30, 20, |x, y| [level, (8 * x) as u8, (9 * y) as u8, 255]);
            let png = Encoding::of(Format::Png);
            encode::save(&file, &picture, None, png, Existing::Keep).expect("saved");
            style_picture::import(&mut library, &file, None, network).expect("kept");
        }
        library
    }

    fn parts(names: [&str; 2]) -> [(String, u8); 2] {
        names.map(|name| (name.to_owned(), 50))
    }

    #[test]
    fn pictures_of_one_network_are_mixed_and_the_mix_remembers_it() {
        let place = tempfile::tempdir().expect("a folder");
        let library = library(place.path());
        let mine = library.networks().find("mine").expect("kept");
        let code = |library: &StyleLibrary, name: &str| {
            library.find(name).expect("kept").code(&mine).expect("read").expect("of a picture")
        };
        let (barn, night) = (code(&library, "barn"), code(&library, "night"));
        let plain = style_picture::network_of(&mine.transformer, &[(&barn, 1.0), (&night, 1.0)]);
        let wanted = Network::clone(&plain.expect("mixed")).with_margin(8);
        let style_source = Library::of(library);
        let mixed = style_source.mix(&parts(["barn", "night"])).expect("mixed");
        assert!(*mixed.network == wanted);
        let kept = style_source.keep_mix(&parts(["barn", "night"]), "Both", "two");
        assert_eq!(kept, Ok("both".to_owned()));
        assert_eq!(style_source.rename("both", "Two"), Ok("two".to_owned()));
        let again = style_source.mix(&parts(["two", "two"])).expect("mixed");
        assert!(*again.network == wanted);
        let opened = StyleLibrary::open(&[], place.path().join("styles"));
        let two = opened.find("two").expect("kept");
        let made_by = two.made_by.as_ref().expect("of pictures");
        assert_eq!(made_by.network, "mine");
        assert!(
            code(&opened, "two")
                == StyleCode::mixed(&[(&barn, 1.0), (&night, 1.0)]).expect("mixed")
        );
    }

    #[test]
    fn pictures_of_two_networks_are_not_mixed_and_both_are_named() {
        let place = tempfile::tempdir().expect("a folder");
        let mut library = library(place.path());
        let style_source = Library::of(library.clone());
        let refusal = "sea cannot be mixed with barn: it was made by the built-in network, the other by the network mine.";
        let mix = parts(["barn", "sea"]);
        assert_eq!(style_source.mix(&mix).map(|_| ()), Err(refusal.to_owned()));
        let kept = style_source.keep_mix(&mix, "Both", "two");
        assert_eq!(kept, Err(refusal.to_owned()));
        // Another network under the same name, which has encoded another picture.
        library.networks().remove("mine").expect("removed");
        let file = place.path().join("small.safetensors");
        let other = library.import_network(&file, Some("mine")).expect("kept");
        let file = place.path().join("night.png");
        style_picture::import(&mut library, &file, Some("dusk"), &other).expect("kept");
        let style_source = Library::of(library.clone());
        let refusal = style_source.mix(&parts(["barn", "dusk"])).map(|_| ());
        let why =
            "dusk cannot be mixed with barn: it was made by another version of the network mine.";
        assert_eq!(refusal, Err(why.to_owned()));
        assert!(style_source.mix(&parts(["dusk", "dusk"])).is_ok());
        let refusal = style_source.mix(&parts(["barn", "night"])).map(|_| ());
        assert!(refusal.is_err_and(|why| why.contains("another version of the network mine")));
        // No network has that name.
        library.networks().remove("mine").expect("removed");
        let style_source = Library::of(library);
        let refusal = style_source.mix(&parts(["barn", "night"])).map(|_| ());
        assert!(
            refusal.is_err_and(|why| why.contains("no network for style pictures is named mine"))
        );
    }
}
