//! Secrets: the sealed file and its faults, a real keyring unlocked, locked and absent; and a real notification.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "secrets/safe.rs"]
mod safe;
#[path = "secrets/sealed.rs"]
mod sealed;

use backstay_core::ErrorClass;
use backstay_core::secret::{Secret, SecretName, SecretStore};
use backstay_platform::secrets::{Backend, Keyring, Secrets, State};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

fn name(text: &str) -> SecretName {
    SecretName(text.to_owned())
}

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

fn without_keyring(home: &Path) -> Secrets {
    Secrets::open_with(home, Keyring::forbidden())
}

fn class<T>(result: backstay_core::Result<T>) -> ErrorClass {
    result.err().expect("an error").class
}

const PASSPHRASE: &str = "correct horse bättery staple";

#[test]
fn a_keyring_that_was_locked_can_be_tried_again() {
    let (temp, safe) = (tempfile::tempdir().unwrap(), Arc::new(safe::Safe::default()));
    let open = || Secrets::open_with(temp.path(), Keyring::with_store(safe.clone()));
    safe.lock(true);
    let never = open();
    assert_eq!((never.status().state, never.status().keyring_used), (State::KeyringClosed, false));
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0, "one that never opened leaves nothing behind");

    safe.lock(false);
    let first = open();
    first.set(&name("vault"), &secret("key")).unwrap();
    safe.lock(true);
    let later = open();
    let status = later.status();
    assert_eq!((status.backend, status.state, status.keyring_used), (Backend::Keyring, State::KeyringClosed, true));
    assert_eq!(status.reason.as_deref(), Some("The keyring is locked and was not unlocked"));
    assert_eq!(class(later.get(&name("vault"))), ErrorClass::Locked);
    assert_eq!(class(later.try_keyring()), ErrorClass::Locked);
    safe.lock(false);
    assert_eq!(class(later.get(&name("vault"))), ErrorClass::Locked, "no prompt before the user asks for one");
    later.try_keyring().unwrap();
    assert_eq!((later.status().backend, later.status().state), (Backend::Keyring, State::Ready));
    assert_eq!(later.get(&name("vault")).unwrap(), Some(secret("key")));
}

#[test]
fn what_a_sealed_file_lacks_is_looked_up_in_the_keyring_before_it() {
    let (temp, safe) = (tempfile::tempdir().unwrap(), Arc::new(safe::Safe::default()));
    let open = || Secrets::open_with(temp.path(), Keyring::with_store(safe.clone()));
    let first = open();
    for key in ["vault", "server", "gone"] {
        first.set(&name(key), &secret("from the keyring")).unwrap();
    }
    safe.lock(true);
    let secrets = open();
    secrets.create_file(&secret(PASSPHRASE)).unwrap();
    assert_eq!((secrets.status().state, secrets.status().keyring_used), (State::Ready, true));
    let error = secrets.get(&name("vault")).unwrap_err();
    assert_eq!(error.class, ErrorClass::Missing);
    let text = "it is not in the sealed file, and the keyring used before it cannot be asked: the keyring is locked";
    assert!(error.message.contains(text), "{error}");
    secrets.set(&name("server"), &secret("given anew")).unwrap();
    assert_eq!(secrets.get(&name("server")).unwrap(), Some(secret("given anew")));

    safe.lock(false);
    secrets.try_keyring().unwrap();
    assert_eq!(secrets.get(&name("vault")).unwrap(), Some(secret("from the keyring")));
    assert_eq!(secrets.get(&name("server")).unwrap(), Some(secret("given anew")), "the file goes first");
    assert_eq!(secrets.get(&name("never")).unwrap(), None);
    secrets.delete(&name("gone")).unwrap();
    assert_eq!(secrets.get(&name("gone")).unwrap(), None, "what was removed does not come back");
    // A home that never had a keyring is told plainly that nothing is there.
    let plain = tempfile::tempdir().unwrap();
    let secrets = without_keyring(plain.path());
    secrets.create_file(&secret(PASSPHRASE)).unwrap();
    assert_eq!((secrets.get(&name("vault")).unwrap(), secrets.status().keyring_used), (None, false));
}

/// Runs one test of this file again, alone, as a child of `wrapper`; `None`, saying so, where a program is missing.
fn child(wrapper: &[&str], test: &str, environment: &[(&str, &Path)]) -> Option<Output> {
    let me = std::env::current_exe().unwrap();
    let mut arguments: Vec<&str> = wrapper.to_vec();
    arguments.extend([me.to_str().unwrap(), test, "--exact", "--nocapture", "--test-threads=1"]);
    let mut command = Command::new(arguments[0]);
    command.args(&arguments[1..]).env_remove("DBUS_SESSION_BUS_ADDRESS").env_remove("DISPLAY");
    command.env_remove("WAYLAND_DISPLAY").env_remove("BACKSTAY_NO_KEYRING").stdin(Stdio::null());
    for (key, value) in environment {
        command.env(key, value);
    }
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: {} is not installed", arguments[0]);
            None
        }
        Err(error) => panic!("{}: {error}", arguments[0]),
    }
}

