// w -= rate m / (sqrt(v correction) + eps), with this step's rate and correction in `scalars`
extern "C" __global__ void adam(float *w, const float *g, float *m, float *v, const float *scalars, float beta1, float beta2, float eps, int len) {
    int i = element();
    if (i >= len) return;
    float gi = g[i];
    float mi = beta1 * m[i] + (1.0f - beta1) * gi;
    float vi = beta2 * v[i] + (1.0f - beta2) * gi * gi;
    m[i] = mi;
    v[i] = vi;
    w[i] -= scalars[0] * mi / (sqrtf(vi * scalars[1]) + eps);
}

// Each of several views clipped to its bound. A table has 3 numbers for each: place, length, and the bound's bits.
extern "C" __global__ void clip(float *memory, const long long *tables) {
    const long long *t = tables + 3 * blockIdx.y;
    int i = element();
    if (i >= t[1]) return;
    float bound = __int_as_float((int)t[2]), *w = memory + t[0];
    w[i] = fminf(fmaxf(w[i], -bound), bound);
}

// e = decay e + (1 - decay) w
extern "C" __global__ void average(float *e, const float *w, float decay, int len) {
    int i = element();
    if (i < len) e[i] = decay * e[i] + (1.0f - decay) * w[i];
}
