//! Replacing a database: what is there stays as it was until the new one is whole.

use crate::databases::{collect, cut, mysql, postgres, restore};
use crate::host::TestHost;
use crate::memory::{Backup, Recorder, kind};
use backstay_core::kind::{ItemInput, RestoreMode, RestoreOptions};
use backstay_core::{Error, RawPath, Result, RunContext};
use backstay_lab::databases::{MariaDb, OWNER_PASSWORD, Postgres};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio_util::sync::CancellationToken;

pub const REPLACE: RestoreMode = RestoreMode::Replace;

/// Damages a dump whose begin and end stay: the last command of an SQL text, or the middle of a packed one.
fn damaged(backup: &Backup, ending: &str) -> Backup {
    let mut backup = backup.clone();
    let (entry, bytes) =
        backup.entries.values_mut().find(|(e, _)| e.path.as_bytes().ends_with(ending.as_bytes())).unwrap();
    let (at, gone) = match bytes.windows(7).rposition(|window| window == b"CREATE ") {
        Some(at) if ending.ends_with(".sql") => (at + 3, 2),
        _ => (bytes.len() / 2, 1000),
    };
    *bytes = Arc::new([&bytes[..at], &bytes[at + gone..]].concat());
    entry.size_bytes = bytes.len() as u64;
    backup
}

/// Content that stops coming, just when the user cancels.
pub struct Hang(pub CancellationToken);

impl AsyncRead for Hang {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        self.0.cancel();
        Poll::Pending
    }
}

/// Restores with a cancel in the middle of one content.
pub async fn cancelled(host: &TestHost, item: &ItemInput, backup: &Backup, ending: &'static str) -> Error {
    let (ctx, _) = Recorder::context();
    let kind = kind(&item.item.kind);
    let options = RestoreOptions { mode: REPLACE, to: None, strip: RawPath::root(), only: Vec::new() };
    let plan = kind.plan_restore(&RunContext::silent(), host, item, &backup.listing(), &options).await.unwrap();
    let cancel = ctx.cancel.clone();
    let mut source = backup.source().altered(move |now, content| {
        if now.path.as_bytes().ends_with(ending.as_bytes()) {
            return Box::new(content.take(now.size_bytes / 2).chain(Hang(cancel.clone())));
        }
        content
    });
    kind.restore(&ctx, &host.shared(), item, &mut source, &plan, &options).await.unwrap_err()
}

pub fn mysql_names(server: &MariaDb) -> String {
    server.sql("select schema_name from information_schema.schemata where schema_name like '%shop%'").unwrap()
}