fn installed(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for program in programs {
        if !std::env::split_paths(&path).any(|folder| folder.join(program).exists()) {
            eprintln!("skipped: {program} is not installed");
            return false;
        }
    }
    true
}

fn passed(output: &Output) {
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && out.contains("1 passed"), "{out}{}", String::from_utf8_lossy(&output.stderr));
}

struct Session {
    temp: tempfile::TempDir,
}

impl Session {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        for folder in ["data", "runtime", "home"] {
            std::fs::create_dir(temp.path().join(folder)).unwrap();
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(temp.path().join("runtime"), private).unwrap();
        }
        Self { temp }
    }

    fn run(&self, wrapper: &[&str], test: &str, mode: &str) -> Option<Output> {
        let path = |name: &str| self.temp.path().join(name);
        let (data, runtime, home, mode) = (path("data"), path("runtime"), path("home"), PathBuf::from(mode));
        child(
            wrapper,
            test,
            &[
                ("XDG_DATA_HOME", &data),
                ("XDG_RUNTIME_DIR", &runtime),
                ("HOME", &home),
                ("BACKSTAY_TEST_MODE", &mode),
                ("BACKSTAY_TEST_HOME", self.temp.path()),
            ],
        )
    }
}

/// Only does something when it was started by a test below.
#[test]
fn in_a_session() {
    let Ok(mode) = std::env::var("BACKSTAY_TEST_MODE") else { return };
    let home = PathBuf::from(std::env::var_os("BACKSTAY_TEST_HOME").unwrap());
    match mode.as_str() {
        "works" => keyring_works(&home),
        "locked" => keyring_fails(&home, State::KeyringClosed, "The keyring is locked and was not unlocked"),
        "absent" => keyring_fails(&home, State::NotSetUp, "No keyring runs in this session"),
        "notify" => shows_a_notification(),
        other => panic!("{other}"),
    }
}

fn keyring_works(temp: &Path) {
    let (first, second) = (Secrets::open(&temp.join("a")), Secrets::open(&temp.join("b")));
    let status = first.status();
    assert_eq!((status.backend, status.state, status.reason), (Backend::Keyring, State::Ready, None));
    first.set(&name("server/1/password"), &secret("pässwörd \u{1f511}")).unwrap();
    first.set(&name("server/1/password"), &secret("new pässwörd \u{1f511}")).unwrap();
    assert_eq!(second.get(&name("server/1/password")).unwrap(), None, "two homes do not mix");
    second.set(&name("server/1/password"), &secret("other")).unwrap();
    // A later start of the first.
    let first = Secrets::open(&temp.join("a"));
    assert_eq!(first.get(&name("server/1/password")).unwrap(), Some(secret("new pässwörd \u{1f511}")));
    first.delete(&name("server/1/password")).unwrap();
    first.delete(&name("server/1/password")).unwrap();
    assert_eq!(first.get(&name("server/1/password")).unwrap(), None);
    assert_eq!(second.get(&name("server/1/password")).unwrap(), Some(secret("other")));
    // An async worker may not block, but it must not bring the process down either.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let second = runtime.block_on(async { Secrets::open(&temp.join("b")).get(&name("server/1/password")) });
    assert_eq!(second.unwrap(), Some(secret("other")));
    // A sealed file takes over from the keyring as soon as it is made.
    first.create_file(&secret("p")).unwrap();
    first.set(&name("x"), &secret("in the file")).unwrap();
    assert_eq!(first.status().backend, Backend::File);
    assert_eq!(first.get(&name("x")).unwrap(), Some(secret("in the file")));
}

fn keyring_fails(home: &Path, state: State, reason: &str) {
    let secrets = Secrets::open(&home.join("a"));
    let status = secrets.status();
    assert_eq!((status.backend, status.state, status.keyring_used), (Backend::None, state, false));
    assert_eq!(status.reason.as_deref(), Some(reason));
    assert_eq!(class(secrets.set(&name("a"), &secret("x"))), ErrorClass::Locked);
    secrets.create_file(&secret("p")).unwrap();
    secrets.set(&name("a"), &secret("x")).unwrap();
    assert_eq!(secrets.status().backend, Backend::File);
}

