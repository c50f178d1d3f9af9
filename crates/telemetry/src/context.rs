//! The W3C trace context, as far as we carry it.

/// Length of a `traceparent`.
const LENGTH: usize = 55;

/// Where in a trace something happens: the trace, and the span that is its parent. The trace is sampled: others are not carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: [u8; 16],
    /// The span.
    pub span: [u8; 8],
}

/// What a caller says of the trace that a request is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Nothing, or nothing that reads: the decision is ours.
    Nothing,
    /// A trace that he does not sample.
    Unsampled,
    /// A trace that he samples.
    Sampled(TraceContext),
}

impl Given {
    /// Reads a `traceparent`.
    #[must_use]
    pub fn read(text: &str) -> Self {
        parse(text).unwrap_or(Self::Nothing)
    }
}

impl TraceContext {
    /// Reads a `traceparent`. None if it is none, or its trace is not sampled.
    #[must_use]
    pub fn sampled(text: &str) -> Option<Self> {
        match Given::read(text) {
            Given::Sampled(context) => Some(context),
            Given::Nothing | Given::Unsampled => None,
        }
    }

    /// As a `traceparent`.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { trace, span } = self;
        format!("00-{:032x}-{:016x}-01", u128::from_be_bytes(*trace), u64::from_be_bytes(*span))
    }
}

fn parse(text: &str) -> Option<Given> {
    // A later version may go on behind what we know of it.
    let (known, rest) = text.split_at_checked(LENGTH)?;
    if !(rest.is_empty() || (rest.starts_with('-') && !known.starts_with("00"))) {
        return None;
    }
    let mut parts = known.split('-');
    let version = hex::<1>(parts.next()?)?;
    let (trace, span) = (hex::<16>(parts.next()?)?, hex::<8>(parts.next()?)?);
    let [flags] = hex::<1>(parts.next()?)?;
    if parts.next().is_some() || version == [0xff] || trace == [0; 16] || span == [0; 8] {
        return None;
    }
    Some(if flags & 1 == 1 { Given::Sampled(TraceContext { trace, span }) } else { Given::Unsampled })
}

/// Exactly `N` bytes in lower-case hexadecimal digits.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn a_sampled_context_is_the_same_as_text_and_back() {
        let text = format!("00-{TRACE}-{SPAN}-01");
        let context = TraceContext::sampled(&text).unwrap();
        assert_eq!((context.text(), context.trace[0], context.span[7]), (text, 0x0a, 0x31));
    }

    #[test]
    fn what_the_caller_does_not_sample_is_told_apart_from_nothing() {
        assert_eq!(Given::read(&format!("00-{TRACE}-{SPAN}-00")), Given::Unsampled);
        assert_eq!(Given::read(&format!("00-{TRACE}-{SPAN}-02")), Given::Unsampled);
        assert_eq!(Given::read(""), Given::Nothing);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        assert!(TraceContext::sampled(&format!("01-{TRACE}-{SPAN}-01-more")).is_some());
        assert!(TraceContext::sampled(&format!("00-{TRACE}-{SPAN}-01-more")).is_none());
        assert!(TraceContext::sampled(&format!("01-{TRACE}-{SPAN}-01more")).is_none());
    }

    #[test]
    fn what_is_no_context_is_nothing() {
        let zeros = "0".repeat(32);
        let upper = TRACE.to_uppercase();
        for text in [
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{upper}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}{SPAN}--01-"),
            format!("00-{TRACE}-{SPAN}-0é"),
        ] {
            assert_eq!(Given::read(&text), Given::Nothing, "{text}");
        }
    }
}
