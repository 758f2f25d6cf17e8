//! Mixes of picture styles.

use std::sync::Arc;

use eframe::egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT, Queryable, by};
use settings::Settings;
use weights::MadeBy;

use crate::{
    scripted::{ScriptedStyles, picture_card},
    window::Window,
};

/// A window with three picture styles, the first of which paints a photo.
fn window() -> Window {
    let mut w = Window::showing(["Barn", "Night", "Sea"].map(picture_card).to_vec());
    w.until_label("Barn");
    w.open_photo(40, 30);
    w.click("Barn");
    w.until_painted();
    // The style pictures are painted, too.
    w.until("the small pictures", |w| {
        w.textured().into_iter().filter(|(name, ..)| name.starts_with("painted ")).count() == 3
    });
    w
}

/// Opens the mix and adds a style to it.
fn add(w: &mut Window, style: &str) {
    if !w.has("Add to the mix") {
        w.click("Mix");
        w.until_label("Add to the mix");
    }
    let list = w.harness.get_by_label("Add to the mix");
    list.click();
    w.step();
    let entry = w.harness.query_all_by_label(style).last();
    entry.expect("in the list").click();
    w.step();
    w.step();
}

/// The last mix for which a network was made.
fn newest(styles: &ScriptedStyles) -> String {
    styles.mixes().last().map_or_else(String::new, |parts| {
        parts
            .iter()
            .map(|(style, weight)| format!("{style} {weight}"))
            .collect::<Vec<_>>()
            .join(", ")
    })
}

#[test]
fn pictures_are_mixed_by_sliders_and_undo_goes_back() {
    let mut w = window();
    let styles = w.style_source.clone();
    assert!(styles.mixes().is_empty());
    add(&mut w, "Night");
    w.until("the mix", |_| newest(&styles) == "barn 50, night 50");
    w.until_painted();
    w.harness.check_accessibility();
    // The cross is outside the column of numbers.
    let number = |name: &str| {
        let field = by().label(name).role(Role::SpinButton);
        w.harness.get(field).rect()
    };
    let cross = w.harness.get_by_label("Remove Night from the mix").rect();
    assert_eq!(number("Barn").x_range(), number("Night").x_range());
    assert!((cross.center().y - number("Night").center().y).abs() < 1.0);
    assert!(w.paints("Mix of Barn and Night"), "the card says that it is a mix");
    assert!(w.close_is_held_back());
    w.until_contains("in Mix of Barn and Night");
    w.click("Cancel");
    w.slider("Night").set_value_accesskit(25.0);
    w.step();
    // The shares add up to 100: the other style has the rest.
    w.until("the mix", |_| newest(&styles) == "barn 75, night 25");
    w.step();
    assert_eq!((w.value("Barn"), w.value("Night")), (75.0, 25.0));
    w.until_painted();
    let runs = w.script.runs().len();
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the weight before", |w| w.value("Night") == 50.0);
    assert_eq!(w.script.runs().len(), runs, "its painting is still at hand");
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("one style", |w| !w.has("Remove Night from the mix"));
    w.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    w.until_label("Remove Night from the mix");
    w.click("Remove Night from the mix");
    w.until("one style", |w| !w.has("Remove Night from the mix"));
    // Another style begins without a mix.
    add(&mut w, "Sea");
    w.until_label("Remove Sea from the mix");
    w.key(Modifiers::NONE, Key::Num2);
    w.until("the choice", |w| w.is_chosen("Night"));
    assert!(!w.has("Remove Sea from the mix"));
}

#[test]
fn several_styles_of_a_folder_begin_with_the_mix() {
    let mut w = window();
    add(&mut w, "Night");
    w.until_painted();
    let folder = w.folder_of_photos(&["a.png"]);
    w.drop_file(&folder);
    w.until("the form", |w| w.chosen("Style") == "Mix: Barn 50 %, Night 50 %");
    w.choose_style("Several styles");
    w.until("the list", |w| w.chosen("Style") == "1 style");
    let sea = by().label("Sea").role(Role::CheckBox);
    w.harness.get(sea).click();
    w.step();
    w.until_label("Paint 2 pictures");
    w.start_folder();
    w.until_contains("2 pictures painted into ");
    for name in ["a-barn+night.png", "a-sea.png"] {
        assert!(folder.join("painted").join(name).exists(), "{name}");
    }
}

/// The name of the tile of the mix of Barn and Night.
const TILE: &str = "Mix of Barn and Night, Unsaved";

