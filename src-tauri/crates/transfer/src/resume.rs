//! An upload that goes on after a restart.

use super::copy::read_back;
use super::progress::read_part;
use super::sender::Sender;
use super::upload::{at_once, end};
use super::{Replay, Sha256Sum, Uploaded};
use backstay_core::context::RunContext;
use backstay_core::destination::{Destination, Key, PartUpload, StoredPart, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_core::error::{Error, ErrorClass, Result};
use backstay_core::layout::TransferJournal;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::AsyncReadExt;

/// What is kept of an upload: all parts from the first on without a gap, and the hash after the last of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct UploadState {
    key: String,
    identity: String,
    token: String,
    /// So many parts, from the first on, were stored.
    parts: u32,
    /// What the store called each of them.
    tags: Vec<String>,
    /// The hash's state after them.
    sum: String,
    /// The whole content's hash, once the upload is being completed.
    completing: Option<String>,
}

/// Stores content as an object, in parts; goes on where an earlier call under the same `name` was cut off, even by a kill.
///
/// The store is asked what it really has; only what is missing there is sent. Content that changed meanwhile is sent anew.
/// Where it refuses to tell, all is sent anew.
/// After `Offline`, `TimedOut`, `Throttled`, `Full`, `Refused`, `Locked` or `Cancelled` what was sent is kept for the next
/// call; after any other error it is removed. Wrong content (see [`Replay::sha256`]) is `Corrupt` and never completed.
pub async fn upload_resumable(
    destination: &dyn Destination,
    key: &Key,
    source: &dyn Replay,
    journal: &dyn TransferJournal,
    name: &str,
    mode: WriteMode,
    ctx: &RunContext,
) -> Result<Uploaded> {
    let job = Job { destination, key, source, journal, name, mode, ctx };
    if source.size() == 0 {
        return job.empty().await;
    }
    let kept = job.kept()?;
    if let Some(sha256) = kept.as_ref().and_then(|state| state.completing.as_deref()) {
        // The answer to the last step was lost: is the object there?
        let there = Uploaded::recorded(source.size(), sha256);
        if read_back(destination, key, &there, ctx).await.is_ok() {
            journal.clear(name)?;
            return Ok(there);
        }
    }
    let (upload, state, stored) = job.open(kept).await?;
    let result = job.run(&upload, state, stored).await;
    match &result {
        Ok(_) => journal.clear(name)?,
        Err(error) if is_worth_keeping(error.class) => {}
        Err(_) => {
            end(&*upload).await;
            journal.clear(name)?;
        }
    }
    result
}

/// Returns the token of the upload a journal's text tells of; `None` where it tells of something else.
pub fn upload_token(kept: &str) -> Option<String> {
    serde_json::from_str::<UploadState>(kept).ok().map(|state| state.token)
}

/// Tells whether what came so far is kept after such an error: the reason may pass, and another try go on.
pub fn is_worth_keeping(class: ErrorClass) -> bool {
    use ErrorClass as E;
    matches!(class, E::Offline | E::TimedOut | E::Throttled | E::Full | E::Refused | E::Locked | E::Cancelled)
}

struct Job<'a> {
    destination: &'a dyn Destination,
    key: &'a Key,
    source: &'a dyn Replay,
    journal: &'a dyn TransferJournal,
    name: &'a str,
    mode: WriteMode,
    ctx: &'a RunContext,
}

