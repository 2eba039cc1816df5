//! Logging, and what is said about a fault of ours.

use tracing_subscriber::EnvFilter;

/// Logs to standard error. `BACKSTAY_LOG` sets what (as `RUST_LOG` would: "debug", "backstay_engine=trace").
pub fn start_logging() {
    let filter = EnvFilter::try_from_env("BACKSTAY_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // Fails only when a logger is set already, which is as good.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// Says where a panic happened, and never its text: that may hold what the user typed.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_else(|| "an unknown place".into());
        let thread = std::thread::current();
        eprintln!("Backstay met a fault of its own at {place} (thread {})", thread.name().unwrap_or("unnamed"));
    }));
}
