//! Calls a function for each line of a file, or for each row of a table: a map, whose results are lines of JSON or rows.

mod columns;
mod input;
mod outcome;
mod output;
mod report;
mod rows;
pub(crate) mod staged;
mod table;
mod tally;

use std::collections::HashMap;
use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytesize::ByteSize;
use clap::Args;
use futures::channel::oneshot;
use futures::future::{Either, select};
use futures::{StreamExt, stream};
use hype::__internal::{check_arguments, recorder};
use hype::component::{ArgumentList, ComponentFunction, EncodedValue, TextArgument, TextArguments};
use hype::map::Map;
use hype::{Closure, Submitter};

pub(crate) use self::output::Results;
pub use self::tally::Tally;

use self::columns::Columns;
use self::input::{Entry, Input};
use self::outcome::Outcome;
use self::report::ReportFile;
use crate::arguments::typed;
use crate::call::open;
use crate::environment_options::{EnvironmentOptions, parse_size};
use crate::error::Result;
use crate::json::{self, Json};
use crate::print::print_note;
use crate::streaming::{print_each, write_each};
use crate::submitter_option::SubmitterOption;

const AFTER_HELP: &str = "\
Each line is one call. If the function has one parameter, the line is its argument, as in `cargo hype call`; otherwise \
it is a JSON list of the arguments. Blank lines are skipped.

If the name of the input ends in .csv, it is a CSV file with a header, and each row is one call. The columns are the \
parameters by name, or the fields of the only parameter. If the name of the output ends in .csv, it has a row for each \
value that is a scalar or a record of scalars, and none for a failed call. Another value ends the command with an error.

