//! `--item KIND[:SETTINGS]`, read and checked.

use backstay_contract::{
    DatabaseLogin, DatabaseSettings, FilesSettings, ItemDraft, ItemSettings, PostgresSettings, SqliteSettings,
};
use backstay_core::{Error, ErrorClass, Result};

/// The long help of `--item`.
pub const HELP: &str = "What to back up; several times for several items.

files:/srv/game,exclude=*.log,path=/etc
    settings: path=, exclude=, one-file-system
    exclude= is a name (*.log), part of a path (cache/*.tmp), or a path from the root (/srv/game/old)
mysql:db=shop,user=root,socket=/run/mysqld/mysqld.sock
    settings: db= (none: all), user=, socket=, host=, port=
postgres:db=shop
    settings: db= (none: all), user=, host=, port=, format=custom|plain, no-globals
sqlite:/var/lib/app/data.db
    settings: path=

Settings are separated by commas; a comma inside a path is written \\x2c. Every kind takes name= for the item's own
name. A database's password is read from standard input: --item-password-stdin NAME.";

/// The long help of `restore --database-login`.
pub const LOGIN_HELP: &str =
    "Log in to the databases of this item in another way than the plan does: for a restore to \
another server.

mysql:user=root,socket=/run/mysqld/mysqld.sock
    settings: user=, host=, port=, and socket= for mysql; what is not named is as the tool itself has it
The password is read from standard input: --database-password-stdin ITEM.";

/// Reads a log-in to the databases of an item: `ITEM[:SETTINGS]`.
pub fn login(text: &str) -> Result<DatabaseLogin> {
    let (item, rest) = text.split_once(':').unwrap_or((text, ""));
    let mut words = Words::new(text, rest);
    let login = DatabaseLogin {
        item: item.into(),
        user: words.one("user")?,
        password: None,
        host: words.one("host")?,
        socket: words.one("socket")?,
        port: words.port()?,
    };
    words.end("backstay restore --help")?;
    Ok(login)
}

/// Reads one item.
pub fn parse(text: &str) -> Result<ItemDraft> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    let mut words = Words::new(text, rest);
    let name = words.take("name").pop().unwrap_or_default();
    let settings = match kind {
        "files" => ItemSettings::Files(FilesSettings {
            paths: words.paths(),
            excludes: words.take("exclude"),
            one_file_system: words.flag("one-file-system"),
        }),
        "sqlite" => ItemSettings::Sqlite(SqliteSettings { paths: words.paths() }),
        "mysql" => ItemSettings::Mysql(DatabaseSettings {
            databases: words.take("db"),
            socket: words.one("socket")?,
            host: words.one("host")?,
            port: words.port()?,
            user: words.one("user")?,
        }),
        "postgres" => {
            let format = words.one("format")?;
            ItemSettings::Postgres(PostgresSettings {
                databases: words.take("db"),
                host: words.one("host")?,
                port: words.port()?,
                user: words.one("user")?,
                format: if format.is_empty() { "custom".into() } else { format },
                globals: !words.flag("no-globals"),
            })
        }
        other => {
            return Err(
                wrong(text, &format!("there is no kind \"{other}\"")).hint("Use files, mysql, postgres or sqlite")
            );
        }
    };
    words.end("backstay plan add --help")?;
    Ok(ItemDraft { name, settings, password: None })
}

fn wrong(item: &str, why: &str) -> Error {
    Error::new(ErrorClass::Invalid, format!("Cannot use the item {item}: {why}"))
}

struct Words<'a> {
    item: &'a str,
    words: Vec<&'a str>,
    /// Bare words may be paths.
    has_paths: bool,
}

impl<'a> Words<'a> {
    fn new(item: &'a str, settings: &'a str) -> Self {
        Self { item, words: settings.split(',').filter(|word| !word.is_empty()).collect(), has_paths: false }
    }
    /// Takes all values of `key=value`.
    fn take(&mut self, key: &str) -> Vec<String> {
        let value = |word: &str| word.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')).map(str::to_owned);
        let found = self.words.iter().filter_map(|word| value(word)).collect();
        self.words.retain(|word| value(word).is_none());
        found
    }
    fn one(&mut self, key: &str) -> Result<String> {
        let mut values = self.take(key);
        if values.len() > 1 {
            return Err(wrong(self.item, &format!("{key}= is given twice")));
        }
        Ok(values.pop().unwrap_or_default())
    }
    fn port(&mut self) -> Result<u16> {
        let text = self.one("port")?;
        if text.is_empty() {
            return Ok(0);
        }
        text.parse().map_err(|_| wrong(self.item, &format!("\"{text}\" is no port")))
    }
    fn flag(&mut self, key: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| *word != key);
        self.words.len() < before
    }
    /// Takes bare absolute paths and `path=` values.
    fn paths(&mut self) -> Vec<String> {
        let mut paths: Vec<String> =
            self.words.iter().filter(|word| word.starts_with('/')).map(|word| (*word).to_owned()).collect();
        self.words.retain(|word| !word.starts_with('/'));
        paths.extend(self.take("path"));
        self.has_paths = true;
        paths
    }
    fn end(self, help: &str) -> Result<()> {
        match self.words.first() {
            Some(word) if self.has_paths && !word.contains('=') => {
                let why = format!("\"{word}\" is no setting of it, and no path: a path begins with a slash");
                Err(wrong(self.item, &why).hint(format!("See: {help}")))
            }
            Some(word) => {
                Err(wrong(self.item, &format!("\"{word}\" is no setting of it")).hint(format!("See: {help}")))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_log_in_is_read() {
        let login = login("mysql:user=root,socket=/run/b.sock,port=3307").unwrap();
        assert_eq!((login.item.as_str(), login.user.as_str(), login.port), ("mysql", "root", 3307));
        assert_eq!((login.socket.as_str(), login.host.as_str(), login.password), ("/run/b.sock", "", None));
        assert_eq!(super::login("app").unwrap().item, "app");
        assert!(super::login("mysql:db=shop").is_err());
    }

    #[test]
    fn the_forms_of_the_help() {
        let ItemSettings::Files(files) =
            parse("files:/srv/game,exclude=*.log,path=/etc,one-file-system").unwrap().settings
        else {
            panic!("not files");
        };
        assert_eq!(files.paths, ["/srv/game", "/etc"]);
        assert_eq!(files.excludes, ["*.log"]);
        assert!(files.one_file_system);
        let ItemSettings::Mysql(mysql) = parse("mysql:db=shop,db=blog,user=root,port=3307").unwrap().settings else {
            panic!("not mysql");
        };
        assert_eq!((mysql.databases.len(), mysql.user.as_str(), mysql.port), (2, "root", 3307));
        let ItemSettings::Postgres(postgres) = parse("postgres").unwrap().settings else { panic!("not postgres") };
        assert!(postgres.globals && postgres.format == "custom" && postgres.databases.is_empty());
        assert_eq!(parse("sqlite:/a.db,name=app").unwrap().name, "app");
    }

    #[test]
    fn wrong_items_are_refused() {
        let relative = parse("files:relative/path").unwrap_err();
        assert!(relative.message.contains("begins with a slash"), "{relative}");
        for text in ["tape:/x", "files:/x,what=ever", "mysql:port=no", "mysql:user=a,user=b", "files:relative"] {
            assert_eq!(parse(text).unwrap_err().class, ErrorClass::Invalid, "{text}");
        }
    }
}
