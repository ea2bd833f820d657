//! Random modules of `modules/`, as functions with WIT types and as whole programs.
//!
//! The tests run the modules in `random/`, among them those that once broke the runner. `tests/hostile/search-random SECONDS`
//! searches for more.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cargo_hype::program_module::encode_program;
use hostile::Staged;
use hostile::attack::{assert_good, executor, runtime, workers};
use hostile::staged::failure_text;
use hype_run::Executor;
use hype_wire::{End, FunctionRef, Limits, Outcome, Payload, ProgramArguments, codec};

/// The variable with the directory of the modules of a search.
const DIRECTORY: &str = "HYPE_RANDOM_MODULES";

/// The maximum time of a function, its compilation included.
const FUNCTION_LIMIT: Duration = Duration::from_millis(500);

/// The maximum time of a program, whose adapter is compiled, too.
const PROGRAM_LIMIT: Duration = Duration::from_secs(3);

/// The time that a machine under load adds to a run.
const LOAD: Duration = Duration::from_secs(20);

/// A function of a component, with the type of a core function in `modules/functions.wat`.
struct Function {
    name: &'static str,
    /// Definitions of types, as WebAssembly text.
    types: &'static str,
    parameter: &'static str,
    result: &'static str,
    argument: fn() -> Vec<u8>,
}

const FUNCTIONS: &[Function] = &[
    Function {
        name: "texts",
        types: "",
        parameter: "string",
        result: "(list string)",
        argument: || codec::to_vec(&("any text",)).unwrap(),
    },
    Function {
        name: "bytes",
        types: "",
        parameter: "(list u8)",
        result: "(list u8)",
        argument: || codec::to_vec(&(hype_wire::Bytes(vec![7; 70_000]),)).unwrap(),
    },
    Function {
        name: "records",
        types: r#"(type $r (record (field "a" u64) (field "b" (list (tuple char f32))) (field "c" (option string))))
            (export $e "e" (type $r))"#,
        parameter: "$e",
        result: "(list $e)",
        argument: || codec::to_vec(&((9_u64, vec![('x', 1.5_f32)], Some("text")),)).unwrap(),
    },
    Function {
        name: "options",
        types: r#"(type $v (variant (case "a" (list u16)) (case "b") (case "c" string)))
            (export $e "e" (type $v))"#,
        parameter: "(option (option u8))",
        result: "(result $e (error string))",
        argument: || codec::to_vec(&(Some(Some(3_u8)),)).unwrap(),
    },
    Function {
        name: "flags",
        types: r#"(type $f (flags "a" "b" "c")) (export $e "e" (type $f))
            (type $n (enum "x" "y" "z")) (export $g "g" (type $n))"#,
        parameter: "$e",
        result: "$g",
        argument: || codec::to_vec(&(["a", "c"],)).unwrap(),
    },
    Function {
        name: "lists",
        types: "",
        parameter: "(list (list (option (tuple s8 string bool))))",
        result: "char",
        argument: || codec::to_vec(&(vec![vec![Some((-1, "text", true)), None]; 50],)).unwrap(),
    },
];

#[test]
fn random_functions_do_not_break_the_runner() {
    run_all("functions", FUNCTION_LIMIT, |module| {
        FUNCTIONS
            .iter()
            .map(|function| {
                let of = FunctionRef::Export { interface: None, function: function.name.into() };
                (function.component(module), of, (function.argument)())
            })
            .collect()
    });
}

#[test]
fn random_programs_do_not_break_the_runner() {
    run_all("programs", PROGRAM_LIMIT, |module| {
        let component = encode_program("random.wasm", module).unwrap();
        let arguments = ProgramArguments { args: vec!["-x".into()], stdin: module.to_vec().into() };
        let arguments = arguments.to_message_pack().unwrap();
        vec![(component.bytes().to_vec(), FunctionRef::Program("random".into()), arguments)]
    });
}

impl Function {
    /// Returns a component that exports the function of `module`.
    fn component(&self, module: &[u8]) -> Vec<u8> {
        let Self { name, types, parameter, result, .. } = self;
        // A module of the same type, which is replaced.
        let shape = include_str!("../../modules/functions.wat").replacen("(module", "", 1);
        let text = format!(
            r#"(component {types}
                (core module $m {shape}
                (core instance $i (instantiate $m))
                (func (export "{name}") (param "x" {parameter}) (result {result})
                    (canon lift (core func $i "{name}") (memory $i "memory")
                        (realloc (func $i "realloc")))))"#
        );
        let component = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
        replace_module(&component, module)
    }
}

/// Replaces the core module in `component`.
fn replace_module(component: &[u8], module: &[u8]) -> Vec<u8> {
    const HEADER: usize = 8;
    const CORE_MODULE: u8 = 1;
    let (mut replaced, mut rest) = (component[..HEADER].to_vec(), &component[HEADER..]);
    while let [id, section @ ..] = rest {
        let (size, content) = leb128(section);
        let (content, after) = content.split_at(size);
        let content = if *id == CORE_MODULE { module } else { content };
        replaced.push(*id);
        write_leb128(&mut replaced, content.len());
        replaced.extend(content);
        rest = after;
    }
    replaced
}

fn leb128(bytes: &[u8]) -> (usize, &[u8]) {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let (number, rest) = bytes.split_at(end);
    let number = number.iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
    (number, rest)
}

fn write_leb128(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Runs the components that `make` returns for each module in the directory `kind`, in this process and in workers.
fn run_all(
    kind: &str,
    limit: Duration,
    make: impl Fn(&[u8]) -> Vec<(Vec<u8>, FunctionRef, Vec<u8>)>,
) {
    let (mut values, mut failures) = (0, BTreeMap::new());
    for path in modules(kind) {
        let module = std::fs::read(&path).unwrap();
        let calls = make(&module);
        let executors = [executor(), workers()];
        let pairs = calls.iter().flat_map(|call| executors.map(|executor| (call, executor)));
        for ((component, function, arguments), executor) in pairs {
            let name = format!("`{function}` of {}", path.display());
            let started = Instant::now();
            let outcome = runtime().block_on(run(executor, component, limit, function, arguments));
            let took = started.elapsed();
            assert!(took < limit + LOAD, "{name} ran for {took:?}");
            match outcome.end {
                End::Value(_) => values += 1,
                End::Failure(failure) => {
                    let is_failure_of_guest = !failure.kind.is_infrastructure();
                    assert!(
                        is_failure_of_guest && !failure.message.is_empty(),
                        "{name}: {failure:?}"
                    );
                    *failures.entry(failure_text(&failure)).or_insert(0) += 1;
                }
            }
        }
        for executor in executors {
            runtime().block_on(assert_good(executor, &path.display().to_string()));
        }
    }
    eprintln!("{kind}: {values} values, and these failures: {failures:#?}");
}

/// Returns the paths of the modules of `kind`.
fn modules(kind: &str) -> Vec<PathBuf> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("random");
    let directory = std::env::var_os(DIRECTORY).map_or(kept, PathBuf::from).join(kind);
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

async fn run(
    executor: &Executor,
    component: &[u8],
    limit: Duration,
    function: &FunctionRef,
    arguments: &[u8],
) -> Outcome {
    let mut staged = Staged::new(component).await;
    staged.manifest.job.limits = Limits {
        timeout_ms: Some(limit.as_millis() as u64),
        memory: Some(64 << 20),
        result: Some(1 << 20),
        ..Limits::default()
    };
    staged.manifest.call.arguments = Payload::Inline(arguments.to_vec().into());
    staged.manifest.call.function = function.clone();
    staged.run(executor).await
}
