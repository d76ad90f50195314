// A stand-in for NVIDIA's driver, cuDNN and cuBLAS on a machine without a GPU: the few functions that the device side calls, on the host's
// memory, with our own kernels run by shim.h. It answers wrong uses with errors: anything but a launch while a stream is captured, pointers
// outside what was allocated, descriptors of other sizes. One device. A stream's work is done as late as can be, when something waits for it:
// whoever reads what he has not waited for, or writes over what is still to be copied, gets wrong numbers each time. Calls are counted.
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <set>
#include <string>
#include <vector>

namespace stand_in {
typedef std::function<void()> Work;
struct Graph { std::vector<Work> work; };
struct Stream {
    Graph *capturing;
    std::deque<Work> queue;
    // Pieces of work so far: given, and done.
    unsigned long long given, done;
};
// A place in a stream: behind so many pieces of its work, and behind so many launches of graphs in all.
struct Event { Stream *stream; unsigned long long at, launches; };
struct Function { std::string name; };

static std::recursive_mutex one;
static std::map<std::string, unsigned long long> counts;
static unsigned long long launches = 0;
static pthread_t launcher;
static std::set<Stream *> streams;
static std::map<char *, size_t> allocated, locked;
static size_t used = 0;
static const size_t TOTAL = (size_t)1 << 30;

// One call at a time, whatever the thread.
struct Call {
    std::lock_guard<std::recursive_mutex> lock;
    Call(const char *name) : lock(one) { counts[name]++; }
};
#define CALL Call call(__func__)

static bool within(const std::map<char *, size_t> &memory, const void *p, size_t bytes) {
    auto after = memory.upper_bound((char *)p);
    if (after == memory.begin()) return false;
    --after;
    return (char *)p + bytes <= after->first + after->second;
}
static bool inside(const void *p, size_t bytes) { return within(allocated, p, bytes); }

static int submit(Stream *stream, Work work) {
    if (stream->capturing) {
        stream->capturing->work.push_back(work);
    } else {
        stream->queue.push_back(work);
        stream->given++;
    }
    return 0;
}

// Does a stream's first `n` pieces of work.
static void until(Stream *stream, unsigned long long n) {
    while (stream->done < n && !stream->queue.empty()) {
        Work work = stream->queue.front();
        stream->queue.pop_front();
        work();
        stream->done++;
    }
}
static void drain() {
    for (Stream *stream : streams) until(stream, stream->given);
}
} // namespace stand_in

extern "C" int run(const char *name, unsigned x, unsigned y, void **args, int order);
extern "C" int arguments_of(const char *name);

