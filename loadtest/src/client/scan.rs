//! Reads JSON front to back without a tree and without a copy: what is not asked for is skipped.

/// A place in a JSON text. Anything that is no JSON reads as `None`.
pub(crate) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then(|| {
            self.at += 1;
        })
    }

    /// Gives each member's name and place to `member`, which has to read or skip the value.
    pub(crate) fn object(&mut self, mut member: impl FnMut(&'a [u8], &mut Self) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        if self.next()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let name = self.string()?;
            self.take(b':')?;
            member(name, self)?;
            let byte = self.next()?;
            self.at += 1;
            match byte {
                b',' => self.next()?,
                b'}' => return Some(()),
                _ => return None,
            };
        }
    }

    /// Gives the place of each element to `element`, which has to read or skip it.
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        if self.next()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            element(self)?;
            let byte = self.next()?;
            self.at += 1;
            match byte {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// A text as it is written: escapes stay.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            let found = memchr::memchr2(b'"', b'\\', self.bytes.get(self.at..)?)?;
            self.at += found;
            if *self.bytes.get(self.at)? == b'"' {
                let text = self.bytes.get(start..self.at);
                self.at += 1;
                return text;
            }
            self.at += 2;
        }
    }

    /// A number that is whole and not negative.
    pub(crate) fn number(&mut self) -> Option<u64> {
        self.next()?;
        let (number, length) = decimal(self.bytes.get(self.at..)?)?;
        self.at += length;
        Some(number)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        let flag = self.next()? == b't';
        self.skip()?;
        Some(flag)
    }

    /// Passes over a value.
    pub(crate) fn skip(&mut self) -> Option<()> {
        match self.next()? {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' => self.skip_nested(),
            _ => {
                let rest = self.bytes.get(self.at..)?;
                let end = rest.iter().position(|b| matches!(b, b',' | b'}' | b']')).unwrap_or(rest.len());
                self.at += end;
                (end > 0).then_some(())
            }
        }
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match *self.bytes.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }
}

/// The number that a text begins with, and how many bytes it has.
pub(crate) fn decimal(bytes: &[u8]) -> Option<(u64, usize)> {
    let (mut number, mut length) = (0_u64, 0);
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
        length += 1;
    }
    (length > 0).then_some((number, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_found_between_what_is_skipped() {
        let text = br#"{ "a" : {"x":[1,"]}\"",{}],"y":null}, "n": 42 ,"list":[ 1,2 , 3],"t":true,"e":{},"s":"q\"\\"}"#;
        let (mut number, mut sum, mut flag, mut string) = (0, 0, false, &b""[..]);
        let mut scan = Scan::new(text);
        scan.object(|name, scan| match name {
            b"n" => scan.number().map(|n| number = n),
            b"list" => scan.array(|scan| scan.number().map(|n| sum += n)),
            b"t" => scan.flag().map(|f| flag = f),
            b"s" => scan.string().map(|s| string = s),
            _ => scan.skip(),
        })
        .unwrap();
        assert_eq!((number, sum, flag, string), (42, 6, true, &br#"q\"\\"#[..]));
    }

    #[test]
    fn every_cut_text_is_none() {
        let text = br#"{"a":[1,{"b":"c"}],"d":5}"#;
        for end in 0..text.len() {
            assert!(Scan::new(&text[..end]).object(|_, scan| scan.skip()).is_none(), "{end}");
        }
        assert!(Scan::new(text).object(|_, scan| scan.skip()).is_some());
    }
}
