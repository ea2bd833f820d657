//! Who we are for Google's services other than its storage, by the same credentials.

use std::fmt;
use std::sync::Arc;

use object_store::gcp::GcpCredentialProvider;

use crate::error::{StageError, StageErrorKind};
use crate::options::StageOptions;
use crate::providers::{GoogleAccount, GoogleCredentials, client, token_provider};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Gives tokens of Google's application default credentials: those that a stage in `gs://` is opened
/// with.
pub struct GoogleTokens(Whose);

enum Whose {
    Account(Box<GoogleAccount>),
    Others(GcpCredentialProvider),
}

impl GoogleTokens {
    /// The credentials of this process's environment.
    ///
    /// # Errors
    ///
    /// [`StageErrorKind::Denied`] when they are none that can be used.
    pub fn find() -> Result<Self, StageError> {
        Self::find_with(&StageOptions::new())
    }

    /// The credentials that these options name.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub fn find_with(options: &StageOptions) -> Result<Self, StageError> {
        client::use_ring();
        Ok(Self(match GoogleCredentials::find(options)? {
            GoogleCredentials::ServiceAccount { path, .. } => {
                Whose::Account(Box::new(GoogleAccount::read(path, SCOPE)?))
            }
            others => Whose::Others(token_provider(others, SCOPE, options)?),
        }))
    }

    /// A token, as it stands behind `Bearer`. It is asked for again before it ends.
    ///
    /// # Errors
    ///
    /// [`StageErrorKind::Denied`] when nobody says who we are, [`StageErrorKind::Unavailable`] when
    /// who does is away.
    pub async fn token(&self) -> Result<Arc<str>, StageError> {
        match &self.0 {
            Whose::Account(account) => account.token().await,
            Whose::Others(provider) => match provider.get_credential().await {
                Ok(credential) => Ok(credential.bearer.as_str().into()),
                Err(error) => Err(nobody(error)),
            },
        }
    }
}

fn nobody(error: object_store::Error) -> StageError {
    let (kind, source): (_, Box<dyn std::error::Error + Send + Sync>) = match error {
        object_store::Error::Unauthenticated { source, .. } => (StageErrorKind::Denied, source),
        error => (StageErrorKind::Unavailable, error.into()),
    };
    StageError::new(kind, "nobody gives a token for Google").because(source).hint(
        "gcloud auth application-default login makes credentials, and \
         GOOGLE_APPLICATION_CREDENTIALS names a file of them",
    )
}

impl fmt::Debug for GoogleTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GoogleTokens")
    }
}
