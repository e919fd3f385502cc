//! Meetings: requested, refused, scheduled in the background at the right time, and listed.

use awc::http::Method;
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use serde_json::{Value, json};

use crate::both_shapes;
use crate::calendars::{calendar, compact, put_text};
use crate::support::account::{Account, auth_required_with};
use crate::support::meeting::{
    ANA, BEN, CAT, create_invited_meeting, create_meeting, meeting_body, meeting_path, mornings, next_monday,
    next_page, register_morning_people, start_label, text, wait_for_mails, wait_for_status,
};
use crate::support::{Cluster, eventually};

const MEETINGS: &str = "/api/meetings";

fn states(meeting: &Value) -> Vec<&str> {
    meeting["history"].as_array().into_iter().flatten().map(|it| text(it, "status")).collect()
}

/// Texts that are no callback that this installation may call.
const NO_CALLBACKS: [&str; 16] = [
    "hook",
    "http://example.com/",
    "ftp://example.com/",
    "https://127.0.0.1/",
    "https://10.1.2.3/",
    "https://192.168.0.1/",
    "https://169.254.169.254/latest",
    "https://[::1]/",
    "https://[::ffff:7f00:1]/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://localhost/",
    "https://localhost./",
    "https://ana:secret@example.com/",
    "https://example.com:22/",
    "https://example.com/\\x",
];

/// Values that one member of a request must not have, and their places.
fn refused_values() -> Vec<(Value, Vec<&'static str>)> {
    let mut rows = Vec::new();
    for (member, values) in [
        ("title", vec![json!(7), json!(""), json!(" "), json!("a\nb"), json!("a\u{0}b"), json!(["x"])]),
        ("duration_minutes", vec![json!(7), json!(0), json!(20), json!(1455), json!("60"), json!(60.5), json!(-60)]),
        ("pick", vec![json!("some"), json!(1)]),
        ("location", vec![json!(7), json!(""), json!("a\nb"), json!("x".repeat(201))]),
        ("description", vec![json!(7), json!(" \n "), json!("a\u{0}b"), json!("x".repeat(4001))]),
        (
            "url",
            vec![
                json!("video"),
                json!("javascript:alert(1)"),
                json!("http://example.com/"),
                json!(1),
                json!("https://zoom.us@evil.example/"),
                json!("https://a:b@x.org/"),
                json!("https://:b@x.org/"),
            ],
        ),
        ("step_minutes", vec![json!(0), json!(45), json!("60"), json!(7.5)]),
        ("seed", vec![json!(-1), json!(1.5), json!(1_u64 << 53), json!("1")]),
        ("time_zone", vec![json!("Mars/Olympus"), json!("+05:30"), json!(1), json!("floating")]),
    ] {
        let place = [
            "#/location",
            "#/description",
            "#/url",
            "#/title",
            "#/duration_minutes",
            "#/pick",
            "#/seed",
            "#/step_minutes",
            "#/time_zone",
        ];
        let place = place.into_iter().find(|place| place.ends_with(member)).expect("a place");
        rows.extend(values.into_iter().map(|value| (json!({ member: value }), vec![place])));
    }
    rows
}

