//! Awaiting of closures, which runs them by the submitter in scope.

use std::future::IntoFuture;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;

use crate::call::closure::Closure;
use crate::environment::RunEnvironment;
use crate::error::Result;
use crate::program::ambient;

impl<T> Closure<T> {
    /// Sets the environment in which the awaited closure runs. The submitter is the one in scope.
    ///
    /// ```no_run
    /// # #[hype::function]
    /// # fn example(arg: String) -> String { arg }
    /// # async fn run() -> hype::Result<()> {
    /// let env = hype::RunEnvironment::new().with_env("LOG", "debug");
    /// let greeting = example("hello".into()).in_env(&env).await?;
    /// # Ok(())
    /// # }
    /// # fn main() {}
    /// ```
    pub fn in_env(self, env: &RunEnvironment) -> InEnvironment<T> {
        InEnvironment { closure: self, env: env.clone() }
    }
}

/// A closure with its environment, to be awaited. [`Closure::in_env`] returns it.
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
