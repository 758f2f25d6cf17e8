//! Variant, precision, batch and GPU on every command that paints.

use std::fs;

use crate::sandbox::Sandbox;

#[test]
fn missing_processor_features_are_refused_with_advice() {
    let s = Sandbox::new();
    let stylize = ["stylize", "photo.png", "--style", "./tiny.safetensors", "-o", "out.png"];
    let norm =
        "in fused-norm fp32: it only has the variants baseline and fused; choose one of them";
    let bits = "it only computes in fp32 and int8; choose the precision fp32, int8 or auto";
    for (command, words) in [
        (&[&stylize[..], &["--variant", "fused-norm"]].concat()[..], norm),
        (&[&stylize[..], &["--precision", "bf16"]].concat(), bits),
        (&["bench", "--variant", "fused-norm"], norm),
        (&["bench", "--variant", "fused", "--precision", "fp16"], bits),
        (&["bench", "--precision", "mixed"], "cannot paint in fused mixed"),
        (&["check", "--precision", "tf32"], bits),
        (&["check", "--variant", "baseline", "--precision", "tf32"], bits),
        (&["compare", "baseline fp32", "fused fp16"], bits),
    ] {
        let run = s.styleforge(&[command, &["--device", "cpu"]].concat());
        run.ends(2).says(words);
    }
    assert!(!s.path("out.png").exists());
    for wrong in
        [["--precision", "int4"], ["--variant", "quick"], ["--batch", "0"], ["--gpu", "-1"]]
    {
        s.styleforge(&[&stylize[..], &wrong].concat()).ends(2);
    }
}

#[test]
fn the_attention_option_is_accepted_without_a_choice_and_reported_once() {
    let s = Sandbox::new();
    let usual = ["photo.png", "--device", "cpu"];
    s.stylize(&[&usual[..], &["-o", "usual.png"]].concat()).ends(0);
    let cpu = ["--device", "cpu", "--style", "./tiny.safetensors"];
    let quick = ["--size", "8x8", "--frames", "1", "--warmup", "0"];
    let stylize = ["stylize", "photo.png", "-o", "out.png", "--attention", "flash"];
    let live = ["live", "--source", "photo.png", "--seconds", "0.1", "--json"];
    for command in [
        &[&stylize[..], &cpu].concat(),
        &[&live[..], &cpu, &["--attention", "naive"]].concat(),
        &[&["bench"], &quick[..], &cpu, &["--attention", "auto", "--attention", "tiled"]].concat(),
        &[&["compare", "fused, online", "baseline"], &quick[..], &cpu].concat(),
        &[&["compare", "fused", "baseline", "--attention", "flash"], &quick[..], &cpu].concat(),
    ] {
        let run = s.styleforge(command).ends(0);
        let said = "note: --attention has no effect: the CPU has one way to compute attention";
        assert_eq!(run.stderr.matches(said).count(), 1, "{}", run.stderr);
    }
    assert_eq!(s.read("out.png"), s.read("usual.png"));
    let bench = [&["bench", "--json"], &quick[..], &cpu, &["--attention", "flash"]].concat();
    let report = s.styleforge(&bench).ends(0).json();
    let results = report["results"].as_array().expect("results");
    assert_eq!(results.len(), 2, "each mode once");
    assert!(
        results
            .iter()
            .all(|r| r["mode"] == format!("{} fp32", r["variant"].as_str().unwrap_or(""))
                && r.get("attention").is_none())
    );
    for wrong in [
        &["stylize", "photo.png", "-o", "no.png", "--attention", "quick"][..],
        &["live", "--attention", "quick"],
        &["bench", "--attention", "quick"],
        &["check", "--attention", "quick"],
        &["compare", "fused", "baseline", "--attention", "quick"],
    ] {
        let run = s.styleforge(wrong).ends(2);
        run.says("auto, naive, tiled, online, flash");
    }
    s.styleforge(&["compare", "fused fp16, quick", "baseline"])
        .ends(2)
        .says("attention auto, naive, tiled, online, flash");
}

