//! The table of what was measured.

/// One line: a figure of ours, and what it is to be compared with.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) ours: String,
    /// The peer's figure, where there is one.
    pub(crate) peer: String,
    /// Ours by the peer's.
    pub(crate) ratio: Option<f64>,
    pub(crate) goal: Goal,
}

/// What a figure should be.
pub(crate) enum Goal {
    /// Nothing was promised.
    None,
    /// It says what, and whether it is reached.
    Is(String, bool),
}

impl Row {
    /// A figure without a peer.
    pub(crate) fn alone(name: impl Into<String>, ours: impl Into<String>, goal: Goal) -> Self {
        Self { name: name.into(), ours: ours.into(), peer: String::new(), ratio: None, goal }
    }

    /// Two times in seconds, of which ours should be at most `limit` times the peer's.
    pub(crate) fn times(name: impl Into<String>, ours: f64, peer: f64, limit: Option<f64>) -> Self {
        let ratio = ours / peer;
        let goal = limit
            .map_or(Goal::None, |limit| Goal::Is(format!("at most {limit} ×"), ratio <= limit));
        Self {
            name: name.into(),
            ours: milliseconds(ours),
            peer: milliseconds(peer),
            ratio: Some(ratio),
            goal,
        }
    }
}

/// `seconds` for people.
pub(crate) fn milliseconds(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
pub(crate) fn print(rows: &[Row]) {
    let name = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let line = |cells: [&str; 5]| {
        let [what, ours, peer, ratio, goal] = cells;
        println!("{what:name$}  {ours:>16}  {peer:>14}  {ratio:>6}  {goal}");
    };
    line(["", "ours", "peer", "ratio", "goal"]);
    for row in rows {
        let ratio = row.ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let goal = match &row.goal {
            Goal::None => String::new(),
            Goal::Is(goal, true) => format!("{goal}: reached"),
            Goal::Is(goal, false) => format!("{goal}: MISSED"),
        };
        line([&row.name, &row.ours, &row.peer, &ratio, &goal]);
    }
}
