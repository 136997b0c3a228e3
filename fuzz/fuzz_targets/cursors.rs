#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::cursors`].

fuzz::target!(cursors);
