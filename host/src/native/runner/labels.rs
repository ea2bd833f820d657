//! What runners write on the things that they make, so that others know them again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Which run it belongs to.
pub(crate) const RUN: &str = "com.spotify.hype/run";
/// Which submitter made it, as leases name it.
pub(crate) const SUBMITTER: &str = "com.spotify.hype/submitter";
/// The component's name.
pub(crate) const COMPONENT: &str = "com.spotify.hype/component";
/// The function's name.
pub(crate) const FUNCTION: &str = "com.spotify.hype/function";
/// From when on it may be removed if nothing uses it, in seconds since 1970.
pub(crate) const EXPIRY: &str = "com.spotify.hype/expiry";
/// The run's key, where that is for whoever may look at labels.
#[cfg(feature = "docker")]
pub(crate) const KEY: &str = "com.spotify.hype/key";
/// How long a volume lives: `transient` or `persistent`.
#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub(crate) const VOLUME: &str = "com.spotify.hype/volume";
/// The storage class that a volume was asked for with.
#[cfg(feature = "docker")]
pub(crate) const CLASS: &str = "com.spotify.hype/class";
/// The size that a volume was asked for with.
#[cfg(feature = "docker")]
pub(crate) const SIZE: &str = "com.spotify.hype/size";

/// How long a thing is left alone that nothing uses: whoever made it may still be there.
const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The expiry of what is made now and may be in use for `longest`.
pub(crate) fn expiry(longest: Option<Duration>) -> String {
    let until = LIFE.saturating_add(longest.unwrap_or_default());
    seconds(SystemTime::now()).saturating_add(until.as_secs()).to_string()
}

/// Whether `expiry` is over. What has none or a strange one stays.
#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub(crate) fn is_over(expiry: Option<&str>, now: SystemTime) -> bool {
    let expiry: Option<u64> = expiry.and_then(|expiry| expiry.parse().ok());
    expiry.is_some_and(|expiry| expiry <= seconds(now))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod tests {
    use super::*;

    #[test]
    fn things_expire_a_week_after_they_may_be_in_use() {
        let (now, day) = (SystemTime::now(), Duration::from_secs(24 * 3600));
        let expiry = |longest| super::expiry(longest);
        assert!(!is_over(Some(&expiry(None)), now + 6 * day));
        assert!(is_over(Some(&expiry(None)), now + 8 * day));
        assert!(!is_over(Some(&expiry(Some(2 * day))), now + 8 * day));
        assert!(!is_over(Some(&expiry(Some(Duration::MAX))), now + 8 * day));
        assert!(!is_over(None, now) && !is_over(Some("soon"), now));
    }
}
