//! Every end-to-end test, in one program: one link, and one log that is looked through for secrets.

mod application;
mod catalog_client;
mod contract;
mod deployed;
mod doors;
mod evidence;
mod exactly_once;
mod existing_customers;
mod handoff;
mod moves;
mod news_and_registrations;
mod operator;
mod pricing;
mod readiness;
mod readiness_listings;
mod readiness_store;
mod reconcile;
mod registration;
mod reporter;
mod restore;
mod review;
mod sample_app;
mod samples;
mod telling;
mod usage_becomes_a_bill;
mod usage_intake;
