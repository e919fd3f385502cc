//! How many mails about meetings one mailbox gets: changes are joined, and what is too much is refused.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};

use crate::both_shapes;
use crate::support::account::{Account, auth_required_with};
use crate::support::meeting::{
    ANA, BEN, CAT, InvitationMail, create_invited_meeting, invitation_mails, meeting_path, next_monday, notices,
    register_morning_people, text, wait_for_mails,
};
use crate::support::{Cluster, eventually, within};

/// Sign-in without mailboxes, changes that are mailed at once, and limits.
fn limited<'a>(limits: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    auth_required_with(&[&[("W2MEET_AUTH__VERIFY_EMAIL", "false")], limits].concat())
}

/// An account that is free all day.
async fn free<'a>(cluster: &'a Cluster, email: &str) -> Account<'a> {
    let account = Account::register(cluster, email).await;
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let week = days.map(|day| (day.to_owned(), json!(["00:00-24:00"]))).into_iter();
    let week: serde_json::Map<String, Value> = week.collect();
    account.put(&format!("/api/users/{email}/availability"), week.into()).await.expect(200);
    account
}

/// What an organizer asks for: to meet these people next Monday at this hour.
fn meeting_with(organizer: &Account<'_>, attendees: &[&str], hour: usize) -> Value {
    let start = format!("{}T{hour:02}:00:00Z", next_monday());
    json!({ "organizer": organizer.email, "attendees": attendees, "start": start, "duration_minutes": 30 })
}

async fn invited(organizer: &Account<'_>, attendees: &[&str], hour: usize) -> Value {
    let made = organizer.post("/api/meetings", meeting_with(organizer, attendees, hour)).await.expect(202).json;
    eventually("the invitations are out", async || {
        let now = organizer.get(&meeting_path(&made)).await.expect(200).json;
        (now["status"] == "invited").then_some(now)
    })
    .await
}

/// The mails about a meeting to one address.
fn mails_to(cluster: &Cluster, meeting: &Value, email: &str) -> Vec<InvitationMail> {
    invitation_mails(cluster, meeting).into_iter().filter(|mail| mail.to == email).collect()
}

/// Waits until somebody has a cancellation, and gives all mails to them.
async fn wait_for_cancellation(cluster: &Cluster, meeting: &Value, email: &str) -> Vec<InvitationMail> {
    eventually("the cancellation is there", async || {
        let mails = mails_to(cluster, meeting, email);
        mails.iter().any(|mail| mail.cancel).then_some(mails)
    })
    .await
}

