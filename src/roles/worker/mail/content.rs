//! What a mail about a meeting says, as plain text and as HTML. Both say the same.

use maud::{Markup, html};

use crate::platform::http::page::html_document;

/// The content of a mail.
pub struct Content {
    /// The first sentence.
    pub opening: String,
    /// The labels, each with its lines.
    pub fields: Vec<(&'static str, Vec<String>)>,
    /// The replies, each with its URL; none if no reply is asked for.
    pub replies: Vec<(&'static str, String)>,
    /// The URL of the page about the meeting; none for a recipient who may not see it.
    pub page: Option<String>,
}

const QUESTION: &str = "Can you come?";
const BODY: &str = "margin:0;padding:16px;background:#ffffff;color:#1c1c1c;font-family:Arial,Helvetica,sans-serif;font-size:16px;\
    line-height:24px;overflow-wrap:anywhere";
const LABEL: &str =
    "padding:4px 16px 4px 0;white-space:nowrap;text-align:left;vertical-align:top;font-weight:normal;color:#5e5c64";
const VALUE: &str = "padding:4px 0;vertical-align:top";
const BUTTON: &str = "display:inline-block;padding:12px 24px;border-radius:6px;background:#1a5fb4;color:#ffffff;font-weight:bold;\
    text-decoration:none";

impl Content {
    /// The plain text.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n\n", self.opening);
        self.fields.iter().for_each(|(label, lines)| text += &field(label, lines));
        if !self.replies.is_empty() {
            text += &format!("\n{QUESTION}\n");
        }
        self.replies.iter().for_each(|(label, url)| text += &field(label, std::slice::from_ref(url)));
        text + &self.page.as_ref().map(|page| format!("\nThe meeting: {page}\n")).unwrap_or_default()
    }

    /// The same as HTML: tables and inline styles, which every mail program knows, and no images or scripts.
    pub fn to_html(&self, subject: &str) -> String {
        let body = html! {
            body style=(BODY) {
                p style="margin:0 0 16px" { (self.opening) }
                table role="presentation" cellpadding="0" cellspacing="0" border="0" {
                    @for (label, lines) in &self.fields { (row(label, lines)) }
                }
                @if !self.replies.is_empty() {
                    p style="margin:24px 0 8px;font-weight:bold" { (QUESTION) }
                    table role="presentation" cellpadding="0" cellspacing="0" border="0" {
                        tr { @for (label, url) in &self.replies { (button(label, url)) } }
                    }
                }
                @if let Some(page) = &self.page {
                    p style="margin:24px 0 0" { a href=(page) style="color:#1a5fb4" { "Open the meeting" } }
                }
            }
        };
        // short lines: quoted-printable text stays readable
        html_document(subject, &Markup::default(), &body).into_string().replace("><", ">\n<")
    }
}

/// A label with its lines, one below the other.
fn field(name: &str, lines: &[String]) -> String {
    let heads = std::iter::once(format!("{name}:")).chain(std::iter::repeat(String::new()));
    lines.iter().zip(heads).map(|(line, head)| format!("{head:<12}{line}\n")).collect()
}

fn row(label: &str, lines: &[String]) -> Markup {
    html! {
        tr {
            th scope="row" style=(LABEL) { (label) }
            td style=(VALUE) { @for line in lines { div dir="auto" { (line) } } }
        }
    }
}

fn button(label: &str, url: &str) -> Markup {
    html! {
        td bgcolor="#1a5fb4" style="border-radius:6px" { a href=(url) style=(BUTTON) { (label) } }
        td width="8" { "\u{a0}" }
    }
}
