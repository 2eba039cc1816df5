//! The settings of kind "files".

use super::pattern::Excludes;
use backstay_core::kind::Item;
use backstay_core::{Error, ErrorClass, RawPath, Result};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Fields {
    paths: Vec<String>,
    excludes: Vec<String>,
    one_file_system: bool,
}

/// The settings, parsed.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The absolute paths picked, sorted, none of them twice.
    pub roots: Vec<RawPath>,
    /// What is left out.
    pub excludes: Excludes,
    /// The patterns as they were given, for the description.
    pub exclude_texts: Vec<String>,
    /// Do not cross into other file systems.
    pub one_file_system: bool,
}

impl Settings {
    /// Parses an item's settings; what is wrong with them is `Invalid`.
    pub(super) fn parse(item: &Item) -> Result<Self> {
        let invalid =
            |why: String| Error::new(ErrorClass::Invalid, format!("Cannot use the item \"{}\": {why}", item.name));
        let fields: Fields = serde_json::from_value(item.settings.clone()).map_err(|e| invalid(e.to_string()))?;
        if fields.paths.is_empty() {
            return Err(invalid("no path is picked".into()).hint("Pick at least one folder or file"));
        }
        let mut roots = Vec::new();
        for text in &fields.paths {
            let path = RawPath::from_text(text).map_err(|e| invalid(e.to_string()))?;
            if !path.is_absolute() {
                return Err(invalid(format!("{text} is not an absolute path")).hint("Begin the path with a slash"));
            }
            roots.push(path);
        }
        roots.sort();
        roots.dedup();
        let excludes = Excludes::new(&fields.excludes)?;
        Ok(Self { roots, excludes, exclude_texts: fields.excludes, one_file_system: fields.one_file_system })
    }

    /// Returns the roots that lie below no other one. With `one_file_system` all are kept: the lower one may be a file
    /// system of its own, which the upper one does not enter.
    pub(super) fn walked_roots(&self) -> Vec<RawPath> {
        let below_another = |root: &RawPath| self.roots.iter().any(|other| other != root && root.starts_with(other));
        self.roots.iter().filter(|root| self.one_file_system || !below_another(root)).cloned().collect()
    }

    /// Returns the root an absolute path lies at or below: the longest that fits.
    pub(super) fn root_of(&self, path: &RawPath) -> Option<&RawPath> {
        self.roots.iter().filter(|root| path.starts_with(root)).max_by_key(|root| root.as_bytes().len())
    }

    /// Tells whether an absolute path is left out by the patterns.
    pub(super) fn is_excluded(&self, path: &RawPath) -> bool {
        // The shortest root decides: a pattern looks at every part below what was picked.
        let root = self.roots.iter().filter(|root| path.starts_with(root)).min_by_key(|root| root.as_bytes().len());
        root.is_some_and(|root| self.excludes.matches(root, path)) && !self.roots.contains(path)
    }

    /// Returns the settings in one line.
    pub(super) fn describe(&self) -> String {
        let paths: Vec<String> = self.roots.iter().map(RawPath::to_text).collect();
        let mut text = paths.join(", ");
        if !self.exclude_texts.is_empty() {
            text.push_str(&format!(" without {}", self.exclude_texts.join(", ")));
        }
        text
    }
}
