//! The platforms of machine code, and the engine settings that its compiler and its runner share.

use std::fmt;
use std::str::FromStr;

use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig};

use crate::compiler::compile;
use crate::limits::{INSTANCES, MEMORIES, TABLE_ELEMENTS, TABLES};

/// A named instruction set that machine code is compiled for. Code is never compiled for the features
/// of the compiling machine, since it might not run on another machine.
///
/// # Examples
///
/// ```
/// use hype_run::Platform;
///
/// let platform: Platform = "x86_64-v3".parse()?;
/// assert_eq!(platform, Platform::X86_64V3);
/// assert_eq!(platform.name(), "x86_64-v3");
/// # Ok::<(), hype_run::UnknownPlatform>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// Any x86-64 machine of the last fifteen years, with SSE4.2 and POPCNT.
    X86_64,
    /// x86-64 with AVX2, BMI and FMA: the level `x86-64-v3` of its psABI.
    X86_64V3,
    /// Any 64-bit ARM machine.
    Aarch64,
}

const ALL: [Platform; 3] = [Platform::X86_64V3, Platform::X86_64, Platform::Aarch64];

const X86_64_FLAGS: [&str; 5] = ["has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt"];
const X86_64_V3_FLAGS: [&str; 6] =
    ["has_avx", "has_avx2", "has_fma", "has_bmi1", "has_bmi2", "has_lzcnt"];

impl Platform {
    /// Returns the most capable platform that this machine supports, if it supports any.
    pub fn here() -> Option<Self> {
        ALL.into_iter().find(|platform| platform.is_here())
    }

    /// Returns the platform's name, as manifests contain it.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::X86_64V3 => "x86_64-v3",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Returns whether this machine runs code for the platform.
    pub fn is_here(self) -> bool {
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        return match self {
            Self::X86_64 => {
                is_x86_feature_detected!("sse4.2") && is_x86_feature_detected!("popcnt")
            }
            Self::X86_64V3 => {
                Self::X86_64.is_here()
                    && is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("lzcnt")
            }
            Self::Aarch64 => false,
        };
        #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
        return cfg!(all(target_os = "linux", target_arch = "aarch64")) && self == Self::Aarch64;
    }

    /// Returns the target triple, with the C library of this program: wasmtime accepts no other. The
    /// machine code is the same for every C library.
    fn triple(self) -> &'static str {
        match (self, cfg!(target_env = "musl")) {
            (Self::X86_64 | Self::X86_64V3, false) => "x86_64-unknown-linux-gnu",
            (Self::X86_64 | Self::X86_64V3, true) => "x86_64-unknown-linux-musl",
            (Self::Aarch64, false) => "aarch64-unknown-linux-gnu",
            (Self::Aarch64, true) => "aarch64-unknown-linux-musl",
        }
    }

    fn flags(self) -> impl Iterator<Item = &'static str> {
        let (base, more): (&[_], &[_]) = match self {
            Self::X86_64 => (&X86_64_FLAGS, &[]),
            Self::X86_64V3 => (&X86_64_FLAGS, &X86_64_V3_FLAGS),
            Self::Aarch64 => (&[], &[]),
        };
        base.iter().chain(more).copied()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The kind of machine code. Code of one kind is never loaded in place of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CodeKind {
    /// Machine code that checks regularly whether it must stop. Several guests can run in one process.
    #[default]
    Checked,
    /// Machine code without checks, which is faster. A guest that was stopped in it never continues, and frees nothing
    /// until its process ends. So only processes load it that run one guest at a time: workers, and `hype-run` with one
    /// call.
    Unchecked,
}

/// The platform and the kind of machine code, which together have a name: `x86_64-v3`, `x86_64-v3-unchecked`.
///
/// # Examples
///
/// ```
/// use hype_run::{CodeKind, Platform, Target};
///
/// let target: Target = "x86_64-v3-unchecked".parse()?;
/// assert_eq!(target, Target { platform: Platform::X86_64V3, kind: CodeKind::Unchecked });
/// assert_eq!(Target::from(Platform::X86_64V3).to_string(), "x86_64-v3");
/// # Ok::<(), hype_run::UnknownPlatform>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// The platform of the machine code.
    pub platform: Platform,
    /// The kind of the machine code.
    pub kind: CodeKind,
}

/// The end of the name of a target with unchecked code.
const UNCHECKED: &str = "-unchecked";

impl From<Platform> for Target {
    /// Returns the target with checked code.
    fn from(platform: Platform) -> Self {
        Self { platform, kind: CodeKind::Checked }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind == CodeKind::Unchecked { UNCHECKED } else { "" };
        write!(f, "{}{kind}", self.platform)
    }
}

impl FromStr for Target {
    type Err = UnknownPlatform;

