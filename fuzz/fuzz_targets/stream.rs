#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::stream`].

fuzz::target!(stream);
