#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::registration_details`].

fuzz::target!(registration_details);
