// Losses of a batch, and regularizers' values: small, in one block, in double precision where a mean cancels digits.
// loss: 0 standard, 1 hinge, 2 Wasserstein.

__device__ double softplus(double x) { return fmax(x, 0.0) + log1p(exp(-fabs(x))); }
__device__ double sigmoid(double x) { return x >= 0.0 ? 1.0 / (1.0 + exp(-x)) : exp(x) / (1.0 + exp(x)); }

// D's loss on `real` and `fake`, n each: gradients and numbers are `share` of the batch's
extern "C" __global__ void discriminator_loss(int loss, const float *real, const float *fake, float *dreal, float *dfake, int n, float share,
                                              float *value, float *d_real, float *d_fake, int add) {
    __shared__ double shared[BLOCK];
    double total = 0.0, sum_real = 0.0, sum_fake = 0.0;
    for (int i = threadIdx.x; i < n; i += BLOCK) {
        double r = real[i], f = fake[i], gr, gf;
        if (loss == 0) {
            total += softplus(-r) + softplus(f);
            gr = -sigmoid(-r);
            gf = sigmoid(f);
        } else if (loss == 1) {
            total += fmax(1.0 - r, 0.0) + fmax(1.0 + f, 0.0);
            gr = r < 1.0 ? -1.0 : 0.0;
            gf = f > -1.0 ? 1.0 : 0.0;
        } else {
            total += f - r;
            gr = -1.0;
            gf = 1.0;
        }
        sum_real += r;
        sum_fake += f;
        dreal[i] = (float)(gr / n * share);
        dfake[i] = (float)(gf / n * share);
    }
    total = block_sum(total, shared) / n;
    sum_real = block_sum(sum_real, shared) / n;
    sum_fake = block_sum(sum_fake, shared) / n;
    if (threadIdx.x == 0) {
        value[0] = before(value, 0, add) + (float)(share * total);
        d_real[0] = before(d_real, 0, add) + (float)(share * sum_real);
        d_fake[0] = before(d_fake, 0, add) + (float)(share * sum_fake);
    }
}

extern "C" __global__ void generator_loss(int loss, const float *fake, float *dfake, int n, float share, float *value, int add) {
    __shared__ double shared[BLOCK];
    double total = 0.0;
    for (int i = threadIdx.x; i < n; i += BLOCK) {
        double f = fake[i];
        total += loss == 0 ? softplus(-f) : -f;
        dfake[i] = (float)((loss == 0 ? -sigmoid(-f) : -1.0) / n * share);
    }
    total = block_sum(total, shared) / n;
    if (threadIdx.x == 0) value[0] = before(value, 0, add) + (float)(share * total);
}

// A classifier's mean cross-entropy over n rows of logits; a thread for each row
extern "C" __global__ void cross_entropy(const float *logits, const float *labels, float *dlogits, int n, int classes, float weight, float share,
                                         float *value, int add) {
    __shared__ double shared[BLOCK];
    double total = 0.0;
    for (int i = threadIdx.x; i < n; i += BLOCK) {
        const float *row = logits + (size_t)i * classes;
        int own = (int)labels[i];
        double largest = row[0], sum = 0.0;
        for (int k = 1; k < classes; k++) largest = fmax(largest, (double)row[k]);
        for (int k = 0; k < classes; k++) sum += exp(row[k] - largest);
        total -= row[own] - largest - log(sum);
        for (int k = 0; k < classes; k++)
            dlogits[(size_t)i * classes + k] = (float)((exp(row[k] - largest) / sum - (k == own ? 1.0 : 0.0)) / n * weight);
    }
    total = block_sum(total, shared) / n;
    if (threadIdx.x == 0) value[0] = before(value, 0, add) + (float)(share * total);
}

// From D's gradient g at each image: its norm, and c = 2 lambda/n (|g| - 1) g/|g|; a block for each image
extern "C" __global__ void penalty(const float *g, float *c, float *norms, int n, int image, float lambda) {
    __shared__ double shared[BLOCK];
    size_t first = (size_t)blockIdx.x * image;
    double square = 0.0;
    for (int k = threadIdx.x; k < image; k += BLOCK) square += (double)g[first + k] * g[first + k];
    double norm = sqrt(block_sum(square, shared));
    float factor = norm > 0.0 ? (float)(2.0 * lambda / n * (norm - 1.0) / norm) : 0.0f;
    for (int k = threadIdx.x; k < image; k += BLOCK) c[first + k] = factor * g[first + k];
    if (threadIdx.x == 0) norms[blockIdx.x] = (float)norm;
}

// The penalty lambda E(|g| - 1)^2 and E|g| of the norms, times share
extern "C" __global__ void penalty_value(const float *norms, int n, float lambda, float share, float *value, float *mean_norm, int add) {
    __shared__ double shared[BLOCK];
    double square = 0.0, sum = 0.0;
    for (int i = threadIdx.x; i < n; i += BLOCK) {
        square += ((double)norms[i] - 1.0) * ((double)norms[i] - 1.0);
        sum += norms[i];
    }
    square = block_sum(square, shared) / n;
    sum = block_sum(sum, shared) / n;
    if (threadIdx.x == 0) {
        value[0] = before(value, 0, add) + (float)(share * lambda * square);
        mean_norm[0] = before(mean_norm, 0, add) + (float)(share * sum);
    }
}

// p -= I for p [m, m], and value (+)= weight (|p|^2 + difference)
extern "C" __global__ void gram_loss(float *p, int m, float weight, float difference, float *value, int add) {
    __shared__ double shared[BLOCK];
    double square = 0.0;
    for (int i = threadIdx.x; i < m * m; i += BLOCK) {
        float x = i / m == i % m ? p[i] - 1.0f : p[i];
        p[i] = x;
        square += (double)x * x;
    }
    square = block_sum(square, shared);
    if (threadIdx.x == 0) value[0] = before(value, 0, add) + (float)(weight * (square + difference));
}

// Parts of the sum of squares, and their sum; the parts in `parts` blocks
extern "C" __global__ void square_parts(const float *x, float *out, int parts, int len) {
    __shared__ double shared[BLOCK];
    double square = 0.0;
    for (int i = element(); i < len; i += BLOCK * parts) square += (double)x[i] * x[i];
    square = block_sum(square, shared);
    if (threadIdx.x == 0) out[blockIdx.x] = (float)square;
}

extern "C" __global__ void square_sum(const float *parts, int n, float *out) {
    __shared__ double shared[BLOCK];
    double sum = 0.0;
    for (int i = threadIdx.x; i < n; i += BLOCK) sum += parts[i];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) out[0] = (float)sum;
}