both_shapes! { with &[("W2MEET_INVITATIONS__JOIN_SECONDS", "2")];
    async fn changes_that_follow_each_other_are_one_mail_with_the_newest_state(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        let begin = Instant::now();
        for n in 1..=120 {
            cluster.patch(&meeting_path(&meeting), json!({ "title": format!("Title {n}") })).await.expect(200);
        }
        let bens = within(Duration::from_secs(30), "the newest title is mailed", async || {
            let mails = mails_to(cluster, &meeting, BEN);
            mails.iter().any(|mail| mail.ics.contains("SUMMARY:Title 120\r\n")).then_some(mails)
        })
        .await;
        let most = usize::try_from(begin.elapsed().as_secs() / 2 + 3).expect("a few");
        assert!(bens.len() <= most, "{} mails, not {most}", bens.len());
        assert_eq!((bens[0].sequence, bens[bens.len() - 1].sequence), (0, 120), "the newest revision comes last");
    }

    async fn the_first_mail_is_an_invitation_even_after_changes(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        let start = meeting["start"].clone();
        for title in ["One", "Two"] {
            let patch = json!({ "attendees": [BEN, CAT], "title": title, "start": start });
            cluster.patch(&meeting_path(&meeting), patch).await.expect(200);
        }
        let mail = within(Duration::from_secs(30), "Cat and Ben have the newest title", async || {
            let newest = |email| mails_to(cluster, &meeting, email).into_iter().find(|mail| mail.ics.contains("SUMMARY:Two"));
            newest(CAT).zip(newest(BEN))
        })
        .await;
        assert_eq!(mail.0.header("subject"), "Invitation: Two");
        assert!(mail.0.sequence > 0 && mail.0.mail.contains("Somebody invites you to a meeting."), "{}", mail.0.mail);
        assert_eq!(mail.1.header("subject"), "Updated invitation: Two");
    }

    async fn many_attendees_get_few_mails_of_many_changes(cluster) {
        let people: Vec<String> = (0..400).map(|n| format!("p{n}@example.com")).collect();
        let mut emails: Vec<&str> = people.iter().map(String::as_str).collect();
        register_morning_people(cluster, &[ANA]).await;
        for some in emails.chunks(20) {
            join_all(some.iter().map(|email| register_morning_people(cluster, std::slice::from_ref(email)))).await;
        }
        // so many rows may take a slow machine longer than an answer may take
        let made = within(Duration::from_secs(30), "the meeting is made", async || {
            let reply = cluster.post("/api/meetings", json!({ "organizer": ANA, "attendees": people, "title": "All" })).await;
            (reply.status == 202).then_some(reply.json)
        })
        .await;
        within(Duration::from_secs(60), "the invitations are out", async || {
            (cluster.get(&meeting_path(&made)).await.expect(200).json["status"] == "invited").then_some(())
        })
        .await;
        let begin = Instant::now();
        for n in 1..=10 {
            within(Duration::from_secs(30), "it has a new title", async || {
                let reply = cluster.patch(&meeting_path(&made), json!({ "title": format!("Title {n}") })).await;
                (reply.status == 200).then_some(())
            })
            .await;
        }
        emails.push(ANA);
        let mails = within(Duration::from_secs(90), "everybody has the newest title", async || {
            let mails = invitation_mails(cluster, &made);
            let newest = mails.iter().filter(|mail| mail.ics.contains("SUMMARY:Title 10\r\n")).count();
            (newest == emails.len()).then_some(mails)
        })
        .await;
        let most = emails.len() * usize::try_from(begin.elapsed().as_secs() / 2 + 2).expect("a few");
        assert!(mails.len() <= most.min(emails.len() * 8), "{} mails, not {most}", mails.len());
    }
}

both_shapes! { with &[("W2MEET_INVITATIONS__JOIN_SECONDS", "3600")];
    async fn an_attendee_cannot_flood_the_organizer(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        for answer in ["declined", "accepted"].iter().cycle().take(40) {
            let body = json!({ "email": BEN, "participation": answer });
            cluster.post(&format!("{}/participation", meeting_path(&meeting)), body).await.expect(200);
        }
        cluster.delete(&meeting_path(&meeting)).await.expect(204);
        wait_for_cancellation(cluster, &meeting, ANA).await;
        assert!(notices(cluster, &meeting, "declined").len() <= 1);
    }

    async fn an_attendee_who_leaves_before_the_mail_does_hears_nothing(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        for attendees in [json!([BEN, CAT]), json!([BEN])].iter().cycle().take(20) {
            cluster.patch(&meeting_path(&meeting), json!({ "attendees": attendees, "start": meeting["start"] })).await.expect(200);
        }
        cluster.delete(&meeting_path(&meeting)).await.expect(204);
        let own = wait_for_cancellation(cluster, &meeting, ANA).await.pop().expect("a cancellation");
        assert_eq!(own.header("subject"), "Cancelled: Meeting");
        assert!(own.mail.contains("You have cancelled this meeting."), "{}", own.mail);
        let mails = wait_for_cancellation(cluster, &meeting, BEN).await;
        assert!(mails[mails.len() - 1].mail.contains("Somebody has cancelled this meeting."), "{mails:?}");
        assert_eq!(mails.iter().filter(|mail| mail.cancel).count(), 1, "a cancellation does not wait");
        assert_eq!(mails_to(cluster, &meeting, CAT).len(), 0);
    }
}

