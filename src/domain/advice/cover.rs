//! The cheapest set of scopes that gives every need one of those that it can do with: exact,
//! since one scope too many is a question too many on every customer's screen.

use crate::domain::scopes::{Scope, ScopeSet};

/// The set with the least total weight in which each of `needs` has a scope. `None` when one
/// can do with no scope at all. Of two sets with the same weight it is always the same one.
pub(super) fn cheapest(needs: &[ScopeSet], weight: &dyn Fn(Scope) -> u64) -> Option<ScopeSet> {
    if needs.iter().any(|need| need.is_empty()) {
        return None;
    }
    let mut best = None;
    search(needs.to_vec(), ScopeSet::EMPTY, 0, weight, &mut best);
    best.map(|(_, chosen)| chosen)
}

fn search(
    mut needs: Vec<ScopeSet>,
    mut chosen: ScopeSet,
    mut total: u64,
    weight: &dyn Fn(Scope) -> u64,
    best: &mut Option<(u64, ScopeSet)>,
) {
    loop {
        needs.retain(|need| need.iter().all(|scope| !chosen.contains(scope)));
        reduce(&mut needs, weight);
        if best.is_some_and(|(least, _)| total >= least) {
            return;
        }
        // What is left with one possibility has no choice.
        let forced: ScopeSet =
            needs.iter().filter(|need| need.len() == 1).flat_map(|need| need.iter()).collect();
        if forced.is_empty() {
            break;
        }
        total += forced.iter().map(weight).sum::<u64>();
        chosen = chosen.union(forced);
    }
    let Some(next) = needs.iter().min_by_key(|need| need.len()).copied() else {
        *best = Some((total, chosen));
        return;
    };
    let mut options: Vec<Scope> = next.iter().collect();
    options.sort_by_key(|scope| weight(*scope));
    for scope in options {
        let with = chosen.union(ScopeSet::from_iter([scope]));
        search(needs.clone(), with, total + weight(scope), weight, best);
    }
}

/// Drops what changes nothing about the best answer: a need that another one implies, and a
/// scope that is no better in any need than a cheaper one.
fn reduce(needs: &mut Vec<ScopeSet>, weight: &dyn Fn(Scope) -> u64) {
    needs.sort_unstable_by_key(|need| (need.len(), *need));
    needs.dedup();
    let mut kept: Vec<ScopeSet> = Vec::with_capacity(needs.len());
    for need in needs.iter() {
        if !kept.iter().any(|smaller| need.is_superset(*smaller)) {
            kept.push(*need);
        }
    }
    let all = kept.iter().copied().reduce(ScopeSet::union).unwrap_or_default();
    let serves =
        |scope: Scope| -> Vec<bool> { kept.iter().map(|need| need.contains(scope)).collect() };
    let mut useless = ScopeSet::EMPTY;
    for scope in all.iter() {
        let own = serves(scope);
        let is_beaten =
            all.iter().filter(|other| *other != scope && !useless.contains(*other)).any(|other| {
                let others = serves(other);
                let cheaper = (weight(other), other) < (weight(scope), scope);
                cheaper && own.iter().zip(&others).all(|(own, others)| !own || *others)
            });
        if is_beaten {
            useless.insert(scope);
        }
    }
    *needs = kept
        .into_iter()
        .map(|need| need.iter().filter(|scope| !useless.contains(*scope)).collect())
        .collect();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::scopes::catalogue;
    use super::*;

    fn some_scopes() -> Vec<Scope> {
        catalogue().scopes().take(9).collect()
    }

    fn weight(scope: Scope) -> u64 {
        100 + scope.name().len() as u64 % 7
    }

    fn covers(set: ScopeSet, needs: &[ScopeSet]) -> bool {
        needs.iter().all(|need| need.iter().any(|scope| set.contains(scope)))
    }

    /// Every subset there is.
    fn by_trying_all(needs: &[ScopeSet]) -> u64 {
        let scopes = some_scopes();
        (0_u32..1 << scopes.len())
            .map(|bits| -> ScopeSet {
                let has = |at: &usize| bits & (1 << at) != 0;
                (0..scopes.len()).filter(has).map(|at| scopes[at]).collect()
            })
            .filter(|set| covers(*set, needs))
            .map(|set| set.iter().map(weight).sum())
            .min()
            .unwrap()
    }

    proptest! {
        #[test]
        fn no_other_set_that_covers_is_cheaper(
            needs in proptest::collection::vec(
                proptest::sample::subsequence(some_scopes(), 1..5), 0..10),
        ) {
            let needs: Vec<ScopeSet> =
                needs.into_iter().map(|need| need.into_iter().collect()).collect();
            let found = cheapest(&needs, &weight).unwrap();
            prop_assert!(covers(found, &needs));
            prop_assert_eq!(found.iter().map(weight).sum::<u64>(), by_trying_all(&needs));
            let mut reversed = needs.clone();
            reversed.reverse();
            prop_assert_eq!(cheapest(&reversed, &weight), Some(found));
        }
    }

    #[test]
    fn a_need_that_nothing_serves_has_no_answer() {
        assert_eq!(cheapest(&[ScopeSet::EMPTY], &weight), None);
        assert_eq!(cheapest(&[], &weight), Some(ScopeSet::EMPTY));
    }

    #[test]
    fn many_needs_with_two_possibilities_each_take_no_time() {
        let pairs: Vec<ScopeSet> = catalogue()
            .scopes()
            .filter_map(|scope| Some(ScopeSet::from_iter([scope, scope.read()?])))
            .collect();
        assert!(pairs.len() > 15);
        let found = cheapest(&pairs, &|scope| 10 + u64::from(scope.read().is_some())).unwrap();
        assert!(found.iter().all(|scope| scope.name().ends_with(".read")), "{found}");
    }
}
