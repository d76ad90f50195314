// What several kernels share. Only fixed-order sums: no atomics, so a launch gives the same bits each time.

// Threads of every block that reduces.
#define BLOCK 256

// The sum of x over the block, in every thread. `shared` has BLOCK elements; the caller may use it again at once.
template <class T> __device__ T block_sum(T x, T *shared) {
    int t = threadIdx.x;
    __syncthreads();
    shared[t] = x;
    __syncthreads();
    for (int half = BLOCK / 2; half > 0; half /= 2) {
        if (t < half) shared[t] += shared[t + half];
        __syncthreads();
    }
    return shared[0];
}

// activation: 0 none, 1 max(x, 0), 2 max(x, slope x), 3 tanh.
__device__ float activated(int activation, float slope, float x) {
    switch (activation) {
    case 1: return x > 0.0f ? x : 0.0f;
    case 2: return x > 0.0f ? x : slope * x;
    case 3: return tanhf(x);
    default: return x;
    }
}

// The derivative where the output is y.
__device__ float derivative(int activation, float slope, float y) {
    switch (activation) {
    case 1: return y > 0.0f ? 1.0f : 0.0f;
    case 2: return y > 0.0f ? 1.0f : slope;
    case 3: return 1.0f - y * y;
    default: return 1.0f;
    }
}

// What a result is added to.
__device__ float before(const float *out, int i, int add) { return add ? out[i] : 0.0f; }

__device__ int element() { return blockIdx.x * blockDim.x + threadIdx.x; }
