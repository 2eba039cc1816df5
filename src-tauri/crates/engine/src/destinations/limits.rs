//! How fast bytes may go: for all destinations together and for each, changed while runs go on.

use crate::backstay::{Backstay, Inner, locked};
use crate::parts::{LimitedTraffic, Parts};
use crate::words::invalid;
use async_trait::async_trait;
use backstay_contract::{BandwidthRuleView, BandwidthView, DestinationLimit, Limits};
use backstay_core::config::{Bandwidth, BandwidthRule};
use backstay_core::destination::{Direction, Traffic};
use backstay_core::{DestinationId, Error, ErrorClass, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// The key under which the limits lie in the store.
const LIMITS_KEY: &str = "limits";
/// Less than this, and a connection would be taken for dead. 0 is a pause and allowed in a rule.
const SLOWEST: u64 = 1024;
/// How often limits that another process stored are looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// So many rules are enough for every hour of a week.
const MOST_RULES: usize = 200;

/// The limits as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct StoredLimits {
    all: Bandwidth,
    destinations: BTreeMap<String, Bandwidth>,
}

/// What holds bytes back, shared by everything that is under way.
pub(crate) struct Limiters {
    all: Arc<dyn LimitedTraffic>,
    each: Mutex<BTreeMap<DestinationId, Arc<dyn LimitedTraffic>>>,
}

/// Several ones that bytes pass one after the other.
struct Chain(Vec<Arc<dyn Traffic>>);

#[async_trait]
impl Traffic for Chain {
    async fn pass(&self, direction: Direction, bytes: usize) {
        for one in &self.0 {
            one.pass(direction, bytes).await;
        }
    }
}

impl Limiters {
    /// Makes them as the store tells.
    pub fn new(parts: &dyn Parts) -> Result<Self> {
        let stored = read(parts)?;
        let limiters = Self { all: parts.limited_traffic(&stored.all), each: Mutex::default() };
        for (id, bandwidth) in &stored.destinations {
            limiters.of(parts, &DestinationId::from(id.as_str())).set(bandwidth);
        }
        Ok(limiters)
    }
    fn of(&self, parts: &dyn Parts, id: &DestinationId) -> Arc<dyn LimitedTraffic> {
        let mut each = locked(&self.each);
        each.entry(id.clone()).or_insert_with(|| parts.limited_traffic(&Bandwidth::default())).clone()
    }
    /// Lets stored limits hold that another process changed.
    fn follow(&self, parts: &dyn Parts, before: &StoredLimits, now: &StoredLimits) {
        if before.all != now.all {
            self.all.set(&now.all);
        }
        let names = before.destinations.keys().chain(now.destinations.keys());
        for id in names.filter(|id| before.destinations.get(*id) != now.destinations.get(*id)) {
            let bandwidth = now.destinations.get(id).cloned().unwrap_or_default();
            self.of(parts, &DestinationId::from(id.as_str())).set(&bandwidth);
        }
    }
    /// Returns whom the bytes of a destination pass. What watches them sees them as they really go.
    pub fn traffic(
        &self,
        parts: &dyn Parts,
        id: &DestinationId,
        watched: Option<Arc<dyn Traffic>>,
    ) -> Arc<dyn Traffic> {
        let own: Arc<dyn Traffic> = self.of(parts, id);
        let mut chain = vec![own, self.shared()];
        chain.extend(watched);
        Arc::new(Chain(chain))
    }
    /// Returns whom the bytes of a place pass that is no destination yet.
    pub fn shared(&self) -> Arc<dyn Traffic> {
        self.all.clone()
    }
    /// Returns the bytes a second that may go to and from a destination now; `None` is no limit.
    pub fn limit_now(&self, id: &DestinationId) -> Option<u64> {
        let own = locked(&self.each).get(id).and_then(|limit| limit.limit_now());
        match (own, self.all.limit_now()) {
            (Some(own), Some(all)) => Some(own.min(all)),
            (own, all) => own.or(all),
        }
    }
}

