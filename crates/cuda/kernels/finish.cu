// y = activation(y + bias) for [n, channels, plane]; without a bias `has_bias` is 0
extern "C" __global__ void finish(float *y, const float *bias, int has_bias, int channels, int plane, int activation, float slope, int len) {
    int i = element();
    if (i < len) {
        float b = has_bias ? bias[i / plane % channels] : 0.0f;
        y[i] = activated(activation, slope, y[i] + b);
    }
}

// dy = dy activation'(y) in place; where `has_bias`, dbias (+)= its sum over images and plane. A block for each channel.
extern "C" __global__ void finish_backward(const float *y, float *dy, int n, int channels, int plane, int activation, float slope, float *dbias, int has_bias, int add) {
    __shared__ float shared[BLOCK];
    int c = blockIdx.x;
    float sum = 0.0f;
    for (int k = threadIdx.x; k < n * plane; k += BLOCK) {
        int i = (k / plane * channels + c) * plane + k % plane;
        float d = dy[i] * derivative(activation, slope, y[i]);
        dy[i] = d;
        sum += d;
    }
    sum = block_sum(sum, shared);
    if (has_bias && threadIdx.x == 0) dbias[c] = before(dbias, c, add) + sum;
}
