//! The command line. Its help is the first page of the manual.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};

use crate::config::{self, Loaded, Settings};
use crate::platform::role::Role;
use crate::platform::{db, telemetry};
use crate::{client, launch, roles};

const ALL: &str = "all";

/// Finds times that a group of people share, and says which is best and why.
#[derive(Parser)]
#[command(name = "w2meet", version, about, after_help = EXAMPLES, propagate_version = true)]
pub struct Cli {
    /// Which roles to run in this process; a comma list.
    #[arg(long, env = "W2MEET_ROLE", global = true, default_value = ALL, value_delimiter = ',', value_parser = role_values())]
    role: Vec<String>,
    /// A settings file (TOML). `w2meet config` prints every setting there is.
    #[arg(long, env = "W2MEET_CONFIG", global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Try it:
  w2meet                      everything in one process, on http://127.0.0.1:8080; data in ./w2meet-data
  w2meet demo                 in a second terminal: some people to play with, and what to ask
  w2meet jobs dead            what could not be done in the background, and why
  curl 'http://127.0.0.1:8080/api/suggestions?attendee=ana@example.com&attendee=kenji@example.com'

In production, one process for each role (see compose.yaml):
  W2MEET_DATABASE__URL=postgres://… W2MEET_CACHE__URL=redis://… w2meet --role user
  W2MEET_UPSTREAMS__USER=http://host:8081 w2meet --role availability

Settings: config/default.toml < --config FILE < W2MEET_SECTION__NAME in the environment < flags.";

#[derive(Subcommand)]
enum Command {
    /// Run the roles (what happens without a command).
    Serve,
    /// Bring the database schema up to date, and end.
    Migrate,
    /// Print the effective settings as TOML, secrets masked.
    Config,
    /// Ask the running roles whether they are ready; ends with 0 if they are. For a container's health check.
    Health,
    /// Fill a running W2Meet with a team of sample people, and say what to try.
    Demo {
        /// Where it runs; by default where this configuration's gateway listens.
        #[arg(long)]
        url: Option<String>,
    },
    /// See what waits or failed in the background, and try it again.
    Jobs {
        /// Where it runs; by default where this configuration's gateway listens.
        #[arg(long, global = true)]
        url: Option<String>,
        #[command(subcommand)]
        command: client::jobs::Command,
    },
}

fn role_values() -> impl TypedValueParser<Value = String> {
    let all = PossibleValue::new(ALL).help("every role in this process");
    let each = roles::ALL.iter().rev().map(|role| PossibleValue::new(role.name).help(role.about));
    PossibleValuesParser::new(std::iter::once(all).chain(each).collect::<Vec<_>>())
}

/// Does what the command line says.
///
/// # Errors
/// Whatever keeps it from that, as a sentence for whoever typed it.
pub fn run() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let Loaded { settings, warnings } = config::load(cli.config.as_deref())?;
    let roles = chosen(&cli.role);
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(settings, &roles, &warnings),
        Command::Migrate => {
            block_on(db::migrate(&settings, roles::user::MIGRATIONS))?;
            println!("the schema of {} is up to date", database(&settings));
            Ok(())
        }
        Command::Config => {
            warnings.iter().for_each(|warning| eprintln!("w2meet: {warning}"));
            print!("{}", toml::to_string(&settings).context("the settings cannot be printed")?);
            Ok(())
        }
        Command::Health => on_actix(client::health(settings, roles)),
        Command::Demo { url } => {
            let url = url.unwrap_or_else(|| launch::public_url(&settings));
            on_actix(client::demo(url.trim_end_matches('/')))
        }
        Command::Jobs { url, command } => {
            let url = url.unwrap_or_else(|| launch::public_url(&settings));
            on_actix(client::jobs::run(url.trim_end_matches('/'), command))
        }
    }
}

fn serve(settings: Settings, roles: &[&'static Role], warnings: &[String]) -> anyhow::Result<()> {
    let _flush = telemetry::start(&settings.log)?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let somebody_reads = telemetry::is_text(&settings.log) || std::io::stderr().is_terminal();
    if somebody_reads && roles.iter().any(|role| role.faces_clients) {
        eprintln!("{}", welcome(&launch::public_url(&settings)));
    }
    block_on(launch::serve(settings, roles))
}

/// What to do next, for whoever has just started it.
fn welcome(url: &str) -> String {
    format!(
        "\nW2Meet {} is starting on {url}\n\n  1. w2meet demo                       in a second terminal: some sample people\n  \
         2. curl '{url}/api/suggestions?attendee=ana@example.com&attendee=kenji@example.com'\n  3. open {url}\n\n\
         Ctrl-C stops it. `w2meet --help` says more.\n",
        env!("CARGO_PKG_VERSION")
    )
}

fn database(settings: &Settings) -> String {
    settings.sqlite_path().map_or_else(|| settings.database.url.to_string(), |path| path.display().to_string())
}

/// The roles by their names, in the order of the table.
fn chosen(names: &[String]) -> Vec<&'static Role> {
    let all = names.iter().any(|name| name == ALL);
    roles::ALL.iter().filter(|role| all || names.iter().any(|name| name == role.name)).collect()
}

/// On tokio's multi-thread runtime: migrations need it, and the connections of the pools live on it.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(work)
}

/// On a runtime of one thread, as awc needs.
fn on_actix<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    actix_rt::System::new().block_on(work)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Cli, chosen};

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn roles_start_in_the_order_of_the_table_whatever_the_order_typed() {
        let names = |typed: &[&str]| -> Vec<&str> {
            chosen(&typed.iter().map(ToString::to_string).collect::<Vec<_>>()).iter().map(|role| role.name).collect()
        };
        assert_eq!(names(&["gateway", "user"]), ["user", "gateway"]);
        assert_eq!(names(&["all"]), ["user", "availability", "suggestion", "worker", "gateway"]);
    }
}
