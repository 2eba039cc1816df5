//! Destinations of these tests: folders of this computer as they are, buckets in memory that check who logs in.

use async_trait::async_trait;
use backstay_contract::{S3Provider, S3Region};
use backstay_core::config::{ArchiveSettings, Bandwidth, Place, S3Place, Seal};
use backstay_core::destination::{Destination, Direction, Traffic};
use backstay_core::layout::BackupManifest;
use backstay_core::secret::Secret;
use backstay_core::{BackupId, Error, ErrorClass, Result};
use backstay_destinations::mirror::{Leg, LegEvent, Mirror};
use backstay_destinations::wrap::Limit;
use backstay_destinations::{Opening, ProbeStep};
use backstay_engine::{
    CleanupDays, DestinationAccess, LimitedTraffic, MirrorLeg, OnLegFailed, OnStep, Probed, ProbedAbility,
    ProbedCertificate, ProbedStep, VaultPresence,
};
use backstay_lab::MemoryDestination;
use backstay_layouts::{ArchiveNameFacts, Presence};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What opens every bucket.
pub const SECRET_KEY: &str = "the-secret-key-of-every-bucket";
/// The certificate of every FTP server.
pub const CERTIFICATE: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Buckets in memory, by address and name; their folders are places of their own.
#[derive(Default)]
pub struct Buckets {
    all: Mutex<HashMap<String, MemoryDestination>>,
    /// How often one was opened.
    pub opened: AtomicUsize,
    /// How often a place was opened for its test.
    pub opened_once: AtomicUsize,
    /// The stores do not check any more what they take.
    pub trusting: AtomicBool,
}

impl Buckets {
    pub fn of(&self, name: &str) -> MemoryDestination {
        self.all.lock().unwrap().entry(name.into()).or_default().with_part_bytes(1 << 20)
    }
    fn open(&self, place: &S3Place, access: &DestinationAccess) -> Result<MemoryDestination> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        if access.login.secret.as_ref().map(Secret::expose) != Some(SECRET_KEY) {
            return Err(Error::new(
                ErrorClass::Refused,
                format!("Cannot use {}: the secret key is wrong", place.bucket),
            ));
        }
        let name = format!("{}/{}", place.bucket, place.prefix);
        Ok(self.of(name.trim_end_matches('/')).with_traffic(access.traffic.clone()))
    }
}

struct TestLimit(Arc<Limit>);

#[async_trait]
impl Traffic for TestLimit {
    async fn pass(&self, direction: Direction, bytes: usize) {
        self.0.pass(direction, bytes).await;
    }
}

impl LimitedTraffic for TestLimit {
    fn set(&self, bandwidth: &Bandwidth) {
        self.0.set(bandwidth.clone());
    }
    fn limit_now(&self) -> Option<u64> {
        self.0.rate()
    }
}

pub fn limited_traffic(bandwidth: &Bandwidth) -> Arc<dyn LimitedTraffic> {
    Arc::new(TestLimit(Limit::new(bandwidth.clone())))
}

pub async fn open(
    buckets: &Buckets,
    label: &str,
    place: &Place,
    access: DestinationAccess,
) -> Result<Arc<dyn Destination>> {
    match place {
        // A server that a test started.
        Place::S3(s3) if s3.endpoint.starts_with("http://127.0.0.1:") => {
            let (login, traffic, on_retry) = (access.login, access.traffic, access.on_retry);
            backstay_destinations::open(label, place, Opening { login, traffic, on_retry, ..Opening::default() }).await
        }
        Place::S3(place) => Ok(Arc::new(buckets.open(place, &access)?)),
        Place::Local { .. } => {
            let opening = Opening { traffic: access.traffic, on_retry: access.on_retry, ..Opening::default() };
            backstay_destinations::open(label, place, opening).await
        }
        _ => Err(Error::new(ErrorClass::Offline, format!("Cannot reach {label}: no network in this test"))),
    }
}

/// Opens a place for its test.
pub async fn open_once(
    buckets: &Buckets,
    label: &str,
    place: &Place,
    access: DestinationAccess,
) -> Result<Arc<dyn Destination>> {
    buckets.opened_once.fetch_add(1, Ordering::SeqCst);
    open(buckets, label, place, access).await
}

fn step_of(step: ProbeStep) -> ProbedStep {
    ProbedStep { title: step.title, ok: step.ok, note: step.note, text: step.text, hint: step.hint }
}

