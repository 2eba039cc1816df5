//! Plain dumps of PostgreSQL go through psql, which must obey nothing that a hostile one holds.

use crate::databases::{collect, postgres, restore};
use crate::host::TestHost;
use crate::memory::{Backup, kind};
use backstay_core::kind::{ItemInput, RestoreMode, RestoreOptions};
use backstay_core::{RawPath, RunContext};
use backstay_lab::databases::{OWNER_PASSWORD, Postgres};
use std::sync::Arc;

const MERGE: RestoreMode = RestoreMode::Merge;

fn changed(backup: &Backup, ending: &str, change: impl Fn(String) -> String) -> Backup {
    let mut backup = backup.clone();
    let mut values = backup.entries.values_mut();
    let (entry, bytes) = values.find(|(e, _)| e.path.as_bytes().ends_with(ending.as_bytes())).unwrap();
    *bytes = Arc::new(change(String::from_utf8(bytes.to_vec()).unwrap()).into_bytes());
    entry.size_bytes = bytes.len() as u64;
    backup
}

pub fn without_globals(server: &Postgres, format: &str) -> ItemInput {
    let mut item = postgres(server, &["shop"], format, "postgres", OWNER_PASSWORD);
    item.item.settings["globals"] = false.into();
    item
}

#[tokio::test]
async fn a_plain_dump_runs_no_command_of_psql() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let host = TestHost::default();
    server.load_fixture("shop").unwrap();
    // What looks like commands within texts is none.
    server
        .sql(
            "shop",
            "create function odd() returns text language sql as $$ select '\n\\! false\n\\unrestrict a\n' $$; \
             comment on function odd() is E'x\n\\\\! false\n'; insert into note (body) values (E'\n\\\\! false\n\\\\.\n')",
        )
        .unwrap();
    let before = server.fingerprint("shop").unwrap();
    let item = without_globals(&server, "plain");
    let (report, backup, _) = collect(&host, &item).await;
    report.unwrap();
    let (_, report, recorder) = restore(&host, &item, &backup, MERGE, Some("/elsewhere")).await;
    report.unwrap();
    assert_eq!(recorder.by_subject(), Default::default());
    assert_eq!(server.fingerprint("shop_restored").unwrap(), before);
    assert_eq!(server.sql("shop_restored", "select odd()").unwrap(), "\n\\! false\n\\unrestrict a\n\n");
    server.sql("postgres", "drop database shop_restored").unwrap();

    let dir = tempfile::tempdir().unwrap();
    let witness = dir.path().join("was-here");
    let command = format!("\\! touch {}\n", witness.display());
    let own = |dump: &str| dump.lines().find_map(|line| line.strip_prefix("\\restrict ")).map(str::to_owned);
    let bare = |dump: String| {
        let lines = dump.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let end = "-- PostgreSQL database dump complete";
    let hostile = [
        changed(&backup, "shop.sql", |dump| bare(dump).replacen("\nSET ", &format!("\n{command}SET "), 1)),
        changed(&backup, "shop.sql", |dump| bare(dump).replace(end, &format!("select 1 {command};\n{end}"))),
        changed(&backup, "shop.sql", |dump| {
            let out = own(&dump).map(|key| format!("\\unrestrict {key}\n")).unwrap_or_default();
            dump.replacen("\nSET ", &format!("\n{out}{command}SET "), 1)
        }),
    ];
    for bad in hostile {
        let (_, report, recorder) = restore(&host, &item, &bad, MERGE, Some("/elsewhere")).await;
        assert!(report.is_err());
        assert!(recorder.by_subject().contains_key("database shop_restored"), "{:?}", recorder.by_subject());
        assert!(!witness.exists(), "the dump ran a command");
    }
    let ctx = RunContext::silent();
    let options = RestoreOptions { mode: MERGE, to: None, strip: RawPath::root(), only: Vec::new() };
    let plan = kind("postgres").plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
    assert!(!plan.warnings.iter().any(|warning| warning.contains("psql")), "this psql can be held: {plan:?}");
}