#[tokio::test]
async fn mariadb_stays_as_it_was_until_the_new_one_is_whole() {
    let Some(server) = MariaDb::start().unwrap() else { return };
    server.load_fixture("shop").unwrap();
    server
        .sql(
            "use shop; create table bill (id int primary key, customer int, foreign key (customer) references customer (id)); \
             insert into bill values (1, 1); create view poor as select twice(id) as t from rich; \
             create sequence number; \
             create trigger shop.named after insert on shop.bill for each row set @billed = 1",
        )
        .unwrap();
    let host = TestHost::default();
    let item = mysql(&server, &["shop"], OWNER_PASSWORD);
    let before = server.fingerprint("shop").unwrap();
    let (report, backup, _) = collect(&host, &item).await;
    report.unwrap();
    server
        .sql(
            "use shop; update customer set name = 'newer'; create table later (a int); drop procedure greet; \
              alter database shop character set latin1; create view rich_too as select * from later",
        )
        .unwrap();
    let now = server.fingerprint("shop").unwrap();
    assert_ne!(now, before);

    let dump = &backup.get("/.backstay/mysql/shop.sql").unwrap().1;
    for bad in [damaged(&backup, "shop.sql"), cut(&backup, "shop.sql", dump.len() / 2)] {
        let (_, report, recorder) = restore(&host, &item, &bad, REPLACE, None).await;
        assert!(report.is_err());
        let reason = &recorder.by_subject()["database shop"].1;
        assert!(reason.contains("the database shop is as it was"), "{reason}");
        assert_eq!(server.fingerprint("shop").unwrap(), now);
        assert_eq!(mysql_names(&server).trim(), "shop");
    }
    assert!(cancelled(&host, &item, &backup, "shop.sql").await.is_cancelled());
    assert_eq!(server.fingerprint("shop").unwrap(), now);
    assert_eq!(mysql_names(&server).trim(), "shop");

    // What a killed restore left is dropped, what somebody else made under that name is not.
    server.sql("create database shop_backstay_new; create table shop_backstay_new.mine (a int)").unwrap();
    let (_, _, recorder) = restore(&host, &item, &backup, REPLACE, None).await;
    assert!(recorder.by_subject()["database shop"].1.contains("shop_backstay_new is in the way"));
    server.sql("create table shop_backstay_new.backstay_restoring (a int)").unwrap();
    server.sql("create database shop_backstay_old; create table shop_backstay_old.backstay_kept (a int)").unwrap();
    let (_, _, recorder) = restore(&host, &item, &backup, REPLACE, None).await;
    let reason = &recorder.by_subject()["database shop"].1;
    assert!(reason.contains("shop_backstay_old") && reason.contains("must not be dropped before"), "{reason}");
    server.sql("drop database shop_backstay_old").unwrap();
    server
        .sql(
            "create procedure shop.greet() select 1; create user clerk@localhost; \
             grant execute on procedure shop.greet to clerk@localhost with grant option",
        )
        .unwrap();
    let (_, report, recorder) = restore(&host, &item, &backup, REPLACE, None).await;
    assert_eq!((report.unwrap().files, recorder.by_subject()), (1, Default::default()));
    assert_eq!(server.fingerprint("shop").unwrap(), before);
    assert_eq!(mysql_names(&server).trim(), "shop");
    assert!(server.sql("delete from shop.customer where id = 1").is_err(), "the foreign key came along");
    assert_eq!(server.sql("select t from shop.poor").unwrap().trim(), "2");
    assert_eq!(server.sql("call shop.greet('you')").unwrap().trim(), "Hello you 🌊");
    let rights =
        "select proc_priv from mysql.procs_priv where db = 'shop' and user = 'clerk' and routine_name = 'greet'";
    assert_eq!(server.sql(rights).unwrap().trim(), "Execute,Grant");

    // One that was not there and could not be loaded is not there afterwards.
    server.sql("drop database shop").unwrap();
    restore(&host, &item, &damaged(&backup, "shop.sql"), REPLACE, None).await.1.unwrap_err();
    assert_eq!(mysql_names(&server).trim(), "");
}

