//! Executes the guide, page by page, like a user who follows it: each command, and each file that it shows.
//!
//! A block of shell code runs in the directory of the block before. It is skipped if the comment above it names what it
//! needs that the test doesn't have: `<!-- needs: gke -->`. It must succeed, or exit as the comment `<!-- fails: 1 -->`
//! says. After the comment `<!-- until: TEXT -->` it is repeated until it prints the text, as a user would. A block of Rust or TOML begins with a comment that names its file. A block of text is what the commands before
//! it print: each of its lines, in which `…` stands for anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::hype::{target_directory, workspace};

/// The pages in their order.
const PAGES: [&str; 7] = ["start", "files", "docker", "kubernetes", "failures", "runs", "cleanup"];

/// The maximum time for which a block is repeated.
const REPEAT_TIMEOUT: Duration = Duration::from_secs(120);

/// The needs that a block may name beyond this machine.
const NEEDS: [&str; 5] = ["network", "images", "docker", "kind", "gke"];

/// A block of code in a page.
#[derive(Debug)]
struct Block<'a> {
    /// The language, and the comment above it.
    language: &'a str,
    comment: Option<(&'a str, &'a str)>,
    text: &'a str,
}

impl<'a> Block<'a> {
    /// Returns the blocks of a page.
    fn of_page(page: &'a str) -> Vec<Self> {
        let mut parts = page.split("\n```");
        let mut blocks = Vec::new();
        while let (Some(before), Some(code)) = (parts.next(), parts.next()) {
            let (language, text) = code.split_once('\n').unwrap();
            let above = before.lines().last().unwrap_or_default();
            let comment = above.strip_prefix("<!-- ").and_then(|it| it.strip_suffix(" -->"));
            let comment = comment.map(|comment| comment.split_once(": ").unwrap());
            blocks.push(Block { language, comment, text });
        }
        blocks
    }

    /// Returns what the block needs.
    fn needs(&self) -> Option<&'a str> {
        let (_, needed) = self.comment.filter(|(kind, _)| *kind == "needs")?;
        assert!(NEEDS.contains(&needed), "{needed}");
        Some(needed)
    }

    /// Returns the text until which the block is repeated.
    fn expected(&self) -> Option<&'a str> {
        self.comment.filter(|(kind, _)| *kind == "until").map(|(_, text)| text)
    }

    /// Returns the exit status of the commands.
    fn status(&self) -> i32 {
        match self.comment {
            Some(("fails", status)) => status.parse().unwrap(),
            Some(("needs" | "until", _)) | None => 0,
            Some(other) => panic!("what is {other:?}?"),
        }
    }
}

/// A user with an empty home directory.
struct Reader {
    home: TempDir,
    /// The working directory.
    directory: PathBuf,
    has_docker: bool,
    /// The output of the last commands; `None` if they were skipped.
    output: Option<String>,
}

impl Reader {
    fn new(has_docker: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("work");
        fs::create_dir(&directory).unwrap();
        // The clone that the guide makes.
        std::os::unix::fs::symlink(workspace(), directory.join("hype")).unwrap();
        Self { home, directory, has_docker, output: None }
    }

    fn follow(&mut self, page: &str) {
        let path = workspace().join(format!("docs/guide/{page}.md"));
        let text = fs::read_to_string(path).unwrap();
        for block in Block::of_page(&text) {
            match block.language {
                "sh" => self.run(&block),
                "text" => self.compare(&block),
                "rust" | "toml" => self.write(&block),
                other => panic!("{page}: a block of `{other}` is neither executed nor compared"),
            }
        }
    }

    fn run(&mut self, block: &Block<'_>) {
        self.output = None;
        if block.needs().is_some_and(|needed| needed != "docker" || !self.has_docker) {
            return;
        }
        let (creation, commands) = split_after_creation(block.text);
        if !creation.is_empty() {
            self.run_once(creation, 0);
        }
        self.prepare_package();
        let start = Instant::now();
        loop {
            let text = self.run_once(commands, block.status());
            let is_expected = block.expected().is_none_or(|expected| text.contains(expected));
            assert!(is_expected || start.elapsed() < REPEAT_TIMEOUT, "{}\n{text}", block.text);
            self.output = Some(text);
            if is_expected {
                return;
            }
        }
    }

