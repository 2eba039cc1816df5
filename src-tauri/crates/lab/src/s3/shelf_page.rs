//! Lists in pages.

use super::shelf::Stored;
use s3s::dto::{ETag, Object};
use std::collections::BTreeMap;

/// One page of names after a marker.
pub(super) struct Page {
    pub(super) objects: Vec<Object>,
    pub(super) last: Option<String>,
    pub(super) more: bool,
}

pub(super) fn page(
    shelved: &BTreeMap<String, Stored>,
    prefix: Option<&str>,
    after: Option<&str>,
    most: Option<i32>,
) -> Page {
    let (prefix, after) = (prefix.unwrap_or_default(), after.unwrap_or_default());
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(1000).min(1000);
    let from = if after > prefix { after } else { prefix };
    let mut names = shelved
        .range(from.to_owned()..)
        .take_while(|(name, _)| name.starts_with(prefix) || name.as_str() < prefix)
        .filter(|(name, _)| name.starts_with(prefix) && (after.is_empty() || name.as_str() > after));
    let objects: Vec<Object> = names
        .by_ref()
        .take(most)
        .map(|(name, stored)| Object {
            key: Some(name.clone()),
            size: i64::try_from(stored.size()).ok(),
            last_modified: Some(stored.modified.into()),
            e_tag: Some(ETag::Strong(stored.tag.clone())),
            ..Object::default()
        })
        .collect();
    let more = names.next().is_some();
    Page { last: objects.last().and_then(|object| object.key.clone()), objects, more }
}
