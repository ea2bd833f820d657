//! Programs that attach to a run: two concurrently, one that is killed, one that is killed after the run's owner, and
//! one that attaches before the run is staged.

use std::time::Duration;

use crate::campaign::lanes::{self, PROGRAM_TIMEOUT};
use crate::campaign::moments::Moments;
use crate::campaign::outcome::{Outcome, ReportedEnd};
use crate::campaign::program::FinishedProgram;
use crate::campaign::remains::Remains;
use crate::campaign::site::{Lane, RunnerKind, Site};
use crate::campaign::table::Table;

/// The order of events in a round.
#[derive(Debug, Clone, Copy)]
enum Scenario {
    TwoAtOnce,
    FirstKilled,
    OwnerAndFirstKilled,
    BeforeStaging,
    BeforeStagingAndDetached,
}

const SCENARIOS: [Scenario; 5] = [
    Scenario::TwoAtOnce,
    Scenario::FirstKilled,
    Scenario::OwnerAndFirstKilled,
    Scenario::BeforeStaging,
    Scenario::BeforeStagingAndDetached,
];

struct Round {
    scenario: Scenario,
    /// Whether the first attacher received the value, and whether the second did.
    got: [bool; 2],
    remains: Remains,
    problems: Vec<String>,
}

pub(crate) fn run(runner: RunnerKind) {
    let _lock = lanes::lock_campaigns();
    let moments = Moments::new();
    let longest = lanes::durations(runner)[0];
    let count = lanes::rounds(SCENARIOS.len());
    let rounds = lanes::run(runner, count, &moments, |lane, number, mut moments| {
        let scenario = SCENARIOS[number % SCENARIOS.len()];
        let moment = moments.before(longest.mul_f64(0.7));
        let mut round = round(runner, lane, scenario, moment);
        let at = format!("round {number} ({scenario:?}, {moment:?})");
        round.problems.iter_mut().for_each(|problem| *problem = format!("{at}: {problem}"));
        round
    });
    let got = ["neither", "the first", "the second", "both"];
    let title = format!("attachers, {}", runner.name());
    let mut table = Table::new(title, &got, &["remained"]);
    for Round { scenario, got: [first, second], remains, problems } in rounds {
        let got = usize::from(first) + 2 * usize::from(second);
        table.add(&format!("{scenario:?}"), got, &[remains]);
        table.add_problems(problems);
    }
    table.finish();
}

fn round(runner: RunnerKind, lane: &Lane, scenario: Scenario, moment: Duration) -> Round {
    let (site, mut problems) = (Site::new(lane), Vec::new());
    let ends = match scenario {
        Scenario::TwoAtOnce | Scenario::FirstKilled => after_detaching(&site, scenario, moment),
        Scenario::OwnerAndFirstKilled => after_the_owner(&site, moment),
        Scenario::BeforeStaging => before_staging(&site, "plain"),
        Scenario::BeforeStagingAndDetached => before_staging(&site, "detached"),
    };
    let ends = ends.unwrap_or_else(|problem| {
        problems.push(problem);
        Vec::new()
    });
    let marks = site.marks();
    let is_value = |report: &Option<ReportedEnd>| {
        report.as_ref().is_some_and(|report| {
            report.outcome == Outcome::Value && marks.iter().all(|mark| report.contains_mark(mark))
        })
    };
    let got = [0, 1].map(|index| ends.get(index).is_some_and(is_value));
    // A local run ends with its owner.
    let is_lost = matches!(scenario, Scenario::OwnerAndFirstKilled) && !runner.outlives_programs();
    if !is_lost && (marks.len() != 1 || got == [false; 2]) {
        problems.push(format!("no program received the value of {marks:?}: {ends:?}"));
    }
    let left = site.remains();
    let unexpected = left.without(&[]);
    problems.extend((!unexpected.is_empty()).then(|| format!("there remains {unexpected:?}")));
    // Lets the next round begin with an empty stage.
    problems.extend(site.collect_all().err());
    Round { scenario, got, remains: left, problems }
}

fn after_detaching(
    site: &Site<'_>,
    scenario: Scenario,
    moment: Duration,
) -> Result<Vec<Option<ReportedEnd>>, String> {
    let mut program = site.submit("detached", 0, false);
    let run = program.wait_for_line("detached").ok_or("it could not be detached")?;
    let ends = match scenario {
        Scenario::TwoAtOnce => {
            let both = [site.attach(&run), site.attach(&run)];
            both.into_iter().map(|it| it.end_within(PROGRAM_TIMEOUT)).collect::<Result<_, _>>()?
        }
        _ => first_killed(site, &run, moment)?,
    };
    program.end_within(PROGRAM_TIMEOUT)?;
    reported_ends(&ends)
}

fn after_the_owner(site: &Site<'_>, moment: Duration) -> Result<Vec<Option<ReportedEnd>>, String> {
    let mut program = site.submit("plain", 0, false);
    let run = program.wait_for_line("run").ok_or("it did not begin")?;
    if !site.wait_for_mark() {
        return Err("it is not executed".to_owned());
    }
    program.kill();
    match ReportedEnd::parse(&program.end())? {
        // The program ended before the kill.
        Some(end) => Ok(vec![Some(end), None]),
        None => reported_ends(&first_killed(site, &run, moment)?),
    }
}

/// Attaches twice: the first attacher is killed at that moment, the second must receive the value.
fn first_killed(
    site: &Site<'_>,
    run: &str,
    moment: Duration,
) -> Result<Vec<FinishedProgram>, String> {
    let mut first = site.attach(run);
    if !first.ends_before(moment) {
        first.kill();
    }
    Ok(vec![first.end(), site.attach(run).end_within(PROGRAM_TIMEOUT)?])
}

/// The program itself counts as the second attacher.
fn before_staging(site: &Site<'_>, kind: &str) -> Result<Vec<Option<ReportedEnd>>, String> {
    let mut attacher = site.start(&["attach"]);
    let mut program = site.submit(kind, 0, false);
    let run = program.wait_for_line("run").ok_or("it did not begin")?;
    attacher.write_line(&run);
    reported_ends(&[attacher.end_within(PROGRAM_TIMEOUT)?, program.end_within(PROGRAM_TIMEOUT)?])
}

fn reported_ends(ends: &[FinishedProgram]) -> Result<Vec<Option<ReportedEnd>>, String> {
    ends.iter().map(ReportedEnd::parse).collect()
}
