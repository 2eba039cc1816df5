//! Taking over what another installation kept at a destination.

use super::configuration::Configuration;
use super::draft::identity;
use super::missing;
use crate::backstay::{Backstay, Inner};
use crate::words::{invalid, millis};
use backstay_contract::{Adopted, ConfigurationCopy};
use backstay_core::config::{DestinationConfig, Plan, Server};
use backstay_core::secret::SecretName;
use backstay_core::{DestinationId, Error, ErrorClass, Result, ServerId};
use std::collections::HashMap;

impl Backstay {
    /// Takes over the servers, plans and destinations another installation kept at a destination. What is here already
    /// stays as it is; a name that is taken gets " (2)".
    pub async fn adopt_configuration(&self, destination: &str, configuration: &str) -> Result<Adopted> {
        let config = self.inner.store.destination(&DestinationId::from(destination))?;
        let result = self.inner.adopt(&config, configuration).await;
        let adopted = self.inner.audited("configuration.adopt", &config.name, result)?;
        ["servers", "plans", "destinations", "backups"].iter().for_each(|what| self.inner.changed(what));
        Ok(adopted)
    }
}

impl Inner {
    pub(super) fn configuration_view(&self, other: &Configuration) -> Result<ConfigurationCopy> {
        let (servers, destinations, plans) = (self.store.servers()?, self.store.destinations()?, self.store.plans()?);
        Ok(ConfigurationCopy {
            id: other.installation.clone(),
            computer: other.computer.clone(),
            made: millis(other.made),
            servers: names(&other.servers, |one| servers.iter().any(|known| known.id == one.id), |one| &one.name),
            plans: names(&other.plans, |one| plans.iter().any(|known| known.id == one.id), |one| &one.name),
            destinations: names(
                &other.destinations,
                |one| destinations.iter().any(|known| is_same(known, one)),
                |one| &one.name,
            ),
        })
    }

    async fn adopt(&self, at: &DestinationConfig, id: &str) -> Result<Adopted> {
        let place = self.place(at).await?;
        let copies = self.read_configurations(place.as_ref(), &self.all_keys(&[]).await).await?;
        let Some(other) = copies.into_iter().find(|copy| copy.installation == id) else {
            return Err(Error::new(
                ErrorClass::Missing,
                format!("There is no copy of that configuration at {} that our keys open", at.name),
            )
            .hint("Open the destination again with its key"));
        };
        check_adoptable(&other)?;
        let mut adopted = Adopted::default();
        self.adopt_servers(&other, &mut adopted)?;
        let renamed = self.adopt_destinations(&other, at, &mut adopted).await?;
        self.adopt_plans(&other, &renamed, &mut adopted).await?;
        Ok(adopted)
    }

    fn adopt_servers(&self, other: &Configuration, adopted: &mut Adopted) -> Result<()> {
        let known = self.store.servers()?;
        let mut taken: Vec<String> = known.iter().map(|server| server.name.clone()).collect();
        for server in &other.servers {
            // The other's own computer is not this one; its plans will read this one, which took its place.
            if server.id == ServerId::this_computer() || known.iter().any(|one| one.id == server.id) {
                continue;
            }
            let name = free_name(&server.name, &mut taken);
            self.store.put_server(&Server { name: name.clone(), facts: None, ..server.clone() })?;
            adopted.servers += 1;
            adopted.missing_secrets.extend(missing::of_server(&name, server, &other.secrets));
        }
        Ok(())
    }

    /// Adds the other's destinations. Returns which of ours stands for which of theirs, where it is another.
    async fn adopt_destinations(
        &self,
        other: &Configuration,
        at: &DestinationConfig,
        adopted: &mut Adopted,
    ) -> Result<HashMap<DestinationId, DestinationId>> {
        let known = self.store.destinations()?;
        let mut taken: Vec<String> = known.iter().map(|one| one.name.clone()).collect();
        let mut stands_for = HashMap::new();
        for theirs in &other.destinations {
            // The way there may differ between two computers: what the copy was written to is where it was found.
            let found_at = (theirs.id == other.written_to).then_some(at);
            if let Some(ours) = known.iter().find(|ours| is_same(ours, theirs)).or(found_at) {
                self.take_settings(ours, theirs).await?;
                stands_for.insert(theirs.id.clone(), ours.id.clone());
                continue;
            }
            let name = free_name(&theirs.name, &mut taken);
            self.store.put_destination(&DestinationConfig { name: name.clone(), ..theirs.clone() })?;
            adopted.destinations += 1;
            adopted.missing_secrets.extend(self.missing_of_destination(&name, theirs, &other.secrets).await?);
        }
        Ok(stands_for)
    }

