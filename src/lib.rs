//! Moves an app's Xero connections from broad to granular OAuth scopes: reads the stored
//! connections, says of each what its person consented to and what is still missing, and
//! plans who is to be told, and in the end removed, and why.
//!
//! This is the map of the house. What the words mean is in `docs/classes.md`, why things are
//! as they are in `docs/decisions.md`.
//!
//! # Floors
//!
//! Each may use what is below it, nothing above.
//!
//! | floor | rooms |
//! |---|---|
//! | the door | `main`: a command line in, an exit code out |
//! | commands | [`cli`]: one file per command: parse, call, print |
//! | work | [`jobs`]: one run from end to end; the only room that knows all others. [`simulation`]: the same in a made-up world |
//! | the world | [`inventory`], the stored connections, wherever a company keeps them; [`store`], our own state on SQLite or PostgreSQL; [`xero`], HTTP to Xero; [`delivery`], messages out; [`report`], results as documents and for people; [`config`], jobs.toml |
//! | the rules | [`domain`]: scopes, grants, classes, the campaign, decisions. Pure |
//! | beside them | [`clock`], [`schedule`], [`telemetry`], [`web`] |
//!
//! `domain` does no input or output and knows neither the time nor chance: both come in as
//! parameters, everywhere ([`clock::Clock`], a seeded generator), and clippy forbids the
//! global ones. SQL stands in `store`, about our own tables, and in `inventory`, about the
//! host's; nowhere else.
//!
//! # How a run goes
//!
//! ```text
//! inventory ─ gather ─ unite ─ settle ─▶ store ─ decide ─ cap ─▶ plan ─▶ report
//!              rows    connections  grants           grants   all   │
//!                                            lease ─ compose ─ send ◀┘
//! ```
//!
//! 1. [`cli`] reads the configuration ([`config::Config`]) and opens a
//!    [`Workplace`](jobs::workplace::Workplace): the real database, or for a dry run a private
//!    copy of it ([`store::PrivateCopy`]). From here on both are the same code.
//! 2. [`jobs::run`] goes through the steps of a job and ends with the progress event, however
//!    it ends.
//! 3. [`jobs::scan`] reads the inventory ([`inventory::Reader`], [`inventory::parse`]), lays out
//!    by connection what is new or changed, judges the grants concerned
//!    ([`domain::grant::judge`]), and puts all of it in force in one transaction
//!    ([`store::writer`]), unless the [guard](jobs::scan::guard) objects.
//! 4. [`jobs::planning`] walks over the grants that are not ready, decides about each by
//!    itself ([`domain::decide`]), then lets the caps go over all candidates, most urgent
//!    first ([`domain::budget`]).
//! 5. [`jobs::prompting`] leases what was planned ([`store::prompts`]), composes it from the
//!    facts as they are then ([`domain::composing`]), and hands it over ([`delivery`]): one half
//!    fills the outbox, the other empties it. Nothing goes before it is written down as
//!    `sending`.
//! 6. What a signed plan removes is looked at once more and written down as `deleting` before
//!    Xero is asked ([`jobs::removing`]).
//! 7. [`report::plan`] is the result, [`report::progress`] the counts; [`jobs::counting`] writes the
//!    day's numbers down, and says from them where the campaign will end.
//!
//! Whatever may be long goes through [`jobs::sorter`] or temporary files, so that memory does
//! not grow with the number of connections.
//!
//! # Where to find what
//!
//! | question | place |
//! |---|---|
//! | what does this scope text mean? | [`domain::scopes`], and its `catalogue.toml` |
//! | which scopes does an app need? | [`domain::advice`], and `docs/scopes.md` |
//! | which class, ready or not, and on what evidence? | [`domain::grant`], [`domain::evidence`], [`domain::class`] |
//! | why is this connection not removed? | [`domain::decide`], [`domain::removal`], and `docs/removal.md` |
//! | what does a signature hold for? | `jobs::removing::made_by`, [`jobs::removing`] |
//! | was it removed, and by whom? | [`store::removals`], and `docs/removal.md` |
//! | why is this person not prompted? | [`domain::decide`], [`domain::reason`] |
//! | who was told what, and does it still count? | [`domain::told`], and `docs/prompts.md` |
//! | why does nobody get two? | [`store::prompts`], and `docs/prompts.md` |
//! | who is due now? | [`jobs::due`] |
//! | when does a stage open, and who is at work? | [`domain::calendar`] |
//! | what does a message say, and what is it made from? | [`domain::digest`], [`delivery::render`], `src/delivery/templates/` |
//! | where does a link lead, and what is in it? | [`delivery::link`], and `docs/link.md` |
//! | what is a bad row? | [`inventory::BadReason`] |
//! | when is a connection gone? | `jobs::scan::unite`, and `docs/guard.md` |
//! | will the link in a message work? | [`jobs::preflight`], [`xero::authorise`], [`delivery::probe`] |
//! | who vouches for what the program cannot see? | [`domain::confirmation`], [`jobs::confirming`] |
//! | is this database a copy, or an older one? | [`store::home`], and `docs/database.md` |
//! | what became of a message, as others say? | [`jobs::outcomes`] |
//! | what does the product hear of a connection? | `jobs::announcing`, and `docs/webhooks.md` |
//! | what was done and decided, by whom, and is that whole? | [`domain::audit`], [`store::audit`], and `docs/audit.md` |
//! | how is a person erased? | [`store::forgotten`], [`domain::pseudonym`]; by age: [`store::purging`] |
//! | what does Xero itself list, and what of ours is gone there? | [`domain::reconciling`], [`jobs::reconciling`], and `docs/win-back.md` |
//! | what follows a removal, and when is somebody back? | [`domain::win_back`], `jobs::returning`, and `docs/win-back.md` |
//! | when is a webhook left alone? | [`domain::endpoint`], and `jobs::aside` |
//! | where will it end, and how sure is that? | [`domain::forecast`], and `docs/forecast.md` |
//! | what is counted each day, and from what? | [`domain::daily`], [`store::daily`], [`jobs::counting`] |
//! | what does the report say, and how is it drawn? | [`jobs::reporting`], [`report::document`], [`report::chart`], and `docs/report.md` |
//! | who is passed over so that a stage's effect is measured? | [`domain::hold_back`] |
//! | what do the tables hold? | `migrations/`, and `docs/database.md` |
//! | did this message go out? | [`delivery::outcome`], `docs/email.md`, `docs/webhooks.md` |
//! | what does this answer of Xero's mean? | [`xero::answer`], [`xero::error`], and `docs/xero.md` |
//! | how often is Xero called? | [`xero::limits`], [`jobs::calling`] |
//! | how would the whole campaign go? | [`simulation`], [`report::calendar`], and `docs/simulation.md` |
//! | are the promises kept, whatever goes wrong? | [`simulation::proof`] |
//! | what reaches the world outside, and what stands in for it? | [`jobs::outside`] |
//! | what does Xero do, as far as is known? | [`simulation::xero`], and `docs/xero.md` |
//! | when does a job begin, and who runs it? | [`jobs::firing`], [`jobs::scheduler`], [`jobs::hold`], and `docs/running.md` |
//! | what happens when the database goes away, or the process is to stop? | [`jobs::weather`], [`jobs::shutdown`] |
//! | what is told to those who watch? | [`jobs::health`], [`report::metrics`], and `docs/metrics.md` |
//! | what does this exit code mean? | [`jobs::exit`], [`jobs::Failure`] |

pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod domain;
pub mod inventory;
pub mod jobs;
pub mod report;
pub mod schedule;
pub mod simulation;
pub mod store;
pub mod telemetry;
pub mod web;
pub mod xero;
