//! The command line, its help, and what each command calls.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::LazyLock;

use anyhow::Context as _;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};

use crate::client::Server;
use crate::config::{self, Loaded, Settings};
use crate::platform::auth::Scope;
use crate::platform::role::Role;
use crate::platform::time_zones::BUNDLED_TIME_ZONES;
use crate::platform::{data, observe};
use crate::{client, launch, roles};

const ALL: &str = "all";

/// A self-hosted meeting backend: finds the times that a group shares, ranks them, says why, and schedules the meeting.
#[derive(Parser)]
#[command(name = "w2meet", version, long_version = LONG_VERSION.as_str(), about, after_help = EXAMPLES, propagate_version = true)]
pub struct Cli {
    /// The roles to run in this process, separated by commas.
    #[arg(long, env = "W2MEET_ROLE", global = true, default_value = ALL, value_delimiter = ',', value_parser = role_values())]
    role: Vec<String>,
    /// A settings file (TOML). `w2meet config` prints all settings.
    #[arg(long, env = "W2MEET_CONFIG", global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// An access token or an API key, for commands that call a gateway where sign-in is required.
    #[arg(long, env = "W2MEET_TOKEN", global = true, value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The version of W2Meet, and that of the compiled-in time zones.
static LONG_VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{}\ntime zones: {BUNDLED_TIME_ZONES}", env!("CARGO_PKG_VERSION")));

const EXAMPLES: &str = "\
Try it:
  w2meet                      everything in one process, on http://127.0.0.1:8080; data in ./w2meet-data
  w2meet demo                 in a second terminal: creates sample users, prints requests to try
  w2meet jobs dead            lists the background jobs that failed for good, with the errors
  curl 'http://127.0.0.1:8080/api/suggestions?attendee=ana@example.com&attendee=kenji@example.com'

In production, one process per role (see compose.yaml):
  W2MEET_DATABASE__URL=postgres://… W2MEET_CACHE__URL=redis://… w2meet --role user
  W2MEET_UPSTREAMS__USER=http://host:8081 w2meet --role availability

Settings: config/default.toml < --config FILE < W2MEET_SECTION__NAME in the environment < flags.";

#[derive(Subcommand)]
enum Command {
    /// Run the roles; the default command.
    Serve,
    /// Bring the database schema up to date, then exit.
    Migrate,
    /// Print the effective settings as TOML, with secrets masked.
    Config,
    /// Print the OpenAPI 3.1 description of the public API; a running gateway serves it at /openapi.json.
    Openapi,
    /// Check that the running roles are ready; the exit code is 0 if all are. For the health check of a container.
    Health,
    /// Create sample users in a running W2Meet, and print requests to try.
    Demo {
        /// The URL of the gateway [default: the address that this configuration's gateway listens on].
        #[arg(long)]
        url: Option<String>,
    },
    /// List users, manage administrators, and print password links, in the configured database.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Manage the keys that sign access tokens, in the configured database.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// List, show and retry background jobs.
    Jobs {
        /// The URL of the gateway [default: the address that this configuration's gateway listens on].
        #[arg(long, global = true)]
        url: Option<String>,
        #[command(subcommand)]
        command: client::jobs::Command,
    },
}

#[derive(Subcommand)]
enum UserCommand {
    /// List all users: the id, the address, the rights, and whether the mailbox is verified.
    List,
    /// Make an account an administrator.
    Promote {
        /// The e-mail address of the account.
        email: String,
        /// Even if the mailbox is not verified: another person may have registered the address.
        #[arg(long)]
        unverified: bool,
    },
    /// Make an administrator an ordinary account again.
    Demote {
        /// The e-mail address of the account.
        email: String,
    },
    /// Print a link that sets a new password, once: for a user who cannot receive mail. It also verifies the address. An
    /// account that was not verified starts empty then.
    PasswordReset {
        /// The e-mail address of the account.
        email: String,
    },
}

#[derive(Subcommand)]
enum KeysCommand {
    /// List the keys.
    List,
    /// Create a new signing key. The old key still verifies its tokens until they expire.
    Rotate,
    /// Revoke a key at once, with every token that it has signed: clients must refresh, or sign in again.
    Revoke {
        /// The id of the key.
        id: String,
    },
}

fn role_values() -> impl TypedValueParser<Value = String> {
    let all = PossibleValue::new(ALL).help("all roles in one process");
    let each = roles::ALL.iter().rev().map(|role| PossibleValue::new(role.name).help(role.about));
    PossibleValuesParser::new(std::iter::once(all).chain(each).collect::<Vec<_>>())
}

/// Runs the command that the command line names.
///
/// # Errors
/// The reason why the command failed, as a sentence for the operator.
pub fn run() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let Loaded { settings, warnings } = config::load(cli.config.as_deref())?;
    let roles = select_roles(&cli.role);
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(settings, &roles, &warnings),
        Command::Migrate => block_on(migrate(&settings)),
        Command::Config => {
            warnings.iter().for_each(|warning| eprintln!("w2meet: {warning}"));
            print!("{}", toml::to_string(&settings).context("the settings cannot be printed")?);
            Ok(())
        }
        Command::Openapi => {
            let address = &settings.server.public_url;
            println!("{}", roles::gateway::description(roles::ALL, settings.auth.mode, address).to_pretty_json()?);
            Ok(())
        }
        Command::User { command } => block_on(run_user_command(&settings, command)),
        Command::Keys { command } => block_on(run_keys_command(&settings, command)),
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

async fn migrate(settings: &Settings) -> anyhow::Result<()> {
    for (role, migrations) in roles::ALL.iter().filter_map(|role| Some((role.name, role.migrations?))) {
        data::migrate(settings, role, migrations()).await?;
        println!("the schema of {role} in {} is up to date", settings.database_name(role));
    }
    Ok(())
}

async fn run_user_command(settings: &Settings, command: UserCommand) -> anyhow::Result<()> {
    use roles::user::commands::{list_users, reset_link, set_scope};
    let (email, scope, unverified, role) = match command {
        UserCommand::List => {
            list_users(settings).await?.iter().for_each(|line| println!("{line}"));
            return Ok(());
        }
        UserCommand::Promote { email, unverified } => (email, Scope::Admin, unverified, "an administrator"),
        UserCommand::Demote { email } => (email, Scope::User, true, "an ordinary account"),
        UserCommand::PasswordReset { email } => {
            let path = reset_link(settings, &email).await?;
            let given = Some(settings.server.public_url.trim_end_matches('/')).filter(|url| !url.is_empty());
            println!("{}{path}", given.map_or_else(|| launch::public_url(settings), str::to_owned));
            return Ok(());
        }
    };
    set_scope(settings, &email, scope, unverified).await?;
    println!("{email} is now {role}; tokens say so from the next sign-in or refresh on");
    Ok(())
}

async fn run_keys_command(settings: &Settings, command: KeysCommand) -> anyhow::Result<()> {
    use roles::user::commands::{list_keys, revoke_key, rotate_keys};
    match command {
        KeysCommand::List => list_keys(settings).await?.iter().for_each(|line| println!("{line}")),
        KeysCommand::Rotate => {
            println!("{} starts to sign in a few seconds, when all processes know it", rotate_keys(settings).await?)
        }
        KeysCommand::Revoke { id } => {
            revoke_key(settings, &id).await?;
            println!("{id}, and every token that it has signed, are invalid within a few seconds");
        }
    }
    Ok(())
}

fn serve(settings: Settings, roles: &[&'static Role], warnings: &[String]) -> anyhow::Result<()> {
    let _flush = observe::start(&settings.log)?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let is_interactive = observe::is_text(&settings.log) || std::io::stderr().is_terminal();
    if is_interactive && roles.iter().any(|role| role.faces_clients) {
        eprintln!("{}", welcome(&launch::public_url(&settings)));
    }
    block_on(launch::serve(settings, roles, roles::ALL))
}

/// The next steps, for an operator who has just started it.
fn welcome(url: &str) -> String {
    format!(
        "\nW2Meet {} is starting on {url}\n\n  1. w2meet demo                       in a second terminal: creates sample users\n  \
         2. curl '{url}/api/suggestions?attendee=ana@example.com&attendee=kenji@example.com'\n  3. open {url}\n\n\
         Ctrl-C stops it. `w2meet --help` shows all commands.\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// The named roles, in the order of the table.
fn select_roles(names: &[String]) -> Vec<&'static Role> {
    let all = names.iter().any(|name| name == ALL);
    roles::ALL.iter().filter(|role| all || names.iter().any(|name| name == role.name)).collect()
}

/// Runs a future on tokio's multi-thread runtime: migrations and connection pools need it.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(work);
    // a migration that still runs must not hold up the end
    runtime.shutdown_background();
    done
}

/// Runs a future on a single-threaded runtime, as awc needs.
fn on_actix<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    actix_rt::System::new().block_on(work)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Cli, select_roles};

    #[test]
    fn the_command_line_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn roles_start_in_the_order_of_the_table_whatever_the_order_typed() {
        let names = |typed: &[&str]| -> Vec<&str> {
            select_roles(&typed.iter().map(ToString::to_string).collect::<Vec<_>>())
                .iter()
                .map(|role| role.name)
                .collect()
        };
        assert_eq!(names(&["gateway", "user"]), ["user", "gateway"]);
        assert_eq!(names(&["all"]), ["user", "reservation", "availability", "suggestion", "worker", "gateway"]);
    }
}