    fn from_str(name: &str) -> Result<Self, UnknownPlatform> {
        let (platform, kind) = match name.strip_suffix(UNCHECKED) {
            Some(platform) => (platform, CodeKind::Unchecked),
            None => (name, CodeKind::Checked),
        };
        let platform = platform.parse().map_err(|_| UnknownPlatform(name.to_owned()))?;
        Ok(Self { platform, kind })
    }
}

/// The error of a name that is not a platform of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPlatform(String);

impl fmt::Display for UnknownPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no platform `{}`", self.0)
    }
}

impl std::error::Error for UnknownPlatform {}

impl FromStr for Platform {
    type Err = UnknownPlatform;

    fn from_str(name: &str) -> Result<Self, UnknownPlatform> {
        let found = ALL.into_iter().find(|platform| platform.name() == name);
        found.ok_or_else(|| UnknownPlatform(name.to_owned()))
    }
}

/// The maximum number of concurrent guests, for which memory is reserved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slots(pub(crate) usize);

/// The numbers of memories and tables reserved for each guest. Most guests have one memory and two
/// tables; a few have more, and may use those that other guests leave.
const MEMORIES_EACH: usize = 4;
const TABLES_EACH: usize = 32;

/// The bytes of a guest's memory and of a table that are cleared in place instead of being returned to
/// the system: about as many as a small guest touches.
const KEPT_MEMORY: usize = 1 << 20;
const KEPT_TABLE: usize = 1 << 14;

/// The bytes of the memory of a guest in a worker that are cleared in place. All pages go back to the system: in a process
/// with one thread, that is faster than clearing memory that a small guest hardly touches.
const KEPT_IN_WORKER: usize = 0;

/// The maximum size of wasmtime's records of one instance, in bytes. They grow with the imports and
/// definitions of its module.
const LARGEST_INSTANCE: usize = 64 << 20;

impl Slots {
    /// Returns the number of reserved memories.
    pub(crate) fn memories(self) -> usize {
        (self.0 * MEMORIES_EACH).max(MEMORIES)
    }

    /// Returns the settings of the pool. It reserves only address space until a guest uses it. The
    /// limits of one guest are in [`crate::limits`].
    fn pool(self) -> PoolingAllocationConfig {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let each = |number: usize, at_least: usize| count((self.0 * number).max(at_least));
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(count(self.0))
            .total_stacks(count(self.0))
            .total_core_instances(each(INSTANCES, 0))
            .total_memories(count(self.memories()))
            .total_tables(each(TABLES_EACH, TABLES))
            .max_core_instances_per_component(u32::MAX)
            .max_memories_per_component(u32::MAX)
            .max_tables_per_component(u32::MAX)
            // wasmtime iterates up to these numbers when it drops a module.
            .max_memories_per_module(count(MEMORIES))
            .max_tables_per_module(count(TABLES))
            .max_component_instance_size(LARGEST_INSTANCE)
            .max_core_instance_size(LARGEST_INSTANCE)
            .table_elements(TABLE_ELEMENTS)
            .max_unused_warm_slots(each(TABLES_EACH, 0))
            // A scan misses written pages that the kernel is moving, which the next guest would find.
            .pagemap_scan(Enabled::No)
            .linear_memory_keep_resident(KEPT_MEMORY)
            .table_keep_resident(KEPT_TABLE);
        pool
    }
}

/// Creates the engine for `platform`, or for the features of this machine if it is none of our platforms.
/// With `slots`, the engine reserves memory for that many guests.
pub(crate) fn engine(
    platform: Option<Platform>,
    kind: CodeKind,
    slots: Option<Slots>,
) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    // wasmtime rejects machine code that was compiled with another value of this setting.
    config.epoch_interruption(kind == CodeKind::Checked);
    // A closure returns the same value on every machine, at least under a seed.
    config.relaxed_simd_deterministic(true);
    // Wasm backtraces don't need it.
    config.native_unwind_info(false);
    if let Some(slots) = slots {
        let mut pool = slots.pool();
        if kind == CodeKind::Unchecked {
            pool.linear_memory_keep_resident(KEPT_IN_WORKER);
        }
        config.allocation_strategy(pool);
    }
    config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable);
    // Gives access to the instances of a guest that trapped; it writes no file.
    config.coredump_on_trap(true);
    if let Some(platform) = platform {
        config.target(platform.triple())?;
        for flag in platform.flags() {
            // SAFETY: each flag is a feature that every machine of the platform has, and wasmtime checks
            // that this machine has it before it runs any code.
            unsafe { config.cranelift_flag_enable(flag) };
        }
    }
    Engine::new(&config)
}

