//! The system calls that seccomp denies to a command: a deny-list like Flatpak's, and sockets.
//!
//! Unix sockets are denied with and without a network grant, since a daemon of this machine that listens on one acts
//! with its own rights. Pairs of connected sockets are allowed, except for datagram sockets, which can send to any
//! address.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libc::{c_int, c_long, c_ulong};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, sock_filter,
};

/// The filters of all commands, compiled on first use.
pub(super) static FILTERS: LazyLock<Result<Filters, String>> =
    LazyLock::new(|| Filters::new().map_err(|error| error.to_string()));

/// The BPF programs of one filter, which are installed in this order.
pub(super) type Programs = [BpfProgram; 2];

/// The filters of commands with and without a network grant.
pub(super) struct Filters {
    without_network: Programs,
    with_network: Programs,
}

impl Filters {
    fn new() -> Result<Self, BackendError> {
        let programs = |has_network| -> Result<Programs, BackendError> {
            let denied = program(denied(has_network)?, libc::EPERM)?;
            Ok([denied, program(absent(), libc::ENOSYS)?])
        };
        Ok(Self { without_network: programs(false)?, with_network: programs(true)? })
    }

    pub(super) fn get(&self, has_network: bool) -> &Programs {
        if has_network { &self.with_network } else { &self.without_network }
    }
}

/// Rules by the number of the system call. A call without rules always matches; otherwise one of its rules must match.
type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

fn program(rules: Rules, errno: c_int) -> Result<BpfProgram, BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let action = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch)?;
    let mut program = deny_x32();
    program.extend(BpfProgram::try_from(filter)?);
    Ok(program)
}

/// Denies the system calls of x32, an ABI of x86-64 whose separate numbers the rules don't contain.
pub(crate) fn deny_x32() -> BpfProgram {
    const X32: u32 = 0x4000_0000;
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let jump = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
    let end = (libc::BPF_RET | libc::BPF_K) as u16;
    vec![
        sock_filter { code: load, jt: 0, jf: 0, k: 0 },
        sock_filter { code: jump, jt: 0, jf: 1, k: X32 },
        sock_filter {
            code: end,
            jt: 0,
            jf: 0,
            k: libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs(),
        },
    ]
}

/// Returns the rules for system calls that fail with `ENOSYS`, so that programs treat them as unsupported. `clone3` is
/// one of them, since a filter can't read its flags, which are in memory; programs then call `clone`.
fn absent() -> Rules {
    const ABSENT: &[c_long] = &[
        libc::SYS_clone3,
        libc::SYS_open_tree,
        libc::SYS_move_mount,
        libc::SYS_fsopen,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fspick,
        libc::SYS_mount_setattr,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
    ];
    ABSENT.iter().map(|call| (*call, Vec::new())).collect()
}

/// The system calls that give access to the kernel or to other processes, and that commands don't need.
const DENIED: &[c_long] = &[
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_fanotify_init,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // Keys, which all processes of a user share.
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    // Parts of the kernel with a large attack surface.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_mbind,
    libc::SYS_get_mempolicy,
    libc::SYS_set_mempolicy,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    // Settings of the machine.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
];

#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[c_long] = &[
    libc::SYS_kexec_file_load,
    libc::SYS_modify_ldt,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_uselib,
    libc::SYS__sysctl,
];

#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[c_long] = &[];

/// The requests of `ioctl` that insert input into a terminal.
const TYPING: &[c_ulong] = &[libc::TIOCSTI as c_ulong, libc::TIOCLINUX as c_ulong];

const NAMESPACES: &[c_int] = &[
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

fn denied(has_network: bool) -> Result<Rules, BackendError> {
    let mut rules: Rules =
        DENIED.iter().chain(DENIED_HERE).map(|call| (*call, Vec::new())).collect();
    let typing = TYPING.iter().map(|request| one(argument(1, *request)?));
    rules.insert(libc::SYS_ioctl, typing.collect::<Result<_, _>>()?);
    let namespaces = NAMESPACES.iter().map(|flag| one(bits(0, *flag, *flag)?));
    rules.insert(libc::SYS_clone, namespaces.collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_personality, vec![other_personalities()?]);
    rules.insert(libc::SYS_socket, if has_network { not_internet()? } else { Vec::new() });
    rules.insert(libc::SYS_socketpair, addressable_pairs()?);
    Ok(rules)
}

/// Returns rules that match all sockets except for TCP and UDP sockets, and netlink sockets that read the machine's
/// interfaces and routes.
fn not_internet() -> Result<Vec<SeccompRule>, BackendError> {
    let other = |family: c_int| condition(0, SeccompCmpOp::Ne, family.unsigned_abs().into());
    let others = [other(libc::AF_INET)?, other(libc::AF_INET6)?, other(libc::AF_NETLINK)?];
    // The bits above the type contain flags.
    let raw = bits(1, 0xf, libc::SOCK_RAW)?;
    let mut rules = vec![SeccompRule::new(others.into())?];
    for family in [libc::AF_INET, libc::AF_INET6] {
        let family = condition(0, SeccompCmpOp::Eq, family.unsigned_abs().into())?;
        rules.push(SeccompRule::new(vec![family, raw.clone()])?);
    }
    let netlink = condition(0, SeccompCmpOp::Eq, libc::AF_NETLINK.unsigned_abs().into())?;
    let protocol = condition(2, SeccompCmpOp::Ne, libc::NETLINK_ROUTE.unsigned_abs().into())?;
    rules.push(SeccompRule::new(vec![netlink, protocol])?);
    Ok(rules)
}

/// Returns rules that match `socketpair` calls whose sockets could send to other addresses.
fn addressable_pairs() -> Result<Vec<SeccompRule>, BackendError> {
    let other = condition(0, SeccompCmpOp::Ne, libc::AF_UNIX.unsigned_abs().into())?;
    let datagrams = [libc::SOCK_DGRAM, libc::SOCK_RAW].map(|kind| one(bits(1, 0xf, kind)?));
    std::iter::once(one(other)).chain(datagrams).collect()
}

/// Returns a rule that matches a change to another personality, which may have other system calls or less protection of
/// memory. It doesn't match a query of the current personality.
fn other_personalities() -> Result<SeccompRule, BackendError> {
    const QUESTION: u64 = 0xffff_ffff;
    let usual = condition(0, SeccompCmpOp::Ne, 0)?;
    SeccompRule::new(vec![usual, condition(0, SeccompCmpOp::Ne, QUESTION)?])
}

fn one(condition: SeccompCondition) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![condition])
}

fn condition(
    argument: u8,
    comparison: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, BackendError> {
    // The kernel only reads the lower 32 bits of these arguments.
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, comparison, value)
}

fn argument(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    condition(argument, SeccompCmpOp::Eq, value)
}

/// Returns a condition that matches if the bits of the argument in `mask` equal `value`.
fn bits(argument: u8, mask: c_int, value: c_int) -> Result<SeccompCondition, BackendError> {
    let (mask, value) = (mask.cast_unsigned().into(), value.cast_unsigned().into());
    condition(argument, SeccompCmpOp::MaskedEq(mask), value)
}
