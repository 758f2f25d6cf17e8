//! The order of the styles in the list, and the number key of each: plain data, stored in the settings.
//!
//! A key belongs to its style regardless of the position, so that adding, removing and moving other styles does not
//! change it.

/// Number keys: 1 to 9.
pub const KEYS: usize = 9;

/// Where to move a style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    Up,
    Down,
    /// Before the style with this id; `None` moves to the end.
    Before(Option<String>),
}

/// The order of styles by their ids, and their number keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StyleOrder {
    /// Every style that was ever listed and not removed by the user, in order.
    ids: Vec<String>,
    /// The style of each key.
    keys: [Option<String>; KEYS],
}

impl StyleOrder {
    /// Restores the order and the keys from the settings; an empty text is a free key.
    pub fn remembered(ids: &[String], keys: &[String]) -> Self {
        let mut order = Self::default();
        for id in ids.iter().filter(|id| !id.is_empty()) {
            if !order.ids.contains(id) {
                order.ids.push(id.clone());
            }
        }
        for (place, id) in keys.iter().take(KEYS).enumerate() {
            let is_free = id.is_empty() || order.key(id).is_some();
            order.keys[place] = (!is_free).then(|| id.clone());
        }
        order
    }

    /// Returns what to store: the ids, and the style of each key up to the last one in use.
    pub fn to_remember(&self) -> (Vec<String>, Vec<String>) {
        let used = self.keys.iter().rposition(Option::is_some);
        let keys = &self.keys[..used.map_or(0, |last| last + 1)];
        let keys = keys.iter().map(|id| id.clone().unwrap_or_default());
        (self.ids.clone(), keys.collect())
    }

