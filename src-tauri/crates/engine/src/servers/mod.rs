//! Servers: the list, one of them, adding, changing, removing, browsing.

mod browse;
mod connections;
mod draft;
mod facts;
pub(crate) mod jumps;
mod test;

pub(crate) use connections::OpenHost;
pub(crate) use draft::{StorePins, address_of, connection_of, draft_of_connection};

use crate::backstay::{Backstay, Inner, locked};
use crate::words::{checked_name, invalid};
use backstay_contract::{
    HostKeyReport, HostKeyView, ServerDetail, ServerDraft, ServerFactsView, ServerRow, SshConfigHost,
};
use backstay_core::config::{Connection, PinnedHostKey, Place, Server, ServerFacts, SftpVia, Sudo};
use backstay_core::{Error, ErrorClass, Result, RunContext, ServerId};
use draft::{connection_key, draft_of, has_password, route_of, summary_of};
use std::sync::Arc;

impl Backstay {
    /// Returns all servers.
    pub async fn servers(&self) -> Result<Vec<ServerRow>> {
        self.inner.server_rows()
    }

    /// Returns one server whole.
    pub async fn server(&self, id: &str) -> Result<ServerDetail> {
        let server = self.inner.store.server(&ServerId::from(id))?;
        let fingerprint = match &server.connection {
            Connection::Local { .. } => None,
            Connection::Ssh(ssh) => match &ssh.fingerprint {
                Some(fingerprint) => Some(fingerprint.clone()),
                None => self.inner.store.host_key(&ssh.host, ssh.port)?.map(|key| key.fingerprint),
            },
        };
        Ok(ServerDetail {
            row: self.inner.server_row(&server)?,
            draft: draft_of(&server),
            facts: server.facts.as_ref().map(facts::view).transpose()?,
            route: route_of(&server.connection),
            fingerprint,
        })
    }

    /// Returns the hosts of `~/.ssh/config`, ready to be picked.
    pub async fn ssh_config_hosts(&self) -> Result<Vec<SshConfigHost>> {
        let hosts = self.inner.parts.ssh_config_hosts()?;
        let rows = hosts.into_iter().map(|host| {
            let summary = summary_of(&host.connection);
            let draft = draft::draft_of_connection(&host.alias, &Connection::Ssh(host.connection));
            SshConfigHost { alias: host.alias, draft, summary }
        });
        Ok(rows.collect())
    }

    /// Asks for the host keys on the way to a server. `destination`: it is that one's own way, and what is stored for
    /// it logs in to the jump hosts where nothing was typed.
    pub async fn probe_host_key(&self, draft: ServerDraft, destination: Option<&str>) -> Result<HostKeyReport> {
        let Connection::Ssh(ssh) = connection_of(&draft)? else { return Ok(HostKeyReport { keys: Vec::new() }) };
        let mut login = self.inner.login_of_draft(&draft).await?;
        // Only jump hosts are logged in to.
        if let Some(id) = destination.filter(|_| !ssh.jumps.is_empty()) {
            self.inner.fill_from_destination(id, &ssh, &mut login).await?;
        }
        let pins = Arc::new(StorePins::new(self.inner.store.clone(), &Connection::Ssh(ssh.clone())));
        let keys = self.inner.parts.probe_host_keys(&ssh, &login, pins).await?;
        let views = keys.into_iter().map(|key| HostKeyView {
            host: format!("{}:{}", key.host, key.port),
            algorithm: key.algorithm,
            fingerprint: key.fingerprint,
            state: key.state.into(),
            expected: key.expected,
        });
        Ok(HostKeyReport { keys: views.collect() })
    }

    /// Looks what is on a server; on one that is saved already, the facts are kept.
    pub async fn discover_server(&self, draft: ServerDraft) -> Result<ServerFactsView> {
        let connection = connection_of(&draft)?;
        let name = if draft.name.trim().is_empty() { summary_name(&connection) } else { draft.name.clone() };
        let login = self.inner.login_of_draft(&draft).await?;
        let pins = Arc::new(StorePins::new(self.inner.store.clone(), &connection));
        let host = self.inner.parts.connect(&name, &connection, login, pins).await?;
        let ctx = RunContext { clock: self.inner.clock.clone(), ..RunContext::silent() };
        let found = self.inner.discover(&ctx, host.as_ref()).await;
        host.close().await;
        let found = found?;
        let view = facts::view(&found)?;
        if let Some(server) = draft.id.as_deref().and_then(|id| self.inner.store.server(&id.into()).ok())
            && server.connection == connection
        {
            self.inner.store.put_server(&Server { facts: Some(found.clone()), ..server })?;
            self.inner.changed("servers");
        }
        locked(&self.inner.discovered).insert(connection_key(&connection), found);
        Ok(view)
    }

