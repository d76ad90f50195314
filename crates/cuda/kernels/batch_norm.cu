// Batch normalization of [n, channels, plane], a block for each channel.

// y = activation(gamma (x - mean) / sqrt(var + eps) + beta). gamma and beta are [channels], or [classes, channels] where `by_class`; without
// a gamma `has_gamma` is 0. Where `moves`, running averages move by 1 - decay towards mean and unbiased variance.
extern "C" __global__ void batch_norm(const float *x, const float *gamma, int has_gamma, const float *beta, const float *labels, int by_class,
                                      float *y, float *mean, float *inv_std, float *running_mean, float *running_var, int moves,
                                      int n, int channels, int plane, int activation, float slope, float eps, float decay) {
    __shared__ float shared[BLOCK];
    int c = blockIdx.x, count = n * plane;
    float sum = 0.0f;
    for (int k = threadIdx.x; k < count; k += BLOCK) sum += x[(k / plane * channels + c) * plane + k % plane];
    float m = block_sum(sum, shared) / count;
    float square = 0.0f;
    for (int k = threadIdx.x; k < count; k += BLOCK) {
        float d = x[(k / plane * channels + c) * plane + k % plane] - m;
        square += d * d;
    }
    float var = block_sum(square, shared) / count;
    float r = 1.0f / sqrtf(var + eps);
    for (int k = threadIdx.x; k < count; k += BLOCK) {
        int image = k / plane, i = (image * channels + c) * plane + k % plane;
        int p = (by_class ? (int)labels[image] * channels : 0) + c;
        float g = has_gamma ? gamma[p] : 1.0f;
        y[i] = activated(activation, slope, g * ((x[i] - m) * r) + beta[p]);
    }
    if (threadIdx.x == 0) {
        mean[c] = m;
        inv_std[c] = r;
        if (moves) {
            float unbiased = var * ((float)count / (count > 1 ? count - 1 : 1));
            running_mean[c] = decay * running_mean[c] + (1.0f - decay) * m;
            running_var[c] = decay * running_var[c] + (1.0f - decay) * unbiased;
        }
    }
}

// y = activation(gamma (x - mean) / sqrt(var + eps) + beta) by running averages; a thread for each element
extern "C" __global__ void batch_norm_eval(const float *x, const float *gamma, const float *beta, const float *labels, int by_class, const float *mean,
                                           const float *var, float *y, int channels, int plane, int activation, float slope, float eps, int len) {
    int i = element();
    if (i >= len) return;
    int c = i / plane % channels, p = (by_class ? (int)labels[i / plane / channels] * channels : 0) + c;
    y[i] = activated(activation, slope, gamma[p] * ((x[i] - mean[c]) * (1.0f / sqrtf(var[c] + eps))) + beta[p]);
}

// dy = dy activation'(y) in place, then the gradients that are wanted. gamma's and beta's are for `classes` rows (1 without classes).
extern "C" __global__ void batch_norm_backward(const float *x, const float *gamma, int has_gamma, const float *labels, int by_class, int classes,
                                               const float *y, const float *mean, const float *inv_std, float *dy,
                                               float *dx, int wants_x, int add_x, float *dgamma, int wants_gamma, int add_gamma,
                                               float *dbeta, int wants_beta, int add_beta,
                                               int n, int channels, int plane, int activation, float slope) {
    __shared__ float shared[BLOCK];
    int c = blockIdx.x, count = n * plane;
    float m = mean[c], r = inv_std[c];
    for (int k = threadIdx.x; k < count; k += BLOCK) {
        int i = (k / plane * channels + c) * plane + k % plane;
        dy[i] *= derivative(activation, slope, y[i]);
    }
    // Sums of dz and dz x̂ for each row of gamma and beta, and over all images of both times gamma. An element is the same thread's in
    // every loop, so what it has written above is its own.
    float all = 0.0f, all_product = 0.0f;
    for (int row = 0; row < classes; row++) {
        float sum = 0.0f, product = 0.0f;
        for (int k = threadIdx.x; k < count; k += BLOCK) {
            int image = k / plane, i = (image * channels + c) * plane + k % plane;
            if (by_class && (int)labels[image] != row) continue;
            sum += dy[i];
            product += dy[i] * ((x[i] - m) * r);
        }
        sum = block_sum(sum, shared);
        product = block_sum(product, shared);
        int p = row * channels + c;
        float g = has_gamma ? gamma[p] : 1.0f;
        all += g * sum;
        all_product += g * product;
        if (threadIdx.x == 0) {
            if (wants_gamma) dgamma[p] = before(dgamma, p, add_gamma) + product;
            if (wants_beta) dbeta[p] = before(dbeta, p, add_beta) + sum;
        }
    }
    if (!wants_x) return;
    all /= count;
    all_product /= count;
    for (int k = threadIdx.x; k < count; k += BLOCK) {
        int image = k / plane, i = (image * channels + c) * plane + k % plane;
        int p = (by_class ? (int)labels[image] * channels : 0) + c;
        float g = has_gamma ? gamma[p] : 1.0f;
        dx[i] = before(dx, i, add_x) + r * (g * dy[i] - all - (x[i] - m) * r * all_product);
    }
}