#[test]
fn a_mix_that_is_not_kept_has_a_tile_of_its_own() {
    let mut w = window();
    let tile = by().label(TILE).role(Role::RadioButton);
    let barn = by().label("Barn").role(Role::RadioButton);
    assert!(w.is_chosen("Barn") && w.harness.query(tile.clone()).is_none());
    add(&mut w, "Night");
    w.until("the tile", |w| w.is_chosen(TILE) && !w.is_chosen("Barn"));
    w.until_painted();
    w.harness.check_accessibility();
    let place = w.harness.get(tile.clone()).rect();
    assert!(place.bottom() <= w.harness.get(barn.clone()).rect().top());
    assert!(w.paints("Unsaved"));
    // The pictures of its styles are side by side, their widths proportional to their shares.
    w.slider("Night").set_value_accesskit(25.0);
    w.until("the weights", |w| w.value("Barn") == 75.0);
    w.step();
    let on_tile =
        w.textured().into_iter().filter(|(_, at, _)| place.expand(1.0).contains_rect(*at));
    let mut strips: Vec<_> = on_tile.map(|(name, at, _)| (name, at.width())).collect();
    strips.sort_by(|a, b| a.0.cmp(&b.0));
    let [(first, wide), (second, narrow)] = &strips[..] else {
        panic!("{strips:?} in {place:?} of {:?}", w.textured());
    };
    assert_eq!((first.as_str(), second.as_str()), ("barn", "night"));
    // They end at whole pixels.
    assert!((wide - 3.0 * narrow).abs() < 3.0, "{strips:?}");
    // Choosing a style of the list ends the mix, even a style of the mix, and the tile disappears.
    w.harness.get(barn.clone()).click();
    w.until("one style", |w| w.is_chosen("Barn") && !w.has(TILE));
    assert!(!w.has("Remove Night from the mix"));
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the tile", |w| w.is_chosen(TILE));
    // The tile comes first, so the next style is the first of the list.
    w.press(Key::ArrowDown);
    w.until("the first", |w| w.is_chosen("Barn") && !w.has(TILE));
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the tile", |w| w.is_chosen(TILE));
    // Keys of the focused tile.
    w.harness.get(tile.clone()).focus();
    w.step();
    w.key(Modifiers::NONE, Key::F2);
    w.until_label("Save mix as");
    w.key(Modifiers::NONE, Key::Escape);
    w.harness.get(tile).focus();
    w.step();
    w.key(Modifiers::NONE, Key::Delete);
    w.until("one style", |w| w.is_chosen("Barn") && !w.has(TILE));
}

#[test]
fn a_style_that_is_mixed_can_be_removed_from_the_list() {
    let mut w = window();
    add(&mut w, "Night");
    w.until("the tile", |w| w.is_chosen(TILE));
    let barn = by().label("Barn").role(Role::RadioButton);
    w.harness.get(barn).click_secondary();
    w.until_label("Remove");
    w.click("Remove");
    w.until_contains("“Barn” was removed");
    w.until("another style", |w| w.is_chosen("Night") && !w.has(TILE));
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the mix", |w| w.is_chosen(TILE));
}

#[test]
fn delete_drops_a_mix_that_is_not_kept_and_no_style() {
    let mut w = window();
    add(&mut w, "Night");
    w.until_painted();
    w.press(Key::Delete);
    w.until("one style", |w| !w.has("Remove Night from the mix"));
    w.step();
    assert!(w.is_chosen("Barn") && !w.has_containing("was removed"));
    w.key(Modifiers::COMMAND, Key::Z);
    w.until_label("Remove Night from the mix");
}

#[test]
fn the_full_screen_names_a_mix() {
    let mut w = window();
    add(&mut w, "Night");
    w.until_painted();
    w.press(Key::F);
    w.until("the rest to go", |w| !w.has("Settings"));
    // Each separate event would be a frame of a quarter of a second.
    w.keys_at_once(Modifiers::COMMAND, &[Key::Z]);
    assert!(w.paints("Barn"));
    w.keys_at_once(Modifiers::COMMAND | Modifiers::SHIFT, &[Key::Z]);
    assert!(w.paints("Mix of Barn and Night"));
}

#[test]
fn a_double_click_makes_a_share_an_equal_one() {
    let mut w = window();
    let styles = w.style_source.clone();
    add(&mut w, "Night");
    w.slider("Barn").set_value_accesskit(90.0);
    w.until("the mix", |_| newest(&styles) == "barn 90, night 10");
    w.double_click_slider("Barn");
    w.step();
    assert_eq!((w.value("Barn"), w.value("Night")), (50.0, 50.0));
}

