//! The wanted paths as a small tree of names, and the one walk over a record that finds them.

use simd_json::Node;
use watchfire_record::json::{PathStep, array_index};

/// A node of the tree: one wanted path.
pub(crate) type NodeId = u32;

/// The tape index of a path that the record does not have.
pub(crate) const MISSING: u32 = u32::MAX;

/// The record itself.
pub(crate) const ROOT: NodeId = 0;

/// All wanted paths of a layout.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<TreeNode>,
}

#[derive(Debug, Default)]
struct TreeNode {
    /// The value itself is wanted, not only something in it.
    wanted: bool,
    /// Bit n: a wanted key is n bytes long (63: or longer). Most members of a record are passed over by this alone.
    lengths: u64,
    keys: Vec<(Box<str>, NodeId)>,
    indexes: Vec<(i64, NodeId)>,
}

impl TreeNode {
    fn is_leaf(&self) -> bool {
        self.keys.is_empty() && self.indexes.is_empty()
    }

    #[inline]
    fn child(&self, key: &[u8]) -> Option<NodeId> {
        if self.lengths & length_bit(key) == 0 {
            return None;
        }
        self.keys.iter().find(|(name, _)| name.as_bytes() == key).map(|(_, id)| *id)
    }
}

#[inline]
fn length_bit(key: &[u8]) -> u64 {
    1 << key.len().min(63)
}

