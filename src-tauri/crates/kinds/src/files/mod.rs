//! Kind "files": files and folders of a server, with everything tar can carry of them.

mod check;
mod collect;
mod compare;
mod deletions;
mod fetch;
mod listing;
mod mounts;
mod outlet;
mod owners;
mod pattern;
mod restore;
mod settings;
mod walk;
mod watched;
mod ways;

use crate::gnu::Tools;
use async_trait::async_trait;
use backstay_core::entry::{Entry, EntrySink, EntrySource};
use backstay_core::host::{Host, SharedHost};
use backstay_core::kind::{
    CheckReport, CollectReport, Found, Item, ItemInput, Kind, Preflight, RestoreOptions, RestorePlan, RestoreReport,
};
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext};
use settings::Settings;

/// Files and folders.
pub(crate) struct Files;

/// Folders that hold what people make, with the words a wizard shows.
const TELLING: [(&str, &str, bool); 8] = [
    ("/srv", "Data served by this machine", true),
    ("/var/www", "Web sites", true),
    ("/home", "Home folders", true),
    ("/root", "Home folder of root", false),
    ("/etc", "Settings of the system", true),
    ("/opt", "Software installed by hand", false),
    ("/var/lib/docker/volumes", "Volumes of containers", false),
    ("/usr/local", "Software installed by hand", false),
];

#[async_trait]
impl Kind for Files {
    fn id(&self) -> &'static str {
        "files"
    }

    fn validate(&self, item: &Item) -> Result<()> {
        Settings::parse(item).map(drop)
    }

    fn describe(&self, item: &Item) -> String {
        Settings::parse(item).map_or_else(|_| "files".into(), |settings| settings.describe())
    }

    async fn discover(&self, ctx: &RunContext, host: &dyn Host) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for (folder, note, suggested) in TELLING {
            ctx.check()?;
            let listed = match host.list(&RawPath::new(folder)?).await {
                Ok(listed) => listed,
                Err(error) if error.class == ErrorClass::Offline => return Err(error),
                Err(_) => continue,
            };
            if listed.is_empty() {
                continue;
            }
            found.push(Found {
                kind: "files".into(),
                title: folder.into(),
                note: note.into(),
                size_bytes: None,
                settings: serde_json::json!({ "paths": [folder] }),
                suggested,
            });
        }
        Ok(found)
    }

    async fn preflight(&self, ctx: &RunContext, host: &dyn Host, input: &ItemInput) -> Result<Preflight> {
        let settings = Settings::parse(&input.item)?;
        let tools = Tools::probe(host).await?;
        let mut preflight = Preflight::default();
        preflight.facts.extend([&tools.find, &tools.tar].into_iter().filter(|t| !t.is_empty()).cloned());
        if !tools.complete() {
            require_files(host)?;
            let why = "GNU find and tar are not there: files are read one by one, which is slower, and extended \
                       attributes and holes are not kept";
            preflight.warnings.push(why.into());
        }
        if !tools.root && host.capabilities().commands {
            let why = "Not root there: what this user cannot read will be missing, each file with its reason";
            preflight.warnings.push(why.into());
        }
        let mut there = 0;
        for root in &settings.roots {
            ctx.check()?;
            match host.stat(root).await {
                Ok(_) => there += 1,
                Err(error) if error.class == ErrorClass::Missing => {
                    preflight.warnings.push(format!("{root} is not there"));
                }
                // A lost connection is not a missing folder.
                Err(error) if error.class.ends_the_run() => return Err(error),
                Err(error) => preflight.warnings.push(format!("{root}: {}", error.message)),
            }
        }
        if there == 0 {
            return Err(nothing_there(host, &settings.roots));
        }
        Ok(preflight)
    }

    async fn collect(
        &self,
        ctx: &RunContext,
        host: &dyn Host,
        input: &ItemInput,
        sink: &mut dyn EntrySink,
    ) -> Result<CollectReport> {
        let settings = Settings::parse(&input.item)?;
        ctx.or_cancel(collect::collect(ctx, host, &input.item.name, &settings, sink)).await
    }

    async fn plan_restore(
        &self,
        ctx: &RunContext,
        host: &dyn Host,
        input: &ItemInput,
        listing: &[Entry],
        options: &RestoreOptions,
    ) -> Result<RestorePlan> {
        let settings = Settings::parse(&input.item)?;
        ctx.or_cancel(compare::plan(ctx, host, &input.item.name, &settings, listing, options)).await
    }

    async fn restore(
        &self,
        ctx: &RunContext,
        host: &SharedHost,
        input: &ItemInput,
        source: &mut dyn EntrySource,
        plan: &RestorePlan,
        options: &RestoreOptions,
    ) -> Result<RestoreReport> {
        let settings = Settings::parse(&input.item)?;
        restore::restore(ctx, host.as_ref(), &input.item.name, &settings, source, plan, options).await
    }

    async fn check(&self, ctx: &RunContext, _: &ItemInput, source: &mut dyn EntrySource) -> Result<CheckReport> {
        check::check(ctx, source).await
    }
}

/// Says what to install when files can be read neither through tar nor by the host itself.
fn require_files(host: &dyn Host) -> Result<()> {
    if host.capabilities().files {
        return Ok(());
    }
    let why = format!("Cannot read files on {}: GNU find and GNU tar are not installed there", host.label());
    let hint = "Install them (Alpine: apk add tar findutils; Debian: apt install tar findutils), or switch on SFTP.";
    Err(Error::new(ErrorClass::Unsupported, why).hint(hint))
}

fn nothing_there(host: &dyn Host, roots: &[RawPath]) -> Error {
    let names: Vec<String> = roots.iter().map(RawPath::to_text).collect();
    let why =
        format!("Cannot back up {} on {}: not there, or not to be seen by this user", names.join(", "), host.label());
    Error::new(ErrorClass::Missing, why).hint("Check the paths in the plan, and whether they must be mounted first")
}