#[test]
fn a_drag_to_the_end_and_back_leaves_the_ratio_of_the_others() {
    let mut w = window();
    add(&mut w, "Night");
    add(&mut w, "Sea");
    w.slider("Night").set_value_accesskit(60.0);
    w.until("the shares", |w| w.value("Night") == 60.0);
    w.step();
    let others = (w.value("Night"), w.value("Sea"));
    let rail = w.slider("Barn").rect();
    let at = |share: f32| rail.lerp_inside(eframe::egui::vec2(share, 0.5));
    let began = w.value("Barn") as f32 / 100.0;
    w.harness.hover_at(at(began));
    w.harness.drag_at(at(began));
    w.step();
    for share in [0.6, 1.0, 0.6, began] {
        w.harness.hover_at(at(share));
        w.step();
        w.step();
        if share == 1.0 {
            assert_eq!((w.value("Night"), w.value("Sea")), (0.0, 0.0));
        }
    }
    w.harness.drop_at(at(began));
    w.step();
    w.step();
    let now = (w.value("Night"), w.value("Sea"));
    let is_near = |(a, b): (f64, f64)| (a - b).abs() <= 3.0;
    assert!(is_near((now.0, others.0)) && is_near((now.1, others.1)), "{now:?}, {others:?}");
}

#[test]
fn while_a_weight_is_dragged_one_network_is_made_at_a_time() {
    let mut w = window();
    let styles = w.style_source.clone();
    add(&mut w, "Night");
    w.until("the mix", |_| newest(&styles) == "barn 50, night 50");
    w.until_painted();
    let before = styles.mixes().len();
    let hold = styles.hold_loads();
    for weight in 51..=90 {
        w.slider("Night").set_value_accesskit(f64::from(weight));
        w.step();
    }
    drop(hold);
    w.until("the newest", |_| newest(&styles) == "barn 10, night 90");
    w.until_painted();
    let made = styles.mixes().len() - before;
    assert!(made <= 3, "{made} networks for one drag");
}

/// Live with four pictures in a mix: each slider change makes a new network, and pictures continue meanwhile.
#[test]
fn four_pictures_are_mixed_live_and_a_slider_changes_what_paints() {
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let cards = ["Barn", "Night", "Sea", "Storm"].map(picture_card).to_vec();
    let mut w = Window::live_showing(folder, cards, false);
    let styles = w.style_source.clone();
    w.until_live();
    w.until("the first style", |w| w.is_chosen("Barn"));
    for style in ["Night", "Sea", "Storm"] {
        add(&mut w, style);
    }
    // The shares of the newest mix, in whole percent: the last style has `storm`, the others equal parts.
    let is_mixed = |storm: u8| {
        let mixes = styles.mixes();
        let shares: Vec<u8> = mixes.last().into_iter().flatten().map(|(_, w)| *w).collect();
        let equal = (100 - storm) / 3;
        shares.len() == 4
            && shares[3].abs_diff(storm) <= 1
            && shares[..3].iter().all(|share| share.abs_diff(equal) <= 2)
            && shares.iter().sum::<u8>() == 100
    };
    w.until("the mix", |_| is_mixed(25));
    let equal = styles.mixed_network().expect("a network");
    w.until("its pictures", |w| w.script.paints_with(&equal));
    w.until_live();
    // The previous network paints until the new one is made.
    let hold = styles.hold_loads();
    w.slider("Storm").set_value_accesskit(70.0);
    w.until("the shares", |w| w.value("Storm") == 70.0);
    let runs = w.script.runs().len();
    w.until("more pictures", |w| w.script.runs().len() > runs + 3);
    // Style pictures are painted in between.
    w.until("the network before", |w| w.script.paints_with(&equal));
    drop(hold);
    w.until("the new mix", |_| is_mixed(70));
    let other = styles.mixed_network().expect("a network");
    assert!(!Arc::ptr_eq(&equal, &other));
    w.until("its pictures", |w| w.script.paints_with(&other));
    assert!(w.has_containing("Picture, painted"));
}

