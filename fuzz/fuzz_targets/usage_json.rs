#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::usage_json`].

fuzz::target!(usage_json);
