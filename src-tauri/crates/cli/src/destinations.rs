//! `backstay destination …`

mod limits;
mod place;

use crate::ask;
use crate::common::Session;
use crate::hints;
use crate::kit::{self, Of};
use crate::options::{
    DestinationAddArgs, DestinationChangeArgs, DestinationOpenArgs, DestinationVerb, ReachArgs, S3Args,
};
use crate::output::{self, Exit, cells, time};
use crate::servers;
use backstay_contract::{Adopted, ConfigurationCopy, DestinationDraft, DestinationRow, TestStep};
use backstay_core::{Error, ErrorClass, Result};
use backstay_engine::{count_text, size_text};

/// Runs one of the verbs about destinations.
pub async fn run(session: &Session, verb: DestinationVerb) -> Result<Exit> {
    match verb {
        DestinationVerb::Add(args) => add(session, &args).await,
        DestinationVerb::Open(args) => open(session, &args).await,
        DestinationVerb::Adopt { name, configuration } => {
            let id = session.destination_id(&name)?;
            let adopted = session.backstay.adopt_configuration(&id, &configuration).await?;
            if session.json {
                output::object(&adopted)?
            } else {
                print_adopted(&adopted)?
            }
            Ok(Exit::Done)
        }
        DestinationVerb::List => list(session).await,
        DestinationVerb::Providers { provider } => providers(session, provider.as_deref()).await,
        DestinationVerb::MakeBucket(args) => make_bucket(session, &args).await,
        DestinationVerb::CleanUpRule { name, yes } => clean_up_rule(session, &name, yes).await,
        DestinationVerb::Change(args) => change(session, &args).await,
        DestinationVerb::Limits(args) => limits::run(session, &args).await,
        DestinationVerb::Test { name } => test(session, &name).await,
        DestinationVerb::Usage { name } => usage(session, &name).await,
        DestinationVerb::Refresh { name } => {
            let count = session.backstay.refresh_destination(&session.destination_id(&name)?).await?;
            if session.json {
                output::object(&serde_json::json!({ "backups": count }))?;
            } else {
                output::text(&format!("{} at {name}", backups(count)))?;
            }
            Ok(Exit::Done)
        }
        DestinationVerb::Kit(args) => kit::show(session, Of::Destination, &args).await,
        DestinationVerb::Confirm(args) => kit::confirm(session, Of::Destination, &args).await,
        DestinationVerb::Remove { name } => {
            session.backstay.remove_destination(&session.destination_id(&name)?).await?;
            if session.json {
                output::object(&serde_json::json!({ "removed": name }))?
            } else {
                output::text(&format!("Removed the destination {name}; what lies there stays"))?
            }
            Ok(Exit::Done)
        }
    }
}

async fn add(session: &Session, args: &DestinationAddArgs) -> Result<Exit> {
    let mut draft = place::draft_of(session, &args.name, &args.place).await?;
    draft.use_for = if args.no_vault { "none" } else { "vault" }.into();
    let added = session.backstay.add_destination(draft).await?;
    if session.json {
        // The kit is printed only where it was asked for: this output ends up in logs.
        output::object(&serde_json::json!({
            "destination": added.destination, "created": added.created, "backups": added.backups,
        }))?;
        return Ok(Exit::Done);
    }
    let (name, at) = (&added.destination.name, &added.destination.place);
    if args.no_vault {
        output::text(&format!("Added {at} as {name}, without a vault"))?;
    } else if added.created {
        output::text(&format!("Made a vault at {at} as {name}"))?;
        output::text(&format!(
            "Print its recovery kit now and keep it elsewhere: backstay destination kit {name} --out FILE"
        ))?;
    } else {
        output::text(&format!("Opened the vault at {at} as {name}: {}", backups(added.backups)))?;
    }
    Ok(Exit::Done)
}

async fn open(session: &Session, args: &DestinationOpenArgs) -> Result<Exit> {
    let mut draft = place::draft_of(session, &args.name, &args.place).await?;
    let key = match draft.vault_password.take() {
        Some(key) => key,
        None => ask::secret("the vault's password, the words of its kit, or the archives' key")?,
    };
    let found = session.backstay.open_existing(draft, &key).await?;
    let mut adopted = Vec::new();
    if args.adopt {
        for copy in &found.configurations {
            adopted.push(session.backstay.adopt_configuration(&found.destination.id, &copy.id).await?);
        }
    }
    if session.json {
        output::object(&serde_json::json!({
            "destination": found.destination, "backups": found.backups, "locked": found.locked,
            "configurations": found.configurations, "adopted": adopted,
        }))?;
        return Ok(Exit::Done);
    }
    let row = &found.destination;
    output::text(&format!("Opened {} as {}: {}", row.place, row.name, backups(found.backups)))?;
    if found.locked > 0 {
        let sealed = count_text(found.locked, "archive is sealed by another key", "archives are sealed by other keys");
        output::text(&format!("{sealed}: open it again with those"))?;
    }
    if !args.adopt {
        for copy in &found.configurations {
            output::text(&format!("From {} of {}: {}", copy.computer, time(copy.made), kept(copy)))?;
            output::text(&format!("  Take it over: backstay destination adopt {} {}", row.name, copy.id))?;
        }
    }
    adopted.iter().try_for_each(print_adopted)?;
    Ok(Exit::Done)
}

