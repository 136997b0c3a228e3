//! The sandbox as a program that cannot start.

use std::path::Path;
use std::process::{Command, Output};

fn sandbox(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_sandbox");
    Command::new(program).args(arguments).env("RUST_BACKTRACE", "1").env_remove("RUST_LOG").output().unwrap()
}

#[test]
fn what_keeps_it_from_starting_is_said_in_a_line() {
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
fn its_help_says_what_a_file_does_not_keep() {
    let help = String::from_utf8(sandbox(&["serve", "--help"]).stdout).unwrap();
    assert!(help.contains("What was bought is kept in memory only"), "{help}");
}
