//! Writes example reports as HTML pages: `cargo run -p readiness --example report -- FOLDER`.

#[expect(clippy::unwrap_used, reason = "what is made up here is known to be right")]
mod reports;

use std::path::PathBuf;

use domain::language::Language;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("the folder to write to is missing")?);
    std::fs::create_dir_all(&folder)?;
    for (name, reports) in reports::all() {
        let Some((newest, earlier)) = reports.split_last() else { continue };
        for &language in Language::ALL {
            let file = folder.join(format!("{name}-{}.html", language.tag()));
            std::fs::write(&file, readiness::html::page(newest, earlier, language)?)?;
            println!("{}", file.display());
        }
    }
    Ok(())
}
