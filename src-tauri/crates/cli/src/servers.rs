//! `backstay server …`

use crate::ask;
use crate::common::{Session, absolute, path_text};
use crate::hints;
use crate::options::{ReachArgs, ServerAddArgs, ServerChangeArgs, ServerVerb};
use crate::output::{self, Exit, cells, time_or_never};
use backstay_contract::{ConnectionTest, HostKeyView, JumpDraft, ServerDraft};
use backstay_core::{Error, ErrorClass, Result};
use backstay_engine::{count_text, size_text};

/// Runs one of the verbs about servers.
pub async fn run(session: &Session, verb: ServerVerb) -> Result<Exit> {
    match verb {
        ServerVerb::Add(args) => add(session, &args).await,
        ServerVerb::Change(args) => change(session, &args).await,
        ServerVerb::List => list(session).await,
        ServerVerb::Show { name } => show(session, &name).await,
        ServerVerb::Test { name } => {
            let draft = session.backstay.server(&session.server(&name).await?.id).await?.draft;
            let test = session.backstay.test_server(draft).await?;
            if session.json {
                output::object(&test)?
            } else {
                print_test(&test)?
            }
            Ok(if test.ok { Exit::Done } else { Exit::Failed })
        }
        ServerVerb::Discover { name } => discover(session, &name).await,
        ServerVerb::Browse { name, path } => browse(session, &name, path.as_deref().unwrap_or("/")).await,
        ServerVerb::Remove { name } => {
            session.backstay.remove_server(&session.server(&name).await?.id).await?;
            if session.json {
                output::object(&serde_json::json!({ "removed": name }))?
            } else {
                output::text(&format!("Removed the server {name}; its backups stay"))?
            }
            Ok(Exit::Done)
        }
    }
}

async fn add(session: &Session, args: &ServerAddArgs) -> Result<Exit> {
    let mut draft = new_draft(&args.name, args.local);
    apply(&args.reach, &mut draft)?;
    keep(session, &args.reach, draft, args.no_test).await
}

async fn change(session: &Session, args: &ServerChangeArgs) -> Result<Exit> {
    if args.reach == ReachArgs::default() && !(args.no_jump || args.no_sudo || args.no_test) {
        return Err(Error::new(ErrorClass::Invalid, format!("Nothing to change of {} was named", args.name))
            .hint("See: backstay server change --help; to log in only: backstay server test"));
    }
    let mut draft = session.backstay.server(&session.server(&args.name).await?.id).await?.draft;
    if args.no_jump {
        draft.jumps.clear();
    }
    if args.no_sudo {
        draft.sudo = "none".into();
    }
    if draft.local && (args.reach.ssh.is_some() || !args.reach.jump.is_empty()) {
        return Err(Error::new(
            ErrorClass::Invalid,
            format!("Cannot reach {} over SSH: it is this computer", args.name),
        )
        .hint("Add a server instead: backstay server add"));
    }
    apply(&args.reach, &mut draft)?;
    keep(session, &args.reach, draft, args.no_test).await
}

/// Checks the host keys on the way, logs in, and stores the server.
async fn keep(session: &Session, reach: &ReachArgs, mut draft: ServerDraft, no_test: bool) -> Result<Exit> {
    let done = if draft.id.is_some() { "Changed" } else { "Added" };
    if !draft.local {
        accept_keys(session, reach, &mut draft).await?;
    }
    if !no_test {
        let test = session.backstay.test_server(draft.clone()).await?;
        if !test.ok {
            if !session.json {
                print_test(&test)?;
            }
            let failed = test.steps.iter().find(|step| step.state == "failed");
            let error = Error::new(
                ErrorClass::Refused,
                failed.map_or_else(|| format!("Cannot use {}", draft.name), |step| step.text.clone()),
            );
            let hint = failed.and_then(|step| step.hint.clone());
            return Err(match hint {
                Some(hint) => error.hint(hint),
                None => error.hint("Add --no-test to keep it all the same"),
            });
        }
    }
    let row = session.backstay.save_server(draft).await?;
    if session.json {
        output::object(&row)?;
    } else {
        output::text(&format!("{done} {} ({})", row.name, row.address))?;
    }
    Ok(Exit::Done)
}

