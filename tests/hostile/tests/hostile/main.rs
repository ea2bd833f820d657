//! What becomes of guests that mean harm, of altered machine code, and of whoever else means harm to an executor.

mod artefacts;
mod cache;
mod compiling;
mod files;
mod floods;
mod http;
mod shapes;
mod values;
