//! The HTTP connector of all providers' clients, which records responses and failures in an [`Outage`].

use std::pin::Pin;
use std::time::{Duration, Instant};

use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

use crate::outage::Outage;

/// The minimum expected upload rate, in bytes per second. A large request gets the time it needs at this rate
/// before its response counts as missing.
const MIN_BYTES_PER_SECOND: u64 = 256 << 10;

/// A connector that creates observed clients for a bucket.
#[derive(Debug)]
pub(super) struct ObservedConnector(Outage);

#[derive(Debug)]
struct ObservedClient {
    client: HttpClient,
    outage: Outage,
}

impl ObservedConnector {
    /// Creates the connector for the bucket of the stage at `url`.
    pub(super) fn of(url: &str, bucket: &str) -> Self {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        Self(Outage::of(&format!("the store of {scheme}://{bucket}")))
    }
}

impl HttpConnector for ObservedConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(ObservedClient { client, outage: self.0.clone() }))
    }
}

impl HttpService for ObservedClient {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let started = Instant::now();
            let size = request.body().content_length() as u64;
            let extra = Duration::from_secs(size / MIN_BYTES_PER_SECOND);
            let response = self.outage.watch_longer(extra, self.client.execute(request)).await;
            match &response {
                Ok(response) if response.status().is_server_error() => {
                    self.outage.record_failure(started, &response.status());
                }
                Ok(_) => self.outage.record_response(),
                Err(error) => self.outage.record_failure(started, error),
            }
            response
        })
    }
}
