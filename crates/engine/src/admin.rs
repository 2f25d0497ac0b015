//! The admin listener: `/metrics`, `/health`, `/ready`, and `POST /rules/reload`. On loopback unless told otherwise.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};

use crate::error::EngineError;
use crate::metrics::Metrics;

/// What a request to do something is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
}

impl Answer {
    /// With this JSON.
    #[must_use]
    pub fn new(status: u16, body: &serde_json::Value) -> Self {
        Self { status, body: format!("{body}\n") }
    }
}

/// Reads the rules again, and waits until they are live.
pub type Reload = Arc<dyn Fn() -> Answer + Send + Sync>;

/// Serves until the process ends.
pub struct Admin {
    address: SocketAddr,
}

impl Admin {
    /// Listens on `address` (`host:port`; port 0 takes any). `ready` says whether the run has its partitions; `reload`
    /// changes its rules, if they can change.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn start(
        address: &str,
        metrics: Arc<Metrics>,
        ready: Arc<AtomicBool>,
        reload: Option<Reload>,
    ) -> Result<Self, EngineError> {
        let error = |reason: String| EngineError::Admin { address: address.to_owned(), reason };
        let listener = TcpListener::bind(address).map_err(|e| error(e.to_string()))?;
        listener.set_nonblocking(true).map_err(|e| error(e.to_string()))?;
        let bound = listener.local_addr().map_err(|e| error(e.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|e| error(e.to_string()))?;
        let serve = move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                if let Err(error) = axum::serve(listener, router(metrics, ready, reload)).await {
                    tracing::error!(%error, "the admin listener ended");
                }
            });
        };
        std::thread::Builder::new().name("admin".into()).spawn(serve).map_err(|e| error(e.to_string()))?;
        Ok(Self { address: bound })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn router(metrics: Arc<Metrics>, ready: Arc<AtomicBool>, reload: Option<Reload>) -> Router {
    let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Router::new()
        .route("/metrics", get(move || async move { (text, metrics.prometheus()) }))
        .route("/health", get(|| async { "ok\n" }))
        .route(
            "/ready",
            get(move || async move {
                if ready.load(Relaxed) {
                    (StatusCode::OK, "ready\n")
                } else {
                    (StatusCode::SERVICE_UNAVAILABLE, "no partitions yet\n")
                }
            }),
        )
        .route("/rules/reload", post(move |headers: HeaderMap| answer(reload, headers)))
}

/// Does not keep other requests waiting while the rules are read.
async fn answer(reload: Option<Reload>, headers: HeaderMap) -> impl IntoResponse {
    let refused = |status, error: &str| Answer::new(status, &serde_json::json!({ "error": error }));
    let answer = match reload {
        // A page in somebody's browser can reach a listener on loopback; it cannot leave this header out.
        Some(_) if headers.contains_key(header::ORIGIN) => refused(403, "a web page may not change the rules"),
        Some(reload) => tokio::task::spawn_blocking(move || reload())
            .await
            .unwrap_or_else(|_| refused(500, "reading the rules ended unexpectedly; see the log")),
        None => refused(409, "this run reads files to their end: its rules stay as they are"),
    };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], answer.body)
}
