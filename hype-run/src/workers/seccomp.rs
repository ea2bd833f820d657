//! The system calls that a worker may make: those of memory, of its threads, of its channel and of files. It can't create
//! sockets, processes, executable memory or shared memory, and can't reach another process.

use std::collections::BTreeMap;
use std::io;
use std::sync::LazyLock;

use libc::{c_int, c_long};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use crate::process::deny_x32;

/// The filters, which are installed in this order. The fork server compiles them, once for all workers.
static PROGRAMS: LazyLock<Result<[BpfProgram; 2], String>> = LazyLock::new(|| {
    let programs = || Ok([absent()?, allowed()?]);
    programs().map_err(|error: BackendError| error.to_string())
});

/// Compiles the filters.
pub(super) fn compile() {
    LazyLock::force(&PROGRAMS);
}

/// Installs the filters in this process, which must have one thread.
pub(super) fn install() -> io::Result<()> {
    let programs = PROGRAMS.as_ref().map_err(|error| io::Error::other(error.as_str()))?;
    programs.iter().try_for_each(|it| seccompiler::apply_filter(it).map_err(io::Error::other))
}

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Returns the filter of system calls that fail with `ENOSYS`. The C library then calls `clone`, whose flags a filter
/// can read.
fn absent() -> Result<BpfProgram, BackendError> {
    let rules = Rules::from([(libc::SYS_clone3, Vec::new())]);
    program(rules, SeccompAction::Allow, error(libc::ENOSYS))
}

fn allowed() -> Result<BpfProgram, BackendError> {
    let mut rules: Rules = ALLOWED.iter().chain(HERE).map(|call| (*call, Vec::new())).collect();
    let thread = libc::CLONE_THREAD | libc::CLONE_VM;
    rules.insert(libc::SYS_clone, vec![rule(bits(0, thread, thread)?)?]);
    let not_executable = || bits(2, libc::PROT_EXEC, 0);
    // Shared memory would outlast its mappings, and no limit counts it.
    let private = bits(3, libc::MAP_SHARED | libc::MAP_PRIVATE, libc::MAP_PRIVATE)?;
    rules.insert(libc::SYS_mmap, vec![SeccompRule::new(vec![not_executable()?, private])?]);
    rules.insert(libc::SYS_mprotect, vec![rule(not_executable()?)?]);
    rules.insert(libc::SYS_fcntl, any_of(1, FCNTL)?);
    rules.insert(libc::SYS_ioctl, any_of(1, IOCTL)?);
    rules.insert(libc::SYS_prctl, any_of(0, PRCTL)?);
    // A query of a limit, not a change.
    let is_query = SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![rule(is_query)?]);
    program(rules, error(libc::EPERM), SeccompAction::Allow)
}

fn program(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let mut program = deny_x32();
    program.extend(BpfProgram::try_from(SeccompFilter::new(rules, otherwise, matched, arch)?)?);
    Ok(program)
}

fn error(errno: c_int) -> SeccompAction {
    SeccompAction::Errno(errno.unsigned_abs())
}

fn any_of(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>, BackendError> {
    let equal = |value: &u64| {
        // The kernel only reads the lower 32 bits of these arguments.
        rule(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *value)?)
    };
    values.iter().map(equal).collect()
}

fn bits(argument: u8, mask: c_int, value: c_int) -> Result<SeccompCondition, BackendError> {
    let (mask, value) = (mask.cast_unsigned().into(), value.cast_unsigned().into());
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
}

fn rule(condition: SeccompCondition) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![condition])
}

/// Without those that set an owner or a signal of a file, which would signal other processes.
const FCNTL: &[u64] = &[
    libc::F_DUPFD as u64,
    libc::F_DUPFD_CLOEXEC as u64,
    libc::F_GETFD as u64,
    libc::F_SETFD as u64,
    libc::F_GETFL as u64,
    libc::F_SETFL as u64,
];

const FIONBIO: u64 = 0x5421;
const FIOCLEX: u64 = 0x5451;

const IOCTL: &[u64] = &[FIONBIO, FIOCLEX];

/// Names of threads and of memory.
const PRCTL: &[u64] = &[libc::PR_SET_NAME as u64, libc::PR_SET_VMA as u64];

const ALLOWED: &[c_long] = &[
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Threads and signals of this process.
    libc::SYS_clone3,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_membarrier,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    // Time and random numbers.
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    // The channel, and waiting.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_ppoll,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    // Files.
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_fdatasync,
    libc::SYS_fstat,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_geteuid,
    libc::SYS_linkat,
    libc::SYS_lseek,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_statx,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    libc::SYS_write,
    libc::SYS_writev,
];

#[cfg(target_arch = "x86_64")]
const HERE: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_link,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_stat,
    libc::SYS_symlink,
    libc::SYS_unlink,
];

#[cfg(not(target_arch = "x86_64"))]
const HERE: &[c_long] = &[];
