//! The Rust programs of docs/CONNECT.md.

mod arrive;
mod ask;
mod report;
mod stallkeeper;

use anyhow::bail;

use crate::stallkeeper::Stallkeeper;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let stallkeeper = Stallkeeper::connect().await?;
    match arguments.as_slice() {
        ["get-in"] => get_in(&stallkeeper).await,
        ["arrive", tenant] => arrive::run(&stallkeeper, tenant).await,
        ["ask", tenant] => ask::run(stallkeeper, tenant).await,
        ["report"] => report::send(&stallkeeper).await,
        ["report", license, dimension, quantity] => {
            report::used(license, dimension, quantity)?;
            report::send(&stallkeeper).await
        }
        _ => bail!("get-in, arrive TENANT, ask TENANT, report [LICENSE DIMENSION QUANTITY]"),
    }
}

async fn get_in(stallkeeper: &Stallkeeper) -> anyhow::Result<()> {
    let answer = stallkeeper.get("/v1/licenses?state=active").await?;
    let licenses = answer.get("licenses").and_then(|licenses| licenses.as_array());
    println!("{} active licenses", licenses.map_or(0, Vec::len));
    Ok(())
}
