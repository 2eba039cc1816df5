//! The folder itself: is it there, and the calls that are passed on to the files beside this one.

use super::pool::{Lease, Pool, Waits};
use super::tls::{Connector, Versions, trust_of};
use super::{errors, greet, parts};
use crate::asides::Tidy;
use crate::server_names;
use crate::tls::CertificateSeen;
use async_trait::async_trait;
use backstay_core::config::{DestinationLogin, FtpPlace, FtpTls};
use backstay_core::destination::{
    Destination, DestinationCapabilities, Key, ObjectInfo, PartUpload, Swept, Traffic, WriteMode,
};
use backstay_core::entry::ByteStream;
use backstay_core::host::Space;
use backstay_core::{Error, ErrorClass, Result, Secret};
use bytes::Bytes;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use suppaftp::FtpError;

/// A folder of an FTP server as a destination.
///
/// The folder is made by the first `put`: below the log-in folder with all on the way, elsewhere only if the one above
/// it exists. Once it was seen it is never made again: a folder that vanishes is `Offline`.
///
/// FTP has no way to create a name only if it is free: for `CreateNew` the name is looked at first. `Replace` is a
/// rename, which Unix servers do atomically; where a server refuses it, the old object is moved aside for a moment.
pub struct Ftp {
    pub(super) folder: Arc<Folder>,
}

/// What all calls share.
pub(super) struct Folder {
    pub(super) label: String,
    /// The folder's absolute path, without a slash at its end; empty is the root.
    pub(super) root: String,
    /// What was made or seen already.
    made: Mutex<HashSet<String>>,
    pub(super) tidy: Tidy,
    pub(super) traffic: Arc<dyn Traffic>,
    pub(super) pool: Arc<Pool>,
    /// The path as the user gave it, and whether it counts from the log-in folder.
    place: (String, bool),
    seen: AtomicBool,
}

/// Asks a server for its certificate, without logging in. Errors are those of reaching it; a certificate that nobody
/// vouches for is a result here.
pub async fn probe_certificate(place: &FtpPlace) -> Result<CertificateSeen> {
    let tried = format!("Cannot look at the certificate of {}", place.host);
    if place.tls == FtpTls::None {
        return Err(Error::new(ErrorClass::Invalid, format!("{tried}: TLS is switched off for it")));
    }
    // Judged by the authorities alone, whatever was pinned.
    let connector = Connector::new(&trust_of(None).await?, Versions::All)?;
    match greet::greet(place, &connector, &tried).await {
        Ok(_) => {}
        Err(_) if connector.seen().is_some() => {}
        Err(error) => return Err(error),
    }
    connector.seen().ok_or_else(|| Error::new(ErrorClass::Unsupported, format!("{tried}: it showed none")))
}

impl Ftp {
    /// Opens a folder; it need not exist yet. Connects, logs in and makes a data connection, so that what is wrong with
    /// any of them shows here.
    pub async fn open(
        label: &str,
        place: &FtpPlace,
        login: &DestinationLogin,
        traffic: Arc<dyn Traffic>,
    ) -> Result<Self> {
        Self::open_with(label, place, login, traffic, Waits::default()).await
    }

    /// Like [`Ftp::open`], for a server that is more or less patient than most.
    pub async fn open_with(
        label: &str,
        place: &FtpPlace,
        login: &DestinationLogin,
        traffic: Arc<dyn Traffic>,
        waits: Waits,
    ) -> Result<Self> {
        let path = server_names::folder(label, &place.path)?;
        let text = std::str::from_utf8(path.as_bytes()).unwrap_or_default().to_owned();
        if text.chars().chain(place.user.chars()).any(char::is_control) {
            let text = format!("Cannot use {label}: folder and user must not hold control characters");
            return Err(Error::new(ErrorClass::Invalid, text));
        }
        let at = if place.path.is_empty() { place.host.clone() } else { format!("{}:{}", place.host, place.path) };
        let label = format!("{label} ({at})");
        let tried = format!("Cannot open {label}");
        let trust = trust_of(place.pinned_certificate.as_deref()).await?;
        let password = login.secret.clone().unwrap_or_else(|| Secret::new(""));
        let pool = Pool::new(place.clone(), password, trust, waits);
        let home = try_data(&pool, &tried).await?;
        let relative = !path.is_absolute();
        let root = match relative {
            true => format!("{}/{text}", home.trim_end_matches('/')),
            false => text,
        };
        let folder = Folder {
            label,
            root: root.trim_end_matches('/').to_owned(),
            made: Mutex::default(),
            tidy: Tidy::default(),
            traffic,
            pool,
            place: (place.path.clone(), relative),
            seen: AtomicBool::new(false),
        };
        let mut lease = folder.pool.take(&tried).await?;
        folder.is_there(&mut lease, &tried).await?;
        lease.done();
        Ok(Self { folder: Arc::new(folder) })
    }
}

