//! Programs that attach to a run: two at once, one that is killed, one that is killed after the run's owner was, and one
//! that comes before the run is staged.

use std::time::Duration;

use crate::campaign::lanes::{self, END};
use crate::campaign::moments::Moments;
use crate::campaign::outcome::{Outcome, Told};
use crate::campaign::place::{Lane, Place, Site};
use crate::campaign::program::Ended;
use crate::campaign::remains::Remains;
use crate::campaign::table::Table;

/// What happens to the attachers.
#[derive(Debug, Clone, Copy)]
enum Way {
    TwoAtOnce,
    FirstKilled,
    OwnerAndFirstKilled,
    BeforeStaging,
    BeforeStagingAndDetached,
}

const WAYS: [Way; 5] = [
    Way::TwoAtOnce,
    Way::FirstKilled,
    Way::OwnerAndFirstKilled,
    Way::BeforeStaging,
    Way::BeforeStagingAndDetached,
];

struct Round {
    way: Way,
    /// Whether the first got the value, and whether the second did.
    got: [bool; 2],
    remains: Remains,
    problems: Vec<String>,
}

pub(crate) fn run(place: Place) {
    let _alone = lanes::alone();
    let moments = Moments::new();
    let longest = lanes::durations(place)[0];
    let count = lanes::rounds(WAYS.len());
    let rounds = lanes::run(place, count, &moments, |lane, number, mut moments| {
        let way = WAYS[number % WAYS.len()];
        let moment = moments.before(longest.mul_f64(0.7));
        let mut round = round(place, lane, way, moment);
        let at = format!("round {number} ({way:?}, {moment:?})");
        round.problems.iter_mut().for_each(|problem| *problem = format!("{at}: {problem}"));
        round
    });
    let got = ["nobody got the value", "the first", "the second", "both"];
    let title = format!("attachers, {}", place.name());
    let mut table = Table::new(title, &got, &["remained"]);
    for Round { way, got: [first, second], remains, problems } in rounds {
        let got = usize::from(first) + 2 * usize::from(second);
        table.add(&format!("{way:?}"), got, &[remains]);
        table.complain(problems);
    }
    table.conclude();
}

fn round(place: Place, lane: &Lane, way: Way, moment: Duration) -> Round {
    let (site, mut problems) = (Site::new(lane), Vec::new());
    let ends = match way {
        Way::TwoAtOnce | Way::FirstKilled => after_detaching(&site, way, moment),
        Way::OwnerAndFirstKilled => after_the_owner(&site, moment),
        Way::BeforeStaging => before_staging(&site, "plain"),
        Way::BeforeStagingAndDetached => before_staging(&site, "detached"),
    };
    let ends = ends.unwrap_or_else(|problem| {
        problems.push(problem);
        Vec::new()
    });
    let marks = site.marks();
    let is_value = |told: &Option<Told>| {
        told.as_ref().is_some_and(|told| {
            told.outcome == Outcome::Value && marks.iter().all(|mark| told.names(mark))
        })
    };
    let got = [0, 1].map(|index| ends.get(index).is_some_and(is_value));
    // In a process a run ends with its owner.
    let is_lost = matches!(way, Way::OwnerAndFirstKilled) && !place.outlives_programs();
    if !is_lost && (marks.len() != 1 || got == [false; 2]) {
        problems.push(format!("nobody got the value of {marks:?}: {ends:?}"));
    }
    let left = site.remains();
    let unexpected = left.without(&[]);
    problems.extend((!unexpected.is_empty()).then(|| format!("there remains {unexpected:?}")));
    // So that the next round begins with nothing.
    problems.extend(site.collect_all().err());
    Round { way, got, remains: left, problems }
}

fn after_detaching(
    site: &Site<'_>,
    way: Way,
    moment: Duration,
) -> Result<Vec<Option<Told>>, String> {
    let mut program = site.submit("detached", 0, false);
    let run = program.waits_for("detached").ok_or("it could not be detached")?;
    let ends = match way {
        Way::TwoAtOnce => {
            let both = [site.attach(&run), site.attach(&run)];
            both.into_iter().map(|it| it.end_within(END)).collect::<Result<_, _>>()?
        }
        _ => first_killed(site, &run, moment)?,
    };
    program.end_within(END)?;
    told(&ends)
}

fn after_the_owner(site: &Site<'_>, moment: Duration) -> Result<Vec<Option<Told>>, String> {
    let mut program = site.submit("plain", 0, false);
    let run = program.waits_for("run").ok_or("it did not begin")?;
    if !site.waits_for_mark() {
        return Err("it is not executed".to_owned());
    }
    program.kill();
    match Told::by(&program.end())? {
        // It was faster than the kill.
        Some(end) => Ok(vec![Some(end), None]),
        None => told(&first_killed(site, &run, moment)?),
    }
}

/// Attaches twice, to be killed at that moment and to get the value.
fn first_killed(site: &Site<'_>, run: &str, moment: Duration) -> Result<Vec<Ended>, String> {
    let mut first = site.attach(run);
    if !first.ends_before(moment) {
        first.kill();
    }
    Ok(vec![first.end(), site.attach(run).end_within(END)?])
}

/// The program itself counts as the second.
fn before_staging(site: &Site<'_>, kind: &str) -> Result<Vec<Option<Told>>, String> {
    let mut attacher = site.start(&["attach"]);
    let mut program = site.submit(kind, 0, false);
    let run = program.waits_for("run").ok_or("it did not begin")?;
    attacher.tell(&run);
    told(&[attacher.end_within(END)?, program.end_within(END)?])
}

fn told(ends: &[Ended]) -> Result<Vec<Option<Told>>, String> {
    ends.iter().map(Told::by).collect()
}
