//! Benchmark `peers`: the same tasks through `Submitter::map` and through frameworks in Python, in one run on the cores of
//! this machine, and the memory of a map of a thousand and of a million items. It writes its tables to `docs/peers.md`.

mod hype;
mod memory;
mod page;
mod python;
mod results;

pub(crate) use self::hype::measure_here;
pub(crate) use self::memory::measure_here as measure_memory_here;

use anyhow::{Context, ensure};

use self::python::{PEERS, Python};
use self::results::{BARE, Results, Seconds, System, TASKS, WAYS, Way};
use crate::child;
use crate::ours::Ours;
use crate::table::{Goal, Row};

/// The number of rounds. Each measures every system once, in a process of its own.
const ROUNDS: usize = 3;

/// The minimum ratio of the rates of trivial tasks, ours to Ray's with a task for each item.
const MIN_RATIO: f64 = 15.0;

/// The minimum part of the cores that tasks use.
const MIN_EFFICIENCY: f64 = 0.95;

/// The maximum growth of the peak memory from a thousand items to a million, in bytes per item. A map of a thousand is too
/// short to fill the window of items under way and the timeline of the report, which have a maximum size.
const MAX_BYTES_PER_ITEM: f64 = 10.0;

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let python = Python::install(ours)?;
    let cores = std::thread::available_parallelism()?.get();
    let results = measure_rounds(&python, cores)?;
    let memory = memory::measure()?;
    page::write(ours, &python, cores, &results, &memory)?;
    let mut rows = rows(&results)?;
    rows.push(memory_row(&memory)?);
    Ok(rows)
}

/// Measures all systems alternately.
fn measure_rounds(python: &Python, cores: usize) -> anyhow::Result<Results> {
    let stage = tempfile::tempdir()?;
    let stage = stage.path().to_str().context("the temporary directory is not UTF-8")?;
    let steps = python.calibrate()?;
    let mut results = Results::default();
    for round in 1..=ROUNDS {
        eprintln!("benches: round {round} of {ROUNDS}");
        let measured = child::spawn("peers", &[stage, &cores.to_string()])?;
        results.add(System::Hype, Ok(serde_json::from_value(measured)?));
        let bare = python.measure_bare(steps, cores)?;
        for (index, peer) in PEERS.iter().enumerate() {
            if results.has_failed(System::Peer(index)) {
                continue;
            }
            let with_bare = |mut seconds: Seconds| {
                seconds.insert(BARE.to_owned(), bare);
                seconds
            };
            let measured = python.measure(peer, steps, cores).map(with_bare);
            if let Err(error) = &measured {
                eprintln!("benches: cannot measure {}: {error:#}", peer.name);
            }
            results.add(System::Peer(index), measured.map_err(|error| format!("{error:#}")));
        }
    }
    Ok(results)
}

/// Returns the rows that compare the results with the goals.
fn rows(results: &Results) -> anyhow::Result<Vec<Row>> {
    let [greet, spin, echo] = TASKS;
    let ours = |task| results.rate(System::Hype, task, Way::Each).context("hype was not measured");
    let (rate, efficiency, echoes) = (
        ours(&greet)?,
        results.efficiency(System::Hype, Way::Each).context("hype was not measured")?,
        ours(&echo)?,
    );
    let ray = PEERS.iter().position(|peer| peer.name == "ray").map(System::Peer);
    let ray = ray.and_then(|ray| results.rate(ray, &greet, Way::Each));
    let peers = (0..PEERS.len()).flat_map(|index| WAYS.map(|way| (System::Peer(index), way)));
    let best = peers
        .filter_map(|(peer, way)| results.rate(peer, &echo, way))
        .max_by(f64::total_cmp)
        .context("no peer was measured")?;
    let compare = |name: String, ours: f64, peer: f64, goal: String, min_ratio: f64| Row {
        name,
        ours: format!("{ours:.0} per second"),
        peer: format!("{peer:.0} per second"),
        ratio: Some(ours / peer),
        goal: Goal::Target(goal, ours / peer >= min_ratio),
    };
    let mut rows = Vec::new();
    let name = format!("{} {}, and with Ray", greet.number, greet.title);
    rows.push(match ray {
        Some(ray) => compare(name, rate, ray, format!("at least {MIN_RATIO} ×"), MIN_RATIO),
        None => {
            let goal = format!("at least {MIN_RATIO} × Ray, which was not measured");
            Row::alone(name, format!("{rate:.0} per second"), Goal::Target(goal, false))
        }
    });
    rows.push(Row::alone(
        format!("{} {}", spin.number, spin.title),
        format!("{:.1} % of the cores", efficiency * 100.0),
        Goal::Target(
            format!("at least {} %", MIN_EFFICIENCY * 100.0),
            efficiency >= MIN_EFFICIENCY,
        ),
    ));
    let name = format!("{} {}, and with the fastest peer", echo.number, echo.title);
    rows.push(compare(name, echoes, best, "faster than each peer".to_owned(), 1.0));
    Ok(rows)
}

fn memory_row(memory: &[memory::Peak]) -> anyhow::Result<Row> {
    let (Some(first), Some(last)) = (memory.first(), memory.last()) else {
        anyhow::bail!("the memory was not measured");
    };
    ensure!(first.items < last.items, "the sizes are not in order");
    let growth = (last.total() - first.total()) * f64::from(1 << 20);
    let per_item = growth / (last.items - first.items) as f64;
    Ok(Row::alone(
        format!("peak memory of {} and of {} items", first.items, last.items),
        format!("{:.0} and {:.0} MiB, {per_item:.1} bytes per item", first.total(), last.total()),
        Goal::Target(
            format!("at most {MAX_BYTES_PER_ITEM} bytes per item"),
            per_item <= MAX_BYTES_PER_ITEM,
        ),
    ))
}
