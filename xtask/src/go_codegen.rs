//! Generates the Go messages of the benchmark from their `.proto` file, with the protoc-gen-go that
//! the Go peers require. Needs Go, but no `protoc`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};
use prost::Message;
use prost_types::compiler::{CodeGeneratorRequest, CodeGeneratorResponse};

const PROTO: &str = "benches/proto/bench.proto";
const MODULE: &str = "tests/interop/go";
const GENERATED: &str = "tests/interop/go/internal/bench/bench.pb.go";

/// Whether Go is installed.
pub(crate) fn is_possible() -> bool {
    Command::new("go").arg("version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Returns the generated file and its path below `root`.
pub(crate) fn generate(root: &Path) -> Result<(PathBuf, String)> {
    let proto = root.join(PROTO);
    let include = proto.parent().context("the .proto file has no parent directory")?;
    let descriptors = protox::compile([&proto], [include])?;
    let request = CodeGeneratorRequest {
        file_to_generate: descriptors.file.iter().filter_map(|file| file.name.clone()).collect(),
        parameter: Some("paths=source_relative".into()),
        proto_file: descriptors.file,
        ..Default::default()
    };
    let response = CodeGeneratorResponse::decode(run(root, &request.encode_to_vec())?.as_slice())?;
    ensure!(response.error.is_none(), "protoc-gen-go: {}", response.error());
    let file = response.file.into_iter().next().context("nothing was generated")?;
    Ok((GENERATED.into(), file.content.ok_or_else(|| anyhow!("the generated file is empty"))?))
}

fn run(root: &Path, request: &[u8]) -> Result<Vec<u8>> {
    let mut generator = Command::new("go")
        .args(["run", "google.golang.org/protobuf/cmd/protoc-gen-go"])
        .current_dir(root.join(MODULE))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run go")?;
    // It reads all of it before it writes anything.
    generator.stdin.take().context("its input is piped")?.write_all(request)?;
    let output = generator.wait_with_output()?;
    ensure!(output.status.success(), "protoc-gen-go failed");
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_messages_are_fresh() {
        if !is_possible() {
            assert!(std::env::var_os("PORTCULLIS_REQUIRE_INTEROP").is_none(), "there is no Go");
            eprintln!("SKIPPED: there is no Go to generate its messages with");
            return;
        }
        let (path, text) = generate(crate::root()).unwrap();
        let committed = std::fs::read_to_string(crate::root().join(&path)).unwrap();
        assert!(committed == text, "{} is not what its .proto file says; run `cargo codegen`", path.display());
    }
}