both_shapes! { with &limited(&[("W2MEET_INVITATIONS__ORGANIZER_PER_HOUR", "5")]);
    async fn a_flood_of_changes_is_refused_and_the_cancellation_still_comes(cluster) {
        let ana = free(cluster, ANA).await;
        free(cluster, BEN).await;
        let meeting = invited(&ana, &[BEN], 9).await;
        let path = meeting_path(&meeting);
        let mut accepted = 0;
        for n in 1..=120 {
            let reply = ana.patch(&path, json!({ "title": format!("Title {n}") })).await;
            if reply.status == 200 {
                accepted += 1;
                let sequence = reply.json["sequence"].as_i64();
                eventually("it is mailed", async || {
                    let mails = mails_to(cluster, &meeting, BEN);
                    mails.iter().any(|mail| Some(mail.sequence) == sequence).then_some(())
                })
                .await;
            } else {
                reply.expect_problem("429 too-many-letters", &path, "one mail too many");
                assert_eq!(reply.header("retry-after"), Some("3600"));
            }
        }
        assert_eq!(accepted, 4, "the invitation is the fifth mail");
        // what mails nothing is not refused
        ana.patch(&path, json!({})).await.expect(200);
        ana.delete(&path).await.expect(204);
        assert_eq!(wait_for_cancellation(cluster, &meeting, BEN).await.len(), 6);
    }

    async fn taking_out_and_in_again_is_counted(cluster) {
        let ana = free(cluster, ANA).await;
        for email in [BEN, CAT] {
            free(cluster, email).await;
        }
        let meeting = invited(&ana, &[BEN], 9).await;
        let cat = json!({ "email": CAT, "attendance": "optional" });
        let mut refused = 0;
        for n in 0..20 {
            let attendees = if n % 2 == 0 { json!([BEN, cat]) } else { json!([BEN]) };
            let reply = ana.patch(&meeting_path(&meeting), json!({ "attendees": attendees })).await;
            refused += u32::from(reply.status == 429);
            let sequence = reply.json["sequence"].as_i64();
            eventually("it is mailed", async || {
                let mails = mails_to(cluster, &meeting, CAT);
                (reply.status != 200 || mails.iter().any(|mail| Some(mail.sequence) == sequence)).then_some(())
            })
            .await;
        }
        assert!(refused > 0, "it ends at some time");
        ana.delete(&meeting_path(&meeting)).await.expect(204);
        for email in [BEN, CAT] {
            assert!(mails_to(cluster, &meeting, email).len() <= 10, "{email}");
        }
    }

    async fn parallel_invitations_do_not_pass_the_limit(cluster) {
        let ana = free(cluster, ANA).await;
        free(cluster, BEN).await;
        let bodies = (0..20).map(|hour| meeting_with(&ana, &[BEN], hour));
        let replies = join_all(bodies.map(|body| ana.post("/api/meetings", body))).await;
        let count = |status| replies.iter().filter(|reply| reply.status == status).count();
        // a slow machine answers some of them with 503
        assert!(count(202) <= 5 && count(429) >= 1 && count(202) + count(429) + count(503) == 20, "{replies:?}");
        // the refused ones left nothing behind
        let made = ana.get("/api/meetings").await.expect(200).json["meetings"].as_array().map(Vec::len);
        assert!(made.is_some_and(|made| (count(202)..=5).contains(&made)), "{made:?}");
    }
}

both_shapes! { with &limited(&[("W2MEET_INVITATIONS__PER_HOUR", "8"), ("W2MEET_INVITATIONS__ORGANIZER_PER_HOUR", "4")]);
    async fn a_few_organizers_do_not_keep_out_the_others(cluster) {
        free(cluster, BEN).await;
        let mut organizers = Vec::new();
        for number in 1..=5 {
            organizers.push(free(cluster, &format!("organizer{number}@example.com")).await);
        }
        let ask = async |number: usize, hour: usize| {
            let organizer = &organizers[number - 1];
            organizer.post("/api/meetings", meeting_with(organizer, &[BEN], hour)).await.status
        };
        for (organizer, hour) in [(1, 1), (1, 2), (1, 3), (1, 4), (2, 5), (2, 6)] {
            assert_eq!(ask(organizer, hour).await, 202, "{organizer} at {hour}");
        }
        assert_eq!(ask(2, 7).await, 429, "three quarters are used up");
        assert_eq!(ask(3, 8).await, 202, "the first mail of another organizer");
        assert_eq!(ask(3, 9).await, 429, "the second one");
        assert_eq!(ask(4, 10).await, 202, "the first mail of another organizer");
        assert_eq!(ask(5, 11).await, 429, "nothing is left");
    }
}

