//! The history of writers and readers, and the check that no response is older than a write acknowledged before its request.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::json;

use super::Client;

/// Users that no test changes. They are looked up with the others, to put time between the query and the fill.
const BYSTANDERS: usize = 100;
/// Lines of the history that a failure shows.
const SHOWN: usize = 40;

/// Some users, and all requests and responses about them.
pub struct History {
    people: Vec<Person>,
    begin: Instant,
    events: RefCell<Vec<Event>>,
    left: Cell<usize>,
    /// Answers seen.
    pub reads: Cell<usize>,
    /// Questions put off with 503: such a write may have happened or not.
    pub put_off: Cell<usize>,
    stale: RefCell<Vec<String>>,
}

struct Person {
    email: String,
    /// The highest version acknowledged so far.
    floor: Cell<i64>,
    writes: Cell<i64>,
}

struct Event {
    person: usize,
    sent: Duration,
    answered: Duration,
    what: String,
}

impl History {
    /// Makes the users; each is at version 1.
    pub async fn start(client: &Client, people: usize) -> History {
        let person = async |at: usize| {
            let email = format!("reader{at}@example.com");
            let made = client.post("/users", json!({ "email": email, "name": "0" })).await.expect(201);
            assert_eq!(made.json["version"], 1);
            Person { email, floor: Cell::new(1), writes: Cell::new(0) }
        };
        for at in 0..BYSTANDERS {
            let body = json!({ "email": bystander_email(at), "name": "B" });
            client.post("/users", body).await.expect(201);
        }
        History {
            people: join_all((0..people).map(person)).await,
            begin: Instant::now(),
            events: RefCell::default(),
            left: Cell::new(0),
            reads: Cell::new(0),
            put_off: Cell::new(0),
            stale: RefCell::default(),
        }
    }

    /// Runs so many rounds: a write at one replica, then a read of the same user at each, while others read whatever they
    /// like wherever they like. Every other user has one writer, the others three.
    pub async fn run(&self, replicas: &[Client], rounds: usize) {
        self.left.set(rounds);
        let writers = (0..self.people.len()).flat_map(|person| vec![person; if person % 2 == 0 { 1 } else { 3 }]);
        let writing = join_all(writers.map(|person| self.keep_writing(replicas, person)));
        let reading = join_all((0..self.people.len()).map(|reader| self.keep_reading(replicas, reader)));
        join(writing, reading).await;
        // a busy disk may put a few off, but then it is the disk's test
        assert!(self.put_off.get() * 10 <= rounds, "{} of {rounds} put off", self.put_off.get());
        // nothing acknowledged was lost, and nothing else was written
        for (at, person) in self.people.iter().enumerate() {
            let unknown = self.put_off.get() as i64;
            let known = 1 + person.writes.get();
            assert!((known..=known + unknown).contains(&person.floor.get()), "{}", self.describe(at));
            self.read(&replicas[0], 0, at).await;
        }
    }

    /// Fails, with the history of the first user who was shown something old.
    pub fn expect_nothing_stale(&self) {
        let stale = self.stale.borrow();
        assert!(stale.is_empty(), "{} stale answers; the first:\n{}", stale.len(), stale[0]);
    }

    async fn keep_writing(&self, replicas: &[Client], person: usize) {
        while self.left.get() > 0 {
            self.left.set(self.left.get() - 1);
            let at = rand::random_range(0..replicas.len());
            self.write(&replicas[at], at, person).await;
            join_all(replicas.iter().enumerate().map(|(at, replica)| self.read(replica, at, person))).await;
        }
    }

    async fn keep_reading(&self, replicas: &[Client], reader: usize) {
        while self.left.get() > 0 {
            let at = rand::random_range(0..replicas.len());
            match reader % 3 {
                0 => self.look_up(&replicas[at], at).await,
                _ => self.read(&replicas[at], at, rand::random_range(0..self.people.len())).await,
            }
        }
    }

    /// Changes a user, and takes the answer's version for acknowledged.
    pub async fn write(&self, client: &Client, replica: usize, person: usize) {
        let subject = &self.people[person];
        let sent = self.begin.elapsed();
        let name = format!("{}", rand::random::<u32>());
        let path = format!("/users/{}", subject.email);
        let answer = client.patch(&path, json!({ "name": name })).await;
        if answer.status == 503 {
            self.put_off.set(self.put_off.get() + 1);
            return self.note(person, sent, format!("replica {replica} put a write off"));
        }
        let answer = answer.expect(200).json;
        assert_eq!(answer["name"], name);
        let version = answer["version"].as_i64().expect("a version");
        self.note(person, sent, format!("replica {replica} acknowledged version {version}"));
        subject.writes.set(subject.writes.get() + 1);
        subject.floor.set(subject.floor.get().max(version));
    }

    /// Asks for a user.
    pub async fn read(&self, client: &Client, replica: usize, person: usize) {
        let (floor, sent) = (self.people[person].floor.get(), self.begin.elapsed());
        let answer = client.get(&format!("/users/{}", self.people[person].email)).await;
        if answer.status == 503 {
            return self.put_off.set(self.put_off.get() + 1);
        }
        let answer = answer.expect(200);
        self.judge(person, floor, sent, answer.json["version"].as_i64(), &format!("replica {replica} answered"));
    }

    /// Asks for all users at once, as availability does.
    async fn look_up(&self, client: &Client, replica: usize) {
        let sent = self.begin.elapsed();
        let floors: Vec<i64> = self.people.iter().map(|person| person.floor.get()).collect();
        let people = self.people.iter().map(|person| person.email.clone());
        let emails: Vec<String> = people.chain((0..BYSTANDERS).map(bystander_email)).collect();
        let answer = client.post("/internal/users/lookup", json!({ "emails": emails })).await;
        if answer.status == 503 {
            return self.put_off.set(self.put_off.get() + 1);
        }
        let answer = answer.expect(200).json;
        for (person, floor) in floors.into_iter().enumerate() {
            let version = answer["users"][person]["version"].as_i64();
            self.judge(person, floor, sent, version, &format!("replica {replica} looked up"));
        }
    }

    fn judge(&self, person: usize, floor: i64, sent: Duration, version: Option<i64>, what: &str) {
        let version = version.unwrap_or(0);
        self.reads.set(self.reads.get() + 1);
        self.note(person, sent, format!("{what} version {version}"));
        if version < floor {
            self.note(person, sent, format!("STALE: {version}, where {floor} was acknowledged before the question"));
            let response = self.describe(person);
            self.stale.borrow_mut().push(response);
        }
    }

    fn note(&self, person: usize, sent: Duration, what: String) {
        let answered = self.begin.elapsed();
        self.events.borrow_mut().push(Event { person, sent, answered, what });
    }

    fn describe(&self, person: usize) -> String {
        let events = self.events.borrow();
        let mine = events.iter().filter(|event| event.person == person);
        let line = |event: &Event| {
            let ms = |at: Duration| at.as_secs_f64() * 1000.0;
            format!("{:9.2} to {:9.2} ms: {}", ms(event.sent), ms(event.answered), event.what)
        };
        let mut lines: Vec<String> = mine.rev().take(SHOWN).map(line).collect();
        lines.reverse();
        format!("{}\n{}", self.people[person].email, lines.join("\n"))
    }
}

fn bystander_email(at: usize) -> String {
    format!("bystander{at}@example.com")
}
