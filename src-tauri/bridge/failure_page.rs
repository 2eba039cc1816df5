//! The page shown when Backstay could not start: plain HTML that needs neither the UI bundle nor a script.

use super::Engine;
use backstay_contract::IpcError;
use std::path::Path;
use tauri::http::{Response, StatusCode, header};

/// The scheme the page is served under.
pub const SCHEME: &str = "backstay-start";

const STYLE: &str = "
:root { color-scheme: light dark; --bg: #f7f7f5; --ink: #1d1f21; --mute: #5d6168; --line: #e4e3df; --panel: #fff; --bad: #b3261e }
@media (prefers-color-scheme: dark) {
  :root { --bg: #15181b; --ink: #e8eaec; --mute: #a0a6ad; --line: #2b3036; --panel: #1b1f23; --bad: #f08a82 } }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--bg); color: var(--ink);
  font: 14px/1.5 system-ui, sans-serif }
main { max-width: 560px; padding: 32px; background: var(--panel); border: 1px solid var(--line); border-radius: 8px }
h1 { font-size: 20px; margin: 0 0 12px } p { margin: 0 0 12px } .error { color: var(--bad) } .mute { color: var(--mute) }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: 12px/1.5 ui-monospace, monospace; color: var(--mute) }";

/// Answers a request for the page.
pub fn respond(engine: Option<&Engine>, home: &Path) -> Response<Vec<u8>> {
    let page = match engine.and_then(Engine::failure) {
        Some(error) => page(error, home),
        None => return answer(StatusCode::NOT_FOUND, String::new()),
    };
    answer(StatusCode::OK, page)
}

fn answer(status: StatusCode, page: String) -> Response<Vec<u8>> {
    let mut response = Response::new(page.into_bytes());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html; charset=utf-8"));
    let policy = header::HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

fn page(error: &IpcError, home: &Path) -> String {
    let hint = error.hint.as_deref().map(|hint| format!("<p>{}</p>", escape(hint))).unwrap_or_default();
    let detail = error
        .detail
        .as_deref()
        .map(|detail| format!("<details><summary>Details</summary><pre>{}</pre></details>", escape(detail)))
        .unwrap_or_default();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Backstay cannot start</title>\
         <style>{STYLE}</style></head><body><main><h1>Backstay cannot start</h1><p class=\"error\" role=\"alert\">{}</p>\
         {hint}<p class=\"mute\">Nothing was changed. Backups at your destinations are not touched by this. \
         Backstay keeps its state in <code>{}</code>. Close this window, then start Backstay again.</p>{detail}</main></body></html>",
        escape(&error.message),
        escape(&home.display().to_string()),
    )
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn failed(message: &str) -> Engine {
        Engine::new(Err(IpcError {
            code: "unsupported".into(),
            message: message.into(),
            hint: Some("Install the newer <Backstay>".into()),
            detail: None,
        }))
    }

    #[test]
    fn the_page_says_why_and_what_to_do_without_trusting_the_text() {
        let response = respond(Some(&failed("Cannot open /x/<script>: newer")), Path::new("/home/a&b"));
        assert_eq!(response.status(), StatusCode::OK);
        let page = String::from_utf8(response.into_body()).unwrap();
        assert!(page.contains("Cannot open /x/&lt;script&gt;: newer"));
        assert!(page.contains("Install the newer &lt;Backstay&gt;"));
        assert!(page.contains("/home/a&amp;b"));
        assert!(!page.contains("<script"));
    }

    #[test]
    fn there_is_no_page_without_a_failure() {
        assert_eq!(respond(None, Path::new("/")).status(), StatusCode::NOT_FOUND);
    }
}
