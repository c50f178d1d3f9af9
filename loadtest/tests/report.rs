//! The report of a run: the page, the terminal and the object for programs tell the same, whatever the run was.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "a test fails by panicking")]

mod markup;
mod sample;

use std::path::PathBuf;
use std::process::{Command, Output};

use markup::{Element, read};
use mynah_loadtest::report::figures::Figures;
use mynah_loadtest::report::model::{Gate, Report, Second};
use mynah_loadtest::report::summary::{self, Style};
use mynah_loadtest::report::{brief, page, words};

fn write(name: &str, report: &Report) -> PathBuf {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, serde_json::to_string(report).unwrap()).unwrap();
    file
}

fn loadtest(args: &[&str]) -> (Output, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest")).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

/// Each picture is well formed, named, and holds no number that is none.
fn pictures(page: &str) -> Vec<Element> {
    let elements = read(page);
    let ids: Vec<&str> = elements.iter().filter_map(|element| element.attribute("id")).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(ids.len(), once.len(), "an id twice");
    for picture in elements.iter().filter(|element| element.name == "svg" && element.attribute("role").is_some()) {
        let told = picture.attribute("aria-labelledby").unwrap();
        for (id, name) in told.split(' ').zip(["title", "desc"]) {
            let found = elements.iter().find(|element| element.attribute("id") == Some(id)).unwrap();
            assert!(found.name == name && !found.text.is_empty(), "{id}");
        }
    }
    for (name, value) in elements.iter().flat_map(|element| &element.attributes) {
        assert!(
            !["d", "x", "y", "x1", "x2", "y1", "y2", "width", "height"].contains(&name.as_str())
                || !value.contains("NaN") && !value.contains("inf"),
            "{name}={value}"
        );
    }
    elements
}

#[test]
fn a_page_is_whole_and_fetches_nothing() {
    let report = sample::report(70, 1);
    write("sample-a.json", &report);
    let html = page::render(&report);
    let elements = pictures(&html);
    let charts = elements.iter().filter(|element| element.name == "svg" && element.attribute("role") == Some("img")).count();
    assert_eq!(charts, 2 + 2 + 3 + 1 + report.series.len());
    for element in &elements {
        assert!(!["link", "img", "iframe", "object", "a", "image", "use"].contains(&element.name.as_str()), "{element:?}");
        assert!(
            element
                .attributes
                .iter()
                .all(|(name, _)| !["src", "href", "style"].contains(&name.as_str()) && !name.starts_with("on")),
            "{element:?}"
        );
    }
    assert!(!html.contains("url(") && !html.contains("@import") && !html.contains("http://www"));
    for told in [
        "Passed: nothing was lost",
        "gateway-2 killed",
        "40 s – 46 s",
        "Example Processor 9000",
        "commit 173171122334",
        "rate.per_s",
        "warm-up",
    ] {
        assert!(html.contains(told), "{told}");
    }
}

#[test]
fn the_sample_shows_what_servers_really_tell() {
    let known = include_str!("../../docs/metrics.md");
    for series in sample::report(20, 1).series.iter().filter(|series| series.name.starts_with("mynah_")) {
        let metric = series.name.strip_suffix("_mean").unwrap_or(&series.name);
        assert!(known.contains(&format!("| `{metric}` |")), "{metric}");
    }
}

#[test]
fn hostile_text_is_text() {
    let report = sample::hostile();
    write("hostile.json", &report);
    let html = page::render(&report);
    let elements = pictures(&html);
    assert_eq!(elements.iter().filter(|element| element.name == "script").count(), 1);
    assert_eq!(html.matches("<script>alert").count(), 0);
    assert!(html.matches("&lt;script&gt;alert(1)").count() > 20);
    for style in [Style::Plain, Style::Colour] {
        let text = summary::render(&report, style);
        assert!(text.chars().all(|c| !c.is_control() || c == '\n' || (c == '\u{1b}' && style == Style::Colour)), "{text:?}");
        assert!(!text.contains("\u{1b}[31m"), "{text:?}");
    }
}

#[test]
fn any_run_can_be_shown() {
    let mut odd = sample::report(70, 1);
    for second in &mut odd.seconds {
        second.at_s = f64::NAN;
        second.ack_ms.max = f64::INFINITY;
    }
    odd.total.ack_ms.curve = vec![(f64::NAN, f64::NAN), (2.0, -1.0)];
    odd.marks[0].at_s = f64::NEG_INFINITY;
    odd.marks[1].until_s = -5.0;
    odd.series[0].points = vec![(f64::NAN, 1.0), (1.0, f64::NAN), (-4.0, -4.0), (1e300, 1e300)];
    odd.gates.push(Gate { name: "ack_p99_ms".to_owned(), limit: f64::NAN, value: f64::NAN, held: false });
    odd.window_s = f64::INFINITY;
    let one = Report { seconds: vec![Second { at_s: 1.0, sends: 3, ..Second::default() }], ..Report::default() };
    for report in [Report::default(), one, odd, sample::report(11, 1)] {
        pictures(&page::render(&report));
        assert!(!summary::render(&report, Style::Plain).is_empty());
        assert_eq!(brief(&report)["verdict"], if words::passed(&report) { "pass" } else { "fail" });
        assert_eq!(brief(&report)["figures"]["sends_per_s"], brief(&report)["sends_per_s"]);
    }
    let empty = page::render(&Report::default());
    assert!(empty.contains("The run has no seconds to show.") && !empty.contains("NaN"));
    assert_eq!(brief(&Report::default())["ack_ms"]["p99"], serde_json::Value::Null);
}

#[test]
fn hours_keep_their_peaks_and_stay_small() {
    let mut report = sample::report(3 * 3600 + 10, 1);
    report.seconds[7000].ack_ms.max = 98_765.0;
    let more: Vec<_> = report.series.iter().cycle().take(100).cloned().enumerate().collect();
    report.series = more
        .into_iter()
        .map(|(nth, mut series)| {
            series.name = format!("{}_{nth}", series.name);
            series
        })
        .collect();
    write("hours.json", &report);
    let html = page::render(&report);
    assert!(html.len() < 1_000_000, "{}", html.len());
    assert!(html.contains("98765") && html.contains("to 98,765 ms") && html.contains("1:30 h"));
    pictures(&html);
}

#[test]
fn every_view_tells_the_same_figures() {
    let mut report = sample::report(70, 1);
    report.total.sends_per_s = 12_345.678;
    report.total.ack_ms.p50 = 0.4567;
    let (html, text, object) = (page::render(&report), summary::render(&report, Style::Plain), brief(&report));
    let figures = Figures::of(&report);
    for key in [
        "sends_per_s",
        "deliveries_per_s",
        "ack_ms.p50",
        "ack_ms.p99",
        "ack_ms.max",
        "delivery_ms.p50",
        "delivery_ms.p99",
        "delivery_ms.max",
    ] {
        let figure = figures.get(key).unwrap();
        let number = figure.number();
        assert!(html.contains(&format!(">{number}<")), "{key} {number}");
        assert!(text.contains(&format!(" {number}")), "{key} {number}");
        let value = key.split('.').fold(&object, |value, part| &value[part]).as_f64().unwrap();
        assert_eq!(value, number.replace(',', "").parse::<f64>().unwrap(), "{key}");
    }
    assert_eq!((&object["sends_per_s"], &object["ack_ms"]["p50"]), (&serde_json::json!(12346), &serde_json::json!(0.457)));
    assert_eq!(object["errors"]["connection closed"], 1365);
    assert!(html.contains(">1,365<") && text.contains("error connection closed  1,365"));
    assert!(html.contains(">5.83<") && text.contains("5.83 s"));
}

#[test]
fn the_verdict_is_told_alike() {
    let mut report = sample::report(70, 1);
    report.verdict.lost = 3;
    assert!(!words::passed(&report), "a file that says pass beside a loss does not pass");
    report.gates[0].held = false;
    let (html, text, object) = (page::render(&report), summary::render(&report, Style::Plain), brief(&report));
    for view in [&html, &text] {
        assert!(view.contains("Failed: 3 lost; the gate ack_p99_ms did not hold"), "{text}");
    }
    assert_eq!((&object["verdict"], &object["lost"], &object["broken"][0]), (&"fail".into(), &3.into(), &"ack_p99_ms".into()));
    assert!(text.contains("BROKEN") && !text.contains('\u{1b}'));
    assert!(summary::render(&report, Style::Colour).contains("\u{1b}[1;31mFailed"));
    let documented = include_str!("../../docs/load-report.md");
    for name in object.as_object().unwrap().keys() {
        assert!(documented.contains(&format!("\"{name}\"")), "{name}");
    }
    assert_eq!(object["overflown"], false);
    report.verdict.sampled = 0.25;
    assert!(page::render(&report).contains("and the lists of 25.0 % of the users"));
}

#[test]
fn the_command_shows_a_file_again() {
    let file = write("shown.json", &sample::report(70, 2));
    let page = file.with_extension("html");
    let (output, out, _) = loadtest(&["report", file.to_str().unwrap(), "--html", page.to_str().unwrap()]);
    assert!(output.status.success() && out.contains("Passed: nothing was lost") && !out.contains('\u{1b}'), "{out}");
    assert_eq!(std::fs::read_to_string(&page).unwrap(), page::render(&sample::report(70, 2)));
    let (_, out, _) = loadtest(&["report", file.to_str().unwrap(), "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap()["verdict"], "pass");
    std::fs::write(&file, "{\"scenario\": 3}").unwrap();
    let (output, _, err) = loadtest(&["report", file.to_str().unwrap()]);
    assert!(!output.status.success() && err.contains("shown.json") && err.contains("`scenario`"), "{err}");
}

#[test]
fn the_command_compares() {
    let slow = |seed| {
        let mut report = sample::report(70, seed);
        report.total.sends_per_s *= 0.7;
        report.commit = Some("another".to_owned());
        report
    };
    let a: Vec<PathBuf> = (1..=3).map(|seed| write(&format!("a{seed}.json"), &sample::report(70, seed))).collect();
    let b: Vec<PathBuf> = (4..=6).map(|seed| write(&format!("b{seed}.json"), &slow(seed))).collect();
    let joined = |of: &[PathBuf]| of.iter().map(|file| file.to_str().unwrap()).collect::<Vec<_>>().join(",");
    let (a, b) = (joined(&a), joined(&b));
    let page = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compared.html");
    let (output, out, _) = loadtest(&["compare", &a, &b, "--html", page.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(
        out.contains("B is worse by more than 10.0 %: sends") && out.contains("noise") && out.contains("commit: 1731"),
        "{out}"
    );
    let html = std::fs::read_to_string(page).unwrap();
    pictures(&html);
    assert!(html.contains("0.70") && html.contains(">A<") && html.contains(">B<"));
    assert_eq!(loadtest(&["compare", &a, &b, "--tolerance", "0.5"]).0.status.code(), Some(0));
    assert_eq!(loadtest(&["compare", &b, &a]).0.status.code(), Some(0));
    assert_eq!(loadtest(&["compare", &a, &a]).0.status.code(), Some(0));
}

#[test]
fn other_questions_are_not_compared() {
    let a = write("question-a.json", &sample::report(70, 1));
    let mut other = sample::report(70, 1);
    other.settings["users"] = 5000.into();
    other.machine.cores = 64;
    let b = write("question-b.json", &other);
    let (a, b) = (a.to_str().unwrap(), b.to_str().unwrap());
    let (output, _, err) = loadtest(&["compare", a, b]);
    assert!(!output.status.success(), "{err}");
    assert!(err.contains("setting users: 4096 | 5000") && err.contains("cores: 2 | 64") && err.contains("--anyway"), "{err}");
    let (output, out, _) = loadtest(&["compare", a, b, "--anyway"]);
    assert!(output.status.success() && out.contains("differs  setting users: 4096 | 5000"), "{out}");
}
