//! `backstay restore`: preview, confirm, do, report.

use crate::ask;
use crate::common::{Session, all_pages};
use crate::items;
use crate::options::{Mode, RestoreArgs};
use crate::output::{self, Exit};
use backstay_contract::{ChangeRow, DatabaseLogin, RestorePreview, RestoreRequest};
use backstay_core::{Error, ErrorClass, Result};
use backstay_engine::size_text;
use serde::Serialize;

/// Lines of each list shown in a preview; all of them with `--all`.
const LINES_SHOWN: u64 = 20;

/// Previews, confirms and runs a restore.
pub async fn run(session: &Session, args: RestoreArgs) -> Result<Exit> {
    let backup = session.backup(&args.backup).await?;
    let (server, target) = place(session, &backup, args.to.as_deref()).await?;
    let logins = logins(&args)?;
    let mode = args.mode.word().into();
    let request = RestoreRequest { backup, paths: args.only.clone(), server, target, mode, logins };
    let preview = session.backstay.plan_restore(request).await?;
    let nothing = nothing_to_do(&preview);
    if args.preview || nothing {
        if session.json {
            output::object(&with_lists(session, &preview).await?)?;
        } else if nothing {
            output::text(&preview.sentence)?;
            for warning in &preview.warnings {
                output::text(&format!("  Note: {warning}"))?;
            }
        } else {
            print_preview(session, &preview, args.all).await?;
        }
        return Ok(match (&preview.blocked, nothing) {
            (Some(_), false) => Exit::Failed,
            (_, true) if preview.not_restored > 0 => Exit::Problems,
            _ => Exit::Done,
        });
    }
    if !session.json && !args.yes {
        print_preview(session, &preview, args.all).await?;
    } else {
        // Nobody sees the preview.
        preview.warnings.iter().for_each(|warning| eprintln!("Note: {warning}"));
    }
    let typed = confirm(&args, &preview)?;
    let events = session.begin();
    let run = session.backstay.start_restore(&preview.id, typed).await?;
    let detail = session.watch(&run, events).await?;
    session.report(&detail).await
}

/// Reads how databases are logged in to; their passwords come from standard input.
fn logins(args: &RestoreArgs) -> Result<Vec<DatabaseLogin>> {
    let mut logins = args.database_login.iter().map(|text| items::login(text)).collect::<Result<Vec<_>>>()?;
    for name in &args.database_password_stdin {
        let login = logins.iter_mut().find(|login| login.item == *name).ok_or_else(|| {
            Error::new(ErrorClass::Invalid, format!("There is no --database-login for the item {name}"))
                .hint(format!("Add --database-login {name}:user=NAME"))
        })?;
        login.password = Some(ask::secret(&format!("the database password for {name}"))?);
    }
    Ok(logins)
}

/// Everything that can be restored is there as it is in the backup.
fn nothing_to_do(preview: &RestorePreview) -> bool {
    let changes = preview.create.any() || preview.overwrite.any() || preview.delete.any();
    preview.blocked.is_some() && !changes && preview.kept > 0 && preview.databases.is_empty()
}

fn confirm(args: &RestoreArgs, preview: &RestorePreview) -> Result<Option<String>> {
    let usage = |message: &str, hint: String| Err(Error::new(ErrorClass::Invalid, message).hint(hint));
    if args.mode == Mode::Replace && args.type_name.is_none() {
        let hint = format!("Add --type-name \"{}\" after a look at --preview", preview.server_name);
        return usage("A restore that replaces needs the server's name typed", hint);
    }
    if !args.yes {
        match ask::yes(&format!("Restore to {}?", preview.server_name)) {
            Some(true) => {}
            Some(false) => return Err(Error::cancelled()),
            None => {
                return usage(
                    "Cannot ask whether to restore: this is no terminal",
                    "Add --yes, or --preview to look only".into(),
                );
            }
        }
    }
    Ok(args.type_name.clone())
}

/// Reads `SERVER[:/PATH]`; without it, the backup goes back to where it came from.
async fn place(session: &Session, backup: &str, to: Option<&str>) -> Result<(String, Option<String>)> {
    let Some(text) = to else {
        let detail = session.backstay.backup(backup).await?;
        let id = detail.row.server.clone();
        let known = session.backstay.servers().await?.into_iter().find(|row| Some(&row.id) == id.as_ref());
        let by_name = match known {
            Some(row) => row,
            None => session.server(&detail.row.server_name).await.map_err(|_| {
                Error::new(ErrorClass::Missing, format!("The server {} is not set up here", detail.row.server_name))
                    .hint("Say where to: --to SERVER[:/PATH]")
            })?,
        };
        return Ok((by_name.id, None));
    };
    if let Ok(server) = session.server(text).await {
        return Ok((server.id, None));
    }
    match text.split_once(":/") {
        Some((name, path)) if !name.is_empty() => Ok((session.server(name).await?.id, Some(format!("/{path}")))),
        // No server is called so: it is a path without its server, or one that does not begin with a slash.
        _ if text.contains(':') || text.starts_with('/') => Err(Error::new(
            ErrorClass::Invalid,
            format!("Cannot restore to {text}: a server comes first, and a path on it begins with a slash"),
        )
        .hint("Write it as SERVER or SERVER:/PATH")),
        _ => Ok((session.server(text).await?.id, None)),
    }
}

/// A preview as JSON shows it: with every line of its lists.
#[derive(Serialize)]
struct WithLists<'a> {
    #[serde(flatten)]
    preview: &'a RestorePreview,
    create_list: Vec<ChangeRow>,
    overwrite_list: Vec<ChangeRow>,
    delete_list: Vec<ChangeRow>,
}

async fn with_lists<'a>(session: &Session, preview: &'a RestorePreview) -> Result<WithLists<'a>> {
    Ok(WithLists {
        preview,
        create_list: list(session, preview, "create").await?,
        overwrite_list: list(session, preview, "overwrite").await?,
        delete_list: list(session, preview, "delete").await?,
    })
}

/// Returns one list of a preview whole.
async fn list(session: &Session, preview: &RestorePreview, word: &str) -> Result<Vec<ChangeRow>> {
    all_pages(async |offset, limit| {
        let page = session.backstay.restore_preview_page(&preview.id, word, "", offset, limit).await?;
        Ok((page.rows, page.total))
    })
    .await
}

async fn print_preview(session: &Session, preview: &RestorePreview, all: bool) -> Result<()> {
    output::text(&preview.sentence)?;
    for warning in &preview.warnings {
        output::text(&format!("  Note: {warning}"))?;
    }
    for (word, sum) in [("create", preview.create), ("overwrite", preview.overwrite), ("delete", preview.delete)] {
        if !sum.any() {
            continue;
        }
        let (rows, more) = if all {
            (list(session, preview, word).await?, 0)
        } else {
            let page = session.backstay.restore_preview_page(&preview.id, word, "", 0, LINES_SHOWN).await?;
            (page.rows, page.total.saturating_sub(LINES_SHOWN))
        };
        for row in &rows {
            let size = if row.is_dir { "folder".into() } else { size_text(row.bytes) };
            output::text(&format!("  {word:<9} {} ({size})", row.target))?;
        }
        if more > 0 {
            output::text(&format!("  and {more} more to {word}; --all shows them"))?;
        }
    }
    if let Some(reason) = &preview.blocked {
        output::text(&format!("It cannot be done as asked: {reason}"))?;
    }
    Ok(())
}
