//! Events as the programs of this world write them, for an owner in Berlin, with the time that their authors meant.

use super::calendar_cases::{added, busy, read};

/// What each event adds, in UTC.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of calendars, each with its right answer")]
fn events_of_many_programs_are_read_as_they_are_meant() {
    let weekly = "DTSTART;TZID=Europe/Berlin:20270104T090000\nDTEND;TZID=Europe/Berlin:20270104T100000";
    let three = "01-04 08:00/09:00, 01-11 08:00/09:00, 01-18 08:00/09:00";
    let day = "12-09 23:00/12-10 23:00";
    let ten = "12-10 09:00/10:00";
    let mut wrong = Vec::new();
    for (name, lines, expected) in [
        // Outlook, Exchange, Teams
        (
            "no description",
            "DTSTART;TZID=(no TZ description):20261210T100000\nDTEND;TZID=(no TZ description):20261210T110000",
            ten,
        ),
        (
            "display name",
            "DTSTART;TZID=\"(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna\":20261210T100000\nDURATION:PT1H",
            ten,
        ),
        (
            "escaped display name",
            "DTSTART;TZID=\"(UTC+02:00) Helsinki\\, Kyiv\\, Riga\":20261210T110000\nDURATION:PT1H",
            ten,
        ),
        ("daylight name", "DTSTART;TZID=Eastern Daylight Time:20261210T040000\nDURATION:PT1H", ten),
        ("Domino name", "DTSTART;TZID=\"W. Europe\":20261210T100000\nDTEND;TZID=\"W. Europe\":20261210T110000", ten),
        (
            "tzone UTC",
            "DTSTART;TZID=tzone://Microsoft/Utc:20261210T090000\nDTEND;TZID=tzone://Microsoft/Utc:20261210T100000",
            ten,
        ),
        ("all day in UTC", "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE\nDTSTART:20261210T000000Z\nDTEND:20261211T000000Z", day),
        (
            "all day on the creator's clock",
            "DTSTART;TZID=Pacific Standard Time:20261210T000000\nDTEND;TZID=Pacific Standard Time:20261211T000000\nX-MICROSOFT-CDO-ALLDAYEVENT:TRUE",
            day,
        ),
        (
            "all day, but an hour",
            "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE\nDTSTART:20261210T000000Z\nDTEND:20261210T010000Z",
            "12-10 00:00/01:00",
        ),
        (
            "not all day",
            "X-MICROSOFT-CDO-ALLDAYEVENT:FALSE\nDTSTART:20261210T000000Z\nDTEND:20261211T000000Z",
            "12-10 00:00/12-11 00:00",
        ),
        (
            "all-day series until a time in UTC",
            "DTSTART;VALUE=DATE:20270110\nDTEND;VALUE=DATE:20270111\nRRULE:FREQ=DAILY;UNTIL=20270111T230000Z;INTERVAL=1",
            "01-09 23:00/01-12 23:00",
        ),
        (
            "all-day series until a midnight in UTC",
            "DTSTART;VALUE=DATE:20270110\nRRULE:FREQ=DAILY;UNTIL=20270111T000000Z",
            "01-09 23:00/01-11 23:00",
        ),
        (
            "all-day series until a date",
            "DTSTART;VALUE=DATE:20270110\nRRULE:FREQ=DAILY;UNTIL=20270111",
            "01-09 23:00/01-11 23:00",
        ),
        (
            "free",
            "X-MICROSOFT-CDO-BUSYSTATUS:FREE\nTRANSP:OPAQUE\nDTSTART:20261210T090000Z\nDTEND:20261210T100000Z",
            "",
        ),
        (
            "tentative",
            "X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE\nX-MICROSOFT-CDO-INTENDEDSTATUS:FREE\nDTSTART:20261210T090000Z\nDTEND:20261210T100000Z",
            ten,
        ),
        (
            "a series of three",
            &format!("{weekly}\nRRULE:FREQ=WEEKLY;UNTIL=20270118T080000Z;INTERVAL=1;BYDAY=MO;WKST=SU"),
            three,
        ),
        ("zero occurrences", &format!("{weekly}\nRRULE:FREQ=WEEKLY;COUNT=0"), "01-04 08:00/09:00"),
        (
            "the last working day",
            "DTSTART;TZID=W. Europe Standard Time:20261231T150000\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;COUNT=2;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            "12-31 14:00/15:00, 01-29 14:00/15:00",
        ),
        ("29 February", "DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY", ""),
        // Google
        (
            "until the second before midnight",
            &format!("{weekly}\nRRULE:FREQ=WEEKLY;WKST=MO;UNTIL=20270118T225959Z;BYDAY=MO"),
            three,
        ),
        (
            "exceptions on two lines",
            &format!(
                "{weekly}\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE;TZID=Europe/Berlin:20270105T090000\nEXDATE;TZID=Europe/Berlin:20270106T090000"
            ),
            "01-04 08:00/09:00, 01-07 08:00/09:00",
        ),
        (
            "exceptions in UTC",
            &format!("{weekly}\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20270105T080000Z"),
            "01-04 08:00/09:00, 01-06 08:00/09:00",
        ),
        (
            "exceptions in another zone",
            &format!("{weekly}\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE;TZID=America/New_York:20270105T030000"),
            "01-04 08:00/09:00, 01-06 08:00/09:00",
        ),
        (
            "over the change of the clocks",
            "DTSTART;TZID=Europe/Berlin:20270327T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2",
            "03-27 08:00/09:00, 03-28 07:00/08:00",
        ),
        (
            "the end in another zone",
            "DTSTART;TZID=Europe/Berlin:20261210T100000\nDTEND;TZID=America/New_York:20261210T130000",
            "12-10 09:00/18:00",
        ),
        (
            "declined",
            "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=DECLINED;CN=Owner;X-NUM-GUESTS=0:mailto:owner@example.com\nDTSTART:20261210T090000Z\nDTEND:20261210T100000Z",
            "",
        ),
        (
            "declined by somebody else",
            "ATTENDEE;PARTSTAT=DECLINED:mailto:other@example.com\nDTSTART:20261210T090000Z\nDTEND:20261210T100000Z",
            ten,
        ),
        // iCloud, Thunderbird, Fastmail, Nextcloud
        ("until on the clock of the series", &format!("{weekly}\nRRULE:FREQ=WEEKLY;UNTIL=20270118T090000"), three),
        ("until a date", &format!("{weekly}\nRRULE:FREQ=WEEKLY;INTERVAL=1;UNTIL=20270118;BYDAY=MO"), three),
        (
            "an empty exception with a zone",
            &format!("{weekly}\nRRULE:FREQ=WEEKLY;COUNT=3\nEXDATE;TZID=Europe/Berlin:"),
            three,
        ),
        ("trailing white space", "DTSTART:20261210T090000Z \nDTEND:20261210T100000Z\t", ten),
        (
            "a zone behind a path",
            "DTSTART;TZID=/mozilla.org/20070129_1/Europe/Berlin:20261210T100000\nDURATION:PT1H",
            ten,
        ),
        ("an old name", "DTSTART;TZID=Asia/Calcutta:20261210T143000\nDURATION:PT1H", ten),
        (
            "VALUE=DATE-TIME after the zone",
            "DTSTART;TZID=Europe/Berlin;VALUE=DATE-TIME:20261210T100000\nDTEND;VALUE=DATE-TIME;TZID=Europe/Berlin:20261210T110000",
            ten,
        ),
        (
            "a zone on a date",
            "DTSTART;TZID=America/New_York;VALUE=DATE:20261210\nDTEND;TZID=America/New_York;VALUE=DATE:20261211",
            day,
        ),
        ("a date without VALUE", "DTSTART:20261210\nDTEND:20261211", day),
        (
            "travel time and an alarm",
            "DTSTART;X-VOBJ-FLOATINGTIME-ALLOWED=TRUE;TZID=Europe/Berlin:20261210T100000\nX-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC\nBEGIN:VALARM\nTRIGGER:-PT15M\nDURATION:PT5M\nREPEAT:2\nEND:VALARM\nDURATION:PT1H",
            ten,
        ),
        // Zoom, Airbnb, shops, sports leagues, Untis, universities
        (
            "Airbnb",
            "DTSTART;VALUE=DATE:20270110\nDTEND;VALUE=DATE:20270113\nSUMMARY:Reserved",
            "01-09 23:00/01-12 23:00",
        ),
        ("an end that is its start", "DTSTART;VALUE=DATE:20261210\nDTEND;VALUE=DATE:20261210", day),
        ("an end before its start, in days", "DTSTART;VALUE=DATE:20261210\nDTEND;VALUE=DATE:20261209", day),
        (
            "a Z and a zone",
            "DTSTART;TZID=Europe/Berlin:20261210T090000Z\nDTEND;TZID=Europe/Berlin:20261210T100000Z",
            ten,
        ),
        ("a Z and UTC", "DTSTART;TZID=UTC:20261210T090000Z\nDTEND;TZID=UTC:20261210T100000Z", ten),
        ("without seconds", "DTSTART:20261210T0900Z\nDTEND:20261210T1000Z", ten),
        ("no end", "DTSTART:20261210T090000Z\nSUMMARY:Kick-off", ""),
        ("a day until 24:00", "DTSTART:20261210T230000\nDTEND:20261210T240000", "12-10 22:00/23:00"),
        ("a second before midnight", "DTSTART:20261210T000000\nDTEND:20261210T235959", "12-09 23:00/12-10 22:59"),
        ("offset without quotes", "DTSTART;TZID=GMT+01:00:20261210T100000\nDTEND;TZID=GMT+01:00:20261210T110000", ten),
        ("offset in the value", "DTSTART:2026-12-10T10:00:00+0100\nDTEND:2026-12-10T11:00:00+0100", ten),
        (
            "exceptions with semicolons",
            &format!("{weekly}\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE;TZID=Europe/Berlin:20270105T090000;20270106T090000"),
            "01-04 08:00/09:00",
        ),
        ("a rule with a final semicolon", &format!("{weekly}\nRRULE:FREQ=WEEKLY;COUNT=3;"), three),
        ("a rule in lower case", &format!("{weekly}\nRRULE:freq=weekly;count=3;byday=mo"), three),
        (
            "holidays as exceptions",
            &format!("{weekly}\nRRULE:FREQ=WEEKLY;COUNT=4;BYDAY=MO\nEXDATE;VALUE=DATE:20270125"),
            three,
        ),
        (
            "every second week",
            "DTSTART;TZID=Europe/Berlin:20270107T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=2;BYDAY=TH",
            "01-07 08:00/09:00, 01-21 08:00/09:00",
        ),
        ("further dates", &format!("{weekly}\nRDATE;TZID=Europe/Berlin:20270111T090000,20270118T090000"), three),
        (
            "further periods",
            &format!("{weekly}\nRDATE;VALUE=PERIOD:20270111T080000Z/PT1H,20270118T080000Z/20270118T090000Z"),
            three,
        ),
        ("properties twice", "DTSTART:20261210T090000Z\nDTEND:20261210T100000Z\nDTSTART:20261211T090000Z", ten),
        ("white space around names", "DTSTART :20261210T090000Z\nDTEND ; VALUE=DATE-TIME :20261210T100000Z", ten),
        (
            "a description with a colon at the line's beginning",
            "DTSTART:20261210T090000Z\nDESCRIPTION:Agenda\n:point\nDTEND:20261210T100000Z",
            ten,
        ),
        ("a duration in weeks", "DTSTART;VALUE=DATE:20270110\nDURATION:P1W", "01-09 23:00/01-16 23:00"),
        ("a huge SEQUENCE", "SEQUENCE:99999999999999999999\nDTSTART:20261210T090000Z\nDTEND:20261210T100000Z", ten),
        (
            "not the owner's cancellation",
            "STATUS:CONFIRMED\nX-STATUS:CANCELLED\nDTSTART:20261210T090000Z\nDTEND:20261210T100000Z",
            ten,
        ),
    ] {
        let (found, _) = added(lines);
        if found != expected {
            wrong.push(format!("{name}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a whole calendar holds, in UTC.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of calendars, each with its right answer")]
fn calendars_of_many_programs_are_read_as_they_are_meant() {
    let event = |lines: &str| format!("BEGIN:VEVENT\nUID:1\nDURATION:PT1H\n{lines}\nEND:VEVENT\n");
    let series = event("SEQUENCE:5\nDTSTART;TZID=Europe/Berlin:20270104T090000\nRRULE:FREQ=WEEKLY;COUNT=3");
    let (one, floating) = (event("DTSTART:20261210T090000Z"), event("DTSTART:20261210T040000"));
    let three = "01-04 08:00/09:00, 01-11 08:00/09:00, 01-18 08:00/09:00";
    let moved = "01-04 08:00/09:00, 01-11 13:00/14:00, 01-18 08:00/09:00";
    let ten = "12-10 09:00/10:00";
    let observance = |part: &str, to: &str| {
        format!("BEGIN:{part}\nDTSTART:00010101T000000\nTZOFFSETFROM:{to}\nTZOFFSETTO:{to}\nEND:{part}\n")
    };
    let office = format!("BEGIN:VTIMEZONE\nTZID:Office\n{}END:VTIMEZONE\n", observance("STANDARD", "+0500"));
    let mut wrong = Vec::new();
    for (name, body, expected) in [
        ("a cancellation", format!("METHOD:CANCEL\n{one}"), ""),
        ("a request", format!("METHOD:REQUEST\n{one}"), ten),
        ("the clock by TIMEZONE-ID", format!("TIMEZONE-ID:America/New_York\n{floating}"), ten),
        (
            "the clock by a display name",
            format!("X-WR-TIMEZONE:(UTC-05:00) Eastern Time (US & Canada)\n{floating}"),
            ten,
        ),
        ("the clock by a Windows name", format!("X-WR-TIMEZONE:Eastern Standard Time\n{floating}"), ten),
        ("zones after events", format!("{}{office}", event("DTSTART;TZID=Office:20261210T140000")), ten),
        ("one zone many times", format!("{office}{office}{}", event("DTSTART;TZID=Office:20261210T140000")), ten),
        (
            "a replacement in another zone",
            format!(
                "{series}{}",
                event("SEQUENCE:5\nRECURRENCE-ID;TZID=America/New_York:20270111T030000\nDTSTART:20270111T130000Z")
            ),
            moved,
        ),
        (
            "a replacement by its date",
            format!("{series}{}", event("SEQUENCE:5\nRECURRENCE-ID;VALUE=DATE:20270111\nDTSTART:20270111T130000Z")),
            moved,
        ),
        (
            "a replacement of a lower sequence",
            format!("{series}{}", event("SEQUENCE:1\nRECURRENCE-ID:20270111T080000Z\nDTSTART:20270111T130000Z")),
            moved,
        ),
        (
            "a replacement before its series",
            format!("{}{series}", event("SEQUENCE:5\nRECURRENCE-ID:20270111T080000Z\nDTSTART:20270111T130000Z")),
            moved,
        ),
        (
            "a replacement with the rule of its series",
            format!(
                "{series}{}",
                event(
                    "SEQUENCE:5\nRECURRENCE-ID:20270111T080000Z\nDTSTART:20270111T130000Z\nRRULE:FREQ=WEEKLY;COUNT=3"
                )
            ),
            moved,
        ),
        (
            "a replacement twice",
            format!(
                "{series}{}{}",
                event("SEQUENCE:6\nRECURRENCE-ID:20270111T080000Z\nDTSTART:20270111T130000Z"),
                event("SEQUENCE:5\nRECURRENCE-ID:20270111T080000Z\nDTSTART:20270111T150000Z")
            ),
            moved,
        ),
        ("a replacement alone", event("RECURRENCE-ID:20261203T080000Z\nDTSTART:20261210T090000Z"), ten),
        (
            "a cancelled occurrence",
            format!(
                "{series}{}",
                event("SEQUENCE:6\nSTATUS:CANCELLED\nRECURRENCE-ID:20270111T080000Z\nDTSTART:20270111T080000Z")
            ),
            "01-04 08:00/09:00, 01-18 08:00/09:00",
        ),
        (
            "a free occurrence",
            format!(
                "{series}{}",
                event("SEQUENCE:5\nTRANSP:TRANSPARENT\nRECURRENCE-ID:20270111T080000Z\nDTSTART:20270111T080000Z")
            ),
            "01-04 08:00/09:00, 01-18 08:00/09:00",
        ),
        (
            "a declined series with one accepted",
            format!(
                "{}{}",
                event(
                    "ATTENDEE;PARTSTAT=DECLINED:mailto:owner@example.com\nDTSTART:20261203T090000Z\nRRULE:FREQ=WEEKLY"
                ),
                event(
                    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:owner@example.com\nRECURRENCE-ID:20261210T090000Z\nDTSTART:20261210T090000Z"
                )
            ),
            ten,
        ),
        (
            "one UID for all",
            format!("{one}{}", event("DTSTART:20261211T090000Z")),
            "12-10 09:00/10:00, 12-11 09:00/10:00",
        ),
        (
            "a task and a journal",
            format!(
                "BEGIN:VTODO\nDTSTART:20261209T090000Z\nDUE:20261209T100000Z\nEND:VTODO\nBEGIN:VJOURNAL\nDTSTART:20261209T090000Z\nEND:VJOURNAL\n{one}"
            ),
            ten,
        ),
        (
            "an unknown component",
            format!("BEGIN:X-THING\nBEGIN:X-INNER\nDTSTART:x\nEND:X-INNER\nEND:X-THING\n{one}"),
            ten,
        ),
        ("line ends of two conversions", one.replace('\n', "\r\r\n"), ten),
        ("a week off", series.replace("COUNT=3", "COUNT=3;WKST=MO\nX-OLD:1"), three),
    ] {
        let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\n{body}END:VCALENDAR\n");
        let found =
            read(&text, "Europe/Berlin").map_or_else(|why| why.to_string(), |found| busy(found, "Europe/Berlin"));
        if found != expected {
            wrong.push(format!("{name}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
