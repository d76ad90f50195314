//! Runs programs on an NVIDIA GPU.
//!
//! Driver, cuDNN and cuBLAS are loaded when a device is opened, so the program is built and starts without them. A device has a context and a
//! stream of its own, one flat memory, and no allocation after its start. Each list of a program runs once as it is, and is then captured as a
//! graph, which all later runs launch as a whole.

mod call;
mod conv;
mod copies;
mod find;
mod staging;

pub use find::{Found, Gpu, Installed, Library, find, require};

use crate::launch::calls;
use crate::machine::{Lists, Machine, Part, Receipt};
use crate::op::View;
use crate::program::Layout;
use crate::{Error, Result};
use call::{Prepared, Ready};
use copies::Copies;
use cudarc::cublas::{result as cublas, sys as cublas_sys};
use cudarc::cudnn::{result as cudnn, sys as cudnn_sys};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaGraph, CudaModule, CudaSlice, CudaStream, result, sys,
};
use staging::Staging;
use std::collections::HashMap;
use std::sync::Arc;

/// How products and convolutions of f32 are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Math {
    /// In f32.
    #[default]
    F32,
    /// Their factors rounded to TF32, 10 bits of mantissa, where the GPU has tensor cores for it.
    Tf32,
}

impl Math {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Math::F32 => "f32",
            Math::Tf32 => "tf32",
        }
    }
}

/// Workspace of cuBLAS, bytes: what its documentation asks for on Hopper.
const CUBLAS_WORKSPACE: usize = 32 << 20;

/// Handles of a context's libraries, destroyed with it.
struct Handles {
    cudnn: cudnn_sys::cudnnHandle_t,
    cublas: cublas_sys::cublasHandle_t,
}

impl Drop for Handles {
    fn drop(&mut self) {
        // SAFETY: both were created with this value, and nothing uses them after it. An error leaves nothing to be done.
        unsafe {
            let _ = cudnn::destroy_handle(self.cudnn);
            let _ = cublas::destroy_handle(self.cublas);
        }
    }
}

/// A GPU with one program's memory.
pub struct Device {
    // Fields are dropped in this order: graphs before what they use, the stream last.
    graphs: HashMap<Part, CudaGraph>,
    prepared: HashMap<Part, Prepared>,
    staging: Staging,
    copies: Copies,
    handles: Handles,
    kernels: HashMap<&'static str, CudaFunction>,
    module: Arc<CudaModule>,
    memory: CudaSlice<f32>,
    workspace: CudaSlice<u8>,
    cublas_workspace: CudaSlice<u8>,
    layout: Layout,
    math: Math,
    stream: Arc<CudaStream>,
}

// SAFETY: the driver's, cuDNN's and cuBLAS' handles may be used from any thread that has their context, as long as one thread at a time does:
// every method takes the device by reference and none shares a handle, and each entry makes the context current first.
unsafe impl Send for Device {}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (elements, math) = (self.layout.len(), self.math);
        f.debug_struct("Device").field("elements", &elements).field("math", &math).finish()
    }
}

fn driver(what: &'static str) -> impl Fn(result::DriverError) -> Error {
    move |e| Error::Device { what, reason: e.to_string() }
}

