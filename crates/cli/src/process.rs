//! What the system says of this process and this machine.

use std::fs;
use std::io::Read;

/// Clock ticks of a second in `/proc/self/stat`: 100 on every Linux.
const TICKS: f64 = 100.0;

/// CPU seconds of all threads so far, user and system; 0 where the system does not say.
pub fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The program's name, in parentheses, may hold anything.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<f64> = rest.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    // The 14th and 15th of all; the two before the parenthesis are gone.
    fields.get(11).zip(fields.get(12)).map_or(0.0, |(user, system)| (user + system) / TICKS)
}

/// The most memory that was resident so far, bytes; 0 where the system does not say.
pub fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// The memory that this process may take, bytes: the machine's, or less where it runs in a group with a limit. `None`
/// where the system does not say.
pub fn memory() -> Option<u64> {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    });
    groups.into_iter().filter_map(number).chain(machine).min()
}

/// The processor's name.
pub fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(':'));
    name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

/// How many threads can run at once.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A secret that nobody outside can know: for hashing what comes from there.
///
/// # Errors
/// If the system has none to give.
pub fn secret() -> std::io::Result<[u64; 4]> {
    let mut bytes = [0; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let word = |index: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[index * 8 + byte]));
    Ok(std::array::from_fn(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_of_this_process() {
        let before = cpu_seconds();
        let mut sum = 0u64;
        while cpu_seconds() < before + 0.02 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(peak_memory() > 1 << 20 && cores() > 0 && !processor().is_empty());
        assert_ne!(secret().unwrap(), secret().unwrap());
    }
}
