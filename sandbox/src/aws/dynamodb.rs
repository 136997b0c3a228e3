//! DynamoDB: the embedded server of `dynoxide`, on a port of its own behind the one that everybody uses, so that the
//! fault plan and the wire log stand in front of it too.

use std::path::Path;

use anyhow::{Context, anyhow};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The way to the embedded DynamoDB.
#[derive(Debug, Clone)]
pub(crate) struct DynamoDb {
    url: String,
    client: reqwest::Client,
}

impl DynamoDb {
    /// Starts it, in memory or in a file; it stops when the sender of `stop` is dropped.
    pub(crate) async fn start(data: Option<&Path>, mut stop: watch::Receiver<()>) -> anyhow::Result<Self> {
        let database = match data {
            None => dynoxide::Database::memory().context("the database in memory cannot be opened")?,
            Some(path) => {
                let name = path.to_str().ok_or_else(|| anyhow!("{} is no UTF-8 name", path.display()))?;
                dynoxide::Database::new(name).with_context(|| format!("{name} cannot be opened as a database"))?
            }
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port for DynamoDB")?;
        let url = format!("http://{}/", listener.local_addr()?);
        tokio::spawn(async move {
            let stopped = async move {
                // Nothing is ever sent: the end of the sender is the signal.
                let _ = stop.changed().await;
            };
            if let Err(error) = dynoxide::server::serve_with_shutdown(listener, database, stopped).await {
                tracing::error!(error, "the embedded DynamoDB has stopped");
            }
        });
        // A proxy of the environment must not come between.
        let client = reqwest::Client::builder().no_proxy().build().context("no HTTP client")?;
        Ok(Self { url, client })
    }

    /// Passes a request on, and its answer back.
    ///
    /// # Errors
    ///
    /// Gives the error of the connection to the embedded server.
    pub(crate) async fn forward(&self, headers: HeaderMap, body: Vec<u8>) -> Result<Response, reqwest::Error> {
        let answer = self.client.post(&self.url).headers(end_to_end(headers)).body(body).send().await?;
        let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
        let headers = end_to_end(answer.headers().clone());
        let body = answer.bytes().await?;
        Ok((status, headers, Body::from(body)).into_response())
    }
}

/// Without the headers that are about one connection only, or that the next one writes anew.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::EXPECT,
        header::TE,
        header::UPGRADE,
    ] {
        headers.remove(name);
    }
    headers
}
