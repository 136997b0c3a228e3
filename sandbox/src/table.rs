//! A stage's table, created as the template creates the deployed one.

use anyhow::{Context, bail};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType, TimeToLiveSpecification,
};
use store::keys;

/// The stream setting of a table. The embedded DynamoDB reads all of a stream for each write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// On, as in the deployed table.
    On,
    /// Off, for a client that does not read the stream and writes much.
    Off,
}

/// Creates the table, unless it exists; an existing table keeps its items.
///
/// # Errors
///
/// Fails when DynamoDB does not create it.
pub async fn make(config: &SdkConfig, table: &str, stream: Stream) -> anyhow::Result<()> {
    let client = Client::new(config);
    match client.describe_table().table_name(table).send().await {
        Ok(_) => return Ok(()),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {}
        Err(error) => bail!("DynamoDB does not show whether there is a table {table}: {error:?}"),
    }
    let indexes = [
        (keys::TENANT_INDEX, keys::TENANT_KEY, "pk"),
        (keys::ACCOUNT_INDEX, keys::ACCOUNT_KEY, "pk"),
        (keys::STATE_INDEX, keys::STATE_KEY, "pk"),
        (keys::WORK_INDEX, keys::WORK_KEY, keys::WORK_SORT),
    ];
    let mut request = client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(text("pk")?)
        .attribute_definitions(text("sk")?)
        .attribute_definitions(text(keys::WORK_SORT)?)
        .key_schema(key("pk", KeyType::Hash)?)
        .key_schema(key("sk", KeyType::Range)?)
        .set_stream_specification(match stream {
            Stream::On => {
                let spec = StreamSpecification::builder().stream_enabled(true);
                Some(spec.stream_view_type(StreamViewType::NewImage).build()?)
            }
            Stream::Off => None,
        });
    for (name, hash, range) in indexes {
        request = request.attribute_definitions(text(hash)?).global_secondary_indexes(index(name, hash, range)?);
    }
    request.send().await.with_context(|| format!("the table {table} could not be made"))?;
    let expiry = TimeToLiveSpecification::builder().attribute_name("expires_at").enabled(true).build()?;
    client
        .update_time_to_live()
        .table_name(table)
        .time_to_live_specification(expiry)
        .send()
        .await
        .with_context(|| format!("the table {table} could not be given a time to live"))?;
    Ok(())
}

fn text(name: &str) -> anyhow::Result<AttributeDefinition> {
    Ok(AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()?)
}

fn key(name: &str, kind: KeyType) -> anyhow::Result<KeySchemaElement> {
    Ok(KeySchemaElement::builder().attribute_name(name).key_type(kind).build()?)
}

fn index(name: &str, hash: &str, range: &str) -> anyhow::Result<GlobalSecondaryIndex> {
    Ok(GlobalSecondaryIndex::builder()
        .index_name(name)
        .key_schema(key(hash, KeyType::Hash)?)
        .key_schema(key(range, KeyType::Range)?)
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()?)
}
