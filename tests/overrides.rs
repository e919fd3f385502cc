//! Overrides of dates: "not this Friday", "also Saturday, 10 to 12".

use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::Cluster;

const ANA: &str = "/api/users/ana@example.com";

/// The data about Ana that other roles receive.
async fn card(cluster: &Cluster) -> Value {
    let user = cluster.nodes_of("user")[0].client("user");
    let found = user.post("/internal/users/lookup", json!({ "emails": ["ana@example.com"] })).await.expect(200).json;
    found["users"][0].clone()
}

both_shapes! {
    async fn overrides_are_written_read_and_removed_by_date(cluster) {
        let given = json!({ "2026-11-28": [10, "11:00-12:00"], "2026-11-27": [] });
        let kept = json!({ "2026-11-27": [], "2026-11-28": ["10:00-12:00"] });
        let body = json!({ "email": "ana@example.com", "name": "Ana", "overrides": given });
        let made = cluster.post("/api/users", body).await.expect(201).json;
        assert_eq!((&made["overrides"], &made["version"]), (&kept, &json!(1)));
        assert_eq!(cluster.get(ANA).await.expect(200).json, made);
        assert_eq!((&card(cluster).await["overrides"], &card(cluster).await["version"]), (&kept, &json!(1)));

        let rest = json!({ "2026-11-27": ["08:00-08:15"], "2027-01-01": [] });
        let patch = json!({ "overrides": { "2026-11-28": null, "2026-11-27": ["08:00-08:15"], "2027-01-01": [] } });
        let patched = cluster.patch(ANA, patch).await.expect(200);
        assert_eq!((&patched.json["overrides"], patched.header("etag")), (&rest, Some("\"2\"")));
        assert_eq!(cluster.get(ANA).await.expect(200).json, patched.json);
        assert_eq!((&card(cluster).await["overrides"], &card(cluster).await["version"]), (&rest, &json!(2)));
        // what does not name them leaves them alone
        let put = cluster.put(&format!("{ANA}/availability"), json!({ "monday": [9] })).await.expect(200);
        assert_eq!(put.header("etag"), Some("\"3\""));
        assert_eq!(cluster.patch(ANA, json!({ "name": "A" })).await.expect(200).json["overrides"], rest);

        let none = cluster.patch(ANA, json!({ "overrides": null })).await.expect(200).json;
        assert_eq!((&none["overrides"], &card(cluster).await["overrides"]), (&json!({}), &Value::Null));
    }

    async fn every_fault_of_overrides_is_named_with_its_place(cluster) {
        cluster.post("/api/users", json!({ "email": "ana@example.com", "name": "Ana" })).await.expect(201);
        let bad = json!({ "overrides": { "friday": [], "2026-11-27": [25], "2026-02-30": [] } });
        let refused = cluster.patch(ANA, bad).await;
        refused.expect_problem("422 validation", ANA, "overrides");
        let mut places = refused.pointers();
        places.sort_unstable();
        assert_eq!(places, ["#/overrides/2026-02-30", "#/overrides/2026-11-27/0", "#/overrides/friday"]);
        assert_eq!(cluster.get(ANA).await.expect(200).json["version"], 1);
    }
}
