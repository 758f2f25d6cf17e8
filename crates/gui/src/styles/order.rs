//! The order of the styles in the list: plain data, stored in the settings.

use crate::choice::rename;

/// Where to move a style.
#[derive(Debug, Clone, PartialEq)]
pub enum Move {
    Up,
    Down,
    /// Before the style with this id; `None` moves to the end.
    Before(Option<String>),
}

/// The ids of every style that was ever listed and not removed by the user, in order.
#[derive(Clone, Default, PartialEq)]
pub struct StyleOrder {
    pub ids: Vec<String>,
}

impl StyleOrder {
    /// Adds the new ones of these styles at the end.
    pub fn add<'a>(&mut self, ids: impl Iterator<Item = &'a str>) {
        for id in ids.filter(|id| !id.is_empty()) {
            if self.place(id) == self.ids.len() {
                self.ids.push(id.to_owned());
            }
        }
    }

    /// The style's position in the order; unknown styles are last.
    pub fn place(&self, id: &str) -> usize {
        self.ids.iter().position(|known| known == id).unwrap_or(self.ids.len())
    }

    /// The next style in the order, listed or not.
    pub fn next(&self, id: &str) -> Option<String> {
        self.ids.get(self.place(id) + 1).cloned()
    }

    /// Notes that a style has a new id.
    pub fn rename(&mut self, old: &str, new: &str) {
        rename(&mut self.ids, old, new);
    }

    /// Removes a style that the user has removed.
    pub fn forget(&mut self, id: &str) {
        self.ids.retain(|known| known != id);
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
        if before == Some(id) || before == listed.get(at + 1).copied() {
            return false;
        }
        self.forget(id);
        let place = before.map_or(self.ids.len(), |before| self.place(before));
        self.ids.insert(place, id.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ids: &[&str]) -> StyleOrder {
        let mut order = StyleOrder::default();
        order.add(ids.iter().copied());
        order
    }

    #[test]
    fn new_styles_come_last() {
        let mut order = of(&["wave", "candy"]);
        order.add(["candy", "art", "wave"].into_iter());
        assert_eq!(order.ids, ["wave", "candy", "art"]);
        // A style that is temporarily not available keeps its position.
        order.add(["art", "new"].into_iter());
        assert_eq!((order.place("candy"), order.place("new")), (1, 3));
        order.forget("candy");
        order.add(["art", "wave", "next"].into_iter());
        assert_eq!(order.place("next"), 3);
    }

    #[test]
    fn a_style_is_moved_among_the_listed_ones() {
        let mut order = of(&["a", "b", "c"]);
        assert!(order.shift("c", &Move::Before(Some("a".to_owned())), &["a", "b", "c"]));
        assert_eq!(order.ids, ["c", "a", "b"]);
        assert!(order.shift("c", &Move::Down, &["c", "a", "b"]));
        assert!(order.shift("b", &Move::Up, &["a", "c", "b"]));
        assert_eq!(order.ids, ["a", "b", "c"]);
        assert!(order.shift("a", &Move::Before(None), &["a", "b", "c"]));
        assert_eq!(order.ids, ["b", "c", "a"]);
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
        assert_eq!(order.ids, ["a", "hidden", "c", "b"]);
    }

    #[test]
    fn a_stored_order_has_no_duplicates_and_follows_new_ids() {
        let mut order = of(&["b", "a", "b", ""]);
        assert_eq!(order.ids, ["b", "a"]);
        order.rename("a", "z");
        assert_eq!(order.place("z"), 1);
    }
}
