//! When versions of detectors begin and end.

use std::collections::HashMap;

use watchfire_detect::{Lifetime, Version};

/// What a change makes of a detector's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// It goes on as it was.
    Stays,
    /// It is live from an event time on that is a multiple of this, microseconds.
    Begins {
        /// The length of which its windows, and those of the version that it replaces, are made.
        align: i64,
        /// The slot of the version that it replaces.
        after: Option<u32>,
    },
    /// It ends where the version that replaces it begins, or, if none does, at once.
    Ends,
}

/// When versions are live after a change. `known` are the lifetimes from before, `gone` those of all that were there, and
/// `beyond` has, for each stream, an event time beyond all that were seen.
pub fn settled<'a>(
    versions: &[Version],
    terms: &[Term],
    known: &impl Fn(u32) -> Option<Lifetime>,
    gone: impl Iterator<Item = (&'a Version, &'a Lifetime)>,
    beyond: &[i64],
) -> Vec<Lifetime> {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, version) in versions.iter().enumerate() {
        by_name.entry(version.info().name.as_str()).or_default().push(place);
    }
    // Versions of one detector may read different streams, and meet at one instant all the same.
    let beyond = |version: &Version| {
        let alike = by_name[version.info().name.as_str()].iter().flat_map(|place| &versions[*place].parts);
        alike.map(|part| beyond[part.reads().stream]).max().unwrap_or(i64::MIN)
    };
    let of_slot = |slot: u32| versions.iter().find(|version| version.slot == slot);
    let first = |(version, term): (&Version, &Term)| {
        let before = known(version.slot).unwrap_or(Lifetime::ALWAYS);
        match *term {
            Term::Stays => before,
            Term::Ends => Lifetime { to: before.to.min(beyond(version)), ..before },
            Term::Begins { align, after } => {
                let from = aligned(beyond(version), align);
                let after = after.and_then(of_slot).filter(|after| after.operator == version.operator);
                // The one before may have yet to begin: no record that it leaves out was seen.
                let since = after.and_then(|after| known(after.slot)).map_or(from, |before| before.since.min(from));
                Lifetime { from, to: i64::MAX, since }
            }
        }
    };
    let mut lifetimes: Vec<Lifetime> = versions.iter().zip(terms).map(first).collect();
    for places in by_name.values().filter(|places| places.len() > 1) {
        let begins = places.iter().copied().find(|place| matches!(terms[*place], Term::Begins { .. }));
        let ends = places.iter().copied().find(|place| terms[*place] == Term::Ends);
        // One that ends takes those with it that came before it and have yet to end; one that begins, all others.
        let Some(to) = begins.map(|place| lifetimes[place].from).or(ends.map(|place| lifetimes[place].to)) else {
            continue;
        };
        for other in places.iter().copied().filter(|other| Some(*other) != begins) {
            let before = known(versions[other].slot).map_or(i64::MAX, |lifetime| lifetime.to);
            lifetimes[other].to = before.min(to);
        }
    }
    for lifetime in &mut lifetimes {
        lifetime.from = lifetime.from.min(lifetime.to);
    }
    for (version, old) in gone {
        take_over(versions, &mut lifetimes, version, *old);
    }
    lifetimes
}

/// A record may come however late. Detectors without state judge it all the same: when the version whose it was has
/// gone, the one that came after it does.
fn take_over(versions: &[Version], lifetimes: &mut [Lifetime], gone: &Version, old: Lifetime) {
    if gone.detector().stateful() || old.to == i64::MAX {
        return;
    }
    if versions.binary_search_by_key(&gone.slot, |version| version.slot).is_ok() {
        return;
    }
    let follows = |(other, lifetime): &(&Version, &mut Lifetime)| {
        !other.detector().stateful()
            && other.info().name == gone.info().name
            && lifetime.from == old.to
            && lifetime.from < lifetime.to
    };
    if let Some((_, next)) = versions.iter().zip(lifetimes).find(follows) {
        next.from = old.from;
    }
}

/// The first multiple of `align` that is not before a time; before the first record there is nothing to align to.
fn aligned(time: i64, align: i64) -> i64 {
    if time == i64::MIN || align <= 1 {
        return time;
    }
    let past = time.rem_euclid(align);
    if past == 0 { time } else { time.saturating_add(align - past) }
}