both_shapes! { with &limited(&[("W2MEET_INVITATIONS__PER_DAY", "3"), ("W2MEET_INVITATIONS__ORGANIZER_PER_DAY", "2")]);
    async fn mails_are_limited_per_organizer_and_over_all(cluster) {
        let (ana, cat) = (free(cluster, ANA).await, free(cluster, CAT).await);
        let ben = free(cluster, BEN).await;
        invited(&ana, &[BEN], 1).await;
        let second = invited(&ana, &[BEN], 2).await;
        ana.post("/api/meetings", meeting_with(&ana, &[BEN], 3)).await.expect_problem("429 too-many-letters", "/api/meetings", "from Ana");
        invited(&cat, &[BEN], 4).await;
        let refused = cat.post("/api/meetings", meeting_with(&cat, &[BEN], 5)).await;
        refused.expect_problem("429 too-many-letters", "/api/meetings", "over all");
        // an attendee who is added to an old meeting gets a mail, too
        let other = invited(&ana, &[CAT], 6).await;
        let path = meeting_path(&other);
        let late = ana.patch(&path, json!({ "attendees": [CAT, BEN] })).await;
        late.expect_problem("429 too-many-letters", &path, "by the back door");
        // the mails of one's own meetings are not counted
        invited(&ben, &[ANA], 7).await;
        wait_for_mails(cluster, &second, &["REQUEST 0 ana", "REQUEST 0 ben"]).await;
        assert_eq!(text(&second, "organizer"), ANA);
    }

    async fn a_search_that_finds_no_time_uses_up_no_mail(cluster) {
        let ana = free(cluster, ANA).await;
        Account::register(cluster, BEN).await;
        for hour in 0..4 {
            let made = ana.post("/api/meetings", json!({ "organizer": ANA, "attendees": [BEN], "title": hour.to_string() })).await.expect(202).json;
            eventually("there is no time", async || {
                let now = ana.get(&meeting_path(&made)).await.expect(200).json;
                (now["status"] == "no_common_time").then_some(())
            })
            .await;
        }
    }
}

async fn connect(cluster: &Cluster) -> Client {
    let url = cluster.nodes[0].setting("W2MEET_DATABASE__URL");
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL answers");
    actix_web::rt::spawn(connection);
    // a test that fails holds no lock that the end of the cluster waits for
    client.batch_execute("SET idle_in_transaction_session_timeout = '30s'").await.expect("it answers");
    client
}

