//! Who is passed over at a stage, so that its effect can be measured against those who were
//! told: a share of the recipients by chance, but always the same ones.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::campaign::Stage;

/// Whether a recipient is among those passed over. `key` is a secret of the database: nobody can
/// choose an address that is, and another stage passes over others.
#[must_use]
pub fn is_held_back(key: &[u8], recipient: &str, stage: &Stage) -> bool {
    if stage.hold_back_percent == 0 || stage.is_final {
        return false;
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    mac.update(b"hold back\0");
    mac.update(stage.name.as_bytes());
    mac.update(b"\0");
    mac.update(recipient.as_bytes());
    let tag = mac.finalize().into_bytes();
    let drawn = tag.iter().take(4).fold(0_u64, |drawn, byte| drawn << 8 | u64::from(*byte));
    drawn * 100 < u64::from(stage.hold_back_percent) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::example::stage;

    fn share(key: u8, percent: u32, name: &str, is_final: bool) -> Vec<bool> {
        let stage = Stage { hold_back_percent: percent, ..stage(name, 90, &[], is_final) };
        let held = |person| is_held_back(&[key; 32], &format!("p{person}@books.example"), &stage);
        (0..2000).map(held).collect()
    }

    fn count(held: &[bool]) -> usize {
        held.iter().filter(|held| **held).count()
    }

    #[test]
    fn the_share_is_about_what_was_asked_for_and_always_the_same_people() {
        let held = share(1, 10, "reminder", false);
        assert!((150..250).contains(&count(&held)), "{}", count(&held));
        assert_eq!(held, share(1, 10, "reminder", false));
    }

    #[test]
    fn another_stage_or_another_database_passes_over_others() {
        let held = share(1, 50, "reminder", false);
        for other in [share(1, 50, "invitation", false), share(2, 50, "reminder", false)] {
            let same = held.iter().zip(&other).filter(|(one, two)| one == two).count();
            assert!((850..1150).contains(&same), "{same}");
        }
    }

    #[test]
    fn the_final_notice_and_a_stage_without_a_share_pass_over_nobody() {
        assert_eq!(count(&share(1, 50, "final-notice", true)), 0);
        assert_eq!(count(&share(1, 0, "reminder", false)), 0);
    }

    #[test]
    fn who_is_held_back_at_a_small_share_is_so_at_a_larger_one() {
        let (small, large) = (share(1, 5, "reminder", false), share(1, 20, "reminder", false));
        assert!(small.iter().zip(&large).all(|(small, large)| !small || *large));
    }
}
