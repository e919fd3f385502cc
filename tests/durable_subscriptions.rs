//! Durable subscriptions: an event takes effect once, however often it is delivered and however long its subscriber was away.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use diesel::prelude::*;
use jiff::Timestamp;
use serde_json::json;
use tokio::runtime::Runtime;
use w2meet::config::{Settings, load_from};
use w2meet::platform::data::schema::outbox;
use w2meet::platform::data::{Abort, Connection, DataOwner, Error, EventSubject, OutboxRow, Owner, RunQueryDsl};
use w2meet::platform::jobs::relay;
use w2meet::platform::queue::event::Event;
use w2meet::platform::queue::{Destination, Message, PublishError, Queue, Subscription};
use w2meet::platform::role::Role;
use w2meet::platform::subscriptions::{Subscriber, spawn_subscriber};
use w2meet::{read, roles, transact};

use crate::support::cluster::make_temp_folder;
use crate::support::test_queue::{QueueNames, event_message, publish};
use crate::support::{PrivateRabbit, eventually};
use crate::toy_owner::{MIGRATIONS, toys};

const SUBSCRIPTION: &[Subscription] = &[Subscription { role: "toy", keys: &["user.deleted"] }];

/// An owner that stores the events that it takes.
#[derive(Clone)]
struct Toys {
    owner: Owner,
    folder: PathBuf,
    /// The data of events, once for each time that their effect is to fail.
    failures: Arc<Mutex<Vec<String>>>,
}

impl Toys {
    async fn open() -> Toys {
        let folder = make_temp_folder();
        let settings = settings(&folder);
        let owner = Owner::open(&settings, "toy").expect("an owner");
        owner.prepare(&settings, || MIGRATIONS, || ()).await.expect("migrated");
        Toys { owner, folder, failures: Arc::default() }
    }

    fn fail(&self, data: &str, times: usize) {
        self.failures.lock().expect("one holder").extend(vec![data.to_owned(); times]);
    }

    /// Takes events until the result is dropped.
    fn start(&self, queue: &Queue) -> Running {
        let runtime = Runtime::new().expect("a runtime");
        let guard = runtime.enter();
        let role = Role { name: "toy", subscribes: SUBSCRIPTION[0].keys, ..roles::ALL[0] };
        spawn_subscriber(self, queue, &role);
        drop(guard);
        Running(Some(runtime))
    }

    /// The data of the events that it has taken, in their order.
    async fn taken(&self) -> Vec<String> {
        let order = diesel::dsl::sql::<diesel::sql_types::Integer>("rowid");
        let all: Result<Vec<String>, Error> =
            read!(self.owner.db, |conn| toys::table.select(toys::email).order(order).load(conn));
        all.expect("it answers")
    }

    async fn expect(&self, taken: &[&str]) {
        eventually("the events are taken", async || (self.taken().await == taken).then_some(())).await;
    }
}