impl Device {
    /// Opens a GPU with the memory of `lists`.
    ///
    /// # Errors
    /// Kernels that the driver does not take; too little memory, with how much is needed and free.
    pub fn open(installed: &Installed, lists: &dyn Lists, math: Math) -> Result<Device> {
        let layout = lists.layout();
        let ordinal = installed.gpu.ordinal;
        let context = CudaContext::new(ordinal).map_err(driver("open the GPU"))?;
        // Updates have one stream, and copies beside them wait by events of their own; more would stand in the way of a capture.
        // SAFETY: only `Copies` reads a slice on another stream, between its events.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(driver("make a stream"))?;
        let module = load(&context)?;
        let handles = handles(&stream, math)?;
        let mut device_calls = HashMap::new();
        let mut workspace = 0;
        for part in lists.parts() {
            let list: Vec<_> =
                lists.ops(part).into_iter().flat_map(|op| calls(op, layout)).collect();
            for call in &list {
                workspace = workspace.max(conv::workspace(&handles, call, math)?);
            }
            device_calls.insert(part, list);
        }
        let needed = 4 * layout.len() + workspace + CUBLAS_WORKSPACE;
        let (free, _) = context.mem_get_info().map_err(driver("ask for free memory"))?;
        if needed > free {
            let fits = lists.fitting(free.saturating_sub(workspace + CUBLAS_WORKSPACE));
            return Err(Error::OutOfMemory { needed: needed as u64, free: free as u64, fits });
        }
        let memory = stream
            .alloc_zeros::<f32>(layout.len())
            .map_err(driver("allocate the program's memory"))?;
        let bytes =
            |n: usize| stream.alloc_zeros::<u8>(n.max(1)).map_err(driver("allocate a workspace"));
        let (workspace, cublas_workspace) = (bytes(workspace)?, bytes(CUBLAS_WORKSPACE)?);
        let mut device = Device {
            graphs: HashMap::new(),
            prepared: HashMap::new(),
            staging: Staging::new(&stream, &lists.staged())?,
            copies: Copies::new(&context, lists.copied())?,
            handles,
            kernels: HashMap::new(),
            module,
            memory,
            workspace,
            cublas_workspace,
            layout: layout.clone(),
            math,
            stream,
        };
        device.set_cublas_workspace()?;
        for (part, list) in device_calls {
            let prepared = Prepared::of(&mut device, &list)?;
            device.prepared.insert(part, prepared);
        }
        device.synchronize()?;
        Ok(device)
    }

    /// Where the memory begins on the device.
    fn base(&self) -> u64 {
        use cudarc::driver::DevicePtr;
        self.memory.device_ptr(&self.stream).0
    }

    fn address(&self, view: View) -> u64 {
        self.base() + 4 * self.layout.at(view) as u64
    }

    fn kernel(&mut self, name: &'static str) -> Result<CudaFunction> {
        if let Some(kernel) = self.kernels.get(name) {
            return Ok(kernel.clone());
        }
        let kernel = self.module.load_function(name).map_err(driver("find a kernel"))?;
        self.kernels.insert(name, kernel.clone());
        Ok(kernel)
    }

    /// After the stream: setting that resets the workspace.
    fn set_cublas_workspace(&self) -> Result<()> {
        use cudarc::driver::DevicePtr;
        let place = self.cublas_workspace.device_ptr(&self.stream).0;
        // SAFETY: the workspace lives as long as the handle.
        let set = unsafe {
            cublas_sys::cublasSetWorkspace_v2(
                self.handles.cublas,
                place as *mut _,
                self.cublas_workspace.len(),
            )
        };
        set.result().map_err(|e| Error::Device { what: "set up cuBLAS", reason: e.to_string() })
    }

    /// Launches a list's calls one by one.
    fn issue(&self, part: Part) -> Result<()> {
        let Some(prepared) = self.prepared.get(&part) else { return Ok(()) };
        prepared.calls.iter().try_for_each(|call| self.one(call))
    }

    fn one(&self, call: &Ready) -> Result<()> {
        match call {
            Ready::Kernel(kernel) => kernel.launch(&self.stream),
            Ready::Conv(conv) => conv.run(self),
            Ready::Product(product) => product.run(self),
        }
    }

    /// Captures a list as a graph. Nothing runs.
    fn capture(&self, part: Part) -> Result<Option<CudaGraph>> {
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.stream.begin_capture(mode).map_err(driver("begin a capture"))?;
        let issued = self.issue(part);
        // The capture is ended in any case: a stream that is still capturing can do nothing else.
        let flags = sys::CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
        let graph = self.stream.end_capture(flags).map_err(driver("end a capture"));
        issued?;
        graph
    }

    /// Waits until everything is done.
    ///
    /// # Errors
    /// Those of anything that was launched before.
    pub fn synchronize(&self) -> Result<()> {
        self.stream.synchronize().map_err(driver("wait for the GPU"))
    }
}

/// Loads our kernels.
fn load(context: &Arc<CudaContext>) -> Result<Arc<CudaModule>> {
    let ptx = cudarc::nvrtc::Ptx::from_src(crate::kernels::PTX);
    context.load_module(ptx).map_err(|e| Error::Device {
        what: "load the kernels: the driver may be older than they need",
        reason: e.to_string(),
    })
}

