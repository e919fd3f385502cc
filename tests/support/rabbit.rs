//! A RabbitMQ of the test's own, which it may kill.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use super::authority::Authority;
use super::cluster::make_temp_folder;
use super::servers::{free_port, signal, skip_without};

/// Debian's script in this folder runs as the user who starts it; the script in the search path needs its own user.
const DEBIAN: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// A broker in a folder of its own, for guest:guest.
pub struct PrivateRabbit {
    folder: PathBuf,
    name: String,
    port: u16,
    /// The port on which it speaks TLS, if it does.
    encrypted: Option<u16>,
    child: Mutex<Option<Child>>,
}

impl PrivateRabbit {
    /// A running broker. `None`, with a message, if its programs are missing.
    pub fn start() -> Option<PrivateRabbit> {
        let server = PrivateRabbit::prepare()?;
        server.boot();
        Some(server)
    }

    /// One that does not run yet.
    pub fn prepare() -> Option<PrivateRabbit> {
        if program().is_none() {
            return skip_without("rabbitmq-server");
        }
        let name = format!("w2meet-test-{:016x}@localhost", rand::random::<u64>());
        let (folder, port, child) = (make_temp_folder(), free_port(), Mutex::new(None));
        Some(PrivateRabbit { folder, name, port, encrypted: None, child })
    }

    /// A running broker that speaks TLS on a second port, with a certificate of this authority for `localhost`.
    pub fn start_encrypted(authority: &Authority) -> Option<PrivateRabbit> {
        let mut server = PrivateRabbit::prepare()?;
        let (port, files) = (free_port(), authority.issue("localhost", &server.folder));
        let settings = format!(
            "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n\
             ssl_options.cacertfile = {}\nssl_options.verify = verify_none\n",
            files.certificate.display(),
            files.key.display(),
            authority.file()
        );
        std::fs::write(server.folder.join("rabbitmq.conf"), settings).expect("a settings file");
        server.encrypted = Some(port);
        server.boot();
        Some(server)
    }

    /// Its URL with TLS, at this host name.
    pub fn encrypted_url(&self, host: &str) -> String {
        format!("amqps://guest:guest@{host}:{}/%2f", self.encrypted.expect("it speaks TLS"))
    }

    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Starts it, on the same port as ever; returns when it answers.
    pub fn boot(&self) {
        let folder = &self.folder;
        let plugins = folder.join("enabled_plugins");
        std::fs::write(&plugins, "[].\n").expect("a file");
        let mut command = Command::new(program().expect("it was there"));
        command
            .env("HOME", folder)
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", free_port().to_string())
            .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq"))
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("rabbitmq-env.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", &plugins)
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            // the script becomes the server then, and the child is what is to be killed
            .env("RUNNING_UNDER_SYSTEMD", "true");
        let child =
            command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("rabbitmq-server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut reported = Vec::new();
        let ready = lines.by_ref().map_while(Result::ok).any(|line| {
            let ready = line.contains("Server startup complete");
            reported.push(line);
            ready
        });
        // what it says must go somewhere, or it stops
        std::thread::spawn(move || lines.for_each(drop));
        self.child.lock().expect("one holder").replace(child);
        assert!(ready, "rabbitmq-server ended at its start: {}", reported.join("\n"));
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.end("KILL");
    }

    /// As its operator would: it writes down what it has.
    pub fn stop(&self) {
        self.end("TERM");
    }

    /// Suspends the broker: connections stay open, without any response.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn end(&self, name: &str) {
        self.signal(name);
        if let Some(mut child) = self.child.lock().expect("one holder").take() {
            drop(child.wait());
        }
    }

    fn signal(&self, name: &str) {
        if let Some(child) = self.child.lock().expect("one holder").as_ref() {
            signal(child.id(), name);
        }
    }
}

impl Drop for PrivateRabbit {
    fn drop(&mut self) {
        self.kill();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn program() -> Option<PathBuf> {
    let found = Command::new("sh").args(["-c", "command -v rabbitmq-server"]).output().ok()?;
    let in_path = PathBuf::from(String::from_utf8(found.stdout).ok()?.trim());
    [PathBuf::from(DEBIAN), in_path].into_iter().find(|path| path.is_file())
}
