//! The try of deleting: whether what is deleted is gone, with its old versions.

use super::client::S3;
use super::probe::Test;
use super::probe_tries::{too_long, within};
use super::steps::{failed, noted, passed, wrong};
use backstay_core::destination::Destination;
use backstay_core::{Error, ErrorClass};

impl Test<'_> {
    pub(super) async fn delete(&mut self, s3: &S3) {
        const TITLE: &str = "Delete it";
        let Ok(key) = self.key("file") else { return };
        let deleted = within(async {
            s3.delete(&key).await?;
            let gone = matches!(s3.head(&key).await, Err(error) if error.class == ErrorClass::Missing);
            let left = s3.store.versions_left(&key).await?;
            Ok::<_, Error>((gone, left))
        });
        let deleted = deleted.await.unwrap_or_else(|()| Err(too_long("Cannot delete a file")));
        self.found.old_versions = deleted.as_ref().ok().and_then(|(_, left)| left.map(|left| left > 0));
        self.tell(match deleted {
            Ok((true, Some(0))) => passed(TITLE, "Gone, with all its versions".to_owned()),
            Ok((true, None)) if self.found.settings.versioning == Some(false) => passed(TITLE, "Gone".to_owned()),
            Ok((true, None)) => {
                let hint = "Give the key the rights s3:ListBucketVersions and s3:DeleteObjectVersion, or set a lifecycle \
                            rule for old versions";
                let text = "Gone from sight. Whether old versions stay, which are paid for, this key cannot see";
                noted(TITLE, text.to_owned(), Some(hint))
            }
            Ok((true, Some(left))) => {
                let hint = "Give the key the right s3:DeleteObjectVersion, or set a lifecycle rule for old versions";
                noted(TITLE, format!("Gone from sight, but {left} old versions stay and are paid for"), Some(hint))
            }
            Ok((false, _)) => wrong(
                TITLE,
                "It was deleted but is still there",
                "Backstay could not free room here: look for a lock on the bucket",
            ),
            Err(error) => failed(TITLE, &error),
        });
    }
}
