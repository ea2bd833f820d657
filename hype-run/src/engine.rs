//! What machine code is made for and how: the same settings wherever it is made and run.

use std::fmt;
use std::str::FromStr;

use wasmtime::{Config, Engine, PoolingAllocationConfig};

use crate::limits::{INSTANCES, MEMORIES, TABLE_ELEMENTS, TABLES};

/// An instruction set that machine code is made for, always a named one: code for just the
/// machine that compiles might not run where it is sent.
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
    /// The best platform that this machine is, unless it is none of them.
    pub fn here() -> Option<Self> {
        ALL.into_iter().find(|platform| platform.is_here())
    }

    /// Its name, as it stands in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::X86_64V3 => "x86_64-v3",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Whether code for it runs on this machine.
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

    /// Code is the same for every C library, and is loaded whichever it was made for; but wasmtime runs
    /// none in an engine for another than this program's own.
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

/// A name of no platform that this version knows.
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

/// How many guests there are at most at once, for whom room is set aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slots(pub(crate) usize);

/// How many memories and tables are set aside for each guest. Most have one memory and two tables; a few
/// have more, and may have those that others don't use.
const MEMORIES_EACH: usize = 4;
const TABLES_EACH: usize = 32;

/// How much of a guest's memory and tables is cleared where it is, rather than given back and asked for
/// again: about what a small one touches.
const KEPT_MEMORY: usize = 1 << 20;
const KEPT_TABLE: usize = 1 << 14;

/// How large the records of one instance may be, which grow with what its module imports and defines.
const LARGEST_INSTANCE: usize = 64 << 20;

impl Slots {
    /// How many memories there is room for.
    pub(crate) fn memories(self) -> usize {
        (self.0 * MEMORIES_EACH).max(MEMORIES)
    }

    /// The room: all of it is address space alone, until a guest comes by. How much one guest may have
    /// is for [`crate::limits`] to say.
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
            // When a module goes, wasmtime counts up to this.
            .max_memories_per_module(count(MEMORIES))
            .max_tables_per_module(count(TABLES))
            .max_component_instance_size(LARGEST_INSTANCE)
            .max_core_instance_size(LARGEST_INSTANCE)
            .table_elements(TABLE_ELEMENTS)
            .max_unused_warm_slots(each(TABLES_EACH, 0))
            .linear_memory_keep_resident(KEPT_MEMORY)
            .table_keep_resident(KEPT_TABLE);
        pool
    }
}

/// The engine for `platform`, or for just this machine when it is no platform of ours; with `slots` one
/// that sets room aside for that many guests.
pub(crate) fn engine(platform: Option<Platform>, slots: Option<Slots>) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // Backtraces do without, and debuggers of native code have nothing to look for here.
    config.native_unwind_info(false);
    if let Some(slots) = slots {
        config.allocation_strategy(slots.pool());
    }
    config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable);
    // Nothing is written: by it the instances of a guest that trapped can be looked at.
    config.coredump_on_trap(true);
    if let Some(platform) = platform {
        config.target(platform.triple())?;
        for flag in platform.flags() {
            // SAFETY: the flags say what the platform's machines can do, as its name promises, and
            // wasmtime makes sure that this machine can too before it runs any code.
            unsafe { config.cranelift_flag_enable(flag) };
        }
    }
    Engine::new(&config)
}

/// Machine code of the component in `bytes`, for [`Platform`] `platform`.
///
/// # Errors
///
/// When it isn't a component, or this program has no compiler for the platform.
pub fn precompile(
    bytes: &[u8],
    platform: Platform,
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    engine(Some(platform), None)
        .and_then(|engine| engine.precompile_component(bytes))
        .map_err(wasmtime::Error::into_boxed_dyn_error)
}

/// What machine code for `platform` depends on besides the component: code made under another
/// fingerprint cannot be loaded.
///
/// # Errors
///
/// When this program has no compiler for the platform.
pub fn fingerprint(platform: Platform) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let engine = engine(Some(platform), None).map_err(wasmtime::Error::into_boxed_dyn_error)?;
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_read_what_they_write() {
        for platform in ALL {
            assert_eq!(platform.to_string().parse(), Ok(platform));
        }
        let error = "vax".parse::<Platform>().unwrap_err();
        assert_eq!(error.to_string(), "there is no platform `vax`");
    }

    #[test]
    #[cfg(feature = "all-platforms")]
    fn code_is_made_for_every_platform_here() {
        let empty = b"\0asm\x0d\0\x01\0";
        for platform in ALL {
            let code = precompile(empty, platform).unwrap();
            assert!(code.starts_with(b"\x7fELF"), "{platform}");
        }
    }

    #[test]
    fn a_platform_has_one_fingerprint_and_no_other_has_it() {
        let Some(here) = Platform::here() else {
            return;
        };
        let fingerprint = |platform| super::fingerprint(platform).unwrap();
        assert_eq!(fingerprint(here), fingerprint(here));
        if here == Platform::X86_64V3 {
            assert_ne!(fingerprint(here), fingerprint(Platform::X86_64));
        }
    }
}
