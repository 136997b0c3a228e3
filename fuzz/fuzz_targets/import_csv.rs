#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::import_csv`].

fuzz::target!(import_csv);
