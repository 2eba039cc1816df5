//! The head of a trigger's definition: which database it names.
//!
//! A server keeps a trigger as it was typed. `CREATE TRIGGER shop.watch … ON shop.customer` names its database, and a
//! dump gives that back.

use std::ops::Range;

/// What a line begins with where a dump defines a trigger.
pub(super) const BEGIN: &[u8] = b"/*!50003 CREATE*/ ";

/// What is known of a definition by its begin.
#[derive(Debug, PartialEq)]
pub(super) enum Head {
    /// More of it must be read first.
    Open,
    /// It defines no trigger.
    Other,
    /// It is whole: where the databases it names stand, and where it ends.
    Trigger(Vec<Range<usize>>, usize),
}

enum Token {
    Word,
    Quoted,
    Sign(u8),
}

/// Looks at what begins with [`BEGIN`]. A trigger and its table are always in the database the dump is of, so any
/// database named before them is that one.
pub(super) fn head(text: &[u8]) -> Head {
    let mut at = 0;
    let mut databases = Vec::new();
    let is =
        |range: &Range<usize>, words: &[&[u8]]| words.iter().any(|word| text[range.clone()].eq_ignore_ascii_case(word));
    // What comes next that counts: the word TRIGGER, its name, the word ON, its table.
    let steps: [Option<&[u8]>; 4] = [Some(b"trigger"), None, Some(b"on"), None];
    for step in steps {
        loop {
            let Some((token, range)) = next(text, &mut at) else { return Head::Open };
            let is_word = matches!(token, Token::Word);
            if let Some(word) = step {
                if is_word && is(&range, &[b"procedure", b"function", b"event", b"view"]) {
                    return Head::Other;
                }
                if is_word && is(&range, &[word]) {
                    break;
                }
                // The name is over, and so is the head: there is no table.
                if matches!(token, Token::Sign(b';')) {
                    return Head::Other;
                }
                continue;
            }
            if is_word && is(&range, &[b"if", b"not", b"exists"]) {
                continue;
            }
            let after = at;
            match next(text, &mut at) {
                None => return Head::Open,
                Some((Token::Sign(b'.'), _)) => {
                    databases.push(range);
                    if next(text, &mut at).is_none() {
                        return Head::Open;
                    }
                }
                Some(_) => at = after,
            }
            break;
        }
    }
    Head::Trigger(databases, at)
}

/// Returns the next token and where it stands, passing over spaces and comments; `None` when it may not be all there.
fn next(text: &[u8], at: &mut usize) -> Option<(Token, Range<usize>)> {
    loop {
        let rest = text.get(*at..)?;
        let first = *rest.first()?;
        if first.is_ascii_whitespace() {
            *at += 1;
        } else if rest.starts_with(b"*/") {
            *at += 2;
        } else if rest.starts_with(b"/*!") || rest.starts_with(b"/*M!") {
            // What stands in such a comment counts.
            let open = rest.iter().position(|b| *b == b'!')? + 1;
            let digits = rest[open..].iter().position(|b| !b.is_ascii_digit())?;
            *at += open + digits;
        } else if rest.starts_with(b"/*") {
            *at += rest.windows(2).skip(2).position(|pair| pair == b"*/")? + 4;
        } else if first == b'#' || rest.starts_with(b"-- ") {
            *at += rest.iter().position(|b| *b == b'\n')?;
        } else {
            break;
        }
    }
    let (begin, rest) = (*at, &text[*at..]);
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(*b, b'_' | b'$') || *b >= 0x80;
    let (token, length) = match rest[0] {
        quote @ (b'`' | b'"' | b'\'') => (Token::Quoted, end_of_quoted(rest, quote)?),
        first if is_part(&first) => (Token::Word, rest.iter().position(|b| !is_part(b))?),
        // Whether it begins a comment is told by what follows.
        b'/' | b'*' | b'-' if rest.len() < 3 => return None,
        sign => (Token::Sign(sign), 1),
    };
    *at += length;
    Some((token, begin..*at))
}

/// Returns the length of what stands in quotes. A quote in it is doubled.
fn end_of_quoted(text: &[u8], quote: u8) -> Option<usize> {
    let mut at = 1;
    loop {
        at += text.get(at..)?.iter().position(|b| *b == quote)? + 1;
        if *text.get(at)? != quote {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Option<Vec<&str>> {
        match head(text.as_bytes()) {
            Head::Trigger(ranges, _) => Some(ranges.into_iter().map(|range| &text[range]).collect()),
            _ => None,
        }
    }

    #[test]
    fn the_databases_of_a_trigger_are_found_however_it_was_typed() {
        let definer = "/*!50003 CREATE*/ /*!50017 DEFINER=`on`@`trigger`*/ /*!50003 ";
        for (typed, want) in [
            ("TRIGGER `w` BEFORE INSERT ON `c` FOR EACH ROW set new.a = 1 */;;", vec![]),
            ("trigger `sh``op`.`w` before insert on `sh``op`.`c` for each row", vec!["`sh``op`", "`sh``op`"]),
            ("TRIGGER shop . w\n AFTER INSERT\nON shop/* x */.c\n FOR EACH ROW", vec!["shop", "shop"]),
            ("TRIGGER IF NOT EXISTS w2 AFTER DELETE ON shop.c FOR EACH ROW begin", vec!["shop"]),
        ] {
            assert_eq!(named(&format!("{definer}{typed}")), Some(want), "{typed}");
        }
        for other in ["PROCEDURE `p`() select 1 */;;\n", "FUNCTION `f`() returns int\n", "TRIGGER w;\n"] {
            assert_eq!(head(format!("{definer}{other}").as_bytes()), Head::Other, "{other}");
        }
        let whole = format!("{definer}TRIGGER shop.w AFTER INSERT ON shop.c FOR");
        let least = whole.len() - 4;
        for length in BEGIN.len()..least {
            assert_eq!(head(&whole.as_bytes()[..length]), Head::Open, "{length}");
        }
    }
}
