//! Media.

use serde_json::json;

use super::endpoint::{Doc, doc};
use super::errors::NO_MEDIA;
use super::schema::{any, int, must, object};

pub(super) const TEXT: &str = "Files of messages and avatars: uploaded once, named by their `media_id`, fetched by an address that is \
                               signed and expires.";

fn uploaded() -> serde_json::Value {
    let word = || json!({"type": "string"});
    let number = || int(0, 4_294_967_295, "");
    let kind = |more: serde_json::Value, required: &[&str]| {
        let mut properties = json!({"media_id": word(), "media_crc32": number(), "fsize": number(), "hash": word()});
        if let (Some(all), Some(more)) = (properties.as_object_mut(), more.as_object()) {
            all.extend(more.clone());
        }
        object(&[&["media_id", "media_crc32", "fsize", "hash"], required].concat(), properties)
    };
    any(vec![
        kind(json!({"width": number(), "height": number(), "format": word()}), &["width", "height", "format"]),
        kind(json!({"format": word()}), &["format"]),
        kind(json!({"fname": word()}), &["fname"]),
    ])
}

pub(super) fn docs() -> Vec<Doc> {
    let kinds = json!({"type": "string", "enum": ["image", "file", "voice"]});
    let id = json!({"type": "string", "minLength": 1, "maxLength": 256});
    vec![
        doc(
            "POST",
            "v1/resource",
            "Upload a file",
            "At most 8 MiB. The first part that has a file name is taken, whatever the part is called. A picture must be jpg, png, gif \
             or bmp.",
        )
        .query([must("type", "What the file is.", kinds, json!("image"))])
        .file()
        .answers(
            200,
            "It is stored. A picture answers its size, a file its name.",
            uploaded(),
            json!({"media_id": "mynah/image/j/0123456789ABCDEF0123456789ABCDEF.png", "media_crc32": 1_338_734_977_u64, "width": 720,
                "height": 1280, "format": "png", "fsize": 52_468, "hash": "FtH0a1b2c3d4e5f6g7h8i9j0k1l2"}),
        ),
        doc("GET", "v1/resource", "Find a file's address", "The address works without credentials, until it expires.")
            .query([must("mediaId", "The `media_id`.", id, json!("mynah/image/j/0123456789ABCDEF0123456789ABCDEF.png"))])
            .answers(
                200,
                "Where the file can be fetched.",
                object(&["url"], json!({"url": {"type": "string", "format": "uri"}})),
                json!({"url": "http://127.0.0.1:8080/media/0123456789"}),
            )
            .errors(&[NO_MEDIA]),
    ]
}
