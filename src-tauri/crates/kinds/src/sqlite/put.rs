//! Putting a database in place: whole beside the old one first, then exchanged by a command of its own.

use super::{WHOLE, link};
use crate::dump::{Edges, first_line, tool_error};
use crate::load::Load;
use backstay_core::entry::{ByteStream, Entry};
use backstay_core::host::{Command, Host, SharedHost, run};
use backstay_core::{RawPath, Result, RunContext};

/// Makes an empty file beside `$1` that nobody else can open, and prints its name. Where its folder is missing, those made
/// can be passed by all, and the nearest belongs to the database's owner `$2`, by number `$3`: SQLite writes beside it.
const BESIDE: &str = r#"umask 022; d=$(dirname -- "$1")
[ -d "$d" ] || { mkdir -p -- "$d" || exit 75; chown -h -- "$2" "$d" 2>/dev/null || chown -h -- "$3" "$d"; }
umask 077; mktemp "$1.backstay-XXXXXX""#;

/// Writes standard input into `$1`, which is there, and checks it: `$2` bytes, and a whole database. Bytes are counted
/// because a connection that breaks off ends the input as if it were whole, and SQLite takes an empty file for a whole
/// database. What does not pass is removed.
const PUT: &str = r#"trap 'rm -f -- "$1" "$1-wal" "$1-shm" "$1-journal"' EXIT; trap 'exit 71' HUP INT TERM PIPE
[ -f "$1" ] || exit 70
cat >"$1" || exit 72
n=$(wc -c <"$1") && [ "$n" -eq "$2" ] || { echo "$n of $2 bytes arrived" >&2; exit 72; }
r=$(sqlite3 -bail "$1" 'pragma integrity_check(10)' 2>&1)
[ "$r" = ok ] || { echo "integrity check: $r" >&2; exit 73; }
rm -f -- "$1-wal" "$1-shm" "$1-journal"; sync; trap - EXIT"#;

/// Gives `$2` the owner and mode of the `$1` that is there (or mode `$3`, owner `$4`, by number `$5`), says which owner could
/// not be set, and puts it in its place. What SQLite keeps beside the old one goes aside first, or it would be applied to
/// the new one; it comes back when the old one stays, which may lack what was written last without it. A connection that
/// is lost meanwhile does not end this.
const EXCHANGE: &str = r#"trap '' HUP INT TERM PIPE
[ -f "$2" ] || { echo 'the new file is gone' >&2; exit 70; }
[ ! -d "$1" ] || { echo 'Is a directory' >&2; exit 75; }
m=$(stat -Lc %a "$1" 2>/dev/null) || m=$3
o=$(stat -Lc %u:%g "$1" 2>/dev/null) && n=$o || { o=$4; n=$5; }
chown -- "$o" "$2" 2>/dev/null || chown -- "$n" "$2"; chmod "$m" "$2" || exit 75
back() { for e in -wal -shm -journal; do [ ! -e "$2-old$e" ] || mv -f "$2-old$e" "$1$e"; done; exit 75; }
for e in -wal -shm -journal; do [ ! -e "$1$e" ] || mv -f "$1$e" "$2-old$e" || back "$@"; done
mv -f "$2" "$1" || back "$@"
rm -f "$2-old-wal" "$2-old-shm" "$2-old-journal"; sync"#;

/// Puts one database in place; where a link stands, where it leads. Returns its length, and what is to be said though it
/// worked. On an error, what was there before is there as it was, and a connection lost on the way leaves at most the file
/// beside it; one lost during the exchange leaves the new database in place.
pub(super) async fn put(
    ctx: &RunContext,
    host: &SharedHost,
    entry: &Entry,
    target: &RawPath,
    content: ByteStream,
) -> Result<(u64, Option<String>)> {
    let subject = target.to_text();
    let tried = format!("Cannot restore {subject} on {}", host.label());
    let target = &ctx.or_cancel(link::target(host.as_ref(), target)).await?;
    let numbered = format!("{}:{}", entry.uid, entry.gid);
    let owner = |name: &Option<String>, id: u32| name.clone().unwrap_or_else(|| id.to_string());
    let named = format!("{}:{}", owner(&entry.user, entry.uid), owner(&entry.group, entry.gid));
    // Not ended by a cancel: what it makes would stay behind, its name unknown.
    let made = make_beside(host.as_ref(), [target.as_bytes(), named.as_bytes(), numbered.as_bytes()], &tried);
    let (beside, folder) = ctx.while_it_runs(made).await?;
    let load = Load { subject: &subject, tool: "sqlite3", before: Vec::new(), whole: WHOLE };
    let command = Command::sh(PUT, [&beside[..], entry.size_bytes.to_string().as_bytes()]).packable();
    let loaded = ctx.or_cancel(load.run(ctx, host.as_ref(), command, content, Edges::default())).await;
    let done = match loaded {
        Ok((bytes, _)) => {
            let mode = format!("{:o}", entry.mode);
            let args = [target.as_bytes(), &beside[..], mode.as_bytes(), named.as_bytes(), numbered.as_bytes()];
            let exchange = exchange(host.clone(), Command::sh(EXCHANGE, args), tried.clone());
            ctx.unbroken(&tried, exchange).await.map(|file| (bytes, not_given(folder, file)))
        }
        Err(error) => Err(error),
    };
    if done.is_err() {
        // After a lost connection too: the next command may find a new one.
        let _ = ctx.while_it_runs(run(host.as_ref(), Command::new("rm").arg("-f").arg(&beside), b"")).await;
    }
    done
}

/// Says whose owner could not be set.
fn not_given(folder: Option<String>, file: Option<String>) -> Option<String> {
    let why = file.or(folder)?;
    Some(format!(
        "It is restored, but its owner or that of its folder could not be set ({why}). Look whether its program can use it"
    ))
}

/// Makes the file to write into. Returns its name, and why the owner of its folder could not be set.
async fn make_beside(host: &dyn Host, args: [&[u8]; 3], tried: &str) -> Result<(Vec<u8>, Option<String>)> {
    let output = run(host, Command::sh(BESIDE, args), b"").await?;
    match output.stdout.strip_suffix(b"\n") {
        Some(name) if output.status.success() && name.starts_with(args[0]) => {
            Ok((name.to_vec(), first_line(&output.stderr).map(str::to_owned)))
        }
        _ => Err(tool_error(tried, "mktemp", &output.status.to_string(), &output.stderr)),
    }
}

/// Puts the file in place. Returns why its owner could not be set.
async fn exchange(host: SharedHost, command: Command, tried: String) -> Result<Option<String>> {
    let output = run(host.as_ref(), command, b"").await?;
    if output.status.success() {
        return Ok(first_line(&output.stderr).map(str::to_owned));
    }
    Err(tool_error(&tried, "mv", &output.status.to_string(), &output.stderr))
}
