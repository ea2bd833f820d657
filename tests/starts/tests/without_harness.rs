//! A test program with its own `main`. It lists its only test as nextest asks for it.

fn main() {
    let has = |name: &str| std::env::args().any(|argument| argument == name);
    match (has("--list"), has("--ignored")) {
        (true, true) => {}
        (true, false) => println!("without_harness: test"),
        (false, _) => {
            starts::assert_worker();
            println!("without_harness has workers");
        }
    }
}
