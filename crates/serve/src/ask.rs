//! Questions on threads of their own: so many at a time, the others wait, each for so long.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::NaiveDate;
use flopcast_api::{Answer, Fault, Question, Session};
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::Error;
use flopcast_scenario::Files;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::Limits;
use crate::metrics::Metrics;
use crate::refusal::Refusal;

/// The surroundings of every question: the catalog, the files that scenarios may name, and the day.
pub struct Surroundings {
    /// Devices, prices, regions.
    pub catalog: Catalog,
    /// The files; none over HTTP.
    pub files: Box<dyn Files + Send + Sync>,
    /// Tells the day from which the age of facts is counted.
    pub today: fn() -> Option<NaiveDate>,
}

/// Asks questions within the limits.
pub struct Asker {
    surroundings: Surroundings,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    permits: Arc<Semaphore>,
    jobs: Arc<Semaphore>,
    waiting: AtomicUsize,
    stopping: AtomicBool,
}

/// The progress of a question, and the wish that it ends.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// What is being done.
    what: Mutex<String>,
    /// The share that is done, in millionths.
    share: AtomicU64,
    started: AtomicBool,
    cancelled: AtomicBool,
}

impl Progress {
    /// What is being done, and the share that is done; none before it starts.
    pub(crate) fn told(&self) -> Option<(String, f64)> {
        let what = self.what.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let share = self.share.load(Ordering::Relaxed) as f64 / 1e6;
        self.started.load(Ordering::Relaxed).then_some((what, share))
    }

    /// Ends the question as soon as it tells of progress.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    fn tell(&self, what: &str, share: f64) {
        what.clone_into(&mut self.what.lock().unwrap_or_else(PoisonError::into_inner));
        self.share.store((share.clamp(0.0, 1.0) * 1e6) as u64, Ordering::Relaxed);
    }
}

/// The time beyond its own that an answer is waited for.
const GRACE: Duration = Duration::from_secs(5);

fn too_long(question: &Question, most: Duration) -> Error {
    let error = Error::limit(format!("the answer takes longer than {} s", most.as_secs()));
    error.hint(if question.long {
        format!("ask for less, or as a job: POST /v1/{}/jobs", question.name)
    } else {
        "ask for less".to_owned()
    })
}

/// A question that nobody waits for any more ends.
struct Waited(Arc<Progress>);

impl Drop for Waited {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Asker {
    /// An asker within limits.
    pub fn new(surroundings: Surroundings, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            surroundings,
            limits,
            metrics: Metrics::default(),
            permits: Arc::new(Semaphore::new(limits.together.max(1))),
            jobs: Arc::new(Semaphore::new(limits.together.saturating_sub(1).max(1))),
            waiting: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        })
    }

    /// Ends what is being answered and lets nothing more begin.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.permits.close();
        self.jobs.close();
    }

    /// Questions that wait, and that are being answered.
    pub(crate) fn load(&self) -> (usize, usize) {
        let waiting = self.waiting.load(Ordering::Relaxed);
        (waiting, self.limits.together.max(1).saturating_sub(self.permits.available_permits()))
    }

    /// The answer to a request of a question, which may take so long. If nobody waits for it any
    /// more, it ends.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        question: &'static Question,
        request: String,
        progress: Arc<Progress>,
        most: Duration,
    ) -> Result<Answer, Refusal> {
        let begun = Instant::now();
        let result = self.in_turn(question, request, progress, most).await;
        let outcome = result.as_ref().map_or_else(|refusal| refusal.kind, |_| "ok");
        self.metrics.answered(question.name, outcome, begun.elapsed());
        result
    }

    /// The answer to a job. Jobs take hours where questions take seconds: they leave a place to
    /// questions that somebody waits for, and wait for one another.
    pub(crate) async fn job(
        self: &Arc<Self>,
        question: &'static Question,
        request: String,
        progress: Arc<Progress>,
    ) -> Result<Answer, Refusal> {
        let place = Arc::clone(&self.jobs).acquire_owned().await;
        let _place = place.map_err(|_| Refusal::stopping())?;
        self.ask(question, request, progress, self.limits.job).await
    }

    async fn in_turn(
        self: &Arc<Self>,
        question: &'static Question,
        request: String,
        progress: Arc<Progress>,
        most: Duration,
    ) -> Result<Answer, Refusal> {
        let permit = self.turn().await?;
        let waited = Waited(Arc::clone(&progress));
        let asker = Arc::clone(self);
        let answer = tokio::task::spawn_blocking(move || {
            // The permit ends with the computation, not with who waits for it.
            let _permit = permit;
            asker.answer(question, &request, &progress, most)
        });
        // What tells of no progress for a while cannot be ended: nobody waits for it.
        let answer = timeout(most + GRACE, answer).await;
        drop(waited);
        match answer {
            Ok(Ok(answer)) => Ok(answer?),
            Ok(Err(_)) => Err(Refusal::stopping()),
            Err(_) => Err(too_long(question, most).into()),
        }
    }

    /// A place among those that are answered.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.limits.waiting {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Refusal::busy());
        }
        // Who leaves while waiting is counted out, too.
        let _counted = Counted(&self.waiting);
        match timeout(self.limits.wait, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Refusal::stopping()),
            Err(_) => Err(Refusal::busy()),
        }
    }

    /// Answers on this thread.
    fn answer(
        &self,
        question: &'static Question,
        request: &str,
        progress: &Progress,
        most: Duration,
    ) -> Result<Answer, Fault> {
        progress.started.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        let watch = |what: &str, share: f64| {
            progress.tell(what, share);
            if progress.cancelled.load(Ordering::Relaxed) || self.stopping.load(Ordering::Relaxed) {
                return Err(Error::limit("the question was cancelled"));
            }
            if begun.elapsed() > most {
                return Err(too_long(question, most));
            }
            Ok(())
        };
        let Surroundings { catalog, files, today } = &self.surroundings;
        let files: &(dyn Files + Sync) = &**files;
        question.answer(&Session { catalog, files, today: today(), watch: &watch }, request)
    }
}

/// One of a number, until it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
