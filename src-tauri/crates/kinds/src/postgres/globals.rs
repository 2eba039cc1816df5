//! Roles and tablespaces: which statements of their dump are run, and which would change what must stay as it is.
//!
//! A password that was changed after a leak, or a right that was taken away, must not come back unasked. So the dump is
//! not run as it is: each statement is looked at for the role or tablespace it is about.

use super::client::Client;
use backstay_core::Result;
use backstay_core::kind::RestoreMode;
use std::collections::{BTreeSet, HashSet};

/// Unquoted, these are no names but stand for others.
const NO_NAMES: [&str; 7] = ["all", "current_role", "current_user", "none", "public", "session_user", "user"];
/// Settings the dump begins with; ours take their place.
const HEAD: [&str; 3] = ["client_encoding", "default_transaction_read_only", "standard_conforming_strings"];
const OUR_HEAD: &str = "set client_encoding = 'UTF8';\nset standard_conforming_strings = on;\n\
    set default_transaction_read_only = off;\n";

/// The roles and tablespaces of a server.
#[derive(Default)]
pub(super) struct There {
    pub roles: BTreeSet<String>,
    pub tablespaces: HashSet<String>,
    /// The role that logs in here, and the one the server was made with: whoever restores must not be locked out.
    pub untouchable: BTreeSet<String>,
}

impl There {
    /// Asks the server.
    pub(super) async fn look(client: &Client<'_>) -> Result<Self> {
        let roles = "select rolname, oid = 10 or rolname in (session_user, current_user) from pg_roles";
        let tablespaces = "select spcname from pg_tablespace";
        let mut there = Self::default();
        for row in client.query("postgres", roles, 2).await? {
            if row[1] == "t" {
                there.untouchable.insert(row[0].clone());
            }
            there.roles.insert(row[0].clone());
        }
        there.tablespaces = client.query("postgres", tablespaces, 1).await?.into_iter().flatten().collect();
        Ok(there)
    }

    /// Returns the roles that a `replace` may change, those of the server's own left out.
    pub(super) fn may_change(&self) -> Vec<&str> {
        let own = |role: &&String| role.starts_with("pg_") || self.untouchable.contains(*role);
        self.roles.iter().filter(|role| !own(role)).map(String::as_str).collect()
    }

    /// Chooses the statements of a dump that are run: in every mode but `replace` only those about what is not there.
    /// An error says which line is none that pg_dumpall writes.
    pub(super) fn choose(&self, dump: &str, mode: RestoreMode) -> std::result::Result<Chosen, String> {
        let mut chosen = Chosen { sql: OUR_HEAD.to_owned(), ..Chosen::default() };
        // Rights that somebody else granted stand between taking on that role and giving it back.
        let (mut taken_on, mut as_another) = (None, false);
        for statement in statements(dump)? {
            let Some(subject) = statement.subject() else {
                chosen.strange.push(statement.first_words());
                continue;
            };
            let (there, name, creates) = match &subject {
                Subject::Head => continue,
                Subject::TakeOn => {
                    taken_on = Some(statement.text);
                    continue;
                }
                Subject::GiveBack => {
                    taken_on = None;
                    if std::mem::take(&mut as_another) {
                        chosen.add(statement.text);
                    }
                    continue;
                }
                Subject::Role { name, .. } if self.untouchable.contains(name) => continue,
                Subject::Role { name, creates } => (self.roles.contains(name), name, *creates),
                Subject::Tablespace { name, creates } => (self.tablespaces.contains(name), name, *creates),
            };
            if there && (creates || mode != RestoreMode::Replace) {
                continue;
            }
            if let Some(text) = taken_on.take() {
                chosen.add(text);
                as_another = true;
            }
            chosen.add(statement.text);
            chosen.count += 1;
            if there { &mut chosen.changed } else { &mut chosen.made }.insert(name.clone());
        }
        Ok(chosen)
    }
}

/// What of a dump is run.
#[derive(Default)]
pub(super) struct Chosen {
    pub sql: String,
    /// How many statements about roles and tablespaces it has.
    pub count: usize,
    pub made: BTreeSet<String>,
    pub changed: BTreeSet<String>,
    /// The first words of statements that are none of pg_dumpall's; they are not run.
    pub strange: Vec<String>,
}

impl Chosen {
    fn add(&mut self, text: &str) {
        self.sql.push_str(text);
        self.sql.push('\n');
    }
}

/// What a statement is about.
#[derive(Debug, PartialEq)]
enum Subject {
    Head,
    TakeOn,
    GiveBack,
    Role { name: String, creates: bool },
    Tablespace { name: String, creates: bool },
}

#[derive(Debug, PartialEq)]
enum Token {
    /// Unquoted, in small letters.
    Word(String),
    /// A name in double quotes.
    Name(String),
    Text,
    Sign,
}

struct Statement<'a> {
    text: &'a str,
    tokens: Vec<Token>,
}

