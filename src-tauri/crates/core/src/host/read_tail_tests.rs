use super::*;

#[tokio::test]
async fn of_many_words_the_first_and_the_last_are_kept() {
    let long = format!("first\n{}\nERROR: last\n", "x".repeat(1 << 20));
    let kept = read_tail(&mut long.as_bytes(), 1000).await;
    assert!(kept.starts_with("first\nxxx") && kept.ends_with("xxx\nERROR: last\n"), "{kept}");
    assert!(kept.contains("x\n[... left out ...]\nx") && kept.len() < 1100, "{kept}");
    for length in [0, 1, 499, 500, 501, 999, 1000] {
        let text = "y".repeat(length);
        assert_eq!(read_tail(&mut text.as_bytes(), 1000).await, text);
    }
}
