//! Finds out which users of this machine can change a file or a directory.

use std::fmt;
use std::fs::Metadata;

/// A reason not to trust a file or directory: another user of this machine can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Distrust {
    /// Another user, with this id, owns it.
    OtherOwner(u32),
    /// The members of the group with this id may write to it.
    GroupWritable(u32),
    /// Every user may write to it.
    WorldWritable,
}

impl Distrust {
    /// Returns why a user other than root and the one that runs this process can change what `metadata` describes;
    /// `None` where only these two can, and on systems without Unix permissions.
    ///
    /// A group whose id is the owner's user id is taken for that user's private group, which many systems create.
    pub fn of(metadata: &Metadata) -> Option<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let user = rustix::process::geteuid().as_raw();
            let (owner, group, mode) = (metadata.uid(), metadata.gid(), metadata.mode());
            Self::judge(user, (owner, group), mode)
        }
        #[cfg(not(unix))]
        {
            let _ = metadata;
            None
        }
    }

    #[cfg(unix)]
    fn judge(user: u32, (owner, group): (u32, u32), mode: u32) -> Option<Self> {
        if owner != user && owner != 0 {
            return Some(Self::OtherOwner(owner));
        }
        if mode & 0o002 != 0 {
            return Some(Self::WorldWritable);
        }
        (mode & 0o020 != 0 && group != owner).then_some(Self::GroupWritable(group))
    }
}

/// Completes the sentence "the directory /a ..".
impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherOwner(owner) => write!(f, "belongs to another user (id {owner})"),
            Self::GroupWritable(group) => write!(f, "may be written to by the group {group}"),
            Self::WorldWritable => f.write_str("may be written to by every user"),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn owner_or_writer_other_than_the_user_and_root_is_distrusted() {
        for (ids, mode, distrust) in [
            ((1000, 1000), 0o700, None),
            ((1000, 1000), 0o775, None),
            ((1000, 100), 0o755, None),
            ((0, 0), 0o755, None),
            ((1000, 100), 0o775, Some(Distrust::GroupWritable(100))),
            ((0, 50), 0o775, Some(Distrust::GroupWritable(50))),
            ((1000, 1000), 0o1777, Some(Distrust::WorldWritable)),
            ((1001, 1001), 0o700, Some(Distrust::OtherOwner(1001))),
        ] {
            assert_eq!(Distrust::judge(1000, ids, mode), distrust, "{ids:?} {mode:o}");
        }
    }
}
