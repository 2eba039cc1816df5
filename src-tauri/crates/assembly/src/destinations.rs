//! Destinations and layouts behind the engine's trait.

use async_trait::async_trait;
use backstay_contract::{S3Provider, S3Region};
use backstay_core::config::{ArchiveSettings, Bandwidth, DestinationLogin, FtpTls, Place, S3Place, Seal};
use backstay_core::destination::{Destination, Direction, Traffic};
use backstay_core::layout::{ArchiveKey, BackupManifest};
use backstay_core::{BackupId, Result};
use backstay_destinations::mirror::{Leg, LegEvent, Mirror};
use backstay_destinations::wrap::Limit;
use backstay_destinations::{CertificateSeen, Opening, ProbeStep};
use backstay_engine::{
    DestinationAccess, LimitedTraffic, MirrorLeg, OnLegFailed, OnStep, OpenVault, Probed, ProbedAbility,
    ProbedCertificate, ProbedStep, SshWay, VaultPresence,
};
use backstay_hosts::ConnectOptions;
use backstay_layouts::{ArchiveNameFacts, Presence, Vault};
use std::sync::Arc;

/// SFTP channels to one server at most; servers grant ten sessions by default.
const SFTP_CHANNELS: usize = 8;

/// A limit as the engine knows it.
pub(crate) struct SharedLimit(Arc<Limit>);

impl SharedLimit {
    pub(crate) fn new(bandwidth: &Bandwidth) -> Self {
        Self(Limit::new(bandwidth.clone()))
    }
}

#[async_trait]
impl Traffic for SharedLimit {
    async fn pass(&self, direction: Direction, bytes: usize) {
        self.0.pass(direction, bytes).await;
    }
}

impl LimitedTraffic for SharedLimit {
    fn set(&self, bandwidth: &Bandwidth) {
        self.0.set(bandwidth.clone());
    }
    fn limit_now(&self) -> Option<u64> {
        self.0.rate()
    }
}

/// Opens a place with what the engine found out about the way there.
pub(crate) async fn open(label: &str, place: &Place, access: DestinationAccess) -> Result<Arc<dyn Destination>> {
    backstay_destinations::open(label, place, opening(access)).await
}

/// Opens a place to test it: nothing is tried again.
pub(crate) async fn open_once(label: &str, place: &Place, access: DestinationAccess) -> Result<Arc<dyn Destination>> {
    backstay_destinations::open_once(label, place, opening(access)).await
}

fn opening(access: DestinationAccess) -> Opening {
    let ssh = access.ssh.map(|way: SshWay| {
        let options = ConnectOptions::default();
        backstay_hosts::remote_files_source(&way.name, &way.connection, way.login, way.pins, options, SFTP_CHANNELS)
    });
    Opening { login: access.login, traffic: access.traffic, ssh, on_retry: access.on_retry, ..Opening::default() }
}

fn step_of(step: ProbeStep) -> ProbedStep {
    ProbedStep { title: step.title, ok: step.ok, note: step.note, text: step.text, hint: step.hint }
}

/// Tests a place step by step.
pub(crate) async fn probe(place: &Place, destination: &dyn Destination, on_step: OnStep<'_>) -> Probed {
    let told = |step: ProbeStep| on_step(step_of(step));
    probed_of(backstay_destinations::probe(place, destination, &told).await)
}

/// Looks at a place with backups step by step.
pub(crate) async fn look(place: &Place, destination: &dyn Destination, on_step: OnStep<'_>) -> Probed {
    let told = |step: ProbeStep| on_step(step_of(step));
    probed_of(backstay_destinations::look(place, destination, &told).await)
}

fn probed_of(probed: backstay_destinations::Probed) -> Probed {
    let ability = |ability: backstay_destinations::Ability| ProbedAbility {
        can: match ability.state.as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        },
        id: ability.id,
        title: ability.title,
        text: ability.text,
    };
    Probed {
        steps: probed.steps.into_iter().map(step_of).collect(),
        abilities: probed.abilities.into_iter().map(ability).collect(),
        cost_notes: probed.cost_notes,
        settled: probed.settled,
    }
}

/// Looks at the certificate of an FTPS server or a bucket's store, if it must be accepted first.
pub(crate) async fn untrusted_certificate(place: &Place) -> Result<Option<ProbedCertificate>> {
    let (seen, pin) = match place {
        Place::Ftp(ftp) if ftp.tls != FtpTls::None => {
            let (seen, pin) = (backstay_destinations::ftp::probe_certificate(ftp).await?, &ftp.pinned_certificate);
            (Some(seen).filter(|seen| seen.must_be_accepted(pin.as_deref())), pin)
        }
        Place::S3(bucket) => {
            (backstay_destinations::s3::untrusted_certificate(bucket).await?, &bucket.pinned_certificate)
        }
        _ => return Ok(None),
    };
    Ok(seen.map(|seen| probed_certificate(seen, pin.is_some())))
}

