//! Members of a large JSON object, written while their lists are read: one page is in memory at a time.

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;
use serde_json::Value;

/// The lists that are members of the object.
pub trait JsonLists {
    /// Why a page cannot be read.
    type Error;

    /// The names of the lists, in the order in which they are written.
    const NAMES: &'static [&'static str];

    /// Some items of a list after the one with the id `after`, or from the first if that is empty; each with its id. None at the end.
    fn page(&self, name: &str, after: &str) -> impl Future<Output = Result<Vec<(String, Value)>, Self::Error>>;
}

/// The members as text, without the braces around them: first those of `head`, which is an object, then each list.
pub fn stream_members<L: JsonLists>(head: &Value, lists: L) -> impl Stream<Item = Result<Bytes, L::Error>> + use<L> {
    let head = head.to_string();
    let head = head.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default().to_owned();
    try_unfold(Writer { lists, head, list: 0, after: String::new() }, Writer::next)
}

struct Writer<L> {
    lists: L,
    /// The text that is written next, before any list.
    head: String,
    /// The index of the list that is written.
    list: usize,
    /// The id of its last item; empty before the first one.
    after: String,
}

impl<L: JsonLists> Writer<L> {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, L::Error> {
        let Some(name) = L::NAMES.get(self.list) else { return Ok(None) };
        let items = self.lists.page(name, &self.after).await?;
        let mut text = std::mem::take(&mut self.head);
        if self.after.is_empty() {
            text.push_str(if text.is_empty() && self.list == 0 { "" } else { "," });
            text.push_str(&format!("\"{name}\":["));
        }
        for (id, item) in &items {
            text.push_str(if self.after.is_empty() { "" } else { "," });
            text.push_str(&item.to_string());
            self.after.clone_from(id);
        }
        if items.is_empty() {
            (self.list, self.after) = (self.list + 1, String::new());
            text.push(']');
        }
        Ok(Some((text.into(), self)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, TryStreamExt as _};
    use serde_json::{Value, json};

    use super::{JsonLists, stream_members};

    struct Numbers;

    impl JsonLists for Numbers {
        type Error = std::convert::Infallible;
        const NAMES: &'static [&'static str] = &["few", "none"];

        async fn page(&self, name: &str, after: &str) -> Result<Vec<(String, Value)>, Self::Error> {
            let last: u32 = after.parse().unwrap_or(0);
            let next = (last + 1..=last + 2).filter(|number| name == "few" && *number <= 3);
            Ok(next.map(|number| (number.to_string(), json!(number))).collect())
        }
    }

    #[test]
    fn the_members_of_the_head_and_all_pages_of_all_lists_are_one_object() {
        for (head, expected) in [
            (json!({}), json!({ "few": [1, 2, 3], "none": [] })),
            (json!({ "a": {} }), json!({ "a": {}, "few": [1, 2, 3], "none": [] })),
        ] {
            let parts: Vec<_> = stream_members(&head, Numbers)
                .try_collect()
                .now_or_never()
                .map_or_else(Vec::new, Result::unwrap_or_default);
            let text: String = parts.iter().map(|part: &bytes::Bytes| String::from_utf8_lossy(part)).collect();
            assert_eq!(serde_json::from_str::<Value>(&format!("{{{text}}}")).unwrap_or_default(), expected);
        }
    }
}
