//! Databases of PostgreSQL that are made anew: what belongs to them and is in no dump, hostile or not.

use crate::databases::{collect, restore};
use crate::host::TestHost;
use crate::memory::{Recorder, kind};
use crate::plain_dumps::without_globals;
use backstay_core::RawPath;
use backstay_core::kind::{RestoreMode, RestoreOptions};
use backstay_lab::databases::Postgres;

const MERGE: RestoreMode = RestoreMode::Merge;

/// How a database was made, and what belongs to it.
fn around(server: &Postgres, name: &str) -> String {
    let sql = "select pg_get_userbyid(datdba), datacl, datconnlimit, pg_encoding_to_char(encoding), datcollate, datctype, \
               to_json(d)->>'datlocprovider', to_json(d)->>'daticulocale', to_json(d)->>'datlocale', \
               shobj_description(oid, 'pg_database'), (select array_agg(setrole::regrole || ' ' || setconfig::text order by 1) \
               from pg_db_role_setting where setdatabase = d.oid) from pg_database d where datname = ";
    server.sql("postgres", &format!("{sql}'{name}'")).unwrap()
}

#[tokio::test]
async fn a_database_that_was_lost_comes_back_with_all_that_belongs_to_it() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let host = TestHost::default();
    server
        .sql(
            "postgres",
            "create database shop template template0 locale_provider icu icu_locale 'de-DE'; \
             create role keeper login; create role reader; alter database shop owner to keeper; \
             revoke all on database shop from public; grant connect on database shop to reader with grant option; \
             comment on database shop is E'It''s \\\\ the shop'; alter database shop connection limit 7; \
             alter database shop set search_path to \"$user\", public, \"Odd, one\"; \
             alter database shop set timezone to 'Asia/Tokyo'; alter database shop set my.setting to E'a ''b\\\\'; \
             alter role reader in database shop set work_mem to '8MB'",
        )
        .unwrap();
    server.sql("shop", "create table t (a text); insert into t values ('x')").unwrap();
    let before = around(&server, "shop");
    let item = without_globals(&server, "custom");
    let (report, backup, recorder) = collect(&host, &item).await;
    report.unwrap();
    assert_eq!(recorder.by_subject(), Default::default());

    let dump_and_about = ["/.backstay/postgres/shop.dump", "/.backstay/postgres/!item.json"];
    for only in [&[][..], &dump_and_about] {
        server.sql("postgres", "drop database shop").unwrap();
        let only: Vec<_> = only.iter().map(|path| RawPath::new(path).unwrap().to_relative()).collect();
        let options = RestoreOptions { mode: MERGE, to: None, strip: RawPath::root(), only };
        let (ctx, recorder) = Recorder::context();
        let kind = kind("postgres");
        let plan = kind.plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
        assert_eq!(plan.changes.len(), 1);
        kind.restore(&ctx, &host.shared(), &item, &mut backup.source(), &plan, &options).await.unwrap();
        assert_eq!(recorder.by_subject(), Default::default());
        assert_eq!(around(&server, "shop"), before);
        assert_eq!(server.sql("shop", "select a from public.t").unwrap().trim(), "x");
    }
    // Replaced, it keeps its collation.
    let (_, report, recorder) = restore(&host, &item, &backup, RestoreMode::Replace, None).await;
    report.unwrap();
    assert_eq!((around(&server, "shop"), recorder.by_subject()), (before, Default::default()));

    // Where the roles are gone too, the rest comes back and what could not is named.
    server.sql("postgres", "drop database shop; drop role keeper; drop role reader").unwrap();
    let (_, report, recorder) = restore(&host, &item, &backup, MERGE, None).await;
    report.unwrap();
    let said: Vec<_> = recorder.problems.lock().unwrap().iter().map(|problem| problem.reason.clone()).collect();
    assert!(said.iter().any(|said| said.contains("owner keeper")), "{said:?}");
    assert!(said.iter().any(|said| said.contains("reader") && said.contains("CONNECT")), "{said:?}");
    assert!(said.iter().any(|said| said.contains("reader") && said.contains("work_mem")), "{said:?}");
    let now = around(&server, "shop");
    assert!(now.contains("Asia/Tokyo") && now.contains("de-DE") && !now.contains("=Tc/"), "{now}");
}

#[tokio::test]
async fn a_setting_is_carried_over_as_what_it_is_and_never_run() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let host = TestHost::default();
    server.load_fixture("shop").unwrap();
    server.sql("postgres", "create role app login; alter database shop owner to app").unwrap();
    server
        .sql(
            "shop",
            "select set_config('search_path', 'a;alter/**/role/**/app/**/superuser', false); \
             alter database shop set search_path from current; \
             alter database shop set my.setting to E'\\\\''; alter role app superuser; --'",
        )
        .unwrap();
    let item = without_globals(&server, "custom");
    let (report, backup, _) = collect(&host, &item).await;
    report.unwrap();
    let (_, report, recorder) = restore(&host, &item, &backup, RestoreMode::Replace, None).await;
    report.unwrap();
    assert_eq!(recorder.by_subject(), Default::default());
    let gained = "select rolname from pg_roles where rolsuper and rolname <> 'postgres'";
    assert_eq!(server.sql("postgres", gained).unwrap().trim(), "");
    let path = server.sql("shop", "show search_path").unwrap();
    assert_eq!(path.trim(), "\"a;alter/**/role/**/app/**/superuser\"");
    assert!(around(&server, "shop").contains("alter role app superuser"));
}
