//! How a place is written to, taken over from another computer's configuration where nothing else was said here.

use super::draft::FTP_CONNECTIONS;
use crate::backstay::Inner;
use backstay_core::Result;
use backstay_core::config::{DestinationConfig, Place};

impl Inner {
    /// Takes over how a place of ours is written to, as far as we say nothing of it: class, encryption and lock of archives.
    pub(super) async fn take_settings(&self, ours: &DestinationConfig, theirs: &DestinationConfig) -> Result<()> {
        let place = filled_in(&ours.place, &theirs.place);
        if place == ours.place {
            return Ok(());
        }
        self.store.put_destination(&DestinationConfig { place, ..ours.clone() })?;
        self.drop_vault(&ours.id).await;
        Ok(())
    }
}

/// Returns our place with what theirs says where ours says nothing.
fn filled_in(ours: &Place, theirs: &Place) -> Place {
    match (ours.clone(), theirs) {
        (Place::S3(mut place), Place::S3(theirs)) => {
            place.storage_class = place.storage_class.or_else(|| theirs.storage_class.clone());
            if place.encryption.is_none() {
                place.encryption.clone_from(&theirs.encryption);
                place.kms_key.clone_from(&theirs.kms_key);
            }
            if place.lock_days.is_none() {
                place.lock_days = theirs.lock_days;
                place.lock_mode.clone_from(&theirs.lock_mode);
            }
            // What a store was seen to do, it does whoever asks; by another address there may be another in between.
            if place.endpoint == theirs.endpoint {
                place.conditional_writes |= theirs.conditional_writes;
                place.checks_md5 |= theirs.checks_md5;
            }
            Place::S3(place)
        }
        (Place::Ftp(mut place), Place::Ftp(theirs)) => {
            place.ignore_pasv_address |= theirs.ignore_pasv_address;
            if place.connections == FTP_CONNECTIONS {
                place.connections = theirs.connections;
            }
            Place::Ftp(place)
        }
        (ours, _) => ours,
    }
}
