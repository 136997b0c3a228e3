//! Plays seeds: `simulation --seeds 500`, or one with its story: `simulation --seed 17`.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use simulation::tally::{Tally, add};
use simulation::{Telling, Told, play};

/// Worlds are made of small things that come and go.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(about = "Random worlds under every fault, whose bill must be exactly what was used")]
struct Arguments {
    /// How many seeds are played.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Plays this one only, and tells its story.
    #[arg(long)]
    seed: Option<u64>,
    /// Tells everything of that seed, and not only what concerns a difference.
    #[arg(long)]
    all: bool,
    /// How many are played at a time; as many as the machine has processors, if not given.
    #[arg(long)]
    threads: Option<usize>,
    /// Does not mind what was never reached: for a few seeds.
    #[arg(long)]
    any_coverage: bool,
    /// Ends at the first seed that differs, and tells no story.
    #[arg(long)]
    first: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.seed {
        Some(seed) => tell(seed, if arguments.all { Telling::All } else { Telling::Differences }),
        None => play_all(&arguments),
    }
}

fn tell(seed: u64, telling: Telling) -> ExitCode {
    let told = play(seed, telling);
    print!("{}", told.story.as_deref().unwrap_or_default());
    print!("\n{}", told.tally.table());
    print_differences(&told);
    println!("seed {seed}: digest {:016x}", told.digest);
    if told.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_differences(told: &Told) {
    for difference in &told.differences {
        println!("seed {}: {}", told.seed, difference.what);
    }
}

fn play_all(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from + arguments.seeds;
    let together: Mutex<(Tally, Vec<Told>)> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let told = play(seed, Telling::None);
                    let Ok(mut together) = together.lock() else { return };
                    together.0.merge(&told.tally);
                    add(&mut together.0.counts, "seeds", 1);
                    if !told.differences.is_empty() {
                        print_differences(&told);
                        together.1.push(told);
                        if arguments.first {
                            next.store(end, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let (tally, mut failed) = together.into_inner().unwrap_or_default();
    failed.sort_by_key(|told| told.seed);
    println!("{}", tally.table());
    println!("{:.1} s on {threads} threads", began.elapsed().as_secs_f64());
    let missing = if arguments.any_coverage { Vec::new() } else { tally.missing() };
    for missing in &missing {
        println!("never reached: {missing}");
    }
    if let Some(first) = failed.first() {
        println!("{} seeds differ: {:?}", failed.len(), failed.iter().map(|told| told.seed).collect::<Vec<_>>());
        if !arguments.first {
            println!("\nthe story of seed {}:", first.seed);
            let told = play(first.seed, Telling::Differences);
            print!("{}", told.story.as_deref().unwrap_or_default());
            print_differences(&told);
        }
    }
    if failed.is_empty() && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
