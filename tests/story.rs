//! The whole product end to end: users store their availability, and a client finds a time.

use serde_json::json;

use crate::both_shapes;

both_shapes! {
    async fn three_people_find_the_time_they_share(cluster) {
        cluster.register("ana@example.com", json!({ "monday": ["09:00-12:00"], "tuesday": [14, 15] })).await;
        cluster.register("ben@example.com", json!({ "monday": ["10:30-16:00"], "tuesday": [15, 16] })).await;
        cluster.register("cleo@example.com", json!({ "monday": ["08:00-11:45"], "tuesday": [15] })).await;
        let all = "attendee=ana@example.com&attendee=ben@example.com&attendee=cleo@example.com";

        let found = cluster.get(&format!("/api/availability?{all}")).await.expect(200).json;
        assert_eq!(found["common"]["monday"], json!(["10:30-11:45"]));
        assert_eq!(found["common"]["tuesday"], json!(["15:00-16:00"]));
        assert_eq!(found["free_count"]["monday"][9], 2);

        let best = cluster.get(&format!("/api/suggestions?{all}")).await.expect(200).json;
        let first = &best["suggestions"][0];
        assert_eq!((&first["day"], &first["start"], &first["end"]), (&json!("monday"), &json!("10:30"), &json!("11:30")));
    }
}
