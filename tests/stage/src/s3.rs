//! An S3 server on loopback.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};

const KEY_ID: &str = "AKIATEST";
const KEY: &str = "a secret of the tests";

/// An S3 server with one bucket; stopped on drop.
pub struct S3Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _directory: TempDir,
}

impl S3Server {
    /// Starts a server with this bucket on a free port.
    ///
    /// # Errors
    ///
    /// Returns an error if no directory, port or thread is available.
    pub fn start(bucket: &str) -> io::Result<Self> {
        let directory = TempDir::new()?;
        std::fs::create_dir(directory.path().join(bucket))?;
        let files = s3s_fs::FileSystem::new(directory.path()).map_err(|error| {
            io::Error::other(format!("no S3 server in {}: {error:?}", directory.path().display()))
        })?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(KEY_ID, KEY));
        let service = service.build();

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("s3-server".to_owned()).spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener);
                let listener = listener.unwrap_or_else(|error| panic!("no listener: {error}"));
                tokio::select! {
                    () = accept(listener, service) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread), _directory: directory })
    }

    /// Returns the variables of a client of this server.
    pub fn variables(&self) -> [(String, String); 4] {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_ACCESS_KEY_ID", KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", KEY.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }
}

async fn accept(listener: TcpListener, service: S3Service) {
    // s3s-fs checks a creation's precondition and then writes the object, which is not atomic: serialize
    // creations.
    let creating = Arc::new(Mutex::new(()));
    while let Ok((connection, _)) = listener.accept().await {
        let (service, creating) = (service.clone(), Arc::clone(&creating));
        let handler = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let (service, creating) = (service.clone(), Arc::clone(&creating));
            async move {
                let is_creation = request.headers().contains_key("if-none-match");
                let _guard = if is_creation { Some(creating.lock().await) } else { None };
                service.call(request.map(s3s::Body::from)).await
            }
        });
        let connection = TokioIo::new(connection);
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(connection, handler),
        );
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic has been printed already.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl fmt::Debug for S3Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Server({})", self.address)
    }
}
