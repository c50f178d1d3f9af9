//! Golden files: each frame as it lies on the wire, in both codecs. They are added to and never edited, since clients were built by them.
//!
//! A frame that is new, or has a new field, gets a file of its own: `<frame>.json`, or `<frame>-<what>.json`, in one line. The
//! ignored test writes the protobuf of those that have none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mynah_proto::binary;
use mynah_proto::json::{self, FrameError};
use prost::Message;

fn folder(side: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(side)
}

/// The JSON files of a side, and the frame that each is of.
fn files(side: &str) -> Vec<(PathBuf, String)> {
    let mut files: Vec<_> = std::fs::read_dir(folder(side))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (path, stem.split('-').next().unwrap().to_owned())
        })
        .collect();
    files.sort();
    files
}

/// What one side's codecs are.
struct Side<F> {
    name: &'static str,
    bodies: Vec<&'static str>,
    from_json: fn(&str) -> Result<F, FrameError>,
    to_json: fn(&F) -> Result<String, serde_json::Error>,
    from_binary: fn(&Bytes) -> Result<F, FrameError>,
}

fn client() -> Side<mynah_proto::device::ClientFrame> {
    let bodies = json::CLIENT_FRAMES.to_vec();
    let (from_json, to_json) = (json::decode_client, json::encode_client);
    Side { name: "client", bodies, from_json, to_json, from_binary: binary::decode_client }
}

fn server() -> Side<mynah_proto::device::ServerFrame> {
    let bodies = [json::SERVER_FRAMES, &["error"]].concat();
    let (from_json, to_json) = (json::decode_server, json::encode_server);
    Side { name: "server", bodies, from_json, to_json, from_binary: binary::decode_server }
}

fn check<F: Message + Default + PartialEq + Debug>(side: &Side<F>) {
    let files = files(side.name);
    for body in &side.bodies {
        assert!(files.iter().any(|(_, of)| of == body), "no golden file of {}/{body}", side.name);
    }
    for (path, of) in files {
        let what = path.display();
        let text = std::fs::read_to_string(&path).unwrap();
        let wire = Bytes::from(std::fs::read(path.with_extension("pb")).unwrap());
        let frame = (side.from_json)(&text).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(text.contains(&format!("\"{of}\":{{")), "{what} is of another frame");
        assert_eq!((side.to_json)(&frame).unwrap(), text, "{what}");
        assert_eq!(binary::encode(&frame), wire, "{what}");
        let frames: Vec<_> = binary::frames(&wire).map(|one| (side.from_binary)(&one.unwrap()).unwrap()).collect();
        assert_eq!(frames, [frame], "{what}");
    }
}

#[test]
fn each_frame_reads_and_writes_as_it_always_did() {
    check(&client());
    check(&server());
}

fn write<F: Message + Default>(side: &Side<F>) {
    for (path, _) in files(side.name) {
        let text = std::fs::read_to_string(&path).unwrap();
        let wire = path.with_extension("pb");
        if !wire.exists() {
            std::fs::write(wire, binary::encode(&(side.from_json)(&text).unwrap())).unwrap();
        }
    }
}

#[test]
#[ignore = "writes the protobuf of golden files that have none"]
fn write_what_is_missing() {
    write(&client());
    write(&server());
}
