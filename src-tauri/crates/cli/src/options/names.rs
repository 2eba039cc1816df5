//! Destinations called like the word for their place: `destination add s3 s3 …`. clap looks for verbs first and would
//! take the name for one, so such a name is marked on its way to clap and unmarked by its argument.

use std::ffi::OsString;

/// The words of `PlaceVerb`.
const PLACES: [&str; 4] = ["local", "s3", "sftp", "ftp"];
/// No shell sends it by accident.
const MARK: char = '\u{1}';

/// Marks a destination's name that is a place's word, where another such word follows.
pub fn mark(mut words: Vec<OsString>) -> Vec<OsString> {
    let is_place = |word: &OsString| word.to_str().is_some_and(|word| PLACES.contains(&word));
    let verb = words.windows(2).position(|two| two[0] == "destination" && (two[1] == "add" || two[1] == "open"));
    let Some(from) = verb.map(|verb| verb + 2) else { return words };
    let mut places = (from..words.len()).filter(|at| is_place(&words[*at]));
    if let (Some(name), Some(_)) = (places.next(), places.next())
        && words[from..name].iter().all(|word| word.to_string_lossy().starts_with('-'))
    {
        let mut marked = OsString::from(MARK.to_string());
        marked.push(&words[name]);
        words[name] = marked;
    }
    words
}

/// Reads a name that may be marked.
pub fn unmark(name: &str) -> Result<String, std::convert::Infallible> {
    Ok(name.strip_prefix(MARK).unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::options::{DestinationVerb, Options, PlaceVerb, Verb};
    use clap::Parser;

    fn parse(text: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(mark(text.split(' ').map(OsString::from).collect()))
    }

    #[test]
    fn a_destination_may_be_called_like_its_place() {
        for text in
            ["backstay destination add local local /x", "backstay --json destination add --no-vault local local /x"]
        {
            let Verb::Destination(DestinationVerb::Add(add)) = parse(text).unwrap().verb else { panic!("{text}") };
            assert_eq!(add.name, "local");
            assert!(matches!(add.place, PlaceVerb::Local { .. }));
        }
        let text = "backstay destination add nas local /x/s3";
        let Verb::Destination(DestinationVerb::Add(add)) = parse(text).unwrap().verb else { panic!("{text}") };
        assert_eq!(add.name, "nas");
        assert!(parse("backstay destination add local /x").is_err(), "the name is missing");
    }
}
