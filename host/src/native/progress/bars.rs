//! Progress as lines at the bottom of a terminal: one for uploads, one for each compilation, pull and run.

use std::io::Stderr;
use std::io::Write;
use std::sync::Arc;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::progress::display::Display;
use crate::progress::fields::{Fields, is_told};
use crate::progress::fitting::fitted;
use crate::progress::{STEP, UPLOADED};

/// Draws what spans of hype tell, and writes its events above.
#[derive(Debug)]
pub(crate) struct Bars<W = Stderr>(Arc<Display<W>>);

/// What a span stands for.
enum Doing {
    Uploading,
    Compiling,
    Pulling { image: String },
    Running { closure: String, name: String },
}

impl<W> Bars<W> {
    pub(crate) fn new(display: Arc<Display<W>>) -> Self {
        Self(display)
    }
}

impl<W, S> Layer<S> for Bars<W>
where
    W: Write + Send + 'static,
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_told(metadata, Level::DEBUG)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let doing = match attributes.metadata().name() {
            "upload" => {
                let (files, bytes) = (fields.number("files"), fields.number("bytes"));
                self.0.change(|going| going.start_upload(files, bytes));
                Doing::Uploading
            }
            "compile" => {
                let (component, platform) = (fields.text("component"), fields.text("platform"));
                let text = format!("compiling {component} for {platform}");
                self.0.change(|going| going.step(id, text));
                Doing::Compiling
            }
            "pull" => {
                let image = fields.text("image").to_owned();
                self.0.change(|going| going.step(id, format!("pulling {image}")));
                Doing::Pulling { image }
            }
            "run" => Doing::Running {
                closure: fields.text("closure").to_owned(),
                name: fields.text("run").to_owned(),
            },
            _ => return,
        };
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(doing);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else {
            return;
        };
        let mut fields = Fields::default();
        values.record(&mut fields);
        match span.extensions_mut().get_mut() {
            Some(Doing::Running { closure, name }) => match fields.number("attempt") {
                // A run that somebody attached to has its name a little later.
                0 => fields.text("closure").clone_into(closure),
                attempt => self.0.change(|going| going.attempt(id, closure, name, attempt)),
            },
            Some(Doing::Pulling { image }) => {
                let text = format!("pulling {image}: {}", fields.text("layers"));
                self.0.change(|going| going.step(id, text));
            }
            _ => {}
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        if metadata.target() == UPLOADED {
            event.record(&mut fields);
            self.0.change(|going| going.upload(fields.number("bytes")));
        } else if metadata.target() != STEP && *metadata.level() <= Level::INFO {
            event.record(&mut fields);
            let text = format!("hype: {}", fields.text("message"));
            let fitted = fitted(&text, *metadata.level(), self.0.columns());
            self.0.write(&format!("{fitted}\n"));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        match span.extensions_mut().remove::<Doing>() {
            Some(Doing::Uploading) => self.0.end(|going| going.end_upload()),
            Some(Doing::Compiling | Doing::Pulling { .. } | Doing::Running { .. }) => {
                self.0.end(|going| going.end(&id));
            }
            None => {}
        }
    }
}
