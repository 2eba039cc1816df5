//! An exchange of a database is not cut half way, whoever stops waiting for it.

use crate::databases::{collect, mysql};
use crate::host::TestHost;
use crate::memory::{Backup, Recorder, kind};
use crate::replace::{REPLACE, mysql_names};
use backstay_core::kind::{ItemInput, RestoreOptions};
use backstay_core::{RawPath, Result, RunContext};
use backstay_lab::databases::{MariaDb, OWNER_PASSWORD};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Starts to put a backup in the place of the database, and returns once the exchange has begun.
async fn begun(ctx: &RunContext, item: &ItemInput, backup: &Backup) -> JoinHandle<Result<()>> {
    let task = tokio::spawn({
        let (ctx, item, backup) = (ctx.clone(), item.clone(), backup.clone());
        async move {
            let (host, kind) = (TestHost::default(), kind("mysql"));
            let options = RestoreOptions { mode: REPLACE, to: None, strip: RawPath::root(), only: Vec::new() };
            let plan = kind.plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
            kind.restore(&ctx, &host.shared(), &item, &mut backup.source(), &plan, &options).await.map(drop)
        }
    });
    while ctx.unbroken.is_empty() {
        assert!(!task.is_finished(), "the exchange was not held");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    task
}

#[tokio::test]
async fn an_exchange_that_began_is_waited_for_by_who_ends_the_run_and_goes_on_without() {
    let Some(server) = MariaDb::start().unwrap() else { return };
    server.load_fixture("shop").unwrap();
    let item = mysql(&server, &["shop"], OWNER_PASSWORD);
    let before = server.fingerprint("shop").unwrap();
    let (report, backup, _) = collect(&TestHost::default(), &item).await;
    report.unwrap();
    for is_dropped in [false, true] {
        server.sql("use shop; update customer set name = 'newer'; create table later (a int)").unwrap();
        assert_ne!(server.fingerprint("shop").unwrap(), before);
        let (ctx, _) = Recorder::context();
        let task = begun(&ctx, &item, &backup).await;
        if is_dropped {
            // By somebody who knows nothing of exchanges.
            task.abort();
        } else {
            // As a run is ended from outside.
            ctx.cancel.cancel();
        }
        ctx.unbroken.close();
        ctx.unbroken.wait().await;
        task.abort();
        let _ = task.await;
        assert_eq!(server.fingerprint("shop").unwrap(), before, "dropped: {is_dropped}");
        assert_eq!(mysql_names(&server).trim(), "shop");
    }
}
