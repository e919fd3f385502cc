//! Which slot a user prefers.

use serde::{Deserialize, Serialize};

/// Which slot a user prefers, and how a request may `pick` slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preference {
    /// The earliest.
    #[default]
    First,
    /// The latest.
    Last,
    /// Any, chosen by the seed.
    Random,
    /// The one with the highest score.
    Best,
}

impl Preference {
    /// All preferences.
    pub const ALL: [Preference; 4] = [Preference::First, Preference::Last, Preference::Random, Preference::Best];

    /// The name, as JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            Preference::First => "first",
            Preference::Last => "last",
            Preference::Random => "random",
            Preference::Best => "best",
        }
    }

    /// Reads a lower-case name; `None` for everything else.
    pub fn parse(text: &str) -> Option<Preference> {
        let mut all = Preference::ALL.into_iter();
        all.find(|preference| preference.name() == text)
    }

    /// How many slots an answer has without a `limit`: 5 for `best`, else 1.
    pub const fn default_limit(self) -> usize {
        match self {
            Preference::Best => 5,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Preference;

    #[test]
    fn names_are_read_back() {
        for preference in Preference::ALL {
            assert_eq!(Preference::parse(preference.name()), Some(preference));
            assert_eq!(serde_json::json!(preference), preference.name());
        }
        assert_eq!(Preference::parse("FIRST"), None);
    }
}
