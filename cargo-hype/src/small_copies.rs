//! Makes short copies within the memory of a guest fast.
//!
//! LLVM compiles each copy to `memory.copy`, for which wasmtime calls a function of the host unless the length is a small
//! constant. That takes longer than most copies: strings and the elements of small vectors. So these instructions become
//! calls of a function in the module, which copies up to 32 bytes by itself.

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    BlockType, CodeSection, Function, FunctionSection, InstructionSink, MemArg, Module, NameMap,
    NameSection, TypeSection, ValType,
};
use wasmparser::{
    CodeSectionReader, FunctionBody, FunctionSectionReader, Name, Operator, Parser, Payload,
    TypeRef, TypeSectionReader,
};

/// The length up to which the function copies by itself, in bytes.
const SHORT: i32 = 32;

/// The constant length up to which wasmtime copies without a call.
const INLINED: i32 = 128;

/// The name of the function, in backtraces.
const NAME: &str = "hype_copy";

/// The parameters of the function, which are the operands of `memory.copy`.
const TO: u32 = 0;
const FROM: u32 = 1;
const LENGTH: u32 = 2;

type Result<T> = std::result::Result<T, Error>;

/// Returns `module` with the function, and with calls of it in place of its copies. A module with debug information stays as
/// it is, since that contains the positions of instructions.
///
/// # Errors
///
/// If the module is malformed.
pub fn with_fast_small_copies(module: Vec<u8>) -> Result<Vec<u8>> {
    if has_debug_information(&module)? {
        return Ok(module);
    }
    let mut copies = SmallCopies { function: count_functions(&module)?, function_type: 0 };
    let mut changed = Module::new();
    copies.parse_core_module(&mut changed, Parser::new(0), &module)?;
    Ok(changed.finish())
}

fn has_debug_information(module: &[u8]) -> Result<bool> {
    for payload in Parser::new(0).parse_all(module) {
        if matches!(payload?, Payload::CustomSection(section) if section.name().starts_with(".debug_"))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the number of functions that `module` imports and defines.
fn count_functions(module: &[u8]) -> Result<u32> {
    let mut count = 0;
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    count += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::FunctionSection(functions) => count += functions.count(),
            _ => {}
        }
    }
    Ok(count)
}

struct SmallCopies {
    /// The index of the new function.
    function: u32,
    /// The index of its type.
    function_type: u32,
}

