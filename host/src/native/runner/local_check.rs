//! The checks of the local runner: the room in which commands run, and worker processes.

use hype_run::CommandRoom;

use super::local::no_commands;
use crate::doctor::{COMMANDS, Reporter};

/// The check of worker processes. Functions also run without them.
const WORKERS: &str = "workers";

/// Reports whether functions run in worker processes, or the reason why they don't.
pub(super) fn check_workers(refusal: Option<String>, reporter: &Reporter) {
    let detail = match refusal {
        None => "functions run in processes beside this program".to_owned(),
        Some(reason) => format!("functions run in this program itself: {reason}"),
    };
    reporter.ok(WORKERS, detail);
}

/// Reports what the room of commands has on this machine, and what it lacks.
pub(super) fn check_room(room: CommandRoom, is_unconfined: bool, reporter: &Reporter) {
    if is_unconfined {
        return reporter.ok(COMMANDS, "commands run without a room, as this program chose");
    }
    let room_text = room.to_string();
    match room.refusal {
        Some(refusal) => reporter.failed(COMMANDS, &no_commands(refusal)),
        None => reporter.ok(COMMANDS, format!("the room of commands has {room_text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Check, CheckState, collect};

    async fn checks(is_unconfined: bool, change: impl Fn(&mut CommandRoom)) -> Vec<Check> {
        let mut room = CommandRoom::of_this_machine();
        room.refusal = None;
        change(&mut room);
        collect(async move |reporter| check_room(room, is_unconfined, &reporter)).await
    }

    #[tokio::test]
    async fn missing_namespaces_fail_and_missing_landlock_does_not() {
        let [check] = &checks(false, |room| room.landlock = None).await[..] else { panic!() };
        assert_eq!(check.state, CheckState::Ok, "{check:?}");
        assert!(check.detail.contains("namespaces and seccomp"), "{check:?}");
        assert!(check.detail.contains("without Landlock"), "{check:?}");
    }

    #[tokio::test]
    async fn missing_workers_are_no_failure() {
        let reason = "it is process 1; run it below an init process".to_owned();
        let checks = collect(async move |reporter| check_workers(Some(reason), &reporter)).await;
        let [check] = &checks[..] else { panic!("{checks:?}") };
        assert_eq!((&*check.name, check.state), ("workers", CheckState::Ok));
        assert!(check.detail.ends_with("below an init process"), "{check:?}");
    }

    #[cfg(not(target_os = "linux"))]
    #[tokio::test]
    async fn system_without_rooms_fails_unless_commands_are_unconfined() {
        let refusal = CommandRoom::of_this_machine().refusal;
        for (is_unconfined, state) in [(false, CheckState::Failed), (true, CheckState::Ok)] {
            let [check] = &checks(is_unconfined, |room| room.refusal = refusal.clone()).await[..]
            else {
                panic!()
            };
            assert_eq!(check.state, state, "{check:?}");
        }
    }
}