    async fn adopt_plans(
        &self,
        other: &Configuration,
        stands_for: &HashMap<DestinationId, DestinationId>,
        adopted: &mut Adopted,
    ) -> Result<()> {
        let known = self.store.plans()?;
        let mut taken: Vec<String> = known.iter().map(|plan| plan.name.clone()).collect();
        let mut added = Vec::new();
        for theirs in &other.plans {
            if known.iter().any(|plan| plan.id == theirs.id) {
                continue;
            }
            let name = free_name(&theirs.name, &mut taken);
            let mut plan = Plan { name, ..theirs.clone() };
            for id in &mut plan.destinations {
                if let Some(ours) = stands_for.get(id) {
                    *id = ours.clone();
                }
            }
            let mut seen = std::collections::HashSet::new();
            plan.destinations.retain(|id| seen.insert(id.clone()));
            self.store.put_plan(&plan)?;
            adopted.plans += 1;
            added.push(plan);
        }
        // Only now: which key is whose is not known before all plans are.
        let lacking = &mut adopted.missing_secrets;
        for plan in &added {
            let name = &plan.name;
            if other.secrets.contains(&SecretName::archive_key(&plan.id).0) && !self.recover_archive_key(plan).await? {
                lacking.push(format!("Plan {name}: archive key (in its recovery kit)"));
            }
            for item in &plan.items {
                if other.secrets.contains(&SecretName::item_password(&plan.id, &item.name).0) {
                    lacking.push(format!("Plan {name}: password of {}", item.name));
                }
            }
        }
        Ok(())
    }
}

fn is_same(ours: &DestinationConfig, theirs: &DestinationConfig) -> bool {
    ours.id == theirs.id || identity(&ours.place) == identity(&theirs.place)
}

fn names<T>(all: &[T], known: impl Fn(&T) -> bool, name: impl Fn(&T) -> &String) -> Vec<String> {
    all.iter().filter(|one| !known(one)).map(|one| name(one).clone()).collect()
}

/// Returns a name that is not taken: "web", "web (2)", "web (3)".
fn free_name(name: &str, taken: &mut Vec<String>) -> String {
    let free = (1..)
        .map(|n| if n == 1 { name.to_owned() } else { format!("{name} ({n})") })
        .find(|candidate| !taken.contains(candidate))
        .unwrap_or_else(|| name.to_owned());
    taken.push(free.clone());
    free
}

/// What comes from a destination is checked like what a user types.
fn check_adoptable(other: &Configuration) -> Result<()> {
    if other.version != 1 {
        return Err(Error::new(ErrorClass::Unsupported, "A newer version of Backstay wrote the configuration")
            .hint("Update Backstay"));
    }
    for (name, what) in other
        .servers
        .iter()
        .map(|server| (&server.name, "server"))
        .chain(other.plans.iter().map(|plan| (&plan.name, "plan")))
        .chain(other.destinations.iter().map(|config| (&config.name, "destination")))
    {
        crate::words::checked_name(name, what)?;
    }
    let servers: Vec<_> = other.servers.iter().map(|server| &server.id).collect();
    let destinations: Vec<_> = other.destinations.iter().map(|config| &config.id).collect();
    for plan in &other.plans {
        let whole = servers.contains(&&plan.server) && plan.destinations.iter().all(|id| destinations.contains(&id));
        if !whole {
            return Err(invalid(format!(
                "The configuration is not whole: the plan {} names what is not in it",
                plan.name
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_names_get_a_number() {
        let mut taken = vec!["web".to_owned()];
        assert_eq!(free_name("web", &mut taken), "web (2)");
        assert_eq!(free_name("web", &mut taken), "web (3)");
        assert_eq!(free_name("db", &mut taken), "db");
    }
}
