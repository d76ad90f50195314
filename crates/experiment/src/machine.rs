//! What Linux reports about the machine and this process in `/proc`; nothing else reads it.

use std::path::Path;

/// The CPU's model name, or the architecture if the system does not report it.
pub fn cpu_model() -> String {
    let name = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| model_name(&text));
    name.unwrap_or_else(|| std::env::consts::ARCH.to_string())
}

fn model_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':'));
    line.map(|(_, name)| name.trim().to_string())
}

/// Bytes of memory that processes can take before the system runs short; `None` if it does not
/// report them.
pub fn available_memory() -> Option<u64> {
    read("/proc/meminfo".as_ref(), "MemAvailable")
}

/// Peak bytes of memory of this process; `None` if the system does not report them.
pub fn peak_memory() -> Option<u64> {
    read("/proc/self/status".as_ref(), "VmHWM")
}

fn read(path: &Path, key: &str) -> Option<u64> {
    bytes(&std::fs::read_to_string(path).ok()?, key)
}

/// The bytes of a line such as `MemAvailable:   1024 kB`.
fn bytes(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_others_are_not_mistaken_for_them() {
        let text = "MemFree:  1 kB\nMemAvailable:   2048 kB\nHugepagesize: many kB\n";
        assert_eq!(bytes(text, "MemAvailable"), Some(2048 * 1024));
        assert_eq!(bytes(text, "Mem"), None);
        assert_eq!(bytes(text, "Hugepagesize"), None);
        assert_eq!(bytes("", "MemAvailable"), None);
        assert_eq!(
            model_name("processor\t: 0\nmodel name\t: A Model @ 2 GHz\n").as_deref(),
            Some("A Model @ 2 GHz")
        );
        assert_eq!(model_name("processor : 0\n"), None);
    }
}
