//! What every destination gets around it: another try, an end to silence, limits, counts, a record.

mod limit;
mod meter;
mod quiet;
mod record;
mod retry;

pub use limit::{Limit, LocalTime, rate_at};
pub use meter::Meter;
pub use quiet::Quiet;
pub use record::{Record, Recorded};
pub use retry::{OnRetry, Patience, Retry};
