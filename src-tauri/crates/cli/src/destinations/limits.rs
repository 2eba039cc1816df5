//! `backstay destination limits`: how fast bytes may go.

use crate::common::Session;
use crate::options::LimitsArgs;
use crate::output::{self, Exit, cells};
use backstay_contract::{BandwidthRuleView, BandwidthView, DestinationLimit, Limits};
use backstay_core::{Error, ErrorClass, Result};
use backstay_engine::size_text;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Shows limits, or changes one.
pub async fn run(session: &Session, args: &LimitsArgs) -> Result<Exit> {
    let mut limits = session.backstay.limits().await?;
    if args.rate.is_some() || !args.rule.is_empty() || args.no_rules {
        match &args.name {
            None => apply(args, &mut limits.all)?,
            Some(name) => {
                let destination = session.destination_id(name)?;
                let known = limits.destinations.iter().find(|limit| limit.destination == destination);
                let mut bandwidth = known.map(|limit| limit.bandwidth.clone()).unwrap_or_default();
                apply(args, &mut bandwidth)?;
                limits.destinations.retain(|limit| limit.destination != destination);
                limits.destinations.push(DestinationLimit { destination, bandwidth });
            }
        }
        limits = session.backstay.save_limits(limits).await?;
    }
    if session.json {
        output::object(&limits)?;
    } else {
        show(session, &limits).await?;
    }
    Ok(Exit::Done)
}

/// Brings what was named into a limit; what was not stays.
fn apply(args: &LimitsArgs, bandwidth: &mut BandwidthView) -> Result<()> {
    if let Some(text) = &args.rate {
        bandwidth.bytes_per_second = rate(text)?;
    }
    if args.no_rules || !args.rule.is_empty() {
        bandwidth.rules = args.rule.iter().map(|text| rule(text)).collect::<Result<_>>()?;
    }
    Ok(())
}

async fn show(session: &Session, limits: &Limits) -> Result<()> {
    let mut lines = vec![cells(["DESTINATION", "LIMIT", "RULES"])];
    lines.push(row("all together", &limits.all));
    for limit in &limits.destinations {
        let known = session.backstay.destination(&limit.destination).await;
        let name = known.map_or_else(|_| limit.destination.clone(), |draft| draft.name);
        lines.push(row(&name, &limit.bandwidth));
    }
    output::table(&lines)
}

fn row(name: &str, bandwidth: &BandwidthView) -> Vec<String> {
    let rules: Vec<String> = bandwidth.rules.iter().map(rule_text).collect();
    cells([name, &rate_text(bandwidth.bytes_per_second), &rules.join(" ")])
}

fn rate_text(rate: Option<u64>) -> String {
    match rate {
        None => "none".into(),
        Some(0) => "pause".into(),
        Some(rate) => format!("{}/s", size_text(rate)),
    }
}

fn rule_text(rule: &BandwidthRuleView) -> String {
    let days: Vec<&str> = rule.days.iter().filter_map(|day| DAYS.get(usize::from(*day)).copied()).collect();
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let (from, to) = (clock(rule.from_minute), clock(rule.to_minute));
    format!("{}@{from}-{to}={}", days.join(","), rate_text(rule.bytes_per_second))
}

fn wrong(text: &str) -> Error {
    Error::new(ErrorClass::Invalid, format!("Cannot use the limit {text}"))
        .hint("Write a rate as 500K, 10M or none; a rule as mon-fri@08:00-18:00=2M")
}

/// Reads a rate: "500K", "10M", "1.5G", "none", "0".
fn rate(text: &str) -> Result<Option<u64>> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let plain = text.trim_end_matches("/s").trim_end_matches(['B', 'b']).trim_end_matches("i");
    let (digits, unit) = match plain.chars().last().map(|unit| unit.to_ascii_uppercase()) {
        Some('K') => (&plain[..plain.len() - 1], 1024.0),
        Some('M') => (&plain[..plain.len() - 1], 1024.0 * 1024.0),
        Some('G') => (&plain[..plain.len() - 1], 1024.0 * 1024.0 * 1024.0),
        _ => (plain, 1.0),
    };
    let value: f64 = digits.trim().parse().map_err(|_| wrong(text))?;
    let bytes = value * unit;
    if !(0.0..1e15).contains(&bytes) {
        return Err(wrong(text));
    }
    Ok(Some(bytes as u64))
}

/// Reads a rule: "mon-fri@08:00-18:00=2M", "sat,sun@00:00-24:00=none".
fn rule(text: &str) -> Result<BandwidthRuleView> {
    let (days, rest) = text.split_once('@').ok_or_else(|| wrong(text))?;
    let (hours, speed) = rest.split_once('=').ok_or_else(|| wrong(text))?;
    let (from, to) = hours.split_once('-').ok_or_else(|| wrong(text))?;
    let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name.trim())).ok_or_else(|| wrong(text));
    let mut numbers = Vec::new();
    for part in days.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        // "sat-mon" goes over the end of the week.
        let length = (last + 7 - first) % 7;
        numbers.extend((0..=length).map(|n| ((first + n) % 7) as u8));
    }
    numbers.sort_unstable();
    numbers.dedup();
    let minute = |clock: &str| -> Result<u16> {
        let (hour, minute) = clock.split_once(':').ok_or_else(|| wrong(text))?;
        let (hour, minute): (u16, u16) =
            (hour.trim().parse().map_err(|_| wrong(text))?, minute.trim().parse().map_err(|_| wrong(text))?);
        if minute > 59 || hour > 24 || hour * 60 + minute > 24 * 60 { Err(wrong(text)) } else { Ok(hour * 60 + minute) }
    };
    Ok(BandwidthRuleView {
        days: numbers,
        from_minute: minute(from)?,
        to_minute: minute(to)?,
        bytes_per_second: rate(speed)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rates_and_rules() {
        assert_eq!(rate("none").unwrap(), None);
        assert_eq!(rate("500K").unwrap(), Some(512_000));
        assert_eq!(rate("1.5M").unwrap(), Some(1_572_864));
        assert_eq!(rate("2 MiB/s").unwrap(), Some(2 << 20));
        assert!(rate("fast").is_err() && rate("-1").is_err());
        let weekdays = rule("mon-fri@08:00-18:30=2M").unwrap();
        assert_eq!((weekdays.days, weekdays.from_minute, weekdays.to_minute), (vec![0, 1, 2, 3, 4], 480, 1110));
        assert_eq!(rule("sat-mon@22:00-06:00=0").unwrap().days, [0, 5, 6]);
        for text in ["mon@08:00=1M", "foo@08:00-09:00=1M", "mon@8-9=1M", "mon@25:00-26:00=1M", "mon@65535:00-01:00=1M"]
        {
            assert_eq!(rule(text).unwrap_err().class, ErrorClass::Invalid, "{text}");
        }
    }
}
