//! Calls with their addresses, descriptors and tables.

use super::conv::Convolution;
use super::{Device, Math, driver};
use crate::launch::{Arg, BLOCK, Call, Launch};
use crate::op::{Product, View};
use crate::{Error, Result};
use cudarc::cublas::{result as cublas, sys as cublas_sys};
use cudarc::driver::{CudaFunction, CudaSlice, CudaStream, DevicePtr, result};
use std::ffi::c_void;
use std::sync::Arc;

/// A list of calls that can be made at once, in order.
pub(super) struct Prepared {
    pub(super) calls: Vec<Ready>,
    /// Tables that kernels read; they live as long as the calls.
    _tables: Vec<CudaSlice<i64>>,
}

/// One of them.
pub(super) enum Ready {
    Kernel(Kernel),
    Conv(Convolution),
    Product(Gemm),
}

impl Prepared {
    pub(super) fn of(device: &mut Device, calls: &[Call]) -> Result<Prepared> {
        let (mut ready, mut tables) = (Vec::with_capacity(calls.len()), Vec::new());
        for call in calls {
            ready.push(match call {
                Call::Kernel(launch) => Ready::Kernel(Kernel::of(device, launch, &mut tables)?),
                Call::Conv { .. } | Call::ConvData { .. } | Call::ConvFilter { .. } => {
                    Ready::Conv(Convolution::of(device, call)?)
                }
                Call::Product { a, b, c, product, add } => {
                    Ready::Product(Gemm::of(device, [*a, *b, *c], *product, *add))
                }
            });
        }
        Ok(Prepared { calls: ready, _tables: tables })
    }
}

/// A kernel's launch.
pub(super) struct Kernel {
    function: CudaFunction,
    grid: (u32, u32),
    /// Arguments as the driver reads them: addresses of 8 bytes, numbers in the first 4.
    args: Vec<u64>,
}

impl Kernel {
    fn of(
        device: &mut Device,
        launch: &Launch,
        tables: &mut Vec<CudaSlice<i64>>,
    ) -> Result<Kernel> {
        let function = device.kernel(launch.kernel)?;
        let mut args = Vec::with_capacity(launch.args.len());
        for arg in &launch.args {
            args.push(match arg {
                Arg::At(view) => device.address(*view),
                Arg::Memory => device.base(),
                Arg::Int(i) => u64::from(*i as u32),
                Arg::Float(f) => u64::from(f.to_bits()),
                Arg::Table(table) => {
                    let table = device
                        .stream
                        .clone_htod(table)
                        .map_err(driver("copy a table to the GPU"))?;
                    let at = table.device_ptr(&device.stream).0;
                    tables.push(table);
                    at
                }
            });
        }
        Ok(Kernel { function, grid: launch.grid, args })
    }

    pub(super) fn launch(&self, stream: &Arc<CudaStream>) -> Result<()> {
        let mut args = self.args.clone();
        let mut pointers: Vec<*mut c_void> =
            args.iter_mut().map(|arg| std::ptr::from_mut(arg).cast()).collect();
        // SAFETY: the arguments are those of the kernel, in its order; what they point to lives as long as the device.
        unsafe {
            result::launch_kernel(
                self.function.cu_function(),
                (self.grid.0, self.grid.1, 1),
                (BLOCK, 1, 1),
                0,
                stream.cu_stream(),
                &mut pointers,
            )
        }
        .map_err(driver("launch a kernel"))
    }
}

/// A matrix product. cuBLAS counts columns first: of row-major matrices it computes cᵀ = bᵀ·aᵀ.
pub(super) struct Gemm {
    addresses: [u64; 3],
    product: Product,
    beta: f32,
    math: Math,
}

impl Gemm {
    fn of(device: &Device, views: [View; 3], product: Product, add: bool) -> Gemm {
        let addresses = views.map(|view| device.address(view));
        Gemm { addresses, product, beta: f32::from(u8::from(add)), math: device.math }
    }

    pub(super) fn run(&self, device: &Device) -> Result<()> {
        let Product { m, n, k, transpose_a, transpose_b, alpha } = self.product;
        let [a, b, c] = self.addresses;
        let alpha = alpha as f32;
        let operation = |transposed| {
            if transposed {
                cublas_sys::cublasOperation_t::CUBLAS_OP_T
            } else {
                cublas_sys::cublasOperation_t::CUBLAS_OP_N
            }
        };
        let columns = |transposed, stored: usize, other: usize| {
            (if transposed { other } else { stored }) as i32
        };
        let compute = match self.math {
            Math::F32 => cublas_sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_PEDANTIC,
            Math::Tf32 => cublas_sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
        };
        let of_f32 = cublas_sys::cudaDataType_t::CUDA_R_32F;
        // SAFETY: the addresses are of views of these sizes in the device's memory; α and β are read before the call returns.
        unsafe {
            cublas::gemm_ex(
                device.handles.cublas,
                operation(transpose_b),
                operation(transpose_a),
                n as i32,
                m as i32,
                k as i32,
                std::ptr::from_ref(&alpha).cast(),
                b as *const c_void,
                of_f32,
                columns(transpose_b, n, k),
                a as *const c_void,
                of_f32,
                columns(transpose_a, k, m),
                std::ptr::from_ref(&self.beta).cast(),
                c as *mut c_void,
                of_f32,
                n as i32,
                compute,
                cublas_sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        }
        .map_err(|e| Error::Device { what: "multiply matrices", reason: e.to_string() })
    }
}
