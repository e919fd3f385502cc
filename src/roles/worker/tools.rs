//! What jobs are done with, on the worker's one thread.

use super::consumer::is_over;
use super::{GATEWAY, mail};
use crate::config::{Jobs as Limits, Settings};
use crate::platform::outbound::{HostLimiter, SsrfGuard, WebhookClient};
use crate::platform::role::Context;
use crate::platform::rpc::Peer;
use crate::roles::availability::api::AvailabilityClient;
use crate::roles::suggestion::api::SuggestionClient;
use crate::roles::user;
use crate::roles::user::api::jobs::{
    AttemptFailure, DeliveryOutcome, DeliveryRecord, JobClient, JobLease, JobReport, JobResult, RetryDecision,
};

/// How an attempt ended.
pub type JobOutcome = Result<(), AttemptFailure>;

/// What can be opened on any thread.
pub struct Kit {
    carrier: mail::Mailer,
}

impl Kit {
    /// As the settings say.
    pub fn open(settings: &Settings) -> anyhow::Result<Kit> {
        Ok(Kit { carrier: mail::Mailer::open(settings)? })
    }
}

/// Everything.
pub struct Tools {
    pub limits: Limits,
    pub jobs: JobClient,
    pub times: AvailabilityClient,
    pub suggester: SuggestionClient,
    pub carrier: mail::Mailer,
    pub sender: WebhookClient,
    pub guard: SsrfGuard,
    pub hosts: HostLimiter,
    /// Bytes that a subscribed calendar may have.
    pub calendar_body: usize,
    /// What links in letters begin with.
    pub public_url: String,
}

impl Tools {
    /// For the thread that it is made on.
    pub fn new(context: &Context, kit: Kit) -> anyhow::Result<Tools> {
        let settings = &context.settings;
        let gateway = Peer::new(context, GATEWAY);
        // without a public address, the one where this worker finds the gateway
        let found = || {
            context.book.find(GATEWAY).and_then(|replicas| replicas.known().first().map(|replica| replica.base.clone()))
        };
        let given = Some(settings.server.public_url.trim_end_matches('/').to_owned()).filter(|url| !url.is_empty());
        Ok(Tools {
            limits: settings.jobs.clone(),
            jobs: JobClient::new(Peer::new(context, user::api::ROLE), gateway),
            times: AvailabilityClient::new(context),
            suggester: SuggestionClient::new(context),
            carrier: kit.carrier,
            sender: WebhookClient::new(&settings.webhooks)?,
            guard: SsrfGuard::new(&settings.webhooks),
            hosts: HostLimiter::new(settings.webhooks.per_host),
            calendar_body: settings.limits.calendar_body,
            public_url: given.or_else(found).unwrap_or_default(),
        })
    }

    /// Ends an attempt to reach `target`, which came to this: how it went, what is to become of the job if it did not succeed, and
    /// what happened.
    pub async fn end(
        &self,
        order: &JobLease,
        target: &str,
        came: (DeliveryOutcome, Option<RetryDecision>, String),
    ) -> JobOutcome {
        let (outcome, verdict, detail) = came;
        let notes = vec![DeliveryRecord { target: target.to_owned(), outcome, detail: detail.clone() }];
        if let Some(verdict) = verdict {
            return Err(AttemptFailure { verdict, notes, ..AttemptFailure::again(order, detail) });
        }
        let done = JobReport { attempt: order.attempt, result: JobResult::Sent, notes };
        match self.jobs.finish(order, &done).await {
            Err(problem) if !is_over(&problem) => Err(AttemptFailure::again(order, problem.to_string())),
            _ => Ok(()),
        }
    }
}
