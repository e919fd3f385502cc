//! Participation: replies by the API, and by the page behind the link in the invitation.

use awc::http::Method;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::meeting::{
    ANA, BEN, CAT, create_invited_meeting, create_meeting, meeting_path, next_monday, notices, register_morning_people,
    text, wait_for_mails, wait_for_status,
};
use crate::support::{Cluster, Reply, eventually};

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

async fn say(cluster: &Cluster, meeting: &Value, email: &str, participation: &str) -> Reply {
    cluster
        .post(
            &format!("{}/participation", meeting_path(meeting)),
            json!({ "email": email, "participation": participation }),
        )
        .await
}

async fn output(cluster: &Cluster, meeting: &Value, email: &str) -> String {
    let meeting = cluster.get(&meeting_path(meeting)).await.expect(200).json;
    let mut all = meeting["attendees"].as_array().into_iter().flatten();
    all.find(|one| one["email"] == email).map(|one| text(one, "participation").to_owned()).expect("an attendee")
}

/// The value of a parameter of a link, as it stands there.
fn parameter<'a>(link: &'a str, name: &str) -> &'a str {
    let query = link.split_once('?').map_or("", |(_, query)| query);
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).expect("a parameter")
}

both_shapes! {
    async fn an_answer_is_noted_and_no_frees_the_time(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        for answer in ["tentative", "accepted", "declined", "declined"] {
            let noted = say(cluster, &meeting, "Ben@Example.com", answer).await.expect(200);
            assert_eq!(noted.json["attendees"][1]["participation"], answer);
            assert_eq!((text(&noted.json, "status"), &noted.json["start"]), ("invited", &meeting["start"]));
        }
        // Ben's time is free again; Ana's is not
        let other = create_invited_meeting(cluster, json!({ "organizer": CAT, "attendees": [BEN] })).await;
        assert_eq!(other["start"], meeting["start"]);
        let back = say(cluster, &meeting, BEN, "accepted").await;
        back.expect_problem("409 slot-taken", &format!("{}/participation", meeting_path(&meeting)), "Ben is elsewhere");
        assert_eq!(output(cluster, &meeting, BEN).await, "declined");
        cluster.delete(&meeting_path(&other)).await.expect(204);
        say(cluster, &meeting, BEN, "accepted").await.expect(200);
        assert_eq!(output(cluster, &meeting, BEN).await, "accepted");
    }

    async fn a_meeting_names_the_required_attendees_who_decline(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let optional = json!({ "email": CAT, "attendance": "optional" });
        let meeting = create_invited_meeting(cluster, json!({ "attendees": [BEN, optional] })).await;
        assert_eq!(meeting["declined"], json!([]));
        say(cluster, &meeting, CAT, "declined").await.expect(200);
        let declined = say(cluster, &meeting, BEN, "declined").await.expect(200).json;
        assert_eq!((&declined["declined"], text(&declined, "status")), (&json!([BEN]), "invited"));
        assert_eq!(say(cluster, &meeting, BEN, "accepted").await.expect(200).json["declined"], json!([]));
    }

    async fn answers_that_are_none_are_refused(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let meeting = create_meeting(cluster, json!({})).await;
        let path = format!("{}/participation", meeting_path(&meeting));
        for (body, place) in [
            (json!({ "email": BEN }), "#/participation"),
            (json!({ "email": BEN, "participation": "needs_action" }), "#/participation"),
            (json!({ "email": BEN, "participation": true }), "#/participation"),
            (json!({ "participation": "accepted" }), "#/email"),
            (json!({ "email": "x", "participation": "accepted" }), "#/email"),
            (json!({ "email": BEN, "participation": "accepted", "x": 1 }), "#/x"),
        ] {
            let reply = cluster.post(&path, body.clone()).await;
            reply.expect_problem("422 validation", &path, &body.to_string());
            assert_eq!(reply.pointers(), [place], "{body}");
        }
        let stranger = cluster.post(&path, json!({ "email": CAT, "participation": "accepted" })).await;
        stranger.expect_problem("404 not-found", &path, "who was not asked");
        let plain = cluster.send(Method::POST, &path, &[("content-type", "text/plain")], Some(b"{}".to_vec())).await;
        plain.expect_problem("415 unsupported-media", &path, "text/plain");
        let nowhere = "/api/meetings/01980000-0000-7000-8000-000000000000/participation";
        let reply = cluster.post(nowhere, json!({ "email": BEN, "participation": "accepted" })).await;
        reply.expect_problem("404 unknown-meeting", nowhere, "no such meeting");
    }

    async fn the_link_in_a_mail_opens_a_page_that_sends_the_reply(cluster) {
        let odd = "o'ben+x@example.com";
        register_morning_people(cluster, &[ANA, odd]).await;
        let title = r#"<script>alert("1")</script> & 'more'"#;
        let meeting = create_invited_meeting(cluster, json!({ "attendees": [odd], "title": title })).await;
        let mails = wait_for_mails(cluster, &meeting, &["REQUEST 0 ana", "REQUEST 0 o'ben+x"]).await;
        for (line, answer) in [("Yes", "accepted"), ("Maybe", "tentative"), ("No", "declined")] {
            let link = mails[1].link(line);
            assert_eq!(parameter(&link, "answer"), answer);
            let before = cluster.get(&meeting_path(&meeting)).await.expect(200).json;
            let page = cluster.get(&link).await.expect(200);
            assert_eq!(cluster.get(&meeting_path(&meeting)).await.expect(200).json, before, "mail scanners open links");
            assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
            let policy = page.header("content-security-policy").unwrap_or_default();
            assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert_eq!((page.header("referrer-policy"), page.header("cache-control")), (Some("no-referrer"), Some("no-store")));
            assert!(!page.text.contains("<script") && page.text.contains("&lt;script&gt;alert(&quot;1&quot;)"), "{}", page.text);
            assert_eq!(page.text.matches("<button name=\"participation\"").count(), 3, "{}", page.text);
            let ready = format!("<button name=\"participation\" value=\"{answer}\" class=\"ready\" autofocus>");
            assert!(page.text.contains(&ready), "{ready}: {}", page.text);
            for usable in ["<html lang=\"en\">", "width=device-width", "<h1 dir=\"auto\">", "<form method=\"post\">", ":focus-visible"] {
                assert!(page.text.contains(usable), "{usable}");
            }
            let form = format!("email={}&key={}&participation={answer}", parameter(&link, "email"), parameter(&link, "key"));
            let noted = cluster.send(Method::POST, &link, &FORM, Some(form.into_bytes())).await.expect(200);
            assert!(noted.text.contains("role=\"status\""), "{}", noted.text);
            assert!(noted.text.contains(&format!("value=\"{answer}\" aria-pressed=\"true\"")), "{}", noted.text);
            assert_eq!(output(cluster, &meeting, odd).await, answer);
        }
        let plain = mails[1].link("Yes").replace("&answer=accepted", "");
        let page = cluster.get(&plain).await.expect(200).text;
        assert!(page.contains("value=\"declined\" aria-pressed=\"true\"") && !page.contains("class=\"ready\""), "{page}");
        let wrong = cluster.get(&format!("{plain}&answer=perhaps")).await.expect(422);
        assert_eq!(wrong.pointers(), ["#/answer"]);
    }

    async fn the_page_shows_all_that_an_attendee_needs_to_know(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let start = format!("{}T09:00:00Z", next_monday());
        let url = "https://video.example.com/a?b=1&c=2";
        let details = json!({
            "start": start, "from": null, "to": null, "duration_minutes": 150, "title": "Plan",
            "location": "Room <7>", "description": "First line\n\nLast line", "url": url,
        });
        let meeting = create_invited_meeting(cluster, details).await;
        let mails = wait_for_mails(cluster, &meeting, &["REQUEST 0 ana", "REQUEST 0 ben"]).await;
        let link = mails[1].link("Yes");
        let page = cluster.get(&link).await.expect(200).text;
        let time = format!("{}, 09:00–11:30", next_monday().strftime("%A, %-d %B %Y"));
        let video = "<a href=\"https://video.example.com/a?b=1&amp;c=2\" rel=\"noopener noreferrer\">";
        for shown in [&time, "UTC", "2 hours 30 minutes", "Room &lt;7&gt;", "First line", "Last line", video, BEN] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        cluster.delete(&meeting_path(&meeting)).await.expect(204);
        let page = cluster.get(&link).await.expect(200).text;
        for shown in ["This meeting is cancelled.", "Was planned for", &time, "Room &lt;7&gt;"] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        assert!(!page.contains("<button"), "{page}");
        let long = create_meeting(cluster, json!({ "duration_minutes": 600 })).await;
        let none = wait_for_status(cluster, &long, &["no_common_time"]).await;
        let notice = eventually("Ana has a notice", async || notices(cluster, &none, "no_common_time").pop()).await;
        let link = notice.lines().find_map(|line| line.strip_prefix("The meeting: ")).expect("a link").trim();
        let page = cluster.get(&link[link.find("/api/").expect("a path")..]).await.expect(200).text;
        assert!(page.contains("There is no time yet.") && page.contains("10 hours"), "{page}");
    }

    async fn a_link_replies_for_its_own_attendee_alone(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let meeting = create_invited_meeting(cluster, json!({ "attendees": [BEN, CAT] })).await;
        let other = create_invited_meeting(cluster, json!({})).await;
        let mails = wait_for_mails(cluster, &meeting, &["REQUEST 0 ana", "REQUEST 0 ben", "REQUEST 0 cat"]).await;
        assert!(!mails[0].mail.contains("Can you come?"), "the organizer comes anyway: {}", mails[0].mail);
        let elsewhere = wait_for_mails(cluster, &other, &["REQUEST 0 ana", "REQUEST 0 ben"]).await;
        let key = |link: String| parameter(&link, "key").to_owned();
        let (cats, right, others) = (key(mails[2].link("Yes")), key(mails[1].link("Yes")), key(elsewhere[1].link("Yes")));
        let path = format!("{}/participation", meeting_path(&meeting));
        for key in [Some(cats), Some(others), Some(right[1..].to_owned()), Some(format!("{right}A")), Some("%C3%A9".to_owned()), Some(String::new()), None] {
            let key = key.map_or_else(String::new, |key| format!("&key={key}"));
            let page = cluster.get(&format!("{path}?email={BEN}{key}")).await;
            page.expect_problem("401 unauthorized", &path, &key);
            let form = format!("email={BEN}&participation=declined{key}");
            let sent = cluster.send(Method::POST, &path, &FORM, Some(form.into_bytes())).await;
            sent.expect_problem("401 unauthorized", &path, &key);
        }
        assert_eq!(output(cluster, &meeting, BEN).await, "needs_action");
        let by_program = json!({ "email": BEN, "participation": "declined", "key": "wrong" });
        cluster.post(&path, by_program).await.expect(401);
        cluster.get(&format!("{path}?email={BEN}&key={right}")).await.expect(200);
    }

    async fn a_link_of_an_attendee_who_was_taken_out_opens_nothing(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let meeting = create_invited_meeting(cluster, json!({ "attendees": [BEN, CAT], "title": "Secret plan" })).await;
        let mails = wait_for_mails(cluster, &meeting, &["REQUEST 0 ana", "REQUEST 0 ben", "REQUEST 0 cat"]).await;
        let link = mails[2].link("Yes");
        cluster.get(&link).await.expect(200);
        cluster.patch(&meeting_path(&meeting), json!({ "attendees": [BEN] })).await.expect(200);
        let (path, key) = (format!("{}/participation", meeting_path(&meeting)), parameter(&link, "key"));
        let page = cluster.get(&link).await;
        page.expect_problem("404 unknown-meeting", &path, "the page");
        let form = format!("email={CAT}&key={key}&participation=accepted");
        let sent = cluster.send(Method::POST, &path, &FORM, Some(form.into_bytes())).await;
        sent.expect_problem("404 unknown-meeting", &path, "the form");
        let json = json!({ "email": CAT, "participation": "accepted", "key": key });
        cluster.post(&path, json).await.expect_problem("404 unknown-meeting", &path, "a program");
        assert!(!page.text.contains("Secret") && !sent.text.contains("Secret"), "{} {}", page.text, sent.text);
        cluster.get(&mails[1].link("Yes")).await.expect(200);
    }

    async fn the_organizer_hears_who_declines(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let meeting = create_invited_meeting(cluster, json!({ "attendees": [BEN, CAT], "title": "Plan" })).await;
        for answer in ["accepted", "tentative", "declined"] {
            say(cluster, &meeting, BEN, answer).await.expect(200);
        }
        let notice = eventually("Ana has a notice", async || notices(cluster, &meeting, "declined").pop()).await;
        assert!(notice.contains(&format!("<{ANA}>")) && notice.contains(BEN) && notice.contains("Subject: Declined: Plan"), "{notice}");
        let link = notice.lines().find_map(|line| line.strip_prefix("The meeting: ")).expect("a link").trim();
        let page = cluster.get(&link[link.find("/api/").expect("a path")..]).await.expect(200);
        assert!(page.text.contains(&format!("({BEN}): no")), "{}", page.text);
        // an organizer who declines needs no notice
        say(cluster, &meeting, ANA, "declined").await.expect(200);
        say(cluster, &meeting, CAT, "declined").await.expect(200);
        let all = eventually("the second notice names both", async || {
            let all = notices(cluster, &meeting, "declined");
            all.iter().any(|one| one.contains(CAT)).then_some(all)
        })
        .await;
        assert_eq!(all.len(), 2);
        assert!(all.iter().any(|one| one.contains(BEN) && one.contains(CAT)), "{all:?}");
    }

    async fn the_organizer_hears_that_there_is_no_common_time(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_meeting(cluster, json!({ "duration_minutes": 600, "title": "Long" })).await;
        wait_for_status(cluster, &meeting, &["no_common_time"]).await;
        let notice = eventually("Ana has a notice", async || notices(cluster, &meeting, "no_common_time").pop()).await;
        assert!(notice.contains("Subject: No common time: Long") && notice.contains("Reason:"), "{notice}");
        let asked = |notice: &str| {
            let lines = notice.lines().skip_while(|line| !line.starts_with("Requested:")).take(2);
            lines.map(|line| line[12..].trim().to_owned()).collect::<Vec<_>>()
        };
        let monday = next_monday().strftime("%A, %-d %B %Y").to_string();
        assert_eq!(asked(&notice), [monday.clone(), "UTC".to_owned()]);
        assert!(notice.contains(">Requested</th>"), "{notice}");
        // a meeting that stands keeps its own dates, and the notice has those that were requested
        let standing = create_invited_meeting(cluster, json!({ "title": "Stands" })).await;
        let start = format!("{}T10:00:00Z", next_monday());
        create_invited_meeting(cluster, json!({ "start": start, "from": null, "to": null })).await;
        cluster.patch(&meeting_path(&standing), json!({ "start": start })).await.expect(200);
        let notice = eventually("Ana has another notice", async || notices(cluster, &standing, "no_common_time").pop()).await;
        assert_eq!(asked(&notice)[1], "UTC", "{notice}");
        assert!(asked(&notice)[0].starts_with(&format!("{monday}, 10:00")), "{notice}");
    }

    async fn a_link_leads_to_a_page_for_people_even_if_it_is_cut(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_invited_meeting(cluster, json!({ "title": "Plan" })).await;
        let mails = wait_for_mails(cluster, &meeting, &["REQUEST 0 ana", "REQUEST 0 ben"]).await;
        let link = mails[1].mail.lines().find_map(|line| line.strip_prefix("The meeting: ")).expect("a link").trim().to_owned();
        let link = &link[link.find("/api/").expect("a path")..];
        let browser = [("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")];
        let open = async |path: &str| cluster.send(Method::GET, path, &browser, None).await;
        let page = open(link).await.expect(200);
        for shown in ["<h1 dir=\"auto\">Plan</h1>", ANA, BEN, "1 hour", ", 09:00–10:00"] {
            assert!(page.text.contains(shown), "{shown}: {}", page.text);
        }
        assert_eq!(page.text.matches("<button name=\"participation\"").count(), 3, "{}", page.text);
        let (path, query) = link.split_once('?').expect("a query");
        let cuts = [&link[..link.len() - 5], &link[..path.len() + query.find("&key").expect("a key") + 1], path, &path[..path.len() - 4], &path[..30]];
        for cut in cuts {
            let page = open(cut).await;
            assert!((400..500).contains(&page.status), "{cut}: {}", page.status);
            assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{cut}");
            assert!(page.text.contains("role=\"alert\"") && page.text.contains("<h1 dir=\"auto\">") && !page.text.contains("<script"), "{}", page.text);
            let policy = page.header("content-security-policy").unwrap_or_default();
            assert!(policy.contains("style-src 'sha256-") && policy.contains("frame-ancestors 'none'"), "{policy}");
            // a client of the API reads JSON
            let document = cluster.get(cut).await;
            assert_eq!((document.status, document.header("content-type")), (page.status, Some("application/problem+json")), "{cut}");
        }
    }

    async fn the_key_of_a_link_is_in_no_log_line(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        let mails = wait_for_mails(cluster, &meeting, &["REQUEST 0 ana", "REQUEST 0 ben"]).await;
        let link = mails[1].link("Yes");
        let key = link.split("key=").nth(1).and_then(|rest| rest.split('&').next()).expect("a key").to_owned();
        cluster.get(&link).await.expect(200);
        let gateway = cluster.nodes_of("gateway")[0];
        let of_the_page = |line: &Value| line["path"].as_str().is_some_and(|path| path.ends_with("/participation"));
        gateway.wait_for("that user has answered", |line| line["message"] == "call answered" && of_the_page(line));
        assert!(key.len() > 20 && cluster.nodes.iter().all(|node| !node.log_text().contains(&key)), "{key}");
    }

    async fn the_page_shows_the_time_in_the_zone_of_the_attendee(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_meeting(cluster, json!({ "time_zone": "Asia/Tokyo" })).await;
        let meeting = wait_for_status(cluster, &meeting, &["invited"]).await;
        let mails = wait_for_mails(cluster, &meeting, &["REQUEST 0 ana", "REQUEST 0 ben"]).await;
        let page = cluster.get(&mails[1].link("Yes")).await.expect(200).text;
        let when = format!("{}, 09:00–10:00</div><div>UTC</div>", next_monday().strftime("%A, %-d %B %Y"));
        assert!(page.contains(&when) && page.contains(BEN), "{when}: {page}");
    }
}
