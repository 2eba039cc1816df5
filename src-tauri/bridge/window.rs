//! The window's life: opening without a flash, closing while runs go on, coming back, quitting.

use super::{Engine, failure_page};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tauri::utils::config::WindowConfig;
use tauri::webview::Color;
use tauri::{AppHandle, Manager, Runtime, Theme, WebviewUrl, WebviewWindowBuilder, WindowEvent};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons, MessageDialogKind};
use tokio::sync::Notify;

/// The label of the one window.
pub const MAIN: &str = "main";
/// The label of the window that says why Backstay cannot start. It may call nothing.
pub const FAILURE: &str = "failure";

/// How long quitting waits for cancelled runs to end cleanly.
const QUIT_WAIT: Duration = Duration::from_secs(10);
/// How often a hidden app looks whether its runs are over.
const HIDDEN_LOOK: Duration = Duration::from_secs(1);

/// Ctrl+Q (Cmd+Q has its menu on macOS) reaches the app even while a page is broken.
const QUIT_KEY: &str = "addEventListener('keydown', event => {
  if (event.ctrlKey && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 'q') {
    event.preventDefault();
    window.__TAURI_INTERNALS__.invoke('quit');
  }
});";

/// Tells the page its colours before its own scripts ran; `CHOSEN` stands for what the user chose. Some web views run it
/// before there is any element.
const COLOURS: &str = "(() => {
  const set = () => {
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    document.documentElement.setAttribute('data-mantine-color-scheme', CHOSEN ?? (dark ? 'dark' : 'light'));
  };
  if (document.documentElement) return set();
  new MutationObserver((_, observer) => {
    if (!document.documentElement) return;
    observer.disconnect();
    set();
  }).observe(document, { childList: true });
})();";

/// Quitting: whether it was asked for, and whether it was decided, so that nothing asks again.
#[derive(Default)]
pub struct Quitting {
    asked: Notify,
    decided: AtomicBool,
}

impl Quitting {
    /// Asks the app to quit, as soon as it gets to it.
    pub fn ask(&self) {
        self.asked.notify_one();
    }
}

/// Quits whenever that is asked for through [`Quitting`]. Runs for the life of the app.
pub async fn quit_when_asked<R: Runtime>(app: AppHandle<R>) {
    loop {
        app.state::<Quitting>().asked.notified().await;
        quit(&app).await;
    }
}

/// Opens the window of an app that works, in the colours the user chose.
pub fn open<R: Runtime>(app: &AppHandle<R>, theme: &str) -> tauri::Result<()> {
    let Some(config) = app.config().app.windows.iter().find(|window| window.label == MAIN).cloned() else {
        return Err(tauri::Error::WindowNotFound);
    };
    let (chosen, scheme) = match theme {
        "light" => (Some(Theme::Light), "'light'"),
        "dark" => (Some(Theme::Dark), "'dark'"),
        _ => (None, "null"),
    };
    let colours = COLOURS.replace("CHOSEN", scheme);
    let builder = WebviewWindowBuilder::from_config(app, &config)?.theme(chosen);
    let builder = builder.initialization_script(QUIT_KEY).initialization_script(colours);
    let window = builder.visible(false).build()?;
    let dark = match chosen {
        Some(theme) => theme == Theme::Dark,
        None => window.theme().is_ok_and(|theme| theme == Theme::Dark),
    };
    // The page's own background, so that nothing flashes before its first paint.
    window.set_background_color(Some(if dark {
        Color(0x15, 0x18, 0x1b, 255)
    } else {
        Color(0xf7, 0xf7, 0xf5, 255)
    }))?;
    window.show()?;
    let handle = app.clone();
    window.on_window_event(move |event| {
        if let WindowEvent::CloseRequested { api, .. } = event {
            // Decided by a task: counting runs is asynchronous. The window goes when the answer is there.
            api.prevent_close();
            let handle = handle.clone();
            tauri::async_runtime::spawn(async move { close(&handle).await });
        }
    });
    Ok(())
}

/// Opens the window that says why Backstay cannot start.
pub fn open_failure<R: Runtime>(app: &AppHandle<R>) -> tauri::Result<()> {
    let page = format!("{}://localhost/", failure_page::SCHEME);
    let config = WindowConfig {
        label: FAILURE.into(),
        title: "Backstay".into(),
        width: 760.0,
        height: 480.0,
        url: WebviewUrl::CustomProtocol(page.parse().map_err(tauri::Error::InvalidUrl)?),
        ..WindowConfig::default()
    };
    WebviewWindowBuilder::from_config(app, &config)?.build()?;
    Ok(())
}

