//! Does a campaign fit into the time that is left? By the shipped one.

use chrono::NaiveDate;
use worker::config::{BUILTIN, Config, Origin};
use worker::domain::fit::{Fit, Load, Means};

/// The shipped campaign with removals switched on, and these edits.
fn config(edits: &[(&str, &str)]) -> Config {
    let mut text = BUILTIN.replace("enabled = false", "enabled = true");
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let origin = Origin::builtin();
    Config::parse(&text, &origin).unwrap_or_else(|errors| panic!("{errors}"))
}

fn fit(edits: &[(&str, &str)], recipients: u64, day: &str) -> Fit {
    let config = config(edits);
    let means = Means {
        campaign: &config.campaign,
        prompts: &config.prompts,
        removal: config.removal.as_ref(),
        mails_per_minute: Some(300),
        runs_a_day: Some(7),
    };
    let load = Load { recipients, awaiting: recipients, present: recipients * 2, told: 0 };
    means.fit(load, format!("{day}T00:00:00Z").parse().unwrap())
}

#[test]
fn a_small_campaign_begun_in_time_fits_and_says_until_when() {
    let fit = fit(&[], 800, "2026-11-20");
    assert!(fit.fits(), "{fit:?}");
    assert_eq!(fit.stages.len(), 4);
    // 25, 250, then the rest: of two prompts each at the last stages.
    assert_eq!(fit.stages[0].takes, Some(3));
    let last = fit.too_late_from.unwrap();
    let notice: NaiveDate = "2027-08-23".parse().unwrap();
    assert!(last < notice && last > "2027-08-01".parse().unwrap(), "{last}");
}

#[test]
fn on_the_first_day_of_too_late_it_no_longer_fits_and_the_day_before_it_did() {
    let late = fit(&[], 800, "2026-11-20").too_late_from.unwrap();
    let before = late.pred_opt().unwrap();
    let only = |day: NaiveDate| {
        let fit = fit(&[], 800, &day.to_string());
        fit.stages.iter().any(|stage| stage.stage == "final-notice" && stage.fits())
    };
    assert!(only(before), "{before}");
    assert!(!only(late), "{late}");
}

#[test]
fn e7_too_many_for_the_caps_is_told_with_the_tightest_step() {
    let fit = fit(&[], 200_000, "2026-11-20");
    assert!(!fit.fits());
    assert!(fit.tightest.is_some());
    let removal = fit.removal.unwrap();
    assert!(removal.most < removal.awaiting, "{removal:?}");
}

#[test]
fn caps_of_zero_let_nothing_through_for_ever() {
    let fit = fit(&[("max_per_day = 1000", "max_per_day = 0")], 10, "2026-11-20");
    assert!(fit.stages.iter().all(|stage| stage.takes.is_none() && !stage.fits()));
}

#[test]
fn what_is_the_narrowest_counts_runs_and_rates_too() {
    // 7 runs of 10 each, although 1,000 a day were allowed.
    let slow = fit(&[("max_per_run = 500", "max_per_run = 10")], 7_000, "2026-11-20");
    assert_eq!(slow.stages[0].takes, Some(101));
    let fast = fit(&[], 7_000, "2026-11-20");
    assert!(fast.stages[0].takes < slow.stages[0].takes);
}

#[test]
fn too_few_stages_left_for_min_prompts_is_told() {
    let fit = fit(&[], 100, "2027-07-01");
    assert_eq!(fit.too_few_stages, Some((2, 3)), "{fit:?}");
}

#[test]
fn nobody_to_write_to_fits_and_after_the_deadline_there_is_nothing_to_fit() {
    let nobody = fit(&[], 0, "2026-11-20");
    assert!(nobody.fits() && nobody.stages[0].takes == Some(0));
    assert!(fit(&[], 10, "2028-01-01").stages.is_empty());
}
