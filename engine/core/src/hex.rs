//! Bytes as hexadecimal text, for hashes and signatures.

/// Two lower-case digits per byte.
pub fn of(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)])
        .collect()
}

/// The bytes that digits of either case stand for; nothing unless they are digits in pairs.
pub fn read(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is() {
        let bytes = [0x00, 0x0f, 0xa0, 0xff];
        assert_eq!(super::of(&bytes), "000fa0ff");
        assert_eq!(super::read("000FA0ff").as_deref(), Some(&bytes[..]));
        assert_eq!(super::read(""), Some(Vec::new()));
        for odd in ["0", "000", "0g", "+1", " 1", "é0"] {
            assert_eq!(super::read(odd), None, "{odd}");
        }
    }
}
