//! Characters that cannot be seen, or turn the text around them: with them a text looks like another one.

/// The first hidden character of a text.
///
/// The joiners U+200C and U+200D are letters of Persian and of Indian scripts, and hold emoji together. They are accepted after a character
/// beyond ASCII; in plain Latin text they only hide.
pub fn find_hidden(text: &str) -> Option<char> {
    let mut before = None;
    text.chars().find(|c| {
        let after_ascii = before.is_none_or(|before: char| before.is_ascii());
        before = Some(*c);
        is_hidden(*c) || is_joiner(*c) && after_ascii
    })
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether a character is a control (C0, C1), a line or paragraph separator, or one of Unicode's Default_Ignorable_Code_Point: marks of
/// direction, blanks without width, tags. Joiners and variation selectors are none: scripts and emoji need them.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
                | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}'
        )
}

/// Whether a character is hidden, or joins others: an identifier needs neither.
pub fn is_invisible(c: char) -> bool {
    is_hidden(c) || is_joiner(c)
}

#[cfg(test)]
mod tests {
    use super::find_hidden;

    #[test]
    fn what_hides_or_turns_text_is_found_and_scripts_and_emoji_are_not() {
        for hidden in "\n\u{7f}\u{85}\u{ad}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{3164}\u{feff}\u{e0041}\u{61c}".chars() {
            assert_eq!(find_hidden(&format!("pay{hidden}eve")), Some(hidden));
        }
        assert_eq!(find_hidden("ad\u{200d}min"), Some('\u{200d}'));
        assert_eq!(find_hidden("\u{200c}ana"), Some('\u{200c}'));
        for fine in [
            "Zoë 日本語 שלום",
            "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f}\u{200d}🔥",
            "نامه\u{200c}ها",
            "क्\u{200d}ष",
            "a\u{a0}b",
        ] {
            assert_eq!(find_hidden(fine), None, "{fine}");
        }
    }
}
