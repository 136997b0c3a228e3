//! The parts that the Lambda functions share: their setup, metrics, HTTP, the CSV files of sellers, and the topic of the
//! seller's application.

pub mod csv_file;
pub mod http;
pub mod metrics;
pub mod setup;
pub mod topic;
