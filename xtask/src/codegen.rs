//! Generates Rust from the `.proto` files, as text. `cargo codegen` writes it to the tree, and a
//! test compares the tree with it. Needs no `protoc`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// One `.proto` file and the file generated from it.
struct Target {
    proto: &'static str,
    generated: &'static str,
    server: bool,
    /// Whether client and server are behind the features of the library.
    gated: bool,
}

const TARGETS: [Target; 5] = [
    Target {
        proto: "proto/grpc_controller.proto",
        generated: "src/rpc/generated/controller.rs",
        server: true,
        gated: true,
    },
    Target { proto: "proto/grpc_stdio.proto", generated: "src/rpc/generated/stdio.rs", server: false, gated: true },
    Target {
        proto: "examples/kv/proto/kv.proto",
        generated: "examples/kv/src/generated/kv.rs",
        server: true,
        gated: false,
    },
    Target {
        proto: "examples/kv/proto/store.proto",
        generated: "examples/kv/src/generated/store.rs",
        server: true,
        gated: false,
    },
    Target {
        proto: "benches/proto/bench.proto",
        generated: "benches/src/generated/bench.rs",
        server: true,
        gated: false,
    },
];

/// The generated files, by their path in the tree at `root`.
///
/// # Errors
///
/// When a `.proto` file is missing or invalid.
pub(crate) fn generate(root: &Path) -> Result<Vec<(PathBuf, String)>, Box<dyn Error>> {
    TARGETS.iter().map(|target| Ok((target.generated.into(), target.generate(root)?))).collect()
}

impl Target {
    fn generate(&self, root: &Path) -> Result<String, Box<dyn Error>> {
        let proto = root.join(self.proto);
        let include = proto.parent().ok_or("the .proto file has no parent directory")?;
        let descriptors = protox::compile([&proto], [include])?;
        let scratch = Scratch::new()?;
        let mut builder = tonic_prost_build::configure()
            .build_server(self.server)
            .build_transport(false)
            .bytes(".")
            .out_dir(&scratch.0);
        if self.gated {
            builder = builder
                .client_mod_attribute(".", "#[cfg(feature = \"host\")]")
                .server_mod_attribute(".", "#[cfg(feature = \"plugin\")]");
        }
        builder.compile_fds(descriptors)?;
        let mut files = fs::read_dir(&scratch.0)?;
        let file = files.next().ok_or("nothing was generated")??;
        Ok(fs::read_to_string(file.path())?)
    }
}

/// A temporary directory, removed with its contents when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("codegen-{}-{count}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