    /// Updates the available styles. New styles are added at the end and get free keys; if no key is free, they take
    /// the keys of styles that are not available.
    pub fn take_in<'a>(&mut self, there: impl Iterator<Item = &'a str> + Clone) {
        for id in there.clone() {
            if !self.ids.iter().any(|known| known == id) {
                self.ids.push(id.to_owned());
                self.give_key(id, there.clone());
            }
        }
    }

    fn give_key<'a>(&mut self, id: &str, there: impl Iterator<Item = &'a str> + Clone) {
        if self.key(id).is_some() {
            return;
        }
        let is_gone = |key: &Option<String>| {
            let style = key.as_deref();
            style.is_some_and(|style| there.clone().all(|other| other != style))
        };
        let free = self.keys.iter().position(Option::is_none);
        if let Some(place) = free.or_else(|| self.keys.iter().position(is_gone)) {
            self.keys[place] = Some(id.to_owned());
        }
    }

    /// The style's position in the order; unknown styles are last.
    pub fn place(&self, id: &str) -> usize {
        let place = self.ids.iter().position(|known| known == id);
        place.unwrap_or(self.ids.len())
    }

    /// The next style in the order, listed or not.
    pub fn next(&self, id: &str) -> Option<String> {
        self.ids.get(self.place(id) + 1).cloned()
    }

    /// The style's number key, counted from 0.
    pub fn key(&self, id: &str) -> Option<usize> {
        self.keys.iter().position(|key| key.as_deref() == Some(id))
    }

    /// Notes that a style has a new id.
    pub fn rename(&mut self, old: &str, new: &str) {
        let keys = self.keys.iter_mut().flatten();
        for id in self.ids.iter_mut().chain(keys).filter(|id| *id == old) {
            new.clone_into(id);
        }
    }

    /// Removes a style that the user has removed, and frees its key.
    pub fn forget(&mut self, id: &str) {
        self.ids.retain(|known| known != id);
        for key in &mut self.keys {
            key.take_if(|style| style == id);
        }
    }

    /// Moves a style among the `listed` ones, in their order; returns whether its position changed.
    pub fn shift(&mut self, id: &str, to: &Move, listed: &[&str]) -> bool {
        let Some(at) = listed.iter().position(|other| *other == id) else {
            return false;
        };
        let before = match to {
            Move::Up if at == 0 => return false,
            Move::Down if at + 1 == listed.len() => return false,
            Move::Up => listed.get(at - 1).copied(),
            Move::Down => listed.get(at + 2).copied(),
            Move::Before(other) => other.as_deref(),
        };
        let next = listed.get(at + 1).copied();
        if before == Some(id) || before == next || !self.ids.iter().any(|known| known == id) {
            return false;
        }
        self.ids.retain(|known| known != id);
        let place = match before {
            Some(before) => self.place(before),
            None => self.ids.len(),
        };
        self.ids.insert(place, id.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ids: &[&str]) -> StyleOrder {
        let mut order = StyleOrder::default();
        order.take_in(ids.iter().copied());
        order
    }

    #[test]
    fn new_styles_come_last_and_shift_no_key() {
        let mut order = of(&["wave", "candy"]);
        order.take_in(["candy", "art", "wave"].into_iter());
        assert_eq!(order.to_remember().0, ["wave", "candy", "art"]);
        assert_eq!(["wave", "candy", "art"].map(|id| order.key(id)), [0, 1, 2].map(Some));
        // A style that is temporarily not available keeps both.
        order.take_in(["art", "new"].into_iter());
        assert_eq!((order.key("candy"), order.key("new")), (Some(1), Some(3)));
        order.forget("candy");
        order.take_in(["art", "wave", "next"].into_iter());
        assert_eq!((order.key("art"), order.key("next")), (Some(2), Some(1)));
        assert_eq!(order.place("next"), 3);
    }

    #[test]
    fn the_tenth_style_has_the_key_of_one_that_is_gone_or_none() {
        let names: Vec<String> = (0..10).map(|n| format!("s{n}")).collect();
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let order = of(&all);
        assert_eq!((order.key("s8"), order.key("s9")), (Some(8), None));
        let mut order = of(&all[..9]);
        let there = all[..4].iter().chain(&all[5..]).copied();
        order.take_in(there);
        assert_eq!((order.key("s9"), order.key("s4")), (Some(4), None));
    }

    #[test]
    fn a_moved_style_takes_its_key_along() {
        let listed = ["a", "b", "c"];
        let mut order = of(&listed);
        assert!(order.shift("c", &Move::Before(Some("a".to_owned())), &listed));
        assert_eq!(
            order.to_remember(),
            (["c", "a", "b"].map(str::to_owned).to_vec(), listed.map(str::to_owned).to_vec())
        );
        let listed = ["c", "a", "b"];
        assert!(order.shift("c", &Move::Down, &listed));
        assert!(order.shift("b", &Move::Up, &["a", "c", "b"]));
        assert_eq!(order.to_remember().0, ["a", "b", "c"]);
        assert!(order.shift("a", &Move::Before(None), &["a", "b", "c"]));
        assert_eq!(order.to_remember().0, ["b", "c", "a"]);
        for (id, to) in [
            ("b", Move::Up),
            ("a", Move::Down),
            ("a", Move::Before(None)),
            ("b", Move::Before(Some("b".to_owned()))),
            ("b", Move::Before(Some("c".to_owned()))),
            ("unknown", Move::Up),
        ] {
            assert!(!order.shift(id, &to, &["b", "c", "a"]), "{id} {to:?}");
        }
    }

    #[test]
    fn styles_that_are_not_listed_stay_where_they_are() {
        let mut order = of(&["a", "hidden", "b", "c"]);
        assert!(order.shift("c", &Move::Up, &["a", "b", "c"]));
        assert_eq!(order.to_remember().0, ["a", "hidden", "c", "b"]);
    }

    #[test]
    fn what_is_remembered_is_read_again_and_nonsense_is_left_out() {
        let texts = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let ids = texts(&["b", "a"]);
        let keys = texts(&["", "a", "b"]);
        let order = StyleOrder::remembered(&ids, &keys);
        assert_eq!(order.to_remember(), (ids, keys));
        assert_eq!((order.key("a"), order.key("b")), (Some(1), Some(2)));
        let many: Vec<String> = (0..20).map(|_| "a".to_owned()).collect();
        let order = StyleOrder::remembered(&many, &many);
        assert_eq!(order.to_remember(), (texts(&["a"]), texts(&["a"])));
        let mut order = order;
        order.rename("a", "z");
        assert_eq!((order.place("z"), order.key("z")), (0, Some(0)));
    }
}
