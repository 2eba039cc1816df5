//! The user's `~/.ssh/config`, read for the hosts one may pick from.
//!
//! No crate read both `Include` relative to the file and the tokens, so this is our own: `Host` blocks with patterns,
//! the first value wins, `Match all`; other `Match` blocks are passed over.

use backstay_core::config::{SshAuth, SshConnection, SshJump, Sudo};
use backstay_core::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Includes inside includes, at most so deep: OpenSSH's own limit.
const MAX_DEPTH: usize = 16;
/// More blocks than this are a file that includes itself.
const MAX_BLOCKS: usize = 10_000;
/// Jump hosts in a row, at most so many: a loop in the file must end.
const MAX_JUMPS: usize = 8;

/// A host of the file, ready to be picked.
#[derive(Clone, Debug, PartialEq)]
pub struct SshConfigEntry {
    /// The name after `Host`.
    pub alias: String,
    /// How it is reached.
    pub connection: SshConnection,
}

/// The options of one `Host` block, or of the top of a file, in order.
#[derive(Debug)]
struct Block {
    patterns: Vec<String>,
    options: Vec<(String, String)>,
}

/// Returns the hosts the file names outright (not by a pattern), each with all that applies to it, in file order.
///
/// An absent file names none. Errors: a file that is there and cannot be read.
pub fn ssh_config_hosts(file: &Path) -> Result<Vec<SshConfigEntry>> {
    let mut blocks = Vec::new();
    match read(file, &["*".to_owned()], 0, &mut blocks) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.map_err(|e| Error::io(format!("Cannot read {}", file.display()), e))?,
    }
    let mut seen = std::collections::HashSet::new();
    let mut entries = Vec::new();
    for alias in blocks.iter().flat_map(|block| &block.patterns) {
        if !alias.contains(['*', '?', '!']) && seen.insert(alias.clone()) {
            entries.push(SshConfigEntry { alias: alias.clone(), connection: connection(&blocks, alias) });
        }
    }
    Ok(entries)
}

fn read(file: &Path, patterns: &[String], depth: usize, blocks: &mut Vec<Block>) -> std::io::Result<()> {
    let text = std::fs::read(file)?;
    blocks.push(Block { patterns: patterns.to_vec(), options: Vec::new() });
    for line in String::from_utf8_lossy(&text).lines() {
        let Some((word, value)) = split(line) else { continue };
        match word.as_str() {
            "host" => blocks.push(Block { patterns: words(&value), options: Vec::new() }),
            // What other conditions mean is known only when connecting.
            "match" => {
                let patterns = if value.trim().eq_ignore_ascii_case("all") { vec!["*".to_owned()] } else { Vec::new() };
                blocks.push(Block { patterns, options: Vec::new() });
            }
            "include" if depth < MAX_DEPTH && blocks.len() < MAX_BLOCKS => {
                // An include inside a block holds only where the block does, and the block goes on after it.
                let inside = blocks.last().map(|block| block.patterns.clone()).unwrap_or_default();
                for pattern in words(&value) {
                    for included in included_files(file, &pattern) {
                        // A broken include is as if it were empty, as in OpenSSH.
                        let _ = read(&included, &inside, depth + 1, blocks);
                    }
                }
                blocks.push(Block { patterns: inside, options: Vec::new() });
            }
            _ => {
                if let Some(block) = blocks.last_mut() {
                    block.options.push((word, value));
                }
            }
        }
    }
    Ok(())
}

/// Splits `Word value`, `Word=value`; `None` for blank lines and comments.
fn split(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=')?;
    let value = line[end..].trim_start();
    let value = value.strip_prefix('=').unwrap_or(value).trim();
    Some((line[..end].to_lowercase(), value.to_owned()))
}

