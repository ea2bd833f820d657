use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::error::WireError;
use crate::shorten::shorten;
use crate::version::{OLDEST_FORMAT, WIRE_FORMAT, format_range};

/// The line by which a runner names its outcome and proves it: `hype-outcome/FORMAT URL DIGEST`.
///
/// The line reaches the submitter through the Kubernetes API or the Docker daemon, never through the
/// stage. So an attacker who can write to the stage can't forge an outcome.
///
/// ```
/// use hype_wire::{Digest, TerminationLine};
///
/// let line = TerminationLine {
///     outcome: "gs://bucket/prefix/runs/run-1/outcome".to_owned(),
///     digest: Digest::of(b"outcome"),
/// };
/// assert!(line.to_string().starts_with("hype-outcome/3 gs://bucket/prefix/runs/run-1/outcome "));
/// assert_eq!(line.to_string().parse::<TerminationLine>()?, line);
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminationLine {
    /// The URL of the outcome.
    pub outcome: String,
    /// The digest of the outcome's bytes.
    pub digest: Digest,
}

const NAME: &str = "hype-outcome/";

/// The maximum size of a line, in bytes: the limit of a termination message in Kubernetes.
const MAX_LINE: usize = 4096;

/// The maximum number of bytes that an error quotes of a text that is not a termination line.
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
        let invalid = || {
            let quoted = shorten(line.to_owned(), MAX_QUOTED);
            WireError::new(format!("`{quoted}` is no termination line of hype"))
        };
        let (format, rest) = Some(line)
            .filter(|line| line.len() <= MAX_LINE)
            .and_then(|line| line.strip_prefix(NAME))
            .and_then(|rest| rest.split_once(' '))
            .ok_or_else(invalid)?;
        let format: u32 = format.parse().map_err(|_| invalid())?;
        if !(OLDEST_FORMAT..=WIRE_FORMAT).contains(&format) {
            return Err(WireError::new(format!(
                "the termination line is in format {format}, and this hype reads {}: \
                 use a runner of the program's version",
                format_range(OLDEST_FORMAT, WIRE_FORMAT)
            )));
        }
        let (outcome, digest) = rest.rsplit_once(' ').ok_or_else(invalid)?;
        Ok(Self {
            outcome: outcome.to_owned(),
            digest: digest
                .parse()
                .map_err(|error| WireError::new(invalid().to_string()).because(error))?,
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
    fn termination_line_parses_back() {
        let read: TerminationLine = format!("{}\n", line()).parse().unwrap();
        assert_eq!(read, line());
    }

    #[test]
    fn unsupported_termination_format_names_the_upgrade() {
        let newer =
            line().to_string().replace(&format!("hype-outcome/{WIRE_FORMAT}"), "hype-outcome/9");
        let error = newer.parse::<TerminationLine>().unwrap_err().to_string();
        assert!(error.contains("format 9, and this hype reads format 3: use a runner"), "{error}");
    }

    #[test]
    fn invalid_termination_line_is_quoted() {
        let long = line().to_string().replace("/a b/", &format!("/{}/", "a".repeat(MAX_LINE)));
        let error = long.parse::<TerminationLine>().unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("`hype-outcome/{WIRE_FORMAT} file:///aaa"))
                && error.len() < 300,
            "{error}"
        );
        for invalid in ["", "Error", "hype-outcome/3", "hype-outcome/x a b", "hype-outcome/3 a b"] {
            let error = invalid.parse::<TerminationLine>().unwrap_err().to_string();
            assert!(error.contains(invalid), "{error}");
        }
    }
}
