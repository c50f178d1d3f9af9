//! Generates `proto/src/gen/*.rs` from `proto/proto/**/*.proto`; the result is committed, so that a build needs no generator.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;

type Outcome = Result<(), Box<dyn Error>>;

const FILES: [&str; 6] = [
    "mynah/common/v1/failure.proto",
    "mynah/device/v1/device.proto",
    "mynah/directory/v1/directory.proto",
    "mynah/gateway/v1/gateway.proto",
    "mynah/router/v1/router.proto",
    "mynah/report/v1/report.proto",
];

/// Device fields that hold JSON text: embedded raw in the JSON codec.
const RAW_JSON: [&str; 9] = [
    "Send.msg_body",
    "Send.extras",
    "Message.msg_body",
    "Message.extras",
    "User.extras",
    "Call.body",
    "Reply.body",
    "Signal.data",
    "SignalPush.data",
];

/// Messages with a oneof: their JSON is written by hand in `proto/src/json`.
const HAND_WRITTEN: [&str; 3] = ["ClientFrame", "ServerFrame", "Entry"];

/// The top of the tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Writes the generated code into the tree.
pub fn write() -> Outcome {
    generate(&root().join("proto/src/gen"))
}

/// Fails if the committed code is not what the schema gives.
pub fn check() -> Outcome {
    let fresh = std::env::temp_dir().join(format!("mynah-codegen-{}", std::process::id()));
    generate(&fresh)?;
    let mut stale = Vec::new();
    for entry in fs::read_dir(&fresh)? {
        let name = entry?.file_name();
        let committed = fs::read(root().join("proto/src/gen").join(&name)).unwrap_or_default();
        if committed != fs::read(fresh.join(&name))? {
            stale.push(name.to_string_lossy().into_owned());
        }
    }
    fs::remove_dir_all(&fresh)?;
    if stale.is_empty() { Ok(()) } else { Err(format!("stale: {}; run cargo xtask codegen", stale.join(", ")).into()) }
}

fn generate(out: &Path) -> Outcome {
    fs::create_dir_all(out)?;
    let schema = root().join("proto/proto");
    let descriptors = protox::compile(FILES.map(|f| schema.join(f)), [&schema])?;
    let mut slim = descriptors.clone();
    slim.file.iter_mut().for_each(|file| file.source_code_info = None);
    fs::write(out.join("descriptors.bin"), slim.encode_to_vec())?;
    let mut build = tonic_prost_build::configure()
        .out_dir(out)
        .build_transport(false)
        .bytes(".mynah.device.v1")
        .bytes(".mynah.router.v1")
        .bytes(".mynah.report.v1");
    let device = descriptors.file.iter().filter(|f| f.package() == "mynah.device.v1");
    for message in device.flat_map(|f| &f.message_type).filter(|m| !HAND_WRITTEN.contains(&m.name())) {
        let path = format!(".mynah.device.v1.{}", message.name());
        build = build
            .message_attribute(&path, "#[derive(serde::Serialize, serde::Deserialize)]\n#[serde(default)]")
            .field_attribute(&path, "#[serde(skip_serializing_if = \"crate::json::is_default\")]");
    }
    for field in RAW_JSON {
        build = build.field_attribute(format!(".mynah.device.v1.{field}"), "#[serde(with = \"crate::json::raw\")]");
    }
    build = build.field_attribute(".mynah.device.v1.Z.data", "#[serde(with = \"crate::json::base64\")]");
    build.compile_fds(descriptors)?;
    Ok(())
}
