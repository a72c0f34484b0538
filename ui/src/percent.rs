//! Characters that mean something in an address are written in it as their codes: `%20` is a space.

/// What would end a value is written as its code.
pub fn encode(value: &str) -> String {
    let code = |c: char| match c {
        '%' | '&' | '#' | ' ' | '+' => format!("%{:02X}", u32::from(c)),
        other => other.to_string(),
    };
    value.chars().map(code).collect()
}

/// What an address means by this; none if no address would say it so.
pub fn decode(value: &str) -> Option<String> {
    let mut parts = value.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        if digits.starts_with('+') {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read() {
        for (value, want) in [
            ("a b", Some("a b")),
            ("sub%20folder%2fm%C3%B1", Some("sub folder/mñ")),
            ("50%", None),
            ("%+f", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(decode(value).as_deref(), want, "{value}");
        }
        assert_eq!(decode(&encode("a&b=50% + #1")).as_deref(), Some("a&b=50% + #1"));
    }
}
