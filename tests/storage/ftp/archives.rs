//! Archives over FTP: each is read in one transfer, which goes on where it broke off.

use super::*;
use backstay_core::RunContext;
use backstay_core::layout::{ArchiveFormat, ArchiveKey, BackupReader, Layout, Selection};
use backstay_layouts::Archives;
use support::{Files, assert_same, drain, file, path};

#[allow(dead_code, unused_imports)]
#[path = "../../archive/support.rs"]
mod support;

/// Content of several batches, which does not compress.
fn files() -> Files {
    (0..8).map(|n| file(&format!("f{n}"), &support::noise(n, 4_000_000))).collect()
}

/// Makes a backup of these files and opens it.
async fn opened(
    nas: Arc<dyn Destination>,
    files: &Files,
    format: ArchiveFormat,
    key: Option<ArchiveKey>,
) -> (Archives, Arc<dyn BackupReader>) {
    let archives = Archives::open(nas, Arc::new(support::Keys(vec![support::raw_key()])));
    let record = support::backup_with(&archives, &RunContext::silent(), files, format, key, 3).await.unwrap();
    let reader = archives.open(&record.id).await.unwrap();
    (archives, reader)
}

async fn read(reader: &Arc<dyn BackupReader>, selection: Selection) -> Files {
    let mut source = reader.stream(&RunContext::silent(), selection).await.unwrap();
    drain(source.as_mut()).await.unwrap()
}

/// All but what Backstay adds.
fn all() -> Selection {
    Selection { exclude: vec![path(".backstay")], ..Selection::default() }
}

async fn an_archive_is_one_transfer(server: &impl LabFtp, tls: FtpTls) {
    let proxies = Proxies::before(server).await.unwrap();
    let nas = open(&behind(&proxies, place(server, tls, "b"))).await;
    let files = files();
    for (format, key) in [(ArchiveFormat::TarZst, None), (ArchiveFormat::Zip, Some(support::raw_key()))] {
        // The seal's header is read by itself.
        let headers = u64::from(key.is_some());
        let (archives, reader) = opened(nas.clone(), &files, format, key).await;
        let before = data_connections(&proxies);
        assert_same(&files, &read(&reader, all()).await);
        assert_eq!(data_connections(&proxies) - before, headers + 1, "{format:?}");
        // What is picked here and there comes too.
        for name in ["f5", "f1"] {
            let one = Selection { include: vec![path(name)], ..Selection::default() };
            assert!(read(&reader, one).await[&path(name)].1 == files[&path(name)].1, "{format:?} {name}");
        }
        assert_eq!(archives.check(&RunContext::silent(), 100).await.unwrap().faults, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_on_proftpd_is_read_in_one_transfer() {
    let Some(server) = Proftpd::start(&proxied(TlsMode::Explicit)) else { return };
    an_archive_is_one_transfer(&server, FtpTls::Explicit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_on_vsftpd_is_read_in_one_transfer() {
    let Some(server) = Vsftpd::start(&proxied(TlsMode::None)) else { return };
    an_archive_is_one_transfer(&server, FtpTls::None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_whose_transfer_is_cut_goes_on_where_it_was() {
    let Some(server) = Proftpd::start(&proxied(TlsMode::Explicit)) else { return };
    let proxies = Proxies::before(&server).await.unwrap();
    let bare = open(&behind(&proxies, place(&server, FtpTls::Explicit, "b"))).await;
    let patience = Patience { first_wait: Duration::from_millis(10), ..Patience::default() };
    let files = files();
    let (_archives, reader) = opened(Arc::new(Retry::new(bare, patience)), &files, ArchiveFormat::TarZst, None).await;
    proxies.set_data(|faults| faults.cut_after = Some(10 * MIB as u64));
    let before = data_connections(&proxies);
    assert_same(&files, &read(&reader, all()).await);
    let made = data_connections(&proxies) - before;
    assert!((4..=6).contains(&made), "32 MB in pieces of 10 MiB took {made} transfers");
}
