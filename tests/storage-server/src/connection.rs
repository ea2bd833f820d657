//! Accepts and serves connections.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use crate::service::Service;

/// A request to reset a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reset(Arc<AtomicBool>);

impl Reset {
    /// Requests the reset, and returns the error that makes hyper close the connection.
    pub(crate) fn request(&self) -> io::Error {
        self.0.store(true, Ordering::Relaxed);
        io::ErrorKind::ConnectionReset.into()
    }

    fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Accepts connections forever.
pub(crate) async fn accept(listener: TcpListener, service: Arc<Service>) -> Infallible {
    loop {
        // An error concerns one connection only, such as one that was closed before it was accepted.
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&service)));
        }
    }
}

async fn serve(stream: TcpStream, service: Arc<Service>) {
    // Otherwise small responses may wait for the client's acknowledgement.
    drop(stream.set_nodelay(true));
    let reset = Reset::default();
    let service = {
        let reset = reset.clone();
        service_fn(move |request| Arc::clone(&service).serve(request, reset.clone()))
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // The client sees the error of a broken connection.
    drop((&mut connection).await);
    if reset.is_requested() {
        // Closing a socket with zero linger time resets the connection.
        drop(connection.into_parts().io.into_inner().set_zero_linger());
    }
}
