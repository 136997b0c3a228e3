//! The sandbox as a program: the errors that keep it from starting, and its end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn sandbox(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_sandbox");
    Command::new(program).args(arguments).env("RUST_BACKTRACE", "1").env_remove("RUST_LOG").output().unwrap()
}

#[test]
fn a_failed_start_prints_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let empty = Path::new(env!("CARGO_TARGET_TMPDIR")).join("a_folder_without_listings");
    std::fs::create_dir_all(&empty).unwrap();
    let empty = empty.to_str().unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&["serve", "--port", &port], "the stage staging cannot listen on 127.0.0.1"),
        (&["serve", "--port", "0", "--aws-port", &port], "AWS cannot listen on 127.0.0.1"),
        (&["serve", "--port", "0", "--listings", empty], "holds no listing (*.toml)"),
        (&["serve", "--port", "0", "--stages", "staging,staging"], "the stage staging is named twice"),
    ];
    for (arguments, part) in cases {
        let ended = sandbox(arguments);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.starts_with("error: ") && said.contains(part), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn the_help_says_that_purchases_are_not_kept_in_the_file() {
    let help = String::from_utf8(sandbox(&["serve", "--help"]).stdout).unwrap();
    assert!(help.contains("Purchases are kept in memory only"), "{help}");
}

/// A running sandbox, which stops when this is dropped.
struct Serving(Child);

impl Serving {
    /// Starts a sandbox, and waits until it prints its address.
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
        let ports = ["serve", "--port", "0", "--aws-port", "0"];
        let mut child = command.args(ports).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert!(said.starts_with("storefront"), "{said}");
        Self(child)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
#[cfg(unix)]
fn a_file_keeps_the_tables_of_one_sandbox_at_a_time() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("a_file_for_one_sandbox");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("tables.db");
    let file = path.to_str().unwrap();
    let first = Serving::start(&["--data", file]);
    let link = folder.join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for name in [file, link.to_str().unwrap()] {
        let second = sandbox(&["serve", "--port", "0", "--aws-port", "0", "--data", name]);
        assert_eq!(second.status.code(), Some(1));
        let said = String::from_utf8(second.stderr).unwrap();
        let expected =
            format!("error: {name} is in use by another sandbox: stop that one, or name another file with --data\n");
        assert_eq!(said, expected);
    }
    drop(first);
    drop(Serving::start(&["--data", file]));
}

#[test]
fn a_closed_output_ends_the_program_silently() {
    for arguments in [&["demo"][..], &["serve", "--port", "0", "--aws-port", "0"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
        let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(141), "{arguments:?}: {ended:?}");
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), "", "{arguments:?}");
    }
}

#[test]
fn an_error_on_a_closed_stderr_does_not_panic() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    let mut child = command.args(["serve", "--stages", "staging,staging"]).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
