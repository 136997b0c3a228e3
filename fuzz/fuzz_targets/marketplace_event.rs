#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::marketplace_event`].

fuzz::target!(marketplace_event);
