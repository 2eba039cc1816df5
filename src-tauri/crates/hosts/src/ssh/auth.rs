//! Logging in: agent, key file with certificate, password, keyboard-interactive, and two of them in a row where the
//! server asks for it.

use super::link::{ClientHandler, LostReason};
use crate::{ConnectOptions, HostSecrets};
use backstay_core::config::SshAuth;
use backstay_core::{Error, ErrorClass, Result};
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::{AgentClient, AgentStream};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Rounds of keyboard-interactive questions we answer before we call it a loop.
const MAX_ROUNDS: usize = 8;
/// How long the end of a connection may take to show after its log-in got no answer any more.
const END_LIMIT: Duration = Duration::from_secs(2);

/// Who logs in, where, and how.
pub struct Login<'a> {
    /// The server's name, for messages; a jump host's own for its hop.
    pub server: &'a str,
    /// The user.
    pub user: &'a str,
    /// How.
    pub auth: &'a SshAuth,
    /// With what.
    pub secrets: &'a HostSecrets,
    /// Where the agent is.
    pub options: &'a ConnectOptions,
    /// Why the connection ended, once it has.
    pub lost: &'a LostReason,
}

/// How an attempt ended.
enum Attempt {
    /// In.
    Accepted,
    /// Not in. `partial` when it was right but the server wants more; `offers` what it takes next.
    Refused { partial: bool, offers: MethodSet },
}

impl From<AuthResult> for Attempt {
    fn from(result: AuthResult) -> Self {
        match result {
            AuthResult::Success => Self::Accepted,
            AuthResult::Failure { remaining_methods, partial_success } => {
                Self::Refused { partial: partial_success, offers: remaining_methods }
            }
        }
    }
}

