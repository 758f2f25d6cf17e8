//! Layout in little space, and compact layout in much space.

use eframe::egui::{Key, Rect, Role, Shape, ViewportCommand, ViewportId, pos2, vec2};
use egui_kittest::kittest::{Queryable, by};

use crate::{
    scripted::own_card,
    window::{Window, saves_there},
};

#[test]
fn the_zoom_fits_below_the_controls_of_a_narrow_window() {
    let mut w = Window::sized(720.0, 480.0);
    w.set_scale(2.0);
    w.until_label("Candy");
    w.open_photo(40, 30);
    w.click("Candy");
    w.until_painted();
    w.click("Adjust");
    w.until_label("Detail");
    w.step();
    // Below the controls and the picture.
    let picture = w.harness.get_by_label_contains("Picture, ").rect();
    let room = Rect::from_min_max(pos2(0.0, picture.bottom()), pos2(720.0, 480.0));
    let names = ["Zoom out", "Zoom in", "Fit", "Actual size"];
    let looks = ["Show original", "Show split", "Show painted"];
    for name in names.iter().chain(&looks) {
        let rect = w.harness.get_by_label(name).rect();
        assert!(room.contains_rect(rect), "{name} is at {rect:?}");
    }
    w.press(Key::Escape);
    w.until("the controls to go", |w| !w.has("Detail"));
    assert!(w.has("Adjust"));
}

#[test]
fn styles_can_be_chosen_next_to_the_controls_of_a_narrow_window() {
    for (width, height) in [(700.0, 500.0), (640.0, 420.0)] {
        let mut w = Window::sized(width, height);
        w.until_label("Candy");
        w.open_photo(400, 300);
        w.click("Candy");
        w.until_painted();
        let style = |w: &Window, name| {
            let style = by().label(name).role(Role::RadioButton);
            w.harness.get(style).rect()
        };
        let before = style(&w, "Candy");
        w.click("Adjust");
        w.until_label("Detail");
        w.step();
        let list = style(&w, "Candy");
        let add = w.harness.get_by_label("Add a style…").rect();
        let picture = w.harness.get_by_label_contains("Picture, ").rect();
        let controls = w.slider("Strength").rect();
        assert!(list.left() > 0.0 && list.width() > 70.0, "{list:?}");
        for rect in [list, add] {
            assert!(rect.right() < picture.left(), "{rect:?}, {picture:?}");
        }
        assert!(picture.width() > 220.0, "{picture:?}");
        assert!(picture.right() < controls.left(), "{picture:?}");
        w.click("Udnie");
        w.until("its painting", |w| w.is_chosen("Udnie") && w.is_painted());
        w.click("Adjust");
        w.until("the controls to go", |w| !w.has("Detail"));
        w.step();
        assert_eq!(style(&w, "Candy"), before);
    }
}

#[test]
fn the_picture_keeps_most_of_a_low_window() {
    let height = |w: &Window| w.harness.get_by_label_contains("Picture, ").rect().height();
    let mut w = Window::sized_after(720.0, 480.0, saves_there);
    w.until_label("Candy");
    w.drop_photo("photo.png", 400, 300);
    w.click("Candy");
    w.until_painted();
    let before = height(&w);
    assert!(before > 270.0, "{before}");
    w.save_as("saved.png");
    w.click("Dismiss");
    w.step();
    assert_eq!(height(&w), before, "nothing takes its room unasked");
    w.click("Show the strip");
    w.until_label("saved.png");
    w.click("Hide the strip");
    w.until("the strip to go", |w| !w.has("saved.png"));

    let mut w = Window::live_sized(720.0, 480.0);
    w.until_live();
    w.press(Key::B);
    w.until_contains("times as fast");
    assert!(height(&w) > 160.0, "{}", height(&w));
    let [tab, export] = ["Show compare", "Export"].map(|name| w.harness.get_by_label(name).rect());
    assert_eq!(tab.center().y, export.center().y, "one row");
}

