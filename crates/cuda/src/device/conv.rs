//! Convolutions by cuDNN, by algorithms that give the same bits each time.
//!
//! The algorithms are fixed, never chosen by timing: a choice by timing differs from start to start, and bits with it. cuDNN documents
//! `BWD_FILTER_ALGO_0`, `_3` and `BWD_DATA_ALGO_0` as not deterministic; none of them is used.

use super::{Device, Handles, Math};
use crate::launch::Call;
use crate::op::Geometry;
use crate::{Error, Result};
use cudarc::cudnn::{result as cudnn, sys};
use cudarc::driver::DevicePtr;
use std::ffi::c_void;

const FORWARD: sys::cudnnConvolutionFwdAlgo_t =
    sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
const DATA: sys::cudnnConvolutionBwdDataAlgo_t =
    sys::cudnnConvolutionBwdDataAlgo_t::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
const FILTER: sys::cudnnConvolutionBwdFilterAlgo_t =
    sys::cudnnConvolutionBwdFilterAlgo_t::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;

/// Which of a convolution's passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Forward,
    Data,
    Filter,
}

fn cudnn_error(e: cudnn::CudnnError) -> Error {
    Error::Device { what: "convolve", reason: e.to_string() }
}

/// Descriptors of a convolution's two maps, its weight, and itself; destroyed with it.
struct Descriptors {
    x: sys::cudnnTensorDescriptor_t,
    y: sys::cudnnTensorDescriptor_t,
    w: sys::cudnnFilterDescriptor_t,
    conv: sys::cudnnConvolutionDescriptor_t,
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        // SAFETY: those that are not null were created with this value, and nothing uses them after it.
        unsafe {
            if !self.x.is_null() {
                let _ = cudnn::destroy_tensor_descriptor(self.x);
            }
            if !self.y.is_null() {
                let _ = cudnn::destroy_tensor_descriptor(self.y);
            }
            if !self.w.is_null() {
                let _ = cudnn::destroy_filter_descriptor(self.w);
            }
            if !self.conv.is_null() {
                let _ = cudnn::destroy_convolution_descriptor(self.conv);
            }
        }
    }
}

impl Descriptors {
    fn of(g: &Geometry, math: Math) -> std::result::Result<Descriptors, cudnn::CudnnError> {
        let null = std::ptr::null_mut();
        let mut d = Descriptors { x: null, y: null, w: null.cast(), conv: null.cast() };
        let ((c, side), (o, out)) = (g.input, g.output);
        let dims = |dims: [usize; 4]| dims.map(|n| n as i32);
        let (nchw, f32) =
            (sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW, sys::cudnnDataType_t::CUDNN_DATA_FLOAT);
        d.x = cudnn::create_tensor_descriptor()?;
        d.y = cudnn::create_tensor_descriptor()?;
        d.w = cudnn::create_filter_descriptor()?;
        d.conv = cudnn::create_convolution_descriptor()?;
        let ((rows, columns), stride) = (g.padding, g.stride as i32);
        let mode = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        // cuDNN's default may use TF32.
        let math = match math {
            Math::F32 => sys::cudnnMathType_t::CUDNN_FMA_MATH,
            Math::Tf32 => sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
        };
        // SAFETY: the descriptors were created above.
        unsafe {
            cudnn::set_tensor4d_descriptor(d.x, nchw, f32, dims([g.n, c, side, side]))?;
            cudnn::set_tensor4d_descriptor(d.y, nchw, f32, dims([g.n, o, out, out]))?;
            cudnn::set_filter4d_descriptor(d.w, f32, nchw, dims([o, c, g.kernel.0, g.kernel.1]))?;
            cudnn::set_convolution2d_descriptor(
                d.conv,
                rows as i32,
                columns as i32,
                stride,
                stride,
                1,
                1,
                mode,
                f32,
            )?;
            cudnn::set_convolution_math_type(d.conv, math)?;
        }
        Ok(d)
    }

