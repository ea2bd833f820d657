//! The items of an attached map, whose job is in the stage.

use std::sync::Arc;

use bytes::Bytes;
use hype_wire::{Digest, RunKey, RunManifest, names};

use crate::error::{Error, Result};
use crate::map::items::Items;
use crate::map::staged::open::OpenedMap;
use crate::map::staged::stager::{Unstarted, Writer};
use crate::progress::STEP;
use crate::run::driver::{Dispatcher, RunState};
use crate::run::keys;
use crate::run::status::Status;
use crate::runner::{Attempt, Plan, PlanRequest};

/// A manifest with the job of a map, and the key of its run.
struct StagedJob {
    manifest: Arc<RunManifest>,
    digest: Digest,
    key: RunKey,
}

impl Dispatcher {
    /// Runs the items of a staged map. Nothing of the map is removed.
    pub(super) async fn run_staged_items(
        &self,
        run: &RunState,
        opened: OpenedMap,
        stager: Unstarted,
        items: Items,
    ) -> Result<()> {
        let OpenedMap { reader, run_key, manifest, manifest_digest, in_containers, .. } = opened;
        let id = reader.id.clone();
        let plan = self.plan_attached(run, &id, in_containers).await?;
        let writer = Writer::new(reader.stage, reader.id, reader.key)?;
        let started = stager.start(writer, None, None);
        run.cleanup.register_action(async move {
            started.stop().await;
            Ok(())
        });
        let job = match in_containers {
            true => self.stage_copy(run, &plan, &manifest).await?,
            false => StagedJob { manifest, digest: manifest_digest, key: run_key },
        };
        run.status.send_replace(Status::Running(1));
        let attempt = self.attempt_of_job(run, job, plan.image);
        tracing::info!(
            target: STEP,
            "running the map {id} of `{}` {}",
            attempt.function,
            self.description.location
        );
        self.run_attempt_of_items(attempt, items).await
    }

    /// Plans the run of an attached map.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if its items run in containers and this runner has none, or the other way round.
    async fn plan_attached(&self, run: &RunState, id: &str, in_containers: bool) -> Result<Plan> {
        let (stage_url, env) = (self.stage.url(), &run.env);
        let request = PlanRequest { stage_url, env, image: env.image(), shares_process: true };
        let plan = self.runner.plan(request).await?;
        if plan.image.is_some() == in_containers {
            return Ok(plan);
        }
        let place = if in_containers { "in containers" } else { "in processes of this machine" };
        let problem = format!("the map {id} cannot run {}", self.description.location);
        Err(Error::input(problem)
            .because(format!("its items run {place}"))
            .hint("attach to it with a submitter like that of its program"))
    }

    /// Stages the job of the map as that of this run, since containers see only the objects of their run.
    async fn stage_copy(
        &self,
        run: &RunState,
        plan: &Plan,
        manifest: &RunManifest,
    ) -> Result<StagedJob> {
        run.lease.add_to_index(&manifest.job.component.name).await;
        // Registered before the first write, since the lease may be written from then on.
        self.register_objects(run);
        self.runner.mounts(&run.env, &self.cleanup).await?;
        let key = keys::create(&self.registry, &run.id)?;
        let mut copy = manifest.clone();
        (copy.run_id, copy.place) = (run.id.clone(), plan.run_location.clone());
        let bytes = Bytes::from(copy.to_bytes()?);
        self.stage.put(&names::manifest(&run.id), bytes.clone()).await?;
        run.lease.mark_staged(plan.run_location.as_deref()).await;
        Ok(StagedJob { manifest: Arc::new(copy), digest: Digest::of(&bytes), key })
    }

    fn attempt_of_job(&self, run: &RunState, job: StagedJob, image: Option<String>) -> Attempt {
        let StagedJob { manifest, digest, key } = job;
        Attempt {
            run_id: run.id.to_string(),
            number: 1,
            function: manifest.call.function.plain_name().to_owned(),
            component: manifest.job.component.name.clone(),
            stage_url: self.stage.url().to_owned(),
            manifest_url: self.stage.url_of(&names::manifest(&manifest.run_id)),
            manifest_digest: digest,
            disk: manifest.job.files.iter().map(|file| file.blob.size).sum(),
            manifest: Some(manifest),
            unstaged: None,
            arguments: None,
            key,
            image,
            env: run.env.clone(),
            stage_secret: run.stage_secret.clone(),
            log: run.log.clone(),
            cleanup: run.cleanup.clone(),
            handover: run.handover.clone(),
        }
    }
}
