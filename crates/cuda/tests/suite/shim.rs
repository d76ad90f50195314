//! The kernels' own source, compiled as C++ and run on the CPU: see tests/shim/shim.h.

use sngan_cuda::host::Host;
use sngan_cuda::kernels::SOURCES;
use sngan_cuda::launch::{Arg, Call, Launch, calls};
use sngan_cuda::machine::{Lists, Machine, Part};
use sngan_cuda::op::{Op, View};
use sngan_cuda::program::Layout;
use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

type Run = unsafe extern "C" fn(*const c_char, c_uint, c_uint, *mut *mut c_void, c_int) -> c_int;

/// The kernels, compiled; one block runs at a time.
pub(crate) struct Shim {
    library: libloading::Library,
    running: Mutex<()>,
}

impl std::fmt::Debug for Shim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shim")
    }
}

/// Each kernel's name, and whether its threads wait for each other.
pub(crate) fn kernels(source: &str) -> Vec<(&str, bool)> {
    source
        .split("extern \"C\" __global__ void ")
        .skip(1)
        .map(|kernel| {
            let name = kernel.split('(').next().unwrap();
            (name, kernel.contains("block_sum"))
        })
        .collect()
}

fn compile() -> Option<Shim> {
    let mut text = String::from("#include \"shim.h\"\n");
    let mut dispatch = String::new();
    for (_, source) in SOURCES {
        text.push_str(source);
        for (name, waits) in kernels(source) {
            dispatch += &format!(
                "if (!strcmp(name, \"{name}\")) {{ shim::run(shim::invoke<{name}>, x, y, args, {waits}, order); return 0; }}\n"
            );
        }
    }
    text += &format!(
        "extern \"C\" int run(const char *name, unsigned x, unsigned y, void **args, int order) {{\n{dispatch}return 1; }}\n"
    );
    let shim = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/shim");
    let library = build("kernels", &text, &shim)?;
    // SAFETY: the library is ours and runs nothing when it is loaded.
    let library = unsafe { libloading::Library::new(&library) }.unwrap();
    Some(Shim { library, running: Mutex::new(()) })
}

/// Compiles a library of C++ that includes from `shim`, once for each text: tests run in processes of their own.
pub(crate) fn build(name: &str, text: &str, shim: &Path) -> Option<PathBuf> {
    let headers = ["shim.h", "driver.h"].map(|name| std::fs::read(shim.join(name)).unwrap());
    let hash = {
        let mut hasher = DefaultHasher::new();
        (text, headers).hash(&mut hasher);
        hasher.finish()
    };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let library = folder.join(format!("{name}-{hash:016x}.so"));
    if library.exists() {
        return Some(library);
    }
    let own = tempfile::tempdir_in(&folder).unwrap();
    let (source, built) = (own.path().join("source.cpp"), own.path().join("built.so"));
    std::fs::write(&source, text).unwrap();
    // No contraction and no fast math: what differs from the host is then rounding of f32 alone.
    let compiled = Command::new("g++")
        .args(["-std=c++17", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-w", "-I"])
        .arg(shim)
        .arg(&source)
        .arg("-o")
        .arg(&built)
        .output();
    match compiled {
        Ok(out) => assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr)),
        Err(e) => {
            println!("skipped: the kernels run on the CPU only where there is a g++: {e}");
            return None;
        }
    }
    std::fs::rename(&built, &library).unwrap();
    Some(library)
}

/// The compiled kernels; `None`, with a printed reason, where there is no compiler.
pub(crate) fn shim() -> Option<&'static Shim> {
    static SHIM: OnceLock<Option<Shim>> = OnceLock::new();
    SHIM.get_or_init(compile).as_ref()
}

impl Shim {
    fn launch(&self, launch: &Launch, memory: &mut [f32], layout: &Layout, order: i32) {
        let base = memory.as_mut_ptr();
        let mut values: Vec<u64> = Vec::new();
        for arg in &launch.args {
            values.push(match arg {
                // SAFETY: views lie in the memory.
                Arg::At(view) => unsafe { base.add(layout.at(*view)) as u64 },
                Arg::Memory => base as u64,
                Arg::Table(table) => table.as_ptr() as u64,
                Arg::Int(i) => u64::from(*i as u32),
                Arg::Float(f) => u64::from(f.to_bits()),
            });
        }
        let mut args: Vec<*mut c_void> =
            values.iter_mut().map(|v| std::ptr::from_mut(v).cast()).collect();
        let name = CString::new(launch.kernel).unwrap();
        let _one = self.running.lock().unwrap();
        // SAFETY: `run` has this signature, and reads as many arguments as the kernel has.
        let code = unsafe {
            let run: libloading::Symbol<'_, Run> = self.library.get(b"run\0").unwrap();
            run(name.as_ptr(), launch.grid.0, launch.grid.1, args.as_mut_ptr(), order)
        };
        assert_eq!(code, 0, "no kernel {}", launch.kernel);
    }
}

/// Runs programs by the kernels; convolutions and products, which libraries make on a GPU, by the host interpreter.
#[derive(Debug)]
pub(crate) struct Shimmed {
    pub(crate) host: Host<f32>,
    layout: Layout,
    shim: &'static Shim,
    order: i32,
}

impl Shimmed {
    pub(crate) fn new(layout: &Layout, shim: &'static Shim, order: i32) -> Shimmed {
        Shimmed { host: Host::new(layout), layout: layout.clone(), shim, order }
    }

    pub(crate) fn op(&mut self, op: &Op) {
        for call in calls(op, &self.layout) {
            match call {
                Call::Kernel(launch) => {
                    self.shim.launch(&launch, self.host.memory_mut(), &self.layout, self.order);
                }
                Call::Conv { .. }
                | Call::ConvData { .. }
                | Call::ConvFilter { .. }
                | Call::Product { .. } => self.host.op(op),
            }
        }
    }
}

impl Machine for Shimmed {
    fn write(&mut self, view: View, values: &[f64]) -> sngan_cuda::Result<()> {
        self.host.write(view, values);
        Ok(())
    }

    fn read(&self, view: View) -> sngan_cuda::Result<Vec<f64>> {
        Ok(self.host.read(view))
    }

    fn run(&mut self, lists: &dyn Lists, part: Part) -> sngan_cuda::Result<()> {
        lists.ops(part).into_iter().for_each(|op| self.op(op));
        Ok(())
    }
}
