//! Prints the table of results.

/// A row of the table: the result of hype, and the peer's result and the goal, if any.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) ours: String,
    /// The peer's result; empty without a peer.
    pub(crate) peer: String,
    /// The ratio of our result to the peer's.
    pub(crate) ratio: Option<f64>,
    pub(crate) goal: Goal,
}

/// The goal of a result.
pub(crate) enum Goal {
    /// No goal.
    None,
    /// A description of the goal, and whether it is reached.
    Target(String, bool),
}

impl Row {
    /// Creates a row without a peer.
    pub(crate) fn alone(name: impl Into<String>, ours: impl Into<String>, goal: Goal) -> Self {
        Self { name: name.into(), ours: ours.into(), peer: String::new(), ratio: None, goal }
    }

    /// Creates a row that compares two times in seconds. The goal is a ratio of at most `max_ratio`.
    pub(crate) fn compare(
        name: impl Into<String>,
        ours: f64,
        peer: f64,
        max_ratio: Option<f64>,
    ) -> Self {
        let ratio = ours / peer;
        let goal = max_ratio
            .map_or(Goal::None, |max| Goal::Target(format!("at most {max} ×"), ratio <= max));
        Self {
            name: name.into(),
            ours: milliseconds(ours),
            peer: milliseconds(peer),
            ratio: Some(ratio),
            goal,
        }
    }
}

/// Formats `seconds` in milliseconds.
pub(crate) fn milliseconds(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

#[expect(clippy::print_stdout, reason = "the program prints its results")]
pub(crate) fn print(rows: &[Row]) {
    let name = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let line = |cells: [&str; 5]| {
        let [label, ours, peer, ratio, goal] = cells;
        println!("{label:name$}  {ours:>16}  {peer:>14}  {ratio:>6}  {goal}");
    };
    line(["", "ours", "peer", "ratio", "goal"]);
    for row in rows {
        let ratio = row.ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let goal = match &row.goal {
            Goal::None => String::new(),
            Goal::Target(goal, true) => format!("{goal}: reached"),
            Goal::Target(goal, false) => format!("{goal}: MISSED"),
        };
        line([&row.name, &row.ours, &row.peer, &ratio, &goal]);
    }
}
