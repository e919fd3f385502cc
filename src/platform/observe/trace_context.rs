//! The trace that work belongs to (W3C Trace Context): which request it goes back to, and which step of it this is.
//!
//! Each hop keeps the trace and has a step (a span) of its own, whether steps are exported or not.

use std::{fmt, iter};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::platform::observe::otlp;

/// The header it travels in; also its name in messages and events.
pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What others want to find again in it; passed on from call to call, not through the queue.
pub static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// `00-` trace `-` span `-` flags.
const LENGTH: usize = 55;
const TRACE: std::ops::Range<usize> = 3..35;
const SPAN: std::ops::Range<usize> = 36..52;
/// Of a tracestate; a longer one may be dropped as a whole.
const LONGEST_STATE: usize = 512;

/// A step of a trace.
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// As in the header, in lower case.
    text: [u8; LENGTH],
    /// The step that this one belongs to, in somebody else's hands or in ours.
    parent: Option<[u8; 16]>,
    state: Option<HeaderValue>,
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl TraceContext {
    /// The next step of the trace in the headers; a new trace where there is none, or one that makes no sense.
    pub fn read(headers: &HeaderMap) -> TraceContext {
        let mut given = headers.get_all(&TRACEPARENT);
        let first = given.next().filter(|_| given.next().is_none());
        match first.and_then(|value| parsed(value.as_bytes())) {
            Some(text) => TraceContext { state: state(headers), ..TraceContext::after(text) },
            None => TraceContext::fresh(),
        }
    }

    /// The next step of a trace that was written down; a new one where that makes no sense.
    pub fn resumed(text: &str) -> TraceContext {
        parsed(text.as_bytes()).map_or_else(TraceContext::fresh, TraceContext::after)
    }

    /// A trace of its own.
    pub fn fresh() -> TraceContext {
        let id = rand::random_range(1..=u128::MAX);
        let mut text = *b"00-................................-................-00";
        hex(&mut text[TRACE], &id.to_be_bytes());
        hex(&mut text[SPAN], &fresh_span());
        if otlp::is_drawn(id) {
            text[LENGTH - 1] = b'1';
        }
        TraceContext { text, parent: None, state: None }
    }

    /// A step that belongs to this one.
    pub fn child(&self) -> TraceContext {
        TraceContext { state: self.state.clone(), ..TraceContext::after(self.text) }
    }

    fn after(mut text: [u8; LENGTH]) -> TraceContext {
        let mut parent = [0; 16];
        parent.copy_from_slice(&text[SPAN]);
        hex(&mut text[SPAN], &fresh_span());
        TraceContext { text, parent: Some(parent), state: None }
    }

    /// As in the header.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.text).unwrap_or_default()
    }

    /// The trace's id: 32 digits.
    pub fn id(&self) -> &str {
        &self.text()[TRACE]
    }

    /// The trace's id in a text that was written down; none in one that makes no sense.
    pub fn id_in(text: &str) -> Option<&str> {
        parsed(text.as_bytes()).and_then(|_| text.get(TRACE))
    }

    /// The step's id.
    pub fn span(&self) -> u64 {
        u64::from_str_radix(&self.text()[SPAN], 16).unwrap_or_default()
    }

    /// The id of the step that it belongs to; 0 for none.
    pub fn parent(&self) -> u64 {
        let text = self.parent.as_ref().and_then(|parent| str::from_utf8(parent).ok());
        text.and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or_default()
    }

    /// Whether whoever began it wants it to be recorded.
    pub fn is_sampled(&self) -> bool {
        self.text[LENGTH - 1] == b'1'
    }

    /// The fields by which a call tells of it.
    pub fn fields(&self) -> impl Iterator<Item = (&'static HeaderName, &[u8])> {
        let state = self.state.iter().map(|state| (&TRACESTATE, state.as_bytes()));
        iter::once((&TRACEPARENT, &self.text[..])).chain(state)
    }
}

/// What a traceparent says, in our own version and with the one flag that we know; `None` for one that is not right.
fn parsed(given: &[u8]) -> Option<[u8; LENGTH]> {
    let is_hex = |part: &[u8]| part.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let is_something = |part: &[u8]| is_hex(part) && part.iter().any(|digit| *digit != b'0');
    let head: [u8; LENGTH] = given.get(..LENGTH)?.try_into().ok()?;
    let version = &head[..2];
    // later versions may have more to say
    let ends = given.len() == LENGTH || version != b"00" && given[LENGTH] == b'-';
    let dashes = [2, 35, 52].iter().all(|at| head[*at] == b'-');
    let right = is_hex(version) && version != b"ff" && ends && dashes;
    if !right || !is_something(&head[TRACE]) || !is_something(&head[SPAN]) || !is_hex(&head[53..]) {
        return None;
    }
    let mut text = head;
    text[..2].copy_from_slice(b"00");
    let flags = u8::from_str_radix(str::from_utf8(&head[53..]).ok()?, 16).ok()?;
    text[53..].copy_from_slice(if flags & 1 == 1 { b"01" } else { b"00" });
    Some(text)
}

