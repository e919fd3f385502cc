//! Who may register, and who sees when another person can meet.

use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::Reply;
use crate::support::account::{Account, PASSWORD, auth_required_with, promote};
use crate::support::meeting::{next_monday, text};
use crate::support::{Cluster, eventually};

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";
const EVE: &str = "eve@other.example";

async fn register(cluster: &Cluster, email: &str) -> Reply {
    cluster.post("/api/auth/register", json!({ "email": email, "password": PASSWORD })).await
}

/// A verified account that is free on Mondays.
async fn free<'a>(cluster: &'a Cluster, email: &str) -> Account<'a> {
    let account = Account::verified(cluster, email).await;
    account.put(&format!("/api/users/{email}/availability"), json!({ "monday": ["00:00-24:00"] })).await.expect(200);
    account
}

async fn is_invited(organizer: &Account<'_>, meeting: &Value) {
    eventually("the meeting has its time", async || {
        let now = organizer.get(&format!("/api/meetings/{}", text(meeting, "id"))).await.expect(200).json;
        (now["status"] == "invited").then_some(())
    })
    .await;
}

/// What each path that shows the time of this person answers.
async fn statuses(caller: &Account<'_>, email: &str) -> Vec<u16> {
    let query = format!("attendee={}&attendee={email}", caller.email);
    let body = json!({ "attendees": [caller.email, email] });
    let legacy = format!("userId1={}&userId2={email}", caller.email);
    let week = next_monday().strftime("%G-W%V").to_string();
    let replies = [
        caller.get(&format!("/api/availability?{query}")).await,
        caller.get(&format!("/api/availability?{query}&week={week}")).await,
        caller.post("/api/availability", body.clone()).await,
        caller.get(&format!("/api/suggestions?{query}")).await,
        caller.post("/api/suggestions", body).await,
        caller.get(&format!("/availability/availabilities?{legacy}")).await,
        caller.get(&format!("/suggestion/suggestions?{legacy}")).await,
    ];
    replies.iter().map(|reply| reply.status).collect()
}

both_shapes! { with &auth_required_with(&[("W2MEET_AUTH__REGISTRATION", "Example.com, firm.example")]);
    async fn only_addresses_of_some_domains_are_registered(cluster) {
        for email in [ANA, "ana@FIRM.example"] {
            register(cluster, email).await.expect(201);
        }
        for email in [EVE, "ana@sub.example.com", "ana@example.com.evil.example"] {
            register(cluster, email).await.expect_problem("403 registration-closed", "/api/auth/register", email);
        }
        // an administrator creates any user, and the refusal does not reveal it
        let admin = Account::verified(cluster, BEN).await;
        promote(cluster, BEN);
        let admin = Account::login(cluster, &admin.email, PASSWORD).await;
        admin.post("/api/users", json!({ "email": EVE, "name": "Eve" })).await.expect(201);
        register(cluster, EVE).await.expect_problem("403 registration-closed", "/api/auth/register", "as before");
    }
}

both_shapes! { with &auth_required_with(&[("W2MEET_AUTH__REGISTRATION", "closed")]);
    async fn a_closed_registration_accepts_no_address(cluster) {
        register(cluster, ANA).await.expect_problem("403 registration-closed", "/api/auth/register", "closed");
        cluster.post("/api/auth/register", json!({ "email": ANA })).await.expect(422);
    }
}

async fn answer(attendee: &Account<'_>, meeting: &Value, participation: &str) {
    let body = json!({ "email": attendee.email, "participation": participation });
    let path = format!("/api/meetings/{}/participation", text(meeting, "id"));
    attendee.post(&path, body).await.expect(200);
}

