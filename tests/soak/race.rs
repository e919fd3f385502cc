//! Concurrent meetings for the same hour of one person: exactly one gets it.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::benchmarks::{print_figure, soak_size};
use crate::support::load::wait_for_all_jobs;
use crate::support::{Client, Cluster};

/// Meetings that want each hour.
const RIVALS: usize = 3;
const HANDS: usize = 24;

/// Registers users who are free for one hour a day: one that all meetings want, and one more for each rival.
async fn register(client: &Client, round: usize) {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let week: Value =
        days.iter().map(|day| ((*day).to_owned(), json!(["09:00-10:00"]))).collect::<serde_json::Map<_, _>>().into();
    for who in 0..=RIVALS {
        let body = json!({ "email": email(round, who), "name": "Somebody", "availability": week });
        client.post("/api/users", body).await.expect(201);
    }
}

fn email(round: usize, who: usize) -> String {
    format!("r{round}-{who}@example.com")
}

async fn ask(client: &Client, round: usize, rival: usize) -> String {
    let day = Timestamp::now().to_zoned(TimeZone::UTC).date().saturating_add(3.days());
    let body = json!({
        "organizer": email(round, rival), "attendees": [email(round, 0)], "duration_minutes": 60, "from": day, "to": day,
        "title": format!("{round}"),
    });
    client.post("/api/meetings", body).await.expect(202).json["id"].as_str().expect("an id").to_owned()
}

/// Runs all rounds; says how often one of the rivals got the hour, and fails if ever two did.
async fn race(cluster: &Cluster, rounds: usize) {
    let people = stream::iter(0..rounds).map(|round| register(cluster, round)).buffer_unordered(HANDS);
    people.collect::<Vec<()>>().await;
    let requests = (0..rounds).flat_map(|round| (1..=RIVALS).map(move |rival| (round, rival)));
    let asked = stream::iter(requests).map(|(round, rival)| ask(cluster, round, rival)).buffer_unordered(HANDS);
    let ids = asked.collect::<Vec<String>>().await;
    wait_for_all_jobs(cluster, Duration::from_secs(120)).await;
    let mut winners: HashMap<String, usize> = HashMap::new();
    for id in ids {
        let meeting = cluster.get(&format!("/api/meetings/{id}")).await.expect(200).json;
        let status = meeting["status"].as_str().expect("a status");
        assert!(["invited", "no_common_time"].contains(&status), "{meeting}");
        *winners.entry(meeting["title"].to_string()).or_default() += usize::from(status == "invited");
    }
    let odd: Vec<_> = winners.iter().filter(|(_, winners)| **winners != 1).collect();
    assert!(odd.is_empty() && winners.len() == rounds, "hours that not exactly one meeting got: {odd:?}");
    let shape = cluster.shape;
    print_figure(
        &format!("{RIVALS} meetings race for one free hour ({shape:?})"),
        &format!("{rounds} rounds: one got it each time, {} were told that there is none", rounds * (RIVALS - 1)),
    );
}

both_shapes! {
    async fn an_hour_that_several_meetings_want_goes_to_one_of_them(cluster) {
        race(cluster, soak_size("ROUNDS", 5)).await;
    }
}
