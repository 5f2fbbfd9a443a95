/*
 * RMSNorm and LayerNorm of one row.  Sums are f32 in four vectors of partial sums, so that an
 * element's error passes through n / (4 VEC_N) additions; the variance takes a pass of its own.
 */

static inline float row_sum(size_t n, const float *x)
{
    vec_f32 sum0 = vec_set(0), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    size_t i = 0;

    for (; i + 4 * VEC_N <= n; i += 4 * VEC_N) {
        sum0 = vec_add(sum0, vec_load(x + i));
        sum1 = vec_add(sum1, vec_load(x + i + VEC_N));
        sum2 = vec_add(sum2, vec_load(x + i + 2 * VEC_N));
        sum3 = vec_add(sum3, vec_load(x + i + 3 * VEC_N));
    }
    for (; i + VEC_N <= n; i += VEC_N) {
        sum0 = vec_add(sum0, vec_load(x + i));
    }
    if (i < n) {
        sum1 = vec_add(sum1, vec_load_tail(x + i, n - i, vec_set(0)));
    }
    return vec_sum(vec_add(vec_add(sum0, sum1), vec_add(sum2, sum3)));
}

/* The sum of (x - mean)^2. */
static inline float row_square_sum(size_t n, const float *x, float mean)
{
    vec_f32 sum0 = vec_set(0), sum1 = sum0, sum2 = sum0, sum3 = sum0, center = vec_set(mean);
    size_t i = 0;

    for (; i + 4 * VEC_N <= n; i += 4 * VEC_N) {
        vec_f32 x0 = vec_sub(vec_load(x + i), center);
        vec_f32 x1 = vec_sub(vec_load(x + i + VEC_N), center);
        vec_f32 x2 = vec_sub(vec_load(x + i + 2 * VEC_N), center);
        vec_f32 x3 = vec_sub(vec_load(x + i + 3 * VEC_N), center);

        sum0 = vec_fma(x0, x0, sum0);
        sum1 = vec_fma(x1, x1, sum1);
        sum2 = vec_fma(x2, x2, sum2);
        sum3 = vec_fma(x3, x3, sum3);
    }
    for (; i + VEC_N <= n; i += VEC_N) {
        vec_f32 x0 = vec_sub(vec_load(x + i), center);

        sum0 = vec_fma(x0, x0, sum0);
    }
    if (i < n) {
        vec_f32 x0 = vec_sub(vec_load_tail(x + i, n - i, center), center);

        sum1 = vec_fma(x0, x0, sum1);
    }
    return vec_sum(vec_add(vec_add(sum0, sum1), vec_add(sum2, sum3)));
}

void OMMA_TIER(omma_rms_norm_f32)(size_t n, const float *x, const float *weight, float eps,
                                  float *y)
{
    vec_f32 factor = vec_set(1.0f / sqrtf(row_square_sum(n, x, 0) / (float)n + eps));
    vec_f32 zero = vec_set(0);
    size_t i = 0;

    for (; i + VEC_N <= n; i += VEC_N) {
        vec_store(y + i, vec_mul(vec_mul(vec_load(x + i), factor), vec_load(weight + i)));
    }
    if (i < n) {
        vec_f32 tail = vec_mul(vec_load_tail(x + i, n - i, zero), factor);

        vec_store_tail(y + i, n - i, vec_mul(tail, vec_load_tail(weight + i, n - i, zero)));
    }
}

void OMMA_TIER(omma_layer_norm_f32)(size_t n, const float *x, const float *weight,
                                    const float *bias, float eps, float *y)
{
    float mean = row_sum(n, x) / (float)n;
    vec_f32 factor = vec_set(1.0f / sqrtf(row_square_sum(n, x, mean) / (float)n + eps));
    vec_f32 center = vec_set(mean), zero = vec_set(0);
    size_t i = 0;

    for (; i + VEC_N <= n; i += VEC_N) {
        vec_f32 normal = vec_mul(vec_sub(vec_load(x + i), center), factor);

        vec_store(y + i, vec_fma(normal, vec_load(weight + i), vec_load(bias + i)));
    }
    if (i < n) {
        vec_f32 normal = vec_mul(vec_sub(vec_load_tail(x + i, n - i, center), center), factor);

        vec_store_tail(y + i, n - i,
                       vec_fma(normal, vec_load_tail(weight + i, n - i, zero),
                               vec_load_tail(bias + i, n - i, zero)));
    }
}
