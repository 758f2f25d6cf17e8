//! What a picture can be for.

/// What pictures that come from outside are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureUse {
    /// To be painted.
    Photo,
    /// To be painted one after the other, as a person chooses: the first is opened, and the others wait in the list of
    /// recent photos.
    OneByOne,
    /// To be a style.
    Style,
    /// Nobody said: a photo, and a message offers the other.
    Unsaid,
    /// A question asks.
    Asked,
}
