//! Eight replicas on schedules of a second, one killed every little while, the database
//! restarted and crashed under them: each fire ran once, each prompt went at most once, and
//! nothing is stuck (E22, E42, E44).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::always::ANY_PORT;
use crate::support::cluster::Cluster;
use crate::support::line::lines;
use crate::support::replica::Replica;
use crate::support::sending::{Base, Sending, well};
use crate::support::smtp::{Moment, Reaction, Step};

const PEOPLE: usize = 60;
const REPLICAS: usize = 8;
/// How long they are left to it.
const WHILE: Duration = Duration::from_secs(24);

#[tokio::test]
async fn eight_replicas_that_are_killed_on_a_database_that_restarts_run_each_fire_once() {
    let cluster = Cluster::start();
    let react = |moment: &Moment| match moment.step {
        Step::Dot => Reaction::Slowly(Duration::from_millis(1)),
        _ => Reaction::Usual,
    };
    let mut sending = Sending::with(Base::Postgres, &lines(0..PEOPLE), react, well).await;
    sending.move_to(cluster.database().await);
    sending.prepare();
    // A few in each run, so that there is work all the time; and two jobs that meet.
    sending.configure(&[
        ("\"17 * * * *\"", "\"* * * * * *\""),
        ANY_PORT,
        ("max_per_run = 5000", "max_per_run = 4"),
        ("[[jobs]]", "[[jobs]]\nname = \"other\"\nsteps = [\"scan\", \"prompt\"]\nschedule = \"*/2 * * * * *\"\n\n[[jobs]]"),
    ]);
    let start = || Replica::start(sending.command(&["run"]));
    let mut replicas: Vec<Replica> = (0..REPLICAS).map(|_| start()).collect();
    let mut random = StdRng::seed_from_u64(7);
    let began = Instant::now();
    let mut rounds = 0;
    while began.elapsed() < WHILE {
        std::thread::sleep(Duration::from_millis(random.random_range(1200..2400)));
        match rounds % 4 {
            1 => cluster.restart(),
            3 => cluster.crash(),
            _ => {}
        }
        let victim = random.random_range(0..REPLICAS);
        replicas[victim].kill();
        replicas[victim] = start();
        rounds += 1;
    }
    for replica in &mut replicas {
        let code = replica.stops();
        assert!(matches!(code, Some(0 | 1)), "{code:?}: {:#?}", replica.lines());
    }
    // Whoever comes then finds nothing that is stuck.
    cluster.is_back(sending.pg.as_ref().expect("one")).await;
    sending.leases_run_out().await;
    sending.configure(&[]);
    let last = sending.run();
    assert!(matches!(last.code, Some(0 | 3)), "{last}");

    let got: BTreeSet<String> = sending.recipients().into_iter().collect();
    assert_eq!(got.len(), sending.recipients().len(), "somebody got two");
    let states = sending.states().await;
    let of = |state: &str| states.get(state).copied().unwrap_or_default();
    assert_eq!(of("sent") + of("unknown"), PEOPLE, "nothing is stuck: {states:?} {last}");
    assert!(of("sent") <= got.len(), "{states:?}");

    let fires = sending.texts("SELECT job || ' ' || state FROM fires ORDER BY fire_at").await;
    assert!(fires.len() > 8, "{fires:?}");
    let running = fires.iter().filter(|fire| fire.ends_with("running")).count();
    assert!(running <= 2, "at most the last of each job is left open: {fires:?}");
    // Of all runs of a fire one came to its end.
    let twice = "SELECT f.job FROM fires f JOIN runs r ON r.job = f.job \
        AND r.run_id <> f.run_id AND r.exit_code IS NOT NULL AND f.attempts = 1 \
        AND r.started_at >= f.taken_at AND r.finished_at <= f.finished_at";
    assert_eq!(sending.texts(twice).await, Vec::<String>::new());
    let overlaps = "SELECT a.job FROM runs a JOIN runs b ON a.job = b.job AND a.run_id < b.run_id \
        AND a.started_at < b.finished_at AND b.started_at < a.finished_at";
    assert_eq!(sending.texts(overlaps).await, Vec::<String>::new(), "never two of one job");
}
