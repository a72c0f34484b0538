//! Numbers as people read them.

/// Bytes in decimal units, as browsers and Hugging Face show them; each limit is where the rounded number would need
/// another digit.
pub fn bytes(bytes: u64) -> String {
    match bytes as f64 {
        b if b < 1e3 => format!("{b} bytes"),
        b if b < 999.5e3 => format!("{:.0} kB", b / 1e3),
        b if b < 9.95e6 => format!("{:.1} MB", b / 1e6),
        b if b < 999.5e6 => format!("{:.0} MB", b / 1e6),
        b => format!("{:.2} GB", b / 1e9),
    }
}

/// Seconds, coarse enough not to flicker.
pub fn duration(secs: f64) -> String {
    match secs.ceil() {
        s if s < 60.0 => format!("{s:.0} s"),
        s if s < 3600.0 => format!("{:.0} min", (s / 60.0).ceil()),
        s => format!("{:.0} h {:.0} min", (s / 3600.0).floor(), (s % 3600.0 / 60.0).floor()),
    }
}

/// Tokens per second with two or three digits.
pub fn rate(per_sec: f64) -> String {
    if per_sec < 100.0 { format!("{per_sec:.1}") } else { format!("{per_sec:.0}") }
}

/// A count with its digits in groups of three.
pub fn count(n: u32) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        for (got, want) in [
            (bytes(0), "0 bytes"),
            (bytes(999_499), "999 kB"),
            (bytes(999_500), "1.0 MB"),
            (bytes(9_440_000), "9.4 MB"),
            (bytes(9_960_000), "10 MB"),
            (bytes(98_123_456), "98 MB"),
            (bytes(999_600_000), "1.00 GB"),
            (bytes(1_055_609_824), "1.06 GB"),
            (duration(0.2), "1 s"),
            (duration(61.0), "2 min"),
            (duration(7_300.0), "2 h 1 min"),
            (rate(9.44), "9.4"),
            (rate(123.4), "123"),
            (count(999), "999"),
            (count(12_345), "12\u{202f}345"),
        ] {
            assert_eq!(got, want);
        }
    }
}
