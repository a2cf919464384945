//! The page loads nothing, says what it shows, and lets no text out of its place.

use chrono::NaiveDate;

use super::super::aftermath::Removals;
use super::super::document::{
    Cohorts, Day, Document, Funnel, Holdouts, Listed, Promises, Silenced, Tenants, Unreachable,
};
use super::super::progress::Progress;
use super::*;
use crate::domain::forecast::Outlook;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn campaign() -> Campaign {
    let config = crate::domain::campaign::WorkingTime {
        days: vec![chrono::Weekday::Mon],
        from: chrono::NaiveTime::MIN,
        until: chrono::NaiveTime::MIN,
        holidays: std::collections::BTreeSet::new(),
    };
    Campaign {
        deadline: "2027-09-12T12:00:00Z".parse().unwrap(),
        zone: chrono_tz::Pacific::Auckland,
        required: crate::domain::scopes::ScopeSet::EMPTY,
        working: config,
        stages: Vec::new(),
    }
}

/// Nothing is known yet.
fn empty() -> Document {
    Document {
        app: "Acme <Books> & \"Sons\"".into(),
        client_id: "0123456789ABCDEF0123456789ABCDEF".to_owned(),
        made_at: "2026-12-31T12:00:00Z".parse().unwrap(),
        today: day("2027-01-01"),
        time_zone: "Pacific/Auckland".into(),
        deadline: campaign().deadline,
        deadline_day: day("2027-09-13"),
        last_scan_at: None,
        target_percent: 95.0,
        standing: serde_json::Map::new(),
        progress: Progress { days_to_deadline: Some(254), ..Progress::default() },
        tenants: Tenants::default(),
        changes: None,
        anomalies: Vec::new(),
        outlook: Outlook::TooEarly { text: "no run has counted yet".into() },
        fits: Vec::new(),
        what_if: Vec::new(),
        funnel: Funnel::default(),
        lifts: Vec::new(),
        cohorts: Cohorts::default(),
        holdouts: Holdouts::default(),
        removals: Removals::default(),
        xero: None,
        promises: Promises::default(),
        unreachable: Unreachable::default(),
        days: Vec::new(),
    }
}

#[test]
fn a_page_about_nothing_is_a_whole_page() {
    let page = page(&empty(), &campaign()).unwrap();
    assert!(page.starts_with("<!doctype html>"), "{}", &page[..80]);
    assert!(page.trim_end().ends_with("</html>"));
    assert!(page.contains("Not scanned yet, 254 days left"), "{page}");
    assert!(page.contains("too early to say: no run has counted yet"), "{page}");
    assert!(!page.contains("NaN") && !page.contains("inf,"), "{page}");
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let page = page(&empty(), &campaign()).unwrap();
    for loads in
        ["http://", "https://", "src=", "href=", "url(", "@import", "<script", "<link", "onload"]
    {
        assert!(!page.contains(loads), "{loads}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn no_name_ends_an_element_or_a_drawing() {
    let mut document = empty();
    let hostile = "<script>alert(1)</script>]]>&quot;\"'";
    document.unreachable.listed = Some(Listed {
        connections: Vec::new(),
        addresses: vec![Silenced {
            address: hostile.into(),
            reason: hostile.into(),
            since: document.made_at,
        }],
    });
    document.cohorts.by_locale = vec![super::super::document::CohortCount {
        cohort: Some(hostile.into()),
        ready: 1,
        awaiting: 2,
    }];
    document.funnel.stages = vec![super::super::document::StageRow {
        stage: hostile.into(),
        opens: day("2027-02-01"),
        due: None,
        told: 0,
        ready: 0,
        held_back: 0,
        curve: Vec::new(),
    }];
    let page = page(&document, &campaign()).unwrap();
    assert!(!page.contains("<script"), "{page}");
    // On a phone the row is a list, and each cell says what it is.
    assert!(page.contains("role=\"cell\" data-head=\"ready after 7 days\""), "{page}");
    assert!(page.contains("Acme &lt;Books&gt; &amp;"), "{page}");
}

#[test]
fn every_drawing_has_a_name_and_a_description_and_every_table_heads() {
    let mut document = empty();
    document.days = vec![Day {
        day: day("2026-12-31"),
        counts: serde_json::from_str("{\"awaiting\":821}").unwrap(),
    }];
    let page = page(&document, &campaign()).unwrap();
    let drawings = page.matches("<svg").count();
    assert!(drawings >= 6, "{drawings}");
    for part in ["role=\"img\"", "<title id=", "<desc id=", "aria-labelledby=\""] {
        assert!(page.matches(part).count() >= drawings, "{part}");
    }
    let ids: Vec<&str> =
        page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let distinct: std::collections::BTreeSet<&&str> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len(), "{ids:?}");
    assert_eq!(page.matches("<table").count(), page.matches("<caption>").count());
    assert!(page.contains("821 awaiting on 2026-12-31"), "{page}");
}
