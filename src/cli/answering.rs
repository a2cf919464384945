//! What `worker run` answers on `[http] listen`: `/healthz`, `/readyz` and `/metrics`.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::clock::SystemClock;
use crate::config::Config;
use crate::jobs::health::{Health, Trouble};
use crate::jobs::standing::snapshot;
use crate::store::Store;

/// How long the database may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// OpenMetrics' own type.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is needed to answer.
#[derive(Clone)]
pub(super) struct Answering {
    config: Arc<Config>,
    health: Arc<Health>,
    store: Arc<OnceLock<Store>>,
}

impl Answering {
    pub(super) fn new(config: Config, health: Arc<Health>) -> Self {
        Self { config: Arc::new(config), health, store: Arc::default() }
    }

    /// The database is open now.
    pub(super) fn found(&self, store: Store) {
        let _ = self.store.set(store);
    }
}

/// Answers until it is dropped.
pub(super) async fn serve(listener: TcpListener, answering: Answering) {
    let routes = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(answering);
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!("nobody is answered any more: {error}");
    }
}

/// The process is alive: a restart would help nothing that this does not tell.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether runs can begin, and why not.
async fn readyz(State(answering): State<Answering>) -> Response {
    let mut troubles = answering.health.troubles();
    if let Some(store) = answering.store.get() {
        let asked = tokio::time::timeout(PATIENCE, store.schema()).await;
        let text = match asked {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the database does not answer".to_owned()),
        };
        if let Some(text) = text {
            troubles.insert(Trouble::Database, text);
        }
    }
    let reasons: Vec<serde_json::Value> = troubles
        .iter()
        .map(|(trouble, text)| serde_json::json!({"code": trouble.code(), "text": text}))
        .collect();
    let status = match reasons.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = serde_json::json!({"ready": reasons.is_empty(), "reasons": reasons});
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

async fn metrics(State(answering): State<Answering>) -> Response {
    let Answering { config, health, store } = &answering;
    let taken = snapshot(store.get(), config, &SystemClock);
    let mut taken = match tokio::time::timeout(PATIENCE, taken).await {
        Ok(taken) => taken,
        Err(_) => snapshot(None, config, &SystemClock).await,
    };
    taken.next_fires = health.next();
    ([(header::CONTENT_TYPE, METRICS)], taken.text()).into_response()
}
