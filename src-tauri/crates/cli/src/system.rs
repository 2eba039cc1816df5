//! Status, runs, the audit log, secrets.

use crate::ask;
use crate::common::{Session, absolute, path_text};
use crate::options::{AuditVerb, RunsArgs, SecretsVerb, SettingsArgs};
use crate::output::{self, Exit, cells, time, time_or_never};
use crate::watch::{is_over, what_next};
use backstay_contract::{RunFilter, SecretsStatus, Settings};
use backstay_core::Result;
use backstay_engine::{count_text, size_text};

/// Shows how protected everything is, and what needs the user.
pub async fn status(session: &Session) -> Result<Exit> {
    let overview = session.backstay.overview().await?;
    if session.json {
        output::object(&overview)?;
        return Ok(Exit::Done);
    }
    let mut lines = vec![cells(["SERVER", "LAST BACKUP", "LAST PROOF", "STATE"])];
    for row in &overview.servers {
        lines.push(cells([
            &row.name,
            &time_or_never(row.last_backup),
            &time_or_never(row.last_proof),
            &row.state_text,
        ]));
    }
    output::table(&lines)?;
    for run in &overview.active {
        output::text(&format!("Running: {} {} ({})", run.kind, run.title, run.state))?;
    }
    if overview.needs.is_empty() {
        output::text("Nothing needs you")?;
    }
    for need in &overview.needs {
        output::text(&format!("Needs you: {}: {}", need.subject, need.text))?;
    }
    Ok(Exit::Done)
}

/// Shows the settings, after changing those that were named.
pub async fn settings(session: &Session, args: SettingsArgs) -> Result<Exit> {
    let before = session.backstay.settings().await?;
    let wanted = Settings {
        theme: args.theme.unwrap_or_else(|| before.theme.clone()),
        notify: args.notify.unwrap_or_else(|| before.notify.clone()),
        stall_minutes: args.stall_minutes.unwrap_or(before.stall_minutes),
        stale_days: args.stale_days.unwrap_or(before.stale_days),
    };
    let now = if wanted == before { before } else { session.backstay.save_settings(wanted).await? };
    if session.json {
        output::object(&now)?;
        return Ok(Exit::Done);
    }
    let stall =
        if now.stall_minutes == 0 { "never".into() } else { count_text(now.stall_minutes.into(), "minute", "minutes") };
    output::table(&[
        cells(["Look of the window", &now.theme]),
        cells(["Notify when a run ends", &now.notify]),
        cells(["A silent run fails after", &stall]),
        cells(["A server is stale after", &count_text(now.stale_days.into(), "day", "days")]),
    ])?;
    Ok(Exit::Done)
}

/// Lists runs, or shows one.
pub async fn runs(session: &Session, args: RunsArgs) -> Result<Exit> {
    if let Some(id) = &args.run {
        return run(session, id).await;
    }
    let plan = match &args.plan {
        Some(name) => Some(session.plan(name).await?.id),
        None => None,
    };
    let filter = RunFilter { active: args.active, plan, limit: args.limit, ..RunFilter::default() };
    let page = session.backstay.runs(filter).await?;
    if session.json {
        output::object(&page)?;
        return Ok(Exit::Done);
    }
    let mut lines = vec![cells(["ID", "ASKED FOR", "KIND", "TITLE", "STATE", "PROBLEMS"])];
    for row in &page.rows {
        let problems = row.problems.to_string();
        lines.push(cells([&row.id, &time(row.created), &row.kind, &row.title, &row.state, &problems]));
    }
    output::table(&lines)?;
    Ok(Exit::Done)
}

async fn run(session: &Session, id: &str) -> Result<Exit> {
    let detail = session.backstay.run(id).await?;
    if session.json {
        session.print_run(&detail).await?;
        return Ok(Exit::Done);
    }
    let row = &detail.row;
    output::table(&[
        cells(["Run", &row.id]),
        cells(["Title", &row.title]),
        cells(["State", &row.state]),
        cells(["Started", &time_or_never(row.started)]),
        cells(["Ended", &time_or_never(row.ended)]),
        cells(["Files", &row.files.to_string()]),
        cells(["Size", &size_text(row.bytes)]),
    ])?;
    if let Some(error) = &row.error {
        output::text(&error.message)?;
    }
    for line in &detail.log {
        output::text(&format!("  {} {}", time(line.at), line.text))?;
    }
    for problem in session.problems(&row.id).await? {
        output::text(&format!("  {} {}: {}", problem.kind, problem.subject, problem.reason))?;
    }
    for next in what_next(&detail) {
        output::text(&next)?;
    }
    Ok(Exit::Done)
}

