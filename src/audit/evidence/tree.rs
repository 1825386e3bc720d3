//! The Merkle tree over the records of a log (RFC 6962, section 2.1): its root, proofs that the log
//! contains a record, and proofs that a longer log begins with a shorter one. Reads no log.

use sha2::{Digest as _, Sha256};

use crate::Digest;

/// The hash of a leaf: SHA-256 over `0x00` and its bytes. The prefix keeps a leaf from passing for
/// an inner node.
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    let hash = Sha256::new().chain_update([0]).chain_update(leaf).finalize();
    Digest::from(<[u8; Digest::LENGTH]>::from(hash))
}

/// The hash of an inner node: SHA-256 over `0x01` and the hashes of its children.
fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let hash = Sha256::new().chain_update([1]).chain_update(left.as_bytes()).chain_update(right.as_bytes()).finalize();
    Digest::from(<[u8; Digest::LENGTH]>::from(hash))
}

/// A compact range: the roots of the complete subtrees of a tree, one for each bit that is set in
/// the size. This is enough to append leaves and to compute the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    /// The roots of the complete subtrees, the largest first.
    hashes: Vec<Digest>,
}

impl CompactRange {
    /// The range over no leaves.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Restores a stored range. `None` if the number of hashes does not match `size`, or `size` is
    /// too large to append further leaves safely.
    pub fn restore(size: u64, hashes: Vec<Digest>) -> Option<Self> {
        (hashes.len() == size.count_ones() as usize && size < u64::MAX / 2).then_some(Self { size, hashes })
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, from the left.
    pub fn hashes(&self) -> &[Digest] {
        &self.hashes
    }

    /// Adds a leaf by its hash.
    pub fn append(&mut self, leaf: Digest) {
        let mut hash = leaf;
        // Like a binary increment: each carry merges two complete subtrees of equal size.
        for _ in 0..self.size.trailing_ones() {
            match self.hashes.pop() {
                Some(left) => hash = node_hash(&left, &hash),
                None => break,
            }
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The Merkle root over all leaves.
    pub fn root(&self) -> Digest {
        fold(self.hashes.iter().copied())
    }
}

/// The root over complete subtrees, given from the left.
fn fold(hashes: impl DoubleEndedIterator<Item = Digest>) -> Digest {
    hashes.rev().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(|| Digest::of([]))
}

/// All leaf hashes of a tree, for making proofs.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    leaves: Vec<Digest>,
}

impl Tree {
    /// A tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a leaf by its hash.
    pub fn push(&mut self, leaf: Digest) {
        self.leaves.push(leaf);
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// The root over the first `size` leaves. `None` if there are fewer.
    pub fn root_at(&self, size: u64) -> Option<Digest> {
        Some(subtree(self.first(size)?))
    }

    /// The proof that leaf `index` is in the tree of the first `size` leaves: the sibling hashes on
    /// the path from the leaf to the root. `None` if there are fewer leaves or `index` is not below
    /// `size`.
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Digest>> {
        let leaves = self.first(size)?;
        let index = usize::try_from(index).ok().filter(|index| *index < leaves.len())?;
        let mut proof = Vec::new();
        path(index, leaves, &mut proof);
        Some(proof)
    }

    /// The proof that the tree of the first `new` leaves begins with that of the first `old`.
    /// `None` if `old` is zero or more than `new`, or there are fewer leaves.
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<Digest>> {
        let leaves = self.first(new)?;
        let old = usize::try_from(old).ok().filter(|old| (1..=leaves.len()).contains(old))?;
        let mut proof = Vec::new();
        subproof(old, leaves, true, &mut proof);
        Some(proof)
    }

    fn first(&self, size: u64) -> Option<&[Digest]> {
        self.leaves.get(..usize::try_from(size).ok()?)
    }
}

fn subtree(leaves: &[Digest]) -> Digest {
    let mut range = CompactRange::empty();
    leaves.iter().for_each(|leaf| range.append(*leaf));
    range.root()
}

/// The number of leaves in the left subtree of a tree with more than one leaf: the largest power of
/// two below their number.
fn split(leaves: usize) -> usize {
    1 << (leaves - 1).ilog2()
}

/// `PATH` of RFC 6962, section 2.1.1.
fn path(index: usize, leaves: &[Digest], proof: &mut Vec<Digest>) {
    if leaves.len() < 2 {
        return;
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if index < left.len() {
        path(index, left, proof);
        proof.push(subtree(right));
    } else {
        path(index - left.len(), right, proof);
        proof.push(subtree(left));
    }
}

/// `SUBPROOF` of RFC 6962, section 2.1.2.
fn subproof(old: usize, leaves: &[Digest], is_whole: bool, proof: &mut Vec<Digest>) {
    if old == leaves.len() {
        if !is_whole {
            proof.push(subtree(leaves));
        }
        return;
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if old <= left.len() {
        subproof(old, left, is_whole, proof);
        proof.push(subtree(right));
    } else {
        subproof(old - left.len(), right, false, proof);
        proof.push(subtree(left));
    }
}

/// A proof is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofFault {
    /// The proof is about an impossible leaf or tree.
    #[error("impossible record or log size in the proof: {part} of {size}")]
    #[non_exhaustive]
    Sizes {
        /// The index of the leaf, or the size of the smaller tree.
        part: u64,
        /// The size of the larger tree.
        size: u64,
    },
    /// The proof has too few or too many hashes.
    #[error("wrong number of hashes in the proof")]
    Length,
    /// The hashes yield another root.
    #[error("the proof yields another root")]
    Root,
}

/// Verifies an inclusion proof against a root (RFC 9162, section 2.1.3.2).
///
/// # Errors
///
/// When the proof does not show that `leaf` has the index `index` in the tree of `size` leaves with
/// that root.
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), ProofFault> {
    if index >= size {
        return Err(ProofFault::Sizes { part: index, size });
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(ProofFault::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // A node at the right edge without a sibling moves up unchanged.
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    match last {
        0 if hash == *root => Ok(()),
        0 => Err(ProofFault::Root),
        _ => Err(ProofFault::Length),
    }
}

/// Verifies a consistency proof against two roots (RFC 9162, section 2.1.4.2).
///
/// # Errors
///
/// When the proof does not show that the tree of `new` leaves begins with that of `old`.
pub fn verify_consistency(
    (old, old_root): (u64, &Digest),
    (new, new_root): (u64, &Digest),
    proof: &[Digest],
) -> Result<(), ProofFault> {
    if old == 0 || old > new {
        return Err(ProofFault::Sizes { part: old, size: new });
    }
    if old == new {
        return match proof {
            [] if old_root == new_root => Ok(()),
            [] => Err(ProofFault::Root),
            _ => Err(ProofFault::Length),
        };
    }
    // If the old tree is one complete subtree, the proof omits its root, which is known.
    let implied = old.is_power_of_two().then_some(old_root);
    let mut hashes = implied.into_iter().chain(proof);
    let (mut node, mut last) = (old - 1, new - 1);
    let complete = node.trailing_ones();
    node >>= complete;
    last >>= complete;
    let first = *hashes.next().ok_or(ProofFault::Length)?;
    let (mut from_old, mut from_new) = (first, first);
    for hash in hashes {
        if last == 0 {
            return Err(ProofFault::Length);
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(hash, &from_old);
            from_new = node_hash(hash, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    match last {
        0 if from_old == *old_root && from_new == *new_root => Ok(()),
        0 => Err(ProofFault::Root),
        _ => Err(ProofFault::Length),
    }
}

#[cfg(test)]
mod tests;