    /// Adds a server, or changes it when `id` is set. Secrets are stored before the server is.
    pub async fn save_server(&self, draft: ServerDraft) -> Result<ServerRow> {
        let action = if draft.id.is_some() { "server.change" } else { "server.add" };
        let name = draft.name.trim().to_owned();
        let result = self.inner.store_server(draft).await;
        let server = self.inner.audited(action, &name, result)?;
        self.inner.forget_host(&server.id).await;
        self.inner.changed("servers");
        self.inner.server_row(&server)
    }

    /// Removes a server. Its backups stay; a plan that reads it must go first, and a destination that lies there.
    pub async fn remove_server(&self, id: &str) -> Result<()> {
        let server = self.inner.store.server(&ServerId::from(id))?;
        let result = if server.id == ServerId::this_computer() {
            Err(invalid("This computer cannot be removed: it is always there"))
        } else {
            self.inner.not_a_way(&server).and_then(|()| self.inner.store.delete_server(&server.id))
        };
        self.inner.audited("server.remove", &server.name, result)?;
        self.inner.unpin(&server.connection)?;
        self.inner.forget_host(&server.id).await;
        for name in draft::secret_names(&server.id) {
            self.inner.forget_secret(name).await;
        }
        if let Connection::Ssh(ssh) = &server.connection {
            self.inner.forget_jumps(&jumps::Owner::server(&server.id), ssh).await;
        }
        self.inner.changed("servers");
        Ok(())
    }
}

impl Inner {
    /// Fails while a destination is reached by a server.
    fn not_a_way(&self, server: &Server) -> Result<()> {
        let by_it = |place: &Place| match place {
            Place::Sftp(place) => matches!(&place.via, SftpVia::Server { server: id } if *id == server.id),
            _ => false,
        };
        let Some(config) = self.store.destinations()?.into_iter().find(|config| by_it(&config.place)) else {
            return Ok(());
        };
        let text = format!("Cannot remove the server: the destination {} lies there", config.name);
        Err(Error::new(ErrorClass::Locked, text).hint("Remove the destination first; what lies there stays"))
    }

    async fn store_server(&self, draft: ServerDraft) -> Result<Server> {
        let name = checked_name(&draft.name, "server")?;
        let connection = connection_of(&draft)?;
        let known = draft.id.as_deref().map(|id| self.store.server(&ServerId::from(id))).transpose()?;
        if self.store.servers()?.iter().any(|s| s.name == name && Some(&s.id) != known.as_ref().map(|k| &k.id)) {
            return Err(Error::new(ErrorClass::Exists, format!("There is a server called {name} already"))
                .hint("Choose another name"));
        }
        if known.as_ref().is_some_and(|k| k.id == ServerId::this_computer()) && !draft.local {
            return Err(invalid("This computer cannot be reached over SSH: add a server instead"));
        }
        let id = known.as_ref().map_or_else(ServerId::random, |server| server.id.clone());
        self.store_login(&id, &draft, &connection, known.as_ref().map(|server| &server.connection)).await?;
        let facts = locked(&self.discovered).get(&connection_key(&connection)).cloned();
        let kept = known.as_ref().filter(|k| same_machine(&k.connection, &connection)).and_then(|k| k.facts.clone());
        let before = known.as_ref().map(|server| fingerprints(&server.connection)).unwrap_or_default();
        let server = Server {
            id,
            name,
            facts: facts.or(kept),
            created: known.map_or_else(|| self.clock.now(), |server| server.created),
            connection,
        };
        self.store.put_server(&server)?;
        self.pin(&server, &before)?;
        Ok(server)
    }

