//! Captures hype's log events.

use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// A second subscriber that is interested in all events. With a single subscriber per process, `tracing` caches an
/// event as disabled for all threads if the first thread that reaches it has no subscriber.
static SECOND_SUBSCRIBER: LazyLock<Dispatch> =
    LazyLock::new(|| Dispatch::new(tracing_subscriber::registry().with(MessageLayer::default())));

/// Returns the value of `future` and the messages logged meanwhile.
pub fn capture_log<T>(future: impl Future<Output = T>) -> (T, Vec<String>) {
    LazyLock::force(&SECOND_SUBSCRIBER);
    let lines = MessageLayer::default();
    let messages = Arc::clone(&lines.0);
    let subscriber = tracing_subscriber::registry().with(lines);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let value = tracing::subscriber::with_default(subscriber, || runtime.block_on(future));
    let messages = messages.lock().expect("no panic while it is locked").clone();
    (value, messages)
}

/// Captures the messages of all threads of this process from now on. The test must run in a process of its own.
pub fn capture_log_of_all_threads() -> Arc<Mutex<Vec<String>>> {
    let lines = MessageLayer::default();
    let messages = Arc::clone(&lines.0);
    let subscriber = tracing_subscriber::registry().with(lines);
    tracing::subscriber::set_global_default(subscriber).expect("no other subscriber");
    messages
}

/// A layer that stores messages.
#[derive(Default)]
struct MessageLayer(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for MessageLayer {
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
        self.0.lock().expect("no panic while it is locked").push(message.0);
    }
}
