//! Programs that attach to a run: two at once, one that is killed, and one that comes before the run is staged.

use crate::lanes::{self, END};
use crate::moments::Moments;
use crate::outcome::{Outcome, Told};
use crate::place::{Lane, Place, Site};
use crate::program::{Ended, Program};
use crate::remains::Remains;
use crate::table::Table;

/// What happens to the attachers.
const WAYS: [&str; 3] = ["two at once", "the first is killed", "before staging"];

struct Round {
    way: &'static str,
    /// Whether the first got the value, and whether the second did.
    got: [bool; 2],
    remains: Remains,
    problems: Vec<String>,
}

pub(crate) fn run(place: Place) {
    let moments = Moments::new();
    let longest = lanes::durations(place)[0];
    let rounds = lanes::run(place, lanes::rounds(3), &moments, |lane, number, mut moments| {
        let way = WAYS[number % WAYS.len()];
        let mut round = round(lane, way, || moments.before(longest.mul_f64(0.7)));
        let at = format!("round {number} ({way})");
        round.problems.iter_mut().for_each(|problem| *problem = format!("{at}: {problem}"));
        round
    });
    let got = ["nobody got the value", "the first", "the second", "both"];
    let title = format!("attachers, {}", place.name());
    let mut table = Table::new(title, &got, &["remained"]);
    for Round { way, got: [first, second], remains, problems } in rounds {
        table.add(way, usize::from(first) + 2 * usize::from(second), &[remains]);
        table.complain(problems);
    }
    table.conclude();
}

fn round(lane: &Lane, way: &'static str, moment: impl FnMut() -> std::time::Duration) -> Round {
    let (site, mut problems) = (Site::new(lane), Vec::new());
    let ends = match way {
        "before staging" => before_staging(&site),
        _ => after_detaching(&site, way, moment),
    };
    let ends = ends.unwrap_or_else(|problem| {
        problems.push(problem);
        Vec::new()
    });
    let marks = site.marks();
    if marks.len() != 1 {
        problems.push(format!("it was executed {} times", marks.len()));
    }
    let is_value = |told: &Option<Told>| {
        told.as_ref().is_some_and(|it| it.outcome == Outcome::Value && it.names(&marks[0]))
    };
    let got = [0, 1].map(|index| ends.get(index).is_some_and(is_value));
    if got == [false; 2] {
        problems.push(format!("nobody got the value: {ends:?}"));
    }
    let left = site.remains();
    let unexpected = left.without(&[]);
    problems.extend((!unexpected.is_empty()).then(|| format!("there remains {unexpected:?}")));
    Round { way, got, remains: left, problems }
}

fn after_detaching(
    site: &Site<'_>,
    way: &str,
    mut moment: impl FnMut() -> std::time::Duration,
) -> Result<Vec<Option<Told>>, String> {
    let mut program = site.submit("detached", 0, false);
    let run = program.waits_for("detached").ok_or("it could not be detached")?;
    let mut first = site.attach(&run);
    let ends = if way == "two at once" {
        let second = site.attach(&run);
        vec![first.end_within(END)?, second.end_within(END)?]
    } else {
        if !first.ends_before(moment()) {
            first.kill();
        }
        vec![first.end(), site.attach(&run).end_within(END)?]
    };
    program.end_within(END)?;
    told(&ends)
}

/// The program itself counts as the second.
fn before_staging(site: &Site<'_>) -> Result<Vec<Option<Told>>, String> {
    let mut attacher: Program = site.start(&["attach"]);
    let mut program = site.submit("plain", 0, false);
    let run = program.waits_for("run").ok_or("it did not begin")?;
    attacher.tell(&run);
    told(&[attacher.end_within(END)?, program.end_within(END)?])
}

fn told(ends: &[Ended]) -> Result<Vec<Option<Told>>, String> {
    ends.iter().map(Told::by).collect()
}