impl Statement<'_> {
    fn word(&self, at: usize) -> &str {
        match self.tokens.get(at) {
            Some(Token::Word(word)) => word,
            _ => "",
        }
    }

    fn name(&self, at: usize) -> Option<String> {
        match self.tokens.get(at)? {
            Token::Word(word) if !NO_NAMES.contains(&word.as_str()) => Some(word.clone()),
            Token::Name(name) => Some(name.clone()),
            _ => None,
        }
    }

    fn find(&self, word: &str) -> Option<usize> {
        (0..self.tokens.len()).find(|at| self.word(*at) == word)
    }

    fn subject(&self) -> Option<Subject> {
        let creates = self.word(0) == "create";
        let thing = match (self.word(0), self.word(1), self.word(2)) {
            ("set", setting, _) if HEAD.contains(&setting) => return Some(Subject::Head),
            ("set", "session", "authorization") => return Some(Subject::TakeOn),
            ("reset", "session", "authorization") => return Some(Subject::GiveBack),
            ("create" | "alter", ..) => 1,
            ("comment", "on", _) => 2,
            // SECURITY LABEL FOR provider ON ROLE name
            ("security", "label", "for") if self.word(4) == "on" => 5,
            ("grant" | "revoke", ..) => return self.of_a_grant(),
            _ => return None,
        };
        let name = self.name(thing + 1)?;
        match self.word(thing) {
            "role" => Some(Subject::Role { name, creates }),
            "tablespace" => Some(Subject::Tablespace { name, creates }),
            _ => None,
        }
    }

    /// A right belongs to the tablespace it is about; a membership, and a right to a setting, to the role that gets it.
    fn of_a_grant(&self) -> Option<Subject> {
        let on = self.find("on");
        match on.map(|on| self.word(on + 1)) {
            Some("tablespace") => Some(Subject::Tablespace { name: self.name(on? + 2)?, creates: false }),
            Some("parameter") | None => {
                let who = self.find("to").or_else(|| self.find("from"))? + 1;
                let alone = self.tokens.get(who + 1).is_none_or(|next| *next != Token::Sign);
                alone.then_some(Subject::Role { name: self.name(who)?, creates: false })
            }
            Some(_) => None,
        }
    }

    /// Not more than says what it is: passwords stand further behind.
    fn first_words(&self) -> String {
        self.text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
    }
}

/// Splits a dump into its statements. What pg_dumpall never writes (dollar quotes, block comments, commands of psql within a
/// statement) ends it: a text read in another way than the server reads it cannot be chosen from.
fn statements(dump: &str) -> std::result::Result<Vec<Statement<'_>>, String> {
    let (bytes, mut at, mut start) = (dump.as_bytes(), 0, 0);
    let (mut out, mut tokens) = (Vec::new(), Vec::new());
    let unknown = |at: usize| Err(format!("line {} is none that pg_dumpall writes", dump[..at].lines().count().max(1)));
    while at < bytes.len() {
        let (begin, before) = (at, tokens.len());
        let rest = &dump[at..];
        let line_end = rest.find('\n').unwrap_or(rest.len());
        match bytes[at] {
            b if b.is_ascii_whitespace() => at += 1,
            b'-' if rest.starts_with("--") => at += line_end,
            // \restrict, \connect: they say how psql is to read on, and we say that ourselves.
            b'\\' if tokens.is_empty() => at += line_end,
            b';' => {
                at += 1;
                if !tokens.is_empty() {
                    out.push(Statement { text: &dump[start..at], tokens: std::mem::take(&mut tokens) });
                }
            }
            b'\'' | b'"' => {
                let Some(length) = quoted_length(&bytes[at..], false) else { return unknown(at) };
                at += length;
                let inside = &dump[begin + 1..at - 1];
                tokens.push(if bytes[begin] == b'"' { Token::Name(inside.replace("\"\"", "\"")) } else { Token::Text });
            }
            b if is_word(b) => {
                at += bytes[at..].iter().take_while(|b| is_word(**b) || **b == b'$').count();
                let word = dump[begin..at].to_ascii_lowercase();
                if bytes.get(at) != Some(&b'\'') {
                    tokens.push(Token::Word(word));
                } else {
                    let Some(length) = quoted_length(&bytes[at..], true).filter(|_| word == "e") else {
                        return unknown(at);
                    };
                    at += length;
                    tokens.push(Token::Text);
                }
            }
            b'(' | b')' | b',' | b'=' | b'.' | b'-' | b'+' => {
                at += 1;
                tokens.push(Token::Sign);
            }
            _ => return unknown(at),
        }
        if before == 0 && !tokens.is_empty() {
            start = begin;
        }
    }
    if tokens.is_empty() { Ok(out) } else { unknown(bytes.len()) }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}

