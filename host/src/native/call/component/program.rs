//! Whole programs as closures.

use hype_wire::{ProgramArguments, ProgramOutput};

use crate::call::closure::Closure;
use crate::call::component::{Component, ComponentFunction};
use crate::error::{Error, Result};

/// The start of the name of the interface that a program exports.
const INTERFACE: &str = "wasi:cli/run@0.2.";

impl Component {
    /// Returns whether the component is a program: whether it exports `run` of `wasi:cli/run`.
    pub fn is_program(&self) -> bool {
        self.exports().iter().any(|export| export.starts_with(INTERFACE))
    }

    /// Returns a closure that runs the whole program with these arguments. Its name, which is the component's without
    /// `.wasm`, comes before them. Its standard input is empty, see [`with_stdin`](Closure::with_stdin).
    ///
    /// The value has all that the program writes. The sizes of both outputs together are limited by
    /// [`with_max_value`](crate::RunEnvironment::with_max_value). The lines are in [`Run::logs`](crate::Run::logs)
    /// while the program runs, too. A program that exits with another status than 0 ends with a failure of the kind
    /// [`Exit`](crate::FailureKind::Exit), and so do all others that don't exit by themselves; the failure's value is
    /// then the output.
    ///
    /// ```no_run
    /// use hype::component::ProgramOutput;
    ///
    /// # async fn run(submitter: hype::Submitter, env: hype::RunEnvironment) -> hype::Result<()> {
    /// let grep = hype::Component::open("grep.wasm")?;
    /// let search = grep.program(["-n", "needle"])?.with_stdin("hay\nneedle\n");
    /// match submitter.submit(search, &env).await {
    ///     Ok(output) => println!("{}", String::from_utf8_lossy(&output.stdout)),
    ///     Err(error) => match error.failure().and_then(|failure| failure.exit_status) {
    ///         Some(1) => println!("no match"),
    ///         _ => return Err(error),
    ///     },
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if the component is no program.
    pub fn program<A: Into<String>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Closure<ProgramOutput>> {
        if !self.is_program() {
            let problem =
                format!("{} is not a program: it doesn't export wasi:cli/run", self.name());
            return Err(Error::input(problem)
                .hint("compile a program with a `main` for wasm32-wasip2, or call a function of the component"));
        }
        let args = arguments.into_iter().map(Into::into).collect();
        let arguments = ProgramArguments { args, ..ProgramArguments::default() };
        let name = self.name().strip_suffix(".wasm").unwrap_or(self.name()).to_owned();
        let function = ComponentFunction {
            component: self.clone(),
            name,
            signature: None,
            wit: None,
            is_program: true,
        };
        Ok(Closure::of_component(function, arguments.to_message_pack()))
    }
}

impl Closure<ProgramOutput> {
    /// Sets the standard input of the program, which is empty by default.
    ///
    /// ```no_run
    /// let sort = hype::Component::open("sort.wasm")?;
    /// let closure = sort.program(["-r"])?.with_stdin(std::fs::read("names.txt").unwrap());
    /// # hype::Result::Ok(())
    /// ```
    pub fn with_stdin(self, stdin: impl Into<Vec<u8>>) -> Self {
        let stdin = stdin.into();
        self.map_arguments(|arguments| {
            let mut arguments = ProgramArguments::from_message_pack(arguments)?;
            arguments.stdin = stdin.into();
            arguments.to_message_pack()
        })
    }
}
