//! A look at a place where backups lie: it only reads, so that a key without the right to write, a bucket over its quota
//! or a disk mounted read-only is no hindrance.

use crate::probe::{ProbeStep, Probed, differs, failed, passed, size};
use crate::s3;
use backstay_core::Result;
use backstay_core::config::Place;
use backstay_core::destination::{Destination, Key, ObjectInfo};

/// No more is read of one file.
const MOST_BYTES: u64 = 64 << 10;

/// Looks at a destination step by step: what is listed, and whether it can be read. Nothing there is changed. Never fails
/// itself: what failed is a step. Of a bucket the way to it is found out, too.
pub async fn look(place: &Place, destination: &dyn Destination, on_step: &(dyn Fn(ProbeStep) + Send + Sync)) -> Probed {
    if let (Place::S3(_), Some(bucket)) =
        (place, destination.backend().and_then(|backend| backend.downcast_ref::<s3::S3>()))
    {
        return bucket.look(on_step).await;
    }
    let mut steps = Vec::new();
    let mut tell = |step: ProbeStep| {
        on_step(step.clone());
        steps.push(step);
    };
    match destination.list("").await {
        Ok(objects) => {
            tell(passed(LIST, count_text(objects.len())));
            read(destination, &objects).await.into_iter().for_each(tell);
        }
        Err(error) => tell(failed(LIST, &error)),
    }
    Probed { steps, ..Probed::default() }
}

const LIST: &str = "List what is there";
const READ: &str = "Read a file";
const PART: &str = "Read a part of it";

pub(crate) fn count_text(objects: usize) -> String {
    match objects {
        0 => "Nothing is there yet".to_owned(),
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    }
}

/// Reads one of these files, and a part of it again.
pub(crate) async fn read(destination: &dyn Destination, objects: &[ObjectInfo]) -> Vec<ProbeStep> {
    let Some(object) = readable(objects) else { return Vec::new() };
    let most = object.size_bytes.min(MOST_BYTES);
    let first = match destination.get(&object.key, Some(0..most)).await {
        Ok(first) => first,
        Err(error) => return vec![failed(READ, &error)],
    };
    let read = passed(READ, format!("{} read", size(most)));
    let (from, to) = (most / 3, most);
    let part: Result<_> = destination.get(&object.key, Some(from..to)).await;
    let from = usize::try_from(from).unwrap_or(0);
    let part = match part {
        Ok(part) if part == first.slice(from..) => passed(PART, "Works".to_owned()),
        Ok(_) => differs(PART),
        Err(error) => failed(PART, &error),
    };
    vec![read, part]
}

/// The smallest file that can be read at once: archives may lie in a cold storage class, what lies beside them does not.
fn readable(objects: &[ObjectInfo]) -> Option<&ObjectInfo> {
    let is_archive = |key: &Key| key.as_str().starts_with("archives/") && !key.as_str().ends_with(".manifest");
    let files = objects.iter().filter(|object| object.size_bytes > 0 && !is_archive(&object.key));
    files.min_by_key(|object| object.size_bytes)
}
