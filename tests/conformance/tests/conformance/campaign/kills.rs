//! Programs that are killed at random moments, and the outcomes of their runs.

use std::time::Duration;

use crate::campaign::expected;
use crate::campaign::lanes::{self, KINDS, PROGRAM_TIMEOUT};
use crate::campaign::moments::Moments;
use crate::campaign::outcome::{Outcome, ReportedEnd};
use crate::campaign::program::FinishedProgram;
use crate::campaign::remains::Remains;
use crate::campaign::site::{RunnerKind, Site};
use crate::campaign::table::Table;

/// Violated expectations of a round.
type Problems = Vec<String>;

struct Round {
    kind: &'static str,
    outcome: Outcome,
    /// After the kill; after a collection before attaching to a detached run, if any; after the attachment; after the
    /// last collection.
    remains: [Remains; 4],
    problems: Problems,
}

/// The parameters of a round.
#[derive(Debug, Clone, Copy)]
struct Plan {
    kind: &'static str,
    moment: Duration,
    /// The number of bytes added to the value. Large values are objects of their own.
    padding: usize,
    fails: bool,
    /// Whether old runs are collected before the attachment to a detached run.
    collects_first: bool,
    /// Whether a program attaches to a run that wasn't detached.
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

pub(crate) fn run(runner: RunnerKind) {
    let _lock = lanes::lock_campaigns();
    let moments = Moments::new();
    let durations = lanes::durations(runner);
    let rounds = lanes::run(runner, lanes::rounds(9), &moments, |lane, number, mut moments| {
        let plan = Plan::new(number, &durations, &mut moments);
        let mut round = round(runner, &Site::new(lane), plan);
        let at = format!("round {number} ({plan:?}, {:?})", round.outcome);
        round.problems.iter_mut().for_each(|problem| *problem = format!("{at}: {problem}"));
        round
    });
    let outcomes =
        ["never began", "value", "failure", "lost", "consumed by the killed", "not attached"];
    let times = ["left by the kill", "kept by gc, detached", "after attach", "after gc"];
    let title = format!("kill -9, {}", runner.name());
    let mut table = Table::new(title, &outcomes, &times);
    for round in rounds {
        table.add(round.kind, round.outcome as usize, &round.remains);
        table.add_problems(round.problems);
    }
    table.finish();
}

fn round(runner: RunnerKind, site: &Site<'_>, plan: Plan) -> Round {
    let mut problems = Problems::new();
    let mut program = site.submit(plan.kind, plan.padding, plan.fails);
    if !program.ends_before(plan.moment) {
        program.kill();
    }
    let ended = program.end();
    let left = site.remains();
    let by_program = or_add_problem(ReportedEnd::parse(&ended), &mut problems);
    let run = ended.field("run");
    let is_detached = run.is_some_and(|run| site.is_detached(run));
    let mut kept = Remains::default();
    if is_detached && plan.collects_first {
        problems.extend(site.collect().err());
        kept = site.remains();
    }
    let attached = run.filter(|_| plan.attaches || is_detached);
    let by_attacher =
        attached.and_then(|run| or_add_problem(attached_to(site, run), &mut problems));
    let outcome = match (&by_program, run) {
        (None, Some(_)) if attached.is_none() => Outcome::NotAttached,
        _ => judge([&by_program, &by_attacher], &site.marks(), &mut problems),
    };
    let has_end = by_attacher.as_ref().is_some_and(ReportedEnd::is_closure_end);
    if runner.outlives_programs() && ended.field("detached").is_some() && !has_end {
        problems.push(format!("a detached run has no end: {by_attacher:?}"));
    }
    let after_attach = site.remains();
    let allowed = match has_end {
        true => &[],
        false => expected::without_value(runner, outcome),
    };
    let unexpected = after_attach.without(allowed);
    if attached.is_some() && !unexpected.is_empty() {
        problems.push(format!("after attach there remains {unexpected:?}: {by_attacher:?}"));
    }
    if has_end && let Some(run) = run {
        let again = or_add_problem(attached_to(site, run), &mut problems);
        if again.is_none_or(|report| report.outcome != Outcome::NeverBegan) {
            problems.push("its end was returned twice".to_owned());
        }
    }
    problems.extend(site.collect_all().err());
    let collected = site.remains();
    if !collected.is_empty() {
        problems.push(format!("after gc there remains {collected:?}"));
    }
    if !problems.is_empty() {
        problems.push(format!("the program: {}", ended.stderr));
    }
    Round { kind: plan.kind, outcome, remains: [left, kept, after_attach, collected], problems }
}

fn or_add_problem<T>(report: Result<Option<T>, String>, problems: &mut Problems) -> Option<T> {
    report.unwrap_or_else(|problem| {
        problems.push(problem);
        None
    })
}

/// Returns how the run ended, as a program that attaches to it reports.
fn attached_to(site: &Site<'_>, run: &str) -> Result<Option<ReportedEnd>, String> {
    let ended: FinishedProgram =
        site.attach(run).end_within(PROGRAM_TIMEOUT).map_err(|it| format!("attach: {it}"))?;
    match ReportedEnd::parse(&ended)? {
        None => Err(format!("attach printed nothing: {}", ended.stderr)),
        report => Ok(report),
    }
}

/// Returns the only outcome of a run, from the reports of its program and its attacher and from the marks of its
/// executions.
fn judge(report: [&Option<ReportedEnd>; 2], marks: &[String], problems: &mut Problems) -> Outcome {
    if marks.len() > 1 {
        problems.push(format!("it was executed {} times", marks.len()));
    }
    let [by_program, by_attacher] = report;
    let ends: Vec<_> =
        report.into_iter().flatten().filter(|report| report.is_closure_end()).collect();
    for end in &ends {
        if !marks.iter().any(|mark| end.contains_mark(mark)) {
            problems.push(format!("{end:?} is no end of a run that left {marks:?}"));
        }
    }
    match (ends.first(), by_program, by_attacher) {
        (Some(end), ..) => end.outcome,
        (None, _, Some(report)) if report.outcome == Outcome::NeverBegan && !marks.is_empty() => {
            Outcome::Consumed
        }
        (None, _, Some(report)) => report.outcome,
        (None, Some(report), None) => report.outcome,
        (None, None, None) => Outcome::NeverBegan,
    }
}
