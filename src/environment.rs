//! The environment of a program that is started: built from nothing, one name at a time. Reads this
//! process's own only where it is told to.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::Escaped;

/// The largest `NAME=value` that Linux accepts, with its NUL (`MAX_ARG_STRLEN`, execve(2)).
const LIMIT: usize = 128 * 1024;

/// What the plugin finds in its environment, besides what the protocol puts there. Starts empty,
/// and inherits nothing by itself.
///
/// ```
/// # #[cfg(feature = "host")] {
/// use portcullis::host::Environment;
///
/// let environment = Environment::empty().inherit("LANG")?.set("KV_SIZE", "1000")?;
/// assert!(Environment::empty().set("LD_PRELOAD", "/tmp/x.so").is_err());
/// # }
/// # Ok::<(), portcullis::exec::EnvironmentError>(())
/// ```
///
/// Variables that make a loader, a C library, a shell or an interpreter run or load other code
/// (`LD_*`, `GCONV_PATH`, `BASH_ENV`, `PYTHONPATH` and all others of the kind that are known to us)
/// are refused: a verified program that loads unverified code proves nothing. So are the names that
/// belong to the protocol (`PLUGIN_*`).
#[derive(Clone, Default)]
pub struct Environment {
    named: BTreeMap<OsString, OsString>,
    inherit_all: bool,
}

impl Environment {
    /// No variable at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Sets `name` to `value`.
    ///
    /// # Errors
    ///
    /// When the name is refused or malformed, the pair too long, or the name already set.
    pub fn set(self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Result<Self, EnvironmentError> {
        if is_loader_variable(name.as_ref().as_bytes()) {
            return Err(EnvironmentError::new(name.as_ref(), EnvironmentFault::Loader));
        }
        self.dangerous_set(name, value)
    }

    /// Sets a variable that may make the plugin load code which was never verified.
    ///
    /// # Security
    ///
    /// With such a variable the digest no longer says what runs in the plugin's process.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set), except that loader variables pass.
    pub fn dangerous_set(
        mut self,
        name: impl AsRef<OsStr>,
        value: impl AsRef<OsStr>,
    ) -> Result<Self, EnvironmentError> {
        let (name, value) = (name.as_ref(), value.as_ref());
        let fault = |fault| Err(EnvironmentError::new(name, fault));
        if is_protocol_variable(name.as_bytes()) {
            return fault(EnvironmentFault::Reserved);
        }
        if let Some(found) = malformed(name, value) {
            return fault(found);
        }
        if self.named.insert(name.to_os_string(), value.to_os_string()).is_some() {
            return fault(EnvironmentFault::Duplicate);
        }
        Ok(self)
    }

    /// Passes on the host's value of `name`, if it has one.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set), if the host has a value; a loader variable is refused in any case.
    pub fn inherit(self, name: impl AsRef<OsStr>) -> Result<Self, EnvironmentError> {
        match std::env::var_os(name.as_ref()) {
            Some(value) => self.set(name, value),
            None if is_loader_variable(name.as_ref().as_bytes()) => {
                Err(EnvironmentError::new(name.as_ref(), EnvironmentFault::Loader))
            }
            None => Ok(self),
        }
    }

    /// Passes on the host's whole environment, as go-plugin hosts do, except loader variables and
    /// names of the protocol. What is set by name wins. A program that takes this process's place
    /// ([`exec`](crate::exec)) gets the names of the protocol too: they are between it and the host
    /// that started this process.
    ///
    /// # Security
    ///
    /// Every secret in the host's environment becomes the plugin's.
    pub fn inherit_env(mut self) -> Self {
        self.inherit_all = true;
        self
    }

    /// Whether the host's whole environment is passed on.
    #[cfg(feature = "host")]
    pub(crate) fn inherits_all(&self) -> bool {
        self.inherit_all
    }

    /// The variables that may make the plugin load what was never verified.
    #[cfg(feature = "host")]
    pub(crate) fn dangerous(&self) -> impl Iterator<Item = &OsStr> {
        self.named.keys().map(OsString::as_os_str).filter(|name| is_loader_variable(name.as_bytes()))
    }

    /// The environment for one launch: `protocol` are the variables that the two sides need to find
    /// each other.
    pub(crate) fn block(&self, protocol: &[(String, OsString)]) -> Result<Block, EnvironmentError> {
        let mut variables = BTreeMap::new();
        if self.inherit_all {
            variables.extend(passable().filter(|(name, _)| !is_protocol_variable(name.as_bytes())));
        }
        variables.extend(self.named.clone());
        let mut names = Vec::new();
        for (name, value) in protocol {
            let name = OsStr::new(name);
            if self.named.contains_key(name) || names.iter().any(|taken: &OsString| taken == name) {
                return Err(EnvironmentError::new(name, EnvironmentFault::Reserved));
            }
            if is_loader_variable(name.as_bytes()) {
                return Err(EnvironmentError::new(name, EnvironmentFault::Loader));
            }
            if let Some(fault) = malformed(name, value) {
                return Err(EnvironmentError::new(name, fault));
            }
            names.push(name.to_os_string());
            variables.insert(name.to_os_string(), value.to_os_string());
        }
        Block::new(variables)
    }

    /// The environment of a program that takes this process's place. To whoever started this
    /// process that program is the plugin, so what they agreed on passes with the rest: there is no
    /// host here whose variables could be confused with it.
    pub(crate) fn block_in_place(&self) -> Result<Block, EnvironmentError> {
        let mut variables = BTreeMap::new();
        if self.inherit_all {
            variables.extend(passable());
        }
        variables.extend(self.named.clone());
        Block::new(variables)
    }

    /// The variables of this process that `inherit_env` does not pass on, because no plugin is
    /// given such a variable.
    pub(crate) fn left_out(&self) -> Vec<OsString> {
        let refused = |name: &OsString, value: &OsString| !is_passable(name, value) && !self.named.contains_key(name);
        match self.inherit_all {
            true => std::env::vars_os().filter(|(name, value)| refused(name, value)).map(|(name, _)| name).collect(),
            false => Vec::new(),
        }
    }
}

/// The variables of this process that may be passed on as they are.
fn passable() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, value)| is_passable(name, value))
}

