// Spectral normalization of several weights at once. A table has 8 numbers for each: places in `memory` of W, of u between updates, of u and
// v of this pass, of sigma and of partial dot products; rows and columns. The second index of a grid is the weight's.
#define W(t) (memory + (t)[0])
#define STATE(t) (memory + (t)[1])
#define U(t) (memory + (t)[2])
#define V(t) (memory + (t)[3])
#define SIGMA(t) (memory + (t)[4])
#define DOTS(t) (memory + (t)[5])
#define ROWS(t) ((int)(t)[6])
#define COLUMNS(t) ((int)(t)[7])
// Partial dot products of a weight.
#define PARTS 32

// v = W^T u, not yet of length 1; a thread for each column
extern "C" __global__ void sn_transposed_times(float *memory, const long long *tables) {
    const long long *t = tables + 8 * blockIdx.y;
    int column = element(), columns = COLUMNS(t);
    if (column >= columns) return;
    float sum = 0.0f;
    for (int row = 0; row < ROWS(t); row++) sum += W(t)[(size_t)row * columns + column] * STATE(t)[row];
    V(t)[column] = sum;
}

// v = v / (|v| + eps); a block for each weight
extern "C" __global__ void sn_unit(float *memory, const long long *tables, float eps) {
    __shared__ float shared[BLOCK];
    const long long *t = tables + 8 * blockIdx.y;
    float square = 0.0f;
    for (int k = threadIdx.x; k < COLUMNS(t); k += BLOCK) square += V(t)[k] * V(t)[k];
    float length = sqrtf(block_sum(square, shared)) + eps;
    for (int k = threadIdx.x; k < COLUMNS(t); k += BLOCK) V(t)[k] /= length;
}

// u's place = W v; a block for each row
extern "C" __global__ void sn_times(float *memory, const long long *tables) {
    __shared__ float shared[BLOCK];
    const long long *t = tables + 8 * blockIdx.y;
    int row = blockIdx.x, columns = COLUMNS(t);
    if (row >= ROWS(t)) return;
    float sum = 0.0f;
    for (int k = threadIdx.x; k < columns; k += BLOCK) sum += W(t)[(size_t)row * columns + k] * V(t)[k];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) U(t)[row] = sum;
}

// From s = Wv in u's place: where `iterate`, u = s / (|s| + eps), which is kept, else u is what was kept; sigma = <u, s>
extern "C" __global__ void sn_sigma(float *memory, const long long *tables, int iterate, float eps) {
    __shared__ float shared[BLOCK];
    const long long *t = tables + 8 * blockIdx.y;
    float square = 0.0f;
    for (int k = threadIdx.x; k < ROWS(t); k += BLOCK) square += U(t)[k] * U(t)[k];
    float length = sqrtf(block_sum(square, shared)) + eps;
    float dot = 0.0f;
    for (int k = threadIdx.x; k < ROWS(t); k += BLOCK) {
        float s = U(t)[k], u = iterate ? s / length : STATE(t)[k];
        dot += u * s;
        U(t)[k] = u;
        STATE(t)[k] = u;
    }
    dot = block_sum(dot, shared);
    if (threadIdx.x == 0) SIGMA(t)[0] = dot;
}

// W / sigma to the places `outs`, one for each weight
extern "C" __global__ void sn_divide(float *memory, const long long *tables, const long long *outs) {
    const long long *t = tables + 8 * blockIdx.y;
    int i = element();
    if (i < ROWS(t) * COLUMNS(t)) memory[outs[blockIdx.y] + i] = W(t)[i] * (1.0f / SIGMA(t)[0]);
}

// Parts of <G, W>. `targets` has 3 numbers for each weight: places of G and of W's gradient, and whether that is added to.
extern "C" __global__ void sn_dots(float *memory, const long long *tables, const long long *targets) {
    __shared__ float shared[BLOCK];
    const long long *t = tables + 8 * blockIdx.y;
    const float *g = memory + targets[3 * blockIdx.y];
    float sum = 0.0f;
    for (int i = element(); i < ROWS(t) * COLUMNS(t); i += BLOCK * PARTS) sum += g[i] * W(t)[i];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) DOTS(t)[blockIdx.x] = sum;
}

// dW (+)= (G - <G, W>/sigma u v^T) / sigma
extern "C" __global__ void sn_divide_backward(float *memory, const long long *tables, const long long *targets) {
    const long long *t = tables + 8 * blockIdx.y, *target = targets + 3 * blockIdx.y;
    int i = element(), columns = COLUMNS(t);
    if (i >= ROWS(t) * columns) return;
    float dot = 0.0f, inverse = 1.0f / SIGMA(t)[0];
    for (int k = 0; k < PARTS; k++) dot += DOTS(t)[k];
    float *dw = memory + target[1];
    dw[i] = before(dw, i, (int)target[2]) + inverse * (memory[target[0] + i] - dot * inverse * U(t)[i / columns] * V(t)[i % columns]);
}
