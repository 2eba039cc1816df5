//! Hardening of our own process.

/// Switches core dumps off for this process: a dump would hold passwords and keys in the clear. Where the system does
/// not let us, nothing is lost but this precaution.
pub fn harden() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
            tracing::warn!(%error, "core dumps could not be switched off");
        }
    }
}
