//! The table of providers against what they say of themselves.

use backstay_destinations::s3::providers;

/// What a row must be.
struct Fact {
    id: &'static str,
    /// The address in one region, and that region; empty where it must be typed.
    address: (&'static str, &'static str),
    path_style: bool,
    free_region: bool,
    minimum_days: u32,
    regions: &'static str,
}

const VIRTUAL: Fact =
    Fact { id: "", address: ("", ""), path_style: false, free_region: true, minimum_days: 0, regions: "" };

/// Written down apart from the table, from the providers' pages, so that a slip there does not go unseen.
const FACTS: [Fact; 10] = [
    Fact {
        id: "aws",
        address: ("https://s3.eu-central-1.amazonaws.com", "eu-central-1"),
        regions: "af-south-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-southeast-1 ap-southeast-2 \
                  ap-southeast-3 ca-central-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 \
                  eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 sa-east-1 us-east-1 us-east-2 us-west-1 \
                  us-west-2",
        ..VIRTUAL
    },
    Fact {
        id: "linode",
        // The number is not always 1; such a region is typed.
        address: ("https://us-iad-10.linodeobjects.com", "us-iad-10"),
        regions: "ap-south-1 au-mel-1 br-gru-1 es-mad-1 eu-central-1 fr-par-1 gb-lon-1 id-cgk-1 in-maa-1 it-mil-1 \
                  jp-osa-1 nl-ams-1 se-sto-1 sg-sin-1 us-east-1 us-iad-1 us-lax-1 us-mia-1 us-ord-1 us-sea-1 \
                  us-southeast-1",
        ..VIRTUAL
    },
    Fact {
        id: "vultr",
        address: ("https://ewr1.vultrobjects.com", "ewr1"),
        regions: "ams1 blr1 del1 ewr1 sgp1 sjc1",
        ..VIRTUAL
    },
    Fact {
        id: "wasabi",
        address: ("https://s3.eu-central-2.wasabisys.com", "eu-central-2"),
        minimum_days: 90,
        regions: "ap-northeast-1 ap-northeast-2 ap-southeast-1 ap-southeast-2 ca-central-1 eu-central-1 eu-central-2 \
                  eu-south-1 eu-west-1 eu-west-2 eu-west-3 us-central-1 us-east-1 us-east-2 us-west-1 us-west-2",
        ..VIRTUAL
    },
    Fact {
        id: "b2",
        address: ("https://s3.eu-central-003.backblazeb2.com", "eu-central-003"),
        regions: "ca-east-006 eu-central-003 us-east-005 us-west-001 us-west-002 us-west-004",
        ..VIRTUAL
    },
    Fact {
        id: "spaces",
        address: ("https://fra1.digitaloceanspaces.com", "fra1"),
        regions: "ams3 blr1 fra1 lon1 nyc3 sfo2 sfo3 sgp1 syd1 tor1",
        ..VIRTUAL
    },
    Fact { id: "r2", path_style: true, free_region: false, regions: "auto", ..VIRTUAL },
    Fact {
        id: "hetzner",
        address: ("https://nbg1.your-objectstorage.com", "nbg1"),
        regions: "fsn1 hel1 nbg1",
        ..VIRTUAL
    },
    Fact { id: "minio", path_style: true, regions: "garage us-east-1", ..VIRTUAL },
    Fact { id: "generic", path_style: true, regions: "us-east-1", ..VIRTUAL },
];

#[test]
fn every_row_is_what_the_provider_says() {
    assert_eq!(FACTS.map(|fact| fact.id).as_slice(), providers().iter().map(|row| row.id).collect::<Vec<_>>());
    for (fact, row) in FACTS.iter().zip(providers()) {
        let id = row.id;
        let (address, region) = fact.address;
        assert_eq!(row.endpoint_for(region).unwrap_or_default(), address, "{id}");
        assert_eq!(row.endpoint.contains("{region}"), !address.is_empty(), "{id}");
        assert_eq!((row.path_style, row.free_region), (fact.path_style, fact.free_region), "{id}");
        assert_eq!(row.minimum_days, fact.minimum_days, "{id}");
        // Others refuse the SDK's new checksums, or did; and have one class that we use.
        assert_eq!(row.checksums, id == "aws", "{id}");
        assert_eq!(row.storage_classes.is_empty(), id != "aws", "{id}");
        let mut regions: Vec<_> = row.regions.iter().map(|(region, _)| *region).collect();
        regions.sort_unstable();
        assert_eq!(regions, fact.regions.split_whitespace().collect::<Vec<_>>(), "{id}");
    }
}
