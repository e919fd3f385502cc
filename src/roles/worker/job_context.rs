//! The clients and limits that the handlers of jobs use, made on the worker's one thread.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mail::Mailer;
use crate::config::Jobs as Limits;
use crate::platform::jobs::api::JobClient;
use crate::platform::limiter::KeyedLimiter;
use crate::platform::outbound::{SsrfGuard, WebhookClient};
use crate::platform::role::Context;
use crate::roles::availability::api::AvailabilityClient;
use crate::roles::suggestion::api::SuggestionClient;

/// The clients and limits of the worker.
pub struct JobContext {
    pub limits: Limits,
    /// One client for each role that owns jobs.
    pub owners: BTreeMap<&'static str, JobClient>,
    pub availability: AvailabilityClient,
    pub suggestion: SuggestionClient,
    pub mailer: Mailer,
    pub webhooks: WebhookClient,
    pub guard: SsrfGuard,
    /// Limits the requests in flight to each host that a client named.
    pub hosts: Arc<KeyedLimiter<String>>,
    /// The most bytes that a subscribed calendar may have.
    pub calendar_body: usize,
    /// The start of every link in a mail.
    pub public_url: String,
}

impl JobContext {
    /// The context for the calling thread.
    pub fn new(context: &Context, mailer: Mailer) -> anyhow::Result<JobContext> {
        let settings = &context.settings;
        Ok(JobContext {
            limits: settings.jobs.clone(),
            owners: JobClient::all(context),
            availability: AvailabilityClient::new(context),
            suggestion: SuggestionClient::new(context),
            mailer,
            webhooks: WebhookClient::new(settings)?,
            guard: SsrfGuard::new(&settings.webhooks),
            hosts: KeyedLimiter::new(settings.webhooks.per_host),
            calendar_body: settings.limits.calendar_body,
            public_url: settings.server.public_url.clone(),
        })
    }
}
