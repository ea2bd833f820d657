//! Access tokens for Google's services other than storage, from the same credentials.

use std::fmt;
use std::sync::Arc;

use object_store::gcp::GcpCredentialProvider;

use crate::error::{StageError, StageErrorKind};
use crate::options::StageOptions;
use crate::providers::{GoogleAccount, GoogleCredentials, client, token_provider};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A source of access tokens from Google's application default credentials, which also open `gs://` stages.
///
/// ```no_run
/// # async fn example() -> Result<(), hype_stage::StageError> {
/// let tokens = hype_stage::GoogleTokens::find()?;
/// let header = format!("Bearer {}", tokens.token().await?);
/// # Ok(())
/// # }
/// ```
pub struct GoogleTokens(TokenSource);

enum TokenSource {
    ServiceAccount(Box<GoogleAccount>),
    Provider(GcpCredentialProvider),
}

impl GoogleTokens {
    /// Finds the credentials by the variables of this process.
    ///
    /// # Errors
    ///
    /// Returns [`StageErrorKind::Denied`] if the credentials can't be used.
    pub fn find() -> Result<Self, StageError> {
        Self::find_with(&StageOptions::new())
    }

    /// Finds the credentials by the variables of `options`.
    ///
    /// # Errors
    ///
    /// Returns [`StageErrorKind::Denied`] if the credentials can't be used.
    ///
    /// ```
    /// use hype_stage::{GoogleTokens, StageErrorKind, StageOptions};
    ///
    /// let options = StageOptions::new()
    ///     .with_variables([("GOOGLE_APPLICATION_CREDENTIALS", "/does/not/exist.json")]);
    /// let error = GoogleTokens::find_with(&options).unwrap_err();
    /// assert_eq!(error.kind(), StageErrorKind::Denied);
    /// ```
    pub fn find_with(options: &StageOptions) -> Result<Self, StageError> {
        client::use_ring();
        Ok(Self(match GoogleCredentials::find(options)? {
            GoogleCredentials::ServiceAccount { path, .. } => {
                TokenSource::ServiceAccount(Box::new(GoogleAccount::read(path, SCOPE)?))
            }
            others => TokenSource::Provider(token_provider(others, SCOPE, options)?),
        }))
    }

    /// Returns a token for the header `Authorization: Bearer TOKEN`. Tokens are cached and renewed before they
    /// expire.
    ///
    /// # Errors
    ///
    /// Returns [`StageErrorKind::Denied`] if there are no valid credentials, and
    /// [`StageErrorKind::Unavailable`] if the token service is unreachable.
    pub async fn token(&self) -> Result<Arc<str>, StageError> {
        match &self.0 {
            TokenSource::ServiceAccount(account) => account.token().await,
            TokenSource::Provider(provider) => match provider.get_credential().await {
                Ok(credential) => Ok(credential.bearer.as_str().into()),
                Err(error) => Err(no_token(error)),
            },
        }
    }
}

fn no_token(error: object_store::Error) -> StageError {
    let (kind, source): (_, Box<dyn std::error::Error + Send + Sync>) = match error {
        object_store::Error::Unauthenticated { source, .. } => (StageErrorKind::Denied, source),
        error => (StageErrorKind::Unavailable, error.into()),
    };
    StageError::new(kind, "no access token for Google is available").because(source).hint(
        "run `gcloud auth application-default login`, or name a credentials file in \
         GOOGLE_APPLICATION_CREDENTIALS",
    )
}

impl fmt::Debug for GoogleTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GoogleTokens")
    }
}
