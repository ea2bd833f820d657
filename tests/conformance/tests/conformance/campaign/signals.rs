//! Programs that are told to end at any moment: they end, and nothing of them stays.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use crate::campaign::lanes::{self, END, KINDS};
use crate::campaign::moments::Moments;
use crate::campaign::outcome::Told;
use crate::campaign::place::{Lane, Place, Site};
use crate::campaign::remains::Remains;
use crate::campaign::table::Table;

/// How long a program may take that is told to end.
const LONGEST: Duration = Duration::from_secs(10);

/// The signals, with the exit status by which a program tells that it got one, and its number.
const SIGNALS: [(&str, i32, i32); 2] = [("INT", 130, 2), ("TERM", 143, 15)];

/// How a program ended.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Before it could take the signal.
    Early,
    /// By itself.
    Alone,
    Told,
    /// Told, and its run was detached before.
    Detached,
}

struct Round {
    row: String,
    end: End,
    remains: [Remains; 2],
    problems: Vec<String>,
}

pub(crate) fn run(place: Place) {
    let _alone = lanes::alone();
    let moments = Moments::new();
    let durations = lanes::durations(place);
    let rounds = lanes::run(place, lanes::rounds(6), &moments, |lane, number, mut moments| {
        let index = number / SIGNALS.len() % KINDS.len();
        let moment = moments.before(durations[index].mul_f64(1.05));
        let mut round = round(place, lane, (KINDS[index], SIGNALS[number % SIGNALS.len()]), moment);
        let at = format!("round {number} ({} after {moment:?}, {:?})", round.row, round.end);
        round.problems.iter_mut().for_each(|problem| *problem = format!("{at}: {problem}"));
        round
    });
    let ends = ["before its main", "by itself", "told to end", "told to end, detached before"];
    let title = format!("told to end, {}", place.name());
    let mut table = Table::new(title, &ends, &["at its end", "after what was detached"]);
    for round in rounds {
        table.add(&round.row, round.end as usize, &round.remains);
        table.complain(round.problems);
    }
    table.conclude();
}

fn round(
    place: Place,
    lane: &Lane,
    (kind, (signal, status, number)): (&str, (&str, i32, i32)),
    moment: Duration,
) -> Round {
    let (site, mut problems) = (Site::new(lane), Vec::new());
    let mut program = site.submit(kind, 0, false);
    let is_alone = program.ends_before(moment);
    if !is_alone {
        program.send(&format!("-{signal}"));
        if !program.ends_within(LONGEST) {
            problems.push(format!("it did not end within {LONGEST:?}"));
            program.kill();
        }
    }
    let ended = program.end();
    let (at_end, run) = (site.remains(), ended.word("run"));
    let is_detached = run.is_some_and(|run| site.is_detached(run));
    let end = match ended.status.code() {
        _ if is_alone => End::Alone,
        None if ended.status.signal() == Some(number) => End::Early,
        Some(code) if code == status && is_detached => End::Detached,
        Some(code) if code == status => End::Told,
        // It was at its end.
        Some(0) => End::Alone,
        _ => {
            problems.push(format!("it ended with {}: {}", ended.status, ended.stderr));
            End::Told
        }
    };
    if !is_detached {
        let left = at_end.without(&[]);
        let stderr = &ended.stderr;
        problems.extend((!left.is_empty()).then(|| format!("there remains {left:?}: {stderr}")));
    } else if let Some(run) = run {
        match site.attach(run).end_within(END).and_then(|ended| Told::by(&ended)) {
            Ok(Some(told)) if told.is_of_closure() || !place.outlives_programs() => {}
            other => problems.push(format!("a detached run has no end: {other:?}")),
        }
    }
    // What ran may be there for a while, and must leave nothing either.
    let after = site.remains();
    let left = after.without(&[]);
    problems.extend((!left.is_empty()).then(|| format!("in the end there remains {left:?}")));
    // So that the next round begins with nothing.
    problems.extend(site.collect_all().err());
    Round { row: format!("{kind}, SIG{signal}"), end, remains: [at_end, after], problems }
}
