//! The first screen: how protected each server is, and what needs the user.

use crate::backstay::{Backstay, Inner, locked};
use crate::plans::{run_words, seals};
use crate::servers::address_of;
use crate::words::{count_text, millis, time_text};
use backstay_contract::{Counts, FirstSteps, Need, Overview, ServerRow};
use backstay_core::config::{BackupQuery, Connection, Plan, Server};
use backstay_core::run::{Run, RunKind, RunState};
use backstay_core::store::RunQuery;
use backstay_core::{BackupId, ErrorClass, Result, ServerId};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{HashMap, HashSet};

/// How many restores are looked at for proofs.
const RESTORES_LOOKED_AT: u64 = 200;

/// What the rows are made of, read once for all of them.
struct Facts {
    plans: Vec<Plan>,
    last_runs: HashMap<String, Run>,
    busy: HashSet<ServerId>,
    /// When a backup of a server was last restored.
    restored: HashMap<ServerId, DateTime<Utc>>,
    stale: TimeDelta,
}

impl Backstay {
    /// Returns the first screen.
    pub async fn overview(&self) -> Result<Overview> {
        self.inner.sweep_interrupted()?;
        let servers = self.inner.server_rows()?;
        let plans = self.inner.store.plans()?;
        let destinations = self.inner.store.destinations()?;
        let backups = self.inner.store.backup_rows(&BackupQuery { limit: 1, ..BackupQuery::default() })?.total;
        let mut protected_bytes = 0_u64;
        for plan in &plans {
            let newest = self.inner.newest_backup(&plan.id)?;
            protected_bytes += newest.map_or(0, |known| known.record.counts.bytes);
        }
        let used = locked(&self.inner.used).clone();
        for config in destinations.iter().filter(|config| !used.contains_key(&config.id)) {
            self.inner.measure_used(config);
        }
        let stored: Option<Vec<u64>> = destinations.iter().map(|config| used.get(&config.id).copied()).collect();
        let active = RunQuery { active_only: true, limit: 100, ..RunQuery::default() };
        Ok(Overview {
            needs: self.inner.needs(&plans, &servers).await?,
            stored_bytes: stored.map(|sizes| sizes.into_iter().sum()),
            protected_bytes,
            added_bytes_7d: self.inner.store.bytes_added_since(self.inner.clock.now() - TimeDelta::days(7))?,
            counts: Counts {
                servers: servers.len() as u64,
                plans: plans.len() as u64,
                backups,
                destinations: destinations.len() as u64,
            },
            first_steps: FirstSteps {
                server: servers.iter().any(|server| !server.local),
                destination: !destinations.is_empty(),
                plan: !plans.is_empty(),
                backup: backups > 0,
            },
            active: self.inner.store.runs(&active)?.rows.iter().map(|run| self.inner.run_row(run)).collect(),
            servers,
        })
    }
}

impl Inner {
    /// Returns all servers as rows.
    pub(crate) fn server_rows(&self) -> Result<Vec<ServerRow>> {
        self.sweep_interrupted()?;
        let facts = self.protection_facts()?;
        self.store.servers()?.iter().map(|server| self.row_of(server, &facts)).collect()
    }

    /// Returns one server's row.
    pub(crate) fn server_row(&self, server: &Server) -> Result<ServerRow> {
        self.row_of(server, &self.protection_facts()?)
    }

    fn protection_facts(&self) -> Result<Facts> {
        let plans = self.store.plans()?;
        let mut last_runs = HashMap::new();
        for plan in &plans {
            if let Some(run) = self.last_run(&plan.id)? {
                last_runs.insert(plan.id.to_string(), run);
            }
        }
        let active = RunQuery { active_only: true, limit: 100, ..RunQuery::default() };
        let busy = self.store.runs(&active)?.rows.into_iter().filter_map(|run| run.server).collect();
        let restores = RunQuery { kind: Some(RunKind::Restore), limit: RESTORES_LOOKED_AT, ..RunQuery::default() };
        let mut restored: HashMap<ServerId, DateTime<Utc>> = HashMap::new();
        for run in self.store.runs(&restores)?.rows {
            if let (RunState::Done, Some(backup), Some(ended)) = (run.state, run.backup, run.ended)
                && let Some(server) = self.server_of(&backup)?
            {
                let newest = restored.entry(server).or_insert(ended);
                *newest = ended.max(*newest);
            }
        }
        let stale = TimeDelta::days(i64::from(self.settings()?.stale_days));
        Ok(Facts { plans, last_runs, busy, restored, stale })
    }

