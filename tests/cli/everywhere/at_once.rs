//! One plan, four destinations: each holds the whole backup, and gives it back alone.

use super::*;

fn backed_up(layout: &[&str]) -> Option<All> {
    let all = All::start(layout)?;
    let run = all.home.json(&["backup", "p"]);
    assert_eq!((&run["row"]["state"], &run["row"]["problems"]), (&"done".into(), &0.into()), "{run}");
    Some(all)
}

#[test]
fn a_vault_at_four_places_comes_back_from_each_alone() {
    let Some(all) = backed_up(&[]) else { return };
    make_tree(&all.source.data, 500);
    assert_eq!(all.home.json(&["backup", "p"])["row"]["state"], "done");
    all.each_holds(2);
    let parts = ["config", "keys/", "data/", "index/", "snapshots/"];
    let is_part = |name: &String| parts.iter().any(|part| name.starts_with(part));
    let near: Vec<String> = tree(&all.home.path("near")).into_keys().filter(is_part).collect();
    for far in Far::ALL {
        let there: Vec<String> = all.lab.objects(far, "backups").into_iter().filter(is_part).collect();
        assert_eq!(there, near, "{far:?} holds the very same objects");
    }
    for name in NAMES {
        all.with_only(name, || {
            restore_and_compare(&all.home, "p@latest", &all.source.data, name);
            download_and_compare(&all.home, "p@latest", &all.source.data, name, &["--from", name]);
        });
    }
}

#[test]
fn sealed_archives_at_four_places_come_back_from_each_alone() {
    let Some(all) = backed_up(&ARCHIVES) else { return };
    all.each_holds(1);
    let near = tree(&all.home.path("near"));
    let (name, sealed) = near.iter().find(|(name, _)| name.ends_with(".tar.zst.sealed")).expect("the archive");
    let large = std::fs::read(all.source.data.join("large.bin")).unwrap();
    assert!(!sealed.windows(64).any(|piece| piece == &large[..64]), "it is sealed");
    for far in Far::ALL {
        assert!(all.lab.object(far, "backups", name) == *sealed, "{far:?} holds the very same file");
    }
    for place in NAMES {
        all.with_only(place, || {
            restore_and_compare(&all.home, "p@latest", &all.source.data, place);
            let as_is = download(&all.home, "p@latest", &format!("{place}-as-is"), &["--as", "as-is"]);
            assert!(std::fs::read(as_is).unwrap() == *sealed, "{place}: as it lies there");
            download_and_compare(&all.home, "p@latest", &all.source.data, place, &["--from", place]);
        });
    }
}
