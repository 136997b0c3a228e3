#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::news`].

fuzz::target!(news);
