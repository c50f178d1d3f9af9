//! Byte fields that hold JSON text: embedded as they are, never re-serialised, but for line ends.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;

/// Writes the bytes as the JSON that they are.
///
/// # Errors
/// When the bytes are not JSON text: the field was filled by something else than a codec or a check.
pub fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    let text = std::str::from_utf8(bytes).map_err(ser::Error::custom)?;
    let raw: &RawValue = serde_json::from_str(text).map_err(ser::Error::custom)?;
    if raw.get().bytes().any(|byte| matches!(byte, b'\n' | b'\r')) {
        // Outside of strings, where JSON allows them, they are space; and a line of a message is one frame.
        let in_one_line = RawValue::from_string(raw.get().replace(['\n', '\r'], " ")).map_err(ser::Error::custom)?;
        return in_one_line.serialize(serializer);
    }
    raw.serialize(serializer)
}

/// Takes the JSON value's bytes as received.
///
/// # Errors
/// When the input is no JSON value.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer).map_err(de::Error::custom)?;
    Ok(Bytes::copy_from_slice(raw.get().as_bytes()))
}
