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

/// Bytes of memory that this process can take before the system, or a limit of one of its control
/// groups, runs short; `None` if neither is reported.
pub fn available_memory() -> Option<u64> {
    let system = read("/proc/meminfo".as_ref(), "MemAvailable");
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok();
    let group = groups.and_then(|text| left_in_groups(&text, Path::new("/sys/fs/cgroup")));
    system.into_iter().chain(group).min()
}

/// What the tightest of a process's control groups leaves. `groups` is `/proc/self/cgroup`: a line
/// `ID:CONTROLLERS:PATH` for each hierarchy, without controllers for version 2.
fn left_in_groups(groups: &str, root: &Path) -> Option<u64> {
    let mut left = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, limit, used) = match controllers {
            "" => (root.to_path_buf(), "memory.max", "memory.current"),
            c if c.split(',').any(|c| c == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => continue,
        };
        // A limit of any group above holds too. Inside a container the path may lead nowhere: then
        // the root is the container's own group.
        let inside = root.join(path.trim_start_matches('/'));
        for folder in inside.ancestors().take_while(|folder| folder.starts_with(&root)) {
            let number =
                |name| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok();
            // Version 2 says `max` where there is no limit.
            if let (Some(limit), Some(used)) = (number(limit), number(used)) {
                let free = u64::saturating_sub(limit, used);
                left = Some(left.map_or(free, |l: u64| l.min(free)));
            }
        }
    }
    left
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
    fn the_tightest_group_s_limit_counts() {
        let root = tempfile::tempdir().unwrap();
        let group = |folder: &str, files: [(&str, &str); 2]| {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
            for (name, text) in files {
                std::fs::write(root.path().join(folder).join(name), text).unwrap();
            }
        };
        group("a", [("memory.max", "1000\n"), ("memory.current", "400\n")]);
        group("a/b", [("memory.max", "max\n"), ("memory.current", "300\n")]);
        group("memory/c", [("memory.limit_in_bytes", "500\n"), ("memory.usage_in_bytes", "100\n")]);
        let left = |groups: &str| left_in_groups(groups, root.path());
        assert_eq!(left("0::/a/b\n"), Some(600));
        assert_eq!(left("0::/a/b\n4:cpu,memory:/c\n"), Some(400));
        assert_eq!(left("0::/\n5:cpu:/\nnonsense\n"), None);
    }

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
