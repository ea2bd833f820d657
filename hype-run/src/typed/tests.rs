//! Components whose functions return their argument, or show how it is in their memory.

use std::collections::HashMap;

use hype_wire::{Bytes, EncodedValue, WitType, codec};
use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Config, Engine, Store};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Resolve, WorldItem};

use super::*;

#[path = "../../../tests/fuzz/src/wit/choices.rs"]
mod choices;

use choices::{Choices, signature};

/// The address of what `image` returns: the core values of the parameters, and then all allocations.
const IMAGE: usize = 1024;

/// A component with two functions of a type: `echo` returns its argument, and `image` the memory that holds it.
struct Guest {
    store: Store<()>,
    echo: Func,
    image: Func,
}

impl Guest {
    fn new(engine: &Engine, component: &Component) -> Self {
        let mut store = Store::new(engine, ());
        let instance = Linker::new(engine).instantiate(&mut store, component).unwrap();
        let (_, interface) = instance.get_export(&mut store, None, "test:t/types").unwrap();
        let mut function = |name| {
            let (_, index) = instance.get_export(&mut store, Some(&interface), name).unwrap();
            instance.get_func(&mut store, index).unwrap()
        };
        let (echo, image) = (function("echo"), function("image"));
        Self { store, echo, image }
    }

    fn call(&mut self, function: Func, signature: Signature, arguments: &[u8]) -> Vec<u8> {
        let signature = Arc::new(signature);
        let arguments = transport::Arguments::Bytes(arguments);
        let called = call(&mut self.store, function, &signature, arguments);
        match futures::executor::block_on(called).unwrap() {
            Returned::Value(value) => value,
            Returned::Error(error) => panic!("{error:?}"),
        }
    }
}

/// Encodes a component whose functions have parameters of the type `of`.
fn component(of: &WitType) -> Vec<u8> {
    let mut declarations = String::new();
    let of = declared(of, &mut declarations);
    let wit = format!(
        "package test:t; interface types {{ {declarations} echo: func(x: list<{of}>) -> list<{of}>; \
         image: func(x: {of}) -> list<u8>; }} world w {{ export types; }}"
    );
    let mut resolve = Resolve::default();
    let package =
        resolve.push_str("t.wit", &wit).unwrap_or_else(|error| panic!("{error:#}: {wit}"));
    let world = resolve.select_world(&[package], None).unwrap();
    let (_, export) = resolve.worlds[world].exports.first().unwrap();
    let WorldItem::Interface { id, .. } = export else { panic!("{export:?}") };
    let image = &resolve.interfaces[*id].functions["image"];
    let core = resolve.wasm_signature(AbiVariant::GuestExport, image);
    let (mut parameters, mut stores) = (String::new(), String::new());
    for (index, of) in core.params.iter().enumerate() {
        let (of, convert) = match of {
            WasmType::I32 | WasmType::Pointer | WasmType::Length => ("i32", "i64.extend_i32_u"),
            WasmType::I64 | WasmType::PointerOrI64 => ("i64", ""),
            WasmType::F32 => ("f32", "i32.reinterpret_f32 i64.extend_i32_u"),
            WasmType::F64 => ("f64", "i64.reinterpret_f64"),
        };
        parameters += &format!("(param {of})");
        let at = IMAGE + 8 * index;
        stores += &format!("i32.const {at} local.get {index} {convert} i64.store\n");
    }
    let heap = IMAGE + 8 * 16;
    let module = wat::parse_str(format!(
        r#"(module (memory (export "memory") 64) (global $heap (mut i32) (i32.const {heap}))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
            global.get $heap local.get 2 i32.add i32.const 1 i32.sub
            i32.const 0 local.get 2 i32.sub i32.and local.tee $at
            local.get 3 i32.add global.set $heap
            loop memory.size i32.const 16 i32.shl global.get $heap i32.lt_u
              if i32.const 256 memory.grow i32.const -1 i32.eq if unreachable end br 1 end end
            local.get $at)
          (func (export "test:t/types#echo") (param i32 i32) (result i32)
            i32.const 8 local.get 0 i32.store i32.const 12 local.get 1 i32.store i32.const 8)
          (func (export "test:t/types#image") {parameters} (result i32)
            {stores}
            i32.const 8 i32.const {IMAGE} i32.store
            i32.const 12 global.get $heap i32.const {IMAGE} i32.sub i32.store i32.const 8))"#
    ));
    let mut module = module.unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// Returns the type in WIT, and appends the declarations of its named types.
