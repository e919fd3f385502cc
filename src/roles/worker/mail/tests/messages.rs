//! The content of mails, and that hostile input cannot add to it.

use lettre::message::Mailbox;

use super::{SITE, invitation, person, recipient, write};
use crate::calendar::{Invitation, Zone};
use crate::calendar::{Invitee, Method, Participation};
use crate::roles::reservation::api::jobs::{CancelCause, Recipient};
use crate::roles::worker::mail::MailMessage;
use crate::roles::worker::mail::invitation_mail::{content, subject};

fn from() -> anyhow::Result<Mailbox> {
    Ok("W2Meet <meet@example.org>".parse()?)
}

fn request(email: &str) -> anyhow::Result<MailMessage> {
    write(&from()?, &invitation(Method::Request, 0)?, &recipient(email, "UTC")?)
}

/// The text of an invitation by somebody in Lisbon.
fn text(invitation: &Invitation, to: &Recipient) -> anyhow::Result<String> {
    Ok(content(invitation, to, CancelCause::Cancelled, &Zone::parse("Europe/Lisbon")?, SITE).to_text())
}

/// The head of a mail, unfolded.
fn head(message: &MailMessage) -> Vec<String> {
    let text = String::from_utf8_lossy(&message.mail);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    head.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect()
}

#[test]
fn an_invitation_has_the_structure_that_mail_programs_expect() -> anyhow::Result<()> {
    let message = request("Bob@example.com")?;
    let id = "0198c0de-0000-7000-8000-000000000001.0.request.716936cffdf854c7816d35d4ee7c26d7";
    assert_eq!(message.name, id);
    assert_eq!(
        head(&message),
        [
            format!("Message-ID: <{id}@example.org>"),
            "Date: Sun, 01 Mar 2026 09:00:00 +0000".to_owned(),
            "From: W2Meet <meet@example.org>".to_owned(),
            "To: Bob <Bob@example.com>".to_owned(),
            "Subject: Invitation: Planning, spring".to_owned(),
            "Case-ID: case-1".to_owned(),
            "Auto-Submitted: auto-generated".to_owned(),
            "Reply-To: \"Ana Lima\" <ana@example.com>".to_owned(),
            "MIME-Version: 1.0".to_owned(),
            "Content-Type: multipart/alternative; boundary=\"=_716936cffdf854c7816d35d4ee7c26d7\"".to_owned(),
        ]
    );
    let text = String::from_utf8(message.mail.clone())?;
    let calendar = "Content-Type: text/calendar; method=REQUEST; charset=utf-8; component=VEVENT\r\n";
    assert!(text.contains(calendar), "{text}");
    assert!(
        message.mail.is_ascii() && text.lines().all(|line| line.len() <= 78 || line.starts_with("Message-ID")),
        "{text}"
    );
    Ok(())
}

#[test]
fn every_revision_and_recipient_has_its_own_message_id_and_each_time_the_same_bytes() -> anyhow::Result<()> {
    let mut seen = std::collections::HashMap::new();
    for _ in 0..2 {
        for (method, sequence) in [(Method::Request, 0), (Method::Request, 1), (Method::Cancel, 1)] {
            for email in ["bob@example.com", "cy@example.com"] {
                let invitation = invitation(method, sequence)?;
                let message = write(&from()?, &invitation, &recipient(email, "UTC")?)?;
                let before = seen.insert(message.name.clone(), message.mail.clone());
                assert!(before.is_none_or(|before| before == message.mail));
            }
        }
    }
    assert_eq!(seen.len(), 6);
    assert_eq!(request("bob@example.com")?.name, request("BOB@Example.com")?.name);
    Ok(())
}

