//! A row of the table of roles, and what a role is given when it starts.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::web::ServiceConfig;
use anyhow::Context as _;
use diesel_migrations::EmbeddedMigrations;

use crate::config::{AuthMode, Settings};
use crate::platform::auth::layer::AuthLayer;
use crate::platform::auth::verifier::TokenVerifier;
use crate::platform::balancer::AddressBook;
use crate::platform::endpoint::{Endpoint, permission_table};
use crate::platform::http::problem::{PROBLEM_TYPES, ProblemType};
use crate::platform::lifecycle::Lifecycle;
use crate::platform::probes::probes;
use crate::platform::queue::Queue;

/// One row of the table of roles (`roles::ALL`).
#[derive(Clone, Copy)]
pub struct Role {
    /// The value of `--role`, and the folder in `src/roles/`.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// The default port where its callers run in other processes.
    pub port: u16,
    /// The roles that it cannot work without. A role that faces clients also calls every owner of data and every role with public
    /// endpoints.
    pub calls: &'static [&'static str],
    /// The roles that it calls if they are there.
    pub observes: &'static [&'static str],
    /// The migrations of its tables, if it has tables of its own.
    pub migrations: Option<fn() -> EmbeddedMigrations>,
    /// Whether it has a cache that all its replicas must share.
    pub keeps_cache: bool,
    /// Whether it publishes or consumes. All roles that do must share one process if the queue is embedded.
    pub uses_queue: bool,
    /// The routing keys of the events that it must receive, such as `user.deleted`; it hands them to a `Subscriber`.
    pub subscribes: &'static [&'static str],
    /// Whether clients call it directly. Clients call the public endpoints of other roles through it.
    pub faces_clients: bool,
    /// The prefix of its public paths to sign in, which have a rate limit of their own.
    pub sign_in_prefix: Option<&'static str>,
    /// Its endpoints.
    pub endpoints: fn() -> Vec<Endpoint>,
    /// The problem types that it adds to those of the platform.
    pub problem_types: &'static [&'static ProblemType],
    /// Builds the state of the role; connects to nothing yet.
    pub open: fn(&Context) -> anyhow::Result<Service>,
}

impl Role {
    /// Whether it has tables of its own.
    pub fn owns_data(&self) -> bool {
        self.migrations.is_some()
    }

    /// Its own endpoints and the probes that every role answers.
    pub fn all_endpoints(&self) -> Vec<Endpoint> {
        let mut all = (self.endpoints)();
        all.extend(probes());
        all
    }

    /// The endpoints that clients can call.
    pub fn public_endpoints(&self) -> Vec<Endpoint> {
        let mut all = self.all_endpoints();
        all.retain(|endpoint| self.faces_clients || endpoint.is_public());
        all
    }

    /// The path under which it serves one of its endpoints.
    pub fn path_of(&self) -> fn(&Endpoint) -> &'static str {
        if self.faces_clients { |endpoint| endpoint.path } else { Endpoint::inner_path }
    }

    /// The roles of `table` that it cannot work without.
    pub fn required_roles(&self, table: &[Role]) -> Vec<&'static str> {
        let mut names = self.calls.to_vec();
        let others = table.iter().filter(|other| self.faces_clients && !other.faces_clients);
        let called = others.filter(|other| other.owns_data() || !other.public_endpoints().is_empty());
        names.extend(called.map(|other| other.name));
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Every endpoint that clients can call, those of stateless roles first: clients call them most.
pub fn public_endpoints(roles: &[Role]) -> Vec<Endpoint> {
    roles.iter().rev().flat_map(Role::public_endpoints).collect()
}

/// The problem types of the platform and of these roles.
pub fn problem_types(roles: &[Role]) -> impl Iterator<Item = &'static ProblemType> {
    PROBLEM_TYPES.iter().chain(roles.iter().flat_map(|role| role.problem_types)).copied()
}

/// A role that is ready to be served.
pub struct Service {
    /// Registers what the handlers share; called once on every worker thread.
    pub configure: Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>,
    /// Makes the access check; called once on every worker thread.
    pub auth: Arc<dyn Fn(&Context) -> AuthLayer + Send + Sync>,
    /// Completes when the role is ready to work; retries what may recover.
    pub prepare: Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>,
    /// Its background task. It runs in a thread of its own from when the process is ready until it drains.
    pub work: Option<BackgroundTask>,
}

/// A background task. It ends soon after the process begins to drain, and finishes or returns the work that it has begun.
pub type BackgroundTask = Box<dyn FnOnce(Arc<Lifecycle>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

impl Service {
    /// A role that is ready as soon as it listens.
    pub fn stateless(context: &Context, configure: fn(&mut ServiceConfig, &Context)) -> Service {
        let context = context.clone();
        Service {
            configure: Arc::new(move |config| configure(config, &context)),
            auth: Arc::new(Context::service_auth),
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
    /// Every role of the installation.
    pub roles: &'static [Role],
    /// The effective settings.
    pub settings: Arc<Settings>,
    /// The addresses of every role that it may call.
    pub book: Arc<AddressBook>,
    /// The phase of the process.
    pub lifecycle: Arc<Lifecycle>,
    /// The queue of jobs and events, if a role of this process uses it.
    pub queue: Option<Arc<Queue>>,
}

impl Context {
    /// The access check of an inner role without data: the service credential alone.
    pub fn service_auth(&self) -> AuthLayer {
        AuthLayer::service_only(&self.settings)
    }

    /// The access check of a role that also checks tokens, by this verifier.
    pub fn token_auth(&self, verifier: Rc<dyn TokenVerifier>) -> AuthLayer {
        let is_open = self.settings.auth.mode == AuthMode::Open;
        let table = |endpoints: &[Endpoint]| permission_table(endpoints, self.role.path_of(), is_open);
        match self.role.faces_clients {
            true => AuthLayer::public(&self.settings, table(&public_endpoints(self.roles)), verifier),
            false => AuthLayer::resource_owner(&self.settings, table(&self.role.all_endpoints()), verifier),
        }
    }

    /// The queue.
    ///
    /// # Errors
    /// The row of the role says that it uses no queue.
    pub fn queue(&self) -> anyhow::Result<Arc<Queue>> {
        self.queue.clone().with_context(|| format!("the row of {} says that it uses no queue", self.role.name))
    }
}
