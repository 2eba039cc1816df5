//! The providers of S3-compatible storage the wizard offers, with what each needs and what it costs to know.
//!
//! Sources: the providers' own pages on endpoints and limits, as read in autumn 2026, and the tables rclone keeps
//! (backend/s3/provider/*.yaml). The test of a destination asks the store itself; these are only where it begins.

/// A provider.
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    /// Id, as a place keeps it: "aws".
    pub id: &'static str,
    /// Name: "Amazon S3".
    pub name: &'static str,
    /// Its regions: (id, place).
    pub regions: &'static [(&'static str, &'static str)],
    /// Address with `{region}` in it; empty where it must be typed.
    pub endpoint: &'static str,
    /// Whether a region may be typed that is not in the list.
    pub free_region: bool,
    /// The bucket goes into the path.
    pub path_style: bool,
    /// The SDK's checksums are sent.
    pub checksums: bool,
    /// Storage classes for archives; empty where there is but one.
    pub storage_classes: &'static [&'static str],
    /// A backup deleted earlier is billed for so many days all the same; 0 is no such rule.
    pub minimum_days: u32,
    /// What is worth knowing before choosing it, a sentence each.
    pub notes: &'static [&'static str],
    /// Where its keys are made, in words.
    pub keys_hint: &'static str,
}

impl Provider {
    /// Returns the address for a region; `None` where it must be typed.
    pub fn endpoint_for(&self, region: &str) -> Option<String> {
        (!self.endpoint.is_empty()).then(|| self.endpoint.replace("{region}", region))
    }
}

/// Returns all providers, in the order the wizard shows them.
pub fn providers() -> &'static [Provider] {
    PROVIDERS
}

/// Returns the provider of an id.
pub fn provider(id: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.id == id)
}

