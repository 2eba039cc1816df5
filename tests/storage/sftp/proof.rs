//! What was written is proved by a hash that the server computes itself, where the account runs commands.

use super::between::{Told, between};
use super::*;
use backstay_core::destination::Proof;
use backstay_core::{Result, RunContext};
use backstay_transfer::{Sha256Sum, Uploaded, confirm, upload_stream};

/// Stores an object, lets the test do something to its file, and says what the proof comes to.
async fn proof_of(nas: &dyn Destination, name: &str, spoil: impl FnOnce()) -> Result<Proof> {
    let content = noise(3, 5 * MIB);
    nas.put(&key(name), content.clone(), WriteMode::CreateNew).await.unwrap();
    spoil();
    let written = Uploaded::recorded(content.len() as u64, Sha256Sum::of(&content));
    confirm(nas, &key(name), &written, &RunContext::silent()).await
}

fn flip(file: PathBuf) {
    let mut content = std::fs::read(&file).unwrap();
    content[4 * MIB] ^= 1;
    std::fs::write(file, content).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_hashes_itself_where_it_runs_commands() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    // Names that a shell or a program could take for something else.
    for folder in ["plain", "-r", "a b'c\"d$(id)", user.home.join("whole").to_str().unwrap()] {
        let nas = open(&server.connection(&user), folder).await;
        assert_eq!(proof_of(&*nas, "deep/-k", || {}).await.unwrap(), Proof::HashedThere, "{folder}");
        let error = proof_of(&*nas, "spoilt", || flip(user.home.join(folder).join("spoilt"))).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Corrupt, "{folder}: {error}");
        assert_eq!(nas.sha256_there(&key("absent")).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_a_shell_is_read_back() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let nas = open(&server.connection(&user), "b").await;
    assert_eq!(proof_of(&*nas, "k", || {}).await.unwrap(), Proof::ReadBack);
    let error = proof_of(&*nas, "spoilt", || flip(user.home.join("b/spoilt"))).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Corrupt, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_lost_while_the_server_hashes_is_an_error_and_not_a_no() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let (proxy, connection) = behind_proxy(&server, &user).await;
    let nas = open(&connection, "b").await;
    nas.put(&key("k"), noise(3, MIB), WriteMode::CreateNew).await.unwrap();
    assert!(nas.sha256_there(&key("k")).await.unwrap().is_some());
    // A pipe nobody writes to takes for ever to hash.
    let pipe = user.home.join("b/pipe");
    assert!(Command::new("mkfifo").arg("-m").arg("666").arg(&pipe).status().unwrap().success());
    let name = key("pipe");
    let hashing = nas.sha256_there(&name);
    let cut = async {
        let writer = tokio::task::spawn_blocking(move || std::fs::OpenOptions::new().write(true).open(pipe));
        // Opened once the server's command reads it.
        let writer = writer.await.unwrap().unwrap();
        proxy.cut_now();
        writer
    };
    let (hashed, _writer) = tokio::join!(hashing, cut);
    assert_eq!(hashed.unwrap_err().class, ErrorClass::Offline);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_is_hashed_while_it_arrives() {
    let Some(server) = Sshd::start() else { return };
    follows(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_python_hashes_what_arrives_by_other_means() {
    let tools = tempfile::tempdir().unwrap();
    std::fs::set_permissions(tools.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for tool in ["sh", "dd", "openssl"] {
        std::os::unix::fs::symlink(Path::new("/usr/bin").join(tool), tools.path().join(tool)).unwrap();
    }
    let extra = format!("SetEnv PATH={}\n", tools.path().display());
    let Some(server) = Sshd::start_with(&SshdOptions { extra, ..SshdOptions::default() }) else { return };
    follows(&server).await;
}

async fn follows(server: &Sshd) {
    let user = server.add_user(SudoRight::None);
    let told = Arc::new(Told::default());
    let files = between(source(&server.connection(&user), 4), &told);
    let place = SftpPlace { via: SftpVia::Own(server.connection(&user)), path: "b -c$d".into() };
    let nas = Sftp::open("nas", &place, files, Arc::new(FreeTraffic)).await.unwrap();
    let ctx = RunContext::silent();
    let asked = || told.asked.load(Ordering::SeqCst);
    let proved = async |name: &str, written: &Uploaded| confirm(&nas, &key(name), written, &ctx).await;

    // Three parts, the last one short; the name changes before the hash is asked for.
    let content = noise(5, 40 * MIB + 123);
    let stream = Box::new(std::io::Cursor::new(content.to_vec()));
    let written = upload_stream(&nas, &key("k"), stream, None, WriteMode::CreateNew, &ctx).await.unwrap();
    assert_eq!(proved("k", &written).await.unwrap(), Proof::HashedThere);
    assert_eq!(asked(), 0);
    // Asked again, it is hashed as it lies there.
    flip(user.home.join("b -c$d/k"));
    assert_eq!(proved("k", &written).await.unwrap_err().class, ErrorClass::Corrupt);
    assert_eq!(asked(), 1);

    // Out of order, gone on with by another process, and a part that comes twice.
    let part = |number: usize| content.slice((number - 1) * 16 * MIB..content.len().min(number * 16 * MIB));
    for (name, twice, times) in [("resumed", false, 1), ("twice", true, 2)] {
        let begun = nas.begin_upload(&key(name), None).await.unwrap();
        begun.put_part(2, 16 * MIB as u64, part(2)).await.unwrap();
        let upload = nas.resume_upload(&key(name), None, &begun.token()).await.unwrap();
        assert_eq!(upload.stored().await.unwrap().len(), 1);
        upload.put_part(1, 0, part(1)).await.unwrap();
        if twice {
            upload.put_part(1, 0, part(1)).await.unwrap();
        }
        upload.put_part(3, 32 * MIB as u64, part(3)).await.unwrap();
        upload.complete(&upload.stored().await.unwrap(), WriteMode::CreateNew).await.unwrap();
        let recorded = Uploaded::recorded(written.size, written.sha256.as_str());
        assert_eq!(proved(name, &recorded).await.unwrap(), Proof::HashedThere, "{name}");
        assert_eq!(asked(), times, "{name}");
    }
    // What was followed and then replaced is not told of what is there now.
    let stream = Box::new(std::io::Cursor::new(content.to_vec()));
    upload_stream(&nas, &key("k"), stream, None, WriteMode::Replace, &ctx).await.unwrap();
    nas.put(&key("k"), noise(6, 5 * MIB), WriteMode::Replace).await.unwrap();
    assert_eq!(nas.sha256_there(&key("k")).await.unwrap(), Some(Sha256Sum::of(&noise(6, 5 * MIB))));
}
