"""Compiles the kernels: `python make_ptx.py` in an environment with nvidia-cuda-nvrtc-cu12 (no GPU is needed) writes kernels.ptx;
with `--check` it only says whether that file is what the sources give.

The compiler's version is pinned below: PTX of CUDA 13 is refused by drivers before r580, that of 12.4 is taken from r550 on.
"""

import ctypes
import importlib.metadata
import pathlib
import sys

PACKAGE, VERSION = "nvidia-cuda-nvrtc-cu12", "12.4.127"
# The order of SOURCES in src/kernels.rs.
FILES = ["block.cuh", "elementwise.cu", "finish.cu", "batch_norm.cu", "layer_norm.cu", "resample.cu", "windows.cu", "labels.cu", "spectral.cu", "rows.cu", "loss.cu", "step.cu"]
# No fast math. Products and sums may be contracted: the same source gives the same PTX, and so the same bits.
OPTIONS = ["--gpu-architecture=compute_75", "--std=c++17"]
HERE = pathlib.Path(__file__).parent


def library():
    try:
        found = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        sys.exit(f"{PACKAGE}=={VERSION} is not installed")
    if found != VERSION:
        sys.exit(f"{PACKAGE} is {found}; the committed PTX is made by {VERSION}")
    for file in importlib.metadata.files(PACKAGE):
        if file.name.startswith("libnvrtc.so"):
            return ctypes.CDLL(str(file.locate()))
    sys.exit(f"{PACKAGE} has no libnvrtc.so")


def compile(source):
    nvrtc, program = library(), ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None) == 0
    options = (ctypes.c_char_p * len(OPTIONS))(*(o.encode() for o in OPTIONS))
    code = nvrtc.nvrtcCompileProgram(program, len(OPTIONS), options)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    if code:
        sys.exit(log.value.decode())
    nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size))
    ptx = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetPTX(program, ptx)
    return ptx.value.decode()


def main():
    ptx = compile("".join((HERE / name).read_text() for name in FILES))
    out = HERE / "kernels.ptx"
    if "--check" in sys.argv[1:]:
        if out.read_text() != ptx:
            sys.exit("kernels.ptx is not what the sources give; run make_ptx.py")
        print(f"kernels.ptx is what the sources give ({len(ptx)} bytes)")
    else:
        out.write_text(ptx)
        print(f"{out}: {len(ptx)} bytes")


if __name__ == "__main__":
    main()
