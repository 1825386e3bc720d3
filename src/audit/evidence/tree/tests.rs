//! The Merkle tree against published vectors and the definition.

use super::*;

/// The inputs of the test vectors of Certificate Transparency.
const INPUTS: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

/// Their roots, for trees of one leaf to eight.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn published() -> Tree {
    let mut tree = Tree::new();
    INPUTS.iter().for_each(|input| tree.push(leaf_hash(input)));
    tree
}

fn numbered(leaves: u64) -> Tree {
    let mut tree = Tree::new();
    (0..leaves).for_each(|leaf| tree.push(leaf_hash(&leaf.to_be_bytes())));
    tree
}

fn digest(hex: &str) -> Digest {
    hex.parse().unwrap()
}

/// `MTH` as the RFC defines it.
fn defined(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of([]),
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&defined(left), &defined(right))
        }
    }
}

#[test]
fn published_roots_agree() {
    let tree = published();
    assert_eq!(tree.root_at(0), Some(digest("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
    let mut range = CompactRange::empty();
    for (size, root) in ROOTS.into_iter().enumerate() {
        range.append(leaf_hash(INPUTS[size]));
        assert_eq!(range.root(), digest(root));
        assert_eq!(tree.root_at(size as u64 + 1), Some(digest(root)));
    }
}

#[test]
fn published_proofs_agree() {
    let tree = published();
    let proofs = |hashes: &[&str]| Some(hashes.iter().map(|hash| digest(hash)).collect::<Vec<_>>());
    assert_eq!(tree.inclusion(0, 1), proofs(&[]));
    assert_eq!(
        tree.inclusion(0, 8),
        proofs(&[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ])
    );
    assert_eq!(
        tree.inclusion(5, 8),
        proofs(&[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ])
    );
    assert_eq!(tree.inclusion(2, 3), proofs(&["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]));
    assert_eq!(
        tree.consistency(6, 8),
        proofs(&[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ])
    );
    assert_eq!(
        tree.consistency(2, 5),
        proofs(&[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ])
    );
}

#[test]
fn every_root_and_range_matches_the_definition() {
    let tree = numbered(70);
    let mut range = CompactRange::empty();
    for size in 0..=70 {
        let root = defined(&tree.leaves[..size as usize]);
        assert_eq!((range.root(), range.size()), (root, size));
        assert_eq!(CompactRange::restore(size, range.hashes().to_vec()).as_ref(), Some(&range));
        let longer = [range.hashes(), &[root]].concat();
        assert_eq!(CompactRange::restore(size, longer), None);
        if let Some(leaf) = tree.leaves.get(size as usize) {
            range.append(*leaf);
        }
    }
    assert_eq!((tree.root_at(71), tree.size()), (None, 70));
}

#[test]
fn every_leaf_is_proven_and_no_other_is() {
    let tree = numbered(34);
    for size in 1..=34 {
        let root = tree.root_at(size).unwrap();
        for index in 0..size {
            let proof = tree.inclusion(index, size).unwrap();
            let leaf = tree.leaves[index as usize];
            assert_eq!(verify_inclusion(&leaf, index, size, &proof, &root), Ok(()), "{index} of {size}");
            assert!(verify_inclusion(&Digest::of("other"), index, size, &proof, &root).is_err());
            for other in (0..size).filter(|other| *other != index) {
                assert!(verify_inclusion(&leaf, other, size, &proof, &root).is_err(), "{index} of {size} as {other}");
            }
            for broken in changes(&proof) {
                assert!(verify_inclusion(&leaf, index, size, &broken, &root).is_err(), "{index} of {size}");
            }
        }
        assert_eq!(tree.inclusion(size, size), None);
        assert_eq!(verify_inclusion(&root, size, size, &[], &root), Err(ProofFault::Sizes { part: size, size }));
    }
}

#[test]
fn every_beginning_is_proven_and_no_other_is() {
    let tree = numbered(34);
    for new in 1..=34 {
        let new_root = tree.root_at(new).unwrap();
        for old in 1..=new {
            let old_root = tree.root_at(old).unwrap();
            let proof = tree.consistency(old, new).unwrap();
            let other = Digest::of("other");
            let verify = |old_root, proof: &[Digest]| verify_consistency((old, old_root), (new, &new_root), proof);
            assert_eq!(verify(&old_root, &proof), Ok(()), "{old} of {new}");
            assert!(verify(&other, &proof).is_err(), "{old} of {new}");
            assert!(verify_consistency((old, &old_root), (new, &other), &proof).is_err(), "{old} of {new}");
            for broken in changes(&proof) {
                assert!(verify(&old_root, &broken).is_err(), "{old} of {new}");
            }
        }
        assert_eq!((tree.consistency(0, new), tree.consistency(new + 1, new)), (None, None));
        let sizes = |old| verify_consistency((old, &new_root), (new, &new_root), &[]);
        assert_eq!(sizes(0), Err(ProofFault::Sizes { part: 0, size: new }));
        assert_eq!(sizes(new + 1), Err(ProofFault::Sizes { part: new + 1, size: new }));
    }
}

/// The same proof with each hash changed, each left out, one more at either end.
fn changes(proof: &[Digest]) -> Vec<Vec<Digest>> {
    let more = Digest::of("more");
    let mut changes = vec![[proof, &[more]].concat(), [&[more], proof].concat()];
    for at in 0..proof.len() {
        let mut changed = proof.to_vec();
        changed[at] = more;
        let mut shorter = proof.to_vec();
        shorter.remove(at);
        changes.extend([changed, shorter]);
    }
    changes
}

#[test]
fn maximal_sizes_do_not_overflow() {
    let hash = Digest::of("any");
    let proof = vec![hash; 64];
    for size in [u64::MAX, 1 << 63] {
        assert!(verify_inclusion(&hash, size - 1, size, &proof, &hash).is_err());
        assert!(verify_consistency((size - 1, &hash), (size, &hash), &proof).is_err());
        assert!(verify_consistency((1, &hash), (size, &hash), &proof).is_err());
    }
}

#[test]
fn impossible_range_is_rejected() {
    let hashes = |size: u64| vec![Digest::of(""); size.count_ones() as usize];
    assert_eq!(CompactRange::restore(u64::MAX, hashes(u64::MAX)), None);
    assert_eq!(CompactRange::restore(6, hashes(7)), None);
    let mut large = CompactRange::restore(1 << 40, hashes(1 << 40)).unwrap();
    large.append(Digest::of("leaf"));
    assert_eq!(large.size(), (1 << 40) + 1);
}
