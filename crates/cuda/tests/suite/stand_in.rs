//! The device side, from finding libraries to launching graphs, on a stand-in for NVIDIA's libraries that runs on the CPU: see
//! tests/shim/driver.h. What only a GPU can show is not shown: speed, streams that run beside each other, the real libraries' answers.

use crate::replay::{cases, error, run};
use crate::shim::{Shimmed, build, kernels, shim};
use crate::training::{self, tiny};
use sngan_core::model::Place;
use sngan_core::trainer::{Outcome, TrainOptions};
use sngan_cuda::Cuda;
use sngan_cuda::device::{Device as Gpu, Math, find, require};
use sngan_cuda::kernels::SOURCES;
use sngan_cuda::program::Program;
use sngan_experiment::method::Method;
use sngan_experiment::{RunDir, RunSpec};
use sngan_tensor::Device;
use std::ffi::{CString, c_char};
use std::path::PathBuf;
use std::process::Command;

/// Cases that have every operation between them: the shim takes seconds for each.
const CASES: [&str; 8] = [
    "sn-per-forward",
    "weight-norm",
    "batch-norm",
    "weight-clipping-all-wasserstein",
    "resnet-64-layer-norm",
    "resnet-cifar10-projection-pieces",
    "resnet-gulrajani-ac-gan",
    "standard-cnn-concat",
];

/// The stand-in's libraries in a folder, under the names that the loader is asked for; one file has the functions of all three.
fn libraries() -> Option<PathBuf> {
    let mut text = String::from("#include \"shim.h\"\n");
    let (mut dispatch, mut counts) = (String::new(), String::new());
    for (_, source) in SOURCES {
        text.push_str(source);
        for (name, waits) in kernels(source) {
            dispatch += &format!(
                "if (!strcmp(name, \"{name}\")) {{ shim::run(shim::invoke<{name}>, x, y, args, {waits}, order); return 0; }}\n"
            );
            counts += &format!("if (!strcmp(name, \"{name}\")) return shim::count({name});\n");
        }
    }
    text += "\n#include \"driver.h\"\n";
    text += &format!(
        "extern \"C\" int run(const char *name, unsigned x, unsigned y, void **args, int order) {{\n{dispatch}return 1; }}\n\
         extern \"C\" int arguments_of(const char *name) {{\n{counts}return -1; }}\n"
    );
    let shim = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/shim");
    let library = build("driver", &text, &shim)?;
    let folder = library.with_extension("folder");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["libcuda.so.1", "libcudnn.so.9", "libcublas.so.12"] {
        let link = folder.join(name);
        if !link.exists() {
            // Beside it and moved into place: another test may be doing the same.
            let own = tempfile::tempdir_in(&folder).unwrap();
            std::os::unix::fs::symlink(&library, own.path().join(name)).unwrap();
            std::fs::rename(own.path().join(name), &link).unwrap();
        }
    }
    Some(folder)
}

/// Opens GPU 0.
fn open(program: &Program) -> sngan_cuda::Result<Gpu> {
    Gpu::open(&require(0)?, program, Math::F32)
}

