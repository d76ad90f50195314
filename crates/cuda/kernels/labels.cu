// Maps and features with a row of a table [classes, dim] for each image's class.

// [n, channels + dim, plane]: x, and behind it the row over the whole plane; zeros without a table
extern "C" __global__ void append(const float *x, const float *table, const float *labels, int has_table, float *y, int channels, int dim, int plane, int len) {
    int i = element();
    if (i >= len) return;
    int all = channels + dim, image = i / (all * plane), c = i / plane % all;
    if (c < channels) y[i] = x[((size_t)image * channels + c) * plane + i % plane];
    else y[i] = has_table ? table[(int)labels[image] * dim + c - channels] : 0.0f;
}

// dx (+)= the first channels of dy; `len` is dx's
extern "C" __global__ void append_backward(const float *dy, float *dx, int add, int channels, int dim, int plane, int len) {
    int i = element();
    if (i >= len) return;
    int image = i / (channels * plane), c = i / plane % channels;
    dx[i] = before(dx, i, add) + dy[((size_t)image * (channels + dim) + c) * plane + i % plane];
}

// dtable (+)= sums over the images of each class and the plane; a block for each element of the table
extern "C" __global__ void append_table(const float *dy, const float *labels, float *dtable, int add, int n, int channels, int dim, int plane) {
    __shared__ float shared[BLOCK];
    int row = blockIdx.x / dim, d = blockIdx.x % dim;
    float sum = 0.0f;
    for (int k = threadIdx.x; k < n * plane; k += BLOCK) {
        int image = k / plane;
        if ((int)labels[image] == row) sum += dy[((size_t)image * (channels + dim) + channels + d) * plane + k % plane];
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) dtable[blockIdx.x] = before(dtable, blockIdx.x, add) + sum;
}

// y[i] += <features[i], table[labels[i]]>; a block for each image
extern "C" __global__ void project(const float *features, const float *table, const float *labels, float *y, int dim) {
    __shared__ float shared[BLOCK];
    int image = blockIdx.x;
    const float *f = features + (size_t)image * dim, *row = table + (size_t)((int)labels[image]) * dim;
    float sum = 0.0f;
    for (int k = threadIdx.x; k < dim; k += BLOCK) sum += f[k] * row[k];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) y[image] += sum;
}

// dfeatures (+)= dy[i] table[labels[i]]
extern "C" __global__ void project_features(const float *table, const float *labels, const float *dy, float *dfeatures, int add, int dim, int len) {
    int i = element();
    if (i < len) dfeatures[i] = before(dfeatures, i, add) + dy[i / dim] * table[(int)labels[i / dim] * dim + i % dim];
}

// dtable (+)= the sum of dy[i] features[i] over the images of each class; `len` is the table's
extern "C" __global__ void project_table(const float *features, const float *labels, const float *dy, float *dtable, int add, int n, int dim, int len) {
    int i = element();
    if (i >= len) return;
    float sum = 0.0f;
    for (int image = 0; image < n; image++)
        if ((int)labels[image] == i / dim) sum += dy[image] * features[(size_t)image * dim + i % dim];
    dtable[i] = before(dtable, i, add) + sum;
}
