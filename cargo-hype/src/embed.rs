//! Programs with the components inside whose functions they may call.
//!
//! The components are built first. The variable `HYPE_EMBED` then names them to the compiler, which
//! `hype::embed!` has read them as if they were sources: the linker puts them in their place, and
//! nothing has to be done to the finished program.

use crate::build::Built;
use crate::cli::Selection;
use crate::compile::sources;
use crate::error::{Error, Result};
use crate::program::{self, Program};
use crate::project::Project;

/// The variable that names the components, a path a line.
const VARIABLE: &str = "HYPE_EMBED";

/// Programs, and what is inside each.
#[derive(Debug)]
pub struct Embedded {
    /// The components.
    pub components: Vec<Built>,
    /// The programs.
    pub programs: Vec<Program>,
}

/// Builds the programs of the package that `selection` names, or the one called `bin`, with the
/// components inside.
///
/// # Errors
///
/// When something doesn't compile, or a program takes no components.
pub fn embed(project: &Project, selection: &Selection, bin: Option<&str>) -> Result<Embedded> {
    let package = project.select_one(&selection.packages)?;
    let names = match bin {
        Some(bin) => vec![program::check_name(package, bin)?],
        None => program::names(package),
    };
    if names.is_empty() {
        return Err(program::none(package));
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
            program::build_program(project, package, selection, (name, &components), variable)?;
        check_taken(&program, &components)?;
        Ok(program)
    });
    Ok(Embedded { programs: programs.collect::<Result<_>>()?, components })
}

/// What a program was made of is in cargo's list beside it.
fn check_taken(program: &Program, components: &[Built]) -> Result<()> {
    let sources = sources(&program.path.with_extension("d"));
    let is_missing = |component: &&Built| !sources.contains(&component.path);
    match components.iter().find(is_missing) {
        None => Ok(()),
        Some(_) => Err(Error::input(format!("the program `{}` takes no components", program.name))
            .hint(
                "write #[hype::main] above its `main`, or hype::embed!() as the first thing in it; \
                 --bin chooses among several programs",
            )),
    }
}
