//! The trace context (W3C) of a unit of work: the trace it belongs to, and its span.
//!
//! Every hop keeps the trace and has its own span, also when spans are not exported.

use std::{fmt, iter};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::platform::observe::otlp;

/// The header; also the name in messages and events.
pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header of other vendors' state. It is forwarded with calls, not with messages.
pub static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// `00-` trace `-` span `-` flags.
const LENGTH: usize = 55;
const TRACE: std::ops::Range<usize> = 3..35;
const SPAN: std::ops::Range<usize> = 36..52;
/// The maximum length of a tracestate. A longer one is dropped.
const MAX_STATE: usize = 512;

/// A span of a trace.
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The traceparent, in lower case.
    text: [u8; LENGTH],
    /// The parent span, of this or of another system.
    parent: Option<[u8; 16]>,
    state: Option<HeaderValue>,
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl TraceContext {
    /// A child of the span in the headers; a new trace where the headers have none, or an invalid one.
    pub fn read(headers: &HeaderMap) -> TraceContext {
        let mut given = headers.get_all(&TRACEPARENT);
        let first = given.next().filter(|_| given.next().is_none());
        match first.and_then(|value| parsed(value.as_bytes())) {
            Some(text) => TraceContext { state: state(headers), ..TraceContext::after(text) },
            None => TraceContext::new_root(),
        }
    }

    /// A child of the span in a stored traceparent; a new trace where that is invalid.
    pub fn resume(text: &str) -> TraceContext {
        parsed(text.as_bytes()).map_or_else(TraceContext::new_root, TraceContext::after)
    }

    /// A new trace.
    pub fn new_root() -> TraceContext {
        let id = rand::random_range(1..=u128::MAX);
        let mut text = *b"00-................................-................-00";
        hex(&mut text[TRACE], &id.to_be_bytes());
        hex(&mut text[SPAN], &new_span_id());
        if otlp::samples(id) {
            text[LENGTH - 1] = b'1';
        }
        TraceContext { text, parent: None, state: None }
    }

    /// A child of this span.
    pub fn child(&self) -> TraceContext {
        TraceContext { state: self.state.clone(), ..TraceContext::after(self.text) }
    }

    fn after(mut text: [u8; LENGTH]) -> TraceContext {
        let mut parent = [0; 16];
        parent.copy_from_slice(&text[SPAN]);
        hex(&mut text[SPAN], &new_span_id());
        TraceContext { text, parent: Some(parent), state: None }
    }

    /// The traceparent, as in the header.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.text).unwrap_or_default()
    }

    /// The trace id: 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.text()[TRACE]
    }

    /// The trace id in a stored traceparent; `None` if that is invalid.
    pub fn id_in(text: &str) -> Option<&str> {
        parsed(text.as_bytes()).and_then(|_| text.get(TRACE))
    }

    /// The span id.
    pub fn span(&self) -> u64 {
        u64::from_str_radix(&self.text()[SPAN], 16).unwrap_or_default()
    }

    /// The id of the parent span; 0 for none.
    pub fn parent(&self) -> u64 {
        let text = self.parent.as_ref().and_then(|parent| str::from_utf8(parent).ok());
        text.and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or_default()
    }

    /// Whether the sampled flag is set.
    pub fn is_sampled(&self) -> bool {
        self.text[LENGTH - 1] == b'1'
    }

    /// The headers of a call.
    pub fn fields(&self) -> impl Iterator<Item = (&'static HeaderName, &[u8])> {
        let state = self.state.iter().map(|state| (&TRACESTATE, state.as_bytes()));
        iter::once((&TRACEPARENT, &self.text[..])).chain(state)
    }
}

/// A traceparent in version 00, with the sampled flag alone; `None` for an invalid one.
fn parsed(given: &[u8]) -> Option<[u8; LENGTH]> {
    let is_hex = |part: &[u8]| part.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let is_nonzero_hex = |part: &[u8]| is_hex(part) && part.iter().any(|digit| *digit != b'0');
    let head: [u8; LENGTH] = given.get(..LENGTH)?.try_into().ok()?;
    let version = &head[..2];
    // later versions may append fields
    let ends_well = given.len() == LENGTH || version != b"00" && given[LENGTH] == b'-';
    let has_dashes = [2, 35, 52].iter().all(|at| head[*at] == b'-');
    let is_valid = is_hex(version) && version != b"ff" && ends_well && has_dashes;
    if !is_valid || !is_nonzero_hex(&head[TRACE]) || !is_nonzero_hex(&head[SPAN]) || !is_hex(&head[53..]) {
        return None;
    }
    let mut text = head;
    text[..2].copy_from_slice(b"00");
    let flags = u8::from_str_radix(str::from_utf8(&head[53..]).ok()?, 16).ok()?;
    text[53..].copy_from_slice(if flags & 1 == 1 { b"01" } else { b"00" });
    Some(text)
}

/// All tracestate headers as one, if they are printable and not too long.
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
    let is_accepted = |value: &HeaderValue| (1..=MAX_STATE).contains(&value.len()) && value.to_str().is_ok();
    Some(all).filter(is_accepted)
}

fn new_span_id() -> [u8; 8] {
    rand::random_range(1..=u64::MAX).to_be_bytes()
}

/// Writes two hexadecimal digits for each byte.
fn hex(out: &mut [u8], bytes: &[u8]) {
    for (digits, byte) in out.chunks_exact_mut(2).zip(bytes) {
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
        let stored = TraceContext::resume(trace.text());
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
