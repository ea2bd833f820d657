//! Programs that receive SIGINT or SIGTERM at random moments: they end in time and leave nothing.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use crate::campaign::lanes::{self, KINDS, PROGRAM_TIMEOUT};
use crate::campaign::moments::Moments;
use crate::campaign::outcome::ReportedEnd;
use crate::campaign::remains::Remains;
use crate::campaign::site::{Lane, RunnerKind, Site};
use crate::campaign::table::Table;

/// The maximum time from the signal to the end of the program.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The signals: name, exit status of a program that handled it, and number.
const SIGNALS: [(&str, i32, i32); 2] = [("INT", 130, 2), ("TERM", 143, 15)];

/// The end of a program.
#[derive(Debug, Clone, Copy)]
enum End {
    /// By the signal, before it installed its handler.
    KilledBySignal,
    /// Before the signal.
    BeforeSignal,
    /// After handling the signal.
    Handled,
    /// After handling the signal, with its run already detached.
    Detached,
}

struct Round {
    row: String,
    end: End,
    remains: [Remains; 2],
    problems: Vec<String>,
}

pub(crate) fn run(runner: RunnerKind) {
    let _lock = lanes::lock_campaigns();
    let moments = Moments::new();
    let durations = lanes::durations(runner);
    let rounds = lanes::run(runner, lanes::rounds(6), &moments, |lane, number, mut moments| {
        let index = number / SIGNALS.len() % KINDS.len();
        let moment = moments.before(durations[index].mul_f64(1.05));
        let mut round =
            round(runner, lane, (KINDS[index], SIGNALS[number % SIGNALS.len()]), moment);
        let at = format!("round {number} ({} after {moment:?}, {:?})", round.row, round.end);
        round.problems.iter_mut().for_each(|problem| *problem = format!("{at}: {problem}"));
        round
    });
    let ends = ["before its handler", "before the signal", "handled", "handled, detached before"];
    let title = format!("signals, {}", runner.name());
    let mut table = Table::new(title, &ends, &["at its end", "after what was detached"]);
    for round in rounds {
        table.add(&round.row, round.end as usize, &round.remains);
        table.add_problems(round.problems);
    }
    table.finish();
}

fn round(
    runner: RunnerKind,
    lane: &Lane,
    (kind, (signal, status, number)): (&str, (&str, i32, i32)),
    moment: Duration,
) -> Round {
    let (site, mut problems) = (Site::new(lane), Vec::new());
    let mut program = site.submit(kind, 0, false);
    let ended_before = program.ends_before(moment);
    if !ended_before {
        program.send(&format!("-{signal}"));
        if !program.ends_within(EXIT_TIMEOUT) {
            problems.push(format!("it did not end within {EXIT_TIMEOUT:?}"));
            program.kill();
        }
    }
    let ended = program.end();
    let (at_end, run) = (site.remains(), ended.field("run"));
    let is_detached = run.is_some_and(|run| site.is_detached(run));
    let end = match ended.status.code() {
        _ if ended_before => End::BeforeSignal,
        None if ended.status.signal() == Some(number) => End::KilledBySignal,
        Some(code) if code == status && is_detached => End::Detached,
        Some(code) if code == status => End::Handled,
        // The signal came when the program was already exiting.
        Some(0) => End::BeforeSignal,
        _ => {
            problems.push(format!("it ended with {}: {}", ended.status, ended.stderr));
            End::Handled
        }
    };
    if !is_detached {
        let left = at_end.without(&[]);
        let stderr = &ended.stderr;
        problems.extend((!left.is_empty()).then(|| format!("there remains {left:?}: {stderr}")));
    } else if let Some(run) = run {
        match site
            .attach(run)
            .end_within(PROGRAM_TIMEOUT)
            .and_then(|ended| ReportedEnd::parse(&ended))
        {
            Ok(Some(end)) if end.is_closure_end() || !runner.outlives_programs() => {}
            other => problems.push(format!("a detached run has no end: {other:?}")),
        }
    }
    // A detached run may still be running, and must leave nothing either.
    let after = site.remains();
    let left = after.without(&[]);
    problems.extend((!left.is_empty()).then(|| format!("in the end there remains {left:?}")));
    // Lets the next round begin with an empty stage.
    problems.extend(site.collect_all().err());
    Round { row: format!("{kind}, SIG{signal}"), end, remains: [at_end, after], problems }
}