/// Follows limits that the window or the command line changes while the other runs, as long as the application is open.
pub(crate) async fn follow_limits(inner: Weak<Inner>) {
    let mut before = StoredLimits::default();
    loop {
        {
            let Some(inner) = inner.upgrade() else { return };
            if let Ok(now) = read(inner.parts.as_ref()) {
                inner.limiters.follow(inner.parts.as_ref(), &before, &now);
                before = now;
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

impl Backstay {
    /// Returns all limits.
    pub async fn limits(&self) -> Result<Limits> {
        let stored = read(self.inner.parts.as_ref())?;
        let view = |config: backstay_core::config::DestinationConfig| DestinationLimit {
            bandwidth: stored.destinations.get(config.id.as_str()).map(view_of).unwrap_or_default(),
            destination: config.id.to_string(),
        };
        let destinations = self.inner.store.destinations()?.into_iter().map(view).collect();
        Ok(Limits { all: view_of(&stored.all), destinations })
    }

    /// Stores all limits. They hold at once, for what is under way too. A destination that is not named keeps its own.
    pub async fn save_limits(&self, limits: Limits) -> Result<Limits> {
        let mut each = Vec::new();
        for limit in &limits.destinations {
            let config = self.inner.store.destination(&DestinationId::from(limit.destination.as_str()))?;
            each.push((config.id, bandwidth_of(&limit.bandwidth)?));
        }
        let all = bandwidth_of(&limits.all)?;
        let result = self.inner.put_limits(Some(&all), &each);
        self.inner.audited("limits.change", "limits", result)?;
        self.inner.changed("destinations");
        self.limits().await
    }
}

impl Inner {
    /// Returns a destination's own limit.
    pub(super) fn bandwidth(&self, id: &DestinationId) -> Result<BandwidthView> {
        let stored = read(self.parts.as_ref())?;
        Ok(stored.destinations.get(id.as_str()).map(view_of).unwrap_or_default())
    }

    /// Stores limits and lets them hold.
    pub(super) fn put_limits(&self, all: Option<&Bandwidth>, each: &[(DestinationId, Bandwidth)]) -> Result<()> {
        let mut limits = StoredLimits::default();
        self.store.update_setting(LIMITS_KEY, &mut |kept| {
            limits = parsed(kept);
            if let Some(all) = all {
                limits.all = all.clone();
            }
            for (id, bandwidth) in each {
                match *bandwidth == Bandwidth::default() {
                    true => limits.destinations.remove(id.as_str()),
                    false => limits.destinations.insert(id.to_string(), bandwidth.clone()),
                };
            }
            serde_json::to_value(&limits)
                .map_err(|e| Error::new(ErrorClass::Internal, "Cannot store the limits").source(e))
        })?;
        self.limiters.all.set(&limits.all);
        for (id, bandwidth) in each {
            self.limiters.of(self.parts.as_ref(), id).set(bandwidth);
        }
        Ok(())
    }
}

/// Reads the limits; what cannot be read counts as none.
fn read(parts: &dyn Parts) -> Result<StoredLimits> {
    Ok(parsed(parts.store().setting(LIMITS_KEY)?))
}

fn parsed(stored: Option<serde_json::Value>) -> StoredLimits {
    stored.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
}

/// Checks a limit as it was filled in.
pub(super) fn bandwidth_of(view: &BandwidthView) -> Result<Bandwidth> {
    let speed = |bytes: Option<u64>, in_rule: bool| match bytes {
        Some(0) if in_rule => Ok(bytes),
        Some(bytes) if bytes < SLOWEST => Err(invalid(format!("A limit of {bytes} bytes a second is too slow"))
            .hint("Use at least 1 KiB a second; a rule with 0 holds everything until it is over")),
        _ => Ok(bytes),
    };
    if view.rules.len() > MOST_RULES {
        return Err(invalid(format!("There are {} rules: use at most {MOST_RULES}", view.rules.len())));
    }
    let rule = |rule: &BandwidthRuleView| {
        if rule.days.is_empty() || rule.days.iter().any(|day| *day > 6) {
            return Err(invalid("A rule of a limit has no day, or one that is none").hint("Monday is 0, Sunday is 6"));
        }
        if rule.from_minute >= 24 * 60 || rule.to_minute > 24 * 60 {
            return Err(invalid("A rule of a limit begins or ends outside of the day"));
        }
        Ok(BandwidthRule {
            days: rule.days.clone(),
            from_minute: rule.from_minute,
            to_minute: rule.to_minute,
            bytes_per_second: speed(rule.bytes_per_second, true)?,
        })
    };
    Ok(Bandwidth {
        bytes_per_second: speed(view.bytes_per_second, false)?,
        rules: view.rules.iter().map(rule).collect::<Result<_>>()?,
    })
}

fn view_of(bandwidth: &Bandwidth) -> BandwidthView {
    let rule = |rule: &BandwidthRule| BandwidthRuleView {
        days: rule.days.clone(),
        from_minute: rule.from_minute,
        to_minute: rule.to_minute,
        bytes_per_second: rule.bytes_per_second,
    };
    BandwidthView { bytes_per_second: bandwidth.bytes_per_second, rules: bandwidth.rules.iter().map(rule).collect() }
}