    /// Runs the commands, and returns what they print.
    fn run_once(&mut self, commands: &str, status: i32) -> String {
        let after = self.home.path().join("after");
        let script =
            format!("set -e\ntrap 'pwd >\"{}\"' EXIT\nexec 2>&1\n{commands}", after.display());
        let output = self.shell().arg(script).stderr(Stdio::inherit()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(status), "{commands}\n{text}");
        self.directory = fs::read_to_string(after).unwrap().trim().into();
        text
    }

    /// Returns a shell in the working directory, with the environment of a user who installed `cargo hype`.
    fn shell(&self) -> Command {
        let installed = Path::new(env!("CARGO_BIN_EXE_cargo-hype")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let real_home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        let tools = |variable: &str, directory: &str| {
            std::env::var_os(variable).map_or_else(|| real_home.join(directory), PathBuf::from)
        };
        let mut shell = Command::new("sh");
        shell.env_clear().current_dir(&self.directory).arg("-c");
        shell
            .env("PATH", format!("{}:{path}", installed.display()))
            .env("HOME", self.home.path())
            .env("CARGO_HOME", tools("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", tools("RUSTUP_HOME", ".rustup"))
            .env("CARGO_NET_OFFLINE", "true");
        // A test with Docker has these.
        for name in ["DOCKER_HOST", "HYPE_IMAGE"] {
            shell.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        shell
    }

    /// Gives the new package the profiles, the lock file and the target directory of hype's workspace, so that its
    /// dependencies aren't downloaded and built again.
    fn prepare_package(&self) {
        let package = self.home.path().join("work/greeting");
        let manifest = package.join("Cargo.toml");
        let target = package.join("target");
        if target.is_symlink() || !manifest.exists() {
            return;
        }
        assert!(!target.exists(), "the package was built before it had the target directory");
        std::os::unix::fs::symlink(target_directory(), target).unwrap();
        fs::copy(workspace().join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
        let workspace = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
        let (_, profiles) = workspace.split_once("[profile.dev]\n").unwrap();
        let own = fs::read_to_string(&manifest).unwrap();
        let (before, _) = own.split_once("[profile.dev]\n").unwrap();
        fs::write(manifest, format!("{before}[profile.dev]\n{profiles}")).unwrap();
    }

    fn write(&self, block: &Block<'_>) {
        let (first, _) = block.text.split_once('\n').unwrap();
        let name = first.trim_start_matches(['/', '#', ' ']);
        let is_file = name.ends_with(".rs") || name.ends_with(".toml");
        assert!(is_file, "a block doesn't begin with the name of its file: {first}");
        fs::write(self.directory.join(name), block.text).unwrap();
    }

    fn compare(&self, block: &Block<'_>) {
        let Some(output) = &self.output else { return };
        for line in block.text.lines() {
            let is_printed = output.lines().any(|printed| matches(line, printed));
            assert!(is_printed, "nothing printed {line:?}:\n{output}");
        }
    }
}

/// Splits commands after the line that creates a package, which is then prepared before it is built.
fn split_after_creation(commands: &str) -> (&str, &str) {
    let end = commands.find("cargo hype new").and_then(|start| {
        let line = commands[start..].find('\n')?;
        Some(start + line + 1)
    });
    commands.split_at(end.unwrap_or_default())
}

/// Returns whether the line `pattern`, in which `…` stands for anything, describes the line `printed`.
fn matches(pattern: &str, printed: &str) -> bool {
    let mut rest = printed;
    for (index, part) in pattern.split('…').enumerate() {
        match rest.find(part) {
            Some(start) if start == 0 || index > 0 => rest = &rest[start + part.len()..],
            _ => return false,
        }
    }
    rest.is_empty() || pattern.ends_with('…')
}

#[test]
fn guide_can_be_followed() {
    let mut reader = Reader::new(false);
    PAGES.iter().for_each(|page| reader.follow(page));
}

/// Needs `cargo test --features docker`, and the image that `HYPE_IMAGE` names or hype's own.
#[test]
#[ignore = "needs a Docker daemon"]
fn guide_can_be_followed_in_docker() {
    let mut reader = Reader::new(true);
    PAGES.iter().for_each(|page| reader.follow(page));
}

#[test]
fn all_pages_are_followed() {
    let entries = fs::read_dir(workspace().join("docs/guide")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let pages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    assert_eq!(pages.count(), PAGES.len());
}

#[test]
fn ellipsis_stands_for_anything() {
    assert!(matches("a … c", "a b c") && matches("a…", "a b") && matches("a", "a"));
    assert!(!matches("a", "a b") && !matches("a … c", "x a b c") && !matches("a…c", "a b"));
}
