//! The command line of the simulation: `simulation --seeds 500` runs many seeds, `simulation --seed 17` runs one seed
//! and prints its log.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use clap::Parser;
use simulation::search::Search;
use simulation::{LogDetail, SeedResult, run_seed};

/// The simulation makes many small and short-lived allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(about = "Random simulations with every fault, whose bill must match the usage exactly")]
struct Arguments {
    /// Number of seeds to run.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// First seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Run only this seed, and print its log.
    #[arg(long)]
    seed: Option<u64>,
    /// Print the whole log of that seed, and not only the lines about a difference.
    #[arg(long)]
    all: bool,
    /// Number of seeds to run at the same time; the number of processors by default.
    #[arg(long)]
    threads: Option<usize>,
    /// Ignore what was never reached. For runs of a few seeds.
    #[arg(long)]
    any_coverage: bool,
    /// Write the progress of the search to this file, and resume the search from it.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Stop at the first seed that differs, and print no log.
    #[arg(long)]
    first: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.seed {
        Some(seed) => print_seed(seed, if arguments.all { LogDetail::All } else { LogDetail::Differences }),
        None => run_all(&arguments),
    }
}

fn print_seed(seed: u64, detail: LogDetail) -> ExitCode {
    let result = run_seed(seed, detail);
    print!("{}", result.log.as_deref().unwrap_or_default());
    print!("\n{}", result.tally.table());
    print_differences(&result);
    println!("seed {seed}: digest {:016x}", result.digest);
    if result.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_differences(result: &SeedResult) {
    for difference in &result.differences {
        println!("seed {}: {}", result.seed, difference.what);
    }
}

fn run_all(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let search = match Search::begin(arguments.from, arguments.seeds, arguments.resume.as_deref()) {
        Ok(search) => Mutex::new(search),
        Err(error) => {
            eprintln!("the search cannot be resumed: {error}");
            return ExitCode::FAILURE;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| run_some(&search, arguments.first));
        }
    });
    let Ok(search) = search.into_inner() else { return ExitCode::FAILURE };
    println!("{}", search.tally.table());
    println!("{:.1} s on {threads} threads", began.elapsed().as_secs_f64());
    let missing = if arguments.any_coverage { Vec::new() } else { search.tally.missing() };
    for missing in &missing {
        println!("never reached: {missing}");
    }
    let failed = search.failed();
    if let Some(first) = failed.first() {
        println!("{} seeds differ: {failed:?}", failed.len());
        if !arguments.first {
            println!("\nthe log of seed {first}:");
            let result = run_seed(*first, LogDetail::Differences);
            print!("{}", result.log.as_deref().unwrap_or_default());
            print_differences(&result);
        }
    }
    if failed.is_empty() && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs seeds until none is left or, if `only_first`, until one differs.
fn run_some(search: &Mutex<Search>, only_first: bool) {
    loop {
        let Some(seed) = search.lock().ok().and_then(|mut search| search.take()) else { return };
        let result = run_seed(seed, LogDetail::None);
        print_differences(&result);
        let Ok(mut search) = search.lock() else { return };
        if let Err(error) = search.note(&result) {
            eprintln!("the search cannot be written down: {error}");
            return;
        }
        if only_first && !result.differences.is_empty() {
            search.stop();
        }
    }
}
