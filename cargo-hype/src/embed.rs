//! Builds programs with the components embedded whose functions they may call.
//!
//! The components are built first, and the environment variable `HYPE_EMBED` lists their paths. When the program is
//! compiled, `hype::embed!` expands to an `include_bytes!` of each, so the executable needs no postprocessing.

use crate::build::Built;
use crate::cli::Selection;
use crate::compile::sources;
use crate::error::{Error, Result};
use crate::program::{self, Program};
use crate::project::Project;

/// The environment variable with the paths of the components, one path for each line.
const VARIABLE: &str = "HYPE_EMBED";

/// Programs, and the components embedded in each.
#[derive(Debug)]
pub struct Embedded {
    /// The embedded components.
    pub components: Vec<Built>,
    /// The programs.
    pub programs: Vec<Program>,
}

/// Builds the programs of the package that `selection` names, or only the program `bin`, with the components
/// embedded.
///
/// # Errors
///
/// If a component or a program doesn't compile, or a program embeds no components.
pub fn embed(project: &Project, selection: &Selection, bin: Option<&str>) -> Result<Embedded> {
    let package = project.select_one(&selection.packages)?;
    let names = match bin {
        Some(bin) => vec![program::check_name(package, bin)?],
        None => program::names(package),
    };
    if names.is_empty() {
        return Err(program::no_program_error(package));
    }
    let components = program::build_components(project, package, selection)?;
    if components.is_empty() {
        return Err(Error::input(format!("the programs of `{}` call no functions", package.name))
            .hint("write #[hype::function] above a `pub fn` in the package's src/lib.rs"));
    }
    let list: Vec<_> = components.iter().map(|component| component.path.as_os_str()).collect();
    let list = list.join("\n".as_ref());
    let programs = names.into_iter().map(|name| {
        let variable = Some((VARIABLE, list.clone()));
        let program =
            program::build_program(project, package, selection, name, &components, variable)?;
        check_embedded(&program, &components)?;
        Ok(program)
    });
    Ok(Embedded { programs: programs.collect::<Result<_>>()?, components })
}

/// Checks in cargo's dep-info file that the program was compiled with the components.
fn check_embedded(program: &Program, components: &[Built]) -> Result<()> {
    let sources = sources(&program.path.with_extension("d"));
    let is_missing = |component: &&Built| !sources.contains(&component.path);
    match components.iter().find(is_missing) {
        None => Ok(()),
        Some(_) => {
            Err(Error::input(format!("the program `{}` embeds no components", program.name)).hint(
                "write #[hype::main] above its `main`, or hype::embed!() as its first statement; \
                 choose one of several programs with --bin",
            ))
        }
    }
}
