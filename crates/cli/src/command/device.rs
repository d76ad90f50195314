//! `--device`, and `sngan devices`.

use crate::Ended;
use crate::args::{Machine, Precision};
use crate::say::say;
#[cfg(feature = "cuda")]
use crate::table::wrap;
use anyhow::{Result, bail};
use sngan_core::model::Place;
use sngan_core::trainer::Backend;
use sngan_cuda::Interpreter;
use sngan_eval::Backbone;
use sngan_tensor::Device;

/// What trains a sweep: one device, or several with commas between them, which take its runs in turn.
pub(crate) fn for_sweep(machine: &Machine) -> Result<Vec<Chosen>> {
    let of = |device: &str| for_training(&Machine { device: device.into(), ..*machine });
    machine.device.split(',').map(of).collect()
}

/// A device that was found, with the libraries that it needs.
pub(crate) enum Chosen {
    Cpu(Place),
    #[cfg(feature = "cuda")]
    Gpu(sngan_cuda::Cuda),
}

impl Chosen {
    fn cpu() -> Chosen {
        Chosen::Cpu(Place::new(&Device::Cpu))
    }

    /// What trains on it, and draws samples.
    pub(crate) fn backend(&self) -> &dyn Backend {
        match self {
            Chosen::Cpu(place) => place,
            #[cfg(feature = "cuda")]
            Chosen::Gpu(gpu) => gpu,
        }
    }

    fn into_backend(self) -> Box<dyn Backend> {
        match self {
            Chosen::Cpu(place) => Box::new(place),
            #[cfg(feature = "cuda")]
            Chosen::Gpu(gpu) => Box::new(gpu),
        }
    }

    /// A backbone that runs on it.
    pub(crate) fn backbone(&self, backbone: Backbone) -> sngan_eval::Result<Backbone> {
        match self {
            Chosen::Cpu(_) => Ok(backbone),
            #[cfg(feature = "cuda")]
            Chosen::Gpu(gpu) => sngan_cuda::on_gpu(gpu.installed(), backbone),
        }
    }
}

/// What trains.
pub(crate) fn backend(machine: &Machine) -> Result<Box<dyn Backend>> {
    Ok(for_training(machine)?.into_backend())
}

/// The device of a training.
pub(crate) fn for_training(machine: &Machine) -> Result<Chosen> {
    let chosen = named(&machine.device, machine.tf32)?;
    let backend = chosen.backend();
    if machine.tf32 && backend.accelerator().is_none() {
        bail!("--tf32 is for a GPU; {} has no TF32", backend.name());
    }
    if machine.device == "auto" {
        match backend.accelerator() {
            Some(accelerator) => eprintln!("training on {}: {accelerator}", backend.name()),
            None => eprintln!("training on the cpu: `sngan devices` says what a GPU needs"),
        }
    }
    Ok(chosen)
}

/// The device that draws and scores images.
pub(crate) fn for_images(machine: &Machine) -> Result<Chosen> {
    if machine.tf32 {
        bail!("--tf32: images are drawn and scored in f32; leave it out");
    }
    named(&machine.device, false)
}

fn named(text: &str, tf32: bool) -> Result<Chosen> {
    let ordinal = match text.split_once(':') {
        None if text == "cpu" => return Ok(Chosen::cpu()),
        None if text == "auto" => return Ok(gpu(0, tf32).unwrap_or_else(|_| Chosen::cpu())),
        None if text == "cuda" => 0,
        Some(("cuda", n)) => match n.parse() {
            Ok(ordinal) => ordinal,
            Err(_) => bail!("device `{text}`: the part after `cuda:` must be a number"),
        },
        _ => bail!("device `{text}`: unknown; use cpu, cuda, cuda:N or auto"),
    };
    gpu(ordinal, tf32).map_err(|e| e.context(format!("device `cuda:{ordinal}` cannot be used")))
}

