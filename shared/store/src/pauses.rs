//! Pauses: products and dimensions of which AWS accepts no records until an operator fixes them.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, keys, unavailable, write};
use domain::ids::{DimensionKey, ProductCode};

/// A pause: AWS accepts no records of a product, or of one dimension of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The product.
    pub product: ProductCode,
    /// The dimension; `None` if the whole product is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<DimensionKey>,
    /// The reason that AWS gave.
    pub reason: String,
    /// The start of the pause.
    pub since: Timestamp,
}

impl Store {
    /// Returns the pauses of a product.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn pauses(&self, product: &ProductCode) -> Result<Vec<Pause>, StoreError> {
        self.query(&keys::pauses(product), "").await
    }

    /// Pauses a product, or one dimension of it.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn pause(&self, pause: &Pause) -> Result<(), StoreError> {
        let key = keys::pause(&pause.product, pause.dimension.as_ref());
        let mut item = write(&key, pause)?;
        item.insert(keys::WORK_KEY.to_owned(), AttributeValue::S(keys::work(keys::Work::Paused)));
        item.insert(keys::WORK_SORT.to_owned(), AttributeValue::S(format!("{}#{}", pause.product, key.sk)));
        let request = self.client.put_item().table_name(&self.table).set_item(Some(item));
        request.send().await.map_err(unavailable)?;
        Ok(())
    }

    /// Lifts a pause.
    ///
    /// # Errors
    ///
    /// Fails when the table does not answer.
    pub async fn lift_pause(&self, pause: &Pause) -> Result<(), StoreError> {
        let key = keys::pause(&pause.product, pause.dimension.as_ref());
        let request = self.client.delete_item().table_name(&self.table).set_key(Some(key.attributes()));
        request.send().await.map_err(unavailable)?;
        Ok(())
    }
}