/// Makes a data connection by listing the log-in folder, so that a server that takes none is named here. Returns the
/// log-in folder.
async fn try_data(pool: &Arc<Pool>, tried: &str) -> Result<String> {
    let mut lease = pool.take(tried).await?;
    let session = lease.session()?;
    let home = session.home.clone();
    let command = if session.features.mlst { "MLSD" } else { "LIST" };
    match session.list_here(command).await {
        Ok(_) => {}
        // A log-in folder that cannot be listed says nothing of our own folder.
        Err(error) if errors::may_be_absent(&error) => {}
        Err(error) => return lease.judge(tried, Err(error)),
    }
    lease.done();
    Ok(home)
}

/// Tells whether a folder can be gone into. A line that was lost on the way there says nothing of the folder.
async fn enters(lease: &mut Lease, tried: &str, path: &str) -> Result<bool> {
    match lease.session()?.enter(path).await {
        Ok(()) => Ok(true),
        Err(FtpError::UnexpectedResponse(_)) => Ok(false),
        Err(error) => lease.judge(tried, Err(error)),
    }
}

impl Folder {
    /// Returns the path of a key.
    pub(super) fn path_of(&self, key: &Key) -> Result<String> {
        server_names::check(key)?;
        Ok(format!("{}/{key}", self.root))
    }

    /// Returns the folder in words.
    pub(super) fn place(&self) -> String {
        if self.place.0.is_empty() { "the log-in folder".to_owned() } else { self.place.0.clone() }
    }

    /// Looks whether the folder is there. Once seen, it must stay.
    pub(super) async fn is_there(&self, lease: &mut Lease, tried: &str) -> Result<bool> {
        let root = if self.root.is_empty() { "/" } else { &self.root };
        // As it was when the question left: another writer may make the folder before the answer is here.
        let seen = self.seen.load(Ordering::Relaxed);
        match lease.session()?.enter(root).await {
            Ok(()) => {
                self.seen.store(true, Ordering::Relaxed);
                Ok(true)
            }
            Err(error) if errors::may_be_absent(&error) => {
                if seen {
                    return Err(errors::vanished(tried, &self.place()));
                }
                Ok(false)
            }
            Err(error) => lease.judge(tried, Err(error)),
        }
    }

    /// Makes a folder at or below the root, and those between, unless that was done before.
    pub(super) async fn make_folders(&self, lease: &mut Lease, tried: &str, path: &str) -> Result<()> {
        if self.made().contains(path) {
            return Ok(());
        }
        if !self.is_there(lease, tried).await? {
            self.make_root(lease, tried).await?;
        }
        let below = path.strip_prefix(&self.root).unwrap_or("").trim_start_matches('/');
        let mut at = self.root.clone();
        for part in below.split('/').filter(|part| !part.is_empty()) {
            at = format!("{at}/{part}");
            if !self.made().contains(&at) {
                self.make_one(lease, tried, &at).await?;
            }
        }
        Ok(())
    }

    /// Forgets which folders were made: one of them is gone.
    pub(super) fn forget_folders(&self) {
        self.made().clear();
    }