#[actix_web::test]
async fn a_meeting_that_gets_its_time_locks_its_attendees_in_the_order_of_all_transactions() {
    let patience = [("W2MEET_DATABASE__STATEMENT_MS", "20000"), ("W2MEET_DATABASE__ANSWER_MS", "20000")];
    let cluster = &Cluster::split_with(&limited(&patience)).await;
    // the rows are locked in the order of the registrations
    let (ana, _) = (free(cluster, ANA).await, free(cluster, BEN).await);
    let worker = cluster.nodes_of("worker")[0];
    worker.signal("STOP");
    let wanted = json!({ "organizer": ANA, "attendees": [BEN], "from": next_monday(), "to": next_monday() });
    let made = ana.post("/api/meetings", wanted).await.expect(202).json;
    let (holder, other) = (connect(cluster).await, connect(cluster).await);
    let lock = |email: &str| format!("SELECT 1 FROM subjects WHERE email = '{email}' FOR UPDATE NOWAIT");
    holder.batch_execute(&format!("BEGIN; {}", lock(ANA))).await.expect("nobody holds Ana's row");
    let holder_id: i32 = holder.query_one("SELECT pg_backend_pid()", &[]).await.expect("it answers").get(0);
    worker.signal("CONT");
    within(Duration::from_secs(20), "the transaction that arranges the meeting waits for Ana's row", async || {
        let waiting = "SELECT 1 FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
        (!other.query(waiting, &[&holder_id]).await.expect("it answers").is_empty()).then_some(())
    })
    .await;
    // a transaction that holds Ana's row may need Ben's next
    let locked = other.batch_execute(&lock(BEN)).await;
    holder.batch_execute("ROLLBACK").await.expect("it answers");
    locked.expect("Ben's row is not locked before Ana's");
    within(Duration::from_secs(20), "the meeting is arranged", async || {
        (ana.get(&meeting_path(&made)).await.expect(200).json["status"] == "invited").then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_burst_beyond_the_limit_is_429_and_leaves_connections_to_others() {
    let settings = limited(&[
        ("W2MEET_INVITATIONS__ORGANIZER_PER_HOUR", "3"),
        ("W2MEET_DATABASE__POOL_SIZE", "6"),
        ("W2MEET_DATABASE__STATEMENT_MS", "10000"),
        ("W2MEET_DATABASE__ANSWER_MS", "10000"),
        ("W2MEET_LIMITS__CALL_SECONDS", "20"),
    ]);
    let cluster = Cluster::split_with(&settings).await;
    let (ana, _ben) = (free(&cluster, ANA).await, free(&cluster, BEN).await);
    let (cat, _dan) = (free(&cluster, CAT).await, free(&cluster, "dan@example.com").await);
    invited(&ana, &[BEN], 1).await;
    let node = cluster.nodes_of("reservation")[0];
    let lock = connect(&cluster).await;
    let subjects = format!("{}reservation.subjects", node.setting("W2MEET_DATABASE__SCHEMA_PREFIX"));
    let locking = format!("BEGIN; SELECT 1 FROM {subjects} WHERE email = '{BEN}' FOR UPDATE");
    lock.batch_execute(&locking).await.expect("locked");
    let burst = join_all((2..24).map(|hour| ana.post("/api/meetings", meeting_with(&ana, &[BEN], hour))));
    let other = async {
        let waiting = "SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))";
        eventually("requests wait for the lock", async || {
            lock.query(waiting, &[]).await.is_ok_and(|rows| !rows.is_empty()).then_some(())
        })
        .await;
        cat.post("/api/meetings", meeting_with(&cat, &["dan@example.com"], 9)).await.expect(202);
        lock.batch_execute("ROLLBACK").await.expect("unlocked");
    };
    let (replies, ()) = futures_util::future::join(burst, other).await;
    let statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    let count = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((count(202), count(429)), (2, 20), "{statuses:?}");
}

both_shapes! { with &[("W2MEET_INVITATIONS__JOIN_SECONDS", "0")];
    async fn an_attendee_who_declines_again_and_again_causes_one_notice(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let meeting = create_invited_meeting(cluster, json!({ "attendees": [BEN, CAT] })).await;
        let answer = async |who: &str, says: &str| {
            let body = json!({ "email": who, "participation": says });
            cluster.post(&format!("{}/participation", meeting_path(&meeting)), body).await.expect(200);
        };
        for count in 0..3 {
            answer(BEN, "declined").await;
            eventually("Ana has heard of it", async || notices(cluster, &meeting, "declined").pop()).await;
            answer(BEN, if count < 2 { "accepted" } else { "tentative" }).await;
        }
        answer(CAT, "declined").await;
        eventually("Ana has heard of Cat, too", async || (notices(cluster, &meeting, "declined").len() > 1).then_some(())).await;
        wait_for_notices(cluster, &meeting).await;
        assert_eq!(notices(cluster, &meeting, "declined").len(), 2);
    }
}

/// Waits until every job about a meeting has ended.
async fn wait_for_notices(cluster: &Cluster, meeting: &Value) {
    eventually("no job is open", async || {
        let jobs = cluster.get("/api/jobs?limit=100").await.expect(200).json["jobs"].clone();
        let is_open = |job: &Value| {
            job["meeting_id"] == meeting["id"] && job["state"] != "succeeded" && job["state"] != "cancelled"
        };
        (!jobs.as_array().into_iter().flatten().any(is_open)).then_some(())
    })
    .await;
}
