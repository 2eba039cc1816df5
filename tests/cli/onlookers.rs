//! What every user of a server sees of the programs that run on it: their arguments.

use backstay_lab::ssh::process_list;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Does something while the arguments of all programs of this machine are looked at: no secret is among them, and `at_work`
/// was, so that not to find is a finding.
pub fn unseen<T>(secrets: &[&str], at_work: &str, work: impl FnOnce() -> T) -> T {
    let going_on = Arc::new(());
    let watched = Arc::downgrade(&going_on);
    let onlooker = std::thread::spawn(move || {
        let mut seen = BTreeSet::new();
        while watched.strong_count() > 0 {
            seen.extend(process_list());
            // Leaves the processor to those it watches.
            std::thread::sleep(Duration::from_millis(5));
        }
        seen
    });
    let done = work();
    drop(going_on);
    let seen = onlooker.join().unwrap();
    assert!(seen.iter().any(|line| line.contains(at_work)), "{at_work} was not seen at work");
    for secret in secrets {
        // However a secret is quoted, what stands between its own quotes and backslashes stays.
        let shows = |line: &&String| secret.split(['"', '\'', '\\']).all(|piece| line.contains(piece));
        let shown = seen.iter().find(shows);
        assert!(shown.is_none(), "a secret is in the arguments of {shown:?}");
    }
    done
}