impl Reencode for SmallCopies {
    type Error = std::convert::Infallible;

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: TypeSectionReader<'_>,
    ) -> Result<()> {
        self.function_type = section.clone().into_iter().try_fold(0, |count, group| {
            let types = group?.into_types().len();
            Ok::<_, Error>(count + u32::try_from(types).unwrap_or(u32::MAX))
        })?;
        utils::parse_type_section(self, types, section)?;
        types.ty().function([ValType::I32; 3], []);
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<()> {
        utils::parse_function_section(self, functions, section)?;
        functions.function(self.function_type);
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<()> {
        utils::parse_code_section(self, code, section)?;
        code.function(&copy());
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<()> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        let mut is_inlined = false;
        for operator in body.get_operators_reader()? {
            let operator = operator?;
            if matches!(operator, Operator::MemoryCopy { dst_mem: 0, src_mem: 0 }) && !is_inlined {
                function.instructions().call(self.function);
                continue;
            }
            is_inlined =
                matches!(operator, Operator::I32Const { value } if (0..=INLINED).contains(&value));
            function.instruction(&self.instruction(operator)?);
        }
        code.function(&function);
        Ok(())
    }

    fn parse_custom_name_subsection(
        &mut self,
        names: &mut NameSection,
        section: Name<'_>,
    ) -> Result<()> {
        let Name::Function(functions) = section else {
            return utils::parse_custom_name_subsection(self, names, section);
        };
        let mut changed = NameMap::new();
        for function in functions {
            let function = function?;
            changed.append(function.index, function.name);
        }
        changed.append(self.function, NAME);
        names.functions(&changed);
        Ok(())
    }
}

/// Returns the function that copies. It reads all bytes of a short copy before it writes the first, since source and
/// destination may overlap.
fn copy() -> Function {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    if_at_least(&mut code, 8, |code| {
        if_at_least(code, SHORT + 1, |code| {
            code.local_get(TO).local_get(FROM).local_get(LENGTH).memory_copy(0, 0);
        });
        if_at_least(code, 16, |code| copy_first_and_last(code, Access::Bytes16));
        copy_first_and_last(code, Access::Bytes8);
    });
    if_at_least(&mut code, 4, |code| copy_first_and_last(code, Access::Bytes4));
    if_at_least(&mut code, 2, |code| copy_first_and_last(code, Access::Bytes2));
    if_at_least(&mut code, 1, |code| {
        code.local_get(TO).local_get(FROM).i32_load8_u(ANYWHERE).i32_store8(ANYWHERE);
    });
    code.end();
    function
}

/// Writes code that runs `then` and returns if there are at least `length` bytes.
fn if_at_least(
    code: &mut InstructionSink<'_>,
    length: i32,
    then: impl FnOnce(&mut InstructionSink<'_>),
) {
    code.local_get(LENGTH).i32_const(length).i32_ge_u().if_(BlockType::Empty);
    then(code);
    code.return_().end();
}

/// Writes code that copies the first and the last bytes, which overlap unless there are twice as many as in one access.
fn copy_first_and_last(code: &mut InstructionSink<'_>, access: Access) {
    let at_end = |code: &mut InstructionSink<'_>, pointer| {
        let size = access as i32;
        code.local_get(pointer).local_get(LENGTH).i32_add().i32_const(size).i32_sub();
    };
    code.local_get(TO).local_get(FROM);
    access.load(code);
    at_end(code, TO);
    at_end(code, FROM);
    access.load(code);
    access.store(code);
    access.store(code);
}

/// An access to memory without an offset, at any alignment.
const ANYWHERE: MemArg = MemArg { offset: 0, align: 0, memory_index: 0 };

/// The size of an access to memory.
#[derive(Clone, Copy)]
enum Access {
    Bytes2 = 2,
    Bytes4 = 4,
    Bytes8 = 8,
    Bytes16 = 16,
}

impl Access {
    fn load(self, code: &mut InstructionSink<'_>) {
        match self {
            Self::Bytes2 => code.i32_load16_u(ANYWHERE),
            Self::Bytes4 => code.i32_load(ANYWHERE),
            Self::Bytes8 => code.i64_load(ANYWHERE),
            Self::Bytes16 => code.v128_load(ANYWHERE),
        };
    }

    fn store(self, code: &mut InstructionSink<'_>) {
        match self {
            Self::Bytes2 => code.i32_store16(ANYWHERE),
            Self::Bytes4 => code.i32_store(ANYWHERE),
            Self::Bytes8 => code.i64_store(ANYWHERE),
            Self::Bytes16 => code.v128_store(ANYWHERE),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(body: &str) -> String {
        let module = format!("(module (memory 1) (func $f (param i32 i32 i32) {body}))");
        let changed = with_fast_small_copies(wat::parse_str(module).unwrap()).unwrap();
        wasmparser::validate(&changed).unwrap();
        let instructions = Parser::new(0).parse_all(&changed).find_map(|payload| {
            let Payload::CodeSectionEntry(body) = payload.unwrap() else { return None };
            let operators = body.get_operators_reader().unwrap();
            Some(operators.into_iter().map(|it| format!("{:?} ", it.unwrap())).collect())
        });
        instructions.unwrap()
    }

    #[test]
    fn only_copies_of_unknown_or_large_lengths_become_calls() {
        let operands = "local.get 0 local.get 1";
        for (length, is_call) in
            [("local.get 2", true), ("i32.const 129", true), ("i32.const 128", false)]
        {
            let changed = changed(&format!("{operands} {length} memory.copy"));
            assert_eq!(changed.contains("Call { function_index: 1 }"), is_call, "{changed}");
            assert_eq!(changed.contains("MemoryCopy"), !is_call, "{changed}");
        }
    }

    #[test]
    fn module_with_debug_information_stays_as_it_is() {
        let module = r#"(module (memory 1) (@custom ".debug_line" "") (func
            i32.const 0 i32.const 0 i32.const 200 memory.copy))"#;
        let module = wat::parse_str(module).unwrap();
        assert_eq!(with_fast_small_copies(module.clone()).unwrap(), module);
    }

    #[test]
    fn malformed_module_is_an_error() {
        assert!(with_fast_small_copies(b"\0asm\x01\0\0\0\x01".to_vec()).is_err());
    }
}
