//! What hype tells of its work while something is done.

use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// A subscriber that nothing is told, but that wants to be told everything. While a process has one subscriber alone,
/// `tracing` takes a thread without it that comes by an event first for all threads, and the event is never told.
static ANOTHER: LazyLock<Dispatch> =
    LazyLock::new(|| Dispatch::new(tracing_subscriber::registry().with(Lines::default())));

/// What `future` gives, and the lines that are told meanwhile.
pub fn told<T>(future: impl Future<Output = T>) -> (T, Vec<String>) {
    LazyLock::force(&ANOTHER);
    let lines = Lines::default();
    let seen = Arc::clone(&lines.0);
    let subscriber = tracing_subscriber::registry().with(lines);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let value = tracing::subscriber::with_default(subscriber, || runtime.block_on(future));
    let seen = seen.lock().expect("nobody panics in it").clone();
    (value, seen)
}

/// What hype tells from now on, on all threads of this process. It is for a test that is alone in its process.
pub fn told_by_all_threads() -> Arc<Mutex<Vec<String>>> {
    let lines = Lines::default();
    let seen = Arc::clone(&lines.0);
    let subscriber = tracing_subscriber::registry().with(lines);
    tracing::subscriber::set_global_default(subscriber).expect("no other subscriber");
    seen
}

/// Remembers what is told.
#[derive(Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Message(String);

        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }

        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().expect("nobody panics in it").push(message.0);
    }
}
