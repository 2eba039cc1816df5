//! Plans: the list, one of them, adding, changing, removing, leaving things out.

mod copies;
mod layout;

use crate::backstay::{Backstay, Inner};
use crate::own_folders::{leave_out, nothing_else};
use crate::words::{checked_name, count_text, invalid, millis, run_state_word};
use backstay_contract::{ItemDraft, ItemSettings, PlanDraft, PlanRow, PlanSaved, PlanView};
use backstay_core::config::{BackupQuery, KnownBackup, Plan, PlanLayout, Server};
use backstay_core::kind::Item;
use backstay_core::run::{Run, RunKind, RunState};
use backstay_core::secret::{Secret, SecretName};
use backstay_core::store::{Page, RunQuery};
use backstay_core::{Error, ErrorClass, PlanId, RawPath, Result, ServerId};
use chrono::{DateTime, TimeDelta, Utc};
pub(crate) use layout::seals;
use layout::{draft_of_layout, layout_of, layout_words};

/// Clocks of several computers may be so far apart; what is dated later than that was dated by one that is wrong.
const CLOCKS_APART: TimeDelta = TimeDelta::hours(1);

impl Backstay {
    /// Returns all plans.
    pub async fn plans(&self) -> Result<Vec<PlanRow>> {
        self.inner.sweep_interrupted()?;
        self.inner.store.plans()?.iter().map(|plan| self.inner.plan_row(plan)).collect()
    }

    /// Returns one plan whole.
    pub async fn plan(&self, id: &str) -> Result<PlanView> {
        let plan = self.inner.store.plan(&PlanId::from(id))?;
        let items = plan.items.iter().map(|item| {
            let settings = draft_of_settings(&item.kind, &item.settings)?;
            Ok(ItemDraft { name: item.name.clone(), settings, password: None })
        });
        let draft = PlanDraft {
            id: Some(plan.id.to_string()),
            name: plan.name.clone(),
            server: plan.server.to_string(),
            items: items.collect::<Result<_>>()?,
            destinations: plan.destinations.iter().map(ToString::to_string).collect(),
            layout: draft_of_layout(&plan.layout),
        };
        Ok(PlanView { row: self.inner.plan_row(&plan)?, draft })
    }

    /// Adds a plan, or changes it when `id` is set.
    pub async fn save_plan(&self, draft: PlanDraft) -> Result<PlanSaved> {
        let action = if draft.id.is_some() { "plan.change" } else { "plan.add" };
        let name = draft.name.trim().to_owned();
        let result = self.inner.store_plan(draft).await;
        let (plan, new_key) = self.inner.audited(action, &name, result)?;
        self.inner.store_configuration_copies().await;
        self.inner.changed("plans");
        self.inner.changed("servers");
        let kit = if new_key { self.inner.kit_of_plan(&plan).await? } else { None };
        Ok(PlanSaved { row: self.inner.plan_row(&plan)?, kit })
    }

    /// Removes a plan; its backups stay.
    pub async fn remove_plan(&self, id: &str) -> Result<()> {
        let plan = self.inner.store.plan(&PlanId::from(id))?;
        // Held for the moment of removal: a backup of it must not be going on.
        let held = self.inner.locks.hold_plan(&plan.id)?;
        let result = match &held {
            // Its archives stay, and so must what opens them: without that, the plan stays too.
            Some(_) => self.inner.keep_key_of(&plan).await.and_then(|_| self.inner.store.delete_plan(&plan.id)),
            None => Err(Error::new(
                ErrorClass::Locked,
                format!("Cannot remove the plan \"{}\": a backup of it is running", plan.name),
            )
            .hint("Wait for it to end, or cancel it in Activity")),
        };
        self.inner.audited("plan.remove", &plan.name, result)?;
        if seals(&plan.layout) {
            self.inner.forget_secret(SecretName::archive_key(&plan.id)).await;
        }
        for item in plan.items.iter().filter(|item| has_login(&item.kind)) {
            self.inner.forget_secret(SecretName::item_password(&plan.id, &item.name)).await;
        }
        self.inner.changed("plans");
        self.inner.changed("servers");
        Ok(())
    }