extern "C" {
using namespace stand_in;
typedef unsigned long long Pointer;

int cuInit(unsigned) { return 0; }
int cuDriverGetVersion(int *v) { *v = 12040; return 0; }
int cuDeviceGetCount(int *n) { *n = 1; return 0; }
int cuDeviceGet(int *d, int i) { *d = i; return i == 0 ? 0 : 101; }
int cuDeviceGetName(char *name, int len, int) { snprintf(name, len, "stand-in"); return 0; }
int cuDeviceTotalMem_v2(size_t *n, int) { *n = TOTAL; return 0; }
int cuDeviceGetAttribute(int *v, int attribute, int) { *v = attribute == 75 ? 9 : 0; return 0; }
int cuDevicePrimaryCtxRetain(void **c, int) { *c = (void *)1; return 0; }
int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
int cuCtxGetCurrent(void **c) { *c = (void *)1; return 0; }
int cuCtxSetCurrent(void *) { return 0; }
int cuCtxSynchronize() {
    CALL;
    drain();
    return 0;
}
// How often a function was called.
unsigned long long stand_in_count(const char *name) {
    std::lock_guard<std::recursive_mutex> lock(one);
    return counts[name];
}
int cuMemGetInfo_v2(size_t *free, size_t *total) { *total = TOTAL; *free = TOTAL - used; return 0; }
int cuGetErrorName(int, const char **s) { *s = "CUDA_ERROR_STAND_IN"; return 0; }
int cuGetErrorString(int, const char **s) { *s = "the stand-in refused it"; return 0; }

int cuStreamCreate(Stream **s, unsigned) {
    CALL;
    *s = new Stream{nullptr, {}, 0, 0};
    streams.insert(*s);
    return 0;
}
// Events may still speak of the stream.
int cuStreamDestroy_v2(Stream *s) {
    CALL;
    until(s, s->given);
    return 0;
}
int cuStreamSynchronize(Stream *s) {
    CALL;
    until(s, s->given);
    return s->capturing ? 900 : 0;
}
int cuStreamBeginCapture_v2(Stream *s, int) {
    CALL;
    if (s->capturing) return 900;
    s->capturing = new Graph;
    return 0;
}
int cuStreamEndCapture(Stream *s, Graph **g) {
    CALL;
    *g = s->capturing;
    s->capturing = nullptr;
    return *g ? 0 : 900;
}
int cuStreamIsCapturing(Stream *s, int *status) { *status = s->capturing != nullptr; return 0; }
int cuGraphInstantiateWithFlags(std::shared_ptr<Graph> **exec, Graph *g, unsigned long long) {
    CALL;
    *exec = new std::shared_ptr<Graph>(new Graph(*g));
    return 0;
}
int cuGraphLaunch(std::shared_ptr<Graph> *exec, Stream *s) {
    CALL;
    if (s->capturing) return 900;
    launches++;
    launcher = pthread_self();
    std::shared_ptr<Graph> graph = *exec;
    return submit(s, [=] {
        for (auto &work : graph->work) work();
    });
}
int cuGraphExecDestroy(std::shared_ptr<Graph> *g) { delete g; return 0; }
int cuGraphDestroy(Graph *g) { delete g; return 0; }

int cuMemAlloc_v2(Pointer *p, size_t bytes) {
    CALL;
    if (used + bytes > TOTAL) return 2;
    char *at = (char *)malloc(bytes);
    memset(at, 0xff, bytes); // NaN: what is read before it is written shows
    allocated[at] = bytes;
    used += bytes;
    *p = (Pointer)at;
    return 0;
}
int cuMemFree_v2(Pointer p) {
    CALL;
    drain();
    auto at = allocated.find((char *)p);
    if (at == allocated.end()) return 1;
    used -= at->second;
    free(at->first);
    allocated.erase(at);
    return 0;
}
int cuMemAllocAsync(Pointer *p, size_t bytes, Stream *s) { return s->capturing ? 900 : cuMemAlloc_v2(p, bytes); }
int cuMemFreeAsync(Pointer p, Stream *s) { return s->capturing ? 900 : cuMemFree_v2(p); }
int cuEventCreate(Event **e, unsigned) {
    CALL;
    *e = new Event{nullptr, 0, 0};
    return 0;
}
int cuEventDestroy_v2(Event *e) { delete e; return 0; }
int cuEventRecord(Event *e, Stream *s) {
    CALL;
    *e = {s, s->given, launches};
    return s->capturing ? 900 : 0;
}
// Counted apart where another thread waits than the one that launches graphs, and where it waits for the newest graph.
int cuEventSynchronize(Event *e) {
    CALL;
    if (!pthread_equal(launcher, pthread_self())) counts["cuEventSynchronize beside"]++;
    else if (e->stream && e->launches == launches) counts["cuEventSynchronize of the newest graph"]++;
    if (e->stream) until(e->stream, e->at);
    return 0;
}
int cuStreamWaitEvent(Stream *s, Event *e, unsigned) {
    CALL;
    if (s->capturing) return 900;
    if (!e->stream) return 0;
    Stream *other = e->stream;
    unsigned long long at = e->at;
    return submit(s, [=] { until(other, at); });
}
int cuMemHostAlloc(void **p, size_t bytes, unsigned) {
    CALL;
    *p = malloc(bytes);
    memset(*p, 0xff, bytes);
    locked[(char *)*p] = bytes;
    return 0;
}
int cuMemFreeHost(void *p) {
    CALL;
    drain();
    if (!locked.erase((char *)p)) return 1;
    free(p);
    return 0;
}
int cuMemsetD8Async(Pointer p, unsigned char v, size_t n, Stream *s) {
    CALL;
    if (!inside((void *)p, n) || s->capturing) return 1;
    return submit(s, [=] { memset((void *)p, v, n); });
}
// Memory that is not locked is read before the call returns, and written before it returns.
int cuMemcpyHtoDAsync_v2(Pointer p, const void *from, size_t n, Stream *s) {
    CALL;
    if (s->capturing) return 900;
    if (!inside((void *)p, n)) return 1;
    if (within(locked, from, n)) return submit(s, [=] { memcpy((void *)p, from, n); });
    std::string copy((const char *)from, n);
    return submit(s, [=] { memcpy((void *)p, copy.data(), n); });
}
int cuMemcpyDtoHAsync_v2(void *to, Pointer p, size_t n, Stream *s) {
    CALL;
    if (s->capturing) return 900;
    if (!inside((void *)p, n)) return 1;
    if (within(locked, to, n)) return submit(s, [=] { memcpy(to, (void *)p, n); });
    counts["cuMemcpyDtoHAsync_v2 that waits"]++;
    until(s, s->given);
    memcpy(to, (void *)p, n);
    return 0;
}

int cuModuleLoadData(void **m, const void *image) {
    *m = (void *)1;
    return strstr((const char *)image, ".version") ? 0 : 218;
}
int cuModuleUnload(void *) { return 0; }
int cuModuleGetFunction(Function **f, void *, const char *name) {
    if (arguments_of(name) < 0) return 500;
    *f = new Function{name};
    return 0;
}
int cuLaunchKernel(Function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, Stream *s,
                   void **params, void **extra) {
    CALL;
    if (gz != 1 || bx != shim::THREADS || by != 1 || bz != 1 || shared || extra || !gx || !gy) return 1;
    // A driver copies the arguments when the call is made.
    std::vector<unsigned long long> values;
    for (int i = 0; i < arguments_of(f->name.c_str()); i++) values.push_back(*(unsigned long long *)params[i]);
    std::string name = f->name;
    return submit(s, [=] {
        std::vector<void *> args;
        for (auto &v : values) args.push_back((void *)&v);
        run(name.c_str(), gx, gy, args.data(), 0);
    });
}

// cuDNN
struct Tensor { int dims[4]; };
struct Convolution { int padding[2], stride[2], mode, math; };
struct Handle { Stream *stream; int mode; void *workspace; };
size_t cudnnGetVersion() { return 90100; }
const char *cudnnGetErrorString(int) { return "the stand-in refused it"; }
int cudnnCreate(Handle **h) { *h = new Handle{}; return 0; }
int cudnnDestroy(Handle *h) { delete h; return 0; }
int cudnnSetStream(Handle *h, Stream *s) { h->stream = s; return 0; }
int cudnnCreateTensorDescriptor(Tensor **t) { *t = new Tensor{}; return 0; }
int cudnnDestroyTensorDescriptor(Tensor *t) { delete t; return 0; }
int cudnnSetTensor4dDescriptor(Tensor *t, int format, int type, int n, int c, int h, int w) {
    *t = {{n, c, h, w}};
    return format == 0 && type == 0 ? 0 : 3000;
}
int cudnnCreateFilterDescriptor(Tensor **t) { return cudnnCreateTensorDescriptor(t); }
int cudnnDestroyFilterDescriptor(Tensor *t) { return cudnnDestroyTensorDescriptor(t); }
int cudnnSetFilter4dDescriptor(Tensor *t, int type, int format, int k, int c, int h, int w) {
    return cudnnSetTensor4dDescriptor(t, format, type, k, c, h, w);
}
int cudnnCreateConvolutionDescriptor(Convolution **c) { *c = new Convolution{}; return 0; }
int cudnnDestroyConvolutionDescriptor(Convolution *c) { delete c; return 0; }
int cudnnSetConvolution2dDescriptor(Convolution *c, int ph, int pw, int u, int v, int dh, int dw, int mode, int type) {
    *c = {{ph, pw}, {u, v}, mode, 0};
    return dh == 1 && dw == 1 && mode == 1 && type == 0 ? 0 : 3000;
}
int cudnnSetConvolutionMathType(Convolution *c, int math) { c->math = math; return 0; }

static bool fit(Tensor *x, Tensor *w, Convolution *c, Tensor *y) {
    bool fits = x->dims[0] == y->dims[0] && w->dims[1] == x->dims[1] && w->dims[0] == y->dims[1];
    for (int i = 0; i < 2; i++)
        fits = fits && y->dims[2 + i] == (x->dims[2 + i] + 2 * c->padding[i] - w->dims[2 + i]) / c->stride[i] + 1;
    return fits;
}
static size_t bytes_of(Tensor *t) { return (size_t)4 * t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3]; }

} // extern "C"