#[cfg(target_os = "linux")]
#[test]
fn lab_a_real_keyring_keeps_secrets() {
    if !installed(&["dbus-run-session", "bash", "gnome-keyring-daemon"]) {
        return;
    }
    let script = "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec \"$0\" \"$@\"";
    let output = Session::new().run(&["dbus-run-session", "--", "bash", "-c", script], "in_a_session", "works");
    if let Some(output) = output {
        passed(&output);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn lab_a_locked_keyring_leads_to_the_sealed_file() {
    if !installed(&["dbus-run-session", "bash", "gnome-keyring-daemon"]) {
        return;
    }
    let script = "gnome-keyring-daemon --start --components=secrets >/dev/null && exec \"$0\" \"$@\"";
    let output = Session::new().run(&["dbus-run-session", "--", "bash", "-c", script], "in_a_session", "locked");
    if let Some(output) = output {
        passed(&output);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn lab_no_bus_leads_to_the_sealed_file() {
    let output =
        Session::new().run(&["env", "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent/bus"], "in_a_session", "absent");
    if let Some(output) = output {
        passed(&output);
    }
}

fn shows_a_notification() {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    // The daemon needs a moment to take its name on the bus.
    while let Err(error) = backstay_platform::notify::notify("web nightly is done", "/srv/<b>a & b</b>: 3 problems") {
        assert_eq!(error.class, ErrorClass::Unsupported);
        assert!(std::time::Instant::now() < deadline, "{error:?}");
        std::thread::yield_now();
    }
}

/// A bus that starts no services by itself, so that a test decides what runs on it.
const BARE_BUS: &str = "<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy>
</busconfig>";

/// Starts a display of its own and dunst, runs the given command, and waits until dunst printed what it shows.
const WITH_DUNST: &str = r#"
cd "$BACKSTAY_TEST_HOME"
Xvfb -displayfd 3 -screen 0 640x480x24 -nolisten tcp 3>display 2>/dev/null & xvfb=$!
for i in $(seq 300); do [ -s display ] && break; sleep 0.1; done
DISPLAY=:$(cat display) stdbuf -oL dunst -print >dunst.txt 2>/dev/null & dunst=$!
"$0" "$@"; result=$?
for i in $(seq 300); do grep -q problems dunst.txt && break; sleep 0.1; done
kill $dunst $xvfb
exit $result"#;

#[cfg(target_os = "linux")]
#[test]
fn lab_a_bus_without_a_keyring_leads_to_the_sealed_file() {
    if !installed(&["dbus-run-session"]) {
        return;
    }
    let session = Session::new();
    let config = session.temp.path().join("bus.conf");
    std::fs::write(&config, BARE_BUS).unwrap();
    let wrapper = ["dbus-run-session", "--config-file", config.to_str().unwrap(), "--"];
    if let Some(output) = session.run(&wrapper, "in_a_session", "absent") {
        passed(&output);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn lab_a_real_notification_is_shown() {
    if !installed(&["Xvfb", "dbus-run-session", "bash", "dunst", "stdbuf"]) {
        return;
    }
    let session = Session::new();
    let config = session.temp.path().join("bus.conf");
    std::fs::write(&config, BARE_BUS).unwrap();
    let wrapper = ["dbus-run-session", "--config-file", config.to_str().unwrap(), "--", "bash", "-c", WITH_DUNST];
    let Some(output) = session.run(&wrapper, "in_a_session", "notify") else { return };
    passed(&output);
    let shown = std::fs::read_to_string(session.temp.path().join("dunst.txt")).unwrap();
    assert!(shown.contains("Backstay") && shown.contains("web nightly is done"), "{shown}");
    assert!(shown.contains("&lt;b&gt;a &amp; b&lt;/b&gt;: 3 problems"), "markup is shown as it is: {shown}");
}

#[test]
fn without_a_desktop_a_notification_says_so() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let Ok(mode) = std::env::var("BACKSTAY_TEST_NO_DESKTOP") else {
        let wrapper = ["env", "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent/bus", "BACKSTAY_TEST_NO_DESKTOP=1"];
        passed(&child(&wrapper, "without_a_desktop_a_notification_says_so", &[]).unwrap());
        return;
    };
    assert_eq!(mode, "1");
    let error = backstay_platform::notify::notify("title", "body").unwrap_err();
    assert_eq!(error.class, ErrorClass::Unsupported);
}

#[cfg(target_os = "linux")]
#[test]
fn core_dumps_are_off() {
    if std::env::var_os("BACKSTAY_TEST_HARDEN").is_none() {
        passed(&child(&["env", "BACKSTAY_TEST_HARDEN=1"], "core_dumps_are_off", &[]).unwrap());
        return;
    }
    backstay_platform::harden();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(line.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{line}");
}