#[test]
fn the_buttons_below_the_picture_fit_into_a_narrow_window() {
    let fits = |w: &Window, names: &[&str]| {
        let right = w.harness.ctx.content_rect().width();
        let room = Rect::from_min_max(pos2(0.0, 0.0), pos2(right, 480.0));
        for name in names {
            let rect = w.harness.get_by_label(name).rect();
            assert!(room.contains_rect(rect), "{name} is at {rect:?}");
        }
    };
    let mut w = Window::sized(720.0, 480.0);
    w.until_label("Candy");
    w.open_photo(40, 30);
    w.click("Candy");
    w.until_painted();
    w.click("Adjust");
    w.until_label("Detail");
    w.step();
    fits(&w, &["Save as…", "Copy", "Contact sheet…", "Full screen"]);
    w.click("Crop the photo");
    w.step();
    fits(&w, &["Apply crop", "Cancel", "Ratio Original"]);

    let mut w = Window::live_sized(800.0, 560.0);
    w.until_live();
    let right = |w: &Window, name: &str| w.harness.get_by_label(name).rect().right();
    assert!(right(&w, "Full screen") <= 800.0 && right(&w, "Camera out") < 800.0);
    w.press(Key::Space);
    w.until_label("Show live version");
    assert!(right(&w, "Full screen") <= 800.0 && right(&w, "Show live version") < 800.0);

    // In the live window the controls leave more room.
    let mut w = Window::live_sized(600.0, 480.0);
    w.until_contains("Picture, painted");
    w.press(Key::R);
    w.press(Key::Space);
    w.until_contains("Stop recording, ");
    w.step();
    fits(&w, &["Freeze", "Snapshot", "More"]);
    w.click("Adjust");
    w.until_label("Frozen");
    w.click("Adjust");
    w.click("More");
    w.until_label("Gallery");
    assert!(w.has("Show live version") && w.has("Compare") && w.has("Full screen"));
    w.click("Lab");
    w.until_label("Show counters");
}

#[test]
fn the_list_of_keys_fits_into_a_small_window() {
    let mut w = Window::sized(720.0, 480.0);
    w.until_label("Candy");
    w.press(Key::F1);
    w.until_label("Search shortcuts");
    w.step();
    let screen = Rect::from_min_max(pos2(0.0, 0.0), pos2(720.0, 480.0));
    let first = "Keep the photo's colours";
    for name in ["Search shortcuts", "Close", first] {
        let rect = w.harness.get_by_label(name).rect();
        assert!(screen.x_range().contains(rect.left()), "{name} at {rect:?}");
        assert!(screen.x_range().contains(rect.right()), "{name} at {rect:?}");
    }
}

#[test]
fn looks_and_zoom_share_a_row_if_there_is_room() {
    let w = Window::painted(40, 30);
    let center = |name: &str| w.harness.get_by_label(name).rect().center().y;
    assert_eq!(center("Show split"), center("Actual size"));
}

#[test]
fn a_message_is_as_wide_as_its_words() {
    let mut w = Window::showing(vec![own_card("Barn"), own_card("Aquarium")]);
    w.until_label("Barn");
    let right = |w: &Window| w.harness.get_by_label("Dismiss").rect().right();
    w.click("Barn");
    w.press(Key::Delete);
    w.until_label("“Barn” was removed.");
    w.step();
    let short = right(&w);
    assert!(short < 212.0 + 8.0 + 280.0, "it ends at {short}");
    w.click("Dismiss");
    w.until("it to go", |w| !w.has("Dismiss"));
    w.platform.refuse("No file manager could be opened, and a few more words make a line that is full and more than full.");
    let card = w.harness.get_by_label("Aquarium");
    card.click_secondary();
    w.until_label("Show file");
    w.click("Show file");
    w.until_contains("No file manager could be opened");
    w.step();
    let long = right(&w);
    assert!(long > short + 80.0, "{long}");
}

