//! Parses JSON more strictly than serde_json: an object with a repeated key is refused.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The byte order mark in UTF-8. RFC 8259, 8.1 lets a parser ignore it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Every integer up to this one is exact as a float.
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

/// Parses one JSON text (RFC 8259), perhaps behind a byte order mark. A number such as `45.0` is read as the integer that it is.
///
/// # Errors
/// Invalid syntax, a repeated key, or nesting deeper than 128; with the position.
pub fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    serde_json::from_slice::<Strict>(text).map(|strict| strict.0)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Strict)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    #[expect(clippy::cast_possible_truncation, reason = "an integer within the exact ones")]
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 && value.abs() <= MAX_EXACT {
            return Ok((value as i64).into());
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} is repeated")));
            }
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse;

    #[test]
    fn a_repeated_key_is_refused_at_any_depth() {
        assert!(parse(br#"{"a":{"monday":[1],"monday":[2]}}"#).is_err());
        assert!(parse(br#"{"a":{"monday":[1]},"b":{"monday":[2]}}"#).is_ok());
    }

    #[test]
    fn a_byte_order_mark_is_ignored_and_whole_numbers_are_integers() {
        assert_eq!(parse("\u{feff}{\"a\":[45.0,-1e3,0.5]}".as_bytes()).ok(), Some(json!({ "a": [45, -1000, 0.5] })));
        assert!(parse(b"1e300").is_ok_and(|number| number.is_f64()));
    }

    #[test]
    fn invalid_json_is_refused() {
        for text in ["", "NaN", "1e999", "\u{feff}\u{feff}{}", "{} x", "\"\\ud800\"", "[1,]"] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(parse(b"\"\xff\"").is_err());
        assert!(parse("[".repeat(200).as_bytes()).is_err());
    }
}
