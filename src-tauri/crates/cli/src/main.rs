//! `backstay`: the same engine as the window's, for servers, scripts and tests.

mod ask;
mod backups;
mod common;
mod copies;
mod demo;
mod destinations;
mod hints;
mod items;
mod kit;
mod options;
mod output;
mod plans;
mod restore;
mod servers;
mod system;
mod watch;

use backstay_assembly::AssemblyOptions;
use backstay_core::{Error, ErrorClass, Secret};
use clap::Parser;
use common::Session;
use options::{Options, Verb};
use output::Exit;
use std::ffi::OsString;

fn main() {
    let words = options::mark(std::env::args_os().collect());
    let options = match Options::try_parse_from(&words) {
        Ok(options) => options,
        Err(error) if error.use_stderr() && asks_json(&words) => {
            // On one line: where the words cannot be read, lines of events may be what they ask for.
            output::error(&usage_error(&error), true, true);
            Exit::Usage.leave()
        }
        // clap itself ends with 2 on a usage error and 0 for --help.
        Err(error) => error.exit(),
    };
    start_log();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("Cannot start: {error}");
            Exit::Failed.leave()
        }
    };
    let (json, lines) = (options.json, options.progress == options::ProgressForm::Json);
    let exit = match runtime.block_on(run(options)) {
        Ok(exit) => exit,
        Err(error) => {
            output::error(&error, json, lines);
            Exit::of_error(&error)
        }
    };
    // The runtime is not taken down: what still works in the background would panic, or a connection that hangs keep the
    // program. The session was dropped in `run`, and all that matters is durable by now.
    exit.leave()
}

async fn run(options: Options) -> Result<Exit, Error> {
    if let Verb::Demo(demo) = options.verb {
        return demo::run(&demo, options.json).await;
    }
    let stops = watch::Stops::listen();
    let passphrase = std::env::var("BACKSTAY_PASSPHRASE").ok().filter(|text| !text.is_empty()).map(Secret::new);
    let home = options.home.clone().unwrap_or_else(backstay_assembly::data_dir);
    let backstay = backstay_assembly::open(home, AssemblyOptions { passphrase, notifications: false }).await?;
    let session = Session { backstay, json: options.json, progress: options.progress, stops };
    match options.verb {
        Verb::Server(verb) => servers::run(&session, verb).await,
        Verb::Destination(verb) => destinations::run(&session, verb).await,
        Verb::Plan(verb) => plans::run(&session, verb).await,
        Verb::Backup { plan } => backups::back_up(&session, &plan).await,
        Verb::Backups(filter) => backups::list(&session, filter).await,
        Verb::Show { backup } => backups::show(&session, &backup).await,
        Verb::Ls { backup, path } => backups::ls(&session, &backup, path.as_deref().unwrap_or("")).await,
        Verb::Find { backup, text } => backups::find(&session, &backup, &text).await,
        Verb::Diff { older, newer } => backups::diff(&session, &older, &newer).await,
        Verb::Restore(wish) => restore::run(&session, wish).await,
        Verb::Download(wish) => backups::download(&session, wish).await,
        Verb::Verify(wish) => backups::verify(&session, wish).await,
        Verb::Sync { destination } => copies::sync(&session, &destination).await,
        Verb::Prune { destination } => copies::prune(&session, &destination).await,
        Verb::Delete(wish) => copies::delete(&session, wish).await,
        Verb::Link { backup, at, minutes } => copies::link(&session, &backup, &at, minutes).await,
        Verb::Thaw { backup, at, days } => copies::thaw(&session, &backup, &at, days).await,
        Verb::Status => system::status(&session).await,
        Verb::Runs(filter) => system::runs(&session, filter).await,
        Verb::Cancel { run } => system::cancel(&session, &run).await,
        Verb::Audit(verb) => system::audit(&session, verb).await,
        Verb::Secrets(verb) => system::secrets(&session, verb).await,
        Verb::Settings(args) => system::settings(&session, args).await,
        Verb::Demo(_) => Err(Error::new(ErrorClass::Internal, "The demo was started already")),
    }
}

/// Tells whether `--json` is among words that cannot be read as a whole.
fn asks_json(words: &[OsString]) -> bool {
    words.iter().take_while(|word| *word != "--").any(|word| word == "--json")
}

/// Returns what clap says of the words as an error of ours: why they cannot be read, the rest as its detail.
fn usage_error(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let (why, detail) = match text.strip_prefix("error: ") {
        Some(said) => said.split_once('\n').unwrap_or((said, "")),
        // All clap says where a verb is missing is the help.
        None => ("a verb is missing", text.as_str()),
    };
    let why = why.trim_end_matches(':');
    Error::new(ErrorClass::Invalid, format!("Cannot read the command line: {why}"))
        .detail(detail.trim_start_matches('\n'))
        .hint("See: backstay --help")
}

/// Logs to standard error, only what BACKSTAY_LOG asks for.
fn start_log() {
    let filter = std::env::var("BACKSTAY_LOG").unwrap_or_else(|_| "off".into());
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .try_init();
}
