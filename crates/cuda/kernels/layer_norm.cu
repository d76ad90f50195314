// Layer normalization of [n, channels, plane] over each image, a block for each: y = activation((x - mean) / sqrt(var + eps) + beta).
extern "C" __global__ void layer_norm(const float *x, const float *beta, float *y, float *mean, float *inv_std, int channels, int plane,
                                      int activation, float slope, float eps) {
    __shared__ float shared[BLOCK];
    int image = blockIdx.x, count = channels * plane;
    const float *xi = x + (size_t)image * count;
    float *yi = y + (size_t)image * count;
    float sum = 0.0f;
    for (int k = threadIdx.x; k < count; k += BLOCK) sum += xi[k];
    float m = block_sum(sum, shared) / count;
    float square = 0.0f;
    for (int k = threadIdx.x; k < count; k += BLOCK) {
        float d = xi[k] - m;
        square += d * d;
    }
    float r = 1.0f / sqrtf(block_sum(square, shared) / count + eps);
    for (int k = threadIdx.x; k < count; k += BLOCK)
        yi[k] = activated(activation, slope, (xi[k] - m) * r + beta[k / plane]);
    if (threadIdx.x == 0) {
        mean[image] = m;
        inv_std[image] = r;
    }
}

// dy = dy activation'(y) in place, and dx where it is wanted. beta's gradient is channel_sum's.
extern "C" __global__ void layer_norm_backward(const float *x, const float *y, const float *mean, const float *inv_std, float *dy, float *dx,
                                               int wants_x, int add_x, int channels, int plane, int activation, float slope) {
    __shared__ float shared[BLOCK];
    int image = blockIdx.x, count = channels * plane;
    size_t first = (size_t)image * count;
    float m = mean[image], r = inv_std[image], sum = 0.0f, product = 0.0f;
    for (int k = threadIdx.x; k < count; k += BLOCK) {
        float d = dy[first + k] * derivative(activation, slope, y[first + k]);
        dy[first + k] = d;
        sum += d;
        product += d * ((x[first + k] - m) * r);
    }
    sum = block_sum(sum, shared) / count;
    product = block_sum(product, shared) / count;
    if (!wants_x) return;
    for (int k = threadIdx.x; k < count; k += BLOCK) {
        float d = dy[first + k], hat = (x[first + k] - m) * r;
        dx[first + k] = (add_x ? dx[first + k] : 0.0f) + r * (d - sum - hat * product);
    }
}

// out (+)= the sum over images and plane, a block for each channel
extern "C" __global__ void channel_sum(const float *x, float *out, int add, int n, int channels, int plane) {
    __shared__ float shared[BLOCK];
    int c = blockIdx.x;
    float sum = 0.0f;
    for (int k = threadIdx.x; k < n * plane; k += BLOCK) sum += x[(k / plane * channels + c) * plane + k % plane];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) out[c] = before(out, c, add) + sum;
}