#[test]
fn a_mail_reads_right_for_the_organizer_and_for_an_attendee() -> anyhow::Result<()> {
    let zone = Zone::parse("Europe/Lisbon")?;
    let read = |method, sequence, cause, is_new, email: &str| {
        let invitation = invitation(method, sequence)?;
        let to = Recipient { is_new, ..recipient(email, "UTC")? };
        let opening = content(&invitation, &to, cause, &zone, SITE).opening;
        anyhow::Ok((subject(&invitation, &to, cause).replace(": Planning, spring", ""), opening))
    };
    let (ana, bob) = ("ana@example.com", "Bob@example.com");
    let gone = "This meeting is cancelled, because the account of a person whom it needs was deleted.";
    for (method, sequence, cause, is_new, email, subject, opening) in [
        (Method::Request, 0, CancelCause::Cancelled, false, ana, "Arranged", "You have arranged this meeting."),
        (Method::Request, 0, CancelCause::Cancelled, false, bob, "Invitation", "Ana Lima invites you to a meeting."),
        (Method::Request, 2, CancelCause::Cancelled, true, ana, "Arranged", "You have arranged this meeting."),
        (Method::Request, 2, CancelCause::Cancelled, true, bob, "Invitation", "Ana Lima invites you to a meeting."),
        (Method::Request, 2, CancelCause::Cancelled, false, ana, "Changed", "You have changed this meeting."),
        (
            Method::Request,
            2,
            CancelCause::Cancelled,
            false,
            bob,
            "Updated invitation",
            "Ana Lima has changed a meeting that you are invited to.",
        ),
        (Method::Cancel, 1, CancelCause::Cancelled, false, ana, "Cancelled", "You have cancelled this meeting."),
        (Method::Cancel, 1, CancelCause::Cancelled, false, bob, "Cancelled", "Ana Lima has cancelled this meeting."),
        (Method::Cancel, 1, CancelCause::AccountDeleted, false, ana, "Cancelled", gone),
        (Method::Cancel, 1, CancelCause::AccountDeleted, false, bob, "Cancelled", gone),
        (
            Method::Cancel,
            1,
            CancelCause::Removed,
            false,
            bob,
            "No longer invited",
            "Ana Lima has removed you from the attendees of this meeting.",
        ),
    ] {
        let expected = (subject.to_owned(), opening.to_owned());
        assert_eq!(read(method, sequence, cause, is_new, email)?, expected);
    }
    Ok(())
}

#[test]
fn the_text_says_what_when_who_and_how_to_answer() -> anyhow::Result<()> {
    let invited = text(&invitation(Method::Request, 0)?, &recipient("bob@example.com", "Europe/Berlin")?)?;
    let expected = "Ana Lima invites you to a meeting.

What:       Planning, spring
When:       Monday, 30 March 2026, 15:00–16:00
            Europe/Berlin (UTC+02:00)
            For Ana Lima: Monday, 30 March 2026, 14:00–15:00, Europe/Lisbon (UTC+01:00)
Organizer:  Ana Lima <ana@example.com>
Attendees:  Bob <Bob@example.com> (accepted)
            cy@example.com (optional)

Can you come?
Yes:        https://meet.example.com/a?token=t&answer=accepted
Maybe:      https://meet.example.com/a?token=t&answer=tentative
No:         https://meet.example.com/a?token=t&answer=declined

The meeting: https://meet.example.com/a?token=t
";
    assert_eq!(invited, expected);
    let cancelled = text(&invitation(Method::Cancel, 2)?, &recipient("bob@example.com", "UTC")?)?;
    assert!(cancelled.starts_with("Ana Lima has cancelled this meeting.\n"), "{cancelled}");
    assert!(!cancelled.contains("Can you come?"), "{cancelled}");
    let own = text(&invitation(Method::Request, 0)?, &recipient("ana@example.com", "Europe/Lisbon")?)?;
    assert!(!own.contains("Can you come?") && !own.contains("For Ana"), "the organizer comes anyway: {own}");
    Ok(())
}

