//! How values are written in the settings file if serde's derived form does not fit.

use std::{
    fmt::Display,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// An integer from `MIN` to `MAX`.
pub fn integer<'de, D, T, const MIN: i64, const MAX: i64>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    Some(i64::deserialize(from)?)
        .filter(|value| (MIN..=MAX).contains(value))
        .and_then(|value| T::try_from(value).ok())
        .ok_or_else(|| D::Error::custom(format!("expected an integer of {MIN} to {MAX}")))
}

/// As [`integer`], for an optional value.
pub fn optional_integer<'de, D, T, const MIN: i64, const MAX: i64>(
    from: D,
) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    integer::<D, T, MIN, MAX>(from).map(Some)
}

/// Values in their text form.
pub mod text {
    use super::*;

    pub fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub fn deserialize<'de, D, T>(from: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: Display>,
    {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// As [`text`], for optional values; `None` is not written.
pub mod optional_text {
    use super::*;

    pub fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(T::to_string).serialize(to)
    }

    pub fn deserialize<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: Display>,
    {
        text::deserialize(from).map(Some)
    }
}

/// Ids and weights from 0 to 100, as a list of `id=weight`.
pub mod mix {
    use super::*;

    pub fn serialize<S: Serializer>(mix: &[(String, u8)], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(mix.iter().map(|(id, weight)| format!("{id}={weight}")))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, u8)>, D::Error> {
        let part = |text: &String| {
            let (id, weight) = text.rsplit_once('=')?;
            let weight = weight.parse().ok().filter(|weight| *weight <= 100)?;
            (!id.is_empty()).then(|| (id.to_owned(), weight))
        };
        Vec::<String>::deserialize(from)?
            .iter()
            .map(part)
            .collect::<Option<_>>()
            .ok_or_else(|| D::Error::custom("expected a list of names with weights of 0 to 100"))
    }
}

/// A path. TOML cannot represent a path that is not valid Unicode, so such a path is not saved.
pub fn write_path<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    path.as_deref().and_then(Path::to_str).serialize(to)
}

/// As [`write_path`].
pub fn write_paths<S: Serializer>(paths: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(paths.iter().filter_map(|path| path.to_str()))
}

/// Width and height of the window, as separate keys.
pub mod window_size {
    use super::*;

    /// Minimum side, in points.
    const MIN_SIDE: i64 = 200;

    #[derive(Default, Serialize, Deserialize)]
    #[serde(default)]
    struct Keys {
        #[serde(deserialize_with = "optional_integer::<_, _, 1, 100_000>")]
        window_width: Option<i64>,
        #[serde(deserialize_with = "optional_integer::<_, _, 1, 100_000>")]
        window_height: Option<i64>,
    }

    pub fn serialize<S: Serializer>(size: &Option<(f32, f32)>, to: S) -> Result<S::Ok, S::Error> {
        let [window_width, window_height] = [size.map(|s| s.0 as i64), size.map(|s| s.1 as i64)];
        Keys { window_width, window_height }.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<(f32, f32)>, D::Error> {
        let Keys { window_width, window_height } = Keys::deserialize(from)?;
        let size = window_width.zip(window_height);
        let usable = size.filter(|(width, height)| *width.min(height) >= MIN_SIDE);
        Ok(usable.map(|(width, height)| (width as f32, height as f32)))
    }
}
