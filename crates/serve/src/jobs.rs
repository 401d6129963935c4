//! Questions that run on while nobody waits: a job has a number, progress, and a result in the end.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use flopcast_api::{Answer, Question};
use serde_json::{Value, json};

use crate::ask::{Asker, Progress};
use crate::refusal::Refusal;

/// A job.
struct Job {
    /// Its place in the order in which jobs came.
    number: u64,
    question: &'static str,
    progress: Arc<Progress>,
    /// Its end; none while it waits or runs.
    end: Option<Result<Answer, Refusal>>,
}

/// The jobs of a server, in memory alone.
#[derive(Default)]
pub(crate) struct Jobs {
    jobs: Mutex<(u64, BTreeMap<String, Job>)>,
}

impl Jobs {
    fn all(&self) -> MutexGuard<'_, (u64, BTreeMap<String, Job>)> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a job; gives its name and state.
    ///
    /// # Errors
    /// So many jobs wait or run that there is no room: the oldest finished one makes room.
    pub(crate) fn start(
        self: &Arc<Self>,
        asker: &Arc<Asker>,
        question: &'static Question,
        request: String,
    ) -> Result<(String, Value), Refusal> {
        let progress = Arc::new(Progress::default());
        let name = {
            let mut all = self.all();
            let (count, jobs) = &mut *all;
            if jobs.len() >= asker.limits.jobs {
                let ended = jobs.iter().filter(|(_, job)| job.end.is_some());
                let oldest = ended.min_by_key(|(_, job)| job.number).map(|(name, _)| name.clone());
                jobs.remove(&oldest.ok_or_else(Refusal::crowded)?);
            }
            *count += 1;
            // Nobody can foresee it: the hasher's keys are random.
            let name = format!("{:016x}", RandomState::new().build_hasher().finish());
            let progress = Arc::clone(&progress);
            let job = Job { number: *count, question: question.name, progress, end: None };
            jobs.insert(name.clone(), job);
            name
        };
        let (jobs, asker, of) = (Arc::clone(self), Arc::clone(asker), name.clone());
        tokio::spawn(async move {
            let end = asker.job(question, request, progress).await;
            if let Some(job) = jobs.all().1.get_mut(&of) {
                job.end = Some(end);
            }
        });
        let state = self.state(&name)?;
        Ok((name, state))
    }

    /// The state of a job.
    ///
    /// # Errors
    /// There is no such job.
    pub(crate) fn state(&self, name: &str) -> Result<Value, Refusal> {
        let all = self.all();
        let job = all.1.get(name).ok_or_else(none)?;
        let mut state = json!({"id": name, "question": job.question});
        match (&job.end, job.progress.told()) {
            (Some(Ok(_)), _) => state["state"] = json!("done"),
            (Some(Err(refusal)), _) => {
                state["state"] = json!("failed");
                state["error"] = refusal.json()["error"].clone();
            }
            (None, None) => state["state"] = json!("waiting"),
            (None, Some((what, share))) => {
                state["state"] = json!("running");
                state["progress"] = json!({"what": what, "share": share});
            }
        }
        Ok(state)
    }

    /// The answer of a job.
    ///
    /// # Errors
    /// There is no such job; it has not ended; the refusal that it ended with.
    pub(crate) fn result(&self, name: &str) -> Result<Answer, Refusal> {
        let all = self.all();
        let job = all.1.get(name).ok_or_else(none)?;
        job.end.clone().unwrap_or_else(|| {
            let hint = "GET /v1/jobs/{id} tells its progress";
            Err(Refusal::new(StatusCode::CONFLICT, "running", "the job has not ended", hint))
        })
    }

    /// Cancels and forgets a job.
    ///
    /// # Errors
    /// There is no such job.
    pub(crate) fn cancel(&self, name: &str) -> Result<(), Refusal> {
        let job = self.all().1.remove(name).ok_or_else(none)?;
        job.progress.cancel();
        Ok(())
    }
}

fn none() -> Refusal {
    Refusal::unknown("there is no such job; finished ones are kept until others need their room")
}