// Calls f(x's place, y's place, w's place) for every product.
template <class F> static void products(Tensor x, Tensor w, Convolution c, Tensor y, F f) {
    for (int n = 0; n < y.dims[0]; n++)
        for (int o = 0; o < y.dims[1]; o++)
            for (int i = 0; i < y.dims[2]; i++)
                for (int j = 0; j < y.dims[3]; j++)
                    for (int k = 0; k < x.dims[1]; k++)
                        for (int r = 0; r < w.dims[2]; r++)
                            for (int s = 0; s < w.dims[3]; s++) {
                                int yy = i * c.stride[0] + r - c.padding[0], xx = j * c.stride[1] + s - c.padding[1];
                                if (yy < 0 || xx < 0 || yy >= x.dims[2] || xx >= x.dims[3]) continue;
                                f(((n * x.dims[1] + k) * x.dims[2] + yy) * x.dims[3] + xx, ((n * y.dims[1] + o) * y.dims[2] + i) * y.dims[3] + j,
                                  ((o * x.dims[1] + k) * w.dims[2] + r) * w.dims[3] + s);
                            }
}
// out = alpha sum + beta out, the sum in double
static void store(float *out, const std::vector<double> &sum, float alpha, float beta) {
    for (size_t i = 0; i < sum.size(); i++) out[i] = (float)(alpha * sum[i] + (beta == 0.0f ? 0.0 : beta * (double)out[i]));
}

