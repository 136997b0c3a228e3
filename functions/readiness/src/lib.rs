//! The auditor.

pub mod html;
pub mod text;
