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

/// A server on loopback, from [`StorageServer::start`] until it is dropped.
///
/// It has a thread of its own, so tests need no runtime to start it, and may block.
pub struct StorageServer {
    address: SocketAddr,
    service: Arc<Service>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StorageServer {
    /// Starts a server on a port that nobody uses.
    ///
    /// # Errors
    ///
    /// When the system gives no port or no thread.
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
                // Connections end with the runtime, in the middle of what they are doing.
                if let Err(error) = runtime.block_on(serve) {
                    panic!("cannot listen on {address}: {error}");
                }
            })?;
        Ok(Self { address, service, stop: Some(stop), thread: Some(thread) })
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        url(self.address)
    }

    /// Its host and port: what a client takes for the metadata server in `GCE_METADATA_HOST`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The key file of the service account, which sends a client here.
    pub fn service_account(&self) -> String {
        account::file(&self.url())
    }

    /// Ends all tokens that were given out so far.
    pub fn revoke_tokens(&self) {
        self.service.credentials.revoke();
    }

    /// Lets requests meet a fault from now on. Of several rules about one request, the one that was
    /// given first and whose turn it is decides.
    pub fn inject(&self, rule: Rule) {
        self.service.faults.add(rule);
    }

    /// Forgets all rules. What a request has met already stays with it.
    pub fn clear_faults(&self) {
        self.service.faults.clear();
    }

    /// What a client takes for the key of a service account, in JSON, which sends it here and lets it
    /// use no credentials.
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

    /// The content of an object as it is now, if it is there.
    pub fn object(&self, bucket: &str, name: &str) -> Option<Content> {
        let object = self.service.store().get(bucket, name, None).ok()?;
        Some(object.content.clone())
    }

    /// Writes an object past the API, so that no request is counted: what a test finds there, or
    /// somebody who may write to the bucket puts in place of something else.
    ///
    /// # Panics
    ///
    /// When there is no such bucket, or no object can have this name.
    pub fn put_object(&self, bucket: &str, name: &str, content: impl Into<Content>) {
        let none = HeaderMap::new();
        let attributes = Attributes::of(&none);
        let written = self.service.store().put(bucket, name, &none, content.into(), attributes);
        if let Err(problem) = written {
            panic!("{bucket}/{name}: {}", problem.message());
        }
    }

    /// Removes an object past the API. One that isn't there is no error.
    pub fn remove_object(&self, bucket: &str, name: &str) {
        drop(self.service.store().delete(bucket, name, &HeaderMap::new()));
    }

    /// The names of the objects in a bucket; none if there is no such bucket.
    pub fn names(&self, bucket: &str) -> BTreeSet<String> {
        self.service.store().names(bucket).unwrap_or_default()
    }

    /// Makes all objects older by `age`, as though the clock had moved.
    pub fn age_objects(&self, age: Duration) {
        self.service.store().age(age);
    }

    /// The names of the objects in a bucket whose uploads in parts were neither completed nor aborted,
    /// once for each upload.
    pub fn unfinished_uploads(&self, bucket: &str) -> Vec<String> {
        self.service.store().unfinished(bucket).unwrap_or_default()
    }

    /// All requests so far, in the order in which they arrived.
    pub fn requests(&self) -> Vec<Request> {
        self.service.journal.requests()
    }

    /// How many requests of this kind were made about objects whose names match, where `*` stands for
    /// any text. The name is empty for lists.
    pub fn count(&self, operation: Operation, objects: &str) -> usize {
        self.service.journal.count(operation, &Pattern::new(objects))
    }

    /// Returns when `wanted` requests of this kind have arrived, counted as by [`Self::count`].
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
        // A thread that panicked has said why.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl fmt::Debug for StorageServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorageServer({})", self.url())
    }
}
