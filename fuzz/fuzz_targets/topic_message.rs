#![cfg_attr(fuzzing, no_main)]
//! See [`fuzz::topic_message`].

fuzz::target!(topic_message);
