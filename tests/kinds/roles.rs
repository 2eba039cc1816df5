//! Roles of PostgreSQL: a restore brings back the missing ones, and only `replace` touches those that are there.

use crate::databases::{collect, postgres, restore};
use crate::host::TestHost;
use backstay_core::kind::{ChangeKind, ItemInput, RestoreMode};
use backstay_lab::databases::{OWNER_PASSWORD, Postgres};

fn role(server: &Postgres, name: &str) -> String {
    let sql = "select rolcanlogin, rolsuper, rolpassword, rolvaliduntil, (select array_agg(setconfig) from pg_db_role_setting \
               where setrole = a.oid), (select array_agg(roleid::regrole) from pg_auth_members where member = a.oid) \
               from pg_authid a where rolname = ";
    server.sql("postgres", &format!("{sql}'{name}'")).unwrap()
}

#[tokio::test]
async fn roles_that_are_there_change_in_replace_alone_and_who_logs_in_never() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let host = TestHost::default();
    server.load_fixture("shop").unwrap();
    server
        .sql(
            "postgres",
            "create role keepers; create role app login superuser password 'leaked' in role keepers; \
             alter role app set work_mem = '9MB'; alter role postgres set work_mem = '9MB'; \
             create role clerk login password 'of the clerk' in role keepers; comment on role clerk is 'two\nlines; one';",
        )
        .unwrap();
    let item = postgres(&server, &["shop"], "custom", "postgres", OWNER_PASSWORD);
    let (report, backup, _) = collect(&host, &item).await;
    report.unwrap();
    let (app_then, clerk_then) = (role(&server, "app"), role(&server, "clerk"));
    server
        .sql(
            "postgres",
            "revoke keepers from app; alter role app nologin nosuperuser password 'new'; alter role app reset work_mem; \
             alter role postgres set work_mem = '10MB'; drop role clerk",
        )
        .unwrap();
    let (app_now, owner_now) = (role(&server, "app"), role(&server, "postgres"));

    for (turn, mode) in [RestoreMode::Missing, RestoreMode::Newer, RestoreMode::Merge].into_iter().enumerate() {
        let (plan, report, recorder) = restore(&host, &item, &backup, mode, None).await;
        let (report, is_merge) = (report.unwrap(), mode == RestoreMode::Merge);
        assert_eq!(recorder.by_subject(), Default::default());
        assert_eq!((role(&server, "app"), role(&server, "postgres")), (app_now.clone(), owner_now.clone()), "{mode:?}");
        assert_eq!(role(&server, "clerk"), clerk_then);
        assert_eq!(plan.changes[0].kind, ChangeKind::Create);
        assert_eq!(plan.changes[0].target, "roles and tablespaces that are missing");
        assert_eq!(plan.changes.len(), if is_merge { 2 } else { 1 });
        // Once the clerk is back, nothing is missing.
        assert_eq!((report.files, report.kept), if turn == 1 { (0, 2) } else { (1, 1) }, "{mode:?}");
    }

    let (plan, report, recorder) = restore(&host, &item, &backup, RestoreMode::Replace, None).await;
    report.unwrap();
    assert_eq!(recorder.by_subject(), Default::default());
    assert_eq!((role(&server, "app"), role(&server, "postgres")), (app_then, owner_now));
    assert_eq!(plan.changes[0].kind, ChangeKind::Overwrite);
    let warning = plan.warnings.iter().find(|warning| warning.starts_with("Roles")).unwrap();
    assert!(warning.contains("now: app, clerk, keepers.") && warning.ends_with("Not changed: postgres"), "{warning}");
    assert!(recorder.log.lock().unwrap().iter().any(|line| line.contains("app, clerk, keepers")));
}

#[tokio::test]
async fn nothing_is_planned_where_all_databases_are_there_and_stay() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let host = TestHost::default();
    server.load_fixture("shop").unwrap();
    let mut item: ItemInput = postgres(&server, &["shop"], "custom", "postgres", OWNER_PASSWORD);
    item.item.settings["globals"] = false.into();
    let (report, backup, _) = collect(&host, &item).await;
    report.unwrap();
    for mode in [RestoreMode::Missing, RestoreMode::Newer] {
        let (plan, report, _) = restore(&host, &item, &backup, mode, None).await;
        assert_eq!((plan.changes, plan.kept, report.unwrap().kept), (Vec::new(), 1, 1));
    }
}
