#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::registration_token`].

fuzz::target!(registration_token);
