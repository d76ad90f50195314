//! Which GPUs and libraries there are.

use crate::{Error, Result};
use cudarc::driver::{CudaContext, result, sys};

/// A library that a GPU needs, and what was found of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// `driver`, `cuDNN` or `cuBLAS`.
    pub name: &'static str,
    /// The file's name as the system's loader is asked for it.
    pub file: &'static str,
    /// Its version; `None` where it was not found.
    pub version: Option<String>,
    /// What to install.
    pub advice: &'static str,
}

/// A GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its number, as in `cuda:0`.
    pub ordinal: usize,
    /// Its model.
    pub name: String,
    /// Compute capability.
    pub capability: (i32, i32),
    /// Bytes of memory.
    pub memory: u64,
}

/// What this machine has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The libraries, found or not.
    pub libraries: Vec<Library>,
    /// The GPUs; none without a driver.
    pub gpus: Vec<Gpu>,
    /// What the driver answered instead, where it is there and gives no GPU.
    pub reason: Option<String>,
}

fn dotted(version: usize, major: usize, minor: usize) -> String {
    format!("{}.{}.{}", version / major, version % major / minor, version % minor)
}

/// The driver's version of CUDA.
fn driver_version() -> Option<String> {
    // SAFETY: the library is only opened, and asked for its version.
    unsafe {
        if !sys::is_culib_present() {
            return None;
        }
        let mut version = 0;
        sys::cuDriverGetVersion(&mut version).result().ok()?;
        Some(format!("CUDA {}.{}", version / 1000, version % 1000 / 10))
    }
}

fn cudnn_version() -> Option<String> {
    // SAFETY: as above.
    let present = unsafe { cudarc::cudnn::sys::is_culib_present() };
    present.then(|| dotted(cudarc::cudnn::result::get_version(), 10_000, 100))
}

fn cublas_version() -> Option<String> {
    // SAFETY: as above; the properties need no handle.
    unsafe {
        use cudarc::cublas::sys as cublas;
        if !cublas::is_culib_present() {
            return None;
        }
        let property = |of| {
            let mut value = 0;
            cublas::cublasGetProperty(of, &mut value).result().ok()?;
            Some(value)
        };
        use cublas::libraryPropertyType_t::{MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL};
        let parts = [property(MAJOR_VERSION)?, property(MINOR_VERSION)?, property(PATCH_LEVEL)?];
        Some(parts.map(|n| n.to_string()).join("."))
    }
}

/// Looks for GPUs and the libraries that they need. Nothing is kept open on a GPU.
pub fn find() -> Found {
    let library = |name, file, version, advice| Library { name, file, version, advice };
    let driver = driver_version();
    let mut found = Found {
        libraries: vec![
            library("driver", "libcuda.so.1", driver.clone(), "install NVIDIA's driver"),
            library(
                "cuDNN",
                "libcudnn.so.9",
                cudnn_version(),
                "pip install nvidia-cudnn-cu12, and put its lib folder on LD_LIBRARY_PATH",
            ),
            library(
                "cuBLAS",
                "libcublas.so.12",
                cublas_version(),
                "pip install nvidia-cublas-cu12, and put its lib folder on LD_LIBRARY_PATH",
            ),
        ],
        ..Found::default()
    };
    if driver.is_some() {
        match gpus() {
            Ok(gpus) => found.gpus = gpus,
            Err(e) => found.reason = Some(e.to_string()),
        }
    }
    found
}

fn gpus() -> std::result::Result<Vec<Gpu>, result::DriverError> {
    result::init()?;
    let count = CudaContext::device_count()?;
    (0..count.max(0) as usize)
        .map(|ordinal| {
            let device = result::device::get(ordinal as i32)?;
            use sys::CUdevice_attribute as attribute;
            // SAFETY: the device was given by the driver.
            let (major, minor, memory) = unsafe {
                (
                    result::device::get_attribute(
                        device,
                        attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                    )?,
                    result::device::get_attribute(
                        device,
                        attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
                    )?,
                    result::device::total_mem(device)?,
                )
            };
            let name = result::device::get_name(device)?;
            Ok(Gpu { ordinal, name, capability: (major, minor), memory: memory as u64 })
        })
        .collect()
}

/// A GPU that was found with all that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The GPU.
    pub gpu: Gpu,
    /// Version of the driver.
    pub driver: String,
    /// Of cuDNN.
    pub cudnn: String,
    /// Of cuBLAS.
    pub cublas: String,
}

/// GPU number `ordinal`, with its libraries.
///
/// # Errors
/// What is not there.
pub fn require(ordinal: usize) -> Result<Installed> {
    let found = find();
    let mut versions = Vec::new();
    for library in &found.libraries {
        let Library { name, file, advice, ref version } = *library;
        versions.push(version.clone().ok_or(Error::NoLibrary { name, file, advice })?);
    }
    let count = found.gpus.len();
    let gpu = found.gpus.into_iter().nth(ordinal);
    let reason = found.reason.unwrap_or_default();
    let gpu = gpu.ok_or(Error::NoGpu { ordinal, count, reason })?;
    let [driver, cudnn, cublas] =
        std::array::from_fn(|i| versions.get(i).cloned().unwrap_or_default());
    Ok(Installed { gpu, driver, cudnn, cublas })
}
