// y[r] = factor times the sum of x[r, .]; a block for each image and channel
extern "C" __global__ void pool(const float *x, float *y, int plane, float factor) {
    __shared__ float shared[BLOCK];
    size_t first = (size_t)blockIdx.x * plane;
    float sum = 0.0f;
    for (int k = threadIdx.x; k < plane; k += BLOCK) sum += x[first + k];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) y[blockIdx.x] = factor * sum;
}

// dx[r, .] (+)= factor dy[r]
extern "C" __global__ void spread(const float *dy, float *dx, int plane, float factor, int add, int len) {
    int i = element();
    if (i < len) dx[i] = before(dx, i, add) + factor * dy[i / plane];
}

// y (+)= factor times each pixel of x four times; `side` is x's, `len` y's
extern "C" __global__ void upsample(const float *x, float *y, int side, float factor, int add, int len) {
    int i = element(), wide = 2 * side;
    if (i >= len) return;
    int map = i / (wide * wide), row = i / wide % wide, column = i % wide;
    y[i] = before(y, i, add) + factor * x[(map * side + row / 2) * side + column / 2];
}

// y (+)= factor times the sum of each 2x2 pixels of x; `side` and `len` are y's
extern "C" __global__ void downsample(const float *x, float *y, int side, float factor, int add, int len) {
    int i = element(), wide = 2 * side;
    if (i >= len) return;
    int map = i / (side * side), row = i / side % side, column = i % side;
    const float *from = x + (size_t)(map * wide + 2 * row) * wide + 2 * column;
    y[i] = before(y, i, add) + factor * ((from[0] + from[1]) + (from[wide] + from[wide + 1]));
}
