//! The one command a destination has for a server, where it may run one: hashing a file that lies there, or grows there.

use super::source::{CHANNEL_LIMIT, Opener};
use crate::argv;
use crate::ssh::link::Link;
use crate::ssh::process::process;
use async_trait::async_trait;
use backstay_core::host::Process;
use backstay_core::remote::GrowingHash;
use backstay_core::{Error, ErrorClass, RawPath, Result};
use russh::ChannelMsg;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// OpenSSL uses what the processor has for it; the others are there where it is not. With `-r` the hash comes first.
const HASH: &str = "openssl dgst -sha256 -r \"$1\" 2>/dev/null || sha256sum \"$1\" 2>/dev/null || shasum -a 256 \"$1\"";
/// Each line of its input says how many blocks more lie there for good; the last may be cut short by the file's end. The
/// file is opened once: it may get another name before all of it is hashed. Python, where it is there, reads the file by
/// itself; through a pipe the same takes the server more than twice the work. Not on a Mac: its own `python3` may be no
/// more than an offer, on the screen, to install one.
const FOLLOW: &str = "exec 3<\"$1\" || exit 1; \
     [ \"$(uname)\" != Darwin ] && command -v python3 >/dev/null 2>&1 && exec python3 -I -S -c \"$2\"; \
     while read -r n; do dd bs=1048576 count=$n <&3 2>/dev/null || exit 1; done \
     | { openssl dgst -sha256 -r 2>/dev/null || sha256sum 2>/dev/null || shasum -a 256; }";
/// The same in Python; the file is its descriptor 3.
const FOLLOW_PYTHON: &str = "
import hashlib, sys
sum = hashlib.sha256()
with open(3, 'rb', 0) as file:
    for line in sys.stdin:
        left = int(line) << 20
        while left > 0:
            block = file.read(min(left, 1 << 18))
            if not block:
                break
            sum.update(block)
            left -= len(block)
print(sum.hexdigest())
";
const BLOCK: u64 = 1 << 20;
/// Fewer blocks are not worth starting dd for.
const BLOCKS_AT_ONCE: u64 = 32;
const HASH_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// How long hashing nothing may take, before the account counts as one without commands.
const TRY_LIMIT: Duration = Duration::from_secs(20);
/// More than this is nothing a hash would be found in.
const SAID_LIMIT: u64 = 64 << 10;

impl Opener {
    /// Hashes a file by a command of the server; see [`backstay_core::remote::RemoteFiles::sha256`].
    pub async fn sha256(&self, path: &RawPath) -> Result<Option<String>> {
        if !self.can_hash().await? {
            return Ok(None);
        }
        self.hash(&named(path)).await
    }

    /// Hashes a file as it grows; see [`backstay_core::remote::RemoteFiles::follow_sha256`].
    pub async fn follow_sha256(&self, path: &RawPath) -> Result<Option<Box<dyn GrowingHash>>> {
        if !self.can_hash().await? {
            return Ok(None);
        }
        let link = self.link().await?;
        let [sh, c, text, name, path] = script(FOLLOW, &named(path));
        let line = argv::shell_line(&[sh, c, text, name, path, FOLLOW_PYTHON.into()])?;
        let process = start(&link, &line).await;
        // Beside the four channels that carry content there is room for one that only says a line now and then.
        self.give_back(&link).await;
        let Some(process) = process else { return Ok(None) };
        let tried = format!("Cannot hash a file on {}", self.label());
        Ok(Some(Box::new(Following { process, link, tried, blocks: 0 })))
    }

    async fn can_hash(&self) -> Result<bool> {
        let can = self.hashes.get_or_try_init(|| async {
            let tried = tokio::time::timeout(TRY_LIMIT, self.hash(b"/dev/null")).await;
            Ok::<_, Error>(tried.unwrap_or(Ok(None))?.is_some_and(|hash| hash == HASH_OF_NOTHING))
        });
        can.await.copied()
    }

    async fn hash(&self, path: &[u8]) -> Result<Option<String>> {
        let link = self.link().await?;
        let hash = match start(&link, &argv::shell_line(&script(HASH, path))?).await {
            Some(mut process) => {
                // What runs in place of the command may wait for input.
                let _ = process.stdin.shutdown().await;
                said_by(process).await
            }
            None => None,
        };
        self.give_back(&link).await;
        match hash {
            // A channel or a command that is not granted is only an account without commands.
            None if link.handle.is_closed() => {
                let text = format!("Cannot hash a file on {}: {}", self.label(), link.lost.text());
                Err(Error::new(ErrorClass::Offline, text))
            }
            hash => Ok(hash),
        }
    }
}

/// A name must not look like an option.
fn named(path: &RawPath) -> Vec<u8> {
    if path.is_absolute() { path.as_bytes().to_vec() } else { [b"./", path.as_bytes()].concat() }
}

fn script(text: &str, path: &[u8]) -> [Vec<u8>; 5] {
    [b"sh".as_slice(), b"-c", text.as_bytes(), b"sh", path].map(<[u8]>::to_vec)
}

/// Starts a command; `None` where the server grants no channel or no command.
async fn start(link: &Arc<Link>, line: &[u8]) -> Option<Process> {
    let mut channel = tokio::time::timeout(CHANNEL_LIMIT, link.handle.channel_open_session()).await.ok()?.ok()?;
    channel.exec(true, line).await.ok()?;
    loop {
        match tokio::time::timeout(CHANNEL_LIMIT, channel.wait()).await.ok()?? {
            ChannelMsg::Success => break,
            ChannelMsg::Failure | ChannelMsg::Close => return None,
            _ => {}
        }
    }
    Some(process(channel, link.clone(), "hash a file".to_owned()))
}

/// Returns the hash a command prints, `None` where it prints none.
async fn said_by(mut process: Process) -> Option<String> {
    let mut said = Vec::new();
    (&mut process.stdout).take(SAID_LIMIT).read_to_end(&mut said).await.ok()?;
    // A talkative shell may say more before it.
    let lines = said.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line.get(..64)?).ok());
    let mut hashes = lines.filter(|word| word.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hashes.next_back().map(str::to_ascii_lowercase)
}

/// A command that follows a file.
struct Following {
    process: Process,
    link: Arc<Link>,
    tried: String,
    /// Blocks it was told of.
    blocks: u64,
}

impl Following {
    async fn tell(&mut self, blocks: u64) -> Result<()> {
        let line = format!("{}\n", blocks - self.blocks);
        self.blocks = blocks;
        let told = async {
            self.process.stdin.write_all(line.as_bytes()).await?;
            self.process.stdin.flush().await
        };
        told.await.map_err(|error| Error::io(&self.tried, error))
    }
}

#[async_trait]
impl GrowingHash for Following {
    async fn grown_to(&mut self, bytes: u64) -> Result<()> {
        let blocks = bytes / BLOCK;
        if blocks < self.blocks + BLOCKS_AT_ONCE { Ok(()) } else { self.tell(blocks).await }
    }

    async fn finish(mut self: Box<Self>, bytes: u64) -> Result<Option<String>> {
        let blocks = bytes.div_ceil(BLOCK);
        if blocks > self.blocks {
            self.tell(blocks).await?;
        }
        let _ = self.process.stdin.shutdown().await;
        let Self { process, link, tried, .. } = *self;
        match said_by(process).await {
            None if link.handle.is_closed() => {
                Err(Error::new(ErrorClass::Offline, format!("{tried}: {}", link.lost.text())))
            }
            hash => Ok(hash),
        }
    }
}
