//! The app's server: calls of the REST API over kept connections.

use std::net::SocketAddr;

use base64::Engine as _;
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::Failed;

/// An app's hand on a server.
#[derive(Debug, Clone)]
pub struct Rest {
    address: SocketAddr,
    authorization: String,
}

impl Rest {
    /// Calls `address` as the app.
    #[must_use]
    pub fn new(address: SocketAddr, appkey: &str, master_secret: &str) -> Self {
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{appkey}:{master_secret}"));
        Self { address, authorization: format!("Basic {credentials}") }
    }

    /// One call: its status and its JSON body.
    ///
    /// # Errors
    /// When the server is not reached, or answers what is not JSON.
    pub async fn call(&self, method: Method, path: &str, body: &Value) -> Result<(u16, Value), Failed> {
        let (status, bytes) = self.raw(method, path, body).await?;
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
        Ok((status, body))
    }

    /// One call: its status and its body.
    ///
    /// # Errors
    /// When the server is not reached.
    pub async fn raw(&self, method: Method, path: &str, body: &Value) -> Result<(u16, Bytes), Failed> {
        self.keep().await?.call(method, path, body).await
    }

    /// A connection that is kept for many calls.
    ///
    /// # Errors
    /// When the server is not reached.
    pub async fn keep(&self) -> Result<Kept, Failed> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(async move { _ = connection.await });
        Ok(Kept { rest: self.clone(), sender, connection })
    }

    /// A GET that has to work.
    ///
    /// # Errors
    /// When it does not.
    pub async fn get(&self, path: &str) -> Result<Value, Failed> {
        let (status, answer) = self.call(Method::GET, path, &Value::Null).await?;
        if status == 200 { Ok(answer) } else { Err(format!("GET {path}: {status} {answer}").into()) }
    }

    /// A POST that has to work.
    ///
    /// # Errors
    /// When it does not.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failed> {
        let (status, answer) = self.call(Method::POST, path, body).await?;
        if (200..300).contains(&status) { Ok(answer) } else { Err(format!("POST {path}: {status} {answer}").into()) }
    }
}

/// A connection that is kept.
pub struct Kept {
    rest: Rest,
    sender: http1::SendRequest<Full<Bytes>>,
    connection: tokio::task::JoinHandle<()>,
}

impl Kept {
    /// One call: its status and its body.
    ///
    /// # Errors
    /// When the connection ended.
    pub async fn call(&mut self, method: Method, path: &str, body: &Value) -> Result<(u16, Bytes), Failed> {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.rest.address.to_string())
            .header(header::AUTHORIZATION, &self.rest.authorization)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        // The connection may still be at the end of the answer before.
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status().as_u16();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