    fn made(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one folder; one that is there already is fine. `Missing` when the one above is not there.
    async fn make_one(&self, lease: &mut Lease, tried: &str, path: &str) -> Result<()> {
        // What servers say to a folder that is there already differs; going into it does not.
        if !enters(lease, tried, path).await? {
            match lease.session()?.make_dir(path).await {
                Ok(()) => {}
                Err(FtpError::UnexpectedResponse(reply)) => {
                    // Another session may have made it in the meantime.
                    if !enters(lease, tried, path).await? {
                        let above = match path.rsplit_once('/') {
                            Some((above, _)) if !above.is_empty() => above,
                            _ => "/",
                        };
                        if errors::is_absent(&reply) || !enters(lease, tried, above).await? {
                            return Err(errors::no_parent(tried, above));
                        }
                        return lease.judge(tried, Err(FtpError::UnexpectedResponse(reply)));
                    }
                }
                Err(error) => return lease.judge(tried, Err(error)),
            }
        }
        self.made().insert(path.to_owned());
        Ok(())
    }

    async fn make_root(&self, lease: &mut Lease, tried: &str) -> Result<()> {
        let depth = if self.place.1 { self.place.0.split('/').filter(|part| !part.is_empty()).count() } else { 1 };
        let mut to_make: Vec<&str> = Vec::new();
        let mut at = self.root.as_str();
        for _ in 0..depth {
            to_make.push(at);
            at = at.rsplit_once('/').map_or("", |(above, _)| above);
        }
        for path in to_make.into_iter().rev().filter(|path| !path.is_empty()) {
            self.make_one(lease, tried, path).await?;
        }
        if self.is_there(lease, tried).await? { Ok(()) } else { Err(errors::vanished(tried, &self.place())) }
    }

    /// Returns what is known of an object.
    async fn look(&self, lease: &mut Lease, tried: &str, key: &Key) -> Result<ObjectInfo> {
        let size_bytes = self.size_of(lease, tried, key).await?;
        let modified = lease.session()?.changed(&self.path_of(key)?).await.unwrap_or(None);
        Ok(ObjectInfo { key: key.clone(), size_bytes, modified })
    }

    /// Returns an object's size.
    pub(super) async fn size_of(&self, lease: &mut Lease, tried: &str, key: &Key) -> Result<u64> {
        let path = self.path_of(key)?;
        match lease.session()?.size(&path).await {
            Ok(size) => Ok(size),
            Err(error) if errors::may_be_absent(&error) => Err(self.why_not(lease, tried, key, error).await),
            Err(error) => lease.judge(tried, Err(error)),
        }
    }

    /// Finds out why an object could not be read: many servers say the same whether it is absent, forbidden or a folder.
    pub(super) async fn why_not(&self, lease: &mut Lease, tried: &str, key: &Key, error: FtpError) -> Error {
        let certain = matches!(&error, FtpError::UnexpectedResponse(reply) if errors::is_absent(reply));
        match self.is_there(lease, tried).await {
            Ok(true) if certain => errors::no_object(tried),
            Ok(true) => match self.is_listed(lease, tried, key).await {
                Ok(true) => errors::classify(tried, error),
                Ok(false) => errors::no_object(tried),
                Err(error) => error,
            },
            Ok(false) => errors::no_object(tried),
            Err(error) => error,
        }
    }
}

#[async_trait]
impl Destination for Ftp {
    fn label(&self) -> &str {
        &self.folder.label
    }

    fn capabilities(&self) -> DestinationCapabilities {
        DestinationCapabilities {
            atomic_create: false,
            // Not every server renames over what is there.
            atomic_replace: false,
            // A transfer can only be broken off, and what is on the line then comes in vain.
            parallel_ranges: 1,
            space: false,
            parallel_parts: 1,
            parallel_objects: u8::try_from(self.folder.pool.limit()).unwrap_or(u8::MAX).max(1),
            checks_hash: false,
            links: false,
        }
    }

    async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        self.folder.clone().write(key, content, mode).await
    }

    async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
        self.folder.clone().write_stream(key, content, mode).await
    }

    async fn begin_upload(&self, key: &Key, _size: Option<u64>) -> Result<Arc<dyn PartUpload>> {
        parts::begin(self.folder.clone(), key).await
    }

    async fn resume_upload(&self, key: &Key, _size: Option<u64>, token: &str) -> Result<Arc<dyn PartUpload>> {
        parts::resume(self.folder.clone(), key, token).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        self.folder.read(key, range).await
    }

    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        self.folder.clone().read_stream(key, offset).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        let tried = format!("Cannot find {key} on {}", self.folder.label);
        let mut lease = self.folder.pool.take(&tried).await?;
        let found = self.folder.look(&mut lease, &tried, key).await;
        lease.done();
        found
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        self.folder.list(prefix).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.folder.remove(key).await
    }

    async fn space(&self) -> Result<Space> {
        let text = format!("Cannot ask how much room there is on {}: FTP has no question for it", self.folder.label);
        Err(Error::new(ErrorClass::Unsupported, text))
    }

    async fn sweep(&self, older_than: Duration, spared: &[String]) -> Result<Swept> {
        self.folder.sweep(older_than, spared).await
    }
}
