//! Runners around another one, for tests of what happens when that one behaves otherwise.

use std::collections::BTreeSet;
use std::fmt::Debug;

use futures::future::BoxFuture;
use hype::runner::{
    Attempt, Description, Log, Mount, Owned, Plan, PlanRequest, Proof, Runner, Voucher,
};
use hype::stage::Removal;
use hype::{Error, Result, RunEnvironment};

/// A change of a runner's behaviour. What isn't changed is the inner runner's.
pub trait Around: Debug + Send + Sync + 'static {
    fn inner(&self) -> &dyn Runner;

    fn description(&self) -> Description {
        self.inner().description()
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        owned: &'a Owned,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        self.inner().mounts(env, owned)
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Voucher>> {
        self.inner().run(attempt)
    }

    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        self.inner().proof(run_id)
    }
}

/// A runner with a change of its behaviour.
#[derive(Debug)]
pub struct Changed<T>(pub T);

impl<T: Around> Runner for Changed<T> {
    fn description(&self) -> Description {
        self.0.description()
    }

    fn plan<'a>(&'a self, request: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        self.0.inner().plan(request)
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        owned: &'a Owned,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        self.0.mounts(env, owned)
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Voucher>> {
        self.0.run(attempt)
    }

    fn looks_in(&self, place: &str) -> bool {
        self.0.inner().looks_in(place)
    }

    fn is_alive<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<bool>> {
        self.0.inner().is_alive(run_id)
    }

    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        self.0.proof(run_id)
    }

    fn failure<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
        self.0.inner().failure(run_id)
    }

    fn follow(&self, run_id: &str, log: Log) -> BoxFuture<'static, ()> {
        self.0.inner().follow(run_id, log)
    }

    fn remove(&self, run_id: &str, is_orphan: bool) -> BoxFuture<'static, Result<()>> {
        self.0.inner().remove(run_id, is_orphan)
    }

    fn collect<'a>(
        &'a self,
        removal: Removal,
        kept: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Vec<String>>> {
        self.0.inner().collect(removal, kept)
    }
}
