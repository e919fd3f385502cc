//! Writes a notice to the organizer of a meeting: attendees have declined, there is no common time, or the meeting has failed.

use anyhow::Context as _;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart};
use uuid::Uuid;

use super::content::Content;
use super::invitation_mail::{short_name, shown};
use super::message::{self, MailMessage, new_builder, part, with_headers, with_mailbox, with_subject};
use crate::calendar::icalendar::one_line;
use crate::roles::reservation::api::jobs::{Notice, NoticeMail, RequestedTime};

impl MailMessage {
    /// Writes a notice about a meeting of the installation with the URL `site`. The same arguments give the same bytes.
    ///
    /// # Errors
    /// An invalid address.
    pub fn notice(
        from: &Mailbox,
        meeting: Uuid,
        mail: &NoticeMail,
        site: &str,
        case_id: &str,
    ) -> anyhow::Result<MailMessage> {
        let (address, _) = message::address(&mail.recipient.person.email)?;
        let name = format!("{meeting}.{}.{}", mail.version, mail.about.name());
        let subject = format!("{}: {}", headline(mail), one_line(&mail.title));
        let builder = new_builder(from, &name, mail.stamp);
        let builder = with_mailbox(builder, "To", &mail.recipient.person.name, address.clone());
        let builder = with_headers(with_subject(builder, subject.clone()), case_id);
        let content = content(mail, site);
        let parts = MultiPart::alternative()
            .boundary(format!("=_{}", meeting.simple()))
            .singlepart(part(ContentType::TEXT_PLAIN, content.to_text()))
            .singlepart(part(ContentType::TEXT_HTML, content.to_html(&subject)));
        let mail = builder.multipart(parts).context("the mail cannot be assembled")?.formatted();
        Ok(MailMessage { to: address, name, mail, ics: None })
    }
}

fn headline(mail: &NoticeMail) -> &'static str {
    match mail.about {
        Notice::Declined => "Declined",
        Notice::NoCommonTime => "No common time",
        Notice::Failed => "Not arranged",
    }
}

/// What a notice says.
pub fn content(mail: &NoticeMail, site: &str) -> Content {
    let names: Vec<String> = mail.declined.iter().map(short_name).collect();
    let opening = match (mail.about, names.as_slice()) {
        (Notice::Declined, [one]) => format!("{one} cannot come to a meeting that you organize."),
        (Notice::Declined, many) => format!("{} attendees cannot come to a meeting that you organize.", many.len()),
        (Notice::NoCommonTime, _) => "There is no common time for a meeting that you organize.".to_owned(),
        (Notice::Failed, _) => "A meeting that you organize could not be arranged.".to_owned(),
    };
    let stays = mail.about != Notice::Declined && mail.period.is_some();
    let opening = if stays { format!("{opening} It stays at its time.") } else { opening };
    let zone = &mail.recipient.time_zone;
    let mut fields = vec![("What", vec![one_line(&mail.title)])];
    if let Some(time) = mail.period {
        fields.push(("When", zone.format_period(time.start, time.end).to_vec()));
    }
    if let Some(requested) = mail.requested {
        let lines = match requested {
            RequestedTime::Fixed(time) => zone.format_period(time.start, time.end),
            RequestedTime::Dates(dates) => zone.format_dates(dates.start, dates.end),
        };
        fields.push(("Requested", lines.to_vec()));
    }
    if !mail.declined.is_empty() {
        fields.push(("Declined", mail.declined.iter().map(shown).collect()));
    }
    if let Some(reason) = mail.reason.as_ref().filter(|_| mail.about != Notice::Declined) {
        fields.push(("Reason", vec![one_line(reason)]));
    }
    let page = Some(one_line(&format!("{site}{}", mail.recipient.answer_path)));
    Content { opening, fields, replies: Vec::new(), page }
}
