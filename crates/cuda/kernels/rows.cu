// Weight normalization of several weights at once, and γ. A table has 4 numbers for each weight: places of W and of its rows' norms, rows and
// columns. The first index of a grid is the row, the second the weight.

extern "C" __global__ void normalize_rows(float *memory, const long long *tables, const long long *outs, float eps) {
    __shared__ float shared[BLOCK];
    const long long *t = tables + 4 * blockIdx.y;
    int row = blockIdx.x, columns = (int)t[3];
    if (row >= t[2]) return;
    const float *w = memory + t[0] + (size_t)row * columns;
    float *out = memory + outs[blockIdx.y] + (size_t)row * columns;
    float square = 0.0f;
    for (int k = threadIdx.x; k < columns; k += BLOCK) square += w[k] * w[k];
    float norm = sqrtf(block_sum(square, shared));
    for (int k = threadIdx.x; k < columns; k += BLOCK) out[k] = w[k] / (norm + eps);
    if (threadIdx.x == 0) memory[t[1] + row] = norm;
}

// With r = 1/(|w| + eps): dw (+)= r g - r^2/|w| <g, w> w. `targets` as for spectral normalization.
extern "C" __global__ void normalize_rows_backward(float *memory, const long long *tables, const long long *targets, float eps) {
    __shared__ float shared[BLOCK];
    const long long *t = tables + 4 * blockIdx.y, *target = targets + 3 * blockIdx.y;
    int row = blockIdx.x, columns = (int)t[3];
    if (row >= t[2]) return;
    const float *w = memory + t[0] + (size_t)row * columns, *g = memory + target[0] + (size_t)row * columns;
    float *dw = memory + target[1] + (size_t)row * columns;
    float norm = memory[t[1] + row], dot = 0.0f;
    for (int k = threadIdx.x; k < columns; k += BLOCK) dot += g[k] * w[k];
    dot = block_sum(dot, shared);
    float r = 1.0f / (norm + eps), along = r * r / norm * dot;
    for (int k = threadIdx.x; k < columns; k += BLOCK) dw[k] = before(dw, k, (int)target[2]) + (r * g[k] - along * w[k]);
}

// y = gamma x, a gamma for each `group` elements
extern "C" __global__ void scale_rows(const float *x, const float *gamma, float *y, int group, int len) {
    int i = element();
    if (i < len) y[i] = gamma[i / group] * x[i];
}

// Its gradients; a block for each gamma
extern "C" __global__ void scale_rows_backward(const float *x, const float *gamma, const float *dy, float *dx, int add_x, float *dgamma, int add_gamma, int group) {
    __shared__ float shared[BLOCK];
    int g = blockIdx.x;
    size_t first = (size_t)g * group;
    float sum = 0.0f;
    for (int k = threadIdx.x; k < group; k += BLOCK) {
        size_t i = first + k;
        sum += dy[i] * x[i];
        dx[i] = (add_x ? dx[i] : 0.0f) + gamma[g] * dy[i];
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) dgamma[g] = before(dgamma, g, add_gamma) + sum;
}