/// Splits at blanks outside double quotes.
fn words(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in value.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            c => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// Files an `Include` names: relative to the folder of the file that is read, wildcards in the last part.
fn included_files(file: &Path, pattern: &str) -> Vec<PathBuf> {
    let path = super::auth::expand_home(pattern);
    let path = if path.is_absolute() { path } else { file.parent().unwrap_or(Path::new(".")).join(path) };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !name.contains(['*', '?']) {
        return vec![path];
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|item| {
            let item = item.file_name().to_string_lossy().into_owned();
            !item.starts_with('.') && glob(&name, &item)
        })
        .map(|item| item.path())
        .collect();
    found.sort();
    found
}

/// Matches `*` and `?`, nothing else.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((star_p, star_t)) => {
                    p = star_p + 1;
                    t = star_t + 1;
                    star = Some((star_p, star_t + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Everything that applies to one name: the first value of each word.
fn options(blocks: &[Block], alias: &str) -> HashMap<String, String> {
    let mut found: HashMap<String, String> = HashMap::new();
    for block in blocks.iter().filter(|block| applies(&block.patterns, alias)) {
        for (word, value) in &block.options {
            found.entry(word.clone()).or_insert_with(|| value.clone());
        }
    }
    found
}

fn applies(patterns: &[String], alias: &str) -> bool {
    let matches = |pattern: &str| glob(pattern, alias);
    let excluded = patterns.iter().filter_map(|p| p.strip_prefix('!')).any(matches);
    !excluded && patterns.iter().filter(|p| !p.starts_with('!')).any(|p| matches(p))
}

/// A host with all but its own jumps.
struct Place {
    host: String,
    port: u16,
    user: String,
    auth: SshAuth,
    jump: Option<String>,
}

fn place(blocks: &[Block], alias: &str) -> Place {
    let options = options(blocks, alias);
    let get = |word: &str| options.get(word).map(|value| words(value).join(" ")).filter(|value| !value.is_empty());
    let host = get("hostname").map_or_else(|| alias.to_owned(), |name| name.replace("%h", alias).replace("%%", "%"));
    let port = get("port").and_then(|port| port.parse().ok()).unwrap_or(22);
    let user = get("user").unwrap_or_else(local_user);
    let auth = match get("identityfile") {
        Some(file) if !file.eq_ignore_ascii_case("none") => {
            let file = tokens(&file, &host, port, &user);
            SshAuth::KeyFile { path: super::auth::expand_home(&file).to_string_lossy().into_owned() }
        }
        _ => SshAuth::Agent,
    };
    let jump = get("proxyjump").filter(|jump| !jump.eq_ignore_ascii_case("none"));
    Place { host, port, user, auth, jump }
}

fn local_user() -> String {
    let named = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    named("USER").or_else(|| named("USERNAME")).unwrap_or_else(|| "root".to_owned())
}

fn tokens(value: &str, host: &str, port: u16, user: &str) -> String {
    let home = std::env::home_dir().map(|home| home.to_string_lossy().into_owned()).unwrap_or_default();
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('h') => out.push_str(host),
            Some('p') => out.push_str(&port.to_string()),
            Some('r') => out.push_str(user),
            Some('u') => out.push_str(&local_user()),
            Some('d') => out.push_str(&home),
            Some('%') => out.push('%'),
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

fn connection(blocks: &[Block], alias: &str) -> SshConnection {
    let target = place(blocks, alias);
    let mut jumps = Vec::new();
    if let Some(list) = &target.jump {
        add_jumps(blocks, list, 0, &mut jumps);
    }
    SshConnection {
        host: target.host,
        port: target.port,
        user: target.user,
        auth: target.auth,
        password_too: false,
        jumps,
        sudo: Sudo::None,
        fingerprint: None,
    }
}

/// Adds the jumps of a `ProxyJump` list; each may be an alias with settings of its own, and a jump before it.
fn add_jumps(blocks: &[Block], list: &str, depth: usize, jumps: &mut Vec<SshJump>) {
    for (at, item) in list.split(',').enumerate() {
        let (user, alias, port) = jump_parts(item.trim());
        let found = place(blocks, &alias);
        // Jumps that name each other in a ring must end too.
        if at == 0
            && depth + 1 < MAX_JUMPS
            && let Some(before) = &found.jump
        {
            add_jumps(blocks, before, depth + 1, jumps);
        }
        if jumps.len() >= MAX_JUMPS {
            return;
        }
        jumps.push(SshJump {
            host: found.host,
            port: port.unwrap_or(found.port),
            user: user.unwrap_or(found.user),
            auth: Some(found.auth),
            fingerprint: None,
        });
    }
}

/// Splits `[ssh://][user@]host[:port]`; an IPv6 address stands in brackets.
fn jump_parts(item: &str) -> (Option<String>, String, Option<u16>) {
    let item = item.strip_prefix("ssh://").unwrap_or(item).trim_end_matches('/');
    let (user, place) = match item.rsplit_once('@') {
        Some((user, place)) => (Some(user.to_owned()), place),
        None => (None, item),
    };
    if let Some((host, rest)) = place.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        return (user, host.to_owned(), rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match place.split_once(':') {
        Some((host, port)) if !port.contains(':') => (user, host.to_owned(), port.parse().ok()),
        _ => (user, place.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn hosts(files: &[(&str, &str)]) -> Vec<SshConfigEntry> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = dir.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        ssh_config_hosts(&dir.path().join("config")).unwrap()
    }

    #[test]
    fn first_value_wins_and_patterns_give_defaults() {
        let found = hosts(&[(
            "config",
            "# mine\nHost web web2\n  HostName %h.example.com\n\tPort=2222\nUser deploy\n\nHost !web2 web*\n Port 99\n\
             IdentityFile /keys/%r@%h-%p%%\nHost *\n User nobody\n IdentityFile none\n",
        )]);
        assert_eq!(found.iter().map(|e| e.alias.as_str()).collect::<Vec<_>>(), ["web", "web2"]);
        let web = &found[0].connection;
        assert_eq!((web.host.as_str(), web.port, web.user.as_str()), ("web.example.com", 2222, "deploy"));
        assert_eq!(web.auth, SshAuth::KeyFile { path: "/keys/deploy@web.example.com-2222%".into() });
        assert_eq!(found[1].connection.auth, SshAuth::Agent);
    }

    #[test]
    fn jumps_take_their_own_settings() {
        let found = hosts(&[(
            "config",
            "Host db\n ProxyJump inner\nHost inner\n HostName 10.0.0.2\n User in\n ProxyJump me@outer:2200,[::1]:23\n\
             Host outer\n HostName out.example.com\n IdentityFile \"/my keys/out\"\n",
        )]);
        let jumps = &found[0].connection.jumps;
        let text: Vec<_> = jumps.iter().map(|j| format!("{}@{}:{}", j.user, j.host, j.port)).collect();
        assert_eq!(text[0], "me@out.example.com:2200");
        assert!(text[1].ends_with("@::1:23"));
        assert_eq!(text[2], "in@10.0.0.2:22");
        assert_eq!(jumps[0].auth, Some(SshAuth::KeyFile { path: "/my keys/out".into() }));
    }

    #[test]
    fn includes_are_relative_and_loops_end() {
        let found = hosts(&[
            ("config", "Include conf.d/*.conf config\nHost last\n"),
            ("conf.d/a.conf", "Host a\n User x\n"),
            ("conf.d/b.conf", "Host b\nProxyJump b\n"),
            ("conf.d/.hidden.conf", "Host hidden\n"),
        ]);
        let aliases: Vec<_> = found.iter().map(|e| e.alias.as_str()).collect();
        assert_eq!(aliases, ["a", "b", "last"]);
        assert!(found[1].connection.jumps.len() <= MAX_JUMPS);
    }

    #[test]
    fn rings_of_jumps_end() {
        let found = hosts(&[("config", "Host a\nProxyJump b\nHost b\nProxyJump c\nHost c\nProxyJump b\n")]);
        assert!(found.iter().all(|e| e.connection.jumps.len() <= MAX_JUMPS));
    }

    #[test]
    fn odd_files_are_read_as_far_as_they_go() {
        let found =
            hosts(&[("config", "Port\nHost\nMatch user x exec \"true\"\n User evil\nHost ok\n Port notaport\n")]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].connection.port, 22);
        assert_ne!(found[0].connection.user, "evil");
        assert!(ssh_config_hosts(Path::new("/nonexistent/config")).unwrap().is_empty());
    }

    #[test]
    fn globs() {
        for (pattern, text, yes) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a?c", "ac", false),
            ("*.lab", "x.lab", true),
            ("a*b*c", "axbx", false),
        ] {
            assert_eq!(glob(pattern, text), yes, "{pattern} {text}");
        }
    }
}
