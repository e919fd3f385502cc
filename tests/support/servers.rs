//! A private PostgreSQL and a private Redis, which a test may kill, and helpers for processes.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use super::authority::Authority;
use super::cluster::make_temp_folder;

/// A PostgreSQL in its own folder. It needs no password, and logs every statement.
pub struct PrivatePostgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl PrivatePostgres {
    /// Starts one. Gives `None`, and prints a notice, where its programs are not installed.
    pub fn start() -> Option<PrivatePostgres> {
        let server = PrivatePostgres::prepare()?;
        server.boot();
        Some(server)
    }

    /// Prepares one without starting it.
    pub fn prepare() -> Option<PrivatePostgres> {
        let Some(programs) = postgres_programs() else {
            return skip_without("initdb, postgres and pg_ctl (W2MEET_TEST_PG_BIN names their directory)");
        };
        let server = PrivatePostgres { programs, folder: make_temp_folder(), port: free_port() };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&server.folder));
        }
        let mut initdb = server.program("initdb");
        run(initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]));
        Some(server)
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Switches TLS on, before it is started: with a certificate of this authority for `localhost`.
    pub fn encrypt(&self, authority: &Authority) {
        authority.issue("localhost", &self.data());
        self.configure("postgresql.conf", "ssl = on\n");
    }

    /// Adds lines to one of its settings files, before it is started.
    pub fn configure(&self, file: &str, lines: &str) {
        let path = self.data().join(file);
        let before = std::fs::read_to_string(&path).expect("a settings file");
        std::fs::write(&path, format!("{lines}{before}{lines}")).expect("written");
    }

    /// Starts it, always on the same port; returns when it accepts connections.
    pub fn boot(&self) {
        let options = format!(
            "-p {} -k {} -F -c listen_addresses=127.0.0.1 -c log_statement=all",
            self.port,
            self.folder.display()
        );
        let mut start = self.program("pg_ctl");
        start.arg("--log").arg(self.folder.join("log")).args(["--wait", "--options", &options, "start"]);
        run(&mut start);
    }

    /// Ends all its processes at once, without a shutdown.
    pub fn kill(&self) {
        run(self.program("pg_ctl").args(["--mode=immediate", "--wait", "stop"]));
    }

    /// Pauses all its processes: connections stay open, but requests get no response.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Its log, which includes statements and their parameters.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Signals the postmaster first, so that it starts no more processes.
    fn signal(&self, name: &str) {
        let pid_file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let Some(postmaster) = pid_file.lines().next().and_then(|pid| pid.trim().parse().ok()) else {
            return;
        };
        signal(postmaster, name);
        children_of(postmaster).into_iter().for_each(|pid| signal(pid, name));
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// PostgreSQL refuses to run as root.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.arg("--pgdata").arg(self.data()).current_dir(&self.folder);
        command
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.resume();
        let mut stop = self.program("pg_ctl");
        drop(stop.args(["--mode=immediate", "--wait", "stop"]).output());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// A Redis in its own folder.
pub struct PrivateRedis {
    folder: PathBuf,
    port: u16,
    persistent: bool,
    /// The port on which it speaks TLS, if it does.
    encrypted: Option<u16>,
    child: Mutex<Option<Child>>,
}

impl PrivateRedis {
    /// Starts one without persistence. Gives `None`, and prints a notice, where its program is not installed.
    pub fn start() -> Option<PrivateRedis> {
        PrivateRedis::make(false)
    }

    /// Starts one that speaks TLS on a second port, with a certificate of this authority for `localhost`.
    pub fn start_encrypted(authority: &Authority) -> Option<PrivateRedis> {
        let mut server = PrivateRedis::prepare(false)?;
        authority.issue("localhost", &server.folder);
        server.encrypted = Some(free_port());
        server.boot();
        Some(server)
    }

    /// Starts one that persistent its data over a restart.
    pub fn start_persistent() -> Option<PrivateRedis> {
        PrivateRedis::make(true)
    }

    fn make(persistent: bool) -> Option<PrivateRedis> {
        let server = PrivateRedis::prepare(persistent)?;
        server.boot();
        Some(server)
    }

    fn prepare(persistent: bool) -> Option<PrivateRedis> {
        if Command::new("redis-server").arg("--version").output().is_err() {
            return skip_without("redis-server");
        }
        let (folder, port, child) = (make_temp_folder(), free_port(), Mutex::new(None));
        Some(PrivateRedis { folder, port, persistent, encrypted: None, child })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its URL with TLS, at this host name.
    pub fn encrypted_url(&self, host: &str) -> String {
        format!("rediss://{host}:{}", self.encrypted.expect("it speaks TLS"))
    }

    /// Starts it, always on the same port; returns when it accepts connections.
    pub fn boot(&self) {
        let mut command = Command::new("redis-server");
        if let Some(port) = self.encrypted {
            let (certificate, key) = (self.folder.join("server.crt"), self.folder.join("server.key"));
            command.args(["--tls-port", &port.to_string(), "--tls-auth-clients", "no", "--tls-cert-file"]);
            command.arg(certificate).arg("--tls-key-file").arg(key);
        }
        let mut child = command
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", ""])
            .args(["--appendonly", if self.persistent { "yes" } else { "no" }, "--appendfsync", "always"])
            .arg("--dir")
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains("Ready to accept connections"));
        std::thread::spawn(move || lines.for_each(drop));
        self.child.lock().expect("one holder").replace(child);
        assert!(ready, "redis-server ended at its start");
    }

    /// `kill -9`.
    pub fn kill(&self) {
        if let Some(mut child) = self.child.lock().expect("one holder").take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Pauses it: connections stay open, but requests get no response.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Copies its data, for [`PrivateRedis::restore`].
    pub fn back_up(&self) {
        drop(std::fs::remove_dir_all(self.folder.join("kept")));
        run(Command::new("cp").arg("-r").arg(self.folder.join("appendonlydir")).arg(self.folder.join("kept")));
    }

    /// Restores the copied data while it is stopped.
    pub fn restore(&self) {
        drop(std::fs::remove_dir_all(self.folder.join("appendonlydir")));
        run(Command::new("cp").arg("-r").arg(self.folder.join("kept")).arg(self.folder.join("appendonlydir")));
    }

    /// Opens a connection for the test.
    pub fn connect(&self) -> deadpool_redis::redis::Connection {
        let client = deadpool_redis::redis::Client::open(self.url()).expect("a URL");
        client.get_connection().expect("it answers")
    }

    fn signal(&self, name: &str) {
        if let Some(child) = self.child.lock().expect("one holder").as_ref() {
            signal(child.id(), name);
        }
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        self.kill();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// An environment variable of the suite that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "the suite has no settings file")]
pub fn env_var(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// Prints to standard error: the test harness hides the standard output of passing tests.
pub fn print_line(what: &str) {
    drop(writeln!(std::io::stderr(), "{what}"));
}

/// Gives `None` and prints a notice; fails in CI.
pub fn skip_without<T>(missing: &str) -> Option<T> {
    assert!(env_var("CI").is_none(), "this test needs {missing}");
    print_line(&format!("SKIPPED, a test that needs {missing}"));
    None
}

/// A free port outside of the ephemeral range, so that it is still free at a second start.
pub fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| rand::random_range(12_000..32_000));
    let free = ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.expect("some port is free")
}

/// The folder of initdb: as configured, or the newest version of Debian.
fn postgres_programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    found.sort_by_key(|path| path.parent().and_then(Path::file_name).and_then(|it| it.to_str()?.parse::<u32>().ok()));
    found.extend(env_var("W2MEET_TEST_PG_BIN").map(PathBuf::from));
    found.into_iter().rfind(|path| path.join("initdb").exists())
}

pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0)
}

fn children_of(parent: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent_of = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    pids.filter(|pid| parent_of(pid) == Some(parent)).collect()
}

pub fn signal(pid: u32, name: &str) {
    drop(Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status());
}

#[track_caller]
pub fn run(command: &mut Command) {
    // the output goes to a file: a server started by the command would keep a pipe open
    let folder = std::env::temp_dir().join(format!("w2meet-test-run-{:016x}", rand::random::<u64>()));
    let output = std::fs::File::create(&folder).expect("a temporary file");
    let errors = output.try_clone().expect("a second handle");
    let status = command.stdin(Stdio::null()).stdout(output).stderr(errors).status();
    let reported = std::fs::read_to_string(&folder).unwrap_or_default();
    drop(std::fs::remove_file(&folder));
    assert!(status.is_ok_and(|status| status.success()), "{command:?} failed: {reported}");
}
