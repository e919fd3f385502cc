//! The type of a row in the table of roles, and what a role is given when it starts.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::web::ServiceConfig;
use anyhow::Context as _;
use tokio::sync::watch;

use crate::config::Settings;
use crate::platform::auth::layer::AuthLayer;
use crate::platform::queue::Queue;
use crate::platform::rpc::replicas::Replicas;

/// One row of the table of roles (`roles::ALL`).
pub struct Role {
    /// What `--role` says, and the folder in `src/roles/`.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Where it listens when its callers run elsewhere and nothing else is configured.
    pub port: u16,
    /// The roles it cannot work without.
    pub calls: &'static [&'static str],
    /// The roles it asks when they are there, and does without when not.
    pub observes: &'static [&'static str],
    /// Whether it has tables of its own.
    pub owns_data: bool,
    /// Whether it keeps a cache that all its replicas must share.
    pub keeps_cache: bool,
    /// Whether it publishes or listens; an in-process queue must have all who do in one process.
    pub uses_queue: bool,
    /// Whether its paths are the public ones; an inner role's are, without their `/api`.
    pub faces_clients: bool,
    /// Builds what it needs and says what to serve; connects to nothing yet.
    pub open: fn(&Context) -> anyhow::Result<Service>,
}

/// What an opened role serves.
pub struct Service {
    /// Registers the routes; called once on every worker thread.
    pub routes: Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>,
    /// Makes what looks at every request before its handler does; called once on every worker thread.
    pub door: Arc<dyn Fn(&Context) -> AuthLayer + Send + Sync>,
    /// Completes when the role is ready to work; retries by itself whatever may heal.
    pub prepare: Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>,
    /// What it does without being asked, once the process is ready; in a thread of its own, until it is told to stop.
    pub work: Option<BackgroundTask>,
}

/// Work in the background. It ends soon after the process begins to drain, with what it had in hand finished or given back.
pub type BackgroundTask = Box<dyn FnOnce(Arc<Lifecycle>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

impl Service {
    /// A role that is ready as soon as it listens.
    pub fn stateless(context: &Context, routes: fn(&mut ServiceConfig, &Context)) -> Service {
        let context = context.clone();
        Service {
            routes: Arc::new(move |cfg| routes(cfg, &context)),
            door: Arc::new(AuthLayer::inner),
            prepare: Box::pin(async { Ok(()) }),
            work: None,
        }
    }
}

/// What a role is given at start.
#[derive(Clone)]
pub struct Context {
    /// The role itself.
    pub role: &'static Role,
    /// The effective settings.
    pub settings: Arc<Settings>,
    /// Where every role that it may call answers.
    pub book: Arc<AddressBook>,
    /// How far the process is.
    pub lifecycle: Arc<Lifecycle>,
    /// Where jobs and events go; there for roles that use it.
    pub queue: Option<Arc<Queue>>,
}

impl Context {
    /// The queue, for a role whose row says that it uses it.
    ///
    /// # Errors
    /// A row that does not say so.
    pub fn queue(&self) -> anyhow::Result<Arc<Queue>> {
        self.queue.clone().with_context(|| format!("the row of {} says that it uses no queue", self.role.name))
    }
}

/// The replicas of each role, as configured or as really bound in this process.
#[derive(Default)]
pub struct AddressBook(pub BTreeMap<&'static str, Arc<Replicas>>);

impl AddressBook {
    /// The replicas of a role; none if it is neither configured nor here.
    pub fn find(&self, role: &str) -> Option<&Arc<Replicas>> {
        self.0.get(role)
    }
}

/// How far the process is: starting until all its roles are prepared, then ready, then draining.
pub struct Lifecycle(watch::Sender<Phase>);

/// A stage of [`Lifecycle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Listening; connecting and migrating.
    Starting,
    /// Working.
    Ready,
    /// Finishing what is in flight.
    Draining,
}

impl Default for Lifecycle {
    fn default() -> Lifecycle {
        Lifecycle(watch::Sender::new(Phase::Starting))
    }
}

impl Lifecycle {
    /// Where the process is.
    pub fn stage(&self) -> Phase {
        *self.0.borrow()
    }

    /// Moves on; never back.
    pub fn reach(&self, stage: Phase) {
        self.0.send_if_modified(|now| {
            let later = stage > *now;
            *now = stage.max(*now);
            later
        });
    }

    /// Waits until the process is there, or further.
    pub async fn reached(&self, stage: Phase) {
        // the sender is in here: it cannot be gone
        drop(self.0.subscribe().wait_for(|now| *now >= stage).await);
    }
}
