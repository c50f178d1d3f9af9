//! How numbers are written: the one place that rounds them, so that each view shows the same.

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Whole things.
    Count,
    /// Things a second.
    PerSecond,
    /// Milliseconds.
    Ms,
    /// Seconds.
    Seconds,
    /// Bytes, written in powers of 1024.
    Bytes,
    /// Processors that were busy.
    Cores,
    /// A part of 1, written in percent.
    Part,
    /// Anything else.
    Plain,
}

/// What stands for a number that there is not.
pub const NONE: &str = "–";
const BINARY: [(f64, &str); 4] = [(1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1024.0, "KiB"), (1.0, "B")];

impl Unit {
    /// The unit that a figure's or a gate's name ends in.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let ends = |ending: &str| name == ending || name.ends_with(&format!("_{ending}"));
        if ends("ms") {
            Self::Ms
        } else if name.contains("_per_s") || name.contains("_per_core_s") {
            Self::PerSecond
        } else if name.contains("bytes") {
            Self::Bytes
        } else if ends("ratio") || ends("part") || ends("share") {
            Self::Part
        } else if ends("cores") {
            Self::Cores
        } else if ends("s") || ends("seconds") {
            Self::Seconds
        } else {
            Self::Plain
        }
    }

    /// The unit of a server's series.
    #[must_use]
    pub fn of_series(unit: &str) -> Self {
        match unit {
            "bytes" => Self::Bytes,
            "cores" => Self::Cores,
            "per_s" => Self::PerSecond,
            "seconds" => Self::Seconds,
            "ms" => Self::Ms,
            _ => Self::Plain,
        }
    }

    /// What a value is divided by to be written, and the symbol that follows it.
    #[must_use]
    pub fn scale(self, value: f64) -> (f64, &'static str) {
        match self {
            Self::Bytes => BINARY.iter().copied().find(|(size, _)| value.abs() >= *size).unwrap_or((1.0, "B")),
            Self::Part => (0.01, "%"),
            Self::PerSecond => (1.0, "/s"),
            Self::Ms => (1.0, "ms"),
            Self::Seconds => (1.0, "s"),
            Self::Cores => (1.0, "cores"),
            Self::Count | Self::Plain => (1.0, ""),
        }
    }

    /// The number alone: three digits that count at least, thousands apart.
    #[must_use]
    pub fn number(self, value: f64) -> String {
        if !value.is_finite() {
            return NONE.to_owned();
        }
        let written = value / self.scale(value).0;
        let decimals = match written.abs() {
            _ if self == Self::Count => 0,
            size if size == 0.0 || size >= 99.95 => 0,
            size if size >= 9.995 => 1,
            size if size >= 0.9995 => 2,
            _ => 3,
        };
        if self == Self::Plain && written.fract() == 0.0 { fixed(written, 0) } else { fixed(written, decimals) }
    }

    /// The number and its unit.
    #[must_use]
    pub fn text(self, value: f64) -> String {
        let number = self.number(value);
        let symbol = self.scale(value).1;
        if symbol.is_empty() || number == NONE { number } else { format!("{number} {symbol}") }
    }

    /// The number as it is written, as a number again.
    #[must_use]
    pub fn rounded(self, value: f64) -> f64 {
        let (size, _) = self.scale(value);
        self.number(value).replace(',', "").parse::<f64>().map_or(f64::NAN, |number| number * size)
    }
}

/// A number with so many decimals, thousands apart.
#[must_use]
pub fn fixed(value: f64, decimals: usize) -> String {
    let plain = format!("{value:.decimals$}");
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |digits| ("-", digits));
    let (whole, rest) = digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (nth, digit) in whole.chars().enumerate() {
        if nth > 0 && (whole.len() - nth).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if plain.chars().all(|c| matches!(c, '-' | '0' | '.')) { "" } else { sign };
    rest.map_or_else(|| format!("{sign}{grouped}"), |rest| format!("{sign}{grouped}.{rest}"))
}

/// A whole number, thousands apart.
#[must_use]
pub fn count(value: u64) -> String {
    fixed(value as f64, 0)
}

/// A time on the time line.
#[must_use]
pub fn clock(seconds: f64) -> String {
    if !seconds.is_finite() {
        return NONE.to_owned();
    }
    if seconds < 120.0 {
        return format!("{} s", fixed(seconds, usize::from(seconds.fract().abs() >= 0.05)));
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{rest:02} h") } else { format!("{minutes}:{rest:02} min") }
}

/// A moment of Unix time in milliseconds, as a date and time of UTC.
#[must_use]
pub fn moment(unix_ms: u64) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    i64::try_from(unix_ms / 1000)
        .ok()
        .and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|moment| moment.format(format).ok())
        .unwrap_or_else(|| NONE.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_that_count() {
        assert_eq!(Unit::Ms.text(0.4218), "0.422 ms");
        assert_eq!(Unit::Ms.text(9.9991), "10.0 ms");
        assert_eq!(Unit::Ms.text(1234.6), "1,235 ms");
        assert_eq!(Unit::PerSecond.text(0.0), "0 /s");
        assert_eq!(Unit::Count.text(1_234_567.0), "1,234,567");
        assert_eq!(Unit::Bytes.text(12.0 * 1024.0), "12.0 KiB");
        assert_eq!(Unit::Part.text(0.001), "0.100 %");
        assert_eq!(Unit::Plain.text(f64::NAN), "–");
        assert_eq!(fixed(-0.001, 1), "0.0");
        assert_eq!(fixed(-1234.5, 1), "-1,234.5");
    }

    #[test]
    fn a_name_tells_its_unit() {
        assert_eq!(Unit::of_name("ack_p99_ms"), Unit::Ms);
        assert_eq!(Unit::of_name("error_ratio"), Unit::Part);
        assert_eq!(Unit::of_name("back_s"), Unit::Seconds);
        assert_eq!(Unit::of_name("bytes_per_connection"), Unit::Bytes);
        assert_eq!(Unit::of_name("sends_per_s"), Unit::PerSecond);
        assert_eq!(Unit::of_name("users"), Unit::Plain);
    }

    #[test]
    fn times_are_read_as_on_a_clock() {
        assert_eq!(clock(40.0), "40 s");
        assert_eq!(clock(0.25), "0.2 s");
        assert_eq!(clock(125.0), "2:05 min");
        assert_eq!(clock(3725.0), "1:02:05 h");
        assert_eq!(moment(1_700_000_000_000), "2023-11-14 22:13:20 UTC");
    }
}
