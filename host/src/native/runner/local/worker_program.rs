//! The variable that names the program of worker processes.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::{Error, Result};

const VARIABLE: &str = "HYPE_WORKER";

/// Returns the absolute path of the program that the variable names, if it is set.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if the path isn't that of a file.
pub(super) fn configured() -> Result<Option<PathBuf>> {
    std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(parse).transpose()
}

fn parse(value: OsString) -> Result<PathBuf> {
    let path = PathBuf::from(value);
    if !path.is_file() {
        let problem = format!("{VARIABLE} names {}, which is no file", path.display());
        return Err(Error::input(problem).hint(
            "set it to the path of hype-run, or of a program that links this version of hype, or remove it",
        ));
    }
    std::path::absolute(&path).map_err(|error| {
        Error::input(format!("{VARIABLE} names {}, which has no path", path.display()))
            .because(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::hint_of;

    #[test]
    fn missing_program_is_an_error_that_names_the_fix() {
        let error = parse("/missing/hype-run".into()).unwrap_err();
        assert_eq!(error.to_string(), "HYPE_WORKER names /missing/hype-run, which is no file");
        assert!(hint_of(&error).unwrap().contains("path of hype-run"), "{error:?}");
        let own = std::env::current_exe().unwrap();
        assert_eq!(parse(own.clone().into()).unwrap(), own);
    }
}
