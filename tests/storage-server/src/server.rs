use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::HeaderMap;
use tokio::sync::oneshot;

use crate::account;
use crate::call::Operation;
use crate::connection;
use crate::content::Content;
use crate::fault::Rule;
use crate::journal::Request;
use crate::object::Attributes;
use crate::pattern::Pattern;
use crate::service::Service;
use crate::settings::Settings;

/// A storage server on loopback; stopped on drop.
///
/// The server runs on its own thread, so tests can start it without a runtime, and may block.
pub struct StorageServer {
    address: SocketAddr,
    service: Arc<Service>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StorageServer {
    /// Starts a server on a free port.
    ///
    /// # Errors
    ///
    /// Returns an error if no port or no thread is available.
    pub fn start(settings: &Settings) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let credentials = settings.credentials(&url(address));
        let service = Arc::new(Service::new(settings.store(), credentials));
        let (stop, stopped) = oneshot::channel();
        let serve = {
            let service = Arc::clone(&service);
            async move {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    never = connection::accept(listener, service) => match never {},
                    _ = stopped => io::Result::Ok(()),
                }
            }
        };
        let thread =
            std::thread::Builder::new().name("storage-server".to_owned()).spawn(move || {
                // Open connections are closed with the runtime.
                if let Err(error) = runtime.block_on(serve) {
                    panic!("cannot listen on {address}: {error}");
                }
            })?;
        Ok(Self { address, service, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns the server's URL, without a trailing slash.
    pub fn url(&self) -> String {
        url(self.address)
    }

    /// Returns the server's host and port, for a client's `GCE_METADATA_HOST`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Returns the key file of the service account, which names this server as its endpoint.
    pub fn service_account(&self) -> String {
        account::file(&self.url())
    }

    /// Revokes all issued tokens.
    pub fn revoke_tokens(&self) {
        self.service.credentials.revoke();
    }

    /// Adds a rule. If several rules apply to a request, the first one wins.
    pub fn inject(&self, rule: Rule) {
        self.service.faults.add(rule);
    }

    /// Removes all rules. A request in progress keeps its fault.
    pub fn clear_faults(&self) {
        self.service.faults.clear();
    }

    /// Returns a service account's key file that names this server as its endpoint and disables authentication.
    pub fn open_account(&self) -> String {
        serde_json::json!({
            "gcs_base_url": self.url(),
            "disable_oauth": true,
            "client_email": "",
            "private_key": "",
            "private_key_id": "",
        })
        .to_string()
    }

    /// Returns the content of an object, if it exists.
    pub fn object(&self, bucket: &str, name: &str) -> Option<Content> {
        let object = self.service.store().get(bucket, name, None).ok()?;
        Some(object.content.clone())
    }

    /// Writes an object directly, without a counted request: to prepare a test, or to act as an attacker who can
    /// write to the bucket.
    ///
    /// # Panics
    ///
    /// Panics if the bucket doesn't exist or the name is invalid.
    pub fn put_object(&self, bucket: &str, name: &str, content: impl Into<Content>) {
        let headers = HeaderMap::new();
        let attributes = Attributes::of(&headers);
        let written = self.service.store().put(bucket, name, &headers, content.into(), attributes);
        if let Err(problem) = written {
            panic!("{bucket}/{name}: {}", problem.message());
        }
    }

    /// Removes an object directly, without a counted request. A missing object is not an error.
    pub fn remove_object(&self, bucket: &str, name: &str) {
        drop(self.service.store().delete(bucket, name, &HeaderMap::new()));
    }

    /// Returns the names of the objects in a bucket; empty if the bucket doesn't exist.
    pub fn names(&self, bucket: &str) -> BTreeSet<String> {
        self.service.store().names(bucket).unwrap_or_default()
    }

    /// Makes all objects older by `age`, as if that time had passed.
    pub fn age_objects(&self, age: Duration) {
        self.service.store().age(age);
    }

    /// Returns the object names of open multipart uploads in a bucket, once for each upload.
    pub fn unfinished_uploads(&self, bucket: &str) -> Vec<String> {
        self.service.store().unfinished(bucket).unwrap_or_default()
    }

    /// Returns all requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.service.journal.requests()
    }

    /// Returns the number of requests of this operation on objects whose names match `objects`, where `*` matches
    /// any text. The name is empty for lists.
    pub fn count(&self, operation: Operation, objects: &str) -> usize {
        self.service.journal.count(operation, &Pattern::new(objects))
    }

    /// Waits until [`count`](Self::count) reaches `wanted`.
    pub async fn wait_for(&self, operation: Operation, objects: &str, wanted: usize) {
        self.service.journal.wait_for(operation, &Pattern::new(objects), wanted).await;
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

impl Drop for StorageServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic has been printed already.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl fmt::Debug for StorageServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorageServer({})", self.url())
    }
}
