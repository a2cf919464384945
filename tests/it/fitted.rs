//! What `--assume history` makes of a history whose customers are known: a campaign is played
//! with customers unlike those that are written, and what it leaves behind has to tell of them.

use worker::config::DatabaseUrl;
use worker::jobs::workplace::Workplace;
use worker::simulation::assume::{Assumptions, Customers, Mail, People};
use worker::simulation::{Asked, Begun, Elapsed, assumed, campaign, end, from_history, keys};

use crate::simulation::{config, now, rows};

#[tokio::test]
async fn what_a_campaign_leaves_behind_tells_who_its_customers_were() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&[("schedule = \"17 * * * *\"", "schedule = \"17 */4 * * *\"")]);
    let url = format!("sqlite://{}", dir.path().join("worker.db").display());
    config.database.url = DatabaseUrl::parse_state(&url, None).unwrap();
    let config = assumed(&config, &People::default()).0;
    let workplace = Workplace::real(&config, &keys(4)).await.unwrap();
    let rows = rows(450);
    let begun = Begun { config: &config, against: None, rows: &rows, now: now() };
    let truth = Assumptions {
        customers: Customers {
            follow: vec![0.45, 0.10, 0.10],
            follow_days: 1.0,
            unprompted: 0.25,
            leave: 0.15,
            colleague: 0.0,
            other_tenant: 0.0,
            broad: 0.0,
            come_back: 0.30,
            come_back_days: 12.0,
            ..Customers::default()
        },
        mail: Mail { dead_addresses: 0.12, ..Mail::default() },
        ..Assumptions::default()
    };
    let asked = Asked {
        seed: 4,
        grounds: &[],
        assumptions: &truth,
        until: None,
        is_shown: false,
        skips: true,
        elapsed: &Elapsed::default(),
    };
    campaign(workplace, &begun, &config, &asked, &truth, end(&config)).await.unwrap();
    let after = Workplace::real(&config, &keys(4)).await.unwrap();
    let (found, said) = from_history(&config, &after.store).await.unwrap();
    after.close().await;
    let customers = &found.customers;
    // As far as some hundred people can tell: three times their standard error.
    let near = |found: f64, truth: f64, by: f64| {
        assert!((found - truth).abs() <= by, "{found} of {truth}: {said:#?}");
    };
    near(customers.follow[0], 0.45, 0.08);
    near(customers.follow[1], 0.10, 0.07);
    near(customers.follow_days, 1.0, 0.5);
    near(customers.unprompted, 0.25, 0.12);
    near(customers.leave, 0.15, 0.06);
    near(customers.come_back, 0.30, 0.12);
    near(customers.come_back_days, 12.0, 5.0);
    near(found.mail.dead_addresses, 0.12, 0.05);
}
