//! The names of owners. `find` could print them, but looks each one up anew for every file: in the user database of the
//! server's disk that is most of a listing's time, and in one across the network far more.

use backstay_core::Result;
use backstay_core::entry::Entry;
use backstay_core::host::{self, Command, Host};
use std::collections::{BTreeSet, HashMap};

/// Standard input has the users' ids on one line and the groups' on the next. Where there is no `getent` (see getent(1)),
/// the files it would read are read.
const SCRIPT: &str = r#"read -r users; read -r groups
if command -v getent >/dev/null 2>&1; then
printf '%s\n' "$users" | xargs getent passwd; printf '\036\n'; printf '%s\n' "$groups" | xargs getent group
else cat /etc/passwd; printf '\036\n'; cat /etc/group; fi; exit 0"#;

/// Gives entries listed by number the names of their owners, as far as the server knows them.
pub(super) async fn name(host: &dyn Host, entries: impl Iterator<Item = &mut Entry>) -> Result<()> {
    let entries: Vec<&mut Entry> = entries.collect();
    if entries.is_empty() {
        return Ok(());
    }
    let users: BTreeSet<u32> = entries.iter().map(|entry| entry.uid).collect();
    let groups: BTreeSet<u32> = entries.iter().map(|entry| entry.gid).collect();
    let input = format!("{}\n{}\n", line(&users), line(&groups));
    let no_args: [&str; 0] = [];
    let output = host::run(host, Command::sh(SCRIPT, no_args), input.as_bytes()).await?;
    let text = output.text();
    let (users, groups) = text.split_once('\u{1e}').unwrap_or((&text, ""));
    let (users, groups) = (parse(users), parse(groups));
    for entry in entries {
        entry.user = users.get(&entry.uid).map(|name| (*name).to_owned());
        entry.group = groups.get(&entry.gid).map(|name| (*name).to_owned());
    }
    Ok(())
}

fn line(ids: &BTreeSet<u32>) -> String {
    ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

/// Reads lines of passwd(5) or group(5): both begin with the name, a password and the number. The first of a number
/// counts, as it does for the server's own programs.
fn parse(text: &str) -> HashMap<u32, &str> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(id)) = (fields.next(), fields.nth(1).and_then(|id| id.parse().ok()))
            && !name.is_empty()
        {
            names.entry(id).or_insert(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_number_counts() {
        let names = parse("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\n\nnobody:*:65534:\nbroken\n+::::::\n:x:7:\n");
        assert_eq!(names, HashMap::from([(0, "root"), (65534, "nobody")]));
    }
}