#[test]
fn a_gpu_that_is_chosen_paints_or_is_refused() {
    let s = Sandbox::new();
    for device in ["auto", "cuda"] {
        let command = ["bench", "--size", "8x8", "--device", device, "--gpu", "250"];
        s.styleforge(&command).ends(2).says("leave out --gpu");
    }
    for (words, says) in [
        ("all --gpu 0", "cannot be used with"),
        ("all --sweep", "cannot be used with"),
        ("0,0", "GPU 0 is named twice"),
        ("first", "give all, or the numbers of GPUs"),
        ("all --device cpu", "--device cpu uses no GPU; leave out --devices"),
        ("0,250", "leave out --devices, or name other GPUs"),
    ] {
        let words: Vec<&str> = ["bench", "--devices"].into_iter().chain(words.split(' ')).collect();
        s.styleforge(&words).ends(2).says(says);
    }
    s.styleforge(&["bench", "--size", "8x8", "--device", "cpu", "--gpu", "0"])
        .ends(2)
        .says("--device cpu uses no GPU");
    s.styleforge(&["check", "--device", "cpu", "--kernels-of", "8.6"])
        .ends(2)
        .says("leave out --kernels-of 8.6");
    s.styleforge(&["check", "--device", "cuda", "--kernels-of", "avx2"])
        .ends(2)
        .says("leave out --kernels-of avx2, or choose --device cpu");
    s.styleforge(&["check", "--kernels-of", "9.0"]).ends(2).says("use 8.0, 8.6 or 8.9 for a GPU");
}

/// Every CPU of this architecture has these instructions.
#[cfg(target_arch = "x86_64")]
#[test]
fn the_kernels_of_an_older_processor_are_measured() {
    let s = Sandbox::new();
    let bench = ["bench", "--size", "64x48", "--frames", "1", "--warmup", "0"];
    let older = ["--kernels-of", "SSE2", "--json"];
    let report = s.styleforge(&[&bench[..], &older].concat()).ends(0).json();
    assert_eq!(report["results"][0]["instructions"], "SSE2");
}

#[test]
fn the_precision_that_is_named_is_the_one_that_auto_means_on_the_processor() {
    let s = Sandbox::new();
    let paint = |precision: &str, output: &str| {
        let usual = ["photo.png", "--device", "cpu", "--precision", precision];
        let run = s.stylize(&[&usual[..], &["-o", output]].concat()).ends(0);
        assert_eq!(run.stderr, "", "fp32 is the usual precision");
        s.read(output)
    };
    assert_eq!(paint("auto", "a.png"), paint("fp32", "b.png"));
}

#[test]
fn a_batch_writes_the_same_files_as_single_photos() {
    let s = Sandbox::new();
    for (name, width, height) in
        [("a", 24, 16), ("b", 24, 16), ("c", 16, 24), ("d", 24, 16), ("e", 48, 32)]
    {
        s.photo(&format!("in/{name}.png"), width, height);
    }
    fs::write(s.path("in/broken.png"), "no picture").expect("file");
    let tiny = "./tiny.safetensors";
    fs::copy(s.path(tiny), s.path("other.safetensors")).expect("copied");
    let paint = |batch: &str, output: &str| {
        // At 24 px the large one has the same working size as the others.
        let usual = ["in", "--working-size", "24", "--batch", batch, "-o", output];
        s.stylize(&[&usual[..], &["--style", "./other.safetensors"]].concat())
            .ends(1)
            .says("broken.png")
            .says("2 of 12 paintings failed")
    };
    paint("1", "single");
    paint("4", "batch");
    let names = s.names("single");
    assert_eq!(names.len(), 10);
    assert_eq!(s.names("batch"), names);
    for name in names {
        let read = |folder: &str| fs::read(s.path(format!("{folder}/{name}"))).expect("a file");
        assert_eq!(read("single"), read("batch"), "{name}");
    }
}
