#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::quantity`].

fuzz::target!(quantity);