#[tokio::test]
async fn mariadb_goes_back_when_the_exchange_fails_and_what_others_refer_to_is_refused() {
    let Some(server) = MariaDb::start().unwrap() else { return };
    server.load_fixture("shop").unwrap();
    let host = TestHost::default();
    let item = mysql(&server, &["shop"], OWNER_PASSWORD);
    let (report, backup, _) = collect(&host, &item).await;
    report.unwrap();
    // A view of the backup that works only while the database of the loading is there: the code does not load again.
    let mut bad = backup.clone();
    let (_, bytes) = bad.entries.values_mut().find(|(e, _)| e.path.as_bytes().ends_with(b"shop.sql")).unwrap();
    let end = b"\n-- Dump completed";
    let at = bytes.windows(end.len()).rposition(|window| window == end).unwrap();
    let view = b"\nCREATE VIEW tied AS SELECT a.id FROM shop_backstay_new.customer a, mysql.db b;\n";
    *bytes = Arc::new([&bytes[..at], view, &bytes[at..]].concat());
    server.sql("use shop; update customer set name = 'newer'; create table later (a int)").unwrap();
    let now = server.fingerprint("shop").unwrap();
    let (_, report, recorder) = restore(&host, &item, &bad, REPLACE, None).await;
    assert!(report.is_err());
    let reason = &recorder.by_subject()["database shop"].1;
    assert!(reason.contains("shop_backstay_new") && reason.contains("is as it was"), "{reason}");
    assert_eq!(server.fingerprint("shop").unwrap(), now);
    assert_eq!(mysql_names(&server).trim(), "shop");

    // A view that works no more cannot be made again: then it is not as it was.
    server.sql("use shop; create table base (a int); create view dead as select a from base; drop table base").unwrap();
    let (_, _, recorder) = restore(&host, &item, &bad, REPLACE, None).await;
    let reason = &recorder.by_subject()["database shop"].1;
    assert!(reason.contains("are gone: dead") && !reason.contains("is as it was"), "{reason}");
    assert_eq!(server.fingerprint("shop").unwrap(), now);

    // What somebody made under our name meanwhile stays.
    let mut meddling = backup.clone();
    let (_, bytes) = meddling.entries.values_mut().find(|(e, _)| e.path.as_bytes().ends_with(b"shop.sql")).unwrap();
    let at = bytes.windows(end.len()).rposition(|window| window == end).unwrap();
    let made = b"\nCREATE DATABASE shop_backstay_old; CREATE TABLE shop_backstay_old.mine (a int);\n";
    *bytes = Arc::new([&bytes[..at], made, &bytes[at..]].concat());
    let (_, report, _) = restore(&host, &item, &meddling, REPLACE, None).await;
    assert!(report.is_err());
    assert_eq!(server.fingerprint("shop").unwrap(), now);
    server.sql("drop table shop_backstay_old.mine; drop database shop_backstay_old").unwrap();
    assert_eq!(mysql_names(&server).trim(), "shop");

    server
        .sql("create database other; create table other.t (c int, foreign key (c) references shop.customer (id))")
        .unwrap();
    let (_, report, recorder) = restore(&host, &item, &backup, REPLACE, None).await;
    assert!(report.is_err());
    assert!(recorder.by_subject()["database shop"].1.contains("refer to it: other.t"), "{:?}", recorder.by_subject());
    assert_eq!(server.fingerprint("shop").unwrap(), now);
}

/// Restores by a plan that was made before `between`.
async fn restore_after(
    item: &ItemInput,
    backup: &Backup,
    mode: RestoreMode,
    between: impl FnOnce(),
) -> (Result<()>, Arc<Recorder>) {
    let (ctx, recorder) = Recorder::context();
    let (host, kind) = (TestHost::default(), kind(&item.item.kind));
    let options = RestoreOptions { mode, to: None, strip: RawPath::root(), only: Vec::new() };
    let plan = kind.plan_restore(&ctx, &host, item, &backup.listing(), &options).await.unwrap();
    between();
    let report = kind.restore(&ctx, &host.shared(), item, &mut backup.source(), &plan, &options).await;
    (report.map(drop), recorder)
}

#[tokio::test]
async fn a_database_that_appeared_since_the_plan_stays() {
    const MODES: [RestoreMode; 3] = [RestoreMode::Missing, RestoreMode::Newer, RestoreMode::Replace];
    if let Some(server) = MariaDb::start().unwrap() {
        server.load_fixture("shop").unwrap();
        let item = mysql(&server, &["shop"], OWNER_PASSWORD);
        let (report, backup, _) = collect(&TestHost::default(), &item).await;
        report.unwrap();
        for mode in MODES {
            server.sql("drop database shop").unwrap();
            let appear = || drop(server.sql("create database shop; create table shop.mine (a int)").unwrap());
            let (report, recorder) = restore_after(&item, &backup, mode, appear).await;
            assert!(report.is_err());
            assert!(recorder.by_subject()["database shop"].1.contains("and is now"), "{:?}", recorder.by_subject());
            assert_eq!(server.sql("show tables from shop").unwrap().trim(), "mine");
            assert_eq!(mysql_names(&server).trim(), "shop");
        }
    }
    if let Some(server) = Postgres::start().unwrap() {
        server.load_fixture("shop").unwrap();
        let item = postgres(&server, &["shop"], "custom", "postgres", OWNER_PASSWORD);
        let (report, backup, _) = collect(&TestHost::default(), &item).await;
        report.unwrap();
        // One that nobody may log in to is not seen by the plan.
        let hidden = ["create database shop", "create database shop allow_connections false"];
        for (mode, appear) in MODES.into_iter().flat_map(|mode| hidden.map(|appear| (mode, appear))) {
            server.sql("postgres", "drop database shop").unwrap();
            let appear = || drop(server.sql("postgres", appear).unwrap());
            let (_, recorder) = restore_after(&item, &backup, mode, appear).await;
            assert!(recorder.by_subject()["database shop"].1.contains("and is now"), "{:?}", recorder.by_subject());
            assert_eq!(postgres_names(&server).trim(), "shop");
            server.sql("postgres", "alter database shop allow_connections true").unwrap();
            assert!(server.sql("shop", "select 1 from note").is_err(), "it is the empty one");
        }
    }
}

