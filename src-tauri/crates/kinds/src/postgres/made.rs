//! How a database was made, and what belongs to it and is in no dump: owner, rights, comment, limit of connections, settings.
//!
//! Who owns a database chooses its settings, so they are never part of a statement as they are: each is written anew.

use super::client::{Client, literal, quoted};
use backstay_core::Result;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

/// Settings that are lists of names; pg_dump knows the same.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];
const RIGHTS: [&str; 3] = ["CONNECT", "CREATE", "TEMPORARY"];

/// By `to_json` columns can be asked for that older servers do not have. An empty list of rights is none; no list is the
/// rights every database begins with.
const LOOK: &str = "select datname, json_build_object('owner', pg_get_userbyid(datdba), \
    'encoding', pg_encoding_to_char(encoding), 'collate', datcollate, 'ctype', datctype, \
    'provider', to_json(d)->>'datlocprovider', 'locale', coalesce(to_json(d)->>'datlocale', to_json(d)->>'daticulocale'), \
    'rules', to_json(d)->>'daticurules', \
    'tablespace', (select spcname from pg_tablespace t where t.oid = dattablespace), \
    'comment', shobj_description(d.oid, 'pg_database'), 'limit', datconnlimit, \
    'rights', case when datacl is not null then coalesce((select json_agg(json_build_object( \
        'to', case grantee when 0 then null else pg_get_userbyid(grantee) end, 'right', privilege_type, \
        'grantable', is_grantable)) from aclexplode(datacl)), '[]') end, \
    'settings', (select json_agg(json_build_object( \
        'role', case setrole when 0 then null else pg_get_userbyid(setrole) end, \
        'name', split_part(c, '=', 1), 'value', substr(c, strpos(c, '=') + 1))) \
        from pg_db_role_setting, unnest(setconfig) c where setdatabase = d.oid)) from pg_database d";

