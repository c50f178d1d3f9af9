//! What the first bytes of a picture tell. Nothing is decoded.

use imagesize::ImageType;

/// A picture's format, as its extension, and its size.
pub(super) struct Picture {
    pub(super) format: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Reads the head of a file; none if it is no picture of a form that is taken (jpg, png, gif, bmp), or has no size.
pub(super) fn picture(head: &[u8]) -> Option<Picture> {
    let format = match imagesize::image_type(head).ok()? {
        ImageType::Jpeg => "jpg",
        ImageType::Png => "png",
        ImageType::Gif => "gif",
        ImageType::Bmp => "bmp",
        _ => return None,
    };
    let (width, height) = match format {
        "bmp" => bitmap(head)?,
        // Behind the signature comes what tells the size, or it is no picture.
        "png" if head.get(12..16) != Some(b"IHDR") => return None,
        _ => {
            let size = imagesize::blob_size(head).ok()?;
            (u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?)
        }
    };
    let sides = 1..=i32::MAX.unsigned_abs();
    (sides.contains(&width) && sides.contains(&height)).then_some(Picture { format, width, height })
}

/// The library takes a bitmap's sides as they stand; in fact they depend on the form, and a height below 0 says "from the top".
fn bitmap(head: &[u8]) -> Option<(u32, u32)> {
    let long = |at: usize| Some(i32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let short = |at: usize| Some(u32::from(u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?)));
    match long(14)? {
        12 => Some((short(18)?, short(20)?)),
        16 | 40 | 52 | 56 | 64 | 108 | 124 => Some((u32::try_from(long(18)?).ok()?, long(22)?.unsigned_abs())),
        _ => None,
    }
}

/// The type under which a picture is served; none for everything else, which is a download.
pub(super) fn content_type(format: &str) -> Option<&'static str> {
    match format {
        "jpg" => Some("image/jpeg"),
        "png" => Some("image/png"),
        "gif" => Some("image/gif"),
        "bmp" => Some("image/bmp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_decide_and_not_a_name() {
        let gif = b"GIF89a\x03\x00\x04\x00\x00\x00\x00";
        let bmp =
            [b"BM".as_slice(), &[0; 12], &40_u32.to_le_bytes(), &5_i32.to_le_bytes(), &6_i32.to_le_bytes(), &[0; 28]].concat();
        let png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x07\x00\x00\x00\x08\x08\x06\x00\x00\x00";
        let jpg = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xc0\x00\x11\x08\x00\x0a\x00\x09\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01";
        let from_top = [bmp.get(..22).unwrap(), &(-6_i32).to_le_bytes(), &[0; 28]].concat();
        let old_bmp = [b"BM".as_slice(), &[0; 12], &12_u32.to_le_bytes(), &5_u16.to_le_bytes(), &6_u16.to_le_bytes()].concat();
        for (bytes, format, width, height) in [
            (gif.as_slice(), "gif", 3, 4),
            (&bmp, "bmp", 5, 6),
            (&from_top, "bmp", 5, 6),
            (&old_bmp, "bmp", 5, 6),
            (png, "png", 7, 8),
            (jpg.as_slice(), "jpg", 9, 10),
        ] {
            let found = picture(bytes).unwrap_or_else(|| panic!("no {format}"));
            assert_eq!((found.format, found.width, found.height), (format, width, height));
        }
        let flat = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x00\x00\x00\x00\x08\x08\x06\x00\x00\x00";
        for bad in [b"".as_slice(), b"GIF", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n", flat] {
            assert!(picture(bad).is_none(), "{bad:?}");
        }
    }
}