fn postgres_names(server: &Postgres) -> String {
    server.sql("postgres", "select datname from pg_database where datname like '%shop%'").unwrap()
}

/// What belongs to a database and is in no dump.
fn postgres_around(server: &Postgres) -> String {
    let sql = "select pg_get_userbyid(datdba), datacl, datconnlimit, pg_encoding_to_char(encoding), datcollate, \
               shobj_description(oid, 'pg_database'), (select array_agg(setrole::regrole || ' ' || setconfig::text order by 1) \
               from pg_db_role_setting where setdatabase = d.oid) from pg_database d where datname = 'shop'";
    server.sql("postgres", sql).unwrap()
}

#[tokio::test]
async fn postgres_stays_as_it_was_until_the_new_one_is_whole() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let host = TestHost::default();
    server.load_fixture("shop").unwrap();
    server
        .sql(
            "postgres",
            "create role keeper login; create role reader; alter database shop owner to keeper; \
             revoke all on database shop from public; grant connect on database shop to reader with grant option; \
             comment on database shop is 'It''s the shop'; alter database shop connection limit 7; \
             alter database shop set search_path to \"$user\", public, \"Odd, one\"; \
             alter database shop set my.setting to 'a ''b'; alter role reader in database shop set work_mem to '8MB'",
        )
        .unwrap();
    let (before, around) = (server.fingerprint("shop").unwrap(), postgres_around(&server));
    for (format, ending) in [("custom", "shop.dump"), ("plain", "shop.sql")] {
        let item = postgres(&server, &["shop"], format, "postgres", OWNER_PASSWORD);
        let (report, backup, _) = collect(&host, &item).await;
        report.unwrap();
        server.sql("shop", "update note set body = 'newer'; create table later (a int)").unwrap();
        let now = server.fingerprint("shop").unwrap();
        assert_ne!(now, before);

        let length = backup.get(&format!("/.backstay/postgres/{ending}")).unwrap().1.len();
        for bad in [damaged(&backup, ending), cut(&backup, ending, length / 2)] {
            let (_, _, recorder) = restore(&host, &item, &bad, REPLACE, None).await;
            let reason = &recorder.by_subject()["database shop"].1;
            assert!(reason.contains("the database shop is as it was"), "{reason}");
            assert_eq!((server.fingerprint("shop").unwrap(), postgres_around(&server)), (now.clone(), around.clone()));
            assert_eq!(postgres_names(&server).trim(), "shop");
        }
        assert!(cancelled(&host, &item, &backup, ending).await.is_cancelled());
        assert_eq!((server.fingerprint("shop").unwrap(), postgres_around(&server)), (now.clone(), around.clone()));
        assert_eq!(postgres_names(&server).trim(), "shop");

        // Somebody is logged in; a killed restore left its database.
        server.sql("postgres", "create database shop_backstay_new").unwrap();
        let (_, _, recorder) = restore(&host, &item, &backup, REPLACE, None).await;
        assert!(recorder.by_subject()["database shop"].1.contains("shop_backstay_new is in the way"));
        let mark = "comment on database shop_backstay_new is 'Made by Backstay for a restore that is not over'";
        server.sql("postgres", mark).unwrap();
        let mut visitor = server.session("shop").unwrap();
        let (_, _, recorder) = restore(&host, &item, &backup, REPLACE, None).await;
        assert_eq!(recorder.by_subject(), Default::default(), "{format}");
        assert_eq!((server.fingerprint("shop").unwrap(), postgres_around(&server)), (before.clone(), around.clone()));
        assert_eq!(postgres_names(&server).trim(), "shop");
        visitor.kill().unwrap();
        visitor.wait().unwrap();
    }
}
