//! WebSocket framing of a client, as far as a device needs it.

/// A text frame.
pub(crate) const TEXT: u8 = 1;
/// The end of a connection.
pub(crate) const CLOSE: u8 = 8;
/// Asks for a pong.
pub(crate) const PING: u8 = 9;
/// Answers a ping.
pub(crate) const PONG: u8 = 10;

/// The answer that makes a connection a WebSocket ends with this.
pub(crate) const HEADERS_END: &[u8] = b"\r\n\r\n";

/// The request that makes a connection a WebSocket.
pub(crate) fn upgrade(host: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"GET /v1/ws HTTP/1.1\r\nHost: ");
    out.extend_from_slice(host.as_bytes());
    // The key proves nothing about the peer that the first frames do not.
    out.extend_from_slice(b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
    out.extend_from_slice(b"Sec-WebSocket-Key: bXluYWggbG9hZCB0ZXN0ISE=\r\n\r\n");
}

/// A frame from a client: masked, by a mask of zeros, so that no byte is touched.
pub(crate) fn write(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    let length = payload.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => out.push(0x80 | short),
        (_, Ok(middle)) => {
            out.push(0xFE);
            out.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            out.push(0xFF);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// The first frame of what arrived: opcode, payload, and what is behind it. None if it is not whole yet.
pub(crate) fn read(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (length, header) = match second & 0x7F {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
        short => (u64::from(short), 2),
    };
    let end = usize::try_from(length).ok()?.checked_add(header)?;
    Some((first & 0x0F, bytes.get(header..end)?, bytes.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_read_whole_or_not_at_all() {
        for length in [0, 5, 125, 126, 65_535, 65_536] {
            let mut out = Vec::new();
            write(TEXT, &vec![b'x'; length], &mut out);
            // As the server sends it: no mask.
            let mask_at = if length < 126 { 2 } else { if length < 65_536 { 4 } else { 10 } };
            out.drain(mask_at..mask_at + 4);
            out[1] &= 0x7F;
            assert!(read(&out[..out.len() - 1]).is_none());
            out.push(7);
            let (opcode, payload, rest) = read(&out).unwrap();
            assert_eq!((opcode, payload.len(), rest), (TEXT, length, &[7][..]));
        }
    }
}