fn backups(count: u64) -> String {
    count_text(count, "backup", "backups")
}

/// Says what a copy of the set-up holds that is not set up here.
fn kept(copy: &ConfigurationCopy) -> String {
    let lists = [("servers", &copy.servers), ("plans", &copy.plans), ("destinations", &copy.destinations)];
    let some: Vec<String> = lists
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what} {}", names.join(", ")))
        .collect();
    if some.is_empty() { "nothing that is not set up here".into() } else { some.join("; ") }
}

fn print_adopted(adopted: &Adopted) -> Result<()> {
    output::text(&format!(
        "Took over {}, {} and {}",
        count_text(adopted.servers, "server", "servers"),
        count_text(adopted.plans, "plan", "plans"),
        count_text(adopted.destinations, "destination", "destinations")
    ))?;
    if !adopted.missing_secrets.is_empty() {
        output::text("Still needed:")?;
    }
    adopted.missing_secrets.iter().try_for_each(|line| output::text(&format!("  {line}")))
}

async fn providers(session: &Session, wanted: Option<&str>) -> Result<Exit> {
    let mut all = session.backstay.s3_providers().await?;
    if let Some(id) = wanted {
        let known: Vec<String> = all.iter().map(|provider| provider.id.clone()).collect();
        all.retain(|provider| provider.id == id);
        if all.is_empty() {
            return Err(Error::new(ErrorClass::Missing, format!("There is no S3 provider called {id}"))
                .hint(format!("Known are: {}", known.join(", "))));
        }
    }
    if session.json {
        output::object(&all)?;
        return Ok(Exit::Done);
    }
    let [one] = all.as_slice() else {
        let mut lines = vec![cells(["PROVIDER", "NAME", "REGIONS", "KEYS"])];
        for provider in &all {
            let regions = provider.regions.len().to_string();
            lines.push(cells([&provider.id, &provider.name, &regions, &provider.keys_hint]));
        }
        output::table(&lines)?;
        return Ok(Exit::Done);
    };
    let mut lines = vec![cells(["REGION", "PLACE"])];
    lines.extend(one.regions.iter().map(|region| cells([&region.id, &region.place])));
    output::table(&lines)?;
    one.notes.iter().try_for_each(|note| output::text(note))?;
    Ok(Exit::Done)
}

async fn make_bucket(session: &Session, args: &S3Args) -> Result<Exit> {
    let mut draft = DestinationDraft { kind: "s3".into(), s3: place::s3_draft(args)?, ..DestinationDraft::default() };
    if args.trust_first_use {
        place::accept_certificate(session, &mut draft).await?;
    }
    let made = session.backstay.make_bucket(draft).await?;
    if session.json {
        output::object(&made)?;
    } else {
        print_steps(&made.steps)?;
    }
    Ok(if made.ok { Exit::Done } else { Exit::Failed })
}

async fn clean_up_rule(session: &Session, name: &str, yes: bool) -> Result<Exit> {
    let id = session.destination_id(name)?;
    let question = format!(
        "Let the bucket of {name} remove unfinished uploads after 7 days and old versions after 30 days by itself?"
    );
    let unasked =
        || Error::new(ErrorClass::Invalid, "Nobody can be asked whether the rule may be set").hint("Give --yes");
    if !yes && !ask::yes(&question).ok_or_else(unasked)? {
        return Err(Error::cancelled());
    }
    let rule = session.backstay.set_cleanup_rule(&id).await?;
    if session.json {
        output::object(&rule)?;
    } else {
        output::text(&format!("The bucket of {name} says: {}", rule.text))?;
    }
    Ok(Exit::Done)
}

