//! Connections from their beginning to their end.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use crate::service::Service;

/// Takes connections for good.
pub(crate) async fn accept(listener: TcpListener, service: Arc<Service>) -> Infallible {
    loop {
        // A client that is gone again before it was accepted is no reason to stop.
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&service)));
        }
    }
}

async fn serve(stream: TcpStream, service: Arc<Service>) {
    // Without it small responses may wait for the client's acknowledgement.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| Arc::clone(&service).serve(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // A connection that breaks concerns its client alone.
    drop(connection.await);
}