fn is_passable(name: &OsStr, value: &OsStr) -> bool {
    !is_loader_variable(name.as_bytes()) && malformed(name, value).is_none()
}

/// Values may be secret, so only names are shown.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.named.keys().collect();
        f.debug_struct("Environment").field("named", &names).field("inherit_all", &self.inherit_all).finish()
    }
}

/// An environment in the form that execve(2) takes.
pub(crate) struct Block {
    pub(crate) strings: Vec<CString>,
    pub(crate) names: Vec<OsString>,
}

impl Block {
    fn new(variables: BTreeMap<OsString, OsString>) -> Result<Self, EnvironmentError> {
        let mut block =
            Self { strings: Vec::with_capacity(variables.len()), names: Vec::with_capacity(variables.len()) };
        for (name, value) in variables {
            let pair = [name.as_bytes(), b"=", value.as_bytes()].concat();
            let pair = CString::new(pair).map_err(|_| EnvironmentError::new(&name, EnvironmentFault::Nul))?;
            block.strings.push(pair);
            block.names.push(name);
        }
        Ok(block)
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").field("names", &self.names).finish_non_exhaustive()
    }
}

fn malformed(name: &OsStr, value: &OsStr) -> Option<EnvironmentFault> {
    let (name, value) = (name.as_bytes(), value.as_bytes());
    if name.is_empty() {
        Some(EnvironmentFault::Empty)
    } else if name.contains(&b'=') {
        Some(EnvironmentFault::EqualsSign)
    } else if name.contains(&0) || value.contains(&0) {
        Some(EnvironmentFault::Nul)
    } else if name.len() + value.len() + 2 > LIMIT {
        Some(EnvironmentFault::TooLong)
    } else {
        None
    }
}

/// Names that belong to the protocol, whether it uses them today or not.
fn is_protocol_variable(name: &[u8]) -> bool {
    name.starts_with(b"PLUGIN_")
}