pub async fn probe(buckets: &Buckets, place: &Place, destination: &dyn Destination, on_step: OnStep<'_>) -> Probed {
    let told = |step: ProbeStep| on_step(step_of(step));
    // The general test; what a bucket can do is made up.
    let local = Place::Local { path: "/".into() };
    let probed = backstay_destinations::probe(&local, destination, &told).await;
    let settled = match place {
        Place::S3(place) => {
            let checks_md5 = !buckets.trusting.load(Ordering::SeqCst);
            Some(S3Place { conditional_writes: true, checks_md5, path_style: true, ..place.clone() })
        }
        _ => None,
    };
    let links = ProbedAbility {
        id: "links".into(),
        title: "Links".into(),
        can: Some(settled.is_some()),
        text: "As told".into(),
    };
    Probed {
        steps: probed.steps.into_iter().map(step_of).collect(),
        abilities: vec![links],
        cost_notes: Vec::new(),
        settled,
    }
}

pub async fn look(place: &Place, destination: &dyn Destination, on_step: OnStep<'_>) -> Probed {
    let told = |step: ProbeStep| on_step(step_of(step));
    let looked = backstay_destinations::look(place, destination, &told).await;
    Probed { steps: looked.steps.into_iter().map(step_of).collect(), settled: looked.settled, ..Probed::default() }
}

pub async fn set_cleanup_rule(destination: &dyn Destination) -> Result<CleanupDays> {
    let settings = backstay_destinations::s3::set_cleanup_rule(destination).await?;
    Ok(CleanupDays { uploads: settings.upload_days, versions: settings.version_days })
}

pub fn untrusted_certificate(place: &Place) -> Option<ProbedCertificate> {
    let Place::Ftp(place) = place else { return None };
    let accepted = place.pinned_certificate.as_deref() == Some(CERTIFICATE);
    let (why, text) = ("has expired".into(), "CN=ftp.example".into());
    (!accepted).then(|| ProbedCertificate { sha256: CERTIFICATE.into(), why, text })
}

pub fn s3_providers() -> Vec<S3Provider> {
    let region = |id: &str| S3Region { id: id.into(), place: id.into() };
    let provider = |id: &str, regions: Vec<S3Region>, endpoint: &str| S3Provider {
        id: id.into(),
        name: format!("The store {id}"),
        regions,
        endpoint: endpoint.into(),
        free_region: false,
        path_style: false,
        checksums: false,
        storage_classes: vec!["GLACIER".into()],
        minimum_days: if id == "keeps" { 30 } else { 0 },
        notes: Vec::new(),
        keys_hint: "In its console".into(),
    };
    vec![
        provider("cloud", vec![region("eu-1"), region("us-1")], "https://s3.{region}.cloud.example"),
        provider("generic", Vec::new(), ""),
        provider("keeps", Vec::new(), "https://s3.keeps.example"),
    ]
}

pub async fn presence(destination: &dyn Destination) -> Result<VaultPresence> {
    Ok(match backstay_layouts::presence(destination).await? {
        Presence::Empty => VaultPresence::Empty,
        Presence::Vault => VaultPresence::Vault,
        Presence::Archives => VaultPresence::Archives,
        Presence::Foreign => VaultPresence::Foreign,
    })
}

pub fn archive_name(settings: &ArchiveSettings, manifest: &BackupManifest) -> Result<String> {
    let kinds: Vec<String> = manifest.items.iter().map(|item| item.kind.clone()).collect();
    let id = BackupId::from("0123456789abcdef");
    let facts = ArchiveNameFacts {
        server: &manifest.server_name,
        plan: &manifest.plan_name,
        kinds: &kinds,
        started: manifest.started,
        id: &id,
    };
    let seal = if settings.seal == Seal::None { "" } else { ".sealed" };
    let name = backstay_layouts::archive_name(&settings.template, &facts)?;
    Ok(format!("{name}.{}{seal}", settings.format.extension()))
}

pub fn mirror(label: &str, legs: Vec<MirrorLeg>, on_failed: OnLegFailed) -> Arc<dyn Destination> {
    let legs =
        legs.into_iter().map(|leg| Leg { name: leg.name, destination: leg.destination, required_ready: leg.level });
    let told = move |name: &str, event: LegEvent| {
        if let LegEvent::Failed(why) = event {
            on_failed(name, &why);
        }
    };
    Arc::new(Mirror::watched(label, legs.collect(), Arc::new(told)))
}
