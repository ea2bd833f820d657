//! One request from its arrival to its response.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{HeaderMap, Request, Response};

use crate::answer::answer;
use crate::call::Call;
use crate::content::Content;
use crate::journal::Journal;
use crate::reply::{Reply, ReplyBody};
use crate::settings::Settings;
use crate::store::Store;

/// What all connections and the test share.
#[derive(Debug)]
pub(crate) struct Service {
    store: Mutex<Store>,
    pub(crate) journal: Journal,
}

impl Service {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { store: Mutex::new(settings.store()), journal: Journal::default() }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        // A panic of one test must not hide what another thread finds.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    ///
    /// When the request's body cannot be read, or its connection is to be reset.
    pub(crate) async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<ReplyBody>, hyper::Error> {
        let (head, body) = request.into_parts();
        let call = Call::of(&head);
        let place = self.journal.enter(&call);
        let content = read(body).await?;
        let reply = self.reply(&call, &head.headers, content);
        self.journal.answer(place, reply.status.as_u16());
        Ok(reply.into_response())
    }

    fn reply(&self, call: &Call, headers: &HeaderMap, content: Content) -> Reply {
        answer(&mut self.store(), call, headers, content).unwrap_or_else(Reply::from)
    }
}

async fn read(mut body: Incoming) -> Result<Content, hyper::Error> {
    let mut pieces: Vec<Bytes> = Vec::new();
    while let Some(frame) = body.frame().await {
        pieces.extend(frame?.into_data());
    }
    Ok(pieces.into_iter().collect())
}
