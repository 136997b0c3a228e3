#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::ids`].

fuzz::target!(ids);