/// What is put over a good request, and the places of the faults that come of it.
fn refused() -> Vec<(Value, Vec<&'static str>)> {
    let url = "https://example.com/hook";
    let secret = format!("whsec_{}", "A".repeat(32));
    let many: Vec<String> = (0..501).map(|number| format!("u{number}@example.com")).collect();
    let days = json!({ "from": null, "to": null });
    let mut rows = vec![
        (json!({ "organizer": null }), vec!["#/organizer"]),
        (json!({ "organizer": 7 }), vec!["#/organizer"]),
        (json!({ "organizer": "ana" }), vec!["#/organizer"]),
        (json!({ "attendees": null }), vec!["#/attendees"]),
        (json!({ "attendees": BEN }), vec!["#/attendees"]),
        (json!({ "attendees": [] }), vec!["#/attendees"]),
        (json!({ "attendees": [ANA] }), vec!["#/attendees"]),
        (json!({ "attendees": [ANA, "ANA@example.com"] }), vec!["#/attendees"]),
        (json!({ "attendees": many }), vec!["#/attendees"]),
        (json!({ "attendees": [BEN, 7, "x"] }), vec!["#/attendees/1", "#/attendees/2"]),
        (json!({ "attendees": [{ "email": "x" }] }), vec!["#/attendees/0/email"]),
        (json!({ "attendees": [{ "attendance": "optional" }] }), vec!["#/attendees/0/email"]),
        (json!({ "attendees": [{ "email": BEN, "attendance": "maybe" }] }), vec!["#/attendees/0/attendance"]),
        (json!({ "attendees": [{ "email": BEN, "participation": "accepted" }] }), vec!["#/attendees/0/participation"]),
        (json!({ "title": "x".repeat(201) }), vec!["#/title"]),
        (json!({ "callback_url": url, "callback_secret": "secret" }), vec!["#/callback_secret"]),
        (json!({ "callback_url": url, "callback_secret": "whsec_AAAA" }), vec!["#/callback_secret"]),
        (json!({ "callback_secret": secret }), vec!["#/callback_secret"]),
        (json!({ "to": null }), vec!["#/from"]),
        (json!({ "to": next_monday().saturating_sub(1.day()) }), vec!["#/from"]),
        (json!({ "to": next_monday().saturating_add(62.days()) }), vec!["#/from"]),
        (json!({ "week": "2027-W01" }), vec!["#/from"]),
        (json!({ "week": "2026-W10", "from": null, "to": null }), vec!["#/week"]),
        (json!({ "from": "2026-03-02", "to": "2026-03-03" }), vec!["#/to"]),
        (json!({ "from": "2026-03-02", "to": "2026-03-03", "time_zone": "Asia/Tokyo" }), vec!["#/to"]),
        (json!({ "start": "2199-01-01T09:00:00Z" }), vec!["#/start"]),
        (
            json!({ "title": 7, "duration_minutes": 7, "isAdmin": true }),
            vec!["#/duration_minutes", "#/isAdmin", "#/title"],
        ),
    ];
    rows.extend(refused_values());
    for start in ["tomorrow", "2099-01-01T09:00:00.5Z", "2020-01-01T09:00:00Z", "2099-01-01T09:00:00", "2099-01-01"] {
        let mut row = days.clone();
        row["start"] = start.into();
        rows.push((row, vec!["#/start"]));
    }
    rows.extend(["id", "status", "version", "end", "reason", "notify", "limit"].map(|member| {
        let place: &str = member.to_owned().leak();
        (json!({ member: "x" }), vec![&*format!("#/{place}").leak()])
    }));
    rows.extend(NO_CALLBACKS.map(|url| (json!({ "callback_url": url }), vec!["#/callback_url"])));
    rows
}

/// The titles of the meetings that a query selects, from all pages.
async fn listed(cluster: &Cluster, query: &str) -> Vec<String> {
    let (mut next, mut seen) = (Some(format!("{MEETINGS}?{query}")), Vec::new());
    while let Some(page) = next {
        let reply = cluster.get(&page).await.expect(200);
        assert!(seen.len() < 6, "the pages come to an end");
        let page = reply.json["meetings"].as_array().expect("a list");
        seen.extend(page.iter().map(|one| text(one, "title").to_owned()));
        next = next_page(&reply);
    }
    seen
}

/// The period at which a slot begins that is offered to Ana and Ben.
async fn offered(cluster: &Cluster, first: Date, last: Date) -> String {
    let query = format!("attendee={ANA}&attendee={BEN}&from={first}&to={last}");
    let found = cluster.get(&format!("/api/suggestions?{query}")).await.expect(200).json;
    let slot = start_label(&found["suggestions"][0]);
    let common = cluster.get(&format!("/api/availability?{query}")).await.expect(200).json;
    assert_eq!(start_label(&common["periods"][0]), slot, "{common}");
    slot
}

