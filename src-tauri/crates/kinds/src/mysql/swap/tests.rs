//! Exchanges with a server whose answers are written down.
#![allow(clippy::unwrap_used)]

use super::*;
use backstay_lab::fake_host::{Answer, FakeHost};
use std::sync::atomic::{AtomicBool, Ordering};

/// The rows of all that lies in a database.
const ALL: &str = "union all";
const AWAY: &str = "ERROR 2006 (HY000) at line 1: Server has gone away";

/// The question for a database's tables.
fn tables_of(database: &str) -> String {
    format!("information_schema.tables where table_schema = '{database}' and table_type")
}

/// A server with the database `shop`, and beside it the one that was loaded to replace it.
fn server() -> FakeHost {
    let host = FakeHost::default();
    host.on("--batch", Answer::ok(""));
    host.on("mariadb-dump", Answer::ok("-- Dump completed on 2026-11-29\n"));
    let found = "mariadb\u{1e}mariadb from 11.8.2-MariaDB\u{1e}mariadb-dump\u{1e}mariadb-dump from 11.8.2\u{1e}\u{1e}";
    host.on("command -v mariadb", Answer::ok(found));
    host.on(&tables_of("shop"), Answer::ok("customer\n"));
    host.on(&tables_of("shop_backstay_new"), Answer::ok("backstay_restoring\ncustomer\n"));
    host
}

/// A server that has these databases under our names.
fn server_with(names: &str) -> FakeHost {
    let host = server();
    host.on("select schema_name from information_schema.schemata", Answer::ok(format!("shop\n{names}\n")));
    host
}

async fn exchanged(host: &FakeHost) -> Result<Vec<String>> {
    let settings = Settings::default();
    let tools = Tools::probe(host).await?;
    let client = Client { host, settings: &settings, tools: &tools, options: Vec::new() };
    Swap::prepare(&client, "shop").await?.take_the_place().await
}

fn was_dropped(host: &FakeHost, database: &str) -> bool {
    host.started().iter().any(|one| one.line().contains(&format!("drop database if exists `{database}`")))
}

#[tokio::test]
async fn nothing_waits_longer_than_a_minute_for_a_lock() {
    let host = server();
    assert_eq!(exchanged(&host).await.unwrap(), Vec::<String>::new());
    let renaming = "rename table `shop`.`customer` to `shop_backstay_old`.`customer`, \
                    `shop_backstay_new`.`customer` to `shop`.`customer`;";
    let mut is_renamed = false;
    for one in host.started() {
        let (line, input) = (one.line(), String::from_utf8_lossy(&one.stdin).into_owned());
        if line.contains("--database=") {
            assert!(input.starts_with("set lock_wait_timeout = 60;\n"), "{line}: {input}");
            is_renamed |= input.contains(renaming);
        }
        if line.contains("drop database") {
            assert!(line.contains("--execute=set lock_wait_timeout = 60; drop database if exists "), "{line}");
        }
    }
    assert!(is_renamed && was_dropped(&host, "shop_backstay_new") && was_dropped(&host, "shop_backstay_old"));
}

#[tokio::test]
async fn what_others_put_beside_the_old_database_stays_when_it_is_replaced() {
    for (there, stays) in [("customer\nbackstay_kept\n", false), ("customer\nbackstay_kept\nmine\n", true)] {
        let host = server();
        host.on(ALL, Answer::ok(there));
        let notes = exchanged(&host).await.unwrap();
        assert_eq!(was_dropped(&host, "shop_backstay_old"), !stays, "{there}");
        assert!(was_dropped(&host, "shop_backstay_new"));
        assert_eq!(notes.len(), usize::from(stays));
        let named = "It is replaced, but shop_backstay_old stays, with what was there before: Backstay did not put all \
                     of it there (mine)";
        assert!(notes.iter().all(|note| note.starts_with(named)), "{notes:?}");
    }
    let host = server();
    host.on(ALL, Answer::fail(1, AWAY));
    assert!(exchanged(&host).await.unwrap()[0].contains("shop_backstay_old could not be dropped"));
    assert!(!was_dropped(&host, "shop_backstay_old"));
}

#[tokio::test]
async fn what_others_put_there_stays_when_the_old_code_cannot_be_kept() {
    let all = [(Answer::ok("backstay_kept\n"), false), (Answer::ok("mine\n"), true), (Answer::fail(1, AWAY), true)];
    for (there, stays) in all {
        let host = server();
        let full = "ERROR 1114 (HY000) at line 2: The table 'backstay_kept' is full";
        host.on("--database=shop_backstay_old", Answer::fail(1, full)).on(ALL, there.clone());
        let error = exchanged(&host).await.unwrap_err();
        assert!(error.message.ends_with("; the database shop is as it was"), "{error}");
        assert_eq!(was_dropped(&host, "shop_backstay_old"), !stays, "{there:?}");
        assert!(was_dropped(&host, "shop_backstay_new"));
    }
}

