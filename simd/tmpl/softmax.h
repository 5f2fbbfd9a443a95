/* The two passes of a softmax row: its maximum, then exponentials and their sum. */

float OMMA_TIER(omma_row_max_f32)(size_t n, const float *x)
{
    vec_f32 max0 = vec_set(-INFINITY), max1 = max0, max2 = max0, max3 = max0;
    size_t i = 0;

    for (; i + 4 * VEC_N <= n; i += 4 * VEC_N) {
        max0 = vec_max(max0, vec_load(x + i));
        max1 = vec_max(max1, vec_load(x + i + VEC_N));
        max2 = vec_max(max2, vec_load(x + i + 2 * VEC_N));
        max3 = vec_max(max3, vec_load(x + i + 3 * VEC_N));
    }
    for (; i + VEC_N <= n; i += VEC_N) {
        max0 = vec_max(max0, vec_load(x + i));
    }
    if (i < n) {
        max1 = vec_max(max1, vec_load_tail(x + i, n - i, vec_set(-INFINITY)));
    }
    return vec_largest(vec_max(vec_max(max0, max1), vec_max(max2, max3)));
}

/* y = e^((x - shift) scale) of one vector. */
static inline vec_f32 shifted_exp(vec_f32 x, vec_f32 shift, vec_f32 scale)
{
    return vec_exp(vec_mul(vec_sub(x, shift), scale));
}

/* The same of n elements, a multiple of VEC_N. */
static inline void store_exp(size_t n, const float *x, vec_f32 shift, vec_f32 scale, float *y)
{
    for (size_t i = 0; i < n; i += VEC_N) {
        vec_store(y + i, shifted_exp(vec_load(x + i), shift, scale));
    }
}

/* Of whole vectors the powers of a block come first, then their sums: with sixteen registers there
 * is room for the constants of the one or the sums of the other. */
float OMMA_TIER(omma_exp_sum_f32)(size_t n, const float *x, float shift_by, float scale_by,
                                  float *y)
{
    const size_t step = (size_t)4 * VEC_N, block = 16 * step;
    vec_f32 sum0 = vec_set(0), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    vec_f32 shift = vec_set(shift_by), scale = vec_set(scale_by);
    size_t i = 0;

    while (i + step <= n) {
        size_t end = n - i < block ? i + (n - i) / step * step : i + block;

        store_exp(end - i, x + i, shift, scale, y + i);
        for (; i < end; i += step) {
            sum0 = vec_add(sum0, vec_load(y + i));
            sum1 = vec_add(sum1, vec_load(y + i + VEC_N));
            sum2 = vec_add(sum2, vec_load(y + i + 2 * VEC_N));
            sum3 = vec_add(sum3, vec_load(y + i + 3 * VEC_N));
        }
    }
    for (; i + VEC_N <= n; i += VEC_N) {
        store_exp(VEC_N, x + i, shift, scale, y + i);
        sum0 = vec_add(sum0, vec_load(y + i));
    }
    if (i < n) { /* what fills up the tail adds e^(-infinity) = 0 */
        vec_f32 tail = vec_load_tail(x + i, n - i, vec_set(-INFINITY));

        tail = shifted_exp(tail, shift, scale);
        vec_store_tail(y + i, n - i, tail);
        sum1 = vec_add(sum1, tail);
    }
    return vec_sum(vec_add(vec_add(sum0, sum1), vec_add(sum2, sum3)));
}
