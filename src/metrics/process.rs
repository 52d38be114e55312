//! The series of the process, from /proc: none on a system without it.

use std::{fmt, fs};

use super::{
    catalogue::{CPU, MAX_FDS, OPEN_FDS, RESIDENT_MEMORY, START_TIME},
    exposition::Exposition,
};

/// Clock ticks in a second, as Linux counts them for programs on every architecture.
const TICKS: f64 = 100.0;

pub(super) fn write(out: &mut Exposition<'_>) -> fmt::Result {
    let read = |path: &str| fs::read_to_string(path).ok();
    let stat = read("/proc/self/stat").and_then(|text| Stat::parse(&text));
    let booted = read("/proc/stat").and_then(|text| booted_at(&text));
    out.value(&RESIDENT_MEMORY, read("/proc/self/status").and_then(|text| resident_bytes(&text)))?;
    out.value(&CPU, stat.as_ref().map(|stat| stat.cpu_seconds))?;
    out.value(&START_TIME, stat.as_ref().zip(booted).map(|(stat, booted)| booted + stat.started_after_boot))?;
    out.value(&OPEN_FDS, fs::read_dir("/proc/self/fd").ok().map(|all| all.count().saturating_sub(1) as f64))?;
    out.value(&MAX_FDS, read("/proc/self/limits").and_then(|text| most_files(&text)))
}

struct Stat {
    cpu_seconds: f64,
    started_after_boot: f64,
}

impl Stat {
    /// The fields are told apart by blanks, behind the program's name, which may have blanks and parentheses in it.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        // The first field behind the name is the third of all.
        let ticks = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<f64>().ok();
        Some(Self { cpu_seconds: (ticks(14)? + ticks(15)?) / TICKS, started_after_boot: ticks(22)? / TICKS })
    }
}

fn booted_at(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn resident_bytes(text: &str) -> Option<f64> {
    let kib: f64 = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

fn most_files(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_read_where_the_kernel_writes_them() {
        let line = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 12345 1000000 500 18446744073709551615";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.cpu_seconds, stat.started_after_boot), (3.0, 123.45));
        assert_eq!(booted_at("cpu 1 2\nbtime 1700000000\nprocesses 5\n"), Some(1_700_000_000.0));
        assert_eq!(resident_bytes("VmPeak:\t  9 kB\nVmRSS:\t    2048 kB\n"), Some(2_097_152.0));
        let limits = "Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 524288               files\n";
        assert_eq!(most_files(limits), Some(1024.0));
        assert!(Stat::parse("").is_none() && booted_at("").is_none() && resident_bytes("").is_none() && most_files("").is_none());
    }
}
