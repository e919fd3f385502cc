//! `w2meet jobs`: lists, shows and retries background jobs.

use anyhow::{bail, ensure};
use awc::http::{Method, StatusCode};
use clap::Subcommand;
use serde_json::Value;

use super::Server;

/// Jobs in one response.
const PAGE: u64 = 200;

/// The subcommands.
#[derive(Subcommand)]
pub enum Command {
    /// List jobs, the oldest first.
    List {
        /// List only jobs in this state: queued, running, retryable, succeeded, dead or cancelled.
        #[arg(long)]
        state: Option<String>,
        /// The most jobs to list.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// List jobs that failed for good; `retry` starts them again.
    Dead {
        /// The most jobs to list.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one job, with its errors.
    Show {
        /// The id of the job.
        id: uuid::Uuid,
    },
    /// Retry a job that is dead, or that waits for its next attempt.
    Retry {
        /// The id of the job.
        #[arg(required_unless_present = "all_dead")]
        id: Option<uuid::Uuid>,
        /// Retry all dead jobs.
        #[arg(long, conflicts_with = "id")]
        all_dead: bool,
    },
}

/// Runs a subcommand against a gateway.
///
/// # Errors
/// A gateway that does not respond, or refuses the request.
pub async fn run(server: &Server, command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { state, limit } => show(server, state.as_deref(), limit).await?,
        Command::Dead { limit } => show(server, Some("dead"), limit).await?,
        Command::Show { id } => {
            let job = call(server, Method::GET, &format!("/api/jobs/{id}")).await?;
            println!("{}", serde_json::to_string_pretty(&job)?);
        }
        Command::Retry { id: Some(id), .. } => retry(server, &id.to_string()).await?,
        Command::Retry { id: None, .. } => {
            let dead = list(server, Some("dead"), usize::MAX).await?;
            for job in &dead {
                retry(server, text(job, "id")).await?;
            }
            println!("{} jobs are queued again", dead.len());
        }
    }
    Ok(())
}

/// Prints jobs. It asks for one more than the limit, to see whether there are more.
async fn show(server: &Server, state: Option<&str>, limit: usize) -> anyhow::Result<()> {
    let jobs = list(server, state, limit.saturating_add(1)).await?;
    print(&jobs[..jobs.len().min(limit)]);
    if jobs.len() > limit {
        eprintln!("only the {limit} oldest jobs are listed: raise --limit, or use --state");
    }
    Ok(())
}

async fn retry(server: &Server, id: &str) -> anyhow::Result<()> {
    let job = call(server, Method::POST, &format!("/api/jobs/{id}/retry")).await?;
    println!("{id} {} is {} again", text(&job, "kind"), text(&job, "state"));
    Ok(())
}

async fn list(server: &Server, state: Option<&str>, limit: usize) -> anyhow::Result<Vec<Value>> {
    let mut jobs: Vec<Value> = Vec::new();
    let state = state.map_or_else(String::new, |state| format!("&state={state}"));
    loop {
        let cursor = jobs.last().map_or_else(String::new, |last| format!("&cursor={}", text(last, "id")));
        let page = call(server, Method::GET, &format!("/api/jobs?limit={PAGE}{state}{cursor}")).await?;
        let Some(page) = page["jobs"].as_array() else { bail!("{} did not respond with a list of jobs", server.url) };
        let full = page.len() as u64 == PAGE;
        jobs.extend(page.iter().take(limit - jobs.len()).cloned());
        if !full || jobs.len() == limit {
            return Ok(jobs);
        }
    }
}

async fn call(server: &Server, method: Method, path: &str) -> anyhow::Result<Value> {
    let (status, body) = server.send(method, path, None).await?;
    let detail = || body["detail"].as_str().unwrap_or("no reason given").to_owned();
    ensure!(status.is_success() || status == StatusCode::ACCEPTED, "{status}: {}", detail());
    Ok(body)
}

fn print(jobs: &[Value]) {
    if jobs.is_empty() {
        println!("no jobs");
        return;
    }
    println!("{:<36}  {:<17} {:<9} {:>8}  {:<20}  last error", "id", "kind", "state", "attempts", "since");
    for job in jobs {
        let error = job["errors"].as_array().and_then(|all| all.last()).map_or("", |last| text(last, "error"));
        let since = text(job, "updated_at").get(..19).unwrap_or_default();
        let attempts = format!("{}/{}", job["attempt"], job["max_attempts"]);
        println!(
            "{:<36}  {:<17} {:<9} {attempts:>8}  {since:<20}  {error}",
            text(job, "id"),
            text(job, "kind"),
            text(job, "state")
        );
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
