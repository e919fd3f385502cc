//! Events as flat JSON objects: time, level, target, the fields of the enclosing spans, and the fields of the event.
//!
//! A request writes several lines, so each line is built in one buffer per thread.

use std::cell::RefCell;
use std::fmt::{Debug, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::batch_writer::BatchWriter;

/// Writes events as JSON.
pub struct JsonLayer(BatchWriter);

impl JsonLayer {
    pub fn new(writer: BatchWriter) -> JsonLayer {
        JsonLayer(writer)
    }
}

/// The fields of a span and of its enclosing spans, as they appear in each of its events.
struct SpanFields(String);

/// The line that is being built, and the last formatted second.
#[derive(Default)]
struct LineBuffer {
    line: String,
    second: u64,
    second_text: String,
}

thread_local! { static BUFFER: RefCell<LineBuffer> = RefCell::default(); }

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for JsonLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id) {
            let mut text = String::with_capacity(96);
            if let Some(parent) = span.parent()
                && let Some(SpanFields(above)) = parent.extensions().get()
            {
                text.push_str(above);
            }
            attributes.record(&mut FieldVisitor(&mut text));
            span.extensions_mut().insert(SpanFields(text));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id)
            && let Some(SpanFields(text)) = span.extensions_mut().get_mut()
        {
            values.record(&mut FieldVisitor(text));
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        BUFFER.with_borrow_mut(|buffer| {
            buffer.begin();
            let metadata = event.metadata();
            let line = &mut buffer.line;
            line.push_str(r#","level":""#);
            line.push_str(metadata.level().as_str());
            line.push_str(r#"","target":""#);
            line.push_str(metadata.target());
            line.push('"');
            if let Some(span) = ctx.event_span(event)
                && let Some(SpanFields(text)) = span.extensions().get()
            {
                line.push_str(text);
            }
            event.record(&mut FieldVisitor(line));
            line.push_str("}\n");
            self.0.push(line.as_bytes());
        });
    }
}

impl LineBuffer {
    /// Starts a line with the time, in UTC with microseconds.
    fn begin(&mut self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.second != since.as_secs() || self.second_text.is_empty() {
            self.second = since.as_secs();
            let at = jiff::Timestamp::new(i64::try_from(self.second).unwrap_or_default(), 0).unwrap_or_default();
            self.second_text = at.to_string().trim_end_matches('Z').to_owned();
        }
        self.line.clear();
        self.line.push_str("{\"at\":\"");
        self.line.push_str(&self.second_text);
        self.line.push('.');
        digits(&mut self.line, since.subsec_micros().into(), 6);
        self.line.push_str("Z\"");
    }
}

/// Writes each field as `,"name":value`.
struct FieldVisitor<'a>(&'a mut String);

impl FieldVisitor<'_> {
    fn name(&mut self, field: &Field) {
        self.0.push_str(",\"");
        self.0.push_str(field.name());
        self.0.push_str("\":");
    }

    fn plain(&mut self, field: &Field, value: impl std::fmt::Display) {
        self.name(field);
        let written = write!(self.0, "{value}");
        debug_assert!(written.is_ok(), "a string takes everything");
    }
}

impl Visit for FieldVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        self.0.push('"');
        escape(self.0, value);
        self.0.push('"');
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        digits(self.0, value, 1);
    }
    /// Three decimals: the fractional numbers are milliseconds.
    fn record_f64(&mut self, field: &Field, value: f64) {
        if !value.is_finite() {
            return self.plain(field, "null");
        }
        let thousandths = (value.abs() * 1000.0) as u64;
        self.name(field);
        self.0.push_str(if value < 0.0 { "-" } else { "" });
        digits(self.0, thousandths / 1000, 1);
        self.0.push('.');
        digits(self.0, thousandths % 1000, 3);
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.name(field);
        self.0.push('"');
        // an error of the value's own Debug truncates the value
        let _: std::fmt::Result = write!(Escaping(self.0), "{value:?}");
        self.0.push('"');
    }
}

/// Writes a number with at least `least` digits.
fn digits(out: &mut String, mut number: u64, least: usize) {
    let mut text = [b'0'; 20];
    let mut at = text.len();
    while number > 0 || text.len() - at < least {
        at -= 1;
        text[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend(text[at..].iter().map(|digit| char::from(*digit)));
}

/// Escapes the text written to it.
struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        escape(self.0, text);
        Ok(())
    }
}

/// Writes the content of a JSON string (RFC 8259, 7). Escapes all control characters, also those that only terminals interpret.
fn escape(out: &mut String, text: &str) {
    // no early exit, so that the compiler vectorizes the loop
    let needs_escape = |b: u8| !(b' '..=b'~').contains(&b) | (b == b'"') | (b == b'\\');
    if !text.bytes().fold(false, |any, b| any | needs_escape(b)) {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let written = write!(out, "\\u{:04x}", u32::from(c));
                debug_assert!(written.is_ok(), "a string takes everything");
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{digits, escape};

    #[test]
    fn numbers_have_their_digits_and_no_fewer_than_asked() {
        let text = |number, least| {
            let mut out = String::new();
            digits(&mut out, number, least);
            out
        };
        assert_eq!((text(0, 1), text(7, 3), text(u64::MAX, 1)), ("0".into(), "007".into(), u64::MAX.to_string()));
    }

    #[test]
    fn no_text_can_end_its_own_string_or_begin_a_new_line() {
        let hostile = "a\"b\\c\nd\u{7}e\u{9b}f\u{2028}é";
        let mut line = String::from("\"");
        escape(&mut line, hostile);
        line.push('"');
        assert!(!line.contains(['\n', '\u{9b}']));
        assert_eq!(serde_json::from_str::<String>(&line).ok().as_deref(), Some(hostile));
    }
}
