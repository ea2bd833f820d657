//! A program that makes one call, and prints where it ran. `tests/end-to-end/worker-starts` builds it in many ways.

fn main() {
    #[cfg(target_os = "linux")]
    hostile::start::main();
}