/// Cancels a run, in whatever process it is.
pub async fn cancel(session: &Session, id: &str) -> Result<Exit> {
    session.backstay.cancel_run(id).await?;
    if session.json {
        output::object(&serde_json::json!({ "cancelling": id }))?
    } else if is_over(&session.backstay.run(id).await?.row.state) {
        output::text(&format!("The run {id} is over; see it: backstay runs {id}"))?
    } else {
        output::text(&format!("Asked the run {id} to stop; see how it ends: backstay runs {id}"))?
    }
    Ok(Exit::Done)
}

/// Lists, verifies or exports the audit log.
pub async fn audit(session: &Session, verb: AuditVerb) -> Result<Exit> {
    match verb {
        AuditVerb::List { limit } => {
            let page = session.backstay.audit(0, limit).await?;
            if session.json {
                output::object(&page)?;
                return Ok(Exit::Done);
            }
            let mut lines = vec![cells(["NUMBER", "WHEN", "WHO", "WHAT", "ON", "OUTCOME"])];
            for row in &page.rows {
                let number = row.seq.to_string();
                lines.push(cells([&number, &time(row.at), &row.who, &row.action, &row.subject, &row.outcome]));
            }
            output::table(&lines)?;
            Ok(Exit::Done)
        }
        AuditVerb::Verify => {
            let check = session.backstay.verify_audit().await?;
            if session.json {
                output::object(&check)?;
            } else {
                match &check.fault {
                    None => output::text(&format!(
                        "The audit log is whole: {}",
                        count_text(check.good, "entry", "entries")
                    ))?,
                    Some(fault) => output::text(fault)?,
                }
            }
            Ok(if check.fault.is_none() { Exit::Done } else { Exit::Failed })
        }
        AuditVerb::Export { file } => {
            let file = path_text(&absolute(&file)?)?;
            session.backstay.export_audit(&file).await?;
            if session.json {
                output::object(&serde_json::json!({ "file": file }))?
            } else {
                output::text(&format!("Wrote {file}"))?
            }
            Ok(Exit::Done)
        }
    }
}

/// Shows where secrets rest, or makes the sealed file.
pub async fn secrets(session: &Session, verb: SecretsVerb) -> Result<Exit> {
    let status = match verb {
        SecretsVerb::Status => session.backstay.secrets_status().await?,
        SecretsVerb::Create { passphrase_stdin } => create_file(session, passphrase_stdin).await?,
    };
    if session.json {
        output::object(&status)?;
        return Ok(Exit::Done);
    }
    let place = match (status.backend.as_str(), &status.file) {
        ("keyring", _) => "in the keyring of this computer".to_owned(),
        ("file", Some(file)) => format!("in the sealed file {file}"),
        _ => "nowhere yet".to_owned(),
    };
    output::text(&format!("Secrets rest {place}: {}", status.state.replace('_', " ")))?;
    if let Some(reason) = &status.reason {
        output::text(reason)?;
    }
    Ok(Exit::Done)
}

async fn create_file(session: &Session, from_stdin: bool) -> Result<SecretsStatus> {
    let status = session.backstay.secrets_status().await?;
    // BACKSTAY_PASSPHRASE has made or opened the file when the program started.
    if status.backend == "file" && status.state == "ready" && !from_stdin {
        return Ok(status);
    }
    if status.backend != "file" && status.keyring_used {
        eprintln!(
            "Secrets of this home rest in the keyring. The sealed file begins without them: what it lacks is looked up in \
             the keyring while that can be opened, and has to be given anew where it cannot."
        );
    }
    let passphrase = ask::secret("the passphrase of the sealed file")?;
    session.backstay.secrets_create_file(&passphrase).await
}