async fn change(session: &Session, args: &DestinationChangeArgs) -> Result<Exit> {
    let DestinationChangeArgs { name, rename, access_key, secret_stdin, fingerprint, jump_fingerprint, certificate } =
        args;
    let texts = [rename, access_key, fingerprint, certificate];
    if texts.iter().all(|text| text.is_none()) && jump_fingerprint.is_empty() && !secret_stdin {
        return Err(Error::new(ErrorClass::Invalid, format!("Nothing to change of {name} was named"))
            .hint("See: backstay destination change --help"));
    }
    let mut draft = session.backstay.destination(&session.destination_id(name)?).await?;
    if let Some(name) = rename {
        draft.name.clone_from(name);
    }
    if let Some(key) = access_key {
        draft.s3.access_key.clone_from(key);
    }
    if *secret_stdin {
        let secret = Some(ask::secret("the new secret key or password")?);
        match draft.kind.as_str() {
            "s3" => draft.s3.secret_key = secret,
            "ftp" => draft.ftp.password = secret,
            _ => {
                if let Some(ssh) = &mut draft.sftp.ssh {
                    ssh.password = secret;
                }
            }
        }
    }
    accept(args, &mut draft)?;
    let row = session.backstay.change_destination(draft).await?;
    if session.json {
        output::object(&row)?;
    } else {
        output::text(&format!("Changed {} ({})", row.name, row.place))?;
    }
    Ok(Exit::Done)
}

/// Brings the host keys or the certificate that were named into a destination.
fn accept(args: &DestinationChangeArgs, draft: &mut DestinationDraft) -> Result<()> {
    let no_use = |option: &str, why: &str, hint: &str| {
        Error::new(ErrorClass::Invalid, format!("Cannot use {option} for {}: {why}", args.name)).hint(hint)
    };
    if args.fingerprint.is_some() || !args.jump_fingerprint.is_empty() {
        let Some(ssh) = &mut draft.sftp.ssh else {
            let why = "it has no SSH address of its own";
            return Err(no_use("--fingerprint", why, "The key of a server is accepted by \"server change\""));
        };
        let reach = ReachArgs {
            fingerprint: args.fingerprint.clone(),
            jump_fingerprint: args.jump_fingerprint.clone(),
            ..ReachArgs::default()
        };
        servers::apply(&reach, ssh)?;
    }
    if let Some(certificate) = args.certificate.clone() {
        match draft.kind.as_str() {
            "s3" => draft.s3.pinned_certificate = Some(certificate),
            "ftp" if draft.ftp.tls != "none" => draft.ftp.pinned_certificate = Some(certificate),
            _ => return Err(no_use("--certificate", "it is not reached by TLS", "Leave the option out")),
        }
    }
    Ok(())
}

fn print_steps(steps: &[TestStep]) -> Result<()> {
    for step in steps {
        output::text(&format!("{:<7} {}: {}", step.state, step.title, step.text))?;
        if let Some(hint) = &step.hint {
            output::text(&format!("        {}", hints::in_verbs(hint)))?;
        }
    }
    Ok(())
}

async fn list(session: &Session) -> Result<Exit> {
    let rows = session.backstay.destinations().await?;
    if session.json {
        output::object(&rows)?;
        return Ok(Exit::Done);
    }
    let mut lines = vec![cells(["NAME", "PLACE", "BACKUPS", "FREE", "STATE"])];
    for row in &rows {
        let free = row.free_bytes.map(size_text).unwrap_or_default();
        lines.push(cells([&row.name, &row.place, &row.backups.to_string(), &free, &row.state_text]));
    }
    output::table(&lines)?;
    Ok(Exit::Done)
}

async fn test(session: &Session, name: &str) -> Result<Exit> {
    let row = session.destination(name).await?;
    let draft = session.backstay.destination(&row.id).await?;
    let test = session.backstay.test_destination(draft, "").await?;
    let there = !row.vault || test.found == "vault";
    let ok = test.ok && there;
    if session.json {
        output::object(&test)?;
    } else {
        print_steps(&test.steps)?;
        for ability in &test.abilities {
            output::text(&format!("{:<7} {}: {}", ability.state, ability.title, ability.text))?;
        }
        test.cost_notes.iter().try_for_each(|note| output::text(note))?;
        if !there {
            output::text("The vault is not there")?;
        }
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

async fn usage(session: &Session, name: &str) -> Result<Exit> {
    let row = known_use(session, session.destination(name).await?).await?;
    if session.json {
        output::object(&row)?;
        return Ok(Exit::Done);
    }
    let size = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".into(), size_text);
    output::table(&[
        cells(["Used by backups", &size(row.used_bytes)]),
        cells(["Free", &size(row.free_bytes)]),
        cells(["Total", &size(row.total_bytes)]),
        cells(["Backups", &row.backups.to_string()]),
    ])?;
    Ok(Exit::Done)
}

/// The engine adds up what is used in the background and tells when it is known.
async fn known_use(session: &Session, mut row: DestinationRow) -> Result<DestinationRow> {
    for _ in 0..100 {
        if row.used_bytes.is_some() || !matches!(row.state.as_str(), "ok" | "kit_not_confirmed") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        row = session.destination(&row.id).await?;
    }
    Ok(row)
}