A result is {\"index\":0,\"value\":..}, or {\"index\":0,\"error\":{\"kind\":..,\"message\":..}}; the index is the number of \
its line or row, from 0. The results are in the order in which the calls end. Run the command again with the same \
files, and it computes only the results that are missing. A call that another environment or a later time may help has \
no result.

With --staged, the index of a result is the number of its call, so that blank lines don't count. The command prints the \
id of the map. After Ctrl-C or a crash the map remains in the stage.

Examples:
  cargo hype map hello.wasm example --input names.txt --output greetings.jsonl
  cargo hype map shop.wasm price --input orders.csv --output prices.csv
  seq 9 | cargo hype map hello.wasm example --input - --output - --report a.html
  cargo hype map hello.wasm example --input a.txt --output b.jsonl --staged
  cargo hype map hello.wasm example --input a.txt --output b.jsonl --resume tizx";

/// The usage, which fits into 80 columns.
const USAGE: &str =
    "cargo hype map [OPTIONS] --input <FILE> --output <FILE>\n       <COMPONENT> <FUNCTION>";

/// The function to call, its input and its output.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, mut_arg("hype_profile", |arg| arg.visible_alias("profile")))]
#[command(override_usage = USAGE)]
pub struct MapOptions {
    /// The component, a .wasm file
    component: PathBuf,
    /// The function's name: example, or acme:text/stats.top for a function of an interface
    function: String,
    /// The file with a call in each line, or a .csv file with a header; - for standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The file for the results, which may have some already; .csv for a table, - for standard output
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// The file for a report: timeline, histograms, failures and the slowest calls, as a page
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Stage the map, so that it survives this command: attach and --resume go on with it
    #[arg(long)]
    staged: bool,
    /// Go on with this staged map and the same input, in the environment of its first command
    #[arg(long, value_name = "MAP", conflicts_with = "staged")]
    resume: Option<String>,
    /// The maximum number of concurrent calls
    #[arg(long, value_name = "NUMBER")]
    parallelism: Option<usize>,
    /// The maximum number of retries of a call whose function fails
    #[arg(long, value_name = "NUMBER", default_value_t)]
    error_retries: u32,
    /// Runs a call that exceeds its memory again with twice the memory, up to this size
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory_retries: Option<ByteSize>,
    #[command(flatten)]
    environment: EnvironmentOptions,
    #[command(flatten)]
    submitter: SubmitterOption,
}

/// Calls the function for each line and passes the numbers of results to `conclude`. Ctrl-C cancels all calls.
///
/// Returns the exit status of `conclude`, or 130 after Ctrl-C.
///
/// # Errors
///
/// If the component, the function or the input doesn't exist, or the output contains something else than results.
pub fn map(
    options: &MapOptions,
    conclude: impl FnOnce(Result<Tally>) -> ExitCode,
) -> Result<ExitCode> {
    let function = open(&options.component)?.function(&options.function)?;
    let results = Results::open(&options.output)?;
    let input = Input::open(&options.input)?;
    let columns = match &input.header {
        Some(header) => Some(Columns::of(&function, header)?),
        None => None,
    };
    let calls = Calls { function, columns };
    let report = ReportFile::open(options.report.as_deref())?;
    options.submitter.apply();
    Ok(hype::__internal::run_main(async move {
        conclude(run(options, calls, input, results, report).await)
    }))
}

async fn run(
    options: &MapOptions,
    calls: Calls,
    input: Input,
    mut results: Results,
    report: ReportFile,
) -> Result<Tally> {
    let submitter = Submitter::ambient()?;
    let env = options.environment.environment();
    if options.staged || options.resume.is_some() {
        return run_staged(options, &submitter, calls, input, results, report).await;
    }
    let done = results.take_done();
    let kept = done.len() as u64;
    let mut tally = Tally::new(kept);
    let started = Arc::new(Mutex::new(StartedItems::default()));
    let starting = Arc::clone(&started);
    let closures = input.entries.filter_map(move |(index, entry)| {
        let closure = (!done.contains(&index)).then(|| {
            let closure = calls.bind(&entry);
            let is_valid = check_arguments(&closure).is_ok();
            let line = match entry {
                Entry::Line(_) => None,
                Entry::Row(row) => Some(row.line),
            };
            lock(&starting).add(Started { index, line, is_valid });
            closure
        });
        std::future::ready(closure)
    });
    let expected = input.count.map(|count| count.saturating_sub(kept));
    let map = options.apply(submitter.map_stream(closures, &env), expected);
    let (recorder, lines_of_items) = (recorder(&map), Arc::clone(&started));
    recorder.renumber(move |item| lock(&lines_of_items).index_of(item));
    // Dropped, and so written, before the submitter removes everything.
    let report = report.follow(recorder);
    let is_stdout = results.is_stdout();
    let write = |(item, result)| {
        let (started, outcome) = match (lock(&started).remove(item), result) {
            (Some(started @ Started { is_valid: false, .. }), Err(error)) => {
                (started, Outcome::of_invalid(error))
            }
            (Some(started), result) => (started, Outcome::of_run(result)),
            // It is the error of the map itself.
            (None, result) => return Ok(result.map(|_| ControlFlow::Continue(()))?),
        };
        tally.add(&started, &outcome);
        results.write(started.index, &outcome)
    };
    let ended = map.unordered();
    match is_stdout {
        true => print_each(ended, write).await?,
        false => write_each(ended, std::future::pending(), write).await?,
    }
    report.write()?;
    input.failure.check().map(|()| tally)
}

/// Stages a map or goes on with one, and reads it to its end.
async fn run_staged(
    options: &MapOptions,
    submitter: &Submitter,
    calls: Calls,
    input: Input,
    results: Results,
    report: ReportFile,
) -> Result<Tally> {
    let (failure, (sender, failed)) = (input.failure.clone(), oneshot::channel::<()>());
    // A plan that has ended can't be continued, so it must not end where the input can't be read.
    let end = stream::once(async move {
        if failure.check().is_err() {
            // The receiver may be gone.
            let _ = sender.send(());
            std::future::pending::<()>().await;
        }
    });
    let closures = input
        .entries
        .map(move |(_, entry)| calls.bind(&entry))
        .chain(end.filter_map(|()| std::future::ready(None)));
    let failed = async {
        if failed.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let map = submitter.map_stream(closures, &options.environment.environment());
    let map = options.apply(map, input.count);
    let map = match &options.resume {
        Some(id) => map.resume(&submitter.find_run(id).await?),
        None => {
            results.check_new()?;
            map.staged()
        }
    };
    print_note(format!("{:>12} {}", "Map", map.id().unwrap_or_default()));
    let report = report.follow(recorder(&map));
    let read = select(Box::pin(staged::read(map, results)), Box::pin(failed)).await;
    let tally = match read {
        Either::Left((tally, _)) => tally?,
        // Dropping the map keeps it in the stage.
        Either::Right(_) => Tally::new(0),
    };
    report.write()?;
    input.failure.check().map(|()| tally)
}

impl MapOptions {
    /// Applies the options of the map, which has this number of items if it is known.
    fn apply<T>(&self, map: Map<T>, items: Option<u64>) -> Map<T> {
        let map = match self.parallelism {
            Some(parallelism) => map.with_parallelism(parallelism),
            None => map,
        };
        let map = match items {
            Some(items) => map.with_expected_items(items),
            None => map,
        };
        let map = map.with_error_retries(self.error_retries);
        match self.memory_retries {
            Some(max) => map.with_memory_retries(max.as_u64()),
            None => map,
        }
    }
}

/// An item that has started.
struct Started {
    /// The index of its line or row.
    index: u64,
    /// The number of the first line of its row, counted from 1; `None` if it is no row.
    line: Option<u64>,
    /// Whether the arguments of the item are those of the function.
    is_valid: bool,
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}"),
            None => write!(f, "item {}", self.index),
        }
    }
}

