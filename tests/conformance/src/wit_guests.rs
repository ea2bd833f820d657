//! The component of `tests/wit-guests`, which is built without hype.

use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

use hype::Component;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

use crate::wasm_module::wasm_module;

/// Returns the component, which is built once per process.
///
/// # Panics
///
/// Panics if it doesn't compile.
pub fn wit_guests() -> Component {
    static COMPONENT: OnceLock<Component> = OnceLock::new();
    COMPONENT.get_or_init(build).clone()
}

fn build() -> Component {
    let module_path = wasm_module("wit-guests");
    let module = std::fs::read(&module_path).expect("the module's bytes");
    let encoder = ComponentEncoder::default().module(&module).and_then(|encoder| {
        encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
    });
    let bytes = encoder.and_then(|mut encoder| encoder.encode()).expect("a component");
    let target = module_path.ancestors().nth(3).expect("the target directory");
    write(&target.join("hype/wit-guests.wasm"), &bytes);
    Component::new("text.wasm", bytes).expect("a component")
}

/// Writes the component to where programs find it. Other processes may be reading it.
fn write(path: &Path, bytes: &[u8]) {
    let directory = path.parent().expect("a directory");
    std::fs::create_dir_all(directory).expect("a directory");
    let mut file = tempfile::NamedTempFile::new_in(directory).expect("a temporary file");
    file.write_all(bytes).expect("a written file");
    file.persist(path).expect("a component");
}
