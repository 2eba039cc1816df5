//! Putting a database in place: whole beside the old one first, then exchanged by a command of its own.

use super::WHOLE;
use crate::dump::{Edges, tool_error};
use crate::load::Load;
use backstay_core::entry::{ByteStream, Entry};
use backstay_core::host::{Command, Host, SharedHost, run};
use backstay_core::{RawPath, Result, RunContext};

/// Makes an empty file beside `$1` that nobody else can open, and prints its name.
const BESIDE: &str = r#"umask 077; mkdir -p -- "$(dirname -- "$1")" && mktemp "$1.backstay-XXXXXX""#;

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

/// Gives `$2` the owner and mode of the `$1` that is there (or mode `$3`, owner `$4`), and puts it in its place. What
/// SQLite keeps beside the old one goes aside first, or it would be applied to the new one; it comes back when the old
/// one stays, which may lack what was written last without it. A connection that is lost meanwhile does not end this.
const EXCHANGE: &str = r#"trap '' HUP INT TERM PIPE
[ -f "$2" ] || { echo 'the new file is gone' >&2; exit 70; }
[ ! -d "$1" ] || { echo 'Is a directory' >&2; exit 75; }
m=$(stat -Lc %a "$1" 2>/dev/null) || m=$3; o=$(stat -Lc %u:%g "$1" 2>/dev/null) || o=$4
chmod "$m" "$2" || exit 75; chown "$o" "$2" 2>/dev/null
back() { for e in -wal -shm -journal; do [ ! -e "$2-old$e" ] || mv -f "$2-old$e" "$1$e"; done; exit 75; }
for e in -wal -shm -journal; do [ ! -e "$1$e" ] || mv -f "$1$e" "$2-old$e" || back "$@"; done
mv -f "$2" "$1" || back "$@"
rm -f "$2-old-wal" "$2-old-shm" "$2-old-journal"; sync"#;

/// Puts one database in place. Returns its length. On an error, what was there before is there as it was, and a connection
/// lost on the way leaves at most the file beside it; one lost during the exchange leaves the new database in place.
pub(super) async fn put(
    ctx: &RunContext,
    host: &SharedHost,
    entry: &Entry,
    target: &RawPath,
    content: ByteStream,
) -> Result<u64> {
    let subject = target.to_text();
    let tried = format!("Cannot restore {subject} on {}", host.label());
    // Not ended by a cancel: what it makes would stay behind, its name unknown.
    let beside = ctx.while_it_runs(make_beside(host.as_ref(), target, &tried)).await?;
    let load = Load { subject: &subject, tool: "sqlite3", before: Vec::new(), whole: WHOLE };
    let command = Command::sh(PUT, [&beside[..], entry.size_bytes.to_string().as_bytes()]).packable();
    let loaded = ctx.or_cancel(load.run(ctx, host.as_ref(), command, content, Edges::default())).await;
    let done = match loaded {
        Ok((bytes, _)) => {
            let (mode, owner) = (format!("{:o}", entry.mode), format!("{}:{}", entry.uid, entry.gid));
            let args = [target.as_bytes(), &beside[..], mode.as_bytes(), owner.as_bytes()];
            let exchange = exchange(host.clone(), Command::sh(EXCHANGE, args), tried.clone());
            ctx.unbroken(&tried, exchange).await.map(|()| bytes)
        }
        Err(error) => Err(error),
    };
    if done.is_err() {
        // After a lost connection too: the next command may find a new one.
        let _ = ctx.while_it_runs(run(host.as_ref(), Command::new("rm").arg("-f").arg(&beside), b"")).await;
    }
    done
}

/// Makes the file to write into. Returns its name.
async fn make_beside(host: &dyn Host, target: &RawPath, tried: &str) -> Result<Vec<u8>> {
    let output = run(host, Command::sh(BESIDE, [target.as_bytes()]), b"").await?;
    match output.stdout.strip_suffix(b"\n") {
        Some(name) if output.status.success() && name.starts_with(target.as_bytes()) => Ok(name.to_vec()),
        _ => Err(tool_error(tried, "mktemp", &output.status.to_string(), &output.stderr)),
    }
}

async fn exchange(host: SharedHost, command: Command, tried: String) -> Result<()> {
    let output = run(host.as_ref(), command, b"").await?;
    if output.status.success() {
        return Ok(());
    }
    Err(tool_error(&tried, "mv", &output.status.to_string(), &output.stderr))
}
