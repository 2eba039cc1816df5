//! File names from a template, safe on every file system and in every store.

use backstay_core::{BackupId, Error, ErrorClass, Result};
use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Utc};

/// The longest name without its ending: with `.tar.zst.sealed.manifest` and a `-999` it stays below 255 bytes.
const LONGEST_BYTES: usize = 200;
/// Names Windows keeps for devices, with any ending.
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

/// What a name can be made of.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveNameFacts<'a> {
    /// `{server}`.
    pub server: &'a str,
    /// `{plan}`.
    pub plan: &'a str,
    /// `{type}`: the kinds in the plan, joined by a plus sign.
    pub kinds: &'a [String],
    /// `{time:…}`, in UTC.
    pub started: DateTime<Utc>,
    /// `{id}`: the first eight digits of it.
    pub id: &'a BackupId,
}

/// Returns an archive's file name, without its ending, from a template like `{plan}_{time:%Y%m%d_%H%M%S}`.
///
/// Characters some file system or store cannot take become `_`, wherever they come from. `{{` and `}}` are braces.
/// `Invalid` for unknown fields, for a time that cannot be written so, and where nothing is left of the name.
pub fn archive_name(template: &str, facts: &ArchiveNameFacts<'_>) -> Result<String> {
    let mut name = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        name.push_str(before);
        if from.starts_with("{{") || from.starts_with("}}") {
            name.push_str(&from[..1]);
            rest = &from[2..];
            continue;
        }
        let field = from.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let Some((field, after)) = field else {
            return Err(bad(template, "a brace stands alone").hint("Write {{ or }} for a brace itself"));
        };
        name.push_str(&value(template, field, facts)?);
        rest = after;
    }
    name.push_str(rest);
    let name = safe_name(&name);
    match name.is_empty() {
        true => Err(bad(template, "it makes an empty name")),
        false => Ok(name),
    }
}

fn value(template: &str, field: &str, facts: &ArchiveNameFacts<'_>) -> Result<String> {
    match field {
        "server" => Ok(facts.server.to_owned()),
        "plan" => Ok(facts.plan.to_owned()),
        "type" => Ok(facts.kinds.join("+")),
        "id" => Ok(facts.id.as_str().chars().take(8).collect()),
        "time" => Ok(facts.started.format("%Y%m%d_%H%M%S").to_string()),
        _ => match field.strip_prefix("time:") {
            Some(format) => time(template, format, facts.started),
            None => {
                let text = format!("there is no field {{{field}}}");
                Err(bad(template, &text).hint("Use {server}, {plan}, {type}, {time:%Y%m%d_%H%M%S} and {id}"))
            }
        },
    }
}

fn time(template: &str, format: &str, started: DateTime<Utc>) -> Result<String> {
    // Formatting an unknown field would be a panic, so all are looked at first.
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    if format.is_empty() || items.iter().any(|item| matches!(item, Item::Error)) {
        let text = format!("\"{format}\" is no way to write a time");
        return Err(bad(template, &text).hint("Use %Y %m %d %H %M %S as in {time:%Y%m%d_%H%M%S}"));
    }
    Ok(started.format_with_items(items.iter()).to_string())
}

fn bad(template: &str, why: &str) -> Error {
    Error::new(ErrorClass::Invalid, format!("Cannot make a file name from \"{}\": {why}", template.escape_debug()))
}

/// Makes a text safe as one part of a key and as a file's name everywhere. Empty when nothing is left of it.
pub(super) fn safe_name(text: &str) -> String {
    let bad = |c: char| c.is_control() || "/\\:*?\"<>|\u{fffd}".contains(c);
    let mut name: String = text.chars().map(|c| if bad(c) { '_' } else { c }).collect();
    let mut cut = name.len().min(LONGEST_BYTES);
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    name.truncate(cut);
    let trimmed = name.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let stem = trimmed.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let numbered = |port: &str| stem.strip_prefix(port).is_some_and(|n| n.len() == 1 && ("0"..="9").contains(&n));
    match RESERVED.contains(&stem.as_str()) || numbered("com") || numbered("lpt") {
        true => format!("_{trimmed}"),
        false => trimmed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::TimeZone;

    fn name(template: &str) -> Result<String> {
        let kinds = ["files".to_owned(), "mysql".to_owned()];
        let started = Utc.with_ymd_and_hms(2026, 11, 20, 18, 5, 9).unwrap();
        let id = BackupId::from("0123456789abcdef");
        let facts = ArchiveNameFacts { server: "web-1", plan: "Nightly: a/b", kinds: &kinds, started, id: &id };
        archive_name(template, &facts)
    }

    #[test]
    fn fields_are_filled_in() {
        assert_eq!(name("{plan}_{time:%Y%m%d_%H%M%S}").unwrap(), "Nightly_ a_b_20261120_180509");
        assert_eq!(name("{server}.{type}-{id}").unwrap(), "web-1.files+mysql-01234567");
        assert_eq!(name("{{{time}}}").unwrap(), "{20261120_180509}");
    }

    #[test]
    fn bad_templates_are_named() {
        for (template, says) in [
            ("{host}", "there is no field {host}"),
            ("{plan", "a brace stands alone"),
            ("plan}", "a brace stands alone"),
            ("{time:%Q}", "\"%Q\" is no way to write a time"),
            ("{time:}", "is no way to write a time"),
            ("", "an empty name"),
            (" .. ", "an empty name"),
        ] {
            let error = name(template).unwrap_err();
            assert!(error.class == ErrorClass::Invalid && error.message.contains(says), "{template}: {error}");
        }
    }

    #[test]
    fn names_are_safe_everywhere() {
        assert_eq!(safe_name("a/b\\c:d*e?f\"g<h>i|j\nk"), "a_b_c_d_e_f_g_h_i_j_k");
        assert_eq!(safe_name(" ..x. . "), "x");
        assert_eq!(safe_name("NUL.txt"), "_NUL.txt");
        assert_eq!(safe_name("com1"), "_com1");
        assert_eq!(safe_name("common"), "common");
        let long = safe_name(&"ü".repeat(300));
        assert!(long.len() <= LONGEST_BYTES && long.starts_with('ü'));
    }
}