/// Compiles the component in `bytes` to machine code for `target`.
///
/// # Errors
///
/// When the bytes are not a component, this program has no compiler for the platform, or no threads can be started.
///
/// # Examples
///
/// ```
/// use hype_run::{Platform, precompile};
///
/// let empty_component = b"\0asm\x0d\0\x01\0";
/// if let Some(platform) = Platform::here() {
///     let machine_code = precompile(empty_component, platform)?;
///     assert!(machine_code.starts_with(b"\x7fELF"));
/// }
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
pub fn precompile(
    bytes: &[u8],
    target: impl Into<Target>,
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let Target { platform, kind } = target.into();
    compile(Some(platform), kind, bytes)?.map_err(wasmtime::Error::into_boxed_dyn_error)
}

/// Returns a hash of everything besides the component that machine code for `target` depends on.
/// Machine code with another fingerprint cannot be loaded.
///
/// # Errors
///
/// When this program has no compiler for the platform.
pub fn fingerprint(
    target: impl Into<Target>,
) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let Target { platform, kind } = target.into();
    let engine =
        engine(Some(platform), kind, None).map_err(wasmtime::Error::into_boxed_dyn_error)?;
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_name_parses_to_the_platform() {
        for platform in ALL {
            assert_eq!(platform.to_string().parse(), Ok(platform));
        }
        let error = "vax".parse::<Platform>().unwrap_err();
        assert_eq!(error.to_string(), "there is no platform `vax`");
    }

    #[test]
    #[cfg(feature = "all-platforms")]
    fn component_compiles_for_every_platform() {
        let empty = b"\0asm\x0d\0\x01\0";
        for platform in ALL {
            let code = precompile(empty, platform).unwrap();
            assert!(code.starts_with(b"\x7fELF"), "{platform}");
        }
    }

    #[test]
    fn fingerprint_is_stable_and_unique_to_its_platform() {
        let Some(here) = Platform::here() else {
            return;
        };
        let fingerprint = |platform| super::fingerprint(platform).unwrap();
        assert_eq!(fingerprint(here), fingerprint(here));
        if here == Platform::X86_64V3 {
            assert_ne!(fingerprint(here), fingerprint(Platform::X86_64));
        }
    }

    #[test]
    fn relaxed_simd_has_the_same_results_on_all_platforms() {
        // The factors' product isn't representable: its error is the result of a fused operation, and zero without one.
        // The lanes of the others are outside of what all processors agree on.
        let module = r#"(module
            (func (export "madd") (result i64)
                v128.const f64x2 134217729 0
                v128.const f64x2 134217729 0
                v128.const f64x2 -18014398777917440 0
                f64x2.relaxed_madd
                i64x2.extract_lane 0)
            (func (export "swizzle") (result i64)
                v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
                v128.const i8x16 16 31 127 128 255 0 1 2 0 0 0 0 0 0 0 0
                i8x16.relaxed_swizzle
                i64x2.extract_lane 0)
            (func (export "trunc") (result i64)
                v128.const f32x4 nan 3e10 -3e10 1
                i32x4.relaxed_trunc_f32x4_s
                i64x2.extract_lane 0)
            (func (export "min") (result i64)
                v128.const f64x2 -0 0
                v128.const f64x2 0 0
                f64x2.relaxed_min
                i64x2.extract_lane 0))"#;
        let module = wat::parse_str(module).unwrap();
        for platform in ALL.into_iter().filter(|platform| platform.is_here()) {
            let engine = engine(Some(platform), CodeKind::Unchecked, None).unwrap();
            let module = wasmtime::Module::new(&engine, &module).unwrap();
            let mut store = wasmtime::Store::new(&engine, ());
            let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
            let mut call = |name| {
                let function = instance.get_typed_func::<(), i64>(&mut store, name).unwrap();
                function.call(&mut store, ()).unwrap()
            };
            assert_eq!(call("madd"), 1f64.to_bits().cast_signed(), "{platform}");
            assert_eq!(call("swizzle"), 0x0302_0100_0000_0000, "{platform}");
            assert_eq!(call("trunc"), 0x7fff_ffff_0000_0000, "{platform}");
            assert_eq!(call("min"), (-0f64).to_bits().cast_signed(), "{platform}");
        }
    }

    #[test]
    fn fingerprints_of_the_kinds_of_code_differ() {
        let Some(platform) = Platform::here() else {
            return;
        };
        let unchecked = Target { platform, kind: CodeKind::Unchecked };
        assert_ne!(fingerprint(platform).unwrap(), fingerprint(unchecked).unwrap());
    }

    #[test]
    fn target_name_parses_to_the_target() {
        for platform in ALL {
            for kind in [CodeKind::Checked, CodeKind::Unchecked] {
                let target = Target { platform, kind };
                assert_eq!(target.to_string().parse(), Ok(target));
            }
        }
        assert!("vax-unchecked".parse::<Target>().is_err());
    }
}
