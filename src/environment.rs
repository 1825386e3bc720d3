//! The environment of a program: starts empty, and holds only the variables that were named. Reads
//! this process's variables only on request.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::Escaped;
use crate::limits::launch::{ENVIRONMENT_VARIABLE_BYTES, QUOTED_NAME_BYTES};

/// The environment of a plugin, without the variables of the protocol. Starts empty.
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
/// Two kinds of variables are refused: loader variables, which make a loader, a C library, a shell
/// or an interpreter load or run other code (`LD_*`, `GCONV_PATH`, `BASH_ENV`, `PYTHONPATH` and all
/// others that this crate knows), because a verified program that loads unverified code proves
/// nothing; and the variables of the protocol (`PLUGIN_*`).
#[derive(Clone, Default)]
pub struct Environment {
    named: BTreeMap<OsString, OsString>,
    inherit_all: bool,
}

impl Environment {
    /// An environment without variables.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Sets `name` to `value`.
    ///
    /// # Errors
    ///
    /// If the name is refused or malformed, the pair is too long, or the name is already set.
    pub fn set(self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Result<Self, EnvironmentError> {
        if is_loader_variable(name.as_ref().as_bytes()) {
            return Err(EnvironmentError::new(name.as_ref(), EnvironmentFault::Loader));
        }
        self.dangerous_set(name, value)
    }

    /// Sets a variable, also one that can make the plugin load unverified code.
    ///
    /// # Security
    ///
    /// With such a variable, the digest no longer identifies the code that runs in the plugin.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set), except for loader variables.
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

    /// Passes on the host's variable `name`, if it is set.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set). A loader variable is refused also if it is not set.
    pub fn inherit(self, name: impl AsRef<OsStr>) -> Result<Self, EnvironmentError> {
        match std::env::var_os(name.as_ref()) {
            Some(value) => self.set(name, value),
            None if is_loader_variable(name.as_ref().as_bytes()) => {
                Err(EnvironmentError::new(name.as_ref(), EnvironmentFault::Loader))
            }
            None => Ok(self),
        }
    }

    /// Passes on all variables of the host, as go-plugin hosts do, except loader variables and
    /// those of the protocol. Variables that are set by name take precedence. A program that
    /// replaces this process ([`exec`](crate::exec)) also gets the variables of the protocol, which
    /// the host that started this process meant for it.
    ///
    /// # Security
    ///
    /// The plugin receives every secret in the host's environment.
    pub fn inherit_env(mut self) -> Self {
        self.inherit_all = true;
        self
    }

    /// Whether all variables of the host are passed on.
    #[cfg(feature = "host")]
    pub(crate) fn inherits_all(&self) -> bool {
        self.inherit_all
    }

    /// The loader variables that were set with [`dangerous_set`](Self::dangerous_set).
    #[cfg(feature = "host")]
    pub(crate) fn dangerous(&self) -> impl Iterator<Item = &OsStr> {
        self.named.keys().map(OsString::as_os_str).filter(|name| is_loader_variable(name.as_bytes()))
    }

    /// The environment for one launch, with the variables of the protocol.
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

    /// The environment of a program that replaces this process. Includes inherited variables of the
    /// protocol: the program is the plugin of the host that started this process.
    pub(crate) fn block_for_exec(&self) -> Result<Block, EnvironmentError> {
        let mut variables = BTreeMap::new();
        if self.inherit_all {
            variables.extend(passable());
        }
        variables.extend(self.named.clone());
        Block::new(variables)
    }

    /// The variables of this process that `inherit_env` does not pass on.
    pub(crate) fn left_out(&self) -> Vec<OsString> {
        let refused = |name: &OsString, value: &OsString| !is_passable(name, value) && !self.named.contains_key(name);
        match self.inherit_all {
            true => std::env::vars_os().filter(|(name, value)| refused(name, value)).map(|(name, _)| name).collect(),
            false => Vec::new(),
        }
    }
}

/// The variables of this process that may be passed on.
fn passable() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, value)| is_passable(name, value))
}

fn is_passable(name: &OsStr, value: &OsStr) -> bool {
    !is_loader_variable(name.as_bytes()) && malformed(name, value).is_none()
}

/// Shows names only: values may be secret.
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
    } else if name.len() + value.len() + 2 > ENVIRONMENT_VARIABLE_BYTES {
        Some(EnvironmentFault::TooLong)
    } else {
        None
    }
}

/// Whether a name is reserved for the protocol, used today or not.
fn is_protocol_variable(name: &[u8]) -> bool {
    name.starts_with(b"PLUGIN_")
}

/// Whether a variable makes a loader, a C library, a shell or an interpreter load or run other
/// code: those of ld.so(8), including all that it ignores for set-user-ID programs, and those of
/// common interpreters.
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

/// A variable is not allowed in a plugin's environment. No process was started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {:?} {fault}", Escaped::new(&name.to_string_lossy().as_bytes()))]
#[non_exhaustive]
pub struct EnvironmentError {
    /// The name, at most 64 bytes of it.
    pub name: OsString,
    /// The reason.
    pub fault: EnvironmentFault,
}

impl EnvironmentError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self.fault {
            EnvironmentFault::Loader => "environment-loader-variable",
            EnvironmentFault::Reserved => "environment-reserved",
            EnvironmentFault::Duplicate => "environment-duplicate",
            EnvironmentFault::Empty => "environment-empty-name",
            EnvironmentFault::EqualsSign => "environment-equals-sign",
            EnvironmentFault::Nul => "environment-nul",
            EnvironmentFault::TooLong => "environment-too-long",
        }
    }

    fn new(name: &OsStr, fault: EnvironmentFault) -> Self {
        let name = name.as_bytes();
        Self { name: OsString::from_vec(name[..name.len().min(QUOTED_NAME_BYTES)].to_vec()), fault }
    }
}

/// Why a variable is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentFault {
    /// It can make a loader or an interpreter load unverified code.
    #[error("can make the plugin load unverified code; Environment::dangerous_set allows it")]
    Loader,
    /// The name is reserved for the protocol, or is that of the cookie.
    #[error("is reserved for the plugin protocol")]
    Reserved,
    /// The name is set twice.
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
    /// Name and value together exceed the kernel's limit.
    #[error("is longer than the kernel's limit of {ENVIRONMENT_VARIABLE_BYTES} bytes (128 KiB)")]
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
        let long = "x".repeat(ENVIRONMENT_VARIABLE_BYTES - 3);
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
        // Cargo also sets LD_LIBRARY_PATH for tests, which must not be passed on.
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
        // Cargo sets this one for tests.
        assert!(left_out.iter().any(|name| name == "LD_LIBRARY_PATH"), "{left_out:?}");
        assert!(left_out.iter().all(|name| is_loader_variable(name.as_bytes())), "{left_out:?}");
        let block = Environment::empty().inherit_env().block_for_exec().unwrap();
        assert_eq!(block.names.len() + left_out.len(), std::env::vars_os().count());
        assert!(Environment::empty().left_out().is_empty());
        assert!(Environment::empty().block_for_exec().unwrap().names.is_empty());
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
