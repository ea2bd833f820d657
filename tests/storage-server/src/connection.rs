//! Connections from their beginning to their end.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use crate::service::Service;

/// Whether a connection is to end by a reset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reset(Arc<AtomicBool>);

impl Reset {
    /// Asks for it, and gives the error by which hyper leaves the connection.
    pub(crate) fn request(&self) -> io::Error {
        self.0.store(true, Ordering::Relaxed);
        io::ErrorKind::ConnectionReset.into()
    }

    fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

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
    let reset = Reset::default();
    let service = {
        let reset = reset.clone();
        service_fn(move |request| Arc::clone(&service).serve(request, reset.clone()))
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // A connection that breaks concerns its client alone.
    drop((&mut connection).await);
    if reset.is_requested() {
        // What is closed with no time to linger is reset.
        drop(connection.into_parts().io.into_inner().set_zero_linger());
    }
}