/// Returns a server nothing is known of yet.
pub fn new_draft(name: &str, local: bool) -> ServerDraft {
    ServerDraft { name: name.into(), local, port: 22, sudo: "none".into(), ..ServerDraft::default() }
}

/// Brings what was named into a server; what was not stays. Secrets come from standard input.
pub fn apply(args: &ReachArgs, draft: &mut ServerDraft) -> Result<()> {
    if let Some(text) = &args.ssh {
        let (user, host, port) = address(text)?;
        if (&host, port) != (&draft.host, draft.port) {
            // It belongs to the address before.
            draft.fingerprint = None;
        }
        (draft.user, draft.host, draft.port) = (user, host, port);
    }
    if args.agent {
        draft.auth = "agent".into();
    }
    if let Some(key) = &args.key {
        draft.auth = "key".into();
        draft.key_file = Some(path_text(&absolute(key)?)?);
    }
    if args.password_stdin {
        draft.auth = "password".into();
        draft.password = Some(ask::secret("the password")?);
    }
    if args.key_passphrase_stdin {
        draft.key_passphrase = Some(ask::secret("the key's passphrase")?);
    }
    if args.second_password_stdin {
        draft.password_too = true;
        draft.password = Some(ask::secret("the password asked for besides the key")?);
    }
    if args.no_second_password {
        draft.password_too = false;
    }
    if args.sudo_password_stdin {
        draft.sudo_password = Some(ask::secret("the sudo password")?);
    }
    if args.sudo {
        let asks = args.sudo_password_stdin || args.sudo_same_password;
        draft.sudo = if asks { "with_password" } else { "without_password" }.into();
    }
    if !args.jump.is_empty() {
        draft.jumps = args.jump.iter().map(|text| jump(text, &draft.jumps)).collect::<Result<_>>()?;
    }
    log_in_of_jumps(args, &mut draft.jumps)?;
    if let Some(fingerprint) = &args.fingerprint {
        draft.fingerprint = Some(fingerprint.clone());
    }
    no_more_than(draft.jumps.len(), args.jump_fingerprint.len(), "--jump-fingerprint")?;
    for (jump, fingerprint) in draft.jumps.iter_mut().zip(&args.jump_fingerprint) {
        jump.fingerprint = Some(fingerprint.clone());
    }
    Ok(())
}

/// Brings what was named into how the jump hosts log in.
fn log_in_of_jumps(args: &ReachArgs, jumps: &mut [JumpDraft]) -> Result<()> {
    no_more_than(jumps.len(), args.jump_key.len(), "--jump-key")?;
    if args.jump_password_stdin && jumps.is_empty() {
        return no_more_than(0, 1, "--jump-password-stdin");
    }
    for (jump, key) in jumps.iter_mut().zip(&args.jump_key) {
        jump.auth = "key".into();
        jump.key_file = Some(path_text(&absolute(key)?)?);
        if args.jump_key_passphrase_stdin {
            jump.key_passphrase = Some(ask::secret(&format!("the passphrase of the key of {}", jump.host))?);
        }
    }
    if args.jump_password_stdin {
        for jump in jumps {
            jump.auth = "password".into();
            jump.password = Some(ask::secret(&format!("the password of {}", jump.host))?);
        }
    }
    Ok(())
}

fn no_more_than(jumps: usize, given: usize, option: &str) -> Result<()> {
    if given <= jumps {
        return Ok(());
    }
    Err(Error::new(
        ErrorClass::Invalid,
        format!("Cannot use {given} {option}: the server has {}", count_text(jumps as u64, "jump host", "jump hosts")),
    )
    .hint("Give one for each jump host, in their order"))
}