#[test]
fn the_time_is_that_of_the_recipients_own_clock_on_that_day() -> anyhow::Result<()> {
    let when = |start: &str, zone| {
        let mut invitation = invitation(Method::Request, 0)?;
        invitation.start = start.parse()?;
        invitation.end = invitation.start + jiff::SignedDuration::from_hours(1);
        let text = text(&invitation, &recipient("bob@example.com", zone)?)?;
        let lines = text.lines().skip_while(|line| !line.starts_with("When:")).take(2);
        anyhow::Ok(lines.map(|line| line[12..].to_owned()).collect::<Vec<_>>().join(" | "))
    };
    let cases = [
        // Berlin's clocks jump on 29 March 2026, New York's did on 8 March.
        ("2026-03-27T14:00:00Z", "Europe/Berlin", "Friday, 27 March 2026, 15:00–16:00 | Europe/Berlin (UTC+01:00)"),
        ("2026-03-30T14:00:00Z", "Europe/Berlin", "Monday, 30 March 2026, 16:00–17:00 | Europe/Berlin (UTC+02:00)"),
        (
            "2026-03-27T14:00:00Z",
            "America/New_York",
            "Friday, 27 March 2026, 10:00–11:00 | America/New_York (UTC-04:00)",
        ),
        (
            "2026-03-30T14:00:00Z",
            "America/New_York",
            "Monday, 30 March 2026, 10:00–11:00 | America/New_York (UTC-04:00)",
        ),
        (
            "2026-03-29T00:30:00Z",
            "Europe/Berlin",
            "Sunday, 29 March 2026, 01:30–03:30 | Europe/Berlin (UTC+01:00, at the end UTC+02:00)",
        ),
        ("2026-03-01T23:30:00Z", "UTC", "Sunday, 1 March 2026, 23:30 – Monday, 2 March 2026, 00:30 | UTC"),
        ("2026-03-27T14:00:00Z", "Asia/Kolkata", "Friday, 27 March 2026, 19:30–20:30 | Asia/Kolkata (UTC+05:30)"),
    ];
    for (start, zone, expected) in cases {
        assert_eq!(when(start, zone)?, expected);
    }
    Ok(())
}

#[test]
fn many_attendees_are_counted_and_not_listed() -> anyhow::Result<()> {
    let mut invitation = invitation(Method::Request, 0)?;
    let guest = |n| Invitee {
        person: person("", &format!("a{n}@example.com")),
        required: true,
        participation: Participation::NeedsAction,
    };
    invitation.attendees = (0..500).map(guest).collect();
    let text = text(&invitation, &recipient("bob@example.com", "UTC")?)?;
    assert!(text.contains("a19@example.com\n            and 480 more\n"), "{text}");
    Ok(())
}

#[test]
fn names_titles_and_case_ids_cannot_add_headers_or_parts() -> anyhow::Result<()> {
    let plain = request("bob@example.com")?;
    let names = |message: &MailMessage| -> Vec<String> {
        head(message).iter().map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
    };
    let boundaries = |message: &MailMessage| String::from_utf8_lossy(&message.mail).matches("\r\n--=_").count();
    for hostile in [
        "x\r\nBcc: eve@example.com",
        "x\nBcc: eve@example.com\n\nhello",
        "\r\n\r\n--=_716936cffdf854c7816d35d4ee7c26d7\r\n",
        "\"<eve@example.com>, \"x",
        "=?utf-8?q?=0d=0aBcc:_eve=40example.com?=",
        "\u{202e}moc.elpmaxe\0\u{7f}\u{85}\u{2028}Bcc: x",
        "Zoë 👩‍👩‍👧 and 日本語",
        &"long ".repeat(200),
        &"👍".repeat(300),
        "",
    ] {
        let mut invitation = invitation(Method::Request, 0)?;
        invitation.title = hostile.to_owned();
        invitation.organizer.name = hostile.to_owned();
        let mut to = recipient("bob@example.com", "UTC")?;
        to.person.name = hostile.to_owned();
        to.answer_path = hostile.to_owned();
        let message =
            MailMessage::invitation(&from()?, &invitation, &to, CancelCause::Cancelled, &Zone::utc(), SITE, hostile)?;
        assert_eq!(names(&message), names(&plain), "{hostile:?}");
        assert_eq!(boundaries(&message), 4, "{hostile:?}");
        assert!(message.mail.is_ascii(), "{hostile:?}");
        let mail = String::from_utf8_lossy(&message.mail);
        assert!(mail.lines().all(|line| line.len() <= 998) && !mail.contains("\nBcc"), "{hostile:?}: {mail}");
    }
    Ok(())
}

