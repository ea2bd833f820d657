//! Programs that are killed at any moment, and what becomes of their runs.

use std::time::Duration;

use crate::campaign::expected;
use crate::campaign::lanes::{self, END, KINDS};
use crate::campaign::moments::Moments;
use crate::campaign::outcome::{Outcome, Told};
use crate::campaign::place::{Place, Site};
use crate::campaign::program::Ended;
use crate::campaign::remains::Remains;
use crate::campaign::table::Table;

/// What isn't as it should be in a round.
type Problems = Vec<String>;

struct Round {
    kind: &'static str,
    outcome: Outcome,
    /// After the kill; a collection before anybody attaches to a detached run, if any; the attachment; the last collection.
    remains: [Remains; 4],
    problems: Problems,
}

/// What a round does.
#[derive(Debug, Clone, Copy)]
struct Plan {
    kind: &'static str,
    moment: Duration,
    /// Larger values travel beside the outcome.
    padding: usize,
    fails: bool,
    /// Whether old runs are collected before somebody attaches to one that was detached.
    collects_first: bool,
    /// Whether somebody attaches to a run that wasn't detached.
    attaches: bool,
}

impl Plan {
    fn new(number: usize, durations: &[Duration; 3], moments: &mut Moments) -> Self {
        let index = number % KINDS.len();
        Self {
            kind: KINDS[index],
            moment: moments.before(durations[index].mul_f64(1.1)),
            padding: if number.is_multiple_of(2) { 0 } else { 100_000 },
            fails: number % 5 == 4,
            collects_first: number.is_multiple_of(2),
            attaches: number % 4 != 3,
        }
    }
}

pub(crate) fn run(place: Place) {
    let _alone = lanes::alone();
    let moments = Moments::new();
    let durations = lanes::durations(place);
    let rounds = lanes::run(place, lanes::rounds(9), &moments, |lane, number, mut moments| {
        let plan = Plan::new(number, &durations, &mut moments);
        let mut round = round(place, &Site::new(lane), plan);
        let at = format!("round {number} ({plan:?}, {:?})", round.outcome);
        round.problems.iter_mut().for_each(|problem| *problem = format!("{at}: {problem}"));
        round
    });
    let outcomes = ["never began", "value", "failure", "lost", "taken by the killed", "not asked"];
    let times = ["left by the kill", "kept by gc, detached", "after attach", "after gc"];
    let title = format!("kill -9, {}", place.name());
    let mut table = Table::new(title, &outcomes, &times);
    for round in rounds {
        table.add(round.kind, round.outcome as usize, &round.remains);
        table.complain(round.problems);
    }
    table.conclude();
}

fn round(place: Place, site: &Site<'_>, plan: Plan) -> Round {
    let mut problems = Problems::new();
    let mut program = site.submit(plan.kind, plan.padding, plan.fails);
    if !program.ends_before(plan.moment) {
        program.kill();
    }
    let ended = program.end();
    let left = site.remains();
    let by_program = or_complain(Told::by(&ended), &mut problems);
    let run = ended.word("run");
    let is_detached = run.is_some_and(|run| site.is_detached(run));
    let mut kept = Remains::default();
    if is_detached && plan.collects_first {
        problems.extend(site.collect().err());
        kept = site.remains();
    }
    let attached = run.filter(|_| plan.attaches || is_detached);
    let by_attacher = attached.and_then(|run| or_complain(attached_to(site, run), &mut problems));
    let outcome = match (&by_program, run) {
        (None, Some(_)) if attached.is_none() => Outcome::NotAsked,
        _ => judge([&by_program, &by_attacher], &site.marks(), &mut problems),
    };
    let has_end = by_attacher.as_ref().is_some_and(Told::is_of_closure);
    if place.outlives_programs() && ended.word("detached").is_some() && !has_end {
        problems.push(format!("a detached run has no end: {by_attacher:?}"));
    }
    let after_attach = site.remains();
    let allowed = match has_end {
        true => &[],
        false => expected::without_value(place, outcome),
    };
    let unexpected = after_attach.without(allowed);
    if attached.is_some() && !unexpected.is_empty() {
        problems.push(format!("after attach there remains {unexpected:?}: {by_attacher:?}"));
    }
    if has_end && let Some(run) = run {
        let again = or_complain(attached_to(site, run), &mut problems);
        if again.is_none_or(|told| told.outcome != Outcome::NeverBegan) {
            problems.push("its end could be had twice".to_owned());
        }
    }
    problems.extend(site.collect_all().err());
    let collected = site.remains().uncollected();
    if !collected.is_empty() {
        problems.push(format!("after gc there remains {collected:?}"));
    }
    if !problems.is_empty() {
        problems.push(format!("the program: {}", ended.stderr));
    }
    Round { kind: plan.kind, outcome, remains: [left, kept, after_attach, collected], problems }
}

fn or_complain<T>(told: Result<Option<T>, String>, problems: &mut Problems) -> Option<T> {
    told.unwrap_or_else(|problem| {
        problems.push(problem);
        None
    })
}

/// What whoever attaches to the run is told.
fn attached_to(site: &Site<'_>, run: &str) -> Result<Option<Told>, String> {
    let ended: Ended = site.attach(run).end_within(END).map_err(|it| format!("attach: {it}"))?;
    match Told::by(&ended)? {
        None => Err(format!("attach said nothing: {}", ended.stderr)),
        told => Ok(told),
    }
}

/// The one outcome of a run that its program and whoever attached were told of, and that left these marks.
fn judge(told: [&Option<Told>; 2], marks: &[String], problems: &mut Problems) -> Outcome {
    if marks.len() > 1 {
        problems.push(format!("it was executed {} times", marks.len()));
    }
    let [by_program, by_attacher] = told;
    let ends: Vec<_> = told.into_iter().flatten().filter(|told| told.is_of_closure()).collect();
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