/// Reads a jump host; what was known of it stays.
fn jump(text: &str, known: &[JumpDraft]) -> Result<JumpDraft> {
    let (user, host, port) = address(text)?;
    let before = known.iter().find(|jump| (&jump.host, jump.port) == (&host, port)).cloned();
    Ok(match before {
        Some(before) => JumpDraft { user, ..before },
        None => JumpDraft { host, port, user, auth: "same".into(), ..JumpDraft::default() },
    })
}

/// Reads `USER@HOST[:PORT]`; an IPv6 address stands in brackets.
fn address(text: &str) -> Result<(String, String, u16)> {
    let wrong = || {
        Error::new(ErrorClass::Invalid, format!("Cannot use the address {text}"))
            .hint("Write it as USER@HOST or USER@HOST:PORT")
    };
    let (user, place) = text.rsplit_once('@').ok_or_else(wrong)?;
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, "22"),
        Some((host, port)) => (host, port.strip_prefix(':').ok_or_else(wrong)?),
        None => place.rsplit_once(':').unwrap_or((place, "22")),
    };
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    if user.is_empty() || host.is_empty() {
        return Err(wrong());
    }
    Ok((user.into(), host.into(), port))
}

/// Looks at the host keys on the way, and accepts what the user allowed to accept.
pub async fn accept_keys(session: &Session, args: &ReachArgs, draft: &mut ServerDraft) -> Result<()> {
    // One hop more is seen after each that is accepted.
    for _ in 0..=draft.jumps.len() {
        let keys = session.backstay.probe_host_key(draft.clone(), None).await?.keys;
        let mut accepted = false;
        for (at, key) in keys.iter().enumerate() {
            match key.state.as_str() {
                "pinned" | "known_hosts" => {}
                "unknown" if args.trust_first_use => {
                    if !session.json {
                        eprintln!("Accepted the host key of {}: {} {}", key.host, key.algorithm, key.fingerprint);
                    }
                    accepted = true;
                }
                _ => return Err(refused(&keys[..=at], draft.jumps.len())),
            }
            let place = match draft.jumps.get_mut(at) {
                Some(jump) => &mut jump.fingerprint,
                None => &mut draft.fingerprint,
            };
            *place = Some(key.fingerprint.clone());
        }
        if !accepted || keys.len() > draft.jumps.len() {
            return Ok(());
        }
    }
    Ok(())
}

/// Says why the last of these keys stops everything, and which options accept it once it was compared.
fn refused(keys: &[HostKeyView], jumps: usize) -> Error {
    let Some((key, before)) = keys.split_last() else {
        return Error::new(ErrorClass::HostKeyUnknown, "No host key was shown");
    };
    let option = if before.len() < jumps {
        // They go by the order of the jump hosts: those before are named too.
        keys.iter().map(|key| format!("--jump-fingerprint {}", key.fingerprint)).collect::<Vec<_>>().join(" ")
    } else {
        format!("--fingerprint {}", key.fingerprint)
    };
    match key.state.as_str() {
        "changed" => {
            let expected = key.expected.as_deref().unwrap_or("another");
            let revoked = !expected.starts_with("SHA256:");
            Error::new(
                ErrorClass::HostKeyChanged,
                format!(
                    "The host key of {} is not the expected one: expected {expected}, got {}",
                    key.host, key.fingerprint
                ),
            )
            .hint(if revoked {
                "Find out why before you go on: a revoked key is never accepted".to_owned()
            } else {
                format!(
                    "Find out why before you go on: the server was set up anew, or someone is in between. If the new key \
                     is the one shown on the server itself, add {option}"
                )
            })
        }
        _ => Error::new(
            ErrorClass::HostKeyUnknown,
            format!("The host key of {} is not known: {} {}", key.host, key.algorithm, key.fingerprint),
        )
        .hint(format!("Compare it on the server, then add {option} (or --trust-first-use)")),
    }
}