#[test]
fn the_controls_keep_their_edges_whatever_they_show() {
    let list = |w: &Window, name: &str| {
        w.harness.get(by().label(name).role(Role::ComboBox)).rect().right()
    };
    let edges = |w: &Window| {
        ["Strength", "Detail"]
            .into_iter()
            .flat_map(|name| {
                w.harness
                    .query_all_by_label(name)
                    .map(|node| node.rect().right())
                    .collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
    };
    let mut w = Window::open();
    w.until_label("Candy");
    w.step();
    let before = edges(&w);
    assert_eq!(before.len(), 4, "two sliders and their numbers: {before:?}");
    assert_eq!((before[0], before[1]), (before[2], before[3]));
    let rail = w.slider("Strength").rect().width();
    assert!(rail > 230.0, "of the 256 between the margins: {rail}");
    // Also the widgets below the text under a slider.
    let right = w.slider("Strength").rect().right();
    assert_eq!([list(&w, "Size"), list(&w, "Format")], [right; 2]);
    w.open_photo(40, 30);
    w.step();
    assert_eq!(edges(&w), before);
}

#[test]
fn no_line_of_the_first_page_crosses_its_frame() {
    for height in [440.0, 500.0, 540.0] {
        let mut w = Window::sized(960.0, height);
        w.set_scale(2.0);
        w.until_contains("No camera found");
        w.step();
        // The margins of the buttons below, and of the frame.
        let frame = w.harness.get_by_label("Save as…").rect().top() - 8.0 - 12.0;
        for clipped in &w.harness.output().shapes {
            if let Shape::Text(text) = &clipped.shape {
                let place = text.visual_bounding_rect();
                let seen = place.intersect(clipped.clip_rect);
                let is_left_of_it = place.right() < 220.0;
                let crosses = seen.top() < frame && seen.bottom() > frame;
                assert!(is_left_of_it || !crosses, "{:?} at {height}", text.galley.text());
            }
        }
    }
}

#[test]
fn the_list_of_keys_is_seen_whole_in_a_window_of_the_usual_size() {
    let mut w = Window::sized(1280.0, 800.0);
    w.until_label("Candy");
    w.press(Key::F1);
    w.step();
    let close = w.harness.get_by_label("Close").rect().top();
    let last = w.harness.get_by_label_contains("Tab moves through").rect();
    // What keys do begins at the same place in every group of a column.
    let left = |name: &str| w.harness.get_by_label(name).rect().left();
    let [first, others @ ..] = ["Open a photo or video", "Less or more detail", "Quit"].map(left);
    assert_eq!(others, [first; 2]);
    assert_eq!(left("Add a style"), left("Save the painting"));
    assert!(last.bottom() < close, "{last:?} above {close}");
}

#[test]
fn buttons_have_words_on_a_screen_of_960_points() {
    let mut w = Window::sized(960.0, 540.0);
    w.set_scale(2.0);
    w.until_label("Candy");
    let has_words = |w: &Window| w.painted_texts().iter().any(|text| text.ends_with(" Folder…"));
    assert!(has_words(&w));
    w.click("Live");
    w.until_live();
    for word in [" Undo", " Camera out"] {
        assert!(w.painted_texts().iter().any(|text| text.ends_with(word)), "no {word}");
    }
    for name in ["Use camera", "Adjust", "About"] {
        let right = w.harness.get_by_label(name).rect().right();
        assert!(right < 960.0 - 8.0, "{name} ends at {right}");
    }
}

#[test]
fn a_tooltip_covers_no_control_below() {
    let mut w = Window::open();
    w.until_label("Candy");
    let slider = w.slider("Strength").rect();
    w.harness.hover_at(slider.center());
    let place = |w: &Window| {
        let shapes = w.harness.output().shapes.iter();
        shapes.into_iter().find_map(|clipped| match &clipped.shape {
            Shape::Text(text) if text.galley.text().starts_with("0 %: the photo") => {
                Some(text.visual_bounding_rect())
            }
            _ => None,
        })
    };
    w.until("the tooltip", |w| place(w).is_some());
    for _ in 0..4 {
        w.step();
    }
    let right = place(&w).expect("a tooltip").right();
    assert!(right < slider.left(), "{right}");
}

#[test]
fn the_tooltip_of_a_list_of_the_column_is_next_to_it() {
    let mut w = Window::live();
    w.until_live();
    w.click("Advanced");
    w.until_label("Engine: variant");
    w.step();
    let list = w.harness.get_by_label("Engine: variant").rect();
    w.harness.hover_at(list.center());
    let place = |w: &Window| {
        let shapes = w.harness.output().shapes.iter();
        shapes.into_iter().find_map(|clipped| match &clipped.shape {
            Shape::Text(text) if text.galley.text().starts_with("How the network is divided") => {
                Some(text.visual_bounding_rect())
            }
            _ => None,
        })
    };
    w.until("the tooltip", |w| place(w).is_some());
    w.until("it to rest", |w| place(w).is_some_and(|tooltip| tooltip.right() < list.left()));
}

#[test]
fn the_smallest_size_follows_the_screen() {
    let mut w = Window::open();
    let mut smallest = |size, scale| {
        w.set_scale(scale);
        let viewports = &mut w.harness.input_mut().viewports;
        let window = viewports.entry(ViewportId::ROOT).or_default();
        window.monitor_size = Some(size);
        w.harness.step();
        w.commands().into_iter().find_map(|command| match command {
            ViewportCommand::MinInnerSize(size) => Some(size),
            _ => None,
        })
    };
    let (large, small) = (vec2(1920.0, 1080.0), vec2(640.0, 400.0));
    assert_eq!(smallest(large, 1.0), Some(vec2(720.0, 480.0)));
    assert_eq!(smallest(large, 1.0), None, "it is set already");
    assert_eq!(smallest(small, 2.0), Some(small));
}

#[test]
fn messages_cover_and_move_nothing_and_the_dock_takes_a_third_at_most() {
    for (width, height) in [(720.0, 480.0), (640.0, 420.0), (1300.0, 850.0)] {
        let mut w = Window::live_sized_after(width, height, saves_there);
        w.set_scale(2.0);
        w.until_live();
        // The hints of the first start go.
        w.press(Key::S);
        w.until_contains("candy-0001.png");
        let picture = |w: &Window| w.harness.get_by_label_contains("Picture, ").rect();
        let before = picture(&w);
        for name in ["candy-0002.png", "candy-0003.png"] {
            w.press(Key::S);
            w.until_contains(name);
        }
        assert!(!w.has_containing("candy-0002.png"), "the newest alone");
        assert_eq!(picture(&w), before);
        for part in ["Dismiss", "Show in folder"] {
            let part = w.harness.get_by_label(part).rect();
            assert!(part.top() > before.bottom() && part.right() < width, "{part:?}");
        }
        w.platform.refuse("No file manager could be opened.");
        w.click("Show in folder");
        w.until_contains("No file manager could be opened.");
        w.show_queue();
        w.step();
        let top = w.harness.get_by_label("Clear messages").rect().top();
        assert!(height - top < height / 3.0 + 40.0, "{top} of {height}");
        assert!(picture(&w).bottom() < top && picture(&w).height() > 60.0, "{:?}", picture(&w));
        assert!(w.has_containing("candy-0003.png"));
        w.click("Clear messages");
        w.until_label("There are no jobs and no messages.");
        w.press(Key::Escape);
        w.until("the dock to close", |w| picture(w) == before);
    }
}

#[test]
fn icons_have_words_on_a_screen_of_1280_points() {
    let mut w = Window::sized(1280.0, 800.0);
    w.until_label("Candy");
    w.open_photo(40, 30);
    let has = |w: &Window, words: &[&str]| {
        let texts = w.painted_texts();
        for word in words {
            assert!(texts.iter().any(|text| text.ends_with(word)), "no {word}");
        }
        let rect = |name: &str| w.harness.get_by_label(name).rect();
        let (redo, settings) = (rect("Redo"), rect("Settings"));
        assert!(redo.right() < settings.left(), "{redo:?}, {settings:?}");
        assert!(rect("About").right() < 1280.0);
    };
    let above = [" Recent", " Settings", " Shortcuts", " About"];
    let photo = [" Left", " Right", " Mirror", " Crop"];
    has(&w, &[above, photo].concat());
    let rects = ["Rotate left", "Rotate right", "Mirror", "Crop the photo"]
        .map(|name| w.harness.get_by_label(name).rect());
    assert!(rects.iter().all(|r| r.top() == rects[0].top() && r.right() < 1268.0), "{rects:?}");
    w.click("Live");
    w.until_live();
    has(&w, &above[1..]);
    w.choose_absent_camera();
    has(&w, &above[1..]);
    let off = w.harness.get_by_label("Turn off").rect();
    let settings = w.harness.get_by_label("Settings").rect();
    assert!(off.right() < settings.left(), "{off:?}, {settings:?}");
}

#[test]
fn the_shipped_styles_are_all_seen_on_a_small_screen() {
    let mut w = Window::real_sized(1280.0, 800.0);
    let styles = |w: &Window| {
        let cards = w.harness.query_all(by().role(Role::RadioButton));
        let mut rects: Vec<Rect> = cards.map(|card| card.rect()).collect();
        // Buttons that choose one of several have other places.
        rects.retain(|rect| rect.height() > 60.0);
        rects.sort_by(|a, b| a.top().total_cmp(&b.top()));
        rects
    };
    w.until("the styles", |w| !styles(w).is_empty());
    w.step();
    let styles = styles(&w);
    assert_eq!(styles.len(), 6);
    let heading = w.harness.get_by_label("Styles").rect().bottom();
    let add = w.harness.get_by_label("Add a style…").rect().top();
    assert!(heading <= styles[0].top() && styles[5].bottom() <= add, "{styles:?}");
    for pair in styles.windows(2) {
        assert!(pair[0].bottom() <= pair[1].top(), "{pair:?}");
    }
}