/// Returns the length of what begins with a quote, up to its end; a doubled quote is one inside.
fn quoted_length(bytes: &[u8], backslash_escapes: bool) -> Option<usize> {
    let (quote, mut at) = (*bytes.first()?, 1);
    loop {
        match *bytes.get(at)? {
            b'\\' if backslash_escapes => at += 2,
            b if b == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            b if b == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DUMP: &str = "--\n-- Roles; it's all\n--\n\\restrict abc\nSET client_encoding = 'UTF8';\n\
        CREATE ROLE app;\nALTER ROLE app WITH NOSUPERUSER LOGIN PASSWORD 'md5;old' VALID UNTIL '2030-01-01';\n\
        COMMENT ON ROLE app IS 'first; line\nALTER ROLE app SUPERUSER;\n\\! touch it''s';\n\
        CREATE ROLE \"odd; \"\"role\"\"\nALTER ROLE app\";\nALTER ROLE \"odd; \"\"role\"\"\nALTER ROLE app\" WITH LOGIN;\n\
        CREATE ROLE postgres;\nALTER ROLE postgres WITH SUPERUSER PASSWORD 'leaked';\n\
        COMMENT ON ROLE new IS E'a\\\\b\\'; ALTER ROLE app LOGIN; --';\n\
        ALTER ROLE app SET search_path TO 'a', 'b';\n\
        GRANT app TO new GRANTED BY postgres;\nGRANT new TO app WITH ADMIN OPTION;\nGRANT new TO postgres;\n\
        GRANT SET ON PARAMETER work_mem TO app;\n\
        CREATE TABLESPACE fast OWNER app LOCATION '/fast';\nALTER TABLESPACE slow SET (seq_page_cost=1.5);\n\
        SET SESSION AUTHORIZATION app;\nGRANT CREATE ON TABLESPACE slow TO app;\nRESET SESSION AUTHORIZATION;\n\
        SET SESSION AUTHORIZATION app;\nGRANT CREATE ON TABLESPACE fast TO app;\nRESET SESSION AUTHORIZATION;\n\
        \\unrestrict abc\n-- PostgreSQL database cluster dump complete\n";

    fn there() -> There {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        There {
            roles: set(&["app", "postgres", "pg_monitor"]),
            tablespaces: ["slow".to_owned()].into(),
            untouchable: set(&["postgres"]),
        }
    }

    #[test]
    fn only_what_is_not_there_is_made() {
        for mode in [RestoreMode::Missing, RestoreMode::Newer, RestoreMode::Merge] {
            let chosen = there().choose(DUMP, mode).unwrap();
            let expected = format!(
                "{OUR_HEAD}CREATE ROLE \"odd; \"\"role\"\"\nALTER ROLE app\";\nALTER ROLE \"odd; \"\"role\"\"\nALTER ROLE app\" \
                 WITH LOGIN;\nCOMMENT ON ROLE new IS E'a\\\\b\\'; ALTER ROLE app LOGIN; --';\n\
                 GRANT app TO new GRANTED BY postgres;\nCREATE TABLESPACE fast OWNER app LOCATION '/fast';\n\
                 SET SESSION AUTHORIZATION app;\nGRANT CREATE ON TABLESPACE fast TO app;\nRESET SESSION AUTHORIZATION;\n"
            );
            assert_eq!(chosen.sql, expected);
            assert!(chosen.strange.is_empty() && chosen.changed.is_empty());
            assert_eq!(chosen.made.len(), 3);
        }
    }

    #[test]
    fn replace_changes_all_but_who_logs_in() {
        let chosen = there().choose(DUMP, RestoreMode::Replace).unwrap();
        assert!(chosen.sql.contains("ALTER ROLE app WITH NOSUPERUSER") && !chosen.sql.contains("CREATE ROLE app"));
        assert!(!chosen.sql.contains("leaked") && !chosen.sql.contains("TO postgres;") && !chosen.sql.contains("abc"));
        assert_eq!(chosen.changed.into_iter().collect::<Vec<_>>(), ["app", "slow"]);
    }

    #[test]
    fn what_pg_dumpall_never_writes_is_not_run() {
        let all = there();
        for strange in [
            "ALTER ROLE ALL SET work_mem TO '1GB';",
            "ALTER ROLE CURRENT_USER PASSWORD 'x';",
            "COPY t FROM PROGRAM 'id';",
            "SELECT 1;",
            "DROP ROLE new;",
            "GRANT app TO new, postgres;",
            "GRANT ALL ON DATABASE shop TO new;",
        ] {
            let chosen = all.choose(strange, RestoreMode::Replace).unwrap();
            assert_eq!((chosen.count, chosen.strange.len()), (0, 1), "{strange}");
        }
        for bad in [
            "ALTER ROLE new LOGIN \\! id\n;",
            "ALTER ROLE new SET x TO $$a$$;",
            "ALTER /* x */ ROLE new LOGIN;",
            "COMMENT ON ROLE new IS 'open",
            "ALTER ROLE new LOGIN",
            "ALTER ROLE new PASSWORD U&'x';",
        ] {
            assert!(all.choose(bad, RestoreMode::Merge).is_err(), "{bad}");
        }
    }
}