/// The items that have started and not ended.
#[derive(Default)]
struct StartedItems {
    /// The number of items that have started.
    count: u64,
    items: HashMap<u64, Started>,
}

impl StartedItems {
    /// Adds the next item.
    fn add(&mut self, started: Started) {
        self.items.insert(self.count, started);
        self.count += 1;
    }

    /// Returns the index of an item's line or row.
    fn index_of(&self, item: u64) -> u64 {
        self.items.get(&item).map_or(item, |started| started.index)
    }

    /// Removes an item and returns it, if there is one.
    fn remove(&mut self, item: u64) -> Option<Started> {
        self.items.remove(&item)
    }
}

fn lock(started: &Mutex<StartedItems>) -> MutexGuard<'_, StartedItems> {
    started.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The called function, and the assignment of a table's columns to it.
struct Calls {
    function: ComponentFunction,
    columns: Option<Columns>,
}

impl Calls {
    /// Binds the arguments of an entry.
    fn bind(&self, entry: &Entry) -> Closure<EncodedValue> {
        match (entry, &self.columns) {
            (Entry::Line(line), _) => bind_line(&self.function, line),
            (Entry::Row(row), Some(columns)) => columns.bind(self.function.clone(), &row.cells),
            (Entry::Row(_), None) => self.function.clone().bind(()),
        }
    }
}

/// Binds the arguments in `line`.
fn bind_line(function: &ComponentFunction, line: &str) -> Closure<EncodedValue> {
    let parameters = match (function.signature(), function.wit()) {
        (Some(signature), _) => Some(signature.parameters.len()),
        (None, Some(exported)) => Some(exported.parameters.len()),
        (None, None) => None,
    };
    let list = match json::read(line) {
        Ok(Json::List(items)) if parameters != Some(1) => Some(items),
        _ => None,
    };
    match (list, parameters) {
        (Some(items), Some(_)) => {
            let arguments: Vec<_> = items.into_iter().map(argument).collect();
            function.clone().bind(TextArguments(&arguments))
        }
        (Some(items), None) => function.clone().bind(ArgumentList(&items)),
        (None, _) => function.clone().bind(TextArguments(&typed(&[line.to_owned()]))),
    }
}

fn argument(value: Json) -> TextArgument<Json> {
    let text = serde_json::to_string(&value).unwrap_or_default();
    TextArgument { text, value: Ok(value) }
}