#[cfg(feature = "cuda")]
fn gpu(ordinal: usize, tf32: bool) -> Result<Chosen> {
    use sngan_cuda::device::Math;
    let math = if tf32 { Math::Tf32 } else { Math::F32 };
    Ok(Chosen::Gpu(sngan_cuda::Cuda::new(ordinal, math)?))
}

#[cfg(not(feature = "cuda"))]
fn gpu(_: usize, _: bool) -> Result<Chosen> {
    bail!(
        "this program was built without the feature `cuda`; build it with `cargo build --release`"
    )
}

/// What replays a case: a GPU, or the interpreter of programs.
pub(crate) fn for_replay(text: &str, precision: Precision) -> Result<Box<dyn Backend>> {
    let double = match precision {
        Precision::F64 => true,
        Precision::F32 => false,
    };
    match text {
        "program" => Ok(Box::new(Interpreter { double })),
        "cpu" if double => Ok(Box::new(Place::oracle())),
        _ => Ok(named(text, false)?.into_backend()),
    }
}

/// Refuses another device for what runs on the CPU alone.
pub(crate) fn on_the_cpu(machine: &Machine) -> Result<()> {
    if machine.device != "cpu" && machine.device != "auto" || machine.tf32 {
        bail!("--device {}: this runs on the CPU; leave it out", machine.device);
    }
    Ok(())
}

/// Prints the GPUs, and each library that they need: its version, or where it was looked for and what to install.
#[cfg(feature = "cuda")]
pub(crate) fn list(json: bool) -> Result<Ended> {
    let found = sngan_cuda::device::find();
    if json {
        say!("{}", described(&found));
        return Ok(Ended::Well);
    }
    for gpu in &found.gpus {
        let ((major, minor), mib) = (gpu.capability, gpu.memory >> 20);
        let (ordinal, name) = (gpu.ordinal, &gpu.name);
        let line = format!("cuda:{ordinal}  {name}, compute capability {major}.{minor}, {mib} MiB");
        say!("{}", wrap(&line));
    }
    if found.gpus.is_empty() {
        let reason = found.reason.as_ref().map_or(String::new(), |r| format!(": {r}"));
        say!("{}", wrap(&format!("no GPU{reason}")));
    }
    for library in &found.libraries {
        match &library.version {
            Some(version) => say!("{:<7} {version}", library.name),
            None => {
                let (name, file, advice) = (library.name, &library.file, &library.advice);
                say!("{}", wrap(&format!("{name:<7} not found ({file}); {advice}")));
            }
        }
    }
    if found.libraries.iter().any(|l| l.version.is_none()) {
        let line = format!("looked in the system's library folders and {}", searched());
        say!("{}", wrap(&line));
    }
    Ok(Ended::Well)
}

#[cfg(feature = "cuda")]
fn searched() -> String {
    match std::env::var("LD_LIBRARY_PATH") {
        Ok(path) if !path.is_empty() => {
            // Folders that a line may end between.
            format!("LD_LIBRARY_PATH ({})", path.split(':').collect::<Vec<_>>().join(" : "))
        }
        _ => "LD_LIBRARY_PATH, which is not set".into(),
    }
}

#[cfg(feature = "cuda")]
fn described(found: &sngan_cuda::device::Found) -> serde_json::Value {
    let gpus = found.gpus.iter().map(|g| {
        serde_json::json!({
            "device": format!("cuda:{}", g.ordinal), "name": g.name,
            "compute_capability": format!("{}.{}", g.capability.0, g.capability.1), "memory_bytes": g.memory,
        })
    });
    let libraries = found
        .libraries
        .iter()
        .map(|l| serde_json::json!({ "name": l.name, "file": l.file, "version": l.version }));
    serde_json::json!({
        "gpus": gpus.collect::<Vec<_>>(), "libraries": libraries.collect::<Vec<_>>(), "reason": found.reason,
    })
}

#[cfg(not(feature = "cuda"))]
pub(crate) fn list(_: bool) -> Result<Ended> {
    say!("no GPU: this program was built without the feature `cuda`");
    Ok(Ended::Well)
}