    /// Leaves paths out of a plan's files from now on.
    pub async fn exclude_from_plan(&self, id: &str, paths: Vec<String>) -> Result<PlanRow> {
        let mut plan = self.inner.store.plan(&PlanId::from(id))?;
        let subject = format!("{}: {}", plan.name, paths.join(", "));
        let result = self.inner.exclude(&mut plan, &paths);
        self.inner.audited("plan.exclude", &subject, result)?;
        self.inner.changed("plans");
        self.inner.plan_row(&plan)
    }
}

impl Inner {
    /// Stores a plan; tells too whether its archives got a new key.
    async fn store_plan(&self, draft: PlanDraft) -> Result<(Plan, bool)> {
        let name = checked_name(&draft.name, "plan")?;
        let known = draft.id.as_deref().map(|id| self.store.plan(&PlanId::from(id))).transpose()?;
        let server = self.store.server(&ServerId::from(draft.server.as_str()))?;
        let destinations = self.checked_destinations(&draft.destinations)?;
        if draft.items.is_empty() {
            return Err(invalid(format!("The plan \"{name}\" has nothing to back up")).hint("Add files or a database"));
        }
        let id = known.as_ref().map_or_else(PlanId::random, |plan| plan.id.clone());
        let taken = self.store.plans()?.into_iter().any(|plan| plan.name == name && plan.id != id);
        if taken {
            return Err(Error::new(ErrorClass::Exists, format!("There is a plan called {name} already"))
                .hint("Choose another name"));
        }
        let items = name_items(&draft.items)?;
        for item in &items {
            self.kind(&item.kind)?.validate(item)?;
        }
        self.check_not_ours(&name, &server, &items).await?;
        let layout = layout_of(&draft.layout)?;
        match &layout {
            PlanLayout::Vault => self.make_copies(&destinations).await?,
            PlanLayout::Archive(settings) => drop(self.name_now(&draft, settings)?),
        }
        let new_key = self.store_archive_key(&id, known.as_ref(), &layout, draft.layout.key.as_deref()).await?;
        for (item, draft) in items.iter().zip(&draft.items) {
            let secret = SecretName::item_password(&id, &item.name);
            match draft.password.as_deref() {
                Some("") => self.forget_secret(secret).await,
                Some(text) => self.put_secret(secret, Secret::new(text)).await?,
                None => {}
            }
        }
        let created = known.as_ref().map_or_else(|| self.clock.now(), |plan| plan.created);
        let destinations = destinations.into_iter().map(|config| config.id).collect();
        // A new key is in no kit that was confirmed before.
        let kit_confirmed = known.as_ref().is_some_and(|plan| plan.kit_confirmed) && !new_key;
        let plan = Plan { id, name, server: server.id, items, destinations, layout, kit_confirmed, created };
        self.store.put_plan(&plan)?;
        let gone =
            known.iter().flat_map(|known| &known.items).filter(|old| !plan.items.iter().any(|i| i.name == old.name));
        for item in gone.filter(|item| has_login(&item.kind)) {
            self.forget_secret(SecretName::item_password(&plan.id, &item.name)).await;
        }
        Ok((plan, new_key))
    }

    /// Refuses a plan that picks nothing but folders in which Backstay keeps backups.
    async fn check_not_ours(&self, name: &str, server: &Server, items: &[Item]) -> Result<()> {
        let own = self.own_folders(server, None).await?;
        let mut first = None;
        for item in items {
            let left_out = leave_out(&own, &mut item.clone()).await;
            if !left_out.is_all {
                return Ok(());
            }
            first = first.or_else(|| left_out.picked.into_iter().next());
        }
        first.map_or(Ok(()), |ours| Err(nothing_else(&format!("save the plan \"{name}\""), &ours)))
    }