const PROVIDERS: &[Provider] = &[
    // docs.aws.amazon.com: General Reference, "Amazon S3 endpoints and quotas"; S3 user guide, "Storage classes".
    Provider {
        id: "aws",
        name: "Amazon S3",
        regions: &[
            ("us-east-1", "N. Virginia"),
            ("us-east-2", "Ohio"),
            ("us-west-1", "N. California"),
            ("us-west-2", "Oregon"),
            ("ca-central-1", "Canada"),
            ("eu-central-1", "Frankfurt"),
            ("eu-central-2", "Zurich"),
            ("eu-west-1", "Ireland"),
            ("eu-west-2", "London"),
            ("eu-west-3", "Paris"),
            ("eu-north-1", "Stockholm"),
            ("eu-south-1", "Milan"),
            ("eu-south-2", "Spain"),
            ("ap-northeast-1", "Tokyo"),
            ("ap-northeast-2", "Seoul"),
            ("ap-northeast-3", "Osaka"),
            ("ap-south-1", "Mumbai"),
            ("ap-southeast-1", "Singapore"),
            ("ap-southeast-2", "Sydney"),
            ("ap-southeast-3", "Jakarta"),
            ("sa-east-1", "São Paulo"),
            ("af-south-1", "Cape Town"),
            ("me-south-1", "Bahrain"),
            ("me-central-1", "UAE"),
            ("il-central-1", "Tel Aviv"),
        ],
        endpoint: "https://s3.{region}.amazonaws.com",
        free_region: true,
        path_style: false,
        checksums: true,
        storage_classes: &[
            "STANDARD",
            "STANDARD_IA",
            "ONEZONE_IA",
            "INTELLIGENT_TIERING",
            "GLACIER_IR",
            "GLACIER",
            "DEEP_ARCHIVE",
        ],
        minimum_days: 0,
        notes: &[
            "Reading backups back is billed by the gigabyte.",
            "Colder classes bill a minimum time: Standard-IA 30 days, Glacier 90, Deep Archive 180.",
            "Archives in Glacier and Deep Archive must be brought back before they can be read, which takes hours.",
        ],
        keys_hint: "Console, IAM, Users, a user that may use this bucket only, Security credentials, Create access key",
    },
    // techdocs.akamai.com: Object Storage, "Endpoint types", "Quotas and limits"; rclone Linode.yaml.
    Provider {
        id: "linode",
        name: "Linode (Akamai)",
        regions: &[
            ("nl-ams-1", "Amsterdam"),
            ("us-southeast-1", "Atlanta"),
            ("in-maa-1", "Chennai"),
            ("us-ord-1", "Chicago"),
            ("eu-central-1", "Frankfurt"),
            ("id-cgk-1", "Jakarta"),
            ("gb-lon-1", "London 2"),
            ("us-lax-1", "Los Angeles"),
            ("es-mad-1", "Madrid"),
            ("au-mel-1", "Melbourne"),
            ("us-mia-1", "Miami"),
            ("it-mil-1", "Milan"),
            ("us-east-1", "Newark"),
            ("jp-osa-1", "Osaka"),
            ("fr-par-1", "Paris"),
            ("br-gru-1", "São Paulo"),
            ("us-sea-1", "Seattle"),
            ("ap-south-1", "Singapore"),
            ("sg-sin-1", "Singapore 2"),
            ("se-sto-1", "Stockholm"),
            ("us-iad-1", "Washington"),
        ],
        endpoint: "https://{region}.linodeobjects.com",
        free_region: true,
        path_style: false,
        checksums: false,
        storage_classes: &[],
        minimum_days: 0,
        notes: &[
            "The number at the region's end is not always 1: the bucket's page shows its endpoint.",
            "Older endpoints hold 5 TB or 100 TB in all; newer ones more.",
        ],
        keys_hint: "Cloud Manager, Object Storage, Access Keys, Create Access Key, limited to this bucket",
    },
    // docs.vultr.com: "Vultr Object Storage", "Limits".
    Provider {
        id: "vultr",
        name: "Vultr",
        regions: &[
            ("ams1", "Amsterdam"),
            ("blr1", "Bangalore"),
            ("del1", "Delhi"),
            ("ewr1", "New Jersey"),
            ("sgp1", "Singapore"),
            ("sjc1", "Silicon Valley"),
        ],
        endpoint: "https://{region}.vultrobjects.com",
        free_region: true,
        path_style: false,
        checksums: false,
        storage_classes: &[],
        minimum_days: 0,
        notes: &[
            "Keys and host name belong to one Object Storage subscription.",
            "A subscription takes 400 requests a second; Backstay slows down by itself.",
        ],
        keys_hint: "Customer portal, Cloud Storage, Object Storage, the subscription, S3 Credentials",
    },
    // docs.wasabi.com: "Service URLs", "90-Day Storage Policy", "Object Lock With the Wasabi S3 API".
    Provider {
        id: "wasabi",
        name: "Wasabi",
        regions: &[
            ("us-east-1", "N. Virginia"),
            ("us-east-2", "N. Virginia 2"),
            ("us-central-1", "Texas"),
            ("us-west-1", "Oregon"),
            ("us-west-2", "San Jose"),
            ("ca-central-1", "Toronto"),
            ("eu-central-1", "Amsterdam"),
            ("eu-central-2", "Frankfurt"),
            ("eu-west-1", "London"),
            ("eu-west-2", "Paris"),
            ("eu-west-3", "London 2"),
            ("eu-south-1", "Milan"),
            ("ap-northeast-1", "Tokyo"),
            ("ap-northeast-2", "Osaka"),
            ("ap-southeast-1", "Singapore"),
            ("ap-southeast-2", "Sydney"),
        ],
        endpoint: "https://s3.{region}.wasabisys.com",
        free_region: true,
        path_style: false,
        checksums: false,
        storage_classes: &[],
        minimum_days: 90,
        notes: &[
            "Every object is billed for 90 days, so that keeping backups for less time saves nothing.",
            "What is read back in a month should not be more than what is stored.",
        ],
        keys_hint: "Console, Access Keys, Create New Access Key, for a sub-user with this bucket only",
    },
    // backblaze.com/docs: "S3-Compatible API", "S3 Put Object", "Lifecycle rules"; regions as the bucket's endpoint shows.
    Provider {
        id: "b2",
        name: "Backblaze B2",
        regions: &[
            ("us-west-001", "US West 1"),
            ("us-west-002", "US West 2"),
            ("us-west-004", "US West 4"),
            ("us-east-005", "US East"),
            ("eu-central-003", "EU Central"),
            ("ca-east-006", "Canada East"),
        ],
        endpoint: "https://s3.{region}.backblazeb2.com",
        free_region: true,
        path_style: false,
        checksums: false,
        storage_classes: &[],
        minimum_days: 0,
        notes: &[
            "The bucket's page shows its endpoint; the region is a part of it.",
            "Buckets keep old versions, which are billed; Backstay deletes them with the object.",
            "Reading back is free up to three times of what is stored, then billed.",
        ],
        keys_hint: "Application Keys, Add a New Application Key, for this bucket (the master key does not work)",
    },
    // docs.digitalocean.com: "Spaces S3 Compatibility", "Spaces Limits".
    Provider {
        id: "spaces",
        name: "DigitalOcean Spaces",
        regions: &[
            ("nyc3", "New York"),
            ("ams3", "Amsterdam"),
            ("sfo2", "San Francisco 2"),
            ("sfo3", "San Francisco 3"),
            ("sgp1", "Singapore"),
            ("fra1", "Frankfurt"),
            ("lon1", "London"),
            ("tor1", "Toronto"),
            ("blr1", "Bangalore"),
            ("syd1", "Sydney"),
        ],
        endpoint: "https://{region}.digitaloceanspaces.com",
        free_region: true,
        path_style: false,
        checksums: false,
        storage_classes: &[],
        minimum_days: 0,
        notes: &[
            "A Space takes 150 writes and lists a second; Backstay slows down by itself.",
            "The same object may be written only 5 times in 5 minutes.",
        ],
        keys_hint: "Control panel, Spaces Object Storage, Access Keys, Create Access Key, limited to this Space",
    },
    // developers.cloudflare.com/r2: "S3 API compatibility", "Pricing"; rclone Cloudflare.yaml (path style, random ETags).
    Provider {
        id: "r2",
        name: "Cloudflare R2",
        regions: &[("auto", "Automatic")],
        endpoint: "",
        free_region: false,
        path_style: true,
        checksums: false,
        storage_classes: &[],
        minimum_days: 0,
        notes: &[
            "The address is https://ACCOUNT-ID.r2.cloudflarestorage.com; the bucket's settings show it.",
            "Reading backups back costs nothing.",
        ],
        keys_hint: "Dashboard, R2, Manage API Tokens, Create API Token with Object Read & Write for this bucket",
    },
    // docs.hetzner.com: Storage, Object Storage, "Overview"; rclone Hetzner.yaml.
    Provider {
        id: "hetzner",
        name: "Hetzner",
        regions: &[("fsn1", "Falkenstein"), ("nbg1", "Nuremberg"), ("hel1", "Helsinki")],
        endpoint: "https://{region}.your-objectstorage.com",
        free_region: true,
        path_style: false,
        checksums: false,
        storage_classes: &[],
        minimum_days: 0,
        notes: &["Bucket names are shared by all customers: choose one nobody else has."],
        keys_hint: "Console, the project, Security, S3 Credentials, Generate credentials",
    },
    // min.io/docs, garagehq.deuxfleurs.fr/documentation (region "garage"), docs.ceph.com/en/latest/radosgw/s3.
    Provider {
        id: "minio",
        name: "MinIO, Garage or Ceph",
        regions: &[("us-east-1", "MinIO and Ceph, unless set otherwise"), ("garage", "Garage")],
        endpoint: "",
        free_region: true,
        path_style: true,
        checksums: false,
        storage_classes: &[],
        minimum_days: 0,
        notes: &[
            "A store of your own: keep it on another disk, and better in another place, than what it backs up.",
            "Without TLS, give an address that begins with http:// only on a network of your own.",
        ],
        keys_hint: "MinIO: Access Keys in its console; Garage: garage key create; Ceph: radosgw-admin user create",
    },
    Provider {
        id: "generic",
        name: "Other S3 storage",
        regions: &[("us-east-1", "Unless the provider says otherwise")],
        endpoint: "",
        free_region: true,
        path_style: true,
        checksums: false,
        storage_classes: &[],
        minimum_days: 0,
        notes: &["The test finds out what this store can do."],
        keys_hint: "Your provider's console, often under Access Keys or API",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let mut ids: Vec<_> = providers().iter().map(|provider| provider.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), providers().len(), "ids are unique");
        for provider in providers() {
            assert!(!provider.regions.is_empty() && !provider.keys_hint.is_empty(), "{}", provider.id);
            assert!(provider.endpoint.is_empty() || provider.endpoint.starts_with("https://"), "{}", provider.id);
        }
        assert_eq!(provider("r2").and_then(|r2| r2.endpoint_for("auto")), None);
        assert!(provider("nobody").is_none());
    }
}