both_shapes! {
    /// The third walk: from the request to the invitations.
    async fn a_meeting_is_accepted_at_once_and_arranged_in_the_background(cluster) {
        cluster.register_in(ANA, "Europe/Paris", json!({ "monday": [10, 11] })).await;
        cluster.register(BEN, json!({ "monday": [9, 10] })).await;
        let body = json!({ "organizer": "Ana@Example.com", "attendees": [BEN, ANA, BEN] });
        let accepted = cluster.post(MEETINGS, body).await.expect(202);
        let meeting = &accepted.json;
        assert_eq!(accepted.header("location"), Some(meeting_path(meeting).as_str()));
        assert_eq!((accepted.header("retry-after"), accepted.header("etag")), (Some("1"), Some("\"1\"")));
        let asked = |email: &str| json!({
            "email": email, "attendance": "required",
            "participation": if email == ANA { "accepted" } else { "needs_action" },
        });
        assert_eq!(*meeting, json!({
            "id": meeting["id"], "status": "queued", "title": "Meeting", "organizer": ANA,
            "location": null, "description": null, "url": null, "declined": [],
            "attendees": [asked(BEN), asked(ANA)], "duration_minutes": 60, "pick": null, "seed": null,
            "step_minutes": 15, "time_zone": "Europe/Paris", "window": null, "start": null, "end": null, "reason": null, "callback_url": null,
            "sequence": 0, "history": [{ "status": "queued", "at": meeting["created_at"] }], "actor": null, "version": 1,
            "created_at": meeting["created_at"], "updated_at": meeting["created_at"], "job_id": meeting["job_id"],
        }));
        let done = wait_for_status(cluster, meeting, &["invited"]).await;
        assert_eq!(states(&done), ["queued", "running", "suggested", "invited"]);
        let history = done["history"].as_array().expect("a list");
        let times: Vec<&str> = history.iter().map(|it| text(it, "at")).collect();
        assert!(times.is_sorted() && !text(&history[2], "reason").is_empty(), "{done}");
        assert!(start_label(&done).starts_with("Mon 1"), "Monday, on the organizer's clock: {done}");
        let [start, end] = ["start", "end"].map(|it| text(&done, it).parse::<jiff::Timestamp>().expect("an instant"));
        assert_eq!(end.duration_since(start).as_mins(), 60);
        let now = jiff::Timestamp::now();
        assert!(start > now && start < now + 15 * 24.hours(), "within the next two weeks: {done}");
        let read = cluster.get(&meeting_path(meeting)).await.expect(200);
        assert_eq!(read.header("etag"), Some(format!("\"{}\"", read.json["version"]).as_str()));
    }

    async fn every_field_of_a_request_takes_effect(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let day = next_monday();
        let next = day.saturating_add(1.day());
        let meeting = create_meeting(cluster, json!({
            "title": " Plan & <b>budget</b> ", "duration_minutes": 90, "pick": "last", "seed": 7, "time_zone": "asia/tokyo",
            "attendees": [{ "email": BEN }, { "email": CAT, "attendance": "optional" }], "to": next,
            "callback_url": "https://example.com/hook",
        })).await;
        assert_eq!((text(&meeting, "title"), text(&meeting, "time_zone")), ("Plan & <b>budget</b>", "Asia/Tokyo"));
        assert_eq!(meeting["window"], json!({ "from": day, "to": next }));
        assert_eq!((&meeting["attendees"][2]["attendance"], &meeting["seed"]), (&json!("optional"), &json!(7)));
        assert!(text(&meeting, "callback_secret").starts_with("whsec_"));
        let done = wait_for_status(cluster, &meeting, &["invited"]).await;
        assert_eq!((text(&done, "start"), text(&done, "end")),
            (&*format!("{next}T19:30:00+09:00"), &*format!("{next}T21:00:00+09:00")));
        assert_eq!(done.get("callback_secret"), None);
        let given = format!("whsec_{}", "B".repeat(32));
        let own = json!({ "callback_url": "https://example.com/", "callback_secret": given, "week": "2098-W10", "from": null, "to": null });
        let meeting = create_meeting(cluster, own).await;
        assert_eq!((text(&meeting, "callback_secret"), text(&meeting["window"], "from")), (&*given, "2098-03-03"));
    }

    async fn a_meeting_has_a_place_a_description_and_a_video_conference(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_invited_meeting(cluster, json!({
            "location": " Room 7 ", "description": "Agenda\r\n- budget\n", "url": "https://video.example.com/x",
        })).await;
        let shown = |meeting: &Value| json!([meeting["location"], meeting["description"], meeting["url"]]);
        assert_eq!(shown(&meeting), json!(["Room 7", "Agenda\n- budget", "https://video.example.com/x"]));
        let mails = wait_for_mails(cluster, &meeting, &["REQUEST 0 ana", "REQUEST 0 ben"]).await;
        for part in ["LOCATION:Room 7", "DESCRIPTION:Agenda\\n- budget", "URL:https://video.example.com/x"] {
            assert!(mails[1].ics.contains(part), "{part}: {}", mails[1].ics);
        }
        for part in ["Room 7", "- budget", "https://video.example.com/x"] {
            let text = mails[1].mail.split("text/calendar").next().unwrap_or_default();
            assert!(text.contains(part), "{part}: {text}");
        }
        let patch = json!({ "location": "Room 8", "description": null });
        let changed = cluster.patch(&meeting_path(&meeting), patch).await.expect(200).json;
        assert_eq!(shown(&changed), json!(["Room 8", null, "https://video.example.com/x"]));
        assert_eq!((text(&changed, "status"), &changed["start"]), ("invited", &meeting["start"]), "nothing is searched");
        let all = ["REQUEST 0 ana", "REQUEST 0 ben", "REQUEST 1 ana", "REQUEST 1 ben"];
        let mails = wait_for_mails(cluster, &meeting, &all).await;
        assert!(mails[3].ics.contains("LOCATION:Room 8") && !mails[3].ics.contains("DESCRIPTION"), "{}", mails[3].ics);
        let ics = cluster.get(&format!("{}/invite.ics", meeting_path(&meeting))).await.expect(200).text;
        assert!(ics.contains("LOCATION:Room 8"), "{ics}");
    }

    async fn an_invalid_meeting_is_refused_with_pointers_and_nothing_is_stored(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let mut wrong = Vec::new();
        for (over, places) in refused() {
            let reply = cluster.post(MEETINGS, meeting_body(over.clone())).await;
            let found = reply.pointers();
            let mut sorted = found.clone();
            sorted.sort_unstable();
            let why = reply.check_problem("422 validation", MEETINGS).err();
            if why.is_some() || sorted != places {
                wrong.push(format!("{over:.200}: {places:?}, not {found:?}; {why:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        for (kind, body) in [("422 validation", "[]"), ("400 bad-request", "{"), ("400 bad-request", r#"{"title":"a","title":"b"}"#)] {
            let headers = [("content-type", "application/json")];
            cluster.send(Method::POST, MEETINGS, &headers, Some(body.into())).await.expect_problem(kind, MEETINGS, body);
        }
        let plain = cluster.send(Method::POST, MEETINGS, &[("content-type", "text/plain")], Some(b"{}".to_vec())).await;
        plain.expect_problem("415 unsupported-media", MEETINGS, "text/plain");
        let strangers = meeting_body(json!({ "attendees": ["x@example.com", BEN, "y@example.com"], "organizer": "z@example.com" }));
        let reply = cluster.post(MEETINGS, strangers).await;
        reply.expect_problem("404 unknown-user", MEETINGS, "strangers");
        assert_eq!(reply.json["unknown"], json!(["z@example.com", "x@example.com", "y@example.com"]));
        assert_eq!(cluster.get(MEETINGS).await.expect(200).json, json!({ "meetings": [] }));
        assert_eq!(cluster.get("/api/jobs").await.expect(200).json, json!({ "jobs": [] }));
        cluster.expect_calm().await;
    }

    async fn a_fixed_time_is_booked_unless_another_meeting_holds_it(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let start = format!("{}T20:10:00+00:00", next_monday());
        let fixed = json!({ "start": start, "from": null, "to": null, "duration_minutes": 30 });
        let first = create_invited_meeting(cluster, fixed.clone()).await;
        assert_eq!((text(&first, "start"), text(&first, "end")), (&*start, &*format!("{}T20:40:00+00:00", next_monday())));
        let mut other = fixed.clone();
        other["attendees"] = json!([CAT]);
        let second = create_meeting(cluster, other).await;
        let second = wait_for_status(cluster, &second, &["no_common_time", "invited"]).await;
        assert_eq!(text(&second, "status"), "no_common_time");
        assert!(!text(&second, "reason").is_empty(), "{second}");
        assert_eq!(text(&second, "start"), start, "what was asked for can still be read");
        // it holds every quarter-hour that it touches: right before and right after them is free
        for (hour, status) in [("19:30", "invited"), ("20:45", "invited"), ("20:44", "no_common_time")] {
            let next = json!({ "start": format!("{}T{hour}:00Z", next_monday()), "from": null, "to": null, "duration_minutes": 30 });
            let meeting = create_meeting(cluster, next).await;
            let meeting = wait_for_status(cluster, &meeting, &["no_common_time", "invited"]).await;
            assert_eq!(text(&meeting, "status"), status, "{hour}");
        }
    }

    async fn a_given_time_holds_the_time_of_an_attendee_who_offers_it_or_accepts_it(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let day = next_monday();
        let whole_day = json!({ "start": format!("{day}T00:00:00Z"), "from": null, "to": null, "duration_minutes": 1440 });
        let meeting = create_invited_meeting(cluster, whole_day).await;
        let of_ben = async || {
            let query = format!("attendee={BEN}&attendee={CAT}&from={day}&to={day}");
            start_label(&cluster.get(&format!("/api/availability?{query}")).await.expect(200).json["periods"][0])
        };
        assert_eq!(of_ben().await, "Mon 09:00", "Ben has not offered the night");
        let elsewhere = create_invited_meeting(cluster, json!({ "organizer": CAT, "attendees": [BEN] })).await;
        let path = format!("{}/participation", meeting_path(&meeting));
        let yes = json!({ "email": BEN, "participation": "accepted" });
        cluster.post(&path, yes.clone()).await.expect_problem("409 slot-taken", &path, "Ben is elsewhere");
        cluster.delete(&meeting_path(&elsewhere)).await.expect(204);
        cluster.post(&path, yes).await.expect(200);
        assert_eq!(of_ben().await, "never", "Ben has accepted");
        // within the week it is held before the answer
        let next = day.saturating_add(1.day());
        create_invited_meeting(cluster, json!({ "start": format!("{next}T09:00:00Z"), "from": null, "to": null })).await;
        let query = format!("attendee={BEN}&attendee={CAT}&from={next}&to={next}");
        let rest = cluster.get(&format!("/api/availability?{query}")).await.expect(200).json;
        assert_eq!(start_label(&rest["periods"][0]), "Tue 10:00");
    }

    async fn a_given_time_is_refused_alike_for_meetings_and_for_calendars(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT, "dan@example.com"]).await;
        let day = next_monday();
        create_invited_meeting(cluster, json!({ "organizer": "dan@example.com", "attendees": [CAT] })).await;
        let date = compact(day);
        let calendar = calendar(&[&format!("UID:1\nDTSTART:{date}T090000Z\nDTEND:{date}T100000Z")]);
        put_text(cluster, &format!("/api/users/{BEN}/calendars/work"), &calendar).await;
        let mut seen = Vec::new();
        for attendee in [BEN, CAT] {
            let given = json!({ "attendees": [attendee], "start": format!("{day}T09:45:00Z"), "from": null, "to": null });
            let meeting = create_meeting(cluster, given).await;
            let done = wait_for_status(cluster, &meeting, &["no_common_time", "invited"]).await;
            let history: Vec<Value> = done["history"].as_array().into_iter().flatten()
                .map(|it| json!([it["status"], it["reason"]])).collect();
            seen.push((text(&done, "status").to_owned(), text(&done, "reason").to_owned(), history));
        }
        assert_eq!(seen[0].0, "no_common_time");
        assert_eq!(seen[0], seen[1]);
    }

    async fn without_a_common_time_the_meeting_has_a_reason(cluster) {
        register_morning_people(cluster, &[ANA]).await;
        cluster.register(BEN, json!({ "monday": ["11:30-13:00"] })).await;
        cluster.register(CAT, json!({})).await;
        for (more, facts) in [
            (json!({}), &["30", "60"][..]),
            (json!({ "attendees": [CAT] }), &[CAT]),
        ] {
            let meeting = create_meeting(cluster, more.clone()).await;
            let done = wait_for_status(cluster, &meeting, &["no_common_time", "invited", "failed"]).await;
            assert_eq!(states(&done), ["queued", "running", "no_common_time"], "{more}");
            let reason = text(&done, "reason");
            assert!(!reason.is_empty() && facts.iter().all(|fact| reason.contains(fact)), "{more}: {done}");
            assert_eq!((&done["start"], &done["history"][2]["reason"]), (&Value::Null, &done["reason"]));
        }
    }

    async fn optional_attendees_decide_between_equal_slots(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        cluster.register(CAT, json!({ "monday": [11] })).await;
        cluster.register("dan@example.com", json!({})).await;
        let optional = |email: &str| json!({ "email": email, "attendance": "optional" });
        for (others, begin) in [
            (json!([BEN]), "Mon 09:00"),
            (json!([BEN, optional(CAT)]), "Mon 11:00"),
            (json!([BEN, optional("dan@example.com")]), "Mon 10:00"),
        ] {
            let meeting = create_invited_meeting(cluster, json!({ "attendees": others })).await;
            assert_eq!(start_label(&meeting), begin, "{others}");
        }
        // no attendee is required: then no attendee's time counts, and no time is invented
        let absent = create_meeting(cluster, json!({ "attendees": [optional(ANA), optional("dan@example.com")] })).await;
        wait_for_status(cluster, &absent, &["no_common_time"]).await;
    }

    async fn a_held_time_is_not_offered_until_the_meeting_is_cancelled(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let (day, typical) = (next_monday(), format!("/api/availability?attendee={ANA}&attendee={BEN}"));
        let before = cluster.get(&typical).await.expect(200).json;
        assert_eq!(offered(cluster, day, day).await, "Mon 09:00");
        let first = create_invited_meeting(cluster, json!({})).await;
        assert_eq!((start_label(&first), offered(cluster, day, day).await), ("Mon 09:00".to_owned(), "Mon 10:00".to_owned()));
        let second = create_invited_meeting(cluster, json!({ "duration_minutes": 120 })).await;
        assert_eq!(start_label(&second), "Mon 10:00");
        let full = create_meeting(cluster, json!({ "duration_minutes": 15 })).await;
        wait_for_status(cluster, &full, &["no_common_time"]).await;
        assert_eq!(offered(cluster, day, day.saturating_add(1.day())).await, "Tue 09:00");
        assert_eq!(cluster.get(&typical).await.expect(200).json["common"], before["common"], "a typical week knows no dates");
        cluster.delete(&meeting_path(&first)).await.expect(204);
        assert_eq!(offered(cluster, day, day).await, "Mon 09:00");
        let again = cluster.patch(&meeting_path(&full), json!({})).await.expect(200).json;
        assert_eq!(start_label(&wait_for_status(cluster, &again, &["invited"]).await), "Mon 09:00");
    }

    async fn meetings_that_race_for_one_hour_never_both_get_it(cluster) {
        cluster.register(ANA, json!({ "monday": [9, 10] })).await;
        for number in 0..4 {
            cluster.register(&format!("u{number}@example.com"), json!({ "monday": [9, 10] })).await;
        }
        let bodies: Vec<Value> = (0..4).map(|number| meeting_body(json!({ "attendees": [format!("u{number}@example.com")] }))).collect();
        let asked = futures_util::future::join_all(bodies.into_iter().map(|body| cluster.post(MEETINGS, body))).await;
        let mut ends = Vec::new();
        for meeting in asked {
            let done = wait_for_status(cluster, &meeting.expect(202).json, &["invited", "no_common_time", "failed"]).await;
            ends.push(format!("{} {}", text(&done, "status"), start_label(&done)));
        }
        ends.sort();
        assert_eq!(ends, ["invited Mon 09:00", "invited Mon 10:00", "no_common_time never", "no_common_time never"]);
    }

    async fn times_are_right_on_both_sides_of_a_change_of_clocks(cluster) {
        let year = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year() + 1;
        let sunday = Date::new(year, 3, 1).and_then(|march| march.nth_weekday_of_month(-1, Weekday::Sunday)).expect("a day");
        cluster.register_in(ANA, "Europe/Paris", json!({ "saturday": [9], "sunday": ["01:30-03:30"], "monday": [9] })).await;
        cluster.register_in(BEN, "Asia/Tokyo", json!({ "saturday": ["00:00-24:00"], "sunday": ["00:00-24:00"], "monday": ["00:00-24:00"] })).await;
        let window = |days: i64| {
            let day = sunday.saturating_add(days.days());
            json!({ "from": day, "to": day })
        };
        for (days, begin) in [(-1, "09:00:00+01:00"), (0, "01:30:00+01:00"), (1, "09:00:00+02:00")] {
            let meeting = create_invited_meeting(cluster, window(days)).await;
            assert_eq!(text(&meeting, "start"), format!("{}T{begin}", sunday.saturating_add(days.days())));
        }
    }

    async fn meetings_are_listed_by_state_dates_and_organizer(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let (monday, tuesday) = (next_monday(), next_monday().saturating_add(1.day()));
        create_invited_meeting(cluster, json!({ "title": "Monday" })).await;
        create_invited_meeting(cluster, json!({ "title": "Tuesday", "from": tuesday, "to": tuesday })).await;
        create_invited_meeting(cluster, json!({ "title": "Cat's", "organizer": CAT })).await;
        let none = create_meeting(cluster, json!({ "title": "None", "duration_minutes": 600 })).await;
        wait_for_status(cluster, &none, &["no_common_time"]).await;
        let off = create_invited_meeting(cluster, json!({ "title": "Off", "from": tuesday, "to": tuesday })).await;
        cluster.delete(&meeting_path(&off)).await.expect(204);
        for (query, expected) in [
            ("status=invited".to_owned(), &["Monday", "Tuesday", "Cat's"][..]),
            ("status=no_common_time".to_owned(), &["None"]),
            ("status=cancelled&attendee=ben@example.com".to_owned(), &["Off"]),
            (format!("organizer={CAT}"), &["Cat's"]),
            (format!("organizer={ANA}&status=invited&limit=1"), &["Monday", "Tuesday"]),
            ("organizer=nobody@example.com".to_owned(), &[]),
            (format!("from={tuesday}"), &["Tuesday", "Off"]),
            (format!("to={monday}&attendee={CAT}"), &["Cat's"]),
            (format!("from={monday}&to={tuesday}&status=invited&limit=2"), &["Monday", "Tuesday", "Cat's"]),
            // Monday at nine in UTC is Sunday in Pago Pago and Monday in Tokyo
            (format!("from={monday}&to={monday}&time_zone=Pacific/Pago_Pago"), &["Tuesday", "Off"]),
            (format!("to={monday}&time_zone=Asia/Tokyo"), &["Monday", "Cat's"]),
        ] {
            assert_eq!(listed(cluster, &query).await, expected, "{query}");
        }
    }

    async fn meetings_are_listed_by_attendee_page_by_page(cluster) {
        register_morning_people(cluster, &[ANA, BEN, "c+t@example.com"]).await;
        let mut made = Vec::new();
        for number in 0..5 {
            let with = if number % 2 == 0 { BEN } else { "c+t@example.com" };
            made.push(create_meeting(cluster, json!({ "attendees": [with], "title": format!("No {number}") })).await);
        }
        for (query, expected) in [
            ("limit=2", &["No 0", "No 1", "No 2", "No 3", "No 4"][..]),
            ("limit=2&attendee=ANA@example.com", &["No 0", "No 1", "No 2", "No 3", "No 4"]),
            ("limit=1&attendee=ben%40example.com", &["No 0", "No 2", "No 4"]),
            ("limit=1&attendee=c%2Bt@example.com", &["No 1", "No 3"]),
            ("attendee=nobody@example.com", &[]),
        ] {
            assert_eq!(listed(cluster, query).await, expected, "{query}");
        }
        for (query, place) in [("status=over", "#/status"), ("organizer=x", "#/organizer"), ("from=x", "#/from"), ("time_zone=x", "#/time_zone"),
            ("from=2026-03-02&to=2026-03-01", "#/to"), ("limit=0", "#/limit"), ("limit=x", "#/limit"), ("cursor=x", "#/cursor"), ("attendee=x", "#/attendee"), ("who=x", "#/who")] {
            let reply = cluster.get(&format!("{MEETINGS}?{query}")).await;
            reply.expect_problem("422 validation", MEETINGS, query);
            assert_eq!(reply.pointers(), [place]);
        }
        for (id, kind) in [("01980000-0000-7000-8000-000000000000", "404 unknown-meeting"), ("x", "404 not-found"), ("%00", "404 not-found")] {
            let path = format!("{MEETINGS}/{id}");
            for reply in [cluster.get(&path).await, cluster.patch(&path, json!({})).await, cluster.delete(&path).await] {
                reply.expect_problem(kind, &path, id);
            }
        }
    }
}

/// Every day for an hour and a half.
fn early_hours() -> Value {
    let mut week = mornings();
    for day in week.as_object_mut().into_iter().flat_map(|week| week.values_mut()) {
        *day = json!(["09:00-10:30"]);
    }
    week
}

both_shapes! { with &auth_required_with(&[]);
    async fn the_meetings_of_one_organizer_hold_little_time_of_an_attendee_who_does_not_answer(cluster) {
        let mut people = Vec::new();
        for email in [ANA, BEN, CAT] {
            let account = Account::verified(cluster, email).await;
            let week = json!({ "availability": early_hours() });
            account.patch(&format!("/api/users/{email}"), week).await.expect(200);
            people.push(account);
        }
        let [ana, ben, cat] = &people[..] else { panic!("three people") };
        let invite = async |organizer: &Account<'_>, days: i64| {
            let start = format!("{}T09:00:00Z", next_monday().saturating_add(days.days()));
            let body = json!({ "organizer": organizer.email, "attendees": [BEN], "start": start, "duration_minutes": 90 });
            let meeting = organizer.post(MEETINGS, body).await.expect(202).json;
            eventually("it is decided", async || {
                let now = organizer.get(&meeting_path(&meeting)).await.expect(200).json;
                ["invited", "no_common_time"].contains(&text(&now, "status")).then_some(now)
            }).await
        };
        let mut meetings = Vec::new();
        for day in 0..6 {
            meetings.push(invite(ana, day).await);
        }
        let is_held = async |days: i64| {
            let day = next_monday().saturating_add(days.days());
            let query = format!("attendee={BEN}&attendee={CAT}&from={day}&to={day}");
            cat.get(&format!("/api/availability?{query}")).await.expect(200).json["periods"] == json!([])
        };
        let mut held = Vec::new();
        for day in 0..6 {
            held.push(is_held(day).await);
        }
        assert_eq!(held, [true, true, true, true, true, false]);
        assert_eq!(text(&invite(cat, 5).await, "status"), "invited", "others may invite Ben then");
        // an answer makes room
        let yes = json!({ "email": BEN, "participation": "accepted" });
        ben.post(&format!("{}/participation", meeting_path(&meetings[0])), yes).await.expect(200);
        invite(ana, 6).await;
        assert!(is_held(6).await);
    }

    async fn meetings_of_one_organizer_hold_at_most_eight_hours_that_are_not_answered(cluster) {
        let mut people = Vec::new();
        for email in [ANA, BEN, CAT] {
            let account = Account::verified(cluster, email).await;
            let path = format!("/api/users/{email}/availability");
            account.put(&path, json!({ "monday": ["00:00-24:00"], "tuesday": ["00:00-24:00"] })).await.expect(200);
            people.push(account);
        }
        let [ana, ben, _] = &people[..] else { panic!("three people") };
        for days in 0..2 {
            let day = next_monday().saturating_add(days.days());
            let body = json!({ "organizer": ANA, "attendees": [BEN], "start": format!("{day}T00:00:00Z"), "duration_minutes": 300 });
            let meeting = ana.post(MEETINGS, body).await.expect(202).json;
            eventually("it is invited", async || {
                let now = ana.get(&meeting_path(&meeting)).await.expect(200).json;
                (text(&now, "status") == "invited").then_some(())
            }).await;
        }
        // the same time in a meeting of Ben's own is refused only if it is held
        for (days, status) in [(0, "no_common_time"), (1, "invited")] {
            let day = next_monday().saturating_add(days.days());
            let body = json!({ "organizer": BEN, "attendees": [CAT], "start": format!("{day}T00:00:00Z") });
            let meeting = ben.post(MEETINGS, body).await.expect(202).json;
            eventually("it is decided", async || {
                let now = ben.get(&meeting_path(&meeting)).await.expect(200).json;
                (text(&now, "status") == status).then_some(())
            }).await;
        }
    }

    async fn meetings_of_many_organizers_hold_at_most_sixteen_hours_that_are_not_answered(cluster) {
        let mut people = Vec::new();
        for email in [BEN, ANA, CAT, "dan@example.com", "eve@example.com"] {
            let account = Account::verified(cluster, email).await;
            let days = json!({ "monday": ["00:00-24:00"], "tuesday": ["00:00-24:00"], "wednesday": ["00:00-24:00"] });
            account.put(&format!("/api/users/{email}/availability"), days).await.expect(200);
            people.push(account);
        }
        let meet = async |organizer: &Account<'_>, attendee: &str, days: i64, status: &str| {
            let start = format!("{}T00:00:00Z", next_monday().saturating_add(days.days()));
            let body = json!({ "organizer": organizer.email, "attendees": [attendee], "start": start, "duration_minutes": 480 });
            let meeting = organizer.post(MEETINGS, body).await.expect(202).json;
            eventually("it is decided", async || {
                let now = organizer.get(&meeting_path(&meeting)).await.expect(200).json;
                (text(&now, "status") == status).then_some(())
            }).await;
        };
        for (days, organizer) in (0..).zip(&people[1..4]) {
            meet(organizer, BEN, days, "invited").await;
        }
        // the same time in a meeting of Ben's own is refused only if it is held
        for (days, status) in [(0, "no_common_time"), (1, "no_common_time"), (2, "invited")] {
            meet(&people[0], "eve@example.com", days, status).await;
        }
    }
}
