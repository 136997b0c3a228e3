//! The inputs of each entry point as bytes, with the properties that hold for every input.
//!
//! A target is a plain function that panics if its property does not hold. `cargo fuzz run <target>` searches for bytes
//! that make it panic. The test below runs each target on the inputs that are kept under `corpus/<target>/`.
//! SECURITY.md describes how to fuzz. The entry points are the functions themselves, in front of a stand-in for AWS
//! that answers and decides nothing (`aws`).

#![forbid(unsafe_code)]

mod aws;
mod call;
mod entitlement;
mod invocation;
mod marketplace_event;
mod publishing;
mod registration;
mod table;
mod time;
mod usage;
mod values;

pub use entitlement::{api, cursors, import_csv};
pub use marketplace_event::marketplace_event;
pub use publishing::{stream, topic_message};
pub use registration::{registration_details, registration_token};
pub use usage::{quantity, usage_csv, usage_json};
pub use values::{ids, listing, request};

/// Defines the `main` of a target: libFuzzer's if cargo-fuzz builds it, otherwise one that runs the target on the files
/// named as arguments.
#[macro_export]
macro_rules! target {
    ($target:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|input: &[u8]| $crate::$target(input));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            for path in std::env::args_os().skip(1) {
                $crate::$target(&std::fs::read(path)?);
            }
            Ok(())
        }
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    type Target = fn(&[u8]);

    const TARGETS: [(&str, Target); 14] = [
        ("api", super::api),
        ("cursors", super::cursors),
        ("ids", super::ids),
        ("import_csv", super::import_csv),
        ("listing", super::listing),
        ("marketplace_event", super::marketplace_event),
        ("quantity", super::quantity),
        ("registration_details", super::registration_details),
        ("registration_token", super::registration_token),
        ("request", super::request),
        ("stream", super::stream),
        ("topic_message", super::topic_message),
        ("usage_csv", super::usage_csv),
        ("usage_json", super::usage_json),
    ];

    fn names(folder: &Path) -> BTreeSet<String> {
        let stem = |entry: fs::DirEntry| entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
        fs::read_dir(folder).unwrap().map(|entry| stem(entry.unwrap())).collect()
    }

    #[test]
    fn every_target_accepts_its_corpus() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let all = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names(&here.join("corpus")), all);
        assert_eq!(names(&here.join("fuzz_targets")), all);
        for (name, target) in TARGETS {
            let mut kept = 0;
            for entry in fs::read_dir(here.join("corpus").join(name)).unwrap() {
                let path = entry.unwrap().path();
                // The last path that is printed is the one that fails.
                println!("{}", path.display());
                target(&fs::read(path).unwrap());
                kept += 1;
            }
            assert!(kept > 0, "nothing is kept for {name}");
        }
    }
}
