//! Google's token in each request: renewed before it ends, and where a server takes it no more.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hype_stage::{GoogleTokens, StageError};
use kube::client::Body;
use kube::{Client, Error as KubeError};

use crate::error::{Error, Result};

/// Gives tokens, each of which works for a while.
pub(super) type Tokens =
    Arc<dyn Fn() -> BoxFuture<'static, std::result::Result<Arc<str>, StageError>> + Send + Sync>;

type Find = dyn Fn() -> std::result::Result<Tokens, StageError> + Send + Sync;

/// Who we are for Google. Clones are one.
#[derive(Clone)]
pub(crate) struct Bearer {
    find: Arc<Find>,
    tokens: Arc<Mutex<Tokens>>,
}

impl Bearer {
    /// The application default credentials of this process.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when they are none that can be used.
    pub(crate) fn find() -> Result<Self> {
        let find = || {
            let tokens = Arc::new(GoogleTokens::find()?);
            let token = move || {
                let tokens = Arc::clone(&tokens);
                async move { tokens.token().await }.boxed()
            };
            Ok(Arc::new(token) as Tokens)
        };
        Self::by(find).map_err(unknown)
    }

    pub(super) fn by(
        find: impl Fn() -> std::result::Result<Tokens, StageError> + Send + Sync + 'static,
    ) -> std::result::Result<Self, StageError> {
        let tokens = Arc::new(Mutex::new(find()?));
        Ok(Self { find: Arc::new(find), tokens })
    }

    fn tokens(&self) -> Tokens {
        Arc::clone(&self.tokens.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins anew with our credentials, unless somebody has meanwhile: `refused` gave a token that a
    /// server doesn't take.
    fn renew(&self, refused: &Tokens) -> std::result::Result<(), StageError> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&tokens, refused) {
            *tokens = (self.find)()?;
        }
        Ok(())
    }

    /// A client whose requests `client` makes, with a token.
    pub(super) fn give_to(self, client: Client) -> Client {
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
        let again = copy(&request);
        let tokens = self.tokens();
        authorize(&mut request, &tokens).await?;
        let response = client.send(request).await?;
        match again {
            Some(mut again) if response.status() == StatusCode::UNAUTHORIZED => {
                self.renew(&tokens).map_err(untold)?;
                authorize(&mut again, &self.tokens()).await?;
                client.send(again).await
            }
            _ => Ok(response),
        }
    }
}

async fn authorize(
    request: &mut Request<Body>,
    tokens: &Tokens,
) -> std::result::Result<(), KubeError> {
    let token = tokens().await.map_err(untold)?;
    let header = HeaderValue::try_from(format!("Bearer {token}"));
    let mut header = header.map_err(|error| KubeError::Service(error.into()))?;
    header.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, header);
    Ok(())
}

/// The same request again; none where its body can be read once.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

fn untold(error: StageError) -> KubeError {
    KubeError::Service(error.into())
}

/// That nobody says who we are.
pub(super) fn unknown(error: StageError) -> Error {
    let hint = error.advice().unwrap_or(
        "gcloud auth application-default login makes credentials, and GOOGLE_APPLICATION_CREDENTIALS \
         names a file of them",
    );
    let hint = hint.to_owned();
    Error::input("nobody says who we are for Google").because(error).hint(hint)
}
