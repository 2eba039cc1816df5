//! Recovery kits: printed, written into a file, confirmed.

use crate::ask;
use crate::common::{Session, absolute, path_text};
use crate::options::{ConfirmArgs, KitArgs};
use crate::output::{self, Exit};
use backstay_core::Result;
use std::path::Path;

/// Whose kit it is.
#[derive(Clone, Copy)]
pub enum Of {
    /// A destination's, for its vault.
    Destination,
    /// A plan's, for its archives.
    Plan,
}

impl Of {
    async fn id(self, session: &Session, name: &str) -> Result<String> {
        match self {
            Self::Destination => session.destination_id(name),
            Self::Plan => Ok(session.plan(name).await?.id),
        }
    }
    /// Says what its holder can read.
    fn opens(self) -> &'static str {
        match self {
            Self::Destination => "every backup",
            Self::Plan => "every archive of the plan",
        }
    }
}

/// Prints a recovery kit, or writes it into a file.
pub async fn show(session: &Session, of: Of, args: &KitArgs) -> Result<Exit> {
    let id = of.id(session, &args.name).await?;
    if let Some(file) = &args.out {
        return save(session, of, &id, file).await;
    }
    let kit = match of {
        Of::Destination => session.backstay.recovery_kit(&id).await?,
        Of::Plan => session.backstay.plan_kit(&id).await?,
    };
    if session.json {
        output::object(&kit)?
    } else {
        output::text(&kit.text)?
    }
    Ok(Exit::Done)
}

async fn save(session: &Session, of: Of, id: &str, file: &Path) -> Result<Exit> {
    let html = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("html") || e.eq_ignore_ascii_case("htm"));
    let file = path_text(&absolute(file)?)?;
    session.backstay.save_recovery_kit(id, &file, if html { "html" } else { "txt" }).await?;
    if session.json {
        output::object(&serde_json::json!({ "file": file }))?;
    } else {
        let opens = of.opens();
        output::text(&format!("Wrote {file}: whoever has it can read {opens}, so print it and keep it safe"))?;
    }
    Ok(Exit::Done)
}

/// Confirms that a recovery kit is kept, by one of its words.
pub async fn confirm(session: &Session, of: Of, args: &ConfirmArgs) -> Result<Exit> {
    let id = of.id(session, &args.name).await?;
    let typed = ask::secret(&format!("word {} of the recovery kit", args.word))?;
    let ok = session.backstay.confirm_recovery_kit(&id, args.word, &typed).await?;
    if session.json {
        output::object(&serde_json::json!({ "confirmed": ok }))?;
    } else {
        output::text(if ok { "Confirmed" } else { "That is not the word on the recovery kit" })?;
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}
