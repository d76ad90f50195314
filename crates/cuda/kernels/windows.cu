// What Inception needs besides convolutions.

// Channels from `first` on of y [n, channels, plane]: activation(x + bias) for x [n, own, plane]; without a bias `has_bias` is 0. `len` is x's.
extern "C" __global__ void place(const float *x, const float *bias, int has_bias, float *y, int own, int channels, int first, int plane,
                                 int activation, float slope, int len) {
    int i = element();
    if (i >= len) return;
    int image = i / (own * plane), c = i / plane % own;
    float b = has_bias ? bias[c] : 0.0f;
    y[((size_t)image * channels + first + c) * plane + i % plane] = activated(activation, slope, x[i] + b);
}

// kind 0: the largest value of each 3x3 pixels, 1: their mean. Pixels outside the plane do not count. `side` is x's, `out` and `len` are y's.
extern "C" __global__ void windows(const float *x, float *y, int side, int out, int stride, int padding, int kind, int len) {
    int i = element();
    if (i >= len) return;
    int top = i / out % out * stride - padding, left = i % out * stride - padding, count = 0;
    const float *plane = x + (size_t)(i / (out * out)) * side * side;
    float largest = 0.0f, sum = 0.0f;
    for (int row = top; row < top + 3; row++)
        for (int column = left; column < left + 3; column++) {
            if (row < 0 || row >= side || column < 0 || column >= side) continue;
            float value = plane[row * side + column];
            largest = count == 0 ? value : fmaxf(largest, value);
            sum += value;
            count++;
        }
    y[i] = kind == 0 ? largest : sum / count;
}