/// Shows the window again, in front.
pub fn show<R: Runtime>(app: &AppHandle<R>) {
    let window = app.get_webview_window(MAIN).or_else(|| app.get_webview_window(FAILURE));
    let Some(window) = window else { return };
    for step in [window.show(), window.unminimize(), window.set_focus()] {
        if let Err(error) = step {
            tracing::warn!("cannot show the window: {error}");
        }
    }
}

/// Closes the window: without runs the app ends; with runs it goes on out of sight, and says so.
async fn close<R: Runtime>(app: &AppHandle<R>) {
    let runs = app.state::<Engine>().own_runs();
    if runs == 0 {
        return end(app);
    }
    let Some(window) = app.get_webview_window(MAIN) else { return end(app) };
    if let Err(error) = window.hide() {
        tracing::warn!("cannot hide the window: {error}");
        return;
    }
    let what = if runs == 1 { "1 run goes on".into() } else { format!("{runs} runs go on") };
    let told = tokio::task::spawn_blocking(move || {
        backstay_assembly::notify(
            &format!("{what} without a window"),
            "Start Backstay again to see it. It ends by itself when all is done.",
        )
    });
    if let Ok(Err(error)) = told.await {
        tracing::warn!("cannot notify: {error}");
    }
    end_when_done(app).await;
}

/// Ends an app that nobody sees once its runs are over; an invisible program must not stay for ever.
async fn end_when_done<R: Runtime>(app: &AppHandle<R>) {
    loop {
        tokio::time::sleep(HIDDEN_LOOK).await;
        let Some(window) = app.get_webview_window(MAIN) else { return };
        if window.is_visible().unwrap_or(true) {
            return;
        }
        if app.state::<Engine>().own_runs() == 0 {
            return end(app);
        }
    }
}

/// Quits; with runs going on it asks first, and then cancels them and waits for their clean end.
async fn quit<R: Runtime>(app: &AppHandle<R>) {
    if app.state::<Engine>().own_runs() == 0 {
        return end(app);
    }
    let (answer, asked) = tokio::sync::oneshot::channel();
    app.dialog()
        .message(quit_question(app.state::<Engine>().own_restore()))
        .title("Quit Backstay?")
        .kind(MessageDialogKind::Warning)
        .buttons(MessageDialogButtons::OkCancelCustom("Stop them and quit".into(), "Keep running".into()))
        .show(move |yes| {
            let _ = answer.send(yes);
        });
    if asked.await.unwrap_or(false) {
        cancel_all(app).await;
        end(app);
    }
}

const QUITTING: &str = "Runs are going on. Quitting stops them; what was backed up before stays whole, and the next backup goes on from there.";
const QUITTING_RESTORE: &str = " A restore is among them: what it has written by then stays, so its target is partly restored until you restore again.";

/// What quitting means for the runs that go on.
fn quit_question(restoring: bool) -> String {
    [QUITTING, if restoring { QUITTING_RESTORE } else { "" }].concat()
}

/// Tells whether an exit asked for by the system may go on; if not, the user is asked.
pub fn may_exit<R: Runtime>(app: &AppHandle<R>) -> bool {
    if app.state::<Quitting>().decided.load(Ordering::SeqCst) || app.state::<Engine>().failure().is_some() {
        return true;
    }
    app.state::<Quitting>().ask();
    false
}

/// Cancels this process's runs and waits for their clean end; what another process runs goes on.
async fn cancel_all<R: Runtime>(app: &AppHandle<R>) {
    let engine = app.state::<Engine>();
    let Ok(backstay) = engine.ready() else { return };
    backstay.cancel_own_runs().await;
    let ended = async {
        while engine.own_runs() > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    if tokio::time::timeout(QUIT_WAIT, ended).await.is_err() {
        tracing::warn!("some runs did not end in time; their rows will say interrupted");
    }
}

fn end<R: Runtime>(app: &AppHandle<R>) {
    app.state::<Quitting>().decided.store(true, Ordering::SeqCst);
    app.exit(0);
}

#[cfg(test)]
mod tests {
    use super::quit_question;

    #[test]
    fn a_restore_that_is_stopped_is_not_called_whole() {
        assert!(!quit_question(false).contains("restore"));
        assert!(quit_question(true).contains("partly restored"));
    }
}
