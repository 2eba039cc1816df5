//! Well-known folders and files of the user. The caller reads the environment once and hands it in, so that tests can
//! pretend any.

use std::path::{Path, PathBuf};

/// The part of the environment that says where things are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// HOME or USERPROFILE.
    pub home: Option<PathBuf>,
    /// XDG_DATA_HOME on Linux, APPDATA on Windows.
    pub data: Option<PathBuf>,
    /// XDG_CACHE_HOME on Linux, LOCALAPPDATA on Windows.
    pub cache: Option<PathBuf>,
    /// USER, LOGNAME or USERNAME.
    pub user: Option<String>,
}

impl Environment {
    /// Reads it from the process.
    pub fn of_process() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
            data: if cfg!(windows) { path("APPDATA") } else { path("XDG_DATA_HOME") },
            cache: if cfg!(windows) { path("LOCALAPPDATA") } else { path("XDG_CACHE_HOME") },
            user: if cfg!(windows) { text("USERNAME") } else { text("USER").or_else(|| text("LOGNAME")) },
        }
    }
}

/// Returns the user's home folder.
pub fn user_home() -> PathBuf {
    home_of(&Environment::of_process())
}

/// Returns the user's name; "unknown" where the system does not tell.
pub fn user_name() -> String {
    name_of(&Environment::of_process())
}

/// Returns the folder in which Backstay keeps its state unless told otherwise.
pub fn data_dir() -> PathBuf {
    data_dir_of(&Environment::of_process())
}

/// Returns the folder for what can be had again: it may be deleted at any time.
pub fn cache_dir() -> PathBuf {
    cache_dir_of(&Environment::of_process())
}

/// Returns the user's `~/.ssh/config`.
pub fn ssh_config() -> PathBuf {
    user_home().join(".ssh").join("config")
}

/// Returns the user's `~/.ssh/known_hosts`.
pub fn known_hosts() -> PathBuf {
    user_home().join(".ssh").join("known_hosts")
}

fn home_of(environment: &Environment) -> PathBuf {
    // A service may run without a home; the root is then at least absolute.
    environment.home.clone().unwrap_or_else(|| PathBuf::from(if cfg!(windows) { r"C:\" } else { "/" }))
}

fn data_dir_of(environment: &Environment) -> PathBuf {
    let home = home_of(environment);
    if cfg!(target_os = "macos") {
        return home.join("Library").join("Application Support").join("Backstay");
    }
    // The XDG rules say that a relative path there is to be ignored.
    let given = environment.data.clone().filter(|path| Path::is_absolute(path));
    if cfg!(windows) {
        return given.unwrap_or_else(|| home.join("AppData").join("Roaming")).join("Backstay");
    }
    given.unwrap_or_else(|| home.join(".local").join("share")).join("backstay")
}

fn cache_dir_of(environment: &Environment) -> PathBuf {
    let home = home_of(environment);
    if cfg!(target_os = "macos") {
        return home.join("Library").join("Caches").join("Backstay");
    }
    let given = environment.cache.clone().filter(|path| Path::is_absolute(path));
    if cfg!(windows) {
        return given.unwrap_or_else(|| home.join("AppData").join("Local")).join("Backstay").join("Cache");
    }
    given.unwrap_or_else(|| home.join(".cache")).join("backstay")
}

fn name_of(environment: &Environment) -> String {
    if let Some(user) = &environment.user {
        return user.clone();
    }
    // cron and containers often set no USER, but a home named after its owner.
    let from_home = environment.home.as_ref().and_then(|home| home.file_name()).and_then(|name| name.to_str());
    from_home.map_or_else(|| "unknown".to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn linux(home: Option<&str>, data: Option<&str>, user: Option<&str>) -> Environment {
        Environment {
            home: home.map(PathBuf::from),
            data: data.map(PathBuf::from),
            cache: data.map(PathBuf::from),
            user: user.map(str::to_owned),
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_data_folder_follows_xdg() {
        let folder = |data| data_dir_of(&linux(Some("/home/ada"), data, None));
        assert_eq!(folder(None), Path::new("/home/ada/.local/share/backstay"));
        assert_eq!(folder(Some("/data")), Path::new("/data/backstay"));
        assert_eq!(folder(Some("relative")), Path::new("/home/ada/.local/share/backstay"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_cache_folder_follows_xdg() {
        let folder = |cache| cache_dir_of(&linux(Some("/home/ada"), cache, None));
        assert_eq!(folder(None), Path::new("/home/ada/.cache/backstay"));
        assert_eq!(folder(Some("/fast")), Path::new("/fast/backstay"));
        assert_eq!(folder(Some("relative")), Path::new("/home/ada/.cache/backstay"));
    }

    #[test]
    fn there_is_always_a_name_and_an_absolute_home() {
        assert_eq!(name_of(&linux(Some("/home/ada"), None, Some("root"))), "root");
        assert_eq!(name_of(&linux(Some("/home/ada"), None, None)), "ada");
        assert_eq!(name_of(&linux(None, None, None)), "unknown");
        assert!(home_of(&linux(None, None, None)).is_absolute());
    }
}
