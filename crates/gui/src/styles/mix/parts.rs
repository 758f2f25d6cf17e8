//! The styles of a mix and their weights. Plain data.

use itertools::Itertools;
use settings::painted_with::MAX_STYLES;

/// Maximum number of other styles in a mix.
pub const MAX_OTHERS: usize = MAX_STYLES - 1;
/// The default weight of a style.
const USUAL_WEIGHT: u8 = 50;

/// The styles of a mix and their weights, which are above zero; empty without a mix.
pub type Parts = Vec<(String, u8)>;

/// The chosen style, which is first, and the styles that are mixed with it, with their weights, 0 to 100; empty if no
/// style is chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mix {
    pub styles: Parts,
}

impl Mix {
    /// A style alone.
    pub fn of(style: Option<String>) -> Self {
        Self { styles: style.into_iter().map(|style| (style, USUAL_WEIGHT)).collect() }
    }

    /// The mix in the settings. Removes duplicates and limits the number of other styles.
    pub fn remembered(style: Option<&String>, own: Option<u8>, others: &Parts) -> Self {
        let mut mix = Self::of(style.cloned());
        if let Some((_, weight)) = mix.styles.first_mut() {
            *weight = own.unwrap_or(USUAL_WEIGHT);
            for other in others {
                if !mix.has(&other.0) {
                    mix.styles.push(other.clone());
                }
            }
        }
        mix.styles.truncate(1 + MAX_OTHERS);
        mix
    }

    /// The chosen style.
    pub fn style(&self) -> Option<&str> {
        self.styles.first().map(|(style, _)| style.as_str())
    }

    /// What is mixed with the chosen style.
    pub fn others(&self) -> &[(String, u8)] {
        self.styles.get(1..).unwrap_or_default()
    }

    pub fn has(&self, style: &str) -> bool {
        self.styles.iter().any(|(id, _)| id == style)
    }

    /// The weight of the chosen style for the settings; `None` if it is the default and nothing is mixed.
    pub fn own_weight(&self) -> Option<u8> {
        let (_, own) = self.styles.first()?;
        (*own != USUAL_WEIGHT || self.styles.len() > 1).then_some(*own)
    }

    /// The styles of the mix; empty if only the chosen style is left.
    pub fn parts(&self) -> Parts {
        if self.others().iter().all(|(_, weight)| *weight == 0) {
            return Parts::new();
        }
        self.styles.iter().filter(|(_, weight)| *weight > 0).cloned().collect()
    }

    /// The weights of all styles as percentages.
    pub fn shares(&self) -> Vec<u8> {
        let weights: Vec<u8> = self.styles.iter().map(|(_, weight)| *weight).collect();
        parts_of(100, &weights).into_iter().map(|share| share.min(100) as u8).collect()
    }

    /// Sets the shares of all styles.
    pub fn set_shares(&mut self, shares: &[u8]) {
        for ((_, weight), share) in self.styles.iter_mut().zip(shares) {
            *weight = *share;
        }
    }

    /// Adds a style with an equal share; the others keep their ratio.
    pub fn add(&mut self, style: String) {
        let last = self.styles.len();
        self.styles.push((style, 0));
        self.set_shares(&with_share(&self.shares(), last, usual_share(last + 1)));
    }

    /// Removes the style at this index; the rest keep their ratio.
    pub fn remove(&mut self, place: usize) {
        self.styles.remove(place);
        match self.styles.as_mut_slice() {
            [(_, own)] => *own = USUAL_WEIGHT,
            _ => self.set_shares(&self.shares()),
        }
    }
}

/// The name of a mix in file names, as on the command line.
pub fn label(parts: &Parts) -> String {
    parts.iter().map(|(style, _)| style).join("+")
}

/// Divides `whole` into integers in the ratio of these weights.
fn parts_of(whole: u32, weights: &[u8]) -> Vec<u32> {
    let total: u32 = weights.iter().copied().map(u32::from).sum();
    let mut sum = 0;
    let mut given = 0;
    let share = |&weight: &u8| {
        // Rounding a running sum carries the rounding error to the next part.
        sum += u32::from(weight);
        let until = (2 * whole * sum + total) / (2 * total.max(1));
        let share = until - given;
        given = until;
        share
    };
    weights.iter().map(share).collect()
}