    fn exclude(&self, plan: &mut Plan, paths: &[String]) -> Result<()> {
        let Some(item) = plan.items.iter_mut().find(|item| item.kind == "files") else {
            return Err(invalid(format!("The plan \"{}\" has no files to leave out of", plan.name)));
        };
        let ItemSettings::Files(mut settings) = draft_of_settings(&item.kind, &item.settings)? else {
            return Err(invalid("The plan's files cannot be read"));
        };
        for text in paths {
            // As `exclude=` of an item has it: a path begins with a slash, anything else is a pattern.
            let text = if text.starts_with('/') {
                let path = RawPath::from_text(text)?;
                if path.is_root() {
                    return Err(invalid("The root folder cannot be left out"));
                }
                path.to_text()
            } else {
                text.clone()
            };
            if !settings.excludes.contains(&text) {
                settings.excludes.push(text);
            }
        }
        item.settings = settings_of(&ItemSettings::Files(settings))?.1;
        self.kind("files")?.validate(item)?;
        self.store.put_plan(plan)
    }

    pub(crate) fn plan_row(&self, plan: &Plan) -> Result<PlanRow> {
        let last = self.last_run(&plan.id)?;
        let backup = self.newest_backup(&plan.id)?;
        let what = plan.items.iter().map(|item| match self.kind(&item.kind) {
            Ok(kind) => kind.describe(item),
            Err(_) => item.kind.clone(),
        });
        let mut kinds: Vec<String> = plan.items.iter().map(|item| item.kind.clone()).collect();
        kinds.dedup();
        let names = plan.destinations.iter().map(|id| match self.store.destination(id) {
            Ok(destination) => destination.name,
            Err(_) => id.to_string(),
        });
        let (state, state_text) = run_words(last.as_ref());
        let mut missing_copies = 0;
        for destination in &plan.destinations {
            missing_copies += self.missing_at(&plan.id, destination)?;
        }
        Ok(PlanRow {
            id: plan.id.to_string(),
            name: plan.name.clone(),
            server: plan.server.to_string(),
            server_name: self.store.server(&plan.server).map(|server| server.name).unwrap_or_default(),
            what: what.collect::<Vec<_>>().join(" · "),
            kinds,
            destinations: names.collect(),
            layout: layout_words(&plan.layout),
            kit_confirmed: seals(&plan.layout).then_some(plan.kit_confirmed),
            missing_copies,
            last_run: last.as_ref().map(|run| millis(run.started.unwrap_or(run.created))),
            last_run_id: last.as_ref().map(|run| run.id.to_string()),
            state,
            state_text,
            last_backup: backup.as_ref().map(|known| millis(known.record.started)),
            last_bytes: backup.as_ref().map(|known| known.record.counts.bytes),
        })
    }

    /// Returns a plan's newest backup run.
    pub(crate) fn last_run(&self, plan: &PlanId) -> Result<Option<Run>> {
        let query = RunQuery { plan: Some(plan.clone()), kind: Some(RunKind::Backup), limit: 1, ..RunQuery::default() };
        self.newest(|until| self.store.runs(&RunQuery { until, ..query.clone() }))
    }

    /// Returns a plan's newest backup.
    pub(crate) fn newest_backup(&self, plan: &PlanId) -> Result<Option<KnownBackup>> {
        let query = BackupQuery { plan: Some(plan.clone()), limit: 1, ..BackupQuery::default() };
        self.newest(|until| self.store.backups(&BackupQuery { until, ..query.clone() }))
    }

    /// Returns the first of a page that is ordered by time. What is dated ahead, made while a clock was wrong, counts only
    /// where there is nothing else: it must not hide what came since.
    pub(crate) fn newest<T>(&self, page: impl Fn(Option<DateTime<Utc>>) -> Result<Page<T>>) -> Result<Option<T>> {
        let believed = page(Some(self.believed_until()))?.rows.into_iter().next();
        Ok(match believed {
            None => page(None)?.rows.into_iter().next(),
            found => found,
        })
    }

    /// Returns the latest moment that something may be dated by now.
    pub(crate) fn believed_until(&self) -> DateTime<Utc> {
        self.clock.now() + CLOCKS_APART
    }
}

