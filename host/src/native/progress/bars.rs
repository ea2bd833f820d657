//! Progress bars: lines at the bottom of a terminal, one for all uploads, and one for each compilation, pull and run.

use std::io::Stderr;
use std::io::Write;
use std::sync::Arc;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::progress::display::Display;
use crate::progress::fields::{Fields, is_reported};
use crate::progress::fit::fit;
use crate::progress::{STEP, UPLOADED};

/// A layer that draws hype's spans as bars and writes its events above them.
#[derive(Debug)]
pub(crate) struct Bars<W = Stderr>(Arc<Display<W>>);

/// The activity that a span stands for.
enum SpanActivity {
    Uploading,
    Compiling,
    Pulling { image: String },
    Running { closure: String, name: String },
    Mapping,
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
        is_reported(metadata, Level::DEBUG)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let activity = match attributes.metadata().name() {
            "upload" => {
                let (files, bytes) = (fields.number("files"), fields.number("bytes"));
                self.0.change(|activities| activities.start_upload(files, bytes));
                SpanActivity::Uploading
            }
            "compile" => {
                let (component, platform) = (fields.text("component"), fields.text("platform"));
                let text = format!("compiling {component} for {platform}");
                self.0.change(|activities| activities.set_step(id, text));
                SpanActivity::Compiling
            }
            "pull" => {
                let image = fields.text("image").to_owned();
                self.0.change(|activities| activities.set_step(id, format!("pulling {image}")));
                SpanActivity::Pulling { image }
            }
            "map" => {
                let (function, items) = (fields.text("function"), fields.number("items"));
                self.0.change(|activities| activities.start_map(id, function, items));
                SpanActivity::Mapping
            }
            "run" => SpanActivity::Running {
                closure: fields.text("closure").to_owned(),
                name: fields.text("run").to_owned(),
            },
            _ => return,
        };
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(activity);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else {
            return;
        };
        let mut fields = Fields::default();
        values.record(&mut fields);
        match span.extensions_mut().get_mut() {
            Some(SpanActivity::Running { closure, name }) => match fields.number("attempt") {
                // The closure's name of an attached run is recorded after the span began.
                0 => fields.text("closure").clone_into(closure),
                attempt => {
                    self.0.change(|activities| activities.set_attempt(id, closure, name, attempt))
                }
            },
            Some(SpanActivity::Pulling { image }) => {
                let text = format!("pulling {image}: {}", fields.text("layers"));
                self.0.change(|activities| activities.set_step(id, text));
            }
            Some(SpanActivity::Mapping) => self.0.change(|activities| {
                activities.change_map(id, |counts| {
                    // Each number is recorded alone.
                    counts.done = fields.present("done").unwrap_or(counts.done);
                    counts.failed = fields.present("failed").unwrap_or(counts.failed);
                    counts.running = fields.present("running").unwrap_or(counts.running);
                });
            }),
            _ => {}
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        if metadata.target() == UPLOADED {
            event.record(&mut fields);
            self.0.change(|activities| activities.upload(fields.number("bytes")));
        } else if metadata.target() != STEP && *metadata.level() <= Level::INFO {
            event.record(&mut fields);
            let text = format!("hype: {}", fields.text("message"));
            let fitted = fit(&text, *metadata.level(), self.0.columns());
            self.0.write(&format!("{fitted}\n"));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        match span.extensions_mut().remove::<SpanActivity>() {
            Some(SpanActivity::Uploading) => self.0.end(|activities| activities.end_upload()),
            Some(
                SpanActivity::Compiling
                | SpanActivity::Pulling { .. }
                | SpanActivity::Running { .. }
                | SpanActivity::Mapping,
            ) => {
                self.0.end(|activities| activities.end(&id));
            }
            None => {}
        }
    }
}
