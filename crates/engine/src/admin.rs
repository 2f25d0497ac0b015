//! The admin listener: `/metrics`, `/health`, `/ready`. On loopback unless told otherwise.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;

use crate::error::EngineError;
use crate::metrics::Metrics;

/// Serves until the process ends.
pub struct Admin {
    address: SocketAddr,
}

impl Admin {
    /// Listens on `address` (`host:port`; port 0 takes any). `ready` says whether the run has its partitions.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn start(address: &str, metrics: Arc<Metrics>, ready: Arc<AtomicBool>) -> Result<Self, EngineError> {
        let error = |reason: String| EngineError::Admin { address: address.to_owned(), reason };
        let listener = TcpListener::bind(address).map_err(|e| error(e.to_string()))?;
        listener.set_nonblocking(true).map_err(|e| error(e.to_string()))?;
        let bound = listener.local_addr().map_err(|e| error(e.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|e| error(e.to_string()))?;
        let serve = move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                if let Err(error) = axum::serve(listener, router(metrics, ready)).await {
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

fn router(metrics: Arc<Metrics>, ready: Arc<AtomicBool>) -> Router {
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
}
