//! Names of conversations on the wire.

use super::scan::decimal;

/// A conversation's id as the server names it: its kind's letter and one or two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    kind: u8,
    first: u64,
    second: u64,
}

impl Key {
    pub(crate) fn group(gid: u64) -> Self {
        Self { kind: b'g', first: gid, second: 0 }
    }

    pub(crate) fn room(id: u64) -> Self {
        Self { kind: b'r', first: id, second: 0 }
    }

    /// None if this is no id that a server makes.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let kind = *text.first()?;
        let (first, length) = decimal(text.get(2..)?)?;
        let second = match text.get(2 + length..)? {
            [] => 0,
            [b'.', rest @ ..] => decimal(rest)?.0,
            _ => return None,
        };
        matches!(kind, b's' | b'g' | b'r' | b'f').then_some(Self { kind, first, second })
    }

    pub(crate) fn is_room(self) -> bool {
        self.kind == b'r'
    }

    pub(crate) fn text(self) -> String {
        let mut out = Vec::new();
        self.write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.kind, b'.']);
        number(self.first, out);
        if self.kind == b's' {
            out.push(b'.');
            number(self.second, out);
        }
    }
}

/// A number in decimal digits.
pub(crate) fn number(value: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let (mut value, mut count) = (value, 0);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        (value, count) = (value / 10, count + 1);
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_and_written_alike() {
        for id in ["s.1.90", "g.10000001", "r.7", "f.12"] {
            let mut out = Vec::new();
            Key::parse(id.as_bytes()).unwrap().write(&mut out);
            assert_eq!(out, id.as_bytes());
        }
        for id in ["", "s", "s.", "x.1", "s.1.", "g.1x"] {
            assert_eq!(Key::parse(id.as_bytes()), None, "{id}");
        }
    }
}
