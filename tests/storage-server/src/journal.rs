//! The journal of all requests.

use tokio::sync::watch;

use crate::call::{Call, Operation};
use crate::pattern::Pattern;

/// A received request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The operation.
    pub operation: Operation,
    /// The bucket.
    pub bucket: String,
    /// The object's decoded name; empty for requests on no object.
    pub object: String,
    /// The status of the response; `None` before the response, and if the connection was reset.
    pub status: Option<u16>,
}

/// All requests, in the order in which they arrived.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    requests: watch::Sender<Vec<Request>>,
}

impl Journal {
    /// Records a request and returns its index.
    pub(crate) fn record(&self, call: &Call) -> usize {
        let mut index = 0;
        self.requests.send_modify(|requests| {
            index = requests.len();
            requests.push(Request {
                operation: call.operation,
                bucket: call.bucket.clone(),
                object: call.object.clone(),
                status: None,
            });
        });
        index
    }

    /// Records the status of the response to the request at `index`.
    pub(crate) fn record_status(&self, index: usize, status: u16) {
        self.requests.send_modify(|requests| {
            // The index comes from `record`.
            if let Some(request) = requests.get_mut(index) {
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

    /// Waits until `wanted` matching requests have been received.
    pub(crate) async fn wait_for(&self, operation: Operation, objects: &Pattern, wanted: usize) {
        let mut requests = self.requests.subscribe();
        let arrived = requests.wait_for(|requests| count(requests, operation, objects) >= wanted);
        // Waiting fails only if the sender is dropped, and it is borrowed here.
        drop(arrived.await);
    }
}

fn count(requests: &[Request], operation: Operation, objects: &Pattern) -> usize {
    let matches =
        |request: &&Request| request.operation == operation && objects.matches(&request.object);
    requests.iter().filter(matches).count()
}