both_shapes! { with &auth_required_with(&[("W2MEET_AUTH__FREE_BUSY", "domain")]);
    async fn only_colleagues_see_when_a_person_can_meet(cluster) {
        let (ana, ben, eve) = (free(cluster, ANA).await, free(cluster, BEN).await, free(cluster, EVE).await);
        assert_eq!(statuses(&ben, ANA).await, [200; 7]);
        assert_eq!(statuses(&eve, ANA).await, [403; 7]);
        assert_eq!(statuses(&ana, EVE).await, [403; 7]);
        assert_eq!(statuses(&eve, EVE).await, [200; 7], "one's own time");
        let refused = eve.get(&format!("/api/availability?attendee={ANA}&attendee={BEN}")).await;
        refused.expect_problem("403 forbidden", "/api/availability", "hidden");
        assert!(refused.text.contains(ANA) && refused.text.contains(BEN), "{}", refused.text);
        // a stranger who has registered an address of the domain is no colleague
        let impostor = Account::register(cluster, "boss@example.com").await;
        assert_eq!(statuses(&impostor, ANA).await, [403; 7]);
        promote(cluster, EVE);
        let admin = Account::login(cluster, EVE, PASSWORD).await;
        assert_eq!(statuses(&admin, ANA).await, [200; 7]);
    }
}

both_shapes! { with &auth_required_with(&[("W2MEET_AUTH__FREE_BUSY", "organizers")]);
    async fn only_the_organizer_of_an_accepted_meeting_sees_when_its_attendees_can_meet(cluster) {
        let (ana, ben) = (free(cluster, ANA).await, free(cluster, BEN).await);
        assert_eq!(statuses(&ben, ANA).await, [403; 7]);
        let start = format!("{}T09:00:00Z", next_monday());
        let asked = json!({ "organizer": BEN, "attendees": [ANA], "start": start });
        let meeting = ben.post("/api/meetings", asked).await.expect(202).json;
        is_invited(&ben, &meeting).await;
        assert_eq!(statuses(&ben, ANA).await, [403; 7], "an invitation is no consent");
        answer(&ana, &meeting, "tentative").await;
        assert_eq!(statuses(&ben, ANA).await, [403; 7], "nor is a maybe");
        answer(&ana, &meeting, "accepted").await;
        assert_eq!(statuses(&ben, ANA).await, [200; 7]);
        assert_eq!(statuses(&ana, BEN).await, [403; 7], "an attendee is no organizer");
        ben.delete(&format!("/api/meetings/{}", text(&meeting, "id"))).await.expect(204);
        eventually("nothing is shown after it is called off", async || {
            (statuses(&ben, ANA).await == [403; 7]).then_some(())
        }).await;
    }

    async fn an_attendee_who_is_added_and_taken_out_again_shows_the_organizer_nothing(cluster) {
        let (ana, ben, cat) = (free(cluster, ANA).await, free(cluster, BEN).await, free(cluster, "cat@example.com").await);
        let start = format!("{}T09:00:00Z", next_monday());
        let meeting = ben.post("/api/meetings", json!({ "organizer": BEN, "attendees": [cat.email], "start": start })).await.expect(202).json;
        is_invited(&ben, &meeting).await;
        answer(&cat, &meeting, "accepted").await;
        let path = format!("/api/meetings/{}", text(&meeting, "id"));
        for attendance in ["required", "optional"] {
            let ana_too = json!([cat.email, { "email": ANA, "attendance": attendance }]);
            ben.patch(&path, json!({ "attendees": ana_too })).await.expect(200);
            assert_eq!(statuses(&ben, ANA).await, [403; 7], "{attendance}: asked and not invited yet");
            eventually("the change is settled", async || {
                let now = ben.get(&path).await.expect(200).json;
                assert_eq!(statuses(&ben, ANA).await, [403; 7], "{attendance}: {now}");
                (now["status"] == "invited").then_some(())
            }).await;
            ben.patch(&path, json!({ "attendees": [cat.email] })).await.expect(200);
        }
        assert_eq!(statuses(&ben, &cat.email).await, [200; 7], "Cat has accepted");
        // who takes back the consent is hidden again
        answer(&cat, &meeting, "declined").await;
        assert_eq!(statuses(&ben, &cat.email).await, [403; 7]);
        assert_eq!(statuses(&ana, BEN).await, [403; 7]);
    }
}