/// What a mail program shows of a header: its encoded words are decoded (RFC 2047).
fn decoded(header: &str) -> String {
    use base64::Engine as _;
    let words = header.split(' ').map(|word| {
        let base64 = word.strip_prefix("=?utf-8?B?").or_else(|| word.strip_prefix("=?utf-8?b?"));
        let bytes = base64
            .and_then(|word| word.strip_suffix("?="))
            .map(|word| base64::engine::general_purpose::STANDARD.decode(word));
        bytes
            .and_then(Result::ok)
            .map_or_else(|| format!(" {word} "), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    });
    words.collect::<String>().replace("  ", " ").trim().to_owned()
}

#[test]
fn a_subject_and_a_name_are_shown_as_they_were_typed() -> anyhow::Result<()> {
    for typed in [
        "=?utf-8?q?=0d=0aBcc:_eve=40example.com?=",
        "a =?utf-8?q?b?= c",
        "=?UTF-8?B?QmNjOiBldmU=?= and a long title, so that it needs several encoded words: Übermäßig ärgerlich",
        "=?",
    ] {
        let mut invitation = invitation(Method::Request, 0)?;
        invitation.title = typed.to_owned();
        invitation.organizer.name = typed.to_owned();
        let mut to = recipient("bob@example.com", "UTC")?;
        to.person.name = typed.to_owned();
        let message = write(&from()?, &invitation, &to)?;
        let header = |name: &str| {
            let found = head(&message).into_iter().find_map(|line| line.strip_prefix(name).map(str::to_owned));
            decoded(&found.unwrap_or_default())
        };
        assert_eq!(header("Subject: "), format!("Invitation: {typed}"));
        assert_eq!(header("To: "), format!("{typed} <bob@example.com>"));
        assert_eq!(header("Reply-To: "), format!("{typed} <ana@example.com>"));
    }
    Ok(())
}

#[test]
fn the_html_part_has_the_answers_as_links_and_no_markup_of_others() -> anyhow::Result<()> {
    let mut invitation = invitation(Method::Request, 0)?;
    invitation.title = "<script>alert(1)</script> & \"more\"".to_owned();
    let zone = Zone::parse("Europe/Lisbon")?;
    let (to, cause) = (recipient("bob@example.com", "Europe/Berlin")?, CancelCause::Cancelled);
    let html = content(&invitation, &to, cause, &zone, SITE).to_html("A subject");
    for answer in ["accepted", "tentative", "declined"] {
        assert!(html.contains(&format!("href=\"{SITE}/a?token=t&amp;answer={answer}\"")), "{answer}: {html}");
    }
    for shown in
        ["15:00–16:00", "Europe/Berlin (UTC+02:00)", "14:00–15:00, Europe/Lisbon (UTC+01:00)", "&lt;script&gt;"]
    {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("<style"), "{html}");
    let cancelled = content(&super::invitation(Method::Cancel, 1)?, &to, cause, &zone, SITE);
    assert!(!cancelled.to_html("A subject").contains("answer="), "a cancellation asks for nothing");
    let message = request("bob@example.com")?;
    let kinds = String::from_utf8_lossy(&message.mail);
    let at = |kind: &str| kinds.find(&format!("Content-Type: {kind}")).unwrap_or_default();
    assert!(
        0 < at("text/plain") && at("text/plain") < at("text/html") && at("text/html") < at("text/calendar"),
        "{kinds}"
    );
    Ok(())
}

#[test]
fn an_invalid_address_gets_no_mail() -> anyhow::Result<()> {
    for email in ["", "bob", "bob@example.com\r\nBcc: eve@example.com", "\"a b\"@example.com", "a@b.co,c@d.co"] {
        assert!(request(email).is_err(), "{email:?}");
    }
    Ok(())
}
