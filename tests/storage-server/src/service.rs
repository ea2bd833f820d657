//! Serves one request: journal, faults, authentication, reply.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{HeaderMap, Request, Response};

use crate::answer::answer;
use crate::body::ReplyBody;
use crate::call::{Call, Operation, copy_source};
use crate::connection::Reset;
use crate::content::Content;
use crate::credentials::Credentials;
use crate::fault::{Fault, Faults};
use crate::journal::Journal;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::store::Store;

/// The state shared by all connections and the test.
#[derive(Debug)]
pub(crate) struct Service {
    store: Mutex<Store>,
    pub(crate) credentials: Credentials,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
}

impl Service {
    pub(crate) fn new(store: Store, credentials: Credentials) -> Self {
        let (faults, journal) = Default::default();
        Self { store: Mutex::new(store), credentials, faults, journal }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        // A poisoned lock would hide the first panic.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves a request.
    ///
    /// # Errors
    ///
    /// Returns an error if the request's body can't be read, or to reset the connection.
    pub(crate) async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        reset: Reset,
    ) -> io::Result<Response<ReplyBody>> {
        let (head, body) = request.into_parts();
        let call = Call::of(&head);
        let index = self.journal.record(&call);
        let fault = self.faults.next_fault(&call);
        match fault {
            Some(Fault::Reset) => return Err(reset.request()),
            Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
            _ => {}
        }
        let content = read(body).await.map_err(io::Error::other)?;
        let reply = match &fault {
            Some(Fault::Refuse(refusal)) => refusal.reply(),
            Some(Fault::RefuseAfterServing(refusal)) => {
                self.reply(&call, &head.headers, content);
                refusal.reply()
            }
            _ => self.reply(&call, &head.headers, content),
        };
        if let Some(Fault::ResetAfterServing) = fault {
            return Err(reset.request());
        }
        self.journal.record_status(index, reply.status.as_u16());
        let body = ReplyBody::new(&reply.content, fault.as_ref(), reset);
        Ok(reply.into_response(body))
    }

    fn reply(&self, call: &Call, headers: &HeaderMap, content: Content) -> Reply {
        match call.operation {
            Operation::Token => self.credentials.exchange(&content),
            Operation::MetadataToken => self.credentials.metadata(headers),
            _ => self.answer(call, headers, content).unwrap_or_else(Reply::from),
        }
    }

    fn answer(&self, call: &Call, headers: &HeaderMap, content: Content) -> Result<Reply, Problem> {
        let mut store = self.store();
        let bearer = self.credentials.bearer(headers)?;
        // A missing bucket is reported as such, without authorization.
        if store.has_bucket(&call.bucket) {
            bearer.may_use(&call.bucket)?;
        }
        if call.operation == Operation::Copy {
            bearer.may_use(&copy_source(headers)?.0)?;
        }
        answer(&mut store, call, headers, content)
    }
}

async fn read(mut body: Incoming) -> Result<Content, hyper::Error> {
    let mut pieces: Vec<Bytes> = Vec::new();
    while let Some(frame) = body.frame().await {
        pieces.extend(frame?.into_data());
    }
    Ok(pieces.into_iter().collect())
}
