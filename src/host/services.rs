//! Asks a plugin for its gRPC services, within bounds, to display them. The answer is untrusted and
//! nothing relies on it.

use std::fmt;
use std::time::Duration;

use tokio::time::timeout;

use super::Plugin;
use crate::Escaped;
use crate::rpc::{self, ReflectionVersion, ServicePresence, ServicesError};

/// Answered `SERVING`, or the plugin would not have become ready.
const HEALTH: &str = "grpc.health.v1.Health";

/// The other services that hosts and plugins on this wire have for each other.
const WIRE: [&str; 3] = ["plugin.GRPCBroker", "plugin.GRPCController", "plugin.GRPCStdio"];

/// The services of a plugin, as far as it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Services {
    /// It lists them.
    #[non_exhaustive]
    Listed {
        /// Their full names, sorted. Foreign text: show it with [`Escaped`].
        names: Vec<String>,
        /// The service that listed them, which is among them.
        reflection: ReflectionVersion,
    },
    /// It does not list them because it has no reflection. The application's services are unknown.
    #[non_exhaustive]
    Unlisted {
        /// The state of the services that every plugin may have.
        wire: Vec<WireService>,
    },
}

/// A service of the wire itself, as against the application's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WireService {
    /// Its full name.
    pub name: &'static str,
    /// Whether the plugin has it.
    pub presence: ServicePresence,
}

impl Plugin {
    /// Asks the plugin which services it has, within `limit`.
    ///
    /// By server reflection (`grpc.reflection.v1`, else `v1alpha`), which plugins built with
    /// go-plugin offer. No other service is called, except that a plugin without reflection is
    /// asked for a method that does not exist. At most 256 names of 256 bytes are taken.
    ///
    /// # Errors
    ///
    /// When the answer is none, too large or too late. The plugin is left as it is in any case.
    pub async fn services(&self, limit: Duration) -> Result<Services, ServicesError> {
        timeout(limit, self.ask_for_services()).await.map_err(|_| ServicesError::Timeout)?
    }

    async fn ask_for_services(&self) -> Result<Services, ServicesError> {
        if let Some((reflection, names)) = rpc::list_services(&self.wire()).await? {
            return Ok(Services::Listed { names, reflection });
        }
        let mut wire = vec![WireService { name: HEALTH, presence: ServicePresence::Offered }];
        for name in WIRE {
            wire.push(WireService { name, presence: rpc::probe_service(self.wire(), name).await });
        }
        Ok(Services::Unlisted { wire })
    }
}

impl fmt::Display for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed { names, reflection } => {
                let names: Vec<_> = names.iter().map(|name| Escaped::new(name).to_string()).collect();
                write!(f, "{} (reflection {reflection})", names.join(", "))
            }
            Self::Unlisted { wire } => {
                f.write_str("not listed, no reflection")?;
                wire.iter().try_for_each(|WireService { name, presence }| write!(f, "; {name} {presence}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_displayed_on_one_line() {
        let listed =
            Services::Listed { names: vec!["a.B".into(), "c\n\u{202e}".into()], reflection: ReflectionVersion::V1 };
        assert_eq!(listed.to_string(), r"a.B, c\n\u{202e} (reflection v1)");
        let wire = vec![WireService { name: HEALTH, presence: ServicePresence::Offered }];
        let unlisted = Services::Unlisted { wire };
        assert_eq!(unlisted.to_string(), "not listed, no reflection; grpc.health.v1.Health offered");
    }
}