/// Names through which a loader, a C library, a shell or an interpreter is told to load or run
/// something else: ld.so(8) including what it strips for set-user-ID programs, and the counterparts
/// in common interpreters.
fn is_loader_variable(name: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 9] =
        [b"LD_", b"DYLD_", b"BASH_FUNC_", b"PYTHON", b"PERL5", b"LUA_", b"CORECLR_", b"COR_", b"GIO_"];
    #[rustfmt::skip]
    const NAMES: [&[u8]; 50] = [
        b"BASHOPTS", b"BASH_ENV", b"CLASSPATH", b"DOTNET_ADDITIONAL_DEPS", b"DOTNET_SHARED_STORE",
        b"DOTNET_STARTUP_HOOKS", b"ENV", b"ERL_AFLAGS", b"ERL_FLAGS", b"ERL_LIBS", b"ERL_ZFLAGS", b"FPATH",
        b"GCONV_PATH", b"GEM_HOME", b"GEM_PATH", b"GETCONF_DIR", b"GLIBC_TUNABLES", b"GODEBUG", b"GTK_MODULES",
        b"GTK_PATH", b"HOSTALIASES", b"IFS", b"JAVA_TOOL_OPTIONS", b"JDK_JAVA_OPTIONS", b"JULIA_LOAD_PATH",
        b"LOCALDOMAIN", b"LOCPATH", b"MALLOC_TRACE", b"NIS_PATH", b"NLSPATH", b"NODE_OPTIONS", b"NODE_PATH",
        b"OPENSSL_CONF", b"OPENSSL_ENGINES", b"OPENSSL_MODULES", b"PERLLIB", b"PERL_UNICODE", b"PHPRC",
        b"PHP_INI_SCAN_DIR", b"PS4", b"QT_PLUGIN_PATH", b"QT_QPA_PLATFORM_PLUGIN_PATH", b"RESOLV_HOST_CONF",
        b"RES_OPTIONS", b"RUBYLIB", b"RUBYOPT", b"SHELLOPTS", b"TCLLIBPATH", b"ZDOTDIR", b"_JAVA_OPTIONS",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name)
}

/// A variable cannot be given to a plugin. Nothing was started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {:?} {fault}", Escaped::new(&name.to_string_lossy().as_bytes()))]
#[non_exhaustive]
pub struct EnvironmentError {
    /// The name, cut after 64 bytes.
    pub name: OsString,
    /// What is wrong with it.
    pub fault: EnvironmentFault,
}

impl EnvironmentError {
    fn new(name: &OsStr, fault: EnvironmentFault) -> Self {
        let name = name.as_bytes();
        Self { name: OsString::from_vec(name[..name.len().min(64)].to_vec()), fault }
    }
}

