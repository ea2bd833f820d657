//! HTTP of the clients of all providers, each request of which tells whether its server answers.

use std::pin::Pin;
use std::time::{Duration, Instant};

use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

use crate::outage::Outage;

/// How many bytes of a request go on their way in a second, at the least, before its answer is missed.
const BYTES_PER_SECOND: u64 = 256 << 10;

/// Makes clients for a bucket.
#[derive(Debug)]
pub(super) struct Observed(Outage);

#[derive(Debug)]
struct Client {
    client: HttpClient,
    outage: Outage,
}

impl Observed {
    /// For the bucket of the stage at `url`.
    pub(super) fn of(url: &str, bucket: &str) -> Self {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        Self(Outage::of(&format!("the store of {scheme}://{bucket}")))
    }
}

impl HttpConnector for Observed {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Client { client, outage: self.0.clone() }))
    }
}

impl HttpService for Client {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let began = Instant::now();
            let size = request.body().content_length() as u64;
            let longer = Duration::from_secs(size / BYTES_PER_SECOND);
            let answer = self.outage.watch_longer(longer, self.client.execute(request)).await;
            match &answer {
                Ok(answer) if answer.status().is_server_error() => {
                    self.outage.failed(began, &answer.status());
                }
                Ok(_) => self.outage.answered(),
                Err(error) => self.outage.failed(began, error),
            }
            answer
        })
    }
}
