//! The two shapes give identical bytes for the same question.

use serde_json::{Value, json};

use crate::support::Cluster;

/// Registers the same people everywhere, over five zones, some with opinions.
async fn populate(cluster: &Cluster) {
    let zones = ["Europe/Paris", "America/New_York", "Asia/Kolkata", "UTC", "Australia/Lord_Howe"];
    for at in 0..10_usize {
        let start = 6 + at % 5;
        let preference = ["first", "last", "best", "random"][at % 4];
        let if_needed = match at % 3 {
            0 => json!({ "tuesday": ["08:00-21:00"], "monday": ["05:00-07:00"] }),
            _ => json!({}),
        };
        let body = json!({
            "email": format!("u{at}@example.com"), "name": "U", "time_zone": (zones[at % 5]),
            "preference": preference, "if_needed": if_needed,
            "availability": { "monday": [format!("{start:02}:15-20:30")], "wednesday": [start, "12:00-23:45"], "sunday": [at] },
        });
        cluster.post("/api/users", body).await.expect(201);
    }
}

#[actix_web::test]
async fn the_same_question_gives_the_same_bytes_in_both_shapes() {
    let (embedded, services) = (Cluster::all().await, Cluster::split().await);
    populate(&embedded).await;
    populate(&services).await;
    let all: Vec<String> = (0..10).map(|at| format!("u{at}@example.com")).collect();
    let some = |count: usize, more: Value| {
        let mut body = json!({ "attendees": all[..count], "as_of": "2026-01-15" });
        for (name, value) in more.as_object().into_iter().flatten() {
            match value {
                Value::Null => drop(body.as_object_mut().expect("fields").remove(name)),
                value => body[name] = value.clone(),
            }
        }
        body
    };
    let mut found = 0;
    for body in [
        some(2, json!({})),
        some(2, json!({ "pick": "first" })),
        some(3, json!({ "pick": "best", "limit": 9, "distinct": "day" })),
        some(10, json!({ "pick": "best", "quorum": "60%", "limit": 9, "distinct": "block" })),
        some(10, json!({ "pick": "random", "seed": 7, "quorum": 4, "limit": 20 })),
        some(10, json!({ "seed": 1, "optional": [all[1], all[6], all[8]], "duration_minutes": 30 })),
        some(
            10,
            json!({ "as_of": null, "week": "2026-W13", "pick": "best", "quorum": 6, "time_zone": "Europe/Paris" }),
        ),
        some(
            10,
            json!({ "as_of": null, "from": "2026-10-20", "to": "2026-11-05", "pick": "last", "quorum": 5, "earliest": "07:00", "latest": "22:00" }),
        ),
        some(10, json!({ "as_of": null, "from": "2026-11-24", "to": "2026-11-24", "duration_minutes": 120 })),
        some(
            5,
            json!({ "attendees": ["u0@example.com", { "email": "u1@example.com", "weight": 3 }, "x@example.com"], "unknown": "skip", "pick": "best" }),
        ),
        some(10, json!({})),
    ] {
        let (one, two) = (
            embedded.post("/api/suggestions", body.clone()).await,
            services.post("/api/suggestions", body.clone()).await,
        );
        assert_eq!((one.status, &one.text), (200, &two.text), "{body}");
        found += usize::from(one.json["empty_reason"].is_null());
        let mut question = body.clone();
        let fields = question.as_object_mut().expect("fields");
        ["pick", "limit", "distinct", "seed", "duration_minutes"].iter().for_each(|name| drop(fields.remove(*name)));
        fields.insert("view_minutes".to_owned(), json!(30));
        let (one, two) = (
            embedded.post("/api/availability", question.clone()).await,
            services.post("/api/availability", question).await,
        );
        assert_eq!((one.status, &one.text), (200, &two.text), "{body}");
    }
    assert!((3..11).contains(&found), "some have an answer and some a reason: {found}");
}
