//! Listings, as they were loaded from their files.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Store, StoreError, keys, unavailable, write};
use domain::ids::ProductCode;
use domain::listing::Listing;

impl Store {
    /// Returns the listing of a product, at most one minute old; `None` if the product has no listing in this stack.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn listing(&self, product: &ProductCode) -> Result<Option<Listing>, StoreError> {
        let now = self.clock.now();
        if let Some(listing) = self.listings.get(product, now) {
            return Ok(Some(listing));
        }
        let listing: Option<Listing> = self.get(&keys::listing(product)).await?;
        if let Some(listing) = &listing {
            self.listings.put(listing, now);
        }
        Ok(listing)
    }

    /// Returns every listing of the stack, from the index of work, in the order of their product codes.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn all_listings(&self) -> Result<Vec<Listing>, StoreError> {
        let (mut listings, mut from) = (Vec::new(), None);
        loop {
            let (page, next) = self.work_page(keys::Work::Listings, keys::all_listings(), from, 1000).await?;
            listings.extend(page);
            from = next;
            if from.is_none() {
                return Ok(listings);
            }
        }
    }

    /// Loads a listing into the table.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn put_listing(&self, listing: &Listing) -> Result<(), StoreError> {
        let product = &listing.product_code;
        let mut item = write(&keys::listing(product), listing)?;
        item.insert(keys::WORK_KEY.to_owned(), AttributeValue::S(keys::work(keys::Work::Listings)));
        item.insert(keys::WORK_SORT.to_owned(), AttributeValue::S(keys::listing_sort(product)));
        let request = self.client.put_item().table_name(&self.table).set_item(Some(item));
        request.send().await.map_err(unavailable)?;
        Ok(())
    }
}
