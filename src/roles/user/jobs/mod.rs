//! The jobs of this role: subscribed calendars are refreshed, and one-time codes are mailed.

pub mod kinds;

use diesel::prelude::*;
use serde_json::{Value, json};

use crate::platform::data::instant::now;
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl};
use crate::platform::jobs::JobOwner;
use crate::platform::jobs::api::JobReport;
use crate::platform::jobs::model::{Job, JobKind};
use crate::platform::jobs::store::not_due;
use crate::roles::user::api::account_mail::AccountMail;
use crate::roles::user::api::jobs::JobPayload;
use crate::roles::user::calendars::store::find_subscription;
use crate::roles::user::schema::users;
use crate::roles::user::store::Store;
use crate::roles::user::verification::codes::{forget_stranger, is_wanted};
use kinds::{ACCOUNT_MAIL, CodeMail, REFRESH_CALENDAR};

impl JobOwner for Store {
    type Subject = ();

    const KINDS: &'static [JobKind] = kinds::ALL;

    async fn start(&self, conn: &mut Connection, job: &Job, payload: &str, (): &()) -> Result<Option<Value>, Abort> {
        let input = match &job.kind {
            kind if *kind == REFRESH_CALENDAR.name => {
                find_subscription(conn, job.subject).await?.map(JobPayload::RefreshCalendar)
            }
            kind if *kind == ACCOUNT_MAIL.name => {
                find_code_mail(conn, self, job, payload).await?.map(JobPayload::SendAccountMail)
            }
            _ => Some(JobPayload::Other),
        };
        Ok(input.map(|input| json!(input)))
    }

    async fn finish(&self, _: &mut Connection, job: &Job, (): &(), _: &JobReport<Value>) -> Result<(), Abort> {
        // a refresh is reported with its calendar
        if job.kind == ACCOUNT_MAIL.name { Ok(()) } else { Err(Abort::Rejected(not_due(job))) }
    }

    fn describe(&self, _: &Job, shown: &mut Value) {
        shown["meeting_id"] = Value::Null;
    }

    async fn purge(&self) -> Result<(), Error> {
        self.purge_codes().await?;
        self.purge_attempts().await?;
        self.purge_sessions().await
    }
}

/// The mail of a one-time code, if the code is still wanted.
async fn find_code_mail(
    conn: &mut Connection,
    store: &Store,
    job: &Job,
    payload: &str,
) -> Result<Option<AccountMail>, Error> {
    if !is_wanted(conn, job.id, now()).await? {
        forget_stranger(conn, store, job.id).await?;
        return Ok(None);
    }
    let CodeMail { purpose, email, code, minutes } =
        serde_json::from_str(payload).map_err(|why| Error::Corrupt(format!("the payload of job {}: {why}", job.id)))?;
    let typed_email = users::table.filter(users::email.eq(email.as_str())).select(users::typed_email);
    let typed_email: String = typed_email.first(conn).await?;
    Ok(Some(AccountMail { purpose, email, typed_email, path: purpose.link(&code), minutes, stamp: job.created_at }))
}