/// The default share of each of `styles` styles, in percent.
pub fn usual_share(styles: usize) -> u8 {
    (100 / styles.max(1)) as u8
}

/// Sets the share at `place` in a list of shares that add up to 100. The others divide the rest in their previous
/// ratio, or equally if they were all zero.
pub fn with_share(shares: &[u8], place: usize, share: u8) -> Vec<u8> {
    let share = share.min(100);
    let mut rest: Vec<u8> = shares.to_vec();
    rest.remove(place);
    if rest.iter().all(|weight| *weight == 0) {
        rest.fill(1);
    }
    let mut others = parts_of(100 - u32::from(share), &rest).into_iter();
    (0..shares.len())
        .map(|at| if at == place { share } else { others.next().unwrap_or_default() as u8 })
        .collect()
}

/// The mix as text, with the titles of its styles.
pub fn text<'a>(parts: &'a Parts, title: impl Fn(&'a str) -> &'a str) -> String {
    let weights: Vec<u8> = parts.iter().map(|(_, weight)| *weight).collect();
    let shares = parts.iter().zip(parts_of(100, &weights));
    shares.map(|((style, _), share)| format!("{} {share} %", title(style))).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(own: u8, others: &[(&str, u8)]) -> Mix {
        let styles = [("a", own)].into_iter().chain(others.iter().copied());
        Mix { styles: styles.map(|(s, w)| (s.to_owned(), w)).collect() }
    }

    #[test]
    fn a_mix_has_the_styles_with_a_weight() {
        let parts = |mix: &Mix| label(&mix.parts());
        assert_eq!(parts(&mix(50, &[])), "");
        assert_eq!(parts(&mix(50, &[("b", 0)])), "");
        assert_eq!(parts(&mix(0, &[("b", 0)])), "");
        assert_eq!(parts(&mix(0, &[("b", 1)])), "b");
        assert_eq!(parts(&mix(50, &[("b", 0), ("c", 9)])), "a+c");
    }

    #[test]
    fn stored_settings_become_a_possible_mix() {
        let part = |id: &str| (id.to_owned(), 40);
        let others = ["a", "b", "b", "c", "d", "e"].map(part).to_vec();
        let style = "a".to_owned();
        let remembered = Mix::remembered(Some(&style), Some(30), &others);
        assert_eq!(remembered, mix(30, &[("b", 40), ("c", 40), ("d", 40)]));
        assert_eq!(Mix::remembered(None, Some(30), &others), Mix::default());
        assert_eq!(Mix::remembered(Some(&style), None, &Parts::new()), mix(50, &[]));
    }

    #[test]
    fn one_share_changes_and_the_others_keep_their_ratio() {
        assert_eq!(with_share(&[50, 50], 1, 25), [75, 25]);
        assert_eq!(with_share(&[20, 40, 40], 0, 50), [50, 25, 25]);
        assert_eq!(with_share(&[100, 0, 0], 0, 40), [40, 30, 30]);
        assert_eq!(with_share(&[10, 30, 60], 2, 100), [0, 0, 100]);
        let mut mixed = mix(70, &[]);
        mixed.add("b".to_owned());
        assert_eq!(mixed, mix(50, &[("b", 50)]));
        mixed.set_shares(&[80, 20]);
        mixed.add("c".to_owned());
        assert_eq!(mixed, mix(54, &[("b", 13), ("c", 33)]));
        mixed.remove(1);
        assert_eq!(mixed.shares().iter().sum::<u8>(), 100);
        mixed.remove(1);
        assert_eq!(mixed, mix(50, &[]));
    }

    #[test]
    fn shares_add_up() {
        assert_eq!(parts_of(100, &[50, 50]), [50, 50]);
        assert_eq!(parts_of(100, &[1, 1, 1]), [33, 34, 33]);
        assert_eq!(parts_of(100, &[100, 0, 1]), [99, 0, 1]);
        assert_eq!(parts_of(100, &[0, 0]), [0, 0]);
        let parts = mix(70, &[("b", 30)]).parts();
        assert_eq!(text(&parts, |style| style), "a 70 %, b 30 %");
    }
}