/// What is wrong with a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentFault {
    /// It makes a loader or an interpreter load code that was not verified.
    #[error("can make the plugin load code that was never verified; Environment::dangerous_set passes it all the same")]
    Loader,
    /// The name belongs to the protocol or is the cookie's.
    #[error("belongs to the plugin protocol and is set by the host library")]
    Reserved,
    /// The name was set twice.
    #[error("is set twice")]
    Duplicate,
    /// The name is empty.
    #[error("has an empty name")]
    Empty,
    /// The name contains `=`.
    #[error("has a '=' in its name")]
    EqualsSign,
    /// The name or the value contains a NUL byte.
    #[error("contains a NUL byte")]
    Nul,
    /// Name and value together exceed what the kernel takes.
    #[error("is longer than the {LIMIT} bytes that the kernel takes")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(block: &Block) -> Vec<&str> {
        block.strings.iter().map(|string| string.to_str().unwrap()).collect()
    }

    fn fault<T: std::fmt::Debug>(result: Result<T, EnvironmentError>) -> EnvironmentFault {
        result.unwrap_err().fault
    }

    #[test]
    fn empty_environment_holds_only_protocol_variables() {
        let block = Environment::empty().block(&[("COOKIE".into(), "x".into())]).unwrap();
        assert_eq!(strings(&block), ["COOKIE=x"]);
        assert_eq!(block.names, ["COOKIE"]);
    }

    #[test]
    fn named_loader_variables_are_refused() {
        for name in [
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "LD_AUDIT",
            "GCONV_PATH",
            "GLIBC_TUNABLES",
            "BASH_ENV",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "PERL5LIB",
            "NODE_OPTIONS",
            "JAVA_TOOL_OPTIONS",
            "RUBYOPT",
            "OPENSSL_CONF",
            "LUA_PATH_5_4",
            "GODEBUG",
            "BASH_FUNC_ls%%",
            "ZDOTDIR",
            "DOTNET_ADDITIONAL_DEPS",
            "ERL_FLAGS",
            "GTK_MODULES",
        ] {
            assert_eq!(fault(Environment::empty().set(name, "x")), EnvironmentFault::Loader, "{name}");
            assert_eq!(fault(Environment::empty().inherit(name)), EnvironmentFault::Loader, "{name}");
            assert_eq!(
                fault(Environment::empty().block(&[(name.into(), "x".into())])),
                EnvironmentFault::Loader,
                "{name}"
            );
        }
        let block = Environment::empty().dangerous_set("LD_PRELOAD", "x").unwrap().block(&[]).unwrap();
        assert_eq!(strings(&block), ["LD_PRELOAD=x"]);
    }

    #[test]
    fn protocol_variables_are_refused() {
        assert_eq!(fault(Environment::empty().set("PLUGIN_CLIENT_CERT", "x")), EnvironmentFault::Reserved);
        assert_eq!(fault(Environment::empty().dangerous_set("PLUGIN_ANYTHING", "x")), EnvironmentFault::Reserved);
        let cookie = [("COOKIE".to_string(), "right".into())];
        assert_eq!(
            fault(Environment::empty().set("COOKIE", "wrong").unwrap().block(&cookie)),
            EnvironmentFault::Reserved
        );
        assert_eq!(
            fault(Environment::empty().block(&[cookie[0].clone(), cookie[0].clone()])),
            EnvironmentFault::Reserved
        );
    }

    #[test]
    fn malformed_variables_are_refused() {
        let long = "x".repeat(LIMIT - 3);
        assert!(Environment::empty().set("A", &long).is_ok());
        for (name, value, expected) in [
            ("", "x", EnvironmentFault::Empty),
            ("A=B", "x", EnvironmentFault::EqualsSign),
            ("A\0", "x", EnvironmentFault::Nul),
            ("A", "x\0", EnvironmentFault::Nul),
            ("AB", &long, EnvironmentFault::TooLong),
        ] {
            assert_eq!(fault(Environment::empty().set(name, value)), expected);
            assert_eq!(fault(Environment::empty().block(&[(name.into(), value.into())])), expected);
        }
        assert_eq!(fault(Environment::empty().set("A", "1").unwrap().set("A", "2")), EnvironmentFault::Duplicate);
    }

    #[test]
    fn environment_is_inherited_only_on_request() {
        // Cargo sets this for every test.
        let name = "CARGO_PKG_NAME";
        assert!(strings(&Environment::empty().block(&[]).unwrap()).is_empty());
        let one = Environment::empty().inherit(name).unwrap().inherit("PORTCULLIS_NOT_SET").unwrap();
        assert_eq!(strings(&one.block(&[]).unwrap()), ["CARGO_PKG_NAME=portcullis"]);
        // Cargo also sets LD_LIBRARY_PATH for tests, which must stay behind.
        assert!(std::env::var_os("LD_LIBRARY_PATH").is_some());
        let all = Environment::empty().inherit_env().set(name, "named").unwrap().block(&[]).unwrap();
        assert!(strings(&all).contains(&"CARGO_PKG_NAME=named"));
        assert!(all.names.iter().any(|name| name == "PATH"));
        assert!(!all.names.iter().any(|name| name.to_string_lossy().starts_with("LD_")));
    }

    #[test]
    fn protocol_cookie_replaces_inherited_one() {
        let protocol = [("CARGO_PKG_NAME".to_string(), "cookie".into())];
        let block = Environment::empty().inherit_env().block(&protocol).unwrap();
        assert!(strings(&block).contains(&"CARGO_PKG_NAME=cookie"));
    }

    #[test]
    fn exec_inherits_all_but_loader_variables() {
        let left_out = Environment::empty().inherit_env().left_out();
        // Cargo sets it for tests.
        assert!(left_out.iter().any(|name| name == "LD_LIBRARY_PATH"), "{left_out:?}");
        assert!(left_out.iter().all(|name| is_loader_variable(name.as_bytes())), "{left_out:?}");
        let block = Environment::empty().inherit_env().block_in_place().unwrap();
        assert_eq!(block.names.len() + left_out.len(), std::env::vars_os().count());
        assert!(Environment::empty().left_out().is_empty());
        assert!(Environment::empty().block_in_place().unwrap().names.is_empty());
    }

    #[test]
    fn debug_output_hides_values() {
        let environment = Environment::empty().set("TOKEN", "hunter2").unwrap();
        let block = environment.block(&[]).unwrap();
        for shown in [format!("{environment:?}"), format!("{block:?}")] {
            assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn environment_error_is_short_and_printable() {
        let error = Environment::empty().set(format!("\u{1b}={}", "x".repeat(1000)), "").unwrap_err().to_string();
        assert!(error.starts_with(r#"the environment variable "\u{1b}=xxx"#) && error.len() < 200, "{error}");
    }
}
