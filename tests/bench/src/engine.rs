//! The measured binary as a child process with a site of its own.

use crate::driver::SECRET;
use crate::process::Usage;
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What all cases share.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) binary: PathBuf,
    directory: PathBuf,
    definitions: PathBuf,
    pub(crate) rounds: u32,
}

impl Bench {
    /// Finds the binary beside this program unless told otherwise.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn new(binary: Option<PathBuf>, directory: &Path, rounds: u32) -> Result<Self> {
        let beside = std::env::current_exe()?.with_file_name("ml-connector");
        let binary = binary.unwrap_or(beside);
        if !binary.is_file() {
            bail!(
                "{} is not built; run `cargo build --release` first",
                binary.display()
            );
        }
        let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("definitions");
        let directory = directory.canonicalize()?;
        Ok(Self {
            binary,
            directory,
            definitions,
            rounds: rounds.max(1),
        })
    }

    /// A fresh folder on the measured disk.
    pub(crate) fn folder(&self) -> Result<tempfile::TempDir> {
        tempfile::TempDir::new_in(&self.directory).context("cannot make a folder for the store")
    }

    /// The folder of the invented definitions.
    pub(crate) fn definitions(&self) -> &Path {
        &self.definitions
    }
}

/// A site on disk that an engine can be started on, again and again.
#[derive(Debug)]
pub(crate) struct Site {
    binary: PathBuf,
    file: PathBuf,
    pub(crate) webhooks: SocketAddr,
    admin: SocketAddr,
    // The folder goes when the site goes.
    _folder: tempfile::TempDir,
}

impl Site {
    /// Writes the site file, makes the vault's key and stores the webhook secret.
    pub(crate) fn new(bench: &Bench, sink: SocketAddr) -> Result<Self> {
        let folder = bench.folder()?;
        let (webhooks, admin) = (free_port()?, free_port()?);
        let file = folder.path().join("ml-connector.yaml");
        std::fs::write(
            &file,
            format!(
                "version: 1\nsite: bench\ndefinitions: {}\nstore: {{ path: store }}\n\
                 vault: {{ path: vault, key: {{ file: vault.key }} }}\n\
                 listen: {{ webhooks: \"{webhooks}\", admin: \"{admin}\" }}\n\
                 connections:\n  payhub: {{ connector: payhub, secrets: {{ hook: hook }} }}\n  \
                 ledgerd: {{ connector: ledgerd, settings: {{ base_url: \"http://{sink}\" }} }}\n\
                 integrations:\n  - use: payhub-ledgerd/receipts\n",
                bench.definitions().display()
            ),
        )?;
        let site = Self {
            binary: bench.binary.clone(),
            file,
            webhooks,
            admin,
            _folder: folder,
        };
        site.command(&["secrets", "init"], "")?;
        site.command(&["secrets", "set", "hook"], SECRET)?;
        Ok(site)
    }

    fn command(&self, words: &[&str], input: &str) -> Result<()> {
        let mut child = Command::new(&self.binary)
            .args(words)
            .arg("--site")
            .arg(&self.file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!(
                "`{}` failed: {}",
                words.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    /// Starts the engine and waits until it is ready; also how long that took.
    pub(crate) async fn start(&self) -> Result<(Engine, Duration)> {
        #[expect(clippy::disallowed_methods, reason = "this program measures real time")]
        let started = Instant::now();
        let log = std::fs::File::create(self.file.with_file_name("engine.log"))?;
        let child = Command::new(&self.binary)
            .args(["run", "--site"])
            .arg(&self.file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let mut engine = Engine { child };
        loop {
            if ready(self.admin) {
                return Ok((engine, started.elapsed()));
            }
            if let Some(status) = engine.child.try_wait()? {
                let log = std::fs::read_to_string(self.file.with_file_name("engine.log"))?;
                bail!("the engine ended with {status}: {log}");
            }
            if started.elapsed() > Duration::from_secs(120) {
                bail!("the engine is not ready after two minutes");
            }
            pause(2).await;
        }
    }
}

/// A running engine; killed when dropped.
#[derive(Debug)]
pub(crate) struct Engine {
    child: Child,
}

impl Engine {
    /// Its CPU, memory and bytes written so far.
    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(self.child.id())
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended already; there is nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits for real time to pass.
pub(crate) async fn pause(milliseconds: u64) {
    #[expect(
        clippy::disallowed_methods,
        reason = "this program waits for another process"
    )]
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Asks `/readyz`.
fn ready(admin: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&admin, Duration::from_millis(100)) else {
        return false;
    };
    let asked =
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let mut answer = [0_u8; 12];
    asked.is_ok()
        && stream
            .set_read_timeout(Some(Duration::from_secs(1)))
            .is_ok()
        && std::io::Read::read_exact(&mut stream, &mut answer).is_ok()
        && answer.ends_with(b" 200")
}
