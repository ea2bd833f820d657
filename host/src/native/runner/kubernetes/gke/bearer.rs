//! Adds Google's bearer token to each request. Renews tokens before they expire, and when a server rejects one.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hype_stage::{GoogleTokens, StageError};
use kube::client::Body;
use kube::{Client, Error as KubeError};

use crate::error::{Error, Result};

/// Returns a token that is currently valid.
pub(super) type Tokens =
    Arc<dyn Fn() -> BoxFuture<'static, std::result::Result<Arc<str>, StageError>> + Send + Sync>;

/// Loads the credentials.
type Find = dyn Fn() -> std::result::Result<Tokens, StageError> + Send + Sync;

/// Google credentials. Clones share one state.
#[derive(Clone)]
pub(crate) struct Bearer {
    find: Arc<Find>,
    tokens: Arc<Mutex<Tokens>>,
}

impl Bearer {
    /// Loads the application default credentials of this process.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if there are none, or they are unusable.
    pub(crate) fn find() -> Result<Self> {
        let find = || {
            let tokens = Arc::new(GoogleTokens::find()?);
            let token = move || {
                let tokens = Arc::clone(&tokens);
                async move { tokens.token().await }.boxed()
            };
            Ok(Arc::new(token) as Tokens)
        };
        Self::from_fn(find).map_err(credentials_error)
    }

    /// Creates credentials that `find` loads, now and after a rejection.
    pub(super) fn from_fn(
        find: impl Fn() -> std::result::Result<Tokens, StageError> + Send + Sync + 'static,
    ) -> std::result::Result<Self, StageError> {
        let tokens = Arc::new(Mutex::new(find()?));
        Ok(Self { find: Arc::new(find), tokens })
    }

    fn tokens(&self) -> Tokens {
        Arc::clone(&self.tokens.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Loads the credentials again after a server rejected a token of `rejected`, unless a concurrent request has done
    /// so.
    fn renew(&self, rejected: &Tokens) -> std::result::Result<(), StageError> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&tokens, rejected) {
            *tokens = (self.find)()?;
        }
        Ok(())
    }

    /// Wraps `client`, so that each request has a token.
    pub(super) fn authorize_client(self, client: Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        let service = tower::service_fn(move |request| {
            let (bearer, client) = (self.clone(), client.clone());
            async move { bearer.send(&client, request).await }
        });
        Client::new(service, namespace)
    }

    async fn send(
        &self,
        client: &Client,
        mut request: Request<Body>,
    ) -> std::result::Result<Response<Body>, KubeError> {
        let retry = copy(&request);
        let tokens = self.tokens();
        authorize(&mut request, &tokens).await?;
        let response = client.send(request).await?;
        match retry {
            Some(mut retry) if response.status() == StatusCode::UNAUTHORIZED => {
                self.renew(&tokens).map_err(token_error)?;
                authorize(&mut retry, &self.tokens()).await?;
                client.send(retry).await
            }
            _ => Ok(response),
        }
    }
}

async fn authorize(
    request: &mut Request<Body>,
    tokens: &Tokens,
) -> std::result::Result<(), KubeError> {
    let token = tokens().await.map_err(token_error)?;
    let header = HeaderValue::try_from(format!("Bearer {token}"));
    let mut header = header.map_err(|error| KubeError::Service(error.into()))?;
    header.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, header);
    Ok(())
}

/// Copies a request; `None` if its body can be read only once.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

fn token_error(error: StageError) -> KubeError {
    KubeError::Service(error.into())
}

/// Returns the error of missing or unusable credentials, with a hint.
pub(super) fn credentials_error(error: StageError) -> Error {
    let hint = error.advice().unwrap_or(
        "gcloud auth application-default login creates credentials, and GOOGLE_APPLICATION_CREDENTIALS \
         names a file of them",
    );
    let hint = hint.to_owned();
    Error::input("cannot find usable Google credentials").because(error).hint(hint)
}