fn handles(stream: &Arc<CudaStream>, math: Math) -> Result<Handles> {
    let of_cudnn =
        |e: cudnn::CudnnError| Error::Device { what: "set up cuDNN", reason: e.to_string() };
    let of_cublas =
        |e: cublas::CublasError| Error::Device { what: "set up cuBLAS", reason: e.to_string() };
    let cudnn = cudnn::create_handle().map_err(of_cudnn)?;
    let cublas = match cublas::create_handle() {
        Ok(handle) => handle,
        Err(e) => {
            // SAFETY: it was created above and nothing uses it.
            let _ = unsafe { cudnn::destroy_handle(cudnn) };
            return Err(of_cublas(e));
        }
    };
    let handles = Handles { cudnn, cublas };
    // SAFETY: handles and stream are of the context that is current.
    unsafe {
        cudnn::set_stream(cudnn, stream.cu_stream() as *mut _).map_err(of_cudnn)?;
        cublas::set_stream(cublas, stream.cu_stream() as *mut _).map_err(of_cublas)?;
        let mode = match math {
            Math::F32 => cublas_sys::cublasMath_t::CUBLAS_PEDANTIC_MATH,
            Math::Tf32 => cublas_sys::cublasMath_t::CUBLAS_TF32_TENSOR_OP_MATH,
        };
        cublas_sys::cublasSetMathMode(cublas, mode).result().map_err(of_cublas)?;
    }
    Ok(handles)
}

impl Machine for Device {
    fn write(&mut self, view: View, values: &[f64]) -> Result<()> {
        self.write_f32(view, &values.iter().map(|x| *x as f32).collect::<Vec<_>>())
    }

    fn write_f32(&mut self, view: View, values: &[f32]) -> Result<()> {
        self.stream.context().bind_to_thread().map_err(driver("use the GPU"))?;
        let address = self.address(view);
        if self.staging.write(view, address, values.iter().copied())? {
            return Ok(());
        }
        let len = values.len().min(view.len);
        // SAFETY: the view lies in the memory. The copy of pageable memory has left the host's when the call returns.
        unsafe { result::memcpy_htod_async(address, &values[..len], self.stream.cu_stream()) }
            .map_err(driver("copy to the GPU"))
    }

    fn read(&self, view: View) -> Result<Vec<f64>> {
        self.stream.context().bind_to_thread().map_err(driver("use the GPU"))?;
        let mut values = vec![0f32; view.len];
        // SAFETY: the view lies in the memory, and the values are read after the stream has come to the copy's end.
        unsafe {
            result::memcpy_dtoh_async(&mut values, self.address(view), self.stream.cu_stream())
        }
        .map_err(driver("copy from the GPU"))?;
        self.synchronize()?;
        Ok(values.into_iter().map(f64::from).collect())
    }

    fn peek(&mut self, view: View) -> Result<(Vec<f64>, u64)> {
        let address = self.address(view);
        Ok(match self.staging.read_last(view, address)? {
            Some(values) => (values.into_iter().map(f64::from).collect(), 1),
            None => (self.read(view)?, 0),
        })
    }

    fn copy_out(&mut self, view: View) -> Result<Receipt> {
        let address = self.address(view);
        self.copies.begin(&self.stream, address, view.len)
    }

    fn finish(&mut self) -> Result<()> {
        self.synchronize()
    }

    fn device_bytes(&self) -> Option<u64> {
        // Tables of addresses, a few kilobytes, are not counted.
        Some((4 * self.memory.len() + self.workspace.len() + self.cublas_workspace.len()) as u64)
    }

    fn run(&mut self, _: &dyn Lists, part: Part) -> Result<()> {
        self.stream.context().bind_to_thread().map_err(driver("use the GPU"))?;
        if part.measures() {
            self.copies.wait(&self.stream)?;
        }
        if let Some(graph) = self.graphs.get(&part) {
            return graph.launch().map_err(driver("launch an update"));
        }
        // The first run is not captured: libraries load what they need when they are first called.
        self.issue(part)?;
        self.synchronize()?;
        if let Some(graph) = self.capture(part)? {
            self.graphs.insert(part, graph);
        }
        Ok(())
    }
}
