//! Starts the real server on models of its own.

use std::{
    env, fs,
    io::{Error, Result},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::http::Client;

/// How long to wait for the server; only a broken one takes as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server's program, if `STYLEFORGE_TRITONSERVER` names it.
pub fn program() -> Option<PathBuf> {
    env::var_os("STYLEFORGE_TRITONSERVER").map(PathBuf::from).filter(|path| path.is_file())
}

/// The backend that was built with this test.
fn library() -> Result<PathBuf> {
    let name = "libtriton_styleforge.so";
    let own = env::current_exe()?;
    let found =
        own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        Error::other(format!("{name} is missing; build the package styleforge-triton first"))
    })
}

/// A running server, and the folder with its backend and models. Killed when dropped.
pub struct Server {
    child: Child,
    pub port: u16,
    pub folder: tempfile::TempDir,
}

/// Writes a model's configuration and an empty version, and returns the version's folder.
pub fn add_model(models: &Path, name: &str, config: Option<&str>) -> Result<PathBuf> {
    let version = models.join(name).join("1");
    fs::create_dir_all(&version)?;
    if let Some(config) = config {
        fs::write(models.join(name).join("config.pbtxt"), config)?;
    }
    Ok(version)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

impl Server {
    /// Starts the server after `add_models` has written models to a folder, and waits until they are loaded.
    pub fn start(program: &Path, add_models: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let backend = folder.path().join("backends/styleforge");
        fs::create_dir_all(&backend)?;
        fs::copy(library()?, backend.join("libtriton_styleforge.so"))?;
        let models = folder.path().join("models");
        fs::create_dir_all(&models)?;
        add_models(&models)?;
        let (port, grpc, metrics) = (free_port()?, free_port()?, free_port()?);
        let log = fs::File::create(folder.path().join("log"))?;
        let child = Command::new(program)
            .arg(format!("--backend-directory={}", folder.path().join("backends").display()))
            .arg(format!("--model-repository={}", models.display()))
            .args(["--model-control-mode=explicit", "--load-model=*", "--exit-timeout-secs=60"])
            .args([
                "--http-address=127.0.0.1",
                "--grpc-address=127.0.0.1",
                "--metrics-address=127.0.0.1",
            ])
            .args([
                format!("--http-port={port}"),
                format!("--grpc-port={grpc}"),
                format!("--metrics-port={metrics}"),
            ])
            .args(["--allow-gpu-metrics=false", "--exit-on-error=false"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut server = Self { child, port, folder };
        let begun = Instant::now();
        loop {
            if let Some(status) = server.child.try_wait()? {
                return Err(Error::other(format!(
                    "the server ended ({status}):\n{}",
                    server.log()
                )));
            }
            if server
                .client()
                .and_then(|mut client| client.get("/v2/health/ready"))
                .is_ok_and(|a| a.status == 200)
            {
                return Ok(server);
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::other(format!("the server is not ready:\n{}", server.log())));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn client(&self) -> Result<Client> {
        Client::new(self.port)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Resident memory, in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes =
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kilobytes.map(|kb| kb * 1024).ok_or_else(|| Error::other("no VmRSS"))
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) -> Result<()> {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        if sent.success() { Ok(()) } else { Err(Error::other("kill failed")) }
    }

    /// Waits until the server has ended.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::other(format!("the server does not end:\n{}", self.log())));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