impl Login<'_> {
    /// Logs in.
    ///
    /// Errors: `Refused`, `WrongKey` (key file's passphrase), `Missing` (no key file, no agent), `Offline`.
    pub async fn log_in(&self, handle: &mut Handle<ClientHandler>) -> Result<()> {
        let asked = handle.authenticate_none(self.user).await;
        let offers = match self.attempt(handle, asked).await? {
            Attempt::Accepted => return Ok(()),
            Attempt::Refused { offers, .. } => offers,
        };
        let first = match self.auth {
            SshAuth::Agent => self.by_agent(handle).await?,
            SshAuth::KeyFile { path } => self.by_key(handle, path).await?,
            SshAuth::Password => self.by_password(handle, &offers).await?,
        };
        match first {
            Attempt::Accepted => Ok(()),
            // A second factor: the key was right, and now the server wants a password as well.
            Attempt::Refused { partial: true, offers }
                if *self.auth != SshAuth::Password && self.secrets.password.is_some() =>
            {
                match self.by_password(handle, &offers).await? {
                    Attempt::Accepted => Ok(()),
                    Attempt::Refused { offers, .. } => {
                        Err(self.refused("the key was right, but not the password", &offers))
                    }
                }
            }
            Attempt::Refused { partial: true, offers } => Err(self.refused("the server wants a second proof", &offers)),
            Attempt::Refused { offers, .. } => Err(self.refused(self.what_was_refused(), &offers)),
        }
    }

    fn what_was_refused(&self) -> &'static str {
        match self.auth {
            SshAuth::Agent => "no key of the agent was accepted",
            SshAuth::KeyFile { .. } => "the key was refused",
            SshAuth::Password => "the password was refused",
        }
    }

    fn tried(&self) -> String {
        format!("Cannot log in to {} as {}", self.server, self.user)
    }

    fn error(&self, class: ErrorClass, why: &str) -> Error {
        Error::new(class, format!("{}: {why}", self.tried()))
    }

    fn refused(&self, why: &str, offers: &MethodSet) -> Error {
        let offers: Vec<String> = offers.iter().map(String::from).collect();
        let hint = match self.auth {
            _ if why.contains("second proof") || why.contains("not the password") => {
                "If it asks for the account's password besides the key, say so in how the server logs in, and give it"
            }
            SshAuth::Agent => "Look at ssh-add -l, and at ~/.ssh/authorized_keys on the server",
            SshAuth::KeyFile { .. } => "Check the user, and that the public key stands in ~/.ssh/authorized_keys there",
            SshAuth::Password => "Check user and password; the server may also forbid passwords for this user",
        };
        let error = self.error(ErrorClass::Refused, why).hint(hint);
        if offers.is_empty() { error } else { error.detail(format!("The server takes: {}", offers.join(", "))) }
    }

    async fn attempt<E: std::error::Error + Send + Sync + 'static>(
        &self,
        handle: &mut Handle<ClientHandler>,
        result: std::result::Result<AuthResult, E>,
    ) -> Result<Attempt> {
        let attempt = result.map(Attempt::from).map_err(|e| self.line_lost().source(e))?;
        self.unless_lost(handle, attempt).await
    }

    /// russh tells a connection that ended as a refusal that offers nothing: it must not be taken for a wrong key. Where
    /// the server said itself why it hangs up (too many tries), it is a refusal.
    async fn unless_lost(&self, handle: &mut Handle<ClientHandler>, attempt: Attempt) -> Result<Attempt> {
        match &attempt {
            Attempt::Refused { partial: false, offers } if offers.is_empty() => {}
            _ => return Ok(attempt),
        }
        // Awaited and not only looked at: the reason is told at the very end. What is asked after that is an error at once.
        let ended = tokio::time::timeout(END_LIMIT, &mut *handle).await.is_ok();
        if ended && !self.lost.is_the_servers_word() { Err(self.line_lost()) } else { Ok(attempt) }
    }

    fn line_lost(&self) -> Error {
        self.error(ErrorClass::Offline, "the connection was lost during log-in")
            .hint("Some servers hang up after too many wrong tries; wait a minute")
    }

    async fn by_password(&self, handle: &mut Handle<ClientHandler>, offers: &MethodSet) -> Result<Attempt> {
        let Some(password) = &self.secrets.password else {
            return Err(self.error(ErrorClass::Refused, "no password was given").hint("Enter the password"));
        };
        let mut last = Attempt::Refused { partial: false, offers: offers.clone() };
        if offers.contains(&MethodKind::Password) {
            let asked = handle.authenticate_password(self.user, password.expose()).await;
            last = self.attempt(handle, asked).await?;
            // A refused password is not tried again by keyboard-interactive: that would count twice towards a lock-out.
            if !matches!(last, Attempt::Refused { partial: true, .. }) {
                return Ok(last);
            }
        }
        if offers.contains(&MethodKind::KeyboardInteractive) {
            last = self.by_questions(handle, password.expose()).await?;
        }
        Ok(last)
    }

    /// Answers the question for the password. Another question (a one-time code) has no answer here: it is named, and
    /// the password is never given to it.
    async fn by_questions(&self, handle: &mut Handle<ClientHandler>, password: &str) -> Result<Attempt> {
        let lost = |e| self.line_lost().source(e);
        let mut reply = handle.authenticate_keyboard_interactive_start(self.user, None).await.map_err(lost)?;
        for _ in 0..MAX_ROUNDS {
            match reply {
                KeyboardInteractiveAuthResponse::Success => return Ok(Attempt::Accepted),
                KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                    let refused = Attempt::Refused { partial: partial_success, offers: remaining_methods };
                    return self.unless_lost(handle, refused).await;
                }
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                    let is_other = |prompt: &str| asks_for_a_code(&prompt.replace(self.user, ""));
                    if let Some(other) = prompts.iter().find(|p| p.echo || is_other(&p.prompt)) {
                        return Err(self.unanswerable(&other.prompt));
                    }
                    let answers = prompts.iter().map(|_| password.to_owned()).collect();
                    reply = handle.authenticate_keyboard_interactive_respond(answers).await.map_err(lost)?;
                }
            }
        }
        Err(self.error(ErrorClass::Refused, "the server keeps asking questions"))
    }

    fn unanswerable(&self, question: &str) -> Error {
        let question: String = question.trim().chars().filter(|c| !c.is_control()).take(80).collect();
        self.error(ErrorClass::Refused, &format!("the server asks \"{question}\", which nobody is there to answer"))
            .hint(
                "Backstay logs in while you are away, so one-time codes cannot be typed. Let this user log in by key \
                 alone: in sshd_config, a Match block for it with AuthenticationMethods publickey",
            )
    }

    async fn by_key(&self, handle: &mut Handle<ClientHandler>, path: &str) -> Result<Attempt> {
        let file = expand_home(path);
        let text = tokio::fs::read_to_string(&file).await.map_err(|e| {
            let class =
                if e.kind() == std::io::ErrorKind::NotFound { ErrorClass::Missing } else { ErrorClass::Refused };
            self.error(class, &format!("the key file {} cannot be read", file.display())).source(e)
        })?;
        let text = zeroize::Zeroizing::new(text);
        let key = Arc::new(self.open_key(&file, &text)?);
        if let Some(certificate) = certificate_beside(&file) {
            let result = handle.authenticate_openssh_cert(self.user, key.clone(), certificate).await;
            match self.attempt(handle, result).await? {
                Attempt::Refused { partial: false, .. } => {}
                done => return Ok(done),
            }
        }
        let hash = self.rsa_hash(handle, key.algorithm().is_rsa()).await?;
        let asked = handle.authenticate_publickey(self.user, PrivateKeyWithHashAlg::new(key, hash)).await;
        self.attempt(handle, asked).await
    }

    fn open_key(&self, file: &Path, text: &str) -> Result<russh::keys::PrivateKey> {
        let passphrase = self.secrets.key_passphrase.as_ref().filter(|p| !p.is_empty()).map(|p| p.expose());
        // A key without passphrase opens with none; one given all the same must not stand in the way.
        let opened = russh::keys::decode_secret_key(text, None);
        let name = file.display();
        match (opened, passphrase) {
            (Ok(key), _) => Ok(key),
            (Err(russh::keys::Error::KeyIsEncrypted), None) => Err(self
                .error(ErrorClass::WrongKey, &format!("the key file {name} is locked with a passphrase"))
                .hint("Give its passphrase")),
            (Err(russh::keys::Error::KeyIsEncrypted), Some(passphrase)) => {
                russh::keys::decode_secret_key(text, Some(passphrase)).map_err(|_| {
                    self.error(ErrorClass::WrongKey, &format!("the passphrase does not open the key file {name}"))
                        .hint("Check the passphrase")
                })
            }
            (Err(first), passphrase) => {
                russh::keys::decode_secret_key(text, passphrase).map_err(|_| {
                    let hint = if text.contains("PuTTY-User-Key-File") || !text.contains("PRIVATE KEY") {
                        "It must be the private key (not the .pub file) in OpenSSH or PEM form; ssh-keygen -i converts others"
                    } else {
                        "Try ssh-keygen -y -f on it"
                    };
                    let error =
                        self.error(ErrorClass::WrongKey, &format!("{name} is no private key that can be used"));
                    error.hint(hint).detail(first.to_string())
                })
            }
        }
    }

    /// SHA-1 signatures are refused by today's servers; ask which SHA-2 they take.
    async fn rsa_hash(&self, handle: &Handle<ClientHandler>, rsa: bool) -> Result<Option<HashAlg>> {
        if !rsa {
            return Ok(None);
        }
        match handle.best_supported_rsa_hash().await {
            Ok(Some(best)) => Ok(best),
            Ok(None) => Ok(Some(HashAlg::Sha256)),
            Err(e) => Err(self.line_lost().source(e)),
        }
    }

    async fn by_agent(&self, handle: &mut Handle<ClientHandler>) -> Result<Attempt> {
        let mut agent = self.agent().await?;
        if let Some(binding) = handle.agent_session_binding() {
            // Only OpenSSH's agent knows this, and only keys with a stated destination need it.
            let _ = agent.bind_session(binding, false).await;
        }
        let no_agent = |e| self.error(ErrorClass::Missing, "the SSH agent does not answer").source(e);
        let identities = agent.request_identities().await.map_err(no_agent)?;
        if identities.is_empty() {
            return Err(self
                .error(ErrorClass::Missing, "the SSH agent holds no key")
                .hint("Add one with ssh-add, or choose a key file"));
        }
        let mut last = Attempt::Refused { partial: false, offers: MethodSet::empty() };
        for identity in identities {
            let rsa = match &identity {
                AgentIdentity::PublicKey { key, .. } => key.algorithm().is_rsa(),
                AgentIdentity::Certificate { certificate, .. } => certificate.algorithm().is_rsa(),
            };
            let hash = self.rsa_hash(handle, rsa).await?;
            let result = match identity {
                AgentIdentity::PublicKey { key, .. } => {
                    handle.authenticate_publickey_with(self.user, key, hash, &mut agent).await
                }
                AgentIdentity::Certificate { certificate, .. } => {
                    handle.authenticate_certificate_with(self.user, certificate, hash, &mut agent).await
                }
            };
            // The agent would not sign with this one (locked, or the user said no): the next may do.
            if matches!(result, Err(russh::AgentAuthError::Key(_))) {
                continue;
            }
            last = self.attempt(handle, result).await?;
            if !matches!(last, Attempt::Refused { partial: false, .. }) || handle.is_closed() {
                break;
            }
        }
        Ok(last)
    }

    async fn agent(&self) -> Result<AgentClient<Box<dyn AgentStream + Send + Unpin>>> {
        let absent = |why: &str| {
            self.error(ErrorClass::Missing, why)
                .hint("Start ssh-agent and add your key with ssh-add, or choose a key file")
        };
        #[cfg(unix)]
        {
            let socket = self.options.agent_socket.as_ref().ok_or_else(|| absent("no SSH agent is running"))?;
            let agent = AgentClient::connect_uds(socket).await;
            agent.map(AgentClient::dynamic).map_err(|e| absent("the SSH agent cannot be reached").source(e))
        }
        #[cfg(windows)]
        {
            if let Some(pipe) = &self.options.agent_socket
                && let Ok(agent) = AgentClient::connect_named_pipe(pipe).await
            {
                return Ok(agent.dynamic());
            }
            let agent = AgentClient::connect_pageant().await;
            agent.map(AgentClient::dynamic).map_err(|e| absent("neither the OpenSSH agent nor Pageant runs").source(e))
        }
        #[cfg(not(any(unix, windows)))]
        Err(absent("there is no SSH agent on this system"))
    }
}

