extern "C" __global__ void fill(float *out, float value, int len) {
    int i = element();
    if (i < len) out[i] = value;
}

// out (+)= factor x
extern "C" __global__ void scale(const float *x, float factor, float *out, int add, int len) {
    int i = element();
    if (i < len) out[i] = before(out, i, add) + factor * x[i];
}

extern "C" __global__ void add(const float *a, const float *b, float *y, int len) {
    int i = element();
    if (i < len) y[i] = a[i] + b[i];
}

// out = fake + epsilon (real - fake), an epsilon for each image
extern "C" __global__ void interpolate(const float *real, const float *fake, const float *epsilon, float *out, int image, int len) {
    int i = element();
    if (i < len) out[i] = fake[i] + epsilon[i / image] * (real[i] - fake[i]);
}

extern "C" __global__ void activate(const float *x, float *y, int activation, float slope, int len) {
    int i = element();
    if (i < len) y[i] = activated(activation, slope, x[i]);
}

// y (+)= x activation', where the activation's output was `of`; x and y may be the same
extern "C" __global__ void mask(const float *x, const float *of, int activation, float slope, float *y, int add, int len) {
    int i = element();
    if (i < len) y[i] = before(y, i, add) + x[i] * derivative(activation, slope, of[i]);
}
