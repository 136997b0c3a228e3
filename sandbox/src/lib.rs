//! A local AWS Marketplace with the whole of Stallkeeper around it.
//!
//! [`local_aws`] simulates AWS: DynamoDB and the services of AWS Marketplace on one port. [`Sandbox`] puts a stack of the
//! real functions for each stage in front of it, as AWS would run them: `gateway` and `event` are API Gateway, `bus` is
//! EventBridge and SNS, `queue` is SQS, `stream` is the table's stream, `stack` is Lambda and the table. [`products`]
//! converts listings to products of the local AWS; `deployed` answers its calls about the stacks, by their [`wiring`].
//! `timeline` moves the clock. `control` and `storefront` are the HTTP interfaces of the sandbox itself.
//! `application` is the product that buyers buy.

#![recursion_limit = "256"] // the futures of the AWS SDK nest deeper than the compiler's default
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod application;
pub mod bus;
mod control;
mod data;
pub mod demo;
mod deployed;
mod event;
pub mod gateway;
mod listings;
mod metrics;
pub mod products;
pub mod queue;
pub mod review;
mod sandbox;
mod schedule;
mod sdk;
mod stack;
mod state;
mod storefront;
mod stream;
pub mod table;
pub mod test_client;
mod timeline;
pub mod web;
pub mod wiring;

pub use listings::{DescribedListing, Listings};
pub use queue::{DeadLetter, QueueOverview, Redelivery};
pub use sandbox::{Options, Received, Sandbox, TimeOutOfRange};
pub use sdk::sdk_config;