/// Runs one of this file's ignored tests with the stand-in's libraries where the loader finds them first.
fn with_stand_in(test: &str) {
    let Some(folder) = libraries() else { return };
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("LD_LIBRARY_PATH", &folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn the_device_side_equals_the_kernels_in_every_case() {
    with_stand_in("stand_in::on_it_every_case");
}

#[test]
#[ignore = "runs on the stand-in, which the test above sets up"]
fn on_it_every_case() {
    let found = find();
    assert_eq!(found.gpus.len(), 1);
    assert!(CASES.iter().all(|name| cases().iter().any(|(case, _)| case == name)));
    assert!(found.libraries.iter().all(|l| l.version.is_some()), "{found:?}");
    let Some(shim) = shim() else { return };
    for (name, case) in cases().into_iter().filter(|(name, _)| CASES.contains(&name.as_str())) {
        let program = Program::of(&case.spec).unwrap();
        let device = |_: &_| open(&program).unwrap();
        let by_device = run(&case, device);
        let by_kernels = run(&case, |layout| Shimmed::new(layout, shim, 0));
        for (key, expected) in &by_kernels {
            // The same kernels on the same numbers; convolutions and products differ in the last digit, and Adam makes a step of it where
            // there is nothing else.
            let still = by_kernels
                .get(&format!("adam.m.{key}"))
                .is_some_and(|m| m.iter().all(|m| m.abs() < 1e-6));
            let error = error(&by_device[key], expected);
            let bound = if still { 2.0 * case.spec.lr / 1e-3 } else { 1e-3 };
            assert!(error < bound, "{name}, {key}: {error}");
        }
    }
}

#[test]
fn a_training_on_the_device_side_is_a_run_like_any_other() {
    with_stand_in("stand_in::on_it_a_training");
}

#[test]
#[ignore = "runs on the stand-in, which the test above sets up"]
fn on_it_a_training() {
    let gpu = Cuda::new(0, Math::F32).unwrap();
    let spec = RunSpec { gen_ema: 0.9, ..tiny(Method::Sn) };
    let folder = tempfile::tempdir().unwrap();
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    assert_eq!(training::run(&whole, &spec, &gpu, None), Outcome::Completed);
    let stopped = training::run(&parts, &spec, &gpu, Some(3));
    assert_eq!(stopped, Outcome::Interrupted { gen_updates: 3 });
    assert_eq!(training::run(&parts, &spec, &gpu, None), Outcome::Completed);
    assert!(training::left(&whole, &spec) == training::left(&parts, &spec));
    let segment = RunDir::new(&whole).provenance().unwrap().segments.remove(0);
    assert_eq!(segment.device, "cuda:0");
    let accelerator = segment.accelerator.unwrap();
    assert_eq!((accelerator.model.as_str(), accelerator.math.as_str()), ("stand-in", "f32"));
    // A run that goes on elsewhere is announced.
    let longer = RunSpec { gen_updates: 8, ..spec };
    let cpu = Place::new(&Device::Cpu);
    assert_eq!(training::run(&whole, &longer, &cpu, None), Outcome::Completed);
    let devices: Vec<String> = RunDir::new(&whole)
        .provenance()
        .unwrap()
        .segments
        .into_iter()
        .map(|segment| segment.device)
        .collect();
    assert_eq!(devices, ["cuda:0", "cpu"]);
}

/// How often the stand-in was called, by function.
struct Counts(libloading::Library);

impl Counts {
    /// The stand-in's own; all of its names are one file, which is loaded once.
    fn new() -> Counts {
        // SAFETY: the library is ours and runs nothing when it is loaded.
        Counts(unsafe { libloading::Library::new("libcuda.so.1") }.unwrap())
    }

    fn of(&self, names: &[&str]) -> Vec<u64> {
        let count = |name: &&str| {
            let name = CString::new(*name).unwrap();
            // SAFETY: the function has this signature.
            unsafe {
                let count: libloading::Symbol<'_, unsafe extern "C" fn(*const c_char) -> u64> =
                    self.0.get(b"stand_in_count\0").unwrap();
                count(name.as_ptr())
            }
        };
        names.iter().map(count).collect()
    }
}

/// What an update must not do, whether it is logged or not.
const NEVER: [&str; 15] = [
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemHostAlloc",
    "cuMemFreeHost",
    "cuStreamCreate",
    "cuEventCreate",
    "cuModuleLoadData",
    "cuGraphInstantiateWithFlags",
    "cuLaunchKernel",
    "cuStreamSynchronize",
    "cuCtxSynchronize",
    "cuMemcpyDtoHAsync_v2 that waits",
    // An event of an update before says that its copies have ended: by then the GPU has the next graph to work at, and the host waits only where
    // it is more than an update ahead. One that was recorded after the newest launch would leave the GPU without work.
    "cuEventSynchronize of the newest graph",
    "cudnnConvolutionForward",
    "cublasGemmEx",
];

#[test]
fn an_update_allocates_nothing_and_waits_for_nothing_but_the_update_before() {
    with_stand_in("stand_in::on_it_updates_are_counted");
}

#[test]
#[ignore = "runs on the stand-in, which the test above sets up"]
fn on_it_updates_are_counted() {
    let (gpu, counts) = (Cuda::new(0, Math::F32).unwrap(), Counts::new());
    let spec = RunSpec { gen_ema: 0.9, gen_updates: 12, ..tiny(Method::Sn) };
    let folder = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    let options = TrainOptions { log_every: 3, checkpoint_every: 1000, ..training::OPTIONS };
    training::run_with(&folder.path().join("run"), &spec, &gpu, &options, &mut |_| {
        found.push((
            counts.of(&NEVER),
            counts.of(&["cuGraphLaunch"])[0],
            counts.of(&["cuEventSynchronize"])[0] - counts.of(&["cuEventSynchronize beside"])[0],
        ));
    });
    // Every list has run once when the first three updates are done, and is a graph; the last update belongs to the checkpoint after it.
    assert_eq!(found.len(), 12);
    for (i, pair) in found[2..11].windows(2).enumerate() {
        let (update, (before, after)) = (i + 4, (&pair[0], &pair[1]));
        for (name, (before, after)) in NEVER.iter().zip(before.0.iter().zip(&after.0)) {
            assert_eq!(before, after, "update {update}: {name}");
        }
        // G, two rounds of D, the moving average, and what is copied for the log.
        let logged = u64::from(update % 3 == 0);
        assert_eq!(after.1 - before.1, 4 + logged, "update {update}: graphs");
        // Places in locked memory that are used again: z and Adam's numbers of G; images, z and Adam's numbers of each round, and its record
        // twice, once for the place and once to be read.
        assert_eq!(after.2 - before.2, 2 + 2 * 5, "update {update}: events");
    }
}

#[test]
fn the_log_does_not_depend_on_when_measurements_are_made() {
    with_stand_in("stand_in::on_it_the_same_log");
}

#[test]
#[ignore = "runs on the stand-in, which the test above sets up"]
fn on_it_the_same_log() {
    let gpu = Cuda::new(0, Math::F32).unwrap();
    training::the_log_is_the_same_however_late(&tiny(Method::Sn), &gpu);
}

#[test]
fn a_score_on_the_device_side_is_that_of_the_cpu() {
    with_stand_in("stand_in::on_it_a_score");
}

#[test]
#[ignore = "runs on the stand-in, which the test above sets up"]
fn on_it_a_score() {
    crate::inference::a_score_on_the_device_is_that_of_the_cpu();
}

#[test]
fn a_run_that_does_not_fit_is_told_what_does() {
    with_stand_in("stand_in::on_it_a_run_too_large");
}

#[test]
#[ignore = "runs on the stand-in, which the test above sets up"]
fn on_it_a_run_too_large() {
    // The stand-in has 1 GiB.
    let spec = RunSpec { batch: 512, gen_batch: 512, ..RunSpec::paper(Method::Sn) };
    let error = open(&Program::of(&spec).unwrap()).unwrap_err().to_string();
    let advice = error.split("dis_micro_batch=").nth(1).unwrap_or_else(|| panic!("{error}"));
    let fits: usize = advice.split(' ').next().unwrap().parse().unwrap();
    assert!(error.contains("1024 MiB free"), "{error}");
    let smaller = RunSpec { dis_micro_batch: fits, gen_micro_batch: fits, ..spec };
    let program = Program::of(&smaller).unwrap();
    assert!(open(&program).is_ok() && fits >= 32, "{error}");
}

#[test]
fn without_a_driver_the_error_says_what_to_install() {
    let found = find();
    if found.libraries[0].version.is_some() {
        println!("skipped: this machine has a driver");
        return;
    }
    let case = cases().remove(0).1;
    let program = Program::of(&case.spec).unwrap();
    let error = open(&program).unwrap_err().to_string();
    assert!(error.contains("libcuda.so.1") && error.contains("install"), "{error}");
}