fn declared(of: &WitType, out: &mut String) -> String {
    let list = |names: &[String]| names.join(", ");
    let declaration = match of {
        WitType::List(of) => return format!("list<{}>", declared(of, out)),
        WitType::Option(of) => return format!("option<{}>", declared(of, out)),
        WitType::Result { ok, err } => {
            let ok = ok.as_deref().map_or("_".to_owned(), |of| declared(of, out));
            return match err {
                Some(err) => format!("result<{ok}, {}>", declared(err, out)),
                None if ok == "_" => "result".to_owned(),
                None => format!("result<{ok}>"),
            };
        }
        WitType::Tuple(types) => {
            let types: Vec<_> = types.iter().map(|of| declared(of, out)).collect();
            return format!("tuple<{}>", list(&types));
        }
        WitType::Record(fields) => {
            let fields = fields.iter().map(|(name, of)| format!("{name}: {}", declared(of, out)));
            ("record", fields.collect::<Vec<_>>())
        }
        WitType::Variant(cases) => {
            let cases = cases.iter().map(|(name, of)| match of {
                Some(of) => format!("{name}({})", declared(of, out)),
                None => name.clone(),
            });
            ("variant", cases.collect())
        }
        WitType::Enum(names) => ("enum", names.clone()),
        WitType::Flags(names) => ("flags", names.clone()),
        scalar => return scalar.to_string(),
    };
    let (keyword, items) = declaration;
    let name = format!("t{}", out.len());
    *out += &format!("{keyword} {name} {{ {} }}\n", list(&items));
    name
}

/// Returns wasmtime's form of a value, which it converts by itself.
fn val(of: &WitType, bytes: &[u8]) -> Val {
    fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> T {
        codec::from_slice(bytes).unwrap()
    }
    let boxed = |of: &Option<Box<WitType>>, bytes: &EncodedValue| {
        of.as_deref().map(|of| Box::new(val(of, &bytes.0)))
    };
    match of {
        WitType::Bool => Val::Bool(read(bytes)),
        WitType::S8 => Val::S8(read(bytes)),
        WitType::S16 => Val::S16(read(bytes)),
        WitType::S32 => Val::S32(read(bytes)),
        WitType::S64 => Val::S64(read(bytes)),
        WitType::U8 => Val::U8(read(bytes)),
        WitType::U16 => Val::U16(read(bytes)),
        WitType::U32 => Val::U32(read(bytes)),
        WitType::U64 => Val::U64(read(bytes)),
        WitType::F32 => Val::Float32(read(bytes)),
        WitType::F64 => Val::Float64(read(bytes)),
        WitType::Char => Val::Char(read(bytes)),
        WitType::String => Val::String(read(bytes)),
        WitType::List(of) if **of == WitType::U8 => {
            Val::List(read::<Bytes>(bytes).0.into_iter().map(Val::U8).collect())
        }
        WitType::List(of) => {
            Val::List(read::<Vec<EncodedValue>>(bytes).iter().map(|it| val(of, &it.0)).collect())
        }
        WitType::Option(of) => Val::Option(match bytes {
            [0xc0] => None,
            [0xd4, 1, 1] => Some(Box::new(val(of, &[0xc0]))),
            [0xd4, 1, somes] => Some(Box::new(val(of, &[0xd4, 1, somes - 1]))),
            some => Some(Box::new(val(of, some))),
        }),
        WitType::Result { ok, err } => {
            Val::Result(match read::<Result<EncodedValue, EncodedValue>>(bytes) {
                Ok(value) => Ok(boxed(ok, &value)),
                Err(value) => Err(boxed(err, &value)),
            })
        }
        WitType::Tuple(types) => {
            let values = read::<Vec<EncodedValue>>(bytes);
            Val::Tuple(types.iter().zip(&values).map(|(of, it)| val(of, &it.0)).collect())
        }
        WitType::Record(fields) => {
            let values = read::<HashMap<String, EncodedValue>>(bytes);
            let field = |(name, of): &(String, _)| (name.clone(), val(of, &values[name].0));
            Val::Record(fields.iter().map(field).collect())
        }
        WitType::Variant(cases) => match codec::from_slice::<String>(bytes) {
            Ok(name) => Val::Variant(name, None),
            Err(_) => {
                let (name, value) =
                    read::<HashMap<String, EncodedValue>>(bytes).into_iter().next().unwrap();
                let (_, of) = cases.iter().find(|(case, _)| *case == name).unwrap();
                Val::Variant(name, of.as_ref().map(|of| Box::new(val(of, &value.0))))
            }
        },
        WitType::Enum(_) => Val::Enum(read(bytes)),
        WitType::Flags(_) => Val::Flags(read(bytes)),
        other => panic!("{other}"),
    }
}