fn probed_certificate(seen: CertificateSeen, another_accepted: bool) -> ProbedCertificate {
    let day = |seconds: i64| {
        chrono::DateTime::from_timestamp(seconds, 0).map_or_else(|| "?".into(), |at| at.format("%-d %b %Y").to_string())
    };
    let text = format!(
        "{}, signed by {}, valid from {} to {}, SHA-256 {}",
        seen.subject,
        seen.issuer,
        day(seen.not_before),
        day(seen.not_after),
        seen.sha256
    );
    let why = if another_accepted { "is not the one you accepted".to_owned() } else { seen.why };
    ProbedCertificate { sha256: seen.sha256, why, text }
}

/// Looks what lies at a place.
pub(crate) async fn presence(destination: &dyn Destination) -> Result<VaultPresence> {
    Ok(match backstay_layouts::presence(destination).await? {
        Presence::Empty => VaultPresence::Empty,
        Presence::Vault => VaultPresence::Vault,
        Presence::Archives => VaultPresence::Archives,
        Presence::Foreign => VaultPresence::Foreign,
    })
}

/// Returns the name an archive would get, with its endings.
pub(crate) fn archive_name(settings: &ArchiveSettings, manifest: &BackupManifest) -> Result<String> {
    let mut kinds: Vec<String> = manifest.items.iter().map(|item| item.kind.clone()).collect();
    kinds.dedup();
    // Any id will do: the real one is not known before the backup is made.
    let id = BackupId::from("0123456789abcdef");
    let facts = ArchiveNameFacts {
        server: &manifest.server_name,
        plan: &manifest.plan_name,
        kinds: &kinds,
        started: manifest.started,
        id: &id,
    };
    let name = backstay_layouts::archive_name(&settings.template, &facts)?;
    let seal = if settings.seal == Seal::None { "" } else { ".sealed" };
    Ok(format!("{name}.{}{seal}", settings.format.extension()))
}

pub(crate) fn opened(vault: Vault) -> OpenVault {
    OpenVault { id: vault.id().to_owned(), layout: Arc::new(vault) }
}

/// The providers of S3-compatible storage, as the wizard shows them.
pub(crate) fn s3_providers() -> Vec<S3Provider> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let provider = |provider: &backstay_destinations::s3::Provider| S3Provider {
        id: provider.id.into(),
        name: provider.name.into(),
        regions: provider
            .regions
            .iter()
            .map(|(id, place)| S3Region { id: (*id).into(), place: (*place).into() })
            .collect(),
        endpoint: provider.endpoint.into(),
        free_region: provider.free_region,
        path_style: provider.path_style,
        checksums: provider.checksums,
        storage_classes: words(provider.storage_classes),
        minimum_days: provider.minimum_days,
        notes: words(provider.notes),
        keys_hint: provider.keys_hint.into(),
    };
    backstay_destinations::s3::providers().iter().map(provider).collect()
}

/// Makes a bucket fit for backups.
pub(crate) async fn make_bucket(place: &S3Place, login: &DestinationLogin, on_step: OnStep<'_>) -> Vec<ProbedStep> {
    let told = |step: ProbeStep| on_step(step_of(step));
    let steps = backstay_destinations::s3::make_bucket(place, login, &told).await;
    steps.into_iter().map(step_of).collect()
}

/// Returns the id archives sealed by a key carry. Those sealed by a passphrase have each their own.
pub(crate) fn archive_key_id(key: &ArchiveKey) -> Option<String> {
    match key {
        ArchiveKey::Key(_) => backstay_layouts::archive_key_id(key).ok(),
        ArchiveKey::Passphrase(_) => None,
    }
}

/// Writes to several destinations at once.
pub(crate) fn mirror(label: &str, legs: Vec<MirrorLeg>, on_failed: OnLegFailed) -> Arc<dyn Destination> {
    let legs =
        legs.into_iter().map(|leg| Leg { name: leg.name, destination: leg.destination, required_ready: leg.level });
    let told = move |name: &str, event: LegEvent| {
        if let LegEvent::Failed(why) = event {
            on_failed(name, &why);
        }
    };
    Arc::new(Mirror::watched(label, legs.collect(), Arc::new(told)))
}