/// How many places of the tape the value at `node` takes.
#[inline]
pub(crate) fn extent(node: &Node<'_>) -> usize {
    match node {
        Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
        _ => 1,
    }
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![TreeNode::default()] }
    }

    /// The node of a path, which is added if it is new.
    pub(crate) fn path(&mut self, steps: &[PathStep]) -> NodeId {
        let node = steps.iter().fold(ROOT, |node, step| match step {
            PathStep::Key(key) => self.key(node, key),
            PathStep::Index(index) => self.index(node, *index),
        });
        self.nodes[node as usize].wanted = true;
        node
    }

    /// The node of a path of keys, joined by dots.
    pub(crate) fn dotted(&mut self, path: &str) -> NodeId {
        let node = path.split('.').fold(ROOT, |node, key| self.key(node, key));
        self.nodes[node as usize].wanted = true;
        node
    }

    /// How many nodes it has.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the value at a node is wanted itself.
    #[inline]
    pub(crate) fn wants(&self, node: NodeId) -> bool {
        self.nodes[node as usize].wanted
    }

    /// Whether members of the object at a node are wanted.
    #[inline]
    pub(crate) fn has_keys(&self, node: NodeId) -> bool {
        !self.nodes[node as usize].keys.is_empty()
    }

    /// The node of a member of the object at a node, if it is wanted or on the way to what is.
    #[inline]
    pub(crate) fn child(&self, node: NodeId, key: &[u8]) -> Option<NodeId> {
        self.nodes[node as usize].child(key)
    }

    fn key(&mut self, parent: NodeId, key: &str) -> NodeId {
        if let Some(child) = self.nodes[parent as usize].child(key.as_bytes()) {
            return child;
        }
        let id = self.add();
        let parent = &mut self.nodes[parent as usize];
        parent.lengths |= length_bit(key.as_bytes());
        parent.keys.push((key.into(), id));
        id
    }

    fn index(&mut self, parent: NodeId, index: i64) -> NodeId {
        if let Some((_, child)) = self.nodes[parent as usize].indexes.iter().find(|(i, _)| *i == index) {
            return *child;
        }
        let id = self.add();
        self.nodes[parent as usize].indexes.push((index, id));
        id
    }

    fn add(&mut self) -> NodeId {
        self.nodes.push(TreeNode::default());
        NodeId::try_from(self.nodes.len() - 1).expect("a rule's text bounds its paths")
    }

    /// Puts into `found`, which has nothing yet, where on the tape each wanted path is. Says whether a wanted member, or one on the way to it,
    /// occurs twice; the last one counts.
    pub(crate) fn find(&self, tape: &[Node<'_>], found: &mut [u32]) -> bool {
        self.walk(ROOT, tape, 0, found)
    }

    /// As [`Self::find`], for what is wanted within the value at a node, which is at `at` on the tape. Goes as deep as the
    /// tree does, however deep the record is.
    pub(crate) fn walk(&self, node: NodeId, tape: &[Node<'_>], at: usize, found: &mut [u32]) -> bool {
        let node = &self.nodes[node as usize];
        let mut twice = false;
        match tape[at] {
            Node::Object { len, .. } if !node.keys.is_empty() => {
                let mut at = at + 1;
                for _ in 0..len {
                    let child = match tape[at] {
                        Node::String(key) => node.child(key.as_bytes()),
                        _ => None,
                    };
                    if let Some(child) = child {
                        twice |= self.visit(child, tape, at + 1, found);
                    }
                    at += 1 + extent(&tape[at + 1]);
                }
            }
            Node::Array { len, .. } if !node.indexes.is_empty() => {
                let mut at = at + 1;
                for ordinal in 0..len {
                    for (index, child) in &node.indexes {
                        if array_index(*index, len) == Some(ordinal) {
                            twice |= self.visit(*child, tape, at, found);
                        }
                    }
                    at += extent(&tape[at]);
                }
            }
            _ => {}
        }
        twice
    }

    /// Notes that the value at a node is at `at` on the tape. Says whether it was met before, which is forgotten then.
    #[inline]
    pub(crate) fn place(&self, node: NodeId, at: usize, found: &mut [u32]) -> bool {
        let twice = found[node as usize] != MISSING;
        if twice {
            self.forget(node, found);
        }
        found[node as usize] = u32::try_from(at).expect("a tape is shorter than its text, which is below 4 GiB");
        twice
    }

    #[inline]
    fn visit(&self, node: NodeId, tape: &[Node<'_>], at: usize, found: &mut [u32]) -> bool {
        let twice = self.place(node, at, found);
        if self.nodes[node as usize].is_leaf() { twice } else { self.walk(node, tape, at, found) | twice }
    }

    fn forget(&self, node: NodeId, found: &mut [u32]) {
        found[node as usize] = MISSING;
        let node = &self.nodes[node as usize];
        node.keys.iter().for_each(|(_, child)| self.forget(*child, found));
        node.indexes.iter().for_each(|(_, child)| self.forget(*child, found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(tree: &Tree, text: &str) -> (Vec<u32>, bool) {
        let mut bytes = text.as_bytes().to_vec();
        let tape = simd_json::to_tape(&mut bytes).unwrap();
        let mut found = vec![MISSING; tree.len()];
        let twice = tree.find(&tape.0, &mut found);
        (found, twice)
    }

    #[test]
    fn the_last_of_duplicates_counts_with_all_below_it() {
        let mut tree = Tree::new();
        let (b, c) = (tree.dotted("a.b"), tree.dotted("a.c"));
        let (found, twice) = find(&tree, r#"{"a":{"b":1,"c":2},"a":{"c":3}}"#);
        assert!(twice);
        assert_eq!((found[b as usize], found[c as usize]), (MISSING, 10));
        assert!(!find(&tree, r#"{"a":{"b":1},"x":1,"x":2}"#).1);
        assert!(find(&tree, r#"{"a":{"b":1,"b":1},"a":null}"#).1);
    }

    #[test]
    fn elements_are_counted_from_both_ends() {
        let mut tree = Tree::new();
        let mut at = |index| tree.path(&[PathStep::Key("a".into()), PathStep::Index(index), PathStep::Key("x".into())]);
        let (first, last, beyond) = (at(0), at(-1), at(2));
        let (found, _) = find(&tree, r#"{"a":[{"x":1},{"y":2,"x":3}]}"#);
        assert_eq!((found[first as usize], found[last as usize], found[beyond as usize]), (5, 10, MISSING));
    }
}
