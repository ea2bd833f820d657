//! Lists the environment variables and the files that a closure sees.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The environment variables and the files of a closure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Res {
    /// All environment variables.
    pub vars: Vec<EnvVar>,
    /// The files below the given directories.
    pub files: Vec<File>,
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvVar {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The path.
    pub path: PathBuf,
    /// The size in bytes.
    pub size: u64,
}

/// Lists all environment variables, and the files below `directories` in alphabetic order.
#[hype::function]
pub fn extract_env(directories: Vec<PathBuf>) -> anyhow::Result<Res> {
    let vars = std::env::vars().map(|(name, value)| EnvVar { name, value }).collect();
    let mut files = Vec::new();
    for directory in directories {
        list(&directory, &mut files)?;
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(Res { vars, files })
}

fn list(directory: &Path, files: &mut Vec<File>) -> anyhow::Result<()> {
    let entries = directory.read_dir();
    for entry in entries.with_context(|| format!("cannot list {}", directory.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push(File { path: entry.path(), size: entry.metadata()?.len() });
        }
    }
    Ok(())
}

impl fmt::Display for EnvVar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvVar({},{})", self.name, self.value)
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({},{})", self.path.display(), self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_files_are_listed() -> anyhow::Result<()> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let res = extract_env::call(vec![package.to_owned()])?;
        let size = include_bytes!("lib.rs").len() as u64;
        assert!(res.files.contains(&File { path: package.join("src/lib.rs"), size }));
        assert!(res.files.iter().any(|file| file.path == package.join("Cargo.toml")));
        Ok(())
    }

    #[test]
    fn missing_directory_is_named() {
        let error = extract_env::call(vec!["/not/there".into()]).unwrap_err();
        assert_eq!(error.to_string(), "cannot list /not/there");
    }

    #[test]
    fn variable_displays_name_and_value() {
        let var = EnvVar { name: "LANG".into(), value: "en".into() };
        assert_eq!(var.to_string(), "EnvVar(LANG,en)");
    }
}
