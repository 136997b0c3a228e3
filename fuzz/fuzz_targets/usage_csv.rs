#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::usage_csv`].

fuzz::target!(usage_csv);
