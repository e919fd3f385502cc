//! The command line. Its help is the first page of the manual.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};

use crate::client::Server;
use crate::config::{self, Loaded, Settings};
use crate::platform::auth::Scope;
use crate::platform::role::Role;
use crate::platform::{data, observe};
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
    /// An access token or an API key, for commands that ask a running W2Meet where callers must sign in.
    #[arg(long, env = "W2MEET_TOKEN", global = true, value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
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
    /// Print what the API takes and answers, as OpenAPI 3.1; a running gateway serves it at /openapi.json.
    Openapi,
    /// Ask the running roles whether they are ready; ends with 0 if they are. For a container's health check.
    Health,
    /// Fill a running W2Meet with a team of sample people, and say what to try.
    Demo {
        /// Where it runs; by default where this configuration's gateway listens.
        #[arg(long)]
        url: Option<String>,
    },
    /// Say who looks after this installation, in the configured database itself.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// The keys that access tokens are signed with, in the configured database itself.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
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

#[derive(Subcommand)]
enum UserCommand {
    /// Let an account do everything.
    Promote {
        /// Its e-mail address.
        email: String,
    },
    /// Let an account do what everybody may.
    Demote {
        /// Its e-mail address.
        email: String,
    },
    /// Print a link that sets another password, once: for whoever cannot be sent a letter. It shows the mailbox, too.
    PasswordReset {
        /// Its e-mail address.
        email: String,
    },
}

#[derive(Subcommand)]
enum KeysCommand {
    /// List them.
    List,
    /// Make a new key; the old one verifies until its tokens are over.
    Rotate,
    /// Take a key back at once, and every token that it has signed: their owners refresh, or sign in again.
    Revoke {
        /// Its id.
        id: String,
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
            block_on(data::migrate(&settings, roles::user::MIGRATIONS))?;
            println!("the schema of {} is up to date", database(&settings));
            Ok(())
        }
        Command::Config => {
            warnings.iter().for_each(|warning| eprintln!("w2meet: {warning}"));
            print!("{}", toml::to_string(&settings).context("the settings cannot be printed")?);
            Ok(())
        }
        Command::Openapi => {
            println!("{}", roles::gateway::description(settings.auth.mode).to_pretty_json()?);
            Ok(())
        }
        Command::User { command } => block_on(tend_user(&settings, command)),
        Command::Keys { command } => block_on(tend_keys(&settings, command)),
        Command::Health => on_actix(client::health(settings, roles)),
        Command::Demo { url } => {
            let url = url.unwrap_or_else(|| launch::public_url(&settings));
            on_actix(client::demo(&Server::new(&url, cli.token)))
        }
        Command::Jobs { url, command } => {
            let url = url.unwrap_or_else(|| launch::public_url(&settings));
            on_actix(client::jobs::run(&Server::new(&url, cli.token), command))
        }
    }
}

async fn tend_user(settings: &Settings, command: UserCommand) -> anyhow::Result<()> {
    let (email, scope, now) = match command {
        UserCommand::Promote { email } => (email, Scope::Admin, "may do everything"),
        UserCommand::Demote { email } => (email, Scope::User, "may do what everybody may"),
        UserCommand::PasswordReset { email } => {
            let path = roles::user::commands::reset_link(settings, &email).await?;
            let given = Some(settings.server.public_url.trim_end_matches('/')).filter(|url| !url.is_empty());
            println!("{}{path}", given.map_or_else(|| launch::public_url(settings), str::to_owned));
            return Ok(());
        }
    };
    roles::user::commands::set_scope(settings, &email, scope).await?;
    println!("{email} {now}, from the next sign-in or refresh on at the latest");
    Ok(())
}

async fn tend_keys(settings: &Settings, command: KeysCommand) -> anyhow::Result<()> {
    use roles::user::commands::{list_keys, revoke_key, rotate_keys};
    match command {
        KeysCommand::List => list_keys(settings).await?.iter().for_each(|line| println!("{line}")),
        KeysCommand::Rotate => {
            println!("{} signs in a few seconds, when everybody knows it", rotate_keys(settings).await?)
        }
        KeysCommand::Revoke { id } => {
            revoke_key(settings, &id).await?;
            println!("{id} and every token that it has signed are worth nothing within a few seconds");
        }
    }
    Ok(())
}

fn serve(settings: Settings, roles: &[&'static Role], warnings: &[String]) -> anyhow::Result<()> {
    let _flush = observe::start(&settings.log)?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let somebody_reads = observe::is_text(&settings.log) || std::io::stderr().is_terminal();
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
