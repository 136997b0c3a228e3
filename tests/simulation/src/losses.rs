//! The events that are lost, or that another backend receives.

use jiff::Timestamp;

use crate::holding::Holding;
use crate::time::Period;

/// The events that never reach a queue.
#[derive(Debug, Default)]
pub struct Losses {
    /// The periods in which a share of the EventBridge events is lost.
    pub lossy_periods: Vec<Period>,
    /// Texts with a time: an event that contains the text goes to the seller's former backend until that time.
    other_backend: Vec<(String, Timestamp)>,
}

impl Losses {
    /// Sends the events that contain a text to the former backend, until the given time.
    pub fn send_to_other_backend(&mut self, text: &str, until: Timestamp) {
        self.other_backend.push((text.to_owned(), until));
    }

    /// Returns `true` if an event may have been lost up to the given time.
    pub fn has_lost(&self, at: Timestamp) -> bool {
        self.lossy_periods.iter().any(|(from, _)| *from <= at)
    }

    /// Returns `true` if the events of a buyer's purchase went to the former backend at the given time.
    pub fn went_to_other_backend(&self, holding: &Holding, at: Timestamp) -> bool {
        let names = [Some(holding.agreement.as_str()), holding.customer()];
        self.other_backend.iter().any(|(text, until)| at <= *until && names.contains(&Some(text.as_str())))
    }

    /// Returns `true` if a message goes to the former backend at the given time.
    pub fn goes_to_other_backend(&self, body: &str, at: Timestamp) -> bool {
        self.other_backend.iter().any(|(text, until)| at <= *until && body.contains(text.as_str()))
    }

    /// Returns `true` if a share of the EventBridge events is lost at the given time.
    pub fn is_lossy(&self, at: Timestamp) -> bool {
        self.lossy_periods.iter().any(|(from, until)| *from <= at && at < *until)
    }
}
