// Runs the kernels' own source on a CPU: blocks one after the other, a block's threads as coroutines that hand over at __syncthreads. The
// order of blocks and threads is the caller's, so that two orders show what depends on it. x86-64 Linux, glibc.
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <tuple>
#include <ucontext.h>
#include <utility>

#define __global__
#define __device__ static
#define __shared__ static

struct Index { unsigned x, y; };
static Index threadIdx, blockIdx, blockDim, gridDim;

static float __int_as_float(int i) { float f; memcpy(&f, &i, 4); return f; }

namespace shim {
const unsigned THREADS = 256;
const size_t STACK = 64 << 10;

static ucontext_t entry, home;
static jmp_buf scheduler, threads[THREADS];
static bool started[THREADS], done[THREADS], coroutines;
static char *stacks;
static unsigned current;
static void (*body)();

static void thread_main() {
    body();
    done[current] = true;
    _longjmp(scheduler, 1);
}

static void sync() {
    if (!coroutines) {
        fprintf(stderr, "a kernel that was run without coroutines synchronizes\n");
        abort();
    }
    if (!_setjmp(threads[current])) _longjmp(scheduler, 1);
}

// Runs thread t until it synchronizes or ends.
static void resume(unsigned t) {
    current = t;
    threadIdx = {t, 0};
    if (_setjmp(scheduler)) return;
    if (started[t]) _longjmp(threads[t], 1);
    started[t] = true;
    getcontext(&entry);
    entry.uc_stack.ss_sp = stacks + t * STACK;
    entry.uc_stack.ss_size = STACK;
    entry.uc_link = &home;
    makecontext(&entry, thread_main, 0);
    setcontext(&entry);
}

// The i-th of n in an order: 0 ascending, 1 descending, else a walk with an odd step.
static unsigned ordered(unsigned i, unsigned n, int order) {
    if (order == 0) return i;
    if (order == 1) return n - 1 - i;
    return (unsigned)(((unsigned long long)i * 7919 + 13) % n);
}

static void run_block(int order) {
    if (!coroutines) {
        for (unsigned i = 0; i < THREADS; i++) {
            threadIdx = {ordered(i, THREADS, order == 1), 0};
            body();
        }
        return;
    }
    memset(started, 0, sizeof started);
    memset(done, 0, sizeof done);
    for (bool all = false; !all;) {
        unsigned ended = 0, waiting = 0;
        for (unsigned i = 0; i < THREADS; i++) {
            unsigned t = ordered(i, THREADS, order == 1);
            if (!done[t]) resume(t);
            (done[t] ? ended : waiting)++;
        }
        // A barrier that only some threads of a block come to is undefined on a GPU.
        if (ended && waiting) {
            fprintf(stderr, "%u threads wait at a barrier that %u have passed by\n", waiting, ended);
            abort();
        }
        all = waiting == 0;
    }
}

template <class... A, size_t... I> static void call(void (*kernel)(A...), void **args, std::index_sequence<I...>) {
    kernel(*(A *)args[I]...);
}

static void (*calling)();
static void **arguments;

template <auto kernel, class... A> static void invoke_with(void (*)(A...)) {
    call(kernel, arguments, std::index_sequence_for<A...>{});
}
template <auto kernel> static void invoke() { invoke_with<kernel>(kernel); }

// How many arguments a kernel has.
template <class... A> static int count(void (*)(A...)) { return sizeof...(A); }

static void run(void (*invoke)(), unsigned x, unsigned y, void **args, bool synchronizes, int order) {
    if (!stacks) stacks = (char *)malloc(THREADS * STACK);
    arguments = args;
    body = invoke;
    coroutines = synchronizes;
    blockDim = {THREADS, 1};
    gridDim = {x, y};
    for (unsigned i = 0; i < x * y; i++) {
        unsigned block = ordered(i, x * y, order == 1);
        blockIdx = {block % x, block / x};
        run_block(order);
    }
}
} // namespace shim

#define __syncthreads() shim::sync()
