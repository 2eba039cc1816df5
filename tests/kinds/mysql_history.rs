//! MariaDB: what rows were before comes back too, or it is said that it does not.

use crate::databases::{collect, mysql, restore};
use crate::host::TestHost;
use crate::replace::REPLACE;
use backstay_core::run::ProblemKind;
use backstay_lab::databases::{MariaDb, OWNER_PASSWORD};

#[tokio::test]
async fn tables_with_a_history_keep_it() {
    let Some(server) = MariaDb::start().unwrap() else { return };
    server
        .sql(
            "create database shop; use shop; create table price (id int primary key, cents int) with system versioning; \
             insert into price values (1, 100); update price set cents = 200; update price set cents = 300; \
             create table plain (a int)",
        )
        .unwrap();
    let all = "select id, cents, row_start, row_end from shop.price for system_time all order by row_start";
    let before = server.sql(all).unwrap();
    assert_eq!(before.lines().count(), 3);
    let (host, item) = (TestHost::default(), mysql(&server, &["shop"], OWNER_PASSWORD));
    let (report, backup, recorder) = collect(&host, &item).await;
    assert_eq!((report.unwrap().files, recorder.by_subject()), (1, Default::default()));
    for drop in ["drop table shop.price", "drop database shop"] {
        server.sql(drop).unwrap();
        let (_, report, recorder) = restore(&host, &item, &backup, REPLACE, None).await;
        assert_eq!((report.unwrap().files, recorder.by_subject()), (1, Default::default()));
        assert_eq!(server.sql(all).unwrap(), before);
    }

    // The tool cannot dump this sort of history, and must not fail over it.
    server
        .sql(
            "create table shop.by_number (id int primary key, a bigint unsigned generated always as row start, \
             b bigint unsigned generated always as row end, period for system_time (a, b)) with system versioning",
        )
        .unwrap();
    let (report, _, recorder) = collect(&host, &item).await;
    assert_eq!(report.unwrap().files, 1);
    let (kind, why) = &recorder.by_subject()["database shop"];
    assert!(*kind == ProblemKind::Skipped && why.contains("The history of by_number"), "{why}");
}