/// All tracestates as one, if they are printable and not too long.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut given = headers.get_all(&TRACESTATE);
    let first = given.next()?;
    let all = match given.next() {
        None => first.clone(),
        Some(second) => {
            let parts: Vec<&[u8]> = [first, second].into_iter().chain(given).map(HeaderValue::as_bytes).collect();
            HeaderValue::from_bytes(&parts.join(&b","[..])).ok()?
        }
    };
    let is_tidy = |value: &HeaderValue| (1..=LONGEST_STATE).contains(&value.len()) && value.to_str().is_ok();
    Some(all).filter(is_tidy)
}

fn fresh_span() -> [u8; 8] {
    rand::random_range(1..=u64::MAX).to_be_bytes()
}

/// Writes two digits for each byte.
fn hex(place: &mut [u8], bytes: &[u8]) {
    for (digits, byte) in place.chunks_exact_mut(2).zip(bytes) {
        digits[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        digits[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderValue};

    use super::{TRACEPARENT, TRACESTATE, TraceContext};

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(traceparents: &[&str], states: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = |text: &&str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("?"));
        traceparents.iter().for_each(|text| headers.append(TRACEPARENT.clone(), value(text)));
        states.iter().for_each(|text| headers.append(TRACESTATE.clone(), value(text)));
        headers
    }

    #[test]
    fn a_trace_goes_on_in_a_step_of_its_own() {
        let trace = TraceContext::read(&headers(&[GIVEN], &["a=1,b=2", "c=3"]));
        assert_eq!((trace.id(), trace.parent(), trace.is_sampled()), (&GIVEN[3..35], 0x00f0_67aa_0ba9_02b7, true));
        assert_ne!(trace.span(), trace.parent());
        let (child, mut sent) = (trace.child(), HeaderMap::new());
        for (name, value) in child.fields() {
            sent.append(name.clone(), HeaderValue::from_bytes(value).unwrap_or(HeaderValue::from_static("?")));
        }
        let next = TraceContext::read(&sent);
        assert_eq!(
            (next.id(), sent.get(&TRACESTATE).map(HeaderValue::as_bytes)),
            (trace.id(), Some(&b"a=1,b=2,c=3"[..]))
        );
        let stored = TraceContext::resumed(trace.text());
        assert_eq!((stored.id(), stored.parent()), (trace.id(), trace.span()));
    }

    #[test]
    fn of_later_versions_what_we_know_is_read_and_unknown_flags_go_no_further() {
        let later = format!("cc{}-what-the-future-will-be-like", &GIVEN[2..53].replace("-01", "-"));
        let later = later.replacen("b7-", "b7-ff", 1);
        let trace = TraceContext::read(&headers(&[&later], &[]));
        assert_eq!((trace.id(), &trace.text()[..3], &trace.text()[52..]), (&GIVEN[3..35], "00-", "-01"), "{later}");
    }

    #[test]
    fn what_is_not_right_begins_a_trace_of_its_own() {
        let zeros = (
            GIVEN.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            GIVEN.replace("00f067aa0ba902b7", &"0".repeat(16)),
        );
        let wrong = [
            "",
            "00",
            &GIVEN[..54],
            &format!("{GIVEN}-more"),
            &format!("{GIVEN}0"),
            &GIVEN.replace("00-4", "ff-4"),
            &GIVEN.to_uppercase(),
            &GIVEN.replace('b', "g"),
            &GIVEN.replace('-', "_"),
            &zeros.0,
            &zeros.1,
            &GIVEN.replace("-01", "-0x"),
            &GIVEN.replace("00-4", "0é-4"),
        ];
        for text in wrong {
            let trace = TraceContext::read(&headers(&[text], &["a=1"]));
            assert!(trace.id() != &GIVEN[3..35] && trace.parent() == 0, "{text}");
            assert_eq!(trace.state, None, "a state of another trace");
            assert_ne!(trace.id(), "0".repeat(32));
        }
        assert_ne!(TraceContext::read(&headers(&[GIVEN, GIVEN], &[])).id(), &GIVEN[3..35], "two are none");
    }

    #[test]
    fn a_state_that_is_too_long_is_dropped() {
        let long = format!("a={}", "x".repeat(511));
        assert_eq!(TraceContext::read(&headers(&[GIVEN], &[&long])).state, None);
        assert_eq!(TraceContext::read(&headers(&[GIVEN], &[&long[..400], &long[..400]])).state, None);
    }
}