    fn workspace(
        &self,
        handles: &Handles,
        pass: Pass,
    ) -> std::result::Result<usize, cudnn::CudnnError> {
        // SAFETY: handle and descriptors are alive.
        unsafe {
            match pass {
                Pass::Forward => cudnn::get_convolution_forward_workspace_size(
                    handles.cudnn,
                    self.x,
                    self.w,
                    self.conv,
                    self.y,
                    FORWARD,
                ),
                Pass::Data => cudnn::get_convolution_backward_data_workspace_size(
                    handles.cudnn,
                    self.w,
                    self.y,
                    self.conv,
                    self.x,
                    DATA,
                ),
                Pass::Filter => cudnn::get_convolution_backward_filter_workspace_size(
                    handles.cudnn,
                    self.x,
                    self.y,
                    self.conv,
                    self.w,
                    FILTER,
                ),
            }
        }
    }
}

/// A call's pass, sizes, views in the order (x, y, w), and whether its result is added to what is there.
fn parts(call: &Call) -> Option<(Pass, &Geometry, [crate::op::View; 3], bool)> {
    match call {
        Call::Conv { x, w, y, geometry } => Some((Pass::Forward, geometry, [*x, *y, *w], false)),
        Call::ConvData { dy, w, dx, geometry, add } => {
            Some((Pass::Data, geometry, [*dx, *dy, *w], *add))
        }
        Call::ConvFilter { x, dy, dw, geometry, add } => {
            Some((Pass::Filter, geometry, [*x, *dy, *dw], *add))
        }
        Call::Kernel(_) | Call::Product { .. } => None,
    }
}

/// Bytes of workspace that a call needs.
pub(super) fn workspace(handles: &Handles, call: &Call, math: Math) -> Result<usize> {
    let Some((pass, geometry, ..)) = parts(call) else { return Ok(0) };
    let descriptors = Descriptors::of(geometry, math).map_err(cudnn_error)?;
    descriptors.workspace(handles, pass).map_err(cudnn_error)
}

/// A convolution's pass, ready to run.
pub(super) struct Convolution {
    descriptors: Descriptors,
    pass: Pass,
    x: u64,
    y: u64,
    w: u64,
    beta: f32,
    workspace: usize,
}

impl Convolution {
    pub(super) fn of(device: &Device, call: &Call) -> Result<Convolution> {
        let Some((pass, geometry, views, add)) = parts(call) else {
            return Err(Error::Device { what: "convolve", reason: "no convolution".into() });
        };
        let [x, y, w] = views.map(|view| device.address(view));
        let descriptors = Descriptors::of(geometry, device.math).map_err(cudnn_error)?;
        let workspace = descriptors.workspace(&device.handles, pass).map_err(cudnn_error)?;
        Ok(Convolution { descriptors, pass, x, y, w, beta: f32::from(u8::from(add)), workspace })
    }

    pub(super) fn run(&self, device: &Device) -> Result<()> {
        let (handle, d) = (device.handles.cudnn, &self.descriptors);
        let alpha = 1.0f32;
        let (alpha, beta) =
            (std::ptr::from_ref(&alpha).cast(), std::ptr::from_ref(&self.beta).cast());
        let space = device.workspace.device_ptr(&device.stream).0 as *mut c_void;
        let (x, y, w) = (self.x as *mut c_void, self.y as *mut c_void, self.w as *mut c_void);
        // SAFETY: the addresses are of views of the descriptors' sizes; the workspace is as large as the largest that was asked for.
        unsafe {
            match self.pass {
                Pass::Forward => cudnn::convolution_forward(
                    handle,
                    alpha,
                    d.x,
                    x,
                    d.w,
                    w,
                    d.conv,
                    FORWARD,
                    space,
                    self.workspace,
                    beta,
                    d.y,
                    y,
                ),
                Pass::Data => cudnn::convolution_backward_data(
                    handle,
                    alpha,
                    d.w,
                    w,
                    d.y,
                    y,
                    d.conv,
                    DATA,
                    space,
                    self.workspace,
                    beta,
                    d.x,
                    x,
                ),
                Pass::Filter => cudnn::convolution_backward_filter(
                    handle,
                    alpha,
                    d.x,
                    x,
                    d.y,
                    y,
                    d.conv,
                    FILTER,
                    space,
                    self.workspace,
                    beta,
                    d.w,
                    w,
                ),
            }
        }
        .map_err(cudnn_error)
    }
}
