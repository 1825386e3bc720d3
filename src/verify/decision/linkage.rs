//! Rules for how a program may be linked: libraries and the dynamic loader join its process, and
//! its digest does not cover them. Reads no file.

use std::collections::BTreeSet;
use std::ffi::OsString;

use super::refusal::hints;
use crate::Escaped;
use crate::verify::bytes::linkage::Linkage;
use crate::verify::decision::explanation::{Explanation, explained};

/// A rule for how the programs of plugins are linked. Without a rule, a policy accepts any linkage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkageRule {
    only_static: bool,
    no_search_paths: bool,
    libraries: Option<BTreeSet<OsString>>,
}

impl LinkageRule {
    /// A rule that accepts any linkage.
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts only programs without a dynamic loader, so that the digest covers all code in the
    /// process at its start.
    pub fn only_static(mut self) -> Self {
        self.only_static = true;
        self
    }

    /// Rejects programs with search paths (`DT_RPATH`, `DT_RUNPATH`) and with libraries named by a
    /// path: libraries come from the system's directories.
    pub fn no_search_paths(mut self) -> Self {
        self.no_search_paths = true;
        self
    }

    /// Accepts only these libraries, by the names in `DT_NEEDED`, such as `libc.so.6`. Auditors and
    /// filters count as libraries.
    pub fn only_libraries<N: Into<OsString>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.libraries = Some(names.into_iter().map(Into::into).collect());
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self, linkage: &Linkage) -> Result<(), LinkageFault> {
        if self.only_static && !(linkage.is_static() && linkage.needed.is_empty()) {
            return Err(LinkageFault::Dynamic);
        }
        let names = || linkage.needed.iter().chain(&linkage.auxiliary);
        if self.no_search_paths {
            if let Some(path) = linkage.search_paths.first() {
                return Err(LinkageFault::SearchPath { path: path.text.clone() });
            }
            if let Some(path) = names().find(|name| name.as_encoded_bytes().contains(&b'/')) {
                return Err(LinkageFault::SearchPath { path: path.clone() });
            }
        }
        match self.libraries.as_ref().and_then(|libraries| names().find(|name| !libraries.contains(*name))) {
            Some(name) => Err(LinkageFault::Library { name: name.clone() }),
            None => Ok(()),
        }
    }
}

/// Why a policy does not accept the way in which a program is linked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkageFault {
    /// A dynamic loader starts the program.
    #[error("a dynamic loader starts it, and the policy accepts static programs only")]
    Dynamic,
    /// The program has a search path, or a library named by a path.
    #[error("it loads libraries from {:?}, and the policy accepts no search path", Escaped::new(path.as_encoded_bytes()))]
    SearchPath {
        /// The path as the program contains it.
        path: OsString,
    },
    /// The program needs a library that the policy does not accept.
    #[error("it needs the library {:?}, which the policy does not accept", Escaped::new(name.as_encoded_bytes()))]
    Library {
        /// The library's name.
        name: OsString,
    },
}

impl LinkageFault {
    pub(crate) fn explanation(&self) -> Explanation {
        let shown = |text: &OsString| Escaped::new(text.as_encoded_bytes()).to_string();
        let explanation = match self {
            Self::Dynamic => Explanation::new("linkage-dynamic").expected("a static program"),
            Self::SearchPath { path } => Explanation::new("linkage-search-path").actual(shown(path)),
            Self::Library { name } => Explanation::new("linkage-library").actual(shown(name)),
        };
        explanation.hint(hints::LINKAGE)
    }
}

explained!(LinkageFault);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::bytes::linkage::{SearchPath, SearchPathKind};

    #[test]
    fn each_rule_refuses_only_its_case() {
        let alone = Linkage::default();
        let (interpreter, needed) = (Some("/lib/ld.so".into()), vec!["libc.so.6".into()]);
        let dynamic = Linkage { interpreter, needed, ..Linkage::default() };
        let mut searching = dynamic.clone();
        searching.search_paths = vec![SearchPath { kind: SearchPathKind::Runpath, text: "$ORIGIN".into() }];
        let mut by_path = dynamic.clone();
        by_path.needed.push("./libx.so".into());
        let mut audited = dynamic.clone();
        audited.auxiliary.push("audit.so".into());
        // No loader is named, but libraries are: an explicitly started loader would load them.
        let mut odd = dynamic.clone();
        odd.interpreter = None;

        let search = |path: &str| Err(LinkageFault::SearchPath { path: path.into() });
        let library = |name: &str| Err(LinkageFault::Library { name: name.into() });
        let any = LinkageRule::new();
        let only_static = LinkageRule::new().only_static();
        let no_paths = LinkageRule::new().no_search_paths();
        let libc = LinkageRule::new().only_libraries(["libc.so.6"]);
        for (linkage, by_static, by_paths, by_libc) in [
            (&alone, Ok(()), Ok(()), Ok(())),
            (&dynamic, Err(LinkageFault::Dynamic), Ok(()), Ok(())),
            (&searching, Err(LinkageFault::Dynamic), search("$ORIGIN"), Ok(())),
            (&by_path, Err(LinkageFault::Dynamic), search("./libx.so"), library("./libx.so")),
            (&audited, Err(LinkageFault::Dynamic), Ok(()), library("audit.so")),
            (&odd, Err(LinkageFault::Dynamic), Ok(()), Ok(())),
        ] {
            assert_eq!(any.check(linkage), Ok(()));
            assert_eq!(only_static.check(linkage), by_static, "{linkage:?}");
            assert_eq!(no_paths.check(linkage), by_paths, "{linkage:?}");
            assert_eq!(libc.check(linkage), by_libc, "{linkage:?}");
        }
        let none = LinkageRule::new().only_libraries([""; 0]);
        assert_eq!(none.check(&dynamic), library("libc.so.6"));
        assert!(!none.is_empty() && any.is_empty());
    }
}
