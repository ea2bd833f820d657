//! What was asked of the server.

use tokio::sync::watch;

use crate::call::{Call, Operation};
use crate::pattern::Pattern;

/// A request that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its kind.
    pub operation: Operation,
    /// The bucket that it is about.
    pub bucket: String,
    /// The name of the object that it is about, decoded; empty if it is about none.
    pub object: String,
    /// The status that it was answered with. None as long as it has not been, and for good if its
    /// connection was reset instead.
    pub status: Option<u16>,
}

/// All requests, in the order in which they arrived.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    requests: watch::Sender<Vec<Request>>,
}

impl Journal {
    /// Enters a request and gives its place.
    pub(crate) fn enter(&self, call: &Call) -> usize {
        let mut place = 0;
        self.requests.send_modify(|requests| {
            place = requests.len();
            requests.push(Request {
                operation: call.operation,
                bucket: call.bucket.clone(),
                object: call.object.clone(),
                status: None,
            });
        });
        place
    }

    /// Enters what the request at `place` is answered with.
    pub(crate) fn answer(&self, place: usize, status: u16) {
        self.requests.send_modify(|requests| {
            // Its place was given by `enter`.
            if let Some(request) = requests.get_mut(place) {
                request.status = Some(status);
            }
        });
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }

    pub(crate) fn count(&self, operation: Operation, objects: &Pattern) -> usize {
        count(&self.requests.borrow(), operation, objects)
    }

    /// Returns when `wanted` such requests have arrived.
    pub(crate) async fn wait_for(&self, operation: Operation, objects: &Pattern, wanted: usize) {
        let mut requests = self.requests.subscribe();
        let arrived = requests.wait_for(|requests| count(requests, operation, objects) >= wanted);
        // It fails only when the sender is gone, which is borrowed here.
        drop(arrived.await);
    }
}

fn count(requests: &[Request], operation: Operation, objects: &Pattern) -> usize {
    let meant =
        |request: &&Request| request.operation == operation && objects.matches(&request.object);
    requests.iter().filter(meant).count()
}
