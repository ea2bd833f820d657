//! The progress that is told. One test alone: what listens to progress is the whole process's.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::sync::{Arc, Mutex};

use hype::{RunEnvironment, Submitter};
use test_guests::values::greet;
use tracing_subscriber::layer::{Context, SubscriberExt};

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn a_second_submit_uploads_nothing() {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "content").unwrap();
    let url = format!("file://{}/stage", directory.path().display());
    let submitter = Submitter::local_with(&url).unwrap();
    let env = RunEnvironment::new().with_file(&file, "/file");
    let lines = |env: &RunEnvironment| {
        let lines = Lines::default();
        let seen = Arc::clone(&lines.0);
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::with_default(subscriber, || {
            wait(submitter.submit(greet("x".into()), env)).unwrap();
        });
        let seen = seen.lock().unwrap();
        seen.iter().filter(|line| line.starts_with("uploading")).cloned().collect::<Vec<_>>()
    };
    let starting = |count| format!("uploading {count} files to {url}");
    let complete =
        |new, cached| format!("uploading complete: {new} newly uploaded, {cached} cached");
    assert_eq!(lines(&env), [starting(3), complete(3, 0)]);
    assert_eq!(lines(&env), [starting(3), complete(0, 3)]);
    fs::write(&file, "changed").unwrap();
    assert_eq!(lines(&env), [starting(3), complete(1, 2)]);
}

/// Remembers what is told.
#[derive(Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Message(String);

        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 = format!("{value:?}");
            }
        }

        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }
}
