//! The packing of records into calls.

use super::{HourlyRecord, MAX_BATCH_RECORDS, MAX_CALL_BYTES};

/// Packs records into calls, in their order: at most 25 records a call, below 1 MB, of one product and one style.
#[derive(Debug, Default)]
pub struct Packer {
    /// The calls that are not full yet, at most one for each product and style.
    open: Vec<OpenCall>,
}

#[derive(Debug)]
struct OpenCall {
    size: usize,
    records: Vec<HourlyRecord>,
}

impl OpenCall {
    fn fits(&self, record: &HourlyRecord) -> bool {
        self.records.first().is_some_and(|first| {
            let same_style = first.buyer.as_ref().zip(record.buyer.as_ref()).is_some_and(|(a, b)| a.is_of_style(b));
            first.product == record.product && same_style
        })
    }
}

impl Packer {
    /// Packs a record, and returns the call that it completes, if any. A record without a buyer cannot be sent and is
    /// in no call.
    pub fn add(&mut self, record: HourlyRecord) -> Option<Vec<HourlyRecord>> {
        record.buyer.as_ref()?;
        let size = record.wire_size();
        let place = self.open.iter().position(|call| call.fits(&record));
        let Some(call) = place.and_then(|place| self.open.get_mut(place)) else {
            self.open.push(OpenCall { size, records: vec![record] });
            return None;
        };
        if call.size + size >= MAX_CALL_BYTES {
            call.size = size;
            return Some(std::mem::replace(&mut call.records, vec![record]));
        }
        call.size += size;
        call.records.push(record);
        if call.records.len() < MAX_BATCH_RECORDS { None } else { place.map(|place| self.open.remove(place).records) }
    }

    /// Returns the calls that are not full, when there is nothing more to pack.
    pub fn finish(&mut self) -> Vec<Vec<HourlyRecord>> {
        self.open.drain(..).map(|call| call.records).collect()
    }
}
