//! Programs that are killed at any moment, and what becomes of their runs.

use std::time::Duration;

use crate::expected;
use crate::lanes::{self, END, KINDS};
use crate::moments::Moments;
use crate::outcome::{Outcome, Told};
use crate::place::{Place, Site};
use crate::program::Ended;
use crate::remains::Remains;
use crate::table::Table;

/// What isn't as it should be in a round.
type Problems = Vec<String>;

struct Round {
    kind: &'static str,
    outcome: Outcome,
    /// After the kill, the attachment and the collection.
    remains: [Remains; 3],
    problems: Problems,
}

pub(crate) fn run(place: Place) {
    let moments = Moments::new();
    let durations = lanes::durations(place);
    let rounds = lanes::run(place, lanes::rounds(9), &moments, |lane, number, mut moments| {
        let index = number % KINDS.len();
        let moment = moments.before(durations[index].mul_f64(1.1));
        let mut round = round(place, &Site::new(lane), (number, KINDS[index]), moment);
        let (kind, outcome) = (round.kind, round.outcome);
        let at = format!("round {number} ({kind}, killed after {moment:?}, {outcome:?})");
        round.problems.iter_mut().for_each(|problem| *problem = format!("{at}: {problem}"));
        round
    });
    let outcomes = ["never began", "value", "failure", "lost", "value taken by the killed"];
    let times = ["left by the kill", "after attach", "after gc"];
    let title = format!("kill -9, {}", place.name());
    let mut table = Table::new(title, &outcomes, &times);
    for round in rounds {
        table.add(round.kind, round.outcome as usize, &round.remains);
        table.complain(round.problems);
    }
    table.conclude();
}

fn round(
    place: Place,
    site: &Site<'_>,
    (number, kind): (usize, &'static str),
    moment: Duration,
) -> Round {
    let mut problems = Problems::new();
    // Values travel in the outcome and beside it, and some closures fail.
    let padding = if number % 2 == 0 { 0 } else { 100_000 };
    let mut program = site.submit(kind, padding, number % 5 == 4);
    if !program.ends_before(moment) {
        program.kill();
    }
    let ended = program.end();
    let left = site.remains();
    let by_program = Told::by(&ended).unwrap_or_else(|problem| {
        problems.push(format!("by the program: {problem}"));
        None
    });
    let run = ended.word("run").map(str::to_owned);
    let is_detached = run.as_deref().is_some_and(|run| site.is_detached(run));
    if is_detached && number % 2 == 0 {
        // A collection that comes before keeps it.
        problems.extend(site.collect().err());
    }
    let by_attacher = run.as_deref().and_then(|run| {
        attached(site, run).unwrap_or_else(|problem| {
            problems.push(format!("{problem}\nthe program: {}", ended.stderr));
            None
        })
    });
    let marks = site.marks();
    let told = [by_program.clone(), by_attacher.clone()];
    let outcome = judge(&told, &marks, &mut problems);
    if place.outlives_programs() && ended.word("detached").is_some() {
        let has_end = by_attacher.as_ref().is_some_and(Told::is_of_closure);
        problems.extend((!has_end).then(|| format!("a detached run has no end: {by_attacher:?}")));
    }
    let attached = site.remains();
    // One that had its value before it was killed was removing the run, perhaps.
    let is_before = by_attacher.as_ref().is_some_and(Told::is_of_closure);
    let left_for = match outcome {
        Outcome::Value | Outcome::Failure if !is_before => Outcome::Taken,
        outcome => outcome,
    };
    let unexpected = attached.without(expected::after_attach(place, left_for));
    if !unexpected.is_empty() {
        let told = by_attacher.map(|told| told.text);
        problems.push(format!("after attach there remains {unexpected:?}; it was told {told:?}"));
    }
    problems.extend(site.collect().err());
    let collected = site.remains().uncollected();
    if !collected.is_empty() {
        problems.push(format!("after gc there remains {collected:?}"));
    }
    Round { kind, outcome, remains: [left, attached, collected], problems }
}

/// What whoever attaches to the run is told.
fn attached(site: &Site<'_>, run: &str) -> Result<Option<Told>, String> {
    let ended: Ended = site.attach(run).end_within(END).map_err(|it| format!("attach: {it}"))?;
    match Told::by(&ended)? {
        None => Err(format!("attach said nothing: {}", ended.stderr)),
        told => Ok(told),
    }
}

/// The one outcome of a run that its program and whoever attached were told of, and that left these marks.
fn judge(told: &[Option<Told>; 2], marks: &[String], problems: &mut Problems) -> Outcome {
    if marks.len() > 1 {
        problems.push(format!("it was executed {} times", marks.len()));
    }
    let [by_program, by_attacher] = told;
    let ends: Vec<_> = told.iter().flatten().filter(|told| told.is_of_closure()).collect();
    for end in &ends {
        if !marks.iter().any(|mark| end.names(mark)) {
            problems.push(format!("{end:?} is no end of a run that left {marks:?}"));
        }
    }
    match (ends.first(), by_program, by_attacher) {
        (Some(end), ..) => end.outcome,
        (None, _, Some(told)) if told.outcome == Outcome::NeverBegan && !marks.is_empty() => {
            Outcome::Taken
        }
        (None, _, Some(told)) => told.outcome,
        (None, Some(told), None) => told.outcome,
        (None, None, None) => Outcome::NeverBegan,
    }
}