fn engine() -> Engine {
    Engine::new(&Config::new()).unwrap()
}

/// Numbers of a deterministic random number generator: xorshift64*.
fn random_bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
    };
    (0..600).map(next).collect()
}

#[test]
fn random_types_and_values_are_passed_as_wasmtime_passes_them() {
    let engine = engine();
    for seed in 0..150 {
        let bytes = random_bytes(seed);
        let mut choices = Choices::new(&bytes);
        let of = choices.of();
        let list = WitType::List(Box::new(of.clone()));
        let component = Component::new(&engine, component(&of)).unwrap();
        for _ in 0..3 {
            let mut value = Vec::new();
            choices.value(&of, &mut value);
            let image = Signature::new(
                &[("x".to_owned(), of.clone())],
                Some(&WitType::List(Box::new(WitType::U8))),
            );
            let mut guest = Guest::new(&engine, &component);
            let function = guest.image;
            let passed = guest.call(function, image.unwrap(), &[&[0x91], &value[..]].concat());
            let passed = codec::from_slice::<Bytes>(&passed).unwrap().0;

            let Guest { mut store, image, .. } = Guest::new(&engine, &component);
            let mut results = [Val::Bool(false)];
            image.call(&mut store, &[val(&of, &value)], &mut results).unwrap();
            let [Val::List(expected)] = results else { panic!("{results:?}") };
            let byte = |it| if let Val::U8(byte) = it { byte } else { panic!("{it:?}") };
            let expected: Vec<u8> = expected.into_iter().map(byte).collect();
            assert_eq!(passed, expected, "seed {seed}: {of}");

            let mut echoed = Vec::new();
            choices.value(&list, &mut echoed);
            let mut guest = Guest::new(&engine, &component);
            let function = guest.echo;
            let returned = guest.call(function, signature(&list), &[&[0x91], &echoed[..]].concat());
            assert_eq!(returned, echoed, "seed {seed}: {list}");
        }
    }
}

/// Bytes that are copied in several parts arrive whole, in a buffer with large pages.
#[test]
fn large_bytes_are_copied_into_large_pages() {
    const SIZE: usize = (40 << 20) + 12_345;
    let engine = Engine::default();
    let component = Component::new(&engine, component(&WitType::U8)).unwrap();
    let mut guest = Guest::new(&engine, &component);
    let bytes: Vec<u8> = (0..SIZE as u32).map(|index| (index >> 8 ^ index) as u8).collect();
    let of = WitType::List(Box::new(WitType::U8));
    let signature = Signature::new(&[("x".to_owned(), of.clone())], Some(&of)).unwrap();
    let arguments = codec::to_vec(&(Bytes(bytes.clone()),)).unwrap();
    let echo = guest.echo;
    let value = guest.call(echo, signature, &arguments);
    #[cfg(target_os = "linux")]
    if std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
        let middle = value.as_ptr() as usize + SIZE / 2;
        let preferred = crate::large_pages::tests::preferred();
        assert!(preferred.iter().any(|range| range.contains(&middle)));
    }
    assert!(codec::from_vec::<Vec<u8>>(value).unwrap() == bytes);
}
