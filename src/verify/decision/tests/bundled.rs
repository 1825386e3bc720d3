//! What can only happen between two steps of the examination of a directory.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::authoring::Claims;
use crate::verify::bytes::bundle::Bundle;
use crate::verify::bytes::tree::DirectoryTree;
use crate::verify::decision::error::ExamineError;
use crate::verify::decision::examine::Examination;
use crate::verify::{Manifest, Policy, Refusal, Version};

#[test]
fn change_between_two_copies_is_detected() {
    let place = tempfile::tempdir().unwrap();
    let plugin = place.path().join("plugin");
    fs::create_dir(&plugin).unwrap();
    fs::copy(std::env::current_exe().unwrap(), plugin.join("run")).unwrap();
    let claims = Claims::new("plugin".parse().unwrap(), Version::new(1, 0, 0));
    let manifest = Manifest::from_bytes("manifest", claims.describe(&plugin).unwrap()).unwrap();
    let bundle = Bundle::materialise(&DirectoryTree::open_anywhere(&plugin).unwrap(), &manifest, place.path()).unwrap();
    let policy = Policy::new();
    let examination = Examination::new(&policy, None, &plugin);
    let image = || examination.image_of(&manifest, &bundle, manifest.program());
    assert!(image().is_ok());
    let copy = bundle.path().join("run");
    fs::set_permissions(&copy, Permissions::from_mode(0o700)).unwrap();
    fs::OpenOptions::new().append(true).open(&copy).and_then(|file| file.set_len(1 << 20)).unwrap();
    assert!(matches!(image(), Err(ExamineError::Refusal(Refusal::DigestMismatch { .. }))));
}
