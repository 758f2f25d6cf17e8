use settings::Settings;

/// Reads a settings file. For any content, the file that is written back means the same, and entries
/// that were not understood are kept.
pub fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok((settings, warnings)) = Settings::from_text(text) else {
        return;
    };
    let written = match settings.to_text() {
        Ok(written) => written,
        Err(error) => panic!("settings that were read cannot be written: {error}"),
    };
    let (again, still) = match Settings::from_text(&written) {
        Ok(read) => read,
        Err(error) => panic!("settings that were written cannot be read: {error}\n{written}"),
    };
    assert_eq!(still, warnings, "{written}");
    assert_eq!(again.to_text().ok().as_ref(), Some(&written));
    assert_eq!(again.choices, settings.choices);
    assert_eq!(again.live, settings.live);
    assert_eq!(again.state, settings.state);
}