impl Job<'_> {
    async fn empty(&self) -> Result<Uploaded> {
        let sha256 = Sha256Sum::new().finish();
        self.check_hash(&sha256)?;
        self.ctx.or_cancel(self.destination.put(self.key, Bytes::new(), self.mode)).await?;
        Ok(Uploaded::recorded(0, sha256))
    }

    /// Returns what was kept of this very upload. What cannot be read is as good as nothing.
    fn kept(&self) -> Result<Option<UploadState>> {
        let text = self.journal.load(self.name)?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Goes on with the upload that was kept, or begins one.
    async fn open(&self, kept: Option<UploadState>) -> Result<(Arc<dyn PartUpload>, UploadState, Vec<StoredPart>)> {
        let size = Some(self.source.size());
        if let Some(state) = kept {
            let same = state.key == self.key.as_str()
                && state.identity == self.source.identity()
                && Sha256Sum::restore(&state.sum).is_some();
            if same {
                match self.reopen(&state, size).await {
                    Ok((upload, stored)) => return Ok((upload, state, stored)),
                    // A key without the right to ask would be refused for ever.
                    Err(error) if error.class == ErrorClass::Refused => self.end_old(self.key, &state.token).await,
                    Err(error) if is_worth_keeping(error.class) => return Err(error),
                    // It is no more; all has to be sent.
                    Err(_) => {}
                }
            } else if let Ok(key) = Key::new(state.key) {
                // Another content's leftovers.
                self.end_old(&key, &state.token).await;
            }
        }
        let upload = self.ctx.or_cancel(self.destination.begin_upload(self.key, size)).await?;
        let state = UploadState {
            key: self.key.as_str().to_owned(),
            identity: self.source.identity(),
            token: upload.token(),
            sum: Sha256Sum::new().save(),
            ..UploadState::default()
        };
        self.save(&state)?;
        Ok((upload, state, Vec::new()))
    }

    /// Ends an upload nobody goes on with, as far as that is allowed.
    async fn end_old(&self, key: &Key, token: &str) {
        if let Ok(upload) = self.destination.resume_upload(key, None, token).await {
            end(&*upload).await;
        }
    }

    async fn reopen(&self, state: &UploadState, size: Option<u64>) -> Result<(Arc<dyn PartUpload>, Vec<StoredPart>)> {
        let work = async {
            let upload = self.destination.resume_upload(self.key, size, &state.token).await?;
            let stored = upload.stored().await?;
            Ok((upload, stored))
        };
        self.ctx.or_cancel(work).await
    }

    fn save(&self, state: &UploadState) -> Result<()> {
        let text = serde_json::to_string(state)
            .map_err(|error| Error::new(ErrorClass::Internal, "Cannot keep how far an upload came").source(error))?;
        self.journal.save(self.name, &text)
    }

    fn tried(&self) -> String {
        format!("Cannot write {} on {}", self.key, self.destination.label())
    }

    fn check_hash(&self, sha256: &str) -> Result<()> {
        match self.source.sha256() {
            Some(expected) if !expected.eq_ignore_ascii_case(sha256) => Err(Error::new(
                ErrorClass::Corrupt,
                format!("{}: what was read is not what it should be", self.tried()),
            )
            .hint("The source is damaged: verify where it lies")
            .detail(format!("SHA-256 is {sha256}, not {expected}"))),
            _ => Ok(()),
        }
    }

    async fn run(&self, upload: &Arc<dyn PartUpload>, state: UploadState, stored: Vec<StoredPart>) -> Result<Uploaded> {
        let mut run = Run { state, done: BTreeMap::new(), sums: BTreeMap::new() };
        let (sha256, parts) = self.send_missing(upload, &mut run, &stored).await?;
        self.check_hash(&sha256)?;
        run.state.completing = Some(sha256.clone());
        self.save(&run.state)?;
        self.ctx.or_cancel(upload.complete(&parts, self.mode)).await?;
        Ok(Uploaded::recorded(self.source.size(), sha256))
    }

    /// Reads on from the last part that was kept, and sends; a part before it that the store lost is sent again.
    async fn send_missing(
        &self,
        upload: &Arc<dyn PartUpload>,
        run: &mut Run,
        stored: &[StoredPart],
    ) -> Result<(String, Vec<StoredPart>)> {
        let (size, tried) = (self.source.size(), self.tried());
        let mut sender = Sender::new(Arc::clone(upload), at_once(self.destination), self.ctx);
        let mut sum = Sha256Sum::restore(&run.state.sum).unwrap_or_default();
        let kept = run.state.parts;
        let mut stream: Option<ByteStream> = None;
        let (mut number, mut offset) = (1_u32, 0_u64);
        while offset < size {
            let want = upload.part_bytes(number).clamp(1, size - offset);
            let there =
                stored.iter().find(|part| (part.number, part.offset, part.size_bytes) == (number, offset, want));
            let trusted = there.filter(|part| number <= kept && run.state.tag(number) == Some(&part.tag));
            if let Some(part) = trusted {
                run.done.insert(number, part.clone());
                self.ctx.progress.advance(0, want);
                stream = None;
            } else {
                let room = sender.room_for(want).await?;
                let mut source = match stream.take() {
                    Some(stream) => stream,
                    None => sender.during(self.source.read(offset)).await?,
                };
                let hashed = if number > kept { Some(&mut sum) } else { None };
                let part = sender.during(read_part(&mut source, room, want, hashed, &tried, self.ctx)).await?;
                if part.len() as u64 != want {
                    return Err(changed(&tried, offset + part.len() as u64));
                }
                if number > kept {
                    run.sums.insert(number, sum.save());
                }
                sender.send(number, offset, part).await?;
                stream = Some(source);
            }
            run.take(sender.arrived(), |state| self.save(state))?;
            offset += want;
            number += 1;
        }
        if let Some(mut source) = stream {
            let more = sender.during(async { source.read_u8().await.map_err(|error| Error::io(&tried, error)) });
            if more.await.is_ok() {
                return Err(changed(&tried, size + 1));
            }
        }
        sender.all().await?;
        run.take(sender.arrived(), |state| self.save(state))?;
        Ok((sum.finish(), run.done.values().cloned().collect()))
    }
}

fn changed(tried: &str, size: u64) -> Error {
    Error::new(ErrorClass::Corrupt, format!("{tried}: the source changed while it was read"))
        .detail(format!("It has {size} bytes or more"))
        .hint("Try again")
}

/// How far the upload came.
struct Run {
    state: UploadState,
    done: BTreeMap<u32, StoredPart>,
    /// The hash's state after each part that is read but not kept yet.
    sums: BTreeMap<u32, String>,
}

impl Run {
    /// Notes parts that arrived, and keeps the state once the parts without a gap are more than before.
    fn take(&mut self, arrived: Vec<StoredPart>, save: impl FnOnce(&UploadState) -> Result<()>) -> Result<()> {
        if arrived.is_empty() {
            return Ok(());
        }
        for part in arrived {
            // The store lost this one and has it anew, maybe under another name.
            if let Some(tag) = self.state.tags.get_mut(part.number as usize - 1) {
                tag.clone_from(&part.tag);
            }
            self.done.insert(part.number, part);
        }
        while let Some(part) = self.done.get(&(self.state.parts + 1)) {
            let Some(sum) = self.sums.remove(&part.number) else { break };
            self.state.parts = part.number;
            self.state.sum = sum;
            self.state.tags.push(part.tag.clone());
        }
        save(&self.state)
    }
}

impl UploadState {
    fn tag(&self, number: u32) -> Option<&String> {
        self.tags.get(number as usize - 1)
    }
}
