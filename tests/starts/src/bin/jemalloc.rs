//! The program of `hostile::start`, with jemalloc as its allocator.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    hostile::start::main();
}
