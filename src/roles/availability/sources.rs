//! The roles that know when people can meet, and one look-up over both.

use futures_util::future::{join, try_join};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::calendar::list_names;
use crate::platform::email::Email;
use crate::platform::http::health::Dependency;
use crate::platform::http::problem::{FORBIDDEN, Problem};
use crate::roles::reservation::api::{HeldTimeRequest, ReservationClient};
use crate::roles::user::api::{Lookup, LookupRequest, Period, UserClient};

/// The clients of one worker thread.
pub struct Sources {
    pub users: UserClient,
    pub reservation: ReservationClient,
}

impl Sources {
    /// Looks people up: one call to user, and with a period at the same time one to reservation, whatever the number of people. The
    /// time that the meeting `except` holds is left out.
    ///
    /// # Errors
    /// The problem of the role that failed; 403 if the settings hide the time of one of them from the caller.
    pub async fn lookup<U: DeserializeOwned>(
        &self,
        emails: Vec<Email>,
        busy_in: Option<Period>,
        except: Option<Uuid>,
    ) -> Result<Lookup<U>, Problem> {
        let Some(period) = busy_in else {
            let found = self.users.lookup(&LookupRequest { emails, busy_in }).await?;
            self.check_is_shown(&found).await?;
            return Ok(found);
        };
        let held = HeldTimeRequest { emails: emails.clone(), period, except };
        let request = LookupRequest { emails, busy_in };
        let (mut found, held) = try_join(self.users.lookup(&request), self.reservation.held_time(&held)).await?;
        if !found.hides_meetings {
            found.busy.extend(held);
        }
        self.check_is_shown(&found).await?;
        Ok(found)
    }

    /// Refuses an answer about people whose time is hidden from the caller, unless they have accepted a meeting of the caller.
    async fn check_is_shown<U>(&self, found: &Lookup<U>) -> Result<(), Problem> {
        if found.hidden.is_empty() {
            return Ok(());
        }
        let accepted = self.reservation.find_accepted(found.hidden.clone()).await?;
        let hidden: Vec<&str> =
            found.hidden.iter().filter(|email| !accepted.contains(email)).map(Email::as_str).collect();
        if hidden.is_empty() {
            return Ok(());
        }
        let detail = format!(
            "this installation does not show you when {} can meet; POST /api/meetings finds a time without showing it",
            list_names(&hidden)
        );
        Err(Problem::new(FORBIDDEN, detail))
    }

    /// The health of both roles.
    pub async fn health(&self) -> Vec<(String, Dependency)> {
        let (user, reservation) = join(self.users.peer().health(), self.reservation.peer().health()).await;
        vec![user, reservation]
    }
}
