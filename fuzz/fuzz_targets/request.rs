#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::request`].

fuzz::target!(request);