/// The process of a subscriber.
struct Running(Option<Runtime>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

impl DataOwner for Toys {
    fn owner(&self) -> &Owner {
        &self.owner
    }
}

impl Subscriber for Toys {
    async fn receive(&self, conn: &mut Connection, event: &Event) -> Result<(), Abort> {
        let data = event.data.as_str().expect("a text").to_owned();
        let row = (toys::id.eq(uuid::Uuid::now_v7().to_string()), toys::email.eq(&data));
        diesel::insert_into(toys::table).values(row).execute(conn).await?;
        let mut failures = self.failures.lock().expect("one holder");
        match failures.iter().position(|failing| *failing == data) {
            Some(index) => Err(Error::Corrupt(failures.swap_remove(index)).into()),
            None => Ok(()),
        }
    }
}

fn settings(folder: &std::path::Path) -> Settings {
    let folder = [("W2MEET_DATA_DIR".to_owned(), folder.display().to_string())];
    load_from(None, folder.into_iter()).expect("settings").settings
}

fn deleted(data: &str) -> Message {
    let id = uuid::Uuid::now_v7().to_string();
    let event = Event::new("user", id.clone(), "user.deleted", "user/1".to_owned(), Timestamp::now(), json!(data));
    let to = Destination::Event("user.deleted".to_owned());
    Message { id, to, case_id: String::new(), traceparent: String::new(), body: event.text().into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_waits_for_a_subscriber_that_is_away_and_takes_effect_once() {
    let Some(names) = QueueNames::in_shared_broker() else { return };
    let queue = names.start_for(SUBSCRIPTION).await;
    let toys = Toys::open().await;
    publish(&queue, deleted("before its first start")).await.expect("published");
    let running = toys.start(&queue);
    toys.expect(&["before its first start"]).await;
    drop(running);
    let twice = deleted("while it is away");
    let messages = [twice.clone(), event_message("user.created", "{}"), twice, deleted("the last")];
    assert_eq!(queue.publish(&messages).await, [const { Ok(()) }; 4]);
    drop(toys.start(&queue));
    let _running = toys.start(&queue);
    toys.expect(&["before its first start", "while it is away", "the last"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_effect_is_tried_again_and_holds_up_no_other_event() {
    let Some(names) = QueueNames::in_shared_broker() else { return };
    let queue = names.start_for(SUBSCRIPTION).await;
    let toys = Toys::open().await;
    toys.fail("a", 2);
    let _running = toys.start(&queue);
    assert_eq!(queue.publish(&["a", "b", "c"].map(deleted)).await, [const { Ok(()) }; 3]);
    toys.expect(&["b", "c", "a"]).await;
    publish(&queue, event_message("user.deleted", "no event")).await.expect("published");
    assert_eq!(eventually("it is dead", async || names.take_dead().await).await, "no event");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_wait_through_a_restart_of_the_broker() {
    let Some(broker) = PrivateRabbit::start() else { return };
    let names = QueueNames::in_broker(&broker.url());
    let queue = names.start_for(SUBSCRIPTION).await;
    let toys = Toys::open().await;
    // the first waits aside when the broker stops
    toys.fail("0", 1);
    let running = toys.start(&queue);
    publish(&queue, deleted("0")).await.expect("published");
    eventually("it has failed", async || toys.failures.lock().expect("one holder").is_empty().then_some(())).await;
    broker.stop();
    drop(running);
    broker.boot();
    eventually("it publishes again", async || publish(&queue, deleted("1")).await.ok()).await;
    broker.stop();
    broker.boot();
    let _running = toys.start(&queue);
    eventually("both are taken", async || {
        let mut taken = toys.taken().await;
        taken.sort();
        (taken == ["0", "1"]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_an_event_stays_in_the_outbox_until_its_subscriber_has_taken_it() {
    let toys = Toys::open().await;
    let queue = Queue::open(&settings(&toys.folder), SUBSCRIPTION.to_vec()).expect("a queue");
    let waiting = deleted("a");
    assert_eq!(publish(&queue, waiting.clone()).await, Err(PublishError::Unconfirmed), "it has not started");
    toys.fail("a", 1);
    let _running = toys.start(&queue);
    assert_eq!(publish(&queue, waiting.clone()).await, Err(PublishError::Unconfirmed), "its effect fails");
    assert_eq!(queue.publish(&[waiting.clone(), waiting]).await, [Ok(()), Ok(())]);
    toys.expect(&["a"]).await;

    // events of its own: the failing one holds up neither a job nor another event
    let mut live = queue.subscribe();
    toys.fail("b", 1);
    let event = |data: &str| {
        let about = EventSubject { kind: "user", id: uuid::Uuid::now_v7(), version: 1 };
        OutboxRow::event("toy", &about, "deleted", json!(data))
    };
    let written: Result<(), Error> = transact!(toys.owner.db, |conn| {
        conn.enqueue(event("b"));
        conn.enqueue(event("c"));
        Ok(())
    });
    written.expect("written");
    let relay = tokio::spawn(relay::publish(toys.owner.clone(), Arc::clone(&queue)));
    toys.expect(&["a", "c", "b"]).await;
    eventually("the outbox is empty", async || {
        let left: Result<i64, Error> = read!(toys.owner.db, |conn| outbox::table.count().get_result(conn));
        (left.expect("it answers") == 0).then_some(())
    })
    .await;
    assert!(live.try_recv().is_ok(), "a live stream hears it at once");
    relay.abort();
}
