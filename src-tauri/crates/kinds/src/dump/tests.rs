#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn database_names_become_file_names_and_back() {
    for name in ["shop", "../etc", "a/b", "100%", ".hidden", "-x", "!globals", "new\nline", "ünï 日本", " lead"] {
        let file = file_name(name);
        assert!(!file.contains('/') && !file.starts_with('.') && !file.starts_with('!'), "{file}");
        assert_eq!(database_name(&file).unwrap(), name);
    }
    assert_eq!(database_name("bad%f"), None);
}

#[test]
fn a_lost_server_is_known_by_the_tools_words() {
    for (said, lost) in [
        ("ERROR 2013 (HY000) at line 2: Lost connection to server during query", true),
        ("ERROR 2006 (HY000) at line 1: MySQL server has gone away", true),
        ("ERROR 2006 (HY000) at line 1: Server has gone away", true),
        ("server closed the connection unexpectedly\n\tThis probably means", true),
        ("FATAL:  terminating connection due to administrator command", true),
        ("ERROR 1146 (42S02) at line 3: Table 'a.b' doesn't exist", false),
    ] {
        assert_eq!(is_lost(&tool_error("Cannot try", "tool", "exit status 1", said)), lost, "{said}");
    }
}

#[test]
fn errors_of_mysql_and_mariadb_say_what_to_do() {
    let log_in = (ErrorClass::Refused, "Check the user and password in the plan, and what that user may read");
    let gone = (ErrorClass::Missing, "Check whether the database is still there, or take it out of the plan");
    let down =
        (ErrorClass::Missing, "Check whether the database server is running, and its socket or port in the plan");
    let full = (ErrorClass::Full, "Make room there, then try again");
    for (said, told) in [
        ("ERROR 1045 (28000): Access denied for user 'keeper'@'localhost' (using password: YES)", log_in),
        (
            "mysqldump: Got error: 1045: Access denied for user 'a'@'b' (using password: NO) when trying to connect",
            log_in,
        ),
        ("mariadb-dump: Got error: 1698: \"Access denied for user 'root'@'localhost'\" when trying to connect", log_in),
        ("ERROR 1142 (42000) at line 1: SELECT command denied to user 'a'@'b' for table `shop`.`customer`", log_in),
        ("ERROR 1227 (42000): Access denied; you need (at least one of) the PROCESS privilege(s)", log_in),
        ("mysqldump: Got error: 1049: Unknown database 'gone' when selecting the database", gone),
        ("mariadb-dump: Got error: 1049: \"Unknown database 'gone'\" when selecting the database", gone),
        ("ERROR 2002 (HY000): Can't connect to local MySQL server through socket '/tmp/mysql.sock' (2)", down),
        ("ERROR 2002 (HY000): Can't connect to local server through socket '/run/mysqld/mysqld.sock' (2)", down),
        ("ERROR 2003 (HY000): Can't connect to MySQL server on '127.0.0.1:3307' (111)", down),
        ("ERROR 2013 (HY000) at line 7: Lost connection to MySQL server during query", down),
        ("ERROR 2006 (HY000) at line 7: MySQL server has gone away", down),
        ("ERROR 2006 (HY000) at line 7: Server has gone away", down),
        ("ERROR 1114 (HY000) at line 9: The table 'customer' is full", full),
        ("ERROR 1021 (HY000) at line 9: Disk full (/tmp/a.MAI); waiting for someone to free some space...", full),
        ("ERROR 3 (HY000) at line 9: Error writing file '/tmp/a' (Errcode: 28 \"No space left on device\")", full),
        ("ERROR 3 (HY000) at line 9: Error writing file '/tmp/a' (OS errno 28 - No space left on device)", full),
        ("ERROR 1064 (42000) at line 3: You have an error in your SQL syntax", (ErrorClass::Internal, DETAILS)),
    ] {
        let error = tool_error("Cannot try", "the client", "exit status 1", said);
        assert_eq!((error.class, error.hint.as_deref().unwrap()), told, "{said}");
        assert_eq!(error.message, format!("Cannot try: the client ended with exit status 1: {said}"));
    }
}

#[test]
fn a_dump_without_its_end_is_not_whole() {
    let whole = Whole { head: b"--", tail: b"-- Dump completed", at_least: 10 };
    let mut edges = Edges::default();
    edges.push(b"-- MariaDB dump\n");
    for _ in 0..100 {
        edges.push(b"insert into t values (1);\n");
    }
    assert!(whole.fault(edges.length, &edges.head, &edges.tail).unwrap().contains("cut short"));
    edges.push(b"-- Dump completed on 2026\n");
    assert_eq!(whole.fault(edges.length, &edges.head, &edges.tail), None);
    assert!(whole.fault(0, b"", b"").unwrap().contains("empty"));
}

#[test]
fn rows_in_a_failed_command_are_not_taken_for_the_clients_words() {
    let rows = "(1,'Access denied'),(2,'Lost connection'),(3,'ERROR 1007 (HY000)\\n')";
    let told = "ERROR 1062 (23000) at line 3: Duplicate entry '1' for key 'PRIMARY'";
    let said = format!("--------------\nINSERT INTO `t` VALUES {rows}\n--------------\n\n{told}\n");
    let error = tool_error("Cannot try", "mariadb", "exit status 1", &said);
    assert_eq!((error.class, error.detail.as_deref()), (ErrorClass::Internal, Some(told)));
    assert!(!is_lost(&error));
    assert_eq!(error.message, format!("Cannot try: mariadb ended with exit status 1: {told}"));
}
