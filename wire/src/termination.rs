use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::error::WireError;
use crate::shorten::shortened;
use crate::version::{OLDEST_FORMAT, WIRE_FORMAT};

/// The one line by which a runner names its outcome and vouches for it.
///
/// It reaches the submitter through the Kubernetes API or the Docker daemon, never through the
/// stage, and so tells a true outcome from one that somebody put there:
/// `hype-outcome/2 gs://bucket/prefix/runs/RUN/outcome BLAKE3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminationLine {
    /// Where the outcome stands.
    pub outcome: String,
    /// The digest of its bytes.
    pub digest: Digest,
}

const NAME: &str = "hype-outcome/";

/// How many bytes a line can have: Kubernetes keeps as much of what a container leaves.
const MAX_LINE: usize = 4096;

/// How many bytes of a text are quoted that is no such line.
const MAX_QUOTED: usize = 256;

impl fmt::Display for TerminationLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}{WIRE_FORMAT} {} {}", self.outcome, self.digest)
    }
}

impl FromStr for TerminationLine {
    type Err = WireError;

    fn from_str(line: &str) -> Result<Self, WireError> {
        let line = line.trim();
        let strange = || {
            let quoted = shortened(line.to_owned(), MAX_QUOTED);
            WireError::new(format!("`{quoted}` is no termination line of hype"))
        };
        let (format, rest) = Some(line)
            .filter(|line| line.len() <= MAX_LINE)
            .and_then(|line| line.strip_prefix(NAME))
            .and_then(|rest| rest.split_once(' '))
            .ok_or_else(strange)?;
        let format: u32 = format.parse().map_err(|_| strange())?;
        if !(OLDEST_FORMAT..=WIRE_FORMAT).contains(&format) {
            return Err(WireError::new(format!(
                "the termination line is in format {format}, and this hype reads formats \
                 {OLDEST_FORMAT} to {WIRE_FORMAT}: use a runner of the program's version"
            )));
        }
        let (outcome, digest) = rest.rsplit_once(' ').ok_or_else(strange)?;
        Ok(Self {
            outcome: outcome.to_owned(),
            digest: digest
                .parse()
                .map_err(|error| WireError::new(strange().to_string()).because(error))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> TerminationLine {
        TerminationLine {
            outcome: "file:///a b/runs/r1/outcome".into(),
            digest: Digest::of(b"outcome"),
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let read: TerminationLine = format!("{}\n", line()).parse().unwrap();
        assert_eq!(read, line());
    }

    #[test]
    fn another_format_says_what_to_upgrade() {
        let newer =
            line().to_string().replace(&format!("hype-outcome/{WIRE_FORMAT}"), "hype-outcome/9");
        let error = newer.parse::<TerminationLine>().unwrap_err().to_string();
        assert!(error.contains("format 9") && error.contains("runner"), "{error}");
    }

    #[test]
    fn anything_else_is_quoted_back() {
        let long = line().to_string().replace("/a b/", &format!("/{}/", "a".repeat(MAX_LINE)));
        let error = long.parse::<TerminationLine>().unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("`hype-outcome/{WIRE_FORMAT} file:///aaa"))
                && error.len() < 300,
            "{error}"
        );
        for strange in ["", "Error", "hype-outcome/3", "hype-outcome/x a b", "hype-outcome/3 a b"] {
            let error = strange.parse::<TerminationLine>().unwrap_err().to_string();
            assert!(error.contains(strange), "{error}");
        }
    }
}
