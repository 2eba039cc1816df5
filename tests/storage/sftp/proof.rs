//! What was written is proved by a hash that the server computes itself, where the account runs commands.

use super::*;
use backstay_core::RunContext;
use backstay_core::destination::Proof;
use backstay_transfer::{Sha256Sum, Uploaded, confirm};

/// Stores an object, lets the test do something to its file, and says what the proof comes to.
async fn proof_of(nas: &dyn Destination, name: &str, spoil: impl FnOnce()) -> backstay_core::Result<Proof> {
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