/// How a database was made, and what belongs to it. Older backups tell less.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Made {
    pub owner: String,
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// "c" is the system's library, "i" ICU, "b" PostgreSQL itself.
    pub provider: Option<String>,
    pub locale: Option<String>,
    pub rules: Option<String>,
    pub tablespace: Option<String>,
    pub comment: Option<String>,
    pub limit: Option<i64>,
    rights: Option<Vec<Right>>,
    settings: Option<Vec<Setting>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Right {
    /// `None` is everybody.
    to: Option<String>,
    right: String,
    grantable: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Setting {
    /// `None` is for everybody in the database.
    role: Option<String>,
    name: String,
    value: String,
}

/// What gives a database rights and settings, and what of them cannot be given, in words.
#[derive(Default)]
pub(super) struct Carry {
    pub sql: Vec<String>,
    pub lost: Vec<String>,
}

impl Made {
    /// Asks for all databases of a server; one before 9.4 cannot tell.
    pub(super) async fn look(client: &Client<'_>) -> Result<HashMap<String, serde_json::Value>> {
        if !client.has_json() {
            return Ok(HashMap::new());
        }
        let rows = client.query("template1", LOOK, 2).await?;
        let parsed = rows.into_iter().filter_map(|row| Some((row[0].clone(), serde_json::from_str(&row[1]).ok()?)));
        Ok(parsed.collect())
    }

    /// Reads what was written down in a backup; what cannot be read is as if it were not there.
    pub(super) fn parse(value: &serde_json::Value) -> Self {
        Self::deserialize(value).unwrap_or_default()
    }

    /// Returns the end of `create database` that tells encoding and collation, and what of it a server cannot do.
    pub(super) fn how(&self, major: u32) -> (String, Option<String>) {
        if self.encoding.is_empty() {
            return (String::new(), None);
        }
        let (encoding, collate, ctype) = (literal(&self.encoding), literal(&self.collate), literal(&self.ctype));
        let mut sql = format!(" encoding {encoding} lc_collate {collate} lc_ctype {ctype}");
        let locale = self.locale.as_deref().map(literal).unwrap_or_default();
        match self.provider.as_deref() {
            Some("c") if major >= 15 => sql.push_str(" locale_provider libc"),
            Some("i") if major >= 15 => {
                sql.push_str(&format!(" locale_provider icu icu_locale {locale}"));
                if let Some(rules) = self.rules.as_deref().filter(|_| major >= 16) {
                    sql.push_str(&format!(" icu_rules {}", literal(rules)));
                }
            }
            Some("b") if major >= 17 => {
                sql.push_str(&format!(" locale_provider builtin builtin_locale {locale}"));
            }
            Some("i" | "b") => {
                let locale = self.locale.as_deref().unwrap_or_default();
                let lost =
                    format!("It sorts by {}, not by {locale}: PostgreSQL {major} does not know that", self.collate);
                return (sql, Some(lost));
            }
            _ => {}
        }
        (sql, None)
    }

    /// Returns what gives `database`, which `owner` has now, the rights and settings, on a server with these roles.
    pub(super) fn carry(&self, database: &str, owner: &str, roles: &HashSet<String>) -> Carry {
        let (name, mut carry) = (quoted(database), Carry::default());
        if self.rights.is_some() {
            carry.sql.push(format!("revoke all on database {name} from public, {}", quoted(owner)));
        }
        for Right { to, right, grantable } in self.rights.iter().flatten() {
            let who = match to {
                None => "public".to_owned(),
                Some(role) if roles.contains(role) => quoted(role),
                Some(role) => {
                    carry.lost.push(format!("{role} does not get the right {right}: there is no such role"));
                    continue;
                }
            };
            if RIGHTS.contains(&right.as_str()) {
                let end = if *grantable { " with grant option" } else { "" };
                carry.sql.push(format!("grant {right} on database {name} to {who}{end}"));
            } else {
                carry.lost.push(format!("{who} does not get the right {right:?}, which is not known"));
            }
        }
        for setting in self.settings.iter().flatten() {
            let whose = match &setting.role {
                None => format!("database {name}"),
                Some(role) if roles.contains(role) => format!("role {} in database {name}", quoted(role)),
                Some(role) => {
                    carry.lost.push(format!("{role} does not get the setting {}: there is no such role", setting.name));
                    continue;
                }
            };
            match setting.written() {
                Some(value) => carry.sql.push(format!("alter {whose} set {} to {value}", quoted(&setting.name))),
                None => carry.lost.push(format!("The setting {} is left out: its value is no list", setting.name)),
            }
        }
        carry
    }
}

impl Setting {
    /// Returns its value for SQL: one text, or, of a list, the text of each name.
    fn written(&self) -> Option<String> {
        if !LISTS.contains(&self.name.as_str()) {
            return Some(literal(&self.value));
        }
        // Names of libraries and folders are as they are; those of schemas and tablespaces are SQL's.
        let folds = matches!(self.name.as_str(), "search_path" | "temp_tablespaces");
        let names = names(&self.value, folds)?;
        Some(if names.is_empty() {
            "''".into()
        } else {
            names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ")
        })
    }
}

/// Reads a list of names as the server does: a name without quotes goes up to a comma or a space.
fn names(value: &str, folds: bool) -> Option<Vec<String>> {
    let mut rest = value.trim();
    let mut out = Vec::new();
    while !rest.is_empty() {
        let (name, after) = if let Some(inside) = rest.strip_prefix('"') {
            let mut end = inside.find('"')?;
            while inside[end + 1..].starts_with('"') {
                end = end + 2 + inside[end + 2..].find('"')?;
            }
            (inside[..end].replace("\"\"", "\""), &inside[end + 1..])
        } else {
            let end = rest.find(|c: char| c == ',' || c.is_ascii_whitespace()).unwrap_or(rest.len());
            let name = if folds { rest[..end].to_ascii_lowercase() } else { rest[..end].to_owned() };
            (Some(name).filter(|name| !name.is_empty())?, &rest[end..])
        };
        out.push(name);
        let after = after.trim_start();
        if after.is_empty() {
            return Some(out);
        }
        rest = after.strip_prefix(',')?.trim_start();
        if rest.is_empty() {
            return None;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, value: &str) -> Option<String> {
        Setting { role: None, name: name.into(), value: value.into() }.written()
    }

    #[test]
    fn settings_are_written_so_that_nothing_in_them_is_run() {
        for (value, expected) in [
            ("", Some("''")),
            ("\"\"", Some("''")),
            ("\"$user\", public", Some("'$user', 'public'")),
            ("Shop,\"Odd, \"\"one\"\"\" , b", Some("'shop', 'Odd, \"one\"', 'b'")),
            ("a;alter/**/role/**/app/**/superuser", Some("'a;alter/**/role/**/app/**/superuser'")),
            ("$$, it's, \"a\\\"", Some("'$$', 'it''s',  E'a\\\\'")),
            ("a b", None),
            ("a,", None),
            (",a", None),
            ("\"open", None),
            ("\"a\"b", None),
        ] {
            assert_eq!(written("search_path", value).as_deref(), expected, "{value}");
        }
        assert_eq!(written("session_preload_libraries", "$libdir/Foo").as_deref(), Some("'$libdir/Foo'"));
        assert_eq!(written("my.setting", "a, b'; drop").as_deref(), Some("'a, b''; drop'"));
    }

    #[test]
    fn what_a_backup_says_is_not_believed_beyond_what_it_may_be() {
        let value = serde_json::json!({
            "owner": "app", "encoding": "UTF8",
            "rights": [{ "to": "app", "right": "ALL; drop role x", "grantable": false }, { "to": "gone", "right": "CONNECT" },
                       { "to": null, "right": "CONNECT", "grantable": true }],
            "settings": [{ "role": "od\"d", "name": "a\"b", "value": "'" }],
        });
        let roles = ["app", "od\"d"].map(str::to_owned).into();
        let carry = Made::parse(&value).carry("sh\"op", "app", &roles);
        let expected = [
            "revoke all on database \"sh\"\"op\" from public, \"app\"",
            "grant CONNECT on database \"sh\"\"op\" to public with grant option",
            "alter role \"od\"\"d\" in database \"sh\"\"op\" set \"a\"\"b\" to ''''",
        ];
        assert_eq!((carry.sql.as_slice(), carry.lost.len()), (&expected.map(str::to_owned)[..], 2));
        // An older backup tells nothing of them, and a broken one is as if it were not there.
        let old = serde_json::json!({ "owner": "app", "encoding": "UTF8", "collate": "C", "ctype": "C" });
        assert!(Made::parse(&old).carry("shop", "app", &roles).sql.is_empty());
        assert!(Made::parse(&serde_json::json!({ "owner": 1 })).owner.is_empty());
    }

    #[test]
    fn a_collation_is_made_where_the_server_knows_it() {
        let value =
            serde_json::json!({ "encoding": "UTF8", "collate": "C", "ctype": "C", "provider": "i", "locale": "de-DE" });
        let made = Made::parse(&value);
        let base = " encoding 'UTF8' lc_collate 'C' lc_ctype 'C'";
        assert_eq!(made.how(15), (format!("{base} locale_provider icu icu_locale 'de-DE'"), None));
        let (sql, lost) = made.how(14);
        assert_eq!((sql.as_str(), lost.is_some()), (base, true));
    }
}