/// Returns a run's state and why, in a few words.
pub(crate) fn run_words(run: Option<&Run>) -> (String, String) {
    let Some(run) = run else { return ("never".into(), "Never ran".into()) };
    let text = match run.state {
        RunState::Waiting => "Waiting".into(),
        RunState::Running => "Running".into(),
        RunState::Done => "Done".into(),
        RunState::DoneWithProblems => count_text(run.problems, "problem", "problems"),
        RunState::Failed => run.error.as_ref().map_or_else(|| "Failed".into(), |error| error.message.clone()),
        RunState::Cancelled => "Cancelled".into(),
        RunState::Interrupted => "Backstay ended while it ran".into(),
    };
    (run_state_word(run.state).into(), text)
}

pub(crate) fn has_login(kind: &str) -> bool {
    !matches!(kind, "files" | "sqlite")
}

/// Gives every item a name of its own, and splits its settings from its kind.
fn name_items(drafts: &[ItemDraft]) -> Result<Vec<Item>> {
    let given: Vec<&str> = drafts.iter().map(|draft| draft.name.trim()).filter(|name| !name.is_empty()).collect();
    let mut names: Vec<String> = Vec::new();
    let mut items = Vec::new();
    for draft in drafts {
        let (kind, settings) = settings_of(&draft.settings)?;
        let name = match draft.name.trim() {
            "" => (1..)
                .map(|n| if n == 1 { kind.clone() } else { format!("{kind}-{n}") })
                .find(|name| !names.contains(name) && !given.contains(&name.as_str()))
                .unwrap_or_default(),
            name => name.to_owned(),
        };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > 60 || !name.bytes().all(plain) {
            return Err(invalid(format!("\"{name}\" cannot be an item's name"))
                .hint("Use lower-case letters, digits and hyphens"));
        }
        if names.contains(&name) {
            return Err(invalid(format!("Two items of the plan are called {name}")).hint("Give each its own name"));
        }
        names.push(name.clone());
        items.push(Item { name, kind, settings });
    }
    Ok(items)
}

/// Splits a draft's settings into the kind and its JSON.
pub(crate) fn settings_of(settings: &ItemSettings) -> Result<(String, serde_json::Value)> {
    let broken = || Error::new(ErrorClass::Internal, "Cannot read the settings of an item");
    let mut value = serde_json::to_value(settings).map_err(|e| broken().source(e))?;
    let kind = value.as_object_mut().and_then(|object| object.remove("kind"));
    match kind {
        Some(serde_json::Value::String(kind)) => Ok((kind, value)),
        _ => Err(broken()),
    }
}

/// Joins a kind and its JSON into a draft's settings.
pub(crate) fn draft_of_settings(kind: &str, settings: &serde_json::Value) -> Result<ItemSettings> {
    let mut value = match settings {
        serde_json::Value::Null => serde_json::json!({}),
        other => other.clone(),
    };
    if let Some(object) = value.as_object_mut() {
        object.insert("kind".into(), kind.into());
    }
    serde_json::from_value(value).map_err(|e| {
        Error::new(ErrorClass::Unsupported, format!("Cannot show the settings of an item of kind \"{kind}\""))
            .hint("It was made by another version of Backstay")
            .source(e)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use backstay_contract::FilesSettings;

    fn files(name: &str) -> ItemDraft {
        let settings = ItemSettings::Files(FilesSettings { paths: vec!["/srv".into()], ..FilesSettings::default() });
        ItemDraft { name: name.into(), settings, password: None }
    }

    #[test]
    fn items_get_names_of_their_own() {
        let names = |drafts: &[ItemDraft]| -> Vec<String> {
            name_items(drafts).unwrap().into_iter().map(|item| item.name).collect()
        };
        assert_eq!(names(&[files(""), files(""), files("web")]), ["files", "files-2", "web"]);
        assert_eq!(names(&[files(""), files("files")]), ["files-2", "files"]);
        assert!(name_items(&[files("a"), files("a")]).is_err());
        assert!(name_items(&[files("Über")]).is_err());
    }

    #[test]
    fn settings_go_round() {
        let draft = files("x").settings;
        let (kind, value) = settings_of(&draft).unwrap();
        assert_eq!(kind, "files");
        assert!(value.get("kind").is_none());
        assert_eq!(draft_of_settings(&kind, &value).unwrap(), draft);
        assert!(draft_of_settings("tape", &value).is_err());
    }
}
