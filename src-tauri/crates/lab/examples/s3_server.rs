//! The lab's S3 server as a process of its own, for the benchmark: prints what logs in there as one line of JSON, and
//! ends with its standard input.

use std::io::Read;

#[tokio::main]
async fn main() {
    let server = backstay_lab::s3::S3Server::start().await;
    let place = server.place();
    let line = serde_json::json!({
        "port": server.port(),
        "endpoint": place.endpoint,
        "region": place.region,
        "bucket": place.bucket,
        "accessKey": place.access_key,
        "secretKey": server.secret().expose(),
    });
    println!("{line}");
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let _ = ended.await;
}