#[tokio::test]
async fn what_is_left_beside_the_old_code_stays_when_the_exchange_goes_back() {
    let all = [(Answer::ok("backstay_kept\n"), false), (Answer::ok("customer\n"), true), (Answer::fail(1, AWAY), true)];
    for (there, stays) in all {
        let host = server();
        let waited = "ERROR 1205 (HY000) at line 2: Lock wait timeout exceeded; try restarting transaction";
        let has_failed = AtomicBool::new(false);
        host.on_line(move |line| {
            let fails = line.ends_with("--database=shop") && !has_failed.swap(true, Ordering::Relaxed);
            fails.then(|| Answer::fail(1, waited))
        });
        host.on(ALL, there.clone());
        let error = exchanged(&host).await.unwrap_err();
        let says = |words: &str| error.message.contains(words);
        assert!(says(waited), "{error}");
        assert_eq!(says("it must not be dropped before shop was looked at"), stays, "{error}");
        assert_eq!(says("the database shop is as it was"), !stays, "{error}");
        assert_eq!(was_dropped(&host, "shop_backstay_old"), !stays, "{there:?}");
        assert!(was_dropped(&host, "shop_backstay_new"));
    }
}

#[tokio::test]
async fn databases_under_our_names_are_not_taken_for_ours() {
    // The old one is kept there, and while it is, the new one stays too: an exchange may be at work.
    let host = server_with("shop_backstay_new\nshop_backstay_old");
    host.on(&tables_of("shop_backstay_old"), Answer::ok("backstay_kept\ncustomer\nmine\n"));
    let error = exchanged(&host).await.unwrap_err();
    assert!(error.class == ErrorClass::Exists && error.message.contains("must not be dropped before"), "{error}");
    assert!(!was_dropped(&host, "shop_backstay_old") && !was_dropped(&host, "shop_backstay_new"));

    for name in ["shop_backstay_old", "shop_backstay_new"] {
        let host = server_with(name);
        host.on(&tables_of(name), Answer::ok("mine\n"));
        let error = exchanged(&host).await.unwrap_err();
        let is_told = error.message.ends_with(&format!("the database {name} is in the way"));
        assert!(error.class == ErrorClass::Exists && is_told, "{error}");
        assert!(!was_dropped(&host, name));
    }
}

#[test]
fn where_only_the_name_is_in_the_way_a_way_out_is_told() {
    let (host, settings, tools) = (FakeHost::default(), Settings::default(), Tools::default());
    let client = Client { host: &host, settings: &settings, tools: &tools, options: Vec::new() };
    let swap = Swap { client: &client, name: "shop", temporary: "shop_new".into(), aside: "shop_old".into() };
    let hint = |said| swap.way_out(tool_error("Cannot load", "mariadb", "exit status 1", said)).hint.unwrap();
    for said in [
        "ERROR 1435 (HY000) at line 120: Trigger in wrong schema",
        "ERROR 1146 (42S02) at line 45: Table 'shop.customer' doesn't exist",
        "ERROR 1054 (42S22) at line 12: Unknown column 'shop.customer.id' in 'field list'",
        "ERROR 1054 (42S22) at line 12: Unknown column 'shop.customer.id' in 'SELECT'",
        "ERROR 1044 (42000) at line 22: Access denied for user 'keeper'@'localhost' to database 'shop_new'",
        // MariaDB's client shows the command first.
        "--------------\nCREATE DATABASE `shop_new`\n--------------\n\n\
         ERROR 1044 (42000) at line 22: Access denied for user 'keeper'@'localhost' to database 'shop_new'",
    ] {
        let told = "Something in it may work only under the name shop. Back shop up, drop it by hand, then restore it as a \
                    new one";
        assert_eq!(hint(said), told, "{said}");
    }
    for said in [
        "ERROR 1045 (28000): Access denied for user 'keeper'@'localhost' (using password: YES)",
        "ERROR 1064 (42000) at line 3: You have an error in your SQL syntax",
        "ERROR 1114 (HY000) at line 1054: The table 'customer' is full",
        "ERROR 2013 (HY000) at line 1146: Lost connection to MySQL server during query",
    ] {
        assert!(!hint(said).contains("under the name"), "{said}");
    }
}

#[tokio::test]
async fn rights_on_routines_that_could_not_be_read_are_named_with_the_grants_that_help() {
    let denied =
        "ERROR 1142 (42000) at line 1: SELECT command denied to user 'keeper'@'localhost' for table 'procs_priv'";
    for (asked, who) in
        [(Answer::ok("keeper@localhost\n"), "'keeper'@'localhost'"), (Answer::fail(1, ""), "the plan's user")]
    {
        let host = server();
        host.on("information_schema.routines where routine_schema = 'shop' limit 1", Answer::ok("greet\n"));
        host.on("mysql.procs_priv", Answer::fail(1, denied)).on("select current_user()", asked);
        let notes = exchanged(&host).await.unwrap();
        assert_eq!(notes.len(), 1, "{notes:?}");
        for words in [
            "rights of single users on its procedures and functions (EXECUTE, ALTER ROUTINE)".to_owned(),
            format!("{who} may not read them (mysql.procs_priv)"),
            "GRANT EXECUTE ON PROCEDURE `shop`.NAME TO USER".into(),
            format!("GRANT SELECT ON mysql.procs_priv TO {who}"),
        ] {
            assert!(notes[0].contains(&words), "{words}: {}", notes[0]);
        }
    }
}
