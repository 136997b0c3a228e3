//! The CPU time and the memory that this process used, as Linux reports them.

use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The resources that a process used.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ResourceUsage {
    /// The CPU time of all its threads.
    pub(crate) cpu: Duration,
    /// The peak of its memory, in KiB.
    pub(crate) peak_kib: u64,
}

impl ResourceUsage {
    /// Returns the resources that this process has used so far.
    pub(crate) fn so_far() -> anyhow::Result<Self> {
        let read = |file| std::fs::read_to_string(file).with_context(|| format!("only Linux has {file}"));
        let peak_kib = read_peak(&read("/proc/self/status")?).context("there is no VmHWM in /proc/self/status")?;
        let cpu = read_cpu(&read("/proc/self/stat")?).context("there are no times in /proc/self/stat")?;
        Ok(Self { cpu, peak_kib })
    }
}

fn read_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Reads the 14th and the 15th field, in hundredths of a second; the second field is a name, in brackets.
fn read_cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some(Duration::from_millis((user + system) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_process_status() {
        assert_eq!(read_peak("Name:\tsandbox\nVmPeak:\t  9 kB\nVmHWM:\t   12345 kB\nVmRSS:\t 1 kB\n"), Some(12345));
        assert_eq!(read_peak("Name:\tsandbox\n"), None);
        assert!(ResourceUsage::so_far().unwrap().peak_kib > 0);
    }

    #[test]
    fn the_time_on_cpus_is_read_from_the_process_statistics() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1 0 9 9";
        assert_eq!(read_cpu(stat), Some(Duration::from_millis(1750)));
        assert_eq!(read_cpu("7 (a) S 1"), None);
    }
}
