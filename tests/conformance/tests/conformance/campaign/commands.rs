//! Random sequences of `ps`, `logs`, `describe`, `attach` and `cancel` from several processes, on runs that succeed,
//! fail, are detached or whose program is killed. No command may hang or report a falsehood, and nothing may remain
//! after a garbage collection.

use std::time::Duration;

use crate::campaign::lanes::{self, PROGRAM_TIMEOUT};
use crate::campaign::moments::Moments;
use crate::campaign::program::FinishedProgram;
use crate::campaign::remains::Remains;
use crate::campaign::site::{Lane, RunnerKind, Site};
use crate::campaign::table::Table;

const COMMANDS: [&str; 5] = ["ps", "logs", "describe", "attach", "cancel"];

/// The number of processes that send commands concurrently, and the number of commands of each.
const PROCESSES: usize = 3;
const COMMANDS_OF_PROCESS: usize = 3;

/// The number of rounds by default.
const FEW_ROUNDS: usize = 4;

/// The random choices of a round.
#[derive(Debug, Clone)]
struct Plan {
    kind: &'static str,
    fails: bool,
    /// The moment at which the program is killed, if it is.
    kill: Option<Duration>,
    /// The commands of each process, each with the pause before it.
    commands: Vec<Vec<(Duration, &'static str)>>,
}

impl Plan {
    fn new(moments: &mut Moments, longest: Duration) -> Self {
        let commands = (0..PROCESSES).map(|_| {
            let command = |moments: &mut Moments| {
                (moments.before(longest.mul_f64(0.4)), COMMANDS[index(moments, COMMANDS.len())])
            };
            (0..COMMANDS_OF_PROCESS).map(|_| command(moments)).collect()
        });
        let commands = commands.collect();
        let kind = ["plain", "detached"][index(moments, 2)];
        let fails = index(moments, 2) == 1;
        let kill = (index(moments, 3) == 0).then(|| moments.before(longest));
        Self { kind, fails, kill, commands }
    }

    /// Returns whether the run may be lost.
    fn is_disturbed(&self) -> bool {
        self.kill.is_some() || self.commands.iter().flatten().any(|(_, name)| *name == "cancel")
    }

    /// Returns what a command reported that can't be true.
    fn falsehood(&self, command: &str, ended: &FinishedProgram) -> Option<String> {
        if !ended.status.success() {
            return Some(format!("{command} failed: {ended:?}"));
        }
        let claims = |word: &str| ended.field(word).is_some();
        // An attacher that comes too late can't tell a value that was taken from a cancelled run.
        let is_taken = ended.field("lost").is_some_and(|text| text.contains("took its value"));
        let is_false = (claims("succeeded") || claims("value")) && self.fails
            || (claims("failed") || claims("failure")) && !self.fails
            || claims("lost") && !is_taken && !self.is_disturbed()
            || claims("error");
        is_false.then(|| format!("{command} reported a falsehood: {ended:?}"))
    }
}

fn index(moments: &mut Moments, count: usize) -> usize {
    let second = Duration::from_secs(1);
    (moments.before(second).as_secs_f64() * count as f64) as usize
}

pub(crate) fn run(runner: RunnerKind) {
    let _lock = lanes::lock_campaigns();
    let moments = Moments::new();
    let longest = lanes::durations(runner)[0];
    let count = lanes::rounds(FEW_ROUNDS);
    let rounds = lanes::run(runner, count, &moments, |lane, number, mut moments| {
        let plan = Plan::new(&mut moments, longest);
        let (remains, problems) = round(lane, &plan);
        let at = |problem| format!("round {number} ({plan:?}): {problem}");
        (plan.clone(), remains, problems.into_iter().map(at).collect::<Vec<_>>())
    });
    let title = format!("commands, {}", runner.name());
    let mut table = Table::new(title, &["undisturbed", "disturbed"], &["remained"]);
    for (plan, remains, problems) in rounds {
        let end = if plan.fails { "fails" } else { "succeeds" };
        let killed = if plan.kill.is_some() { ", killed" } else { "" };
        let disturbed = usize::from(plan.is_disturbed());
        table.add(&format!("{}, {end}{killed}", plan.kind), disturbed, &[remains]);
        table.add_problems(problems);
    }
    table.finish();
}

fn round(lane: &Lane, plan: &Plan) -> (Remains, Vec<String>) {
    let site = Site::new(lane);
    let mut problems = Vec::new();
    let mut program = site.submit(plan.kind, 0, plan.fails);
    match program.wait_for_line("run") {
        Some(run) => {
            let (site, run) = (&site, run.as_str());
            std::thread::scope(|scope| {
                let processes: Vec<_> = plan
                    .commands
                    .iter()
                    .map(|commands| scope.spawn(move || send_all(site, plan, commands, run)))
                    .collect();
                if let Some(moment) = plan.kill
                    && !program.ends_within(moment)
                {
                    program.kill();
                }
                for process in processes {
                    problems.extend(process.join().unwrap());
                }
            });
            // A collection keeps a detached run until a program has attached to it.
            if site.is_detached(run) {
                problems.extend(site.attach(run).end_within(PROGRAM_TIMEOUT).err());
            }
        }
        None => problems.push("it did not begin".to_owned()),
    }
    problems.extend(program.end_within(PROGRAM_TIMEOUT).err());
    let left = site.remains();
    problems.extend(site.collect_all().err());
    let uncollected = site.remains();
    problems.extend((!uncollected.is_empty()).then(|| format!("there remains {uncollected:?}")));
    (left, problems)
}

/// Runs commands one after the other, and returns what was wrong with them.
fn send_all(
    site: &Site<'_>,
    plan: &Plan,
    commands: &[(Duration, &'static str)],
    run: &str,
) -> Vec<String> {
    let mut problems = Vec::new();
    for (pause, command) in commands {
        // A moment of the campaign, not a wait for a condition.
        std::thread::sleep(*pause);
        let mut process = site.start(&[command]);
        process.write_line(run);
        match process.end_within(PROGRAM_TIMEOUT) {
            Ok(ended) => problems.extend(plan.falsehood(command, &ended)),
            Err(hang) => problems.push(format!("{command}: {hang}")),
        }
    }
    problems
}
