//! The backend in the real server of `triton/requirements.txt`, on this computer's processor. Without
//! `STYLEFORGE_TRITONSERVER`, the path of its program, the tests are ignored.
#![allow(clippy::expect_used)]

#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "../support/http.rs"]
mod http;
#[path = "../support/paint.rs"]
mod paint;
#[path = "../support/server.rs"]
mod server;

use std::{fs, path::Path, process::ExitCode, thread, time::Duration};

use http::{Answer, Client, rgb_request};
use libtest_mimic::{Arguments, Failed, Trial};
use paint::{candy, photo, pixels, plainly};
use pictures::{
    decode,
    encode::{self, Encoding, Format},
};
use serde_json::{Value, json};
use server::{Server, add_model, program};
use values::frame::Frame;

type Outcome = Result<(), Failed>;

const LITE: &str = r#"
backend: "styleforge"
parameters { key: "style" value { string_value: "candy" } }
parameters { key: "model" value { string_value: "lite" } }
instance_group [{ kind: KIND_CPU count: 1 }]
"#;

fn main() -> ExitCode {
    type Test = fn(&Path) -> Outcome;
    let tests: [(&str, Test); 7] = [
        ("paintings_are_those_of_stylize", paintings_are_those_of_stylize),
        ("bad_requests_fail_alone", bad_requests_fail_alone),
        ("a_folder_with_a_picture_is_a_model", a_folder_with_a_picture_is_a_model),
        ("files_are_painted", files_are_painted),
        ("a_deadline_in_the_queue_is_honoured", a_deadline_in_the_queue_is_honoured),
        ("reloads_do_not_grow", reloads_do_not_grow),
        ("a_server_that_ends_answers_first", a_server_that_ends_answers_first),
    ];
    let found = program();
    let trials = tests.map(|(name, test)| {
        let found = found.clone();
        let is_ignored = found.is_none();
        let run =
            move || test(&found.ok_or("STYLEFORGE_TRITONSERVER is not the path of a program")?);
        Trial::test(name, run).with_ignored_flag(is_ignored)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// Paints on a connection of its own.
fn infer(
    server: &Server,
    model: &str,
    photo: &Frame,
    parameters: Value,
) -> std::io::Result<Answer> {
    let request = rgb_request(photo.size(), parameters);
    Client::new(server.port)?.post(
        &format!("/v2/models/{model}/infer"),
        &request,
        &pixels(photo, 3),
    )
}

fn with_lite(program: &Path) -> Result<Server, Failed> {
    Ok(Server::start(program, |models| add_model(models, "candy", Some(LITE)).map(|_| ()))?)
}

/// Sizes that do not fit together, sent at once.
fn paintings_are_those_of_stylize(program: &Path) -> Outcome {
    let (server, network) = (with_lite(program)?, candy());
    let sizes = [(64, 48), (1, 1), (200, 120), (64, 48), (33, 70), (1300, 40), (5, 3), (200, 120)];
    thread::scope(|scope| {
        let all = sizes.map(|(width, height)| {
            let (server, network) = (&server, &network);
            scope.spawn(move || -> Outcome {
                let photo = photo(width, height);
                let answer = infer(server, "candy", &photo, json!({}))?;
                assert_eq!(answer.status, 200, "{}", answer.error());
                assert_eq!(answer.json["outputs"][0]["shape"], json!([1, height, width, 3]));
                assert!(answer.bytes == pixels(&plainly(network, &photo), 3), "{width}x{height}");
                Ok(())
            })
        });
        all.into_iter()
            .try_for_each(|one| one.join().map_err(|_| Failed::from("a client failed"))?)
    })?;
    let statistics = server.client()?.get("/v2/models/candy/stats")?.json;
    let all = &statistics["model_stats"][0];
    assert_eq!(all["inference_count"], sizes.len(), "{statistics}");
    assert_eq!(all["inference_stats"]["success"]["count"], sizes.len(), "{statistics}");
    Ok(())
}

fn bad_requests_fail_alone(program: &Path) -> Outcome {
    let server = with_lite(program)?;
    let photo = photo(300, 200);
    let expected = pixels(&plainly(&candy(), &photo), 3);
    thread::scope(|scope| {
        let all = [
            None,
            Some(("panic", "a bug in StyleForge")),
            None,
            Some(("strenght", "no parameter")),
            None,
        ]
        .map(|bad| {
            let (server, photo, expected) = (&server, &photo, &expected);
            scope.spawn(move || -> Outcome {
                let parameters = bad.map_or(json!({}), |(name, _)| json!({name: 1}));
                let answer = infer(server, "candy", photo, parameters)?;
                match bad {
                    None => assert!(
                        answer.status == 200 && answer.bytes == *expected,
                        "{}",
                        answer.error()
                    ),
                    Some((_, words)) => assert!(
                        answer.error().contains(words),
                        "{} {}",
                        answer.status,
                        answer.error()
                    ),
                }
                Ok(())
            })
        });
        all.into_iter()
            .try_for_each(|one| one.join().map_err(|_| Failed::from("a client failed"))?)
    })?;
    let mut client = server.client()?;
    let mut empty = rgb_request((0, 0), json!({}));
    empty["inputs"][0]["shape"] = json!([1, 0, 30, 3]);
    let refused = client.post("/v2/models/candy/infer", &empty, &[])?;
    assert!(refused.error().contains("at least one pixel"), "{}", refused.error());
    assert_eq!(client.get("/v2/models/candy/ready")?.status, 200);
    assert!(infer(&server, "candy", &photo, json!({}))?.bytes == expected, "after all of them");
    Ok(())
}

/// No configuration at all: the folder's name says the backend, and the only file is the style.
fn a_folder_with_a_picture_is_a_model(program: &Path) -> Outcome {
    let style = photo(90, 70);
    let (png, _) = encode::to_bytes("style", &style, None, Encoding::of(Format::Png))?;
    let server = Server::start(program, |models| {
        let version = add_model(models, "picture.styleforge", None)?;
        fs::write(version.join("style.png"), png)
    })?;
    let answer = infer(&server, "picture.styleforge", &photo(40, 30), json!({}))?;
    assert_eq!(answer.status, 200, "{}", answer.error());
    assert_eq!(answer.bytes.len(), 3 * 40 * 30);
    let config = server.client()?.get("/v2/models/picture.styleforge/config")?.json;
    assert_eq!(config["input"][0]["allow_ragged_batch"], true, "{config}");
    Ok(())
}

/// As curl sends it: the file alone.
fn files_are_painted(program: &Path) -> Outcome {
    let config =
        format!("{LITE}\nparameters {{ key: \"pictures\" value {{ string_value: \"files\" }} }}");
    let server =
        Server::start(program, |models| add_model(models, "candy", Some(&config)).map(|_| ()))?;
    let photo = photo(60, 40);
    let (png, _) = encode::to_bytes("photo", &photo, None, Encoding::of(Format::Png))?;
    let mut client = server.client()?;
    let answer = client.post_file("/v2/models/candy/infer", &png)?;
    assert_eq!(answer.status, 200, "{}", answer.error());
    let (length, file) = answer.bytes.split_first_chunk::<4>().ok_or("no file")?;
    assert_eq!(u32::from_le_bytes(*length) as usize, file.len());
    let painting = decode::from_bytes("painting", file)?;
    assert!(*painting.frame == plainly(&candy(), &photo));
    let refused = client.post_file("/v2/models/candy/infer", b"not a picture")?;
    assert!(refused.error().contains("neither a PNG nor a JPEG"), "{}", refused.error());
    Ok(())
}

/// The request is sent while the only instance paints others.
fn a_deadline_in_the_queue_is_honoured(program: &Path) -> Outcome {
    let server = with_lite(program)?;
    let photo = photo(700, 500);
    let request = |parameters| rgb_request(photo.size(), parameters);
    let path = "/v2/models/candy/infer";
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = server.client()?;
        client.send_post(path, &request(json!({})), &pixels(&photo, 3))?;
        clients.push(client);
    }
    // The first answer shows that the instance is busy with the others.
    assert_eq!(clients[0].receive()?.status, 200);
    let late = infer(&server, "candy", &photo, json!({"timeout": 1}))?;
    assert!(late.status != 200 && late.error().contains("expired"), "{}", late.error());
    for mut client in clients.into_iter().skip(1) {
        let answer = client.receive()?;
        assert_eq!(answer.status, 200, "{}", answer.error());
    }
    Ok(())
}

fn reloads_do_not_grow(program: &Path) -> Outcome {
    // Its network has 40 MB. The allocator keeps up to a few times as much for the next pictures; ten networks that are
    // kept would be 400 MB.
    let config = "backend: \"styleforge\"\ninstance_group [{ kind: KIND_CPU count: 1 }]\n\
        parameters { key: \"style\" value { string_value: \"style.png\" } }";
    let (png, _) = encode::to_bytes("style", &photo(90, 70), None, Encoding::of(Format::Png))?;
    let server = Server::start(program, |models| {
        let version = add_model(models, "picture", Some(config))?;
        fs::write(version.join("style.png"), png)
    })?;
    let mut client = server.client()?;
    let mut resident = Vec::new();
    for _ in 0..12 {
        for action in ["unload", "load"] {
            let path = format!("/v2/repository/models/picture/{action}");
            let answer = client.post(&path, &json!({}), &[])?;
            assert_eq!(answer.status, 200, "{}", answer.error());
            // Unloading does not wait for its end.
            let is_done = || -> std::io::Result<bool> {
                let ready = server.client()?.get("/v2/models/picture/ready")?.status == 200;
                Ok(ready == (action == "load"))
            };
            while !is_done()? {
                thread::sleep(Duration::from_millis(5));
            }
        }
        let answer = infer(&server, "picture", &photo(64, 48), json!({}))?;
        assert_eq!(answer.status, 200, "{}", answer.error());
        resident.push(server.resident_bytes()? / 1_000_000);
    }
    let grown = resident[11].saturating_sub(resident[1]);
    assert!(grown < 200, "{resident:?} MB");
    Ok(())
}

/// SIGTERM while requests are painted and others wait.
fn a_server_that_ends_answers_first(program: &Path) -> Outcome {
    let mut server = with_lite(program)?;
    let photo = photo(700, 500);
    let expected = pixels(&plainly(&candy(), &photo), 3);
    let request = rgb_request(photo.size(), json!({}));
    let mut clients = Vec::new();
    for _ in 0..6 {
        let mut client = server.client()?;
        client.send_post("/v2/models/candy/infer", &request, &pixels(&photo, 3))?;
        clients.push(client);
    }
    // The first answer shows that the server has read requests.
    let first = clients[0].receive()?;
    assert!(first.status == 200 && first.bytes == expected, "{}", first.error());
    server.terminate()?;
    // The server ends after the last client disconnects.
    for mut client in clients.into_iter().skip(1) {
        let answer = client.receive()?;
        let is_refused = answer.status != 200 && !answer.error().is_empty();
        assert!(is_refused || answer.bytes == expected, "{} {}", answer.status, answer.error());
    }
    let status = server.wait()?;
    assert!(status.success(), "{status}: {}", server.log());
    Ok(())
}
