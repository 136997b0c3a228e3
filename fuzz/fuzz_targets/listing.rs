#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::listing`].

fuzz::target!(listing);