    /// Stores what was typed, and removes what the new way to log in no longer needs.
    async fn store_login(
        &self,
        id: &ServerId,
        draft: &ServerDraft,
        connection: &Connection,
        before: Option<&Connection>,
    ) -> Result<()> {
        use backstay_core::secret::{Secret, SecretName};
        let given = [
            (SecretName::server_password(id), &draft.password, has_password(connection)),
            (SecretName::server_key_passphrase(id), &draft.key_passphrase, draft::has_key_file(connection)),
            (
                SecretName::server_sudo_password(id),
                &draft.sudo_password,
                draft::sudo_of(connection) == Sudo::WithPassword,
            ),
        ];
        for (name, value, wanted) in given {
            match value.as_deref() {
                Some(text) if wanted && !text.is_empty() => self.put_secret(name, Secret::new(text)).await?,
                Some("") => self.forget_secret(name).await,
                None if wanted => {}
                _ if draft.id.is_some() => self.forget_secret(name).await,
                _ => {}
            }
        }
        if let Connection::Ssh(ssh) = connection {
            let before = before.and_then(|before| match before {
                Connection::Ssh(ssh) => Some(ssh),
                Connection::Local { .. } => None,
            });
            self.store_jumps(&jumps::Owner::server(id), ssh, &jumps::typed(&draft.jumps), before).await?;
        }
        Ok(())
    }

    /// Pins the keys accepted for a server and its jump hosts, and says so in the audit log. Those it had `before` are
    /// left alone: another server may have accepted a newer one for the same jump host since.
    fn pin(&self, server: &Server, before: &[Fingerprint]) -> Result<()> {
        for accepted in fingerprints(&server.connection) {
            let (host, port, fingerprint) = &accepted;
            let pinned = self.store.host_key(host, *port)?.map(|key| key.fingerprint);
            if before.contains(&accepted) || pinned.as_ref() == Some(fingerprint) {
                continue;
            }
            let earlier = before.iter().find(|(h, p, _)| (h, p) == (host, port)).map(|(.., key)| key.clone());
            let instead = pinned.or(earlier).map(|key| format!(", instead of {key}")).unwrap_or_default();
            self.audit("host_key.accept", &format!("{}: {host}:{port} {fingerprint}{instead}", server.name), "ok")?;
            self.store.put_host_key(&PinnedHostKey {
                host: host.clone(),
                port: *port,
                fingerprint: fingerprint.clone(),
                accepted: self.clock.now(),
            })?;
        }
        Ok(())
    }

    /// Forgets the pinned keys of a removed server and its jump hosts, but for those another server still goes by.
    fn unpin(&self, connection: &Connection) -> Result<()> {
        let used: Vec<_> = self.store.servers()?.iter().flat_map(|server| hops(&server.connection)).collect();
        for (host, port) in hops(connection) {
            if !used.contains(&(host.clone(), port)) {
                self.store.delete_host_key(&host, port)?;
            }
        }
        Ok(())
    }

    async fn discover(&self, ctx: &RunContext, host: &dyn backstay_core::host::Host) -> Result<ServerFacts> {
        let mut facts = self.parts.facts(ctx, host).await?;
        facts.seen = Some(self.clock.now());
        for kind in self.parts.kinds() {
            // One kind that cannot look must not hide what the others found.
            match kind.discover(ctx, host).await {
                Ok(found) => facts.found.extend(found),
                Err(error) => tracing::info!(kind = kind.id(), %error, "discovery of a kind failed"),
            }
        }
        Ok(facts)
    }
}

/// Host, port and accepted key.
pub(crate) type Fingerprint = (String, u16, String);

/// Returns the keys accepted on a connection's way.
pub(crate) fn fingerprints(connection: &Connection) -> Vec<Fingerprint> {
    let Connection::Ssh(ssh) = connection else { return Vec::new() };
    let own = (&ssh.host, ssh.port, &ssh.fingerprint);
    let hops = ssh.jumps.iter().map(|jump| (&jump.host, jump.port, &jump.fingerprint)).chain(std::iter::once(own));
    hops.filter_map(|(host, port, key)| Some((host.clone(), port, key.clone()?))).collect()
}

/// Returns the addresses a connection goes through, the server's own last.
fn hops(connection: &Connection) -> Vec<(String, u16)> {
    let Connection::Ssh(ssh) = connection else { return Vec::new() };
    let jumps = ssh.jumps.iter().map(|jump| (jump.host.clone(), jump.port));
    jumps.chain(std::iter::once((ssh.host.clone(), ssh.port))).collect()
}

fn same_machine(a: &Connection, b: &Connection) -> bool {
    match (a, b) {
        (Connection::Local { .. }, Connection::Local { .. }) => true,
        (Connection::Ssh(a), Connection::Ssh(b)) => a.host == b.host && a.port == b.port,
        _ => false,
    }
}

fn summary_name(connection: &Connection) -> String {
    match connection {
        Connection::Local { .. } => "this computer".into(),
        Connection::Ssh(ssh) => ssh.host.clone(),
    }
}
