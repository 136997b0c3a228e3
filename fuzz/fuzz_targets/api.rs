#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::api`].

fuzz::target!(api);