/// Tells whether a hidden question is for something else than the password, by the words that PAM's modules use.
fn asks_for_a_code(prompt: &str) -> bool {
    // What names a host says nothing of the question: "(ada@code.example.org) Password:".
    let words = prompt.to_lowercase();
    let words: Vec<&str> = words.split_whitespace().filter(|word| !word.contains('@')).collect();
    let is = |word: &&str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        matches!(word, "one-time" | "otp" | "totp" | "hotp" | "code" | "passcode" | "token" | "oath")
    };
    // "One-time password (OATH) for `ada':", "Verification code:", "Duo passcode:", "Enter one time password:"
    words.iter().any(is) || words.windows(2).any(|two| two == ["one", "time"])
}

/// Reads the certificate `ssh` would use with this key: `KEY-cert.pub`.
fn certificate_beside(key: &Path) -> Option<russh::keys::Certificate> {
    let mut name = key.file_name()?.to_owned();
    name.push("-cert.pub");
    russh::keys::load_openssh_certificate(key.with_file_name(name)).ok()
}

/// Replaces a leading `~/`.
pub fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::asks_for_a_code;

    #[test]
    fn a_password_is_told_from_a_code() {
        for password in [
            "Password: ",
            "ada@web's password:",
            "Passwort:",
            "(ada@10.0.0.5) Password: ",
            "Password for ada@code.example.org: ",
        ] {
            assert!(!asks_for_a_code(password), "{password}");
        }
        for code in [
            "Verification code: ",
            "One-time password (OATH) for `ada': ",
            "Duo passcode: ",
            "TOTP: ",
            "Enter one time password:",
        ] {
            assert!(asks_for_a_code(code), "{code}");
        }
    }
}
