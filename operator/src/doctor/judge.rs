//! Judges the results of the checks.

use jiff::{SignedDuration, Timestamp};

use super::line::{Line, Verdict};

/// The most that a clock may be off. AWS refuses signatures that are five minutes off, and answers take their time.
const CLOCK_DIFFERENCE_MAX: SignedDuration = SignedDuration::from_secs(60);

/// Judges a stack by CloudFormation's status of its last deployment.
pub(super) fn stack(name: &str, status: &str) -> Line {
    let message = format!("{name} is {status}");
    match status {
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" => Line::not_ok(
            "stack",
            message,
            "its first deployment failed: remove it and deploy again (docs/OPERATIONS.md, \"Set up your shell\")",
        ),
        "UPDATE_ROLLBACK_COMPLETE" => {
            Line::ok("stack", format!("{message}: the last deployment failed, and the one before it runs"))
        }
        _ if status.ends_with("_IN_PROGRESS") => {
            Line::not_ok("stack", message, "a deployment is in progress: check again when it is done")
        }
        _ if status.ends_with("_FAILED") || status.starts_with("DELETE") => {
            Line::not_ok("stack", message, "see the stack's events in CloudFormation for what failed")
        }
        _ => Line::ok("stack", message),
    }
}

/// Judges what the credentials allow, by the calls that were made with them.
pub(super) fn permissions(lines: &[Line]) -> Line {
    let needed = |result: Verdict| -> Vec<&str> {
        lines.iter().filter(|line| line.result == result).filter_map(|line| line.needs).collect()
    };
    let missing: Vec<&str> = lines.iter().filter(|line| is_denied(line)).filter_map(|line| line.needs).collect();
    let (granted, failed) = (needed(Verdict::Ok), needed(Verdict::NotOk));
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Line::not_ok("permissions", format!("These are denied: {missing}"), format!("allow {missing}"));
    }
    if granted.is_empty() {
        return Line::could_not_check("permissions", "no call was answered");
    }
    let unchecked = match failed.is_empty() {
        true => String::new(),
        false => format!("; not checked: {}", failed.join(", ")),
    };
    Line::ok(
        "permissions",
        format!("These are allowed: {}{unchecked} (calls that change something were not tried)", granted.join(", ")),
    )
}

/// Returns `true` if a call was denied. Every service has its own code for that, and all of them have one of these
/// words.
fn is_denied(line: &Line) -> bool {
    let words = ["AccessDenied", "not authorized", "denies these credentials", "denies access to these credentials"];
    line.result == Verdict::NotOk && words.iter().any(|word| line.message.contains(word))
}

/// Compares this command's version with the stack's.
pub(super) fn versions(ours: &str, of_stack: Option<&str>) -> Line {
    match of_stack {
        Some(theirs) if theirs == ours => Line::ok("versions", format!("this command and the stack are {ours}")),
        Some(theirs) => Line::not_ok(
            "versions",
            format!("this command is {ours}, and the stack is {theirs}"),
            "install the command from the version that is deployed, or deploy this one",
        ),
        None => {
            Line::could_not_check("versions", format!("this command is {ours}, and the stack has no output Version"))
        }
    }
}

/// Compares this machine's clock with AWS's.
pub(super) fn clock(here: Timestamp, there: Timestamp) -> Line {
    let off = here.duration_since(there);
    let seconds = off.as_secs().unsigned_abs();
    let message = match off.is_negative() {
        true => format!("It is {seconds} seconds behind AWS's"),
        false => format!("It is {seconds} seconds ahead of AWS's"),
    };
    match off.abs() > CLOCK_DIFFERENCE_MAX {
        true => Line::not_ok("clock", message, "set this machine's clock by NTP: AWS refuses signatures 5 minutes off"),
        false => Line::ok("clock", message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_judged_by_its_last_deployment() {
        for (status, expected) in [
            ("CREATE_COMPLETE", Verdict::Ok),
            ("UPDATE_COMPLETE", Verdict::Ok),
            ("UPDATE_ROLLBACK_COMPLETE", Verdict::Ok),
            ("IMPORT_COMPLETE", Verdict::Ok),
            ("UPDATE_IN_PROGRESS", Verdict::NotOk),
            ("ROLLBACK_COMPLETE", Verdict::NotOk),
            ("UPDATE_ROLLBACK_FAILED", Verdict::NotOk),
            ("DELETE_FAILED", Verdict::NotOk),
        ] {
            assert_eq!(stack("stallkeeper-staging", status).result, expected, "{status}");
        }
    }

    #[test]
    fn a_denied_call_differs_from_an_unanswered_one() {
        let ok = || Line::ok("stack", "there").needing("cloudformation:DescribeStacks");
        let failed = |message: &str| Line::not_ok("dead letters", message, "").needing("sqs:GetQueueAttributes");
        let granted = permissions(&[ok(), failed("no connection")]);
        assert_eq!(granted.result, Verdict::Ok);
        assert!(granted.message.contains("not checked: sqs:GetQueueAttributes"), "{}", granted.message);
        let denied = permissions(&[ok(), failed("AccessDeniedException")]);
        assert_eq!(
            (denied.result, denied.remediation.as_deref()),
            (Verdict::NotOk, Some("allow sqs:GetQueueAttributes"))
        );
        assert_eq!(permissions(&[failed("no connection")]).result, Verdict::CouldNotCheck);
    }

    #[test]
    fn versions_and_clocks_are_compared() {
        assert_eq!(versions("1.2.3", Some("1.2.3")).result, Verdict::Ok);
        assert_eq!(versions("1.2.3", Some("1.2.4")).result, Verdict::NotOk);
        assert_eq!(versions("1.2.3", None).result, Verdict::CouldNotCheck);
        let there: Timestamp = "2026-11-10T09:00:00Z".parse().unwrap();
        for (off, expected, message) in [
            (0, Verdict::Ok, "It is 0 seconds ahead"),
            (-60, Verdict::Ok, "It is 60 seconds behind"),
            (-61, Verdict::NotOk, "It is 61 seconds behind"),
            (400, Verdict::NotOk, "It is 400 seconds ahead"),
        ] {
            let line = clock(there + SignedDuration::from_secs(off), there);
            assert!(line.result == expected && line.message.starts_with(message), "{line:?}");
        }
    }
}