    /// The server a backup is of; `None` where the backup is gone, or of a server of another computer.
    fn server_of(&self, backup: &BackupId) -> Result<Option<ServerId>> {
        match self.store.backup(backup) {
            Ok(copies) => Ok(copies.into_iter().find_map(|known| known.record.server)),
            Err(error) if error.class == ErrorClass::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn row_of(&self, server: &Server, facts: &Facts) -> Result<ServerRow> {
        let query = BackupQuery { server: Some(server.id.clone()), limit: 1, ..BackupQuery::default() };
        let newest = self.newest(|until| self.store.backup_rows(&BackupQuery { until, ..query.clone() }))?;
        let proof = self.store.last_verified(&server.id)?.max(facts.restored.get(&server.id).copied());
        let plans: Vec<&Plan> = facts.plans.iter().filter(|plan| plan.server == server.id).collect();
        let (state, state_text) = self.protection(server, &plans, facts)?;
        let mut kinds: Vec<String> =
            server.facts.iter().flat_map(|found| &found.found).map(|found| found.kind.clone()).collect();
        kinds.sort();
        kinds.dedup();
        // What would come back: the newest of each plan. A backup whose plan is gone stands for itself.
        let mut bytes = None;
        for plan in &plans {
            if let Some(known) = self.newest_backup(&plan.id)? {
                bytes = Some(bytes.unwrap_or(0) + known.record.counts.bytes);
            }
        }
        Ok(ServerRow {
            id: server.id.to_string(),
            name: server.name.clone(),
            address: address_of(&server.connection),
            local: matches!(server.connection, Connection::Local { .. }),
            os: server.facts.as_ref().map(|found| found.os.clone()).filter(|os| !os.is_empty()),
            kinds,
            plans: plans.len() as u64,
            last_backup: newest.as_ref().map(|known| millis(known.record.started)),
            last_bytes: bytes.or(newest.as_ref().map(|known| known.record.counts.bytes)),
            places: newest.as_ref().map_or(0, |known| known.destinations.len() as u64),
            last_proof: proof.map(millis),
            state: state.into(),
            state_text,
        })
    }

    /// Says how a server stands: as its worst plan does. A fresh backup of one plan is none of another.
    fn protection(&self, server: &Server, plans: &[&Plan], facts: &Facts) -> Result<(&'static str, String)> {
        if facts.busy.contains(&server.id) {
            return Ok(("running", "A run is going on".into()));
        }
        if plans.is_empty() {
            return Ok(("unplanned", "No plan reads it".into()));
        }
        let last = |plan: &&Plan| facts.last_runs.get(plan.id.as_str()).map(|run| (plan.name.clone(), run));
        let failed = plans
            .iter()
            .filter_map(last)
            .find(|(_, run)| matches!(run.state, RunState::Failed | RunState::Interrupted));
        if let Some((name, run)) = failed {
            return Ok(("failed", format!("{name}: {}", run_words(Some(run)).1)));
        }
        let (mut never, mut problems, mut ahead) = (None, None, None);
        let mut stale: Option<(&Plan, TimeDelta)> = None;
        for plan in plans.iter().copied() {
            let Some(newest) = self.newest_backup(&plan.id)? else {
                never.get_or_insert(plan);
                continue;
            };
            if newest.record.started > self.believed_until() {
                ahead.get_or_insert((plan, newest.record.started));
            }
            let age = self.clock.now() - newest.record.started;
            if age > facts.stale && stale.is_none_or(|(_, most)| age > most) {
                stale = Some((plan, age));
            }
            if newest.record.problems > 0 {
                problems.get_or_insert((plan, newest.record.problems));
            }
        }
        let said = |plan: &Plan, text: String| match plans.len() {
            1 => text,
            _ => format!("{}: {text}", plan.name),
        };
        Ok(if let Some(plan) = never {
            ("never", said(plan, "No backup yet".into()))
        } else if let Some((plan, age)) = stale {
            let days = count_text(age.num_days().max(1) as u64, "day", "days");
            ("stale", said(plan, format!("Last backup {days} ago")))
        } else if let Some((plan, started)) = ahead {
            let text = format!("Last backup is dated {}, ahead of this computer's clock", time_text(started));
            ("stale", said(plan, text))
        } else if let Some((plan, count)) = problems {
            ("problems", said(plan, format!("Last backup has {}", count_text(count, "problem", "problems"))))
        } else {
            ("protected", "Protected".into())
        })
    }

    /// What needs the user, most urgent first.
    async fn needs(&self, plans: &[Plan], servers: &[ServerRow]) -> Result<Vec<Need>> {
        let mut needs = Vec::new();
        let status = self.with_secret_store(|parts| Ok(parts.secrets_status())).await?;
        if status.state != "ready" {
            let text = match status.state.as_str() {
                "locked" => "Secrets are locked: backups cannot run until they are unlocked",
                "keyring_closed" => "The keyring does not open: backups that need a password or key cannot run",
                _ => "There is no keyring here: make a sealed file with a passphrase to keep secrets in",
            };
            needs.push(need("secrets_locked", "Secrets", text.into()));
        }
        let mut later = Vec::new();
        for plan in plans {
            let last = self.last_run(&plan.id)?;
            let of_plan = |kind: &str, text: String, run: Option<&Run>| Need {
                plan: Some(plan.id.to_string()),
                server: Some(plan.server.to_string()),
                run: run.map(|run| run.id.to_string()),
                ..need(kind, &plan.name, text)
            };
            match &last {
                Some(run) if run.state == RunState::Failed => {
                    needs.push(of_plan("failed", run_words(Some(run)).1, Some(run)));
                    continue;
                }
                Some(run) if run.state == RunState::Interrupted => {
                    needs.push(of_plan("interrupted", "Backstay ended while it was backed up".into(), Some(run)));
                    continue;
                }
                Some(run) if run.state == RunState::DoneWithProblems => {
                    let text = format!("Backed up with {}", count_text(run.problems, "problem", "problems"));
                    later.push(of_plan("problems", text, Some(run)));
                }
                _ => {}
            }
            let running = last.as_ref().is_some_and(|run| !run.state.is_over());
            if !running && self.newest_backup(&plan.id)?.is_none() {
                later.push(of_plan("no_backup", "It was never backed up".into(), None));
            }
        }
        for server in servers.iter().filter(|server| server.state == "stale") {
            let text = server.state_text.clone();
            needs.push(Need { server: Some(server.id.clone()), ..need("no_backup", &server.name, text) });
        }
        let destinations = self.store.destinations()?;
        for config in &destinations {
            let damaged = self.damaged_at(&config.id)?;
            if damaged > 0 {
                let what = count_text(damaged, "damaged thing was", "damaged things were");
                let text = match self.may_be_mended(config)? {
                    true => format!("{what} found there: Sync writes anew what another destination has whole"),
                    false => format!(
                        "{what} found there, and no other destination has it: it can come from an older backup only, or from \
                         a copy kept elsewhere"
                    ),
                };
                let destination = Some(config.id.to_string());
                needs.push(Need { destination, ..need("damaged", &config.name, text) });
            }
        }
        for config in destinations.iter().filter(|config| !config.kit_confirmed) {
            let text =
                "Its recovery kit is not confirmed: without it, losing this computer means losing the backups".into();
            needs.push(Need {
                destination: Some(config.id.to_string()),
                ..need("kit_not_confirmed", &config.name, text)
            });
        }
        for plan in plans.iter().filter(|plan| seals(&plan.layout) && !plan.kit_confirmed) {
            let text = "The recovery kit of its key is not confirmed: without it, losing this computer means losing its archives";
            needs.push(Need { plan: Some(plan.id.to_string()), ..need("kit_not_confirmed", &plan.name, text.into()) });
        }
        needs.append(&mut later);
        Ok(needs)
    }
}

fn need(kind: &str, subject: &str, text: String) -> Need {
    Need { kind: kind.into(), subject: subject.into(), text, plan: None, server: None, destination: None, run: None }
}
