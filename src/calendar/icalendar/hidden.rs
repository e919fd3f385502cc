//! Characters that cannot be seen, or turn the text around them: with them a text looks like another one.

/// The first hidden character of a text.
///
/// The joiners U+200C and U+200D are letters of Persian and of Indian scripts, and hold emoji together. Variation selectors choose the
/// form of a character: U+FE0F makes an emoji of a heart. Both are accepted after a character beyond ASCII that can be seen, and a
/// selector also in the emoji of a key (1, U+FE0F, U+20E3); elsewhere they only hide.
pub fn find_hidden(text: &str) -> Option<char> {
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let has_base = !before.is_ascii() && !before.is_whitespace();
        let is_key = matches!(before, '0'..='9' | '#' | '*') && rest.peek() == Some(&KEYCAP);
        let is_mark = has_base && !is_selector(before) && !is_joiner(before);
        if is_hidden(c) || is_joiner(c) && !has_base || is_selector(c) && !is_mark && !is_key {
            return Some(c);
        }
        before = c;
    }
    None
}

/// Draws a key around the character before.
const KEYCAP: char = '\u{20e3}';

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether a character chooses among the forms of the one before it.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a character is a control (C0, C1), a line or paragraph separator, one that is drawn as nothing (the empty Braille cell), a
/// noncharacter, or one of Unicode's Default_Ignorable_Code_Point: marks of direction, blanks without width, fillers, tags. Joiners and
/// variation selectors are none: scripts and emoji need them.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || u32::from(c) & 0xfffe == 0xfffe
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
                | '\u{3164}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}'
                | '\u{e01f0}'..='\u{e0fff}'
        )
}

/// Whether a character is hidden, or changes others: an identifier needs neither.
pub fn is_invisible(c: char) -> bool {
    is_hidden(c) || is_joiner(c) || is_selector(c)
}

#[cfg(test)]
mod tests {
    use super::find_hidden;

    #[test]
    fn what_hides_or_turns_text_is_found_and_scripts_and_emoji_are_not() {
        for hidden in "\n\u{7f}\u{85}\u{ad}\u{200b}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{3164}\u{feff}\u{e0041}\u{61c}\
            \u{2800}\u{115f}\u{1160}\u{ffa0}\u{fffe}\u{ffff}\u{1fffe}\u{10ffff}\u{fdd0}\u{e0001}\u{e007f}\u{1d159}\u{fe00}\
            \u{fe0f}\u{e0100}"
            .chars()
        {
            assert_eq!(find_hidden(&format!("pay{hidden}eve")), Some(hidden));
            assert_eq!(find_hidden(&hidden.to_string()), Some(hidden));
        }
        for hiding in ["\u{a0}\u{fe0f}", "❤\u{fe0f}\u{fe0f}", "1\u{fe0f}", "a\u{fe0f}\u{20e3}", "é\u{200d}\u{fe0f}"]
        {
            assert!(find_hidden(hiding).is_some(), "{hiding:?}");
        }
        assert_eq!(find_hidden("ad\u{200d}min"), Some('\u{200d}'));
        assert_eq!(find_hidden("\u{200c}ana"), Some('\u{200c}'));
        for fine in [
            "Zoë 日本語 שלום",
            "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f}\u{200d}🔥",
            "نامه\u{200c}ها",
            "क्\u{200d}ष",
            "a\u{a0}b",
            "Room 1\u{fe0f}\u{20e3} ☎\u{fe0e} 🏳\u{fe0f}\u{200d}🌈 葛\u{e0100}",
            "⠓⠊",
        ] {
            assert_eq!(find_hidden(fine), None, "{fine}");
        }
    }
}
