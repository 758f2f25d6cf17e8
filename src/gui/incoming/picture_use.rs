//! How dropped or pasted pictures are used.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureUse {
    /// Paint it.
    Photo,
    /// Paint them one after the other, as the user chooses: open the first one, and add the others to the list of
    /// recent photos.
    OneByOne,
    /// Add it as a style.
    Style,
    /// Not specified: open it as a photo, and show a message that offers to make a style of it.
    Unsaid,
    /// Ask the user.
    Asked,
}