async fn list(session: &Session) -> Result<Exit> {
    let rows = session.backstay.servers().await?;
    if session.json {
        output::object(&rows)?;
        return Ok(Exit::Done);
    }
    let mut lines = vec![cells(["NAME", "ADDRESS", "PLANS", "LAST BACKUP", "STATE"])];
    for row in &rows {
        let last = time_or_never(row.last_backup);
        lines.push(cells([&row.name, &row.address, &row.plans.to_string(), &last, &row.state_text]));
    }
    output::table(&lines)?;
    Ok(Exit::Done)
}

async fn show(session: &Session, name: &str) -> Result<Exit> {
    let server = session.backstay.server(&session.server(name).await?.id).await?;
    if session.json {
        output::object(&server)?;
        return Ok(Exit::Done);
    }
    let row = &server.row;
    let fingerprint = server.fingerprint.as_deref().unwrap_or("none");
    output::table(&[
        cells(["Name", &row.name]),
        cells(["Reached", &server.route]),
        cells(["Host key", fingerprint]),
        cells(["System", row.os.as_deref().unwrap_or("not looked at yet")]),
        cells(["Plans", &row.plans.to_string()]),
        cells(["Last backup", &time_or_never(row.last_backup)]),
        cells(["State", &row.state_text]),
    ])?;
    Ok(Exit::Done)
}

async fn discover(session: &Session, name: &str) -> Result<Exit> {
    let draft = session.backstay.server(&session.server(name).await?.id).await?.draft;
    let facts = session.backstay.discover_server(draft).await?;
    if session.json {
        output::object(&facts)?;
        return Ok(Exit::Done);
    }
    output::text(&format!("{}, {}, as {}", facts.os, facts.kernel, facts.user))?;
    for space in &facts.space {
        let (free, total) = (size_text(space.free_bytes), size_text(space.total_bytes));
        output::text(&format!("  {}: {free} of {total} free", space.path))?;
    }
    for tool in &facts.tools {
        output::text(&format!("  {}: {}", tool.name, tool.text))?;
    }
    for folder in &facts.folders {
        output::text(&format!("  {} {}", folder.path, folder.bytes.map(size_text).unwrap_or_default()))?;
    }
    for found in &facts.found {
        output::text(&format!("  found {}: {} {}", found.kind, found.title, found.note))?;
    }
    Ok(Exit::Done)
}

async fn browse(session: &Session, name: &str, path: &str) -> Result<Exit> {
    let listing = session.backstay.browse_server(&session.server(name).await?.id, path).await?;
    if session.json {
        output::object(&listing)?;
        return Ok(Exit::Done);
    }
    for entry in &listing.entries {
        let mark = if entry.kind == "dir" { "/" } else { "" };
        output::text(&format!("{}{mark}", entry.name))?;
    }
    Ok(Exit::Done)
}

fn print_test(test: &ConnectionTest) -> Result<()> {
    for step in &test.steps {
        output::text(&format!("{:<7} {}: {}", step.state, step.title, step.text))?;
        if let Some(hint) = &step.hint {
            output::text(&format!("        {}", hints::in_verbs(hint)))?;
        }
    }
    if let Some(line) = &test.sudoers {
        output::text(&format!("        A line for /etc/sudoers.d: {line}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses() {
        let read = |text| address(text).unwrap();
        assert_eq!(read("root@web"), ("root".into(), "web".into(), 22));
        assert_eq!(read("me@10.0.0.5:2222"), ("me".into(), "10.0.0.5".into(), 2222));
        assert_eq!(read("me@[fe80::1]:23"), ("me".into(), "fe80::1".into(), 23));
        assert_eq!(read("a@b@host"), ("a@b".into(), "host".into(), 22));
        for bad in ["web", "@web", "me@", "me@web:x", "me@web:0", "me@[::1]22"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
