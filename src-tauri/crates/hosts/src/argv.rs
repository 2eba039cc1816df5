//! Commands as a remote shell must see them: quoting, environment, and secrets over stdin.

use backstay_core::host::Command;
use backstay_core::{Error, ErrorClass, Result};
use zeroize::Zeroizing;

/// The longest text a Linux kernel takes as one argument, less some room: sshd hands ours to `shell -c`.
const LONGEST_LINE: usize = 120 * 1024;

/// Reads secret variables from stdin, one line each, then becomes the command. `read` takes single bytes from a pipe,
/// so what follows reaches the command untouched.
const SECRETS_FROM_STDIN: &str = "while [ \"$1\" != -- ]; do IFS= read -r v || exit 125; export \"$1=$v\"; shift; done; \
     shift; unset v; exec \"$@\"";

/// A command in one piece: an argument vector that carries its environment, and the bytes its stdin starts with.
pub struct Lowered {
    /// Program and arguments.
    pub argv: Vec<Vec<u8>>,
    /// Secret lines that go before the payload.
    pub stdin_prefix: Zeroizing<Vec<u8>>,
}

/// Puts a command's environment into its argument vector (`env NAME=value …`) and its secrets before its stdin.
///
/// Errors: `Invalid` for an empty command, a NUL byte, or a secret with a line break.
pub fn lower(command: &Command) -> Result<Lowered> {
    let mut argv: Vec<Vec<u8>> = vec![b"env".to_vec()];
    if !command.env.iter().any(|(name, _)| name == "LC_ALL") {
        argv.push(b"LC_ALL=C".to_vec());
    }
    for (name, value) in &command.env {
        check_name(name)?;
        argv.push(format!("{name}={value}").into_bytes());
    }
    let mut stdin_prefix = Zeroizing::new(Vec::new());
    if !command.secret_env.is_empty() {
        argv.extend([b"sh".to_vec(), b"-c".to_vec(), SECRETS_FROM_STDIN.into(), b"sh".to_vec()]);
        // Room for all of it at once: a vector that grows would leave copies behind.
        stdin_prefix.reserve(command.secret_env.iter().map(|(_, value)| value.expose().len() + 1).sum());
        for (name, value) in &command.secret_env {
            check_name(name)?;
            if value.expose().contains(['\n', '\0']) {
                return Err(Error::new(ErrorClass::Invalid, format!("Cannot pass {name}: it holds a line break")));
            }
            argv.push(name.clone().into_bytes());
            stdin_prefix.extend_from_slice(value.expose().as_bytes());
            stdin_prefix.push(b'\n');
        }
        argv.push(b"--".to_vec());
    }
    if command.argv.first().is_none_or(Vec::is_empty) {
        return Err(Error::new(ErrorClass::Invalid, "Cannot run a command without a program"));
    }
    argv.extend(command.argv.iter().cloned());
    if argv.iter().any(|arg| arg.contains(&0)) {
        return Err(Error::new(
            ErrorClass::Invalid,
            format!("Cannot run {}: an argument holds a NUL byte", command.program()),
        ));
    }
    Ok(Lowered { argv, stdin_prefix })
}

fn check_name(name: &str) -> Result<()> {
    let mut chars = name.chars();
    let good = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if good { Ok(()) } else { Err(Error::new(ErrorClass::Invalid, format!("{name:?} cannot name a variable"))) }
}

/// Writes an argument vector as one line that sh, bash, zsh, ksh and fish all split back into the same bytes.
///
/// Errors: `Invalid` when it is longer than a server's kernel takes.
pub fn shell_line(argv: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    for arg in argv {
        if !line.is_empty() {
            line.push(b' ');
        }
        quote(arg, &mut line);
    }
    if line.len() > LONGEST_LINE {
        let program = argv.first().map(|p| backstay_core::path::escape(p)).unwrap_or_default();
        return Err(Error::new(ErrorClass::Invalid, format!("Cannot run {program}: its arguments are too long"))
            .detail(format!("{} bytes, at most {LONGEST_LINE} can be sent", line.len())));
    }
    Ok(line)
}

/// Quotes one argument. Backslash and exclamation mark stand outside the single quotes: fish reads `\\` and csh reads
/// `!` even inside them.
fn quote(arg: &[u8], line: &mut Vec<u8>) {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._-+,:@%".contains(b);
    if !arg.is_empty() && arg.iter().all(plain) {
        line.extend_from_slice(arg);
        return;
    }
    line.push(b'\'');
    for byte in arg {
        match byte {
            b'\'' | b'\\' | b'!' => line.extend_from_slice(&[b'\'', b'\\', *byte, b'\'']),
            byte => line.push(*byte),
        }
    }
    line.push(b'\'');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use backstay_core::Secret;

    fn line(args: &[&[u8]]) -> String {
        String::from_utf8(shell_line(&args.iter().map(|a| a.to_vec()).collect::<Vec<_>>()).unwrap()).unwrap()
    }

    #[test]
    fn quotes_only_where_needed() {
        assert_eq!(line(&[b"tar", b"-C", b"/srv/www", b"--", b"."]), "tar -C /srv/www -- .");
        assert_eq!(line(&[b"", b"a b", b"it's", b"a\\b", b"hi!"]), r"'' 'a b' 'it'\''s' 'a'\\'b' 'hi'\!''");
        assert_eq!(line(&[b"$HOME", b"`id`", b"*", b"~", b"a\nb"]), "'$HOME' '`id`' '*' '~' 'a\nb'");
    }

    #[test]
    fn refuses_what_a_kernel_would_refuse() {
        let error = shell_line(&[b"x".to_vec(), vec![b'a'; LONGEST_LINE]]).unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid);
    }

    #[test]
    fn secrets_go_to_stdin_and_never_to_argv() {
        let command = Command::new("pg_dump").env("PGUSER", "app").secret_env("PGPASSWORD", Secret::new("hunter 2"));
        let lowered = lower(&command).unwrap();
        assert_eq!(&lowered.stdin_prefix[..], b"hunter 2\n");
        let all = lowered.argv.concat();
        assert!(!all.windows(6).any(|w| w == b"hunter"));
        assert_eq!(&lowered.argv[..3], [b"env".to_vec(), b"LC_ALL=C".to_vec(), b"PGUSER=app".to_vec()]);
    }

    #[test]
    fn refuses_hostile_names_and_values() {
        for name in ["", "A B", "1A", "A=B", "A;id"] {
            assert!(lower(&Command::new("x").env(name, "v")).is_err(), "{name:?}");
        }
        assert!(lower(&Command::new("x").secret_env("A", Secret::new("two\nlines"))).is_err());
        assert!(lower(&Command::new("x").arg(b"a\0b")).is_err());
        assert!(lower(&Command::default()).is_err());
    }
}
