//! S3 servers that are not ours: moto (Python, an emulator with versions, locks, lifecycle and cold classes) and Garage
//! (a real distributed engine). Both are used where they are to be had, and named where they are not.

use backstay_core::config::{DestinationLogin, S3Place};
use backstay_core::secret::Secret;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const READY_LIMIT: Duration = Duration::from_secs(30);

/// The folder for tools that tests build or fetch once, outside the repository.
fn tools() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(cache.join("backstay").join("tools"))
}

fn free_port() -> Option<u16> {
    std::net::TcpListener::bind(("127.0.0.1", 0)).ok()?.local_addr().ok().map(|address| address.port())
}

struct Server {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts a program and waits until its port answers.
    fn start(mut command: Command, port: u16, folder: TempDir) -> Result<Self, String> {
        let log = std::fs::File::create(folder.path().join("log")).map_err(|error| error.to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start {:?}: {error}", command.get_program()))?;
        let mut server = Self { child, port, _folder: folder };
        let until = Instant::now() + READY_LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Ok(Some(status)) = server.child.try_wait() {
                let log = std::fs::read_to_string(server._folder.path().join("log")).unwrap_or_default();
                return Err(format!("{:?} ended with {status}: {log}", command.get_program()));
            }
            if Instant::now() > until {
                return Err(format!("{:?} does not answer", command.get_program()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

/// moto's server. It takes any key and any signature; what it knows of versions, locks and classes is what counts.
pub struct Moto {
    server: Server,
}

impl Moto {
    /// Starts it, or prints why there is none and returns `None`. The first start on a machine fetches it from PyPI.
    pub fn start() -> Option<Self> {
        let program = match moto_program() {
            Ok(program) => program,
            Err(why) => {
                println!("skipped: {why}");
                return None;
            }
        };
        // Another process may take the free port between looking and binding: look again.
        let mut last = String::new();
        for _ in 0..3 {
            match Self::try_start(&program) {
                Ok(moto) => return Some(moto),
                Err(why) => last = why,
            }
        }
        panic!("cannot start moto: {last}");
    }

    fn try_start(program: &Path) -> Result<Self, String> {
        let port = free_port().ok_or("no free port")?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        Ok(Self { server: Server::start(command, port, folder)? })
    }

    /// Returns a bucket there as a place; the bucket must be made first.
    pub fn place(&self, bucket: &str) -> S3Place {
        S3Place {
            provider: "generic".into(),
            endpoint: format!("http://127.0.0.1:{}", self.server.port),
            region: "us-east-1".into(),
            bucket: bucket.into(),
            access_key: "moto".into(),
            path_style: true,
            conditional_writes: true,
            ..S3Place::default()
        }
    }

    /// Makes bringing archives back from cold classes take so long, from the first look after they were asked for; by
    /// itself moto has them at once. What was asked for before an archive is so old is taken up only then.
    pub fn thaw_takes(&self, time: Duration) {
        let transition = format!("{{\"progression\": \"time\", \"seconds\": {}}}", time.as_secs());
        let body = format!("{{\"model_name\": \"s3::keyrestore\", \"transition\": {transition}}}");
        let request = format!(
            "POST /moto-api/state-manager/set-transition HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut socket = TcpStream::connect(("127.0.0.1", self.server.port)).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.split(' ').nth(1) == Some("201"), "{answer}");
    }

    /// Returns what logs in there.
    pub fn login(&self) -> DestinationLogin {
        DestinationLogin { secret: Some(Secret::new("moto-secret")), ..DestinationLogin::default() }
    }
}

/// Returns moto's program, fetched into a Python environment of its own the first time. Never two at the same time.
fn moto_program() -> Result<PathBuf, String> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().map_err(|error| error.to_string())?;
    let folder = tools().ok_or("there is no home folder for tools")?.join("moto-5");
    let (program, done) = (folder.join("bin").join("moto_server"), folder.join("complete"));
    if done.exists() && program.exists() {
        return Ok(program);
    }
    // Other test programs may be at it too: each makes its own, the first to be done wins.
    let own = folder.with_extension(std::process::id().to_string());
    let _ = std::fs::remove_dir_all(&own);
    std::fs::create_dir_all(own.parent().unwrap_or(Path::new("/"))).map_err(|error| error.to_string())?;
    run(Command::new("python3").args(["-m", "venv"]).arg(&own))?;
    run(Command::new(own.join("bin/python")).args(["-m", "pip", "install", "-q", "moto[server,s3]>=5.1,<6"]))?;
    std::fs::write(own.join("complete"), "").map_err(|error| error.to_string())?;
    // Its programs name the folder they were made in, so that it stays where it is and a link shows the way.
    #[cfg(unix)]
    if std::os::unix::fs::symlink(&own, &folder).is_err() && !done.exists() {
        return Err(format!("{} is in the way", folder.display()));
    }
    Ok(own.join("bin").join("moto_server"))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot start {:?}: {error}", command.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("{:?} failed: {}", command.get_program(), text.lines().last().unwrap_or_default()))
}

/// A Garage node. Built once by `scripts/`, for the slow tests.
pub struct Garage {
    server: Server,
    access_key: String,
    secret_key: String,
}

impl Garage {
    /// Starts it, or prints why not and returns `None`.
    pub fn start() -> Option<Self> {
        match Self::try_start() {
            Ok(garage) => Some(garage),
            Err(why) => {
                println!("skipped: {why}");
                None
            }
        }
    }

    fn try_start() -> Result<Self, String> {
        let program = tools().ok_or("there is no home folder for tools")?.join("garage");
        if !program.exists() {
            return Err(format!("there is no {} (npm run test:extended builds it)", program.display()));
        }
        let (port, rpc, admin) = (free_port(), free_port(), free_port());
        let (Some(port), Some(rpc), Some(admin)) = (port, rpc, admin) else { return Err("no free port".into()) };
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = folder.path().display();
        let hex = |length: usize| -> String {
            (0..length).map(|_| char::from(b"0123456789abcdef"[rand::random_range(0..16)])).collect()
        };
        let config = format!(
            "metadata_dir = \"{path}/meta\"\ndata_dir = \"{path}/data\"\ndb_engine = \"sqlite\"\n\
             replication_factor = 1\nmetadata_fsync = false\nrpc_bind_addr = \"127.0.0.1:{rpc}\"\n\
             rpc_public_addr = \"127.0.0.1:{rpc}\"\nrpc_secret = \"{}\"\n[s3_api]\ns3_region = \"garage\"\n\
             api_bind_addr = \"127.0.0.1:{port}\"\nroot_domain = \".s3.garage\"\n[admin]\n\
             api_bind_addr = \"127.0.0.1:{admin}\"\nadmin_token = \"{}\"\n",
            hex(64),
            hex(64)
        );
        let file = folder.path().join("garage.toml");
        std::fs::write(&file, config).map_err(|error| error.to_string())?;
        let (access_key, secret_key) = (format!("GK{}", hex(24)), hex(64));
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(&file)
            .args(["server", "--single-node", "--default-bucket"])
            .env("GARAGE_DEFAULT_ACCESS_KEY", &access_key)
            .env("GARAGE_DEFAULT_SECRET_KEY", &secret_key)
            .env("GARAGE_DEFAULT_BUCKET", "lab");
        Ok(Self { server: Server::start(command, port, folder)?, access_key, secret_key })
    }

    /// Returns its bucket as a place.
    pub fn place(&self) -> S3Place {
        S3Place {
            provider: "minio".into(),
            endpoint: format!("http://127.0.0.1:{}", self.server.port),
            region: "garage".into(),
            bucket: "lab".into(),
            access_key: self.access_key.clone(),
            path_style: true,
            checks_md5: true,
            ..S3Place::default()
        }
    }

    /// Returns what logs in there.
    pub fn login(&self) -> DestinationLogin {
        DestinationLogin { secret: Some(Secret::new(self.secret_key.clone())), ..DestinationLogin::default() }
    }
}
