//! Closures that are awaited run by the submitter in scope.

use std::future::IntoFuture;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;

use crate::call::closure::Closure;
use crate::environment::RunEnvironment;
use crate::error::Result;
use crate::program::ambient;

impl<T> Closure<T> {
    /// Returns the closure to be awaited in `env`.
    pub fn in_env(self, env: &RunEnvironment) -> InEnvironment<T> {
        InEnvironment { closure: self, env: env.clone() }
    }
}

/// A closure and the environment that it will run in, to be awaited.
#[must_use = "a closure does nothing until it is awaited"]
#[derive(Debug, Clone)]
pub struct InEnvironment<T> {
    closure: Closure<T>,
    env: RunEnvironment,
}

impl<T: DeserializeOwned + 'static> IntoFuture for Closure<T> {
    type Output = Result<T>;
    type IntoFuture = BoxFuture<'static, Result<T>>;

    fn into_future(self) -> Self::IntoFuture {
        let current = ambient::current();
        Box::pin(async move {
            let (submitter, env) = current?;
            submitter.submit(self, &env).await
        })
    }
}

impl<T: DeserializeOwned + 'static> IntoFuture for InEnvironment<T> {
    type Output = Result<T>;
    type IntoFuture = BoxFuture<'static, Result<T>>;

    fn into_future(self) -> Self::IntoFuture {
        let current = ambient::current();
        Box::pin(async move {
            let (submitter, _) = current?;
            submitter.submit(self.closure, &self.env).await
        })
    }
}