#[test]
fn a_mix_is_saved_by_its_styles_and_kept_as_one() {
    let mut w = window();
    let styles = w.style_source.clone();
    add(&mut w, "Night");
    add(&mut w, "Sea");
    w.until("the mix", |_| newest(&styles) == "barn 34, night 33, sea 33");
    w.until_painted();
    w.platform.answer(None);
    w.key(Modifiers::COMMAND, Key::S);
    w.until("the dialog", |w| !w.platform.asked().is_empty());
    let asked = format!("{:?}", w.platform.asked());
    assert!(asked.contains("photo-barn+night+sea.png"), "{asked}");
    w.save_as("mixed.png");
    let runs_of_photo =
        |w: &Window| w.script.runs().into_iter().filter(|size| *size == (40, 30)).count();
    let runs = runs_of_photo(&w);
    w.click("Save mix…");
    w.until_label("Save mix as");
    for (name, wanted) in [("Barn", "there is already a style named barn"), ("Storm", "Storm")] {
        let typed = eframe::egui::Event::Text(name.to_owned());
        w.harness.input_mut().events.push(typed);
        w.step();
        w.key(Modifiers::NONE, Key::Enter);
        w.until_label(wanted);
    }
    w.until("the choice", |w| w.is_chosen("Storm"));
    // Its small picture is painted when nothing else is.
    w.until("the small picture", |w| {
        w.textured().into_iter().map(|(name, ..)| name).any(|n| n == "painted storm")
    });
    assert!(w.is_painted());
    assert_eq!(runs_of_photo(&w), runs, "the painting is the same");
    assert!(!w.close_is_held_back(), "and saved as it was");
    w.key(Modifiers::NONE, Key::F1);
    w.key(Modifiers::NONE, Key::Escape);
    w.click("About");
    w.click("Credits");
    w.until_label("mix of Barn 34 %, Night 33 %, Sea 33 %");
    assert!(w.has("From your picture: /styles/barn"));
    w.key(Modifiers::NONE, Key::Escape);
    // Its sliders come back.
    w.click("Adjust this mix");
    w.until_label("Remove Night from the mix");
    assert_eq!((w.value("Barn"), w.value("Night"), w.value("Sea")), (34.0, 33.0, 33.0));
}

#[test]
fn a_mix_that_cannot_be_made_is_reported_and_the_painting_stays() {
    let mut w = window();
    w.style_source.refuse("Night could not be loaded.");
    add(&mut w, "Night");
    w.until_label("Night could not be loaded.");
    w.until_painted();
    assert!(!w.has("Remove Night from the mix"));
}

#[test]
fn styles_of_other_kinds_have_no_mix() {
    let mut w = Window::painted(40, 30);
    assert!(!w.has("Mix"));
    w.style_source.change(|cards| cards.push(picture_card("Barn")));
    let focus = eframe::egui::Event::WindowFocused(true);
    w.harness.input_mut().events.push(focus);
    w.until_label("Barn");
    w.click("Barn");
    w.until_painted();
    w.click("Mix");
    w.until_contains("Add another image as a style");
}

#[test]
fn pictures_of_another_network_say_why_they_are_not_mixed() {
    let mut w = window();
    let styles = w.style_source.clone();
    // Changes by the command line; the new style shows that the window has refreshed its list.
    let seen_anew = |w: &mut Window, title: &str, new: &str| {
        w.style_source.change(|cards| {
            let card = cards.iter_mut().find(|card| card.title == title);
            card.expect("a card").made_by =
                Some(MadeBy { network: "mine".to_owned(), id: "2".to_owned() });
            cards.push(picture_card(new));
        });
        let focus = eframe::egui::Event::WindowFocused(true);
        w.harness.input_mut().events.push(focus);
        w.until_label(new);
    };
    add(&mut w, "Sea");
    w.until("the mix", |_| newest(&styles) == "barn 50, sea 50");
    seen_anew(&mut w, "Night", "Dawn");
    add(&mut w, "Night");
    assert!(!w.has("Remove Night from the mix"));
    assert!(w.has("Remove Sea from the mix"));
    w.harness.get_by_label("Add to the mix").click();
    w.step();
    let entry = w.harness.query_all_by_label("Night").last().expect("in the list");
    assert!(entry.accesskit_node().is_disabled());
    entry.hover();
    w.until_contains("made by the network mine, the other by the built-in network");
    w.key(Modifiers::NONE, Key::Escape);
    // A mixed style is removed from the mix if its picture was encoded by another network since.
    seen_anew(&mut w, "Sea", "Dusk");
    w.until("one style", |w| !w.has("Remove Sea from the mix"));
}

#[test]
fn a_mix_is_remembered() {
    let mut w = window();
    add(&mut w, "Night");
    w.slider("Night").set_value_accesskit(25.0);
    w.until("the settings", |w| {
        Settings::load(&w.settings_path()).0.choices.mix == [("night".to_owned(), 25)]
    });
    let mut w = w.reopened();
    let styles = w.style_source.clone();
    w.until("the shares", |w| w.has("Remove Night from the mix"));
    assert_eq!(w.value("Night"), 25.0);
    w.drop_photo("photo.png", 40, 30);
    w.until("the mix", |_| newest(&styles) == "barn 75, night 25");
    w.until_painted();
    // A style that has been removed is left out.
    styles.change(|cards| cards.retain(|card| card.id != "night"));
    let mut w = w.reopened();
    w.until_label("Sea");
    assert!(w.is_chosen("Barn") && !w.has("Remove Night from the mix"));
}