extern "C" {
static bool usable(Tensor *x, void *px, Tensor *w, void *pw, Convolution *c, Tensor *y, void *py, void *space, size_t bytes) {
    return fit(x, w, c, y) && inside(px, bytes_of(x)) && inside(pw, bytes_of(w)) && inside(py, bytes_of(y)) && inside(space, bytes);
}
// Some workspace, as the real one asks for.
int cudnnGetConvolutionForwardWorkspaceSize(Handle *, Tensor *x, Tensor *w, Convolution *c, Tensor *y, int algo, size_t *n) {
    *n = bytes_of(w);
    return fit(x, w, c, y) && algo == 1 ? 0 : 3000;
}
int cudnnGetConvolutionBackwardDataWorkspaceSize(Handle *, Tensor *w, Tensor *y, Convolution *c, Tensor *x, int algo, size_t *n) {
    *n = bytes_of(x);
    return fit(x, w, c, y) && algo == 1 ? 0 : 3000;
}
int cudnnGetConvolutionBackwardFilterWorkspaceSize(Handle *, Tensor *x, Tensor *y, Convolution *c, Tensor *w, int algo, size_t *n) {
    *n = 2 * bytes_of(w);
    return fit(x, w, c, y) && algo == 1 ? 0 : 3000;
}
int cudnnConvolutionForward(Handle *h, const float *alpha, Tensor *x, void *px, Tensor *w, void *pw, Convolution *c, int, void *space, size_t bytes,
                            const float *beta, Tensor *y, void *py) {
    CALL;
    if (!usable(x, px, w, pw, c, y, py, space, bytes)) return 3000;
    float a = *alpha, b = *beta;
    Tensor tx = *x, tw = *w, ty = *y;
    Convolution tc = *c;
    return submit(h->stream, [=] {
        std::vector<double> sum(bytes_of((Tensor *)&ty) / 4);
        products(tx, tw, tc, ty, [&](int i, int j, int k) { sum[j] += (double)((float *)px)[i] * ((float *)pw)[k]; });
        store((float *)py, sum, a, b);
    });
}
int cudnnConvolutionBackwardData(Handle *h, const float *alpha, Tensor *w, void *pw, Tensor *y, void *py, Convolution *c, int, void *space,
                                 size_t bytes, const float *beta, Tensor *x, void *px) {
    CALL;
    if (!usable(x, px, w, pw, c, y, py, space, bytes)) return 3000;
    float a = *alpha, b = *beta;
    Tensor tx = *x, tw = *w, ty = *y;
    Convolution tc = *c;
    return submit(h->stream, [=] {
        std::vector<double> sum(bytes_of((Tensor *)&tx) / 4);
        products(tx, tw, tc, ty, [&](int i, int j, int k) { sum[i] += (double)((float *)py)[j] * ((float *)pw)[k]; });
        store((float *)px, sum, a, b);
    });
}
int cudnnConvolutionBackwardFilter(Handle *h, const float *alpha, Tensor *x, void *px, Tensor *y, void *py, Convolution *c, int, void *space,
                                   size_t bytes, const float *beta, Tensor *w, void *pw) {
    CALL;
    if (!usable(x, px, w, pw, c, y, py, space, bytes)) return 3000;
    float a = *alpha, b = *beta;
    Tensor tx = *x, tw = *w, ty = *y;
    Convolution tc = *c;
    return submit(h->stream, [=] {
        std::vector<double> sum(bytes_of((Tensor *)&tw) / 4);
        products(tx, tw, tc, ty, [&](int i, int j, int k) { sum[k] += (double)((float *)px)[i] * ((float *)py)[j]; });
        store((float *)pw, sum, a, b);
    });
}

// cuBLAS
int cublasGetProperty(int type, int *value) { *value = type == 0 ? 12 : 4; return 0; }
int cublasCreate_v2(Handle **h) { return cudnnCreate(h); }
int cublasDestroy_v2(Handle *h) { return cudnnDestroy(h); }
int cublasSetStream_v2(Handle *h, Stream *s) {
    h->workspace = nullptr; // as the real one does
    return cudnnSetStream(h, s);
}
int cublasSetWorkspace_v2(Handle *h, void *p, size_t bytes) {
    h->workspace = p;
    return inside(p, bytes) ? 0 : 7;
}
int cublasSetMathMode(Handle *h, int mode) { h->mode = mode; return 0; }
int cublasGemmEx(Handle *h, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int atype, int lda, const float *b, int btype, int ldb,
                 const float *beta, float *c, int ctype, int ldc, int, int) {
    CALL;
    if (atype || btype || ctype || !h->workspace || lda < (ta ? k : m) || ldb < (tb ? n : k) || ldc < m) return 7;
    if (!inside(a, (size_t)4 * lda * (ta ? m : k)) || !inside(b, (size_t)4 * ldb * (tb ? k : n)) || !inside(c, (size_t)4 * ldc * n)) return 7;
    float al = *alpha, be = *beta;
    return submit(h->stream, [=] {
        for (int j = 0; j < n; j++)
            for (int i = 0; i < m; i++) {
                double sum = 0.0;
                for (int l = 0; l < k; l++) sum += (double)a[ta ? i * lda + l : l * lda + i] * b[tb ? l * ldb + j : j * ldb + l];
                c[j * ldc + i] = (float)(al * sum + (be == 0.0f ? 0.0 : be * (double)c[j * ldc + i]));
            }
    });
}
} // extern "C"
