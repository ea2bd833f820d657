//! Which submitter a command uses, where variables and `hype.toml` aren't to decide.

use clap::Args;

/// The submitter that was chosen on the command line.
#[derive(Debug, Clone, Default, Args)]
pub struct Choice {
    /// Where closures run: local, docker or kubernetes [default: HYPE_SUBMITTER, hype.toml, local]
    #[arg(long, value_name = "NAME")]
    pub submitter: Option<String>,
}

impl Choice {
    /// Makes it this process's.
    pub(crate) fn choose(&self) {
        if let Some(submitter) = &self.submitter {
            hype::__internal::choose_submitter(submitter);
        }
    }
}
