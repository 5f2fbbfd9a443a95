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

float OMMA_TIER(omma_exp_sum_f32)(size_t n, const float *x, float shift_by, float scale_by,
                                  float *y)
{
    vec_f32 sum0 = vec_set(0), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    vec_f32 shift = vec_set(shift_by), scale = vec_set(scale_by);
    size_t i = 0;

    for (; i + 4 * VEC_N <= n; i += 4 * VEC_N) {
        vec_f32 y0 = shifted_exp(vec_load(x + i), shift, scale);
        vec_f32 y1 = shifted_exp(vec_load(x + i + VEC_N), shift, scale);
        vec_f32 y2 = shifted_exp(vec_load(x + i + 2 * VEC_N), shift, scale);
        vec_f32 y3 = shifted_exp(vec_load(x + i + 3 * VEC_N), shift, scale);

        vec_store(y + i, y0);
        vec_store(y + i + VEC_N, y1);
        vec_store(y + i + 2 * VEC_N, y2);
        vec_store(y + i + 3 * VEC_N, y3);
        sum0 = vec_add(sum0, y0);
        sum1 = vec_add(sum1, y1);
        sum2 = vec_add(sum2, y2);
        sum3 = vec_add(sum3, y3);
    }
    for (; i + VEC_N <= n; i += VEC_N) {
        vec_f32 y0 = shifted_exp(vec_load(x + i), shift, scale);

        vec_store(y + i, y0);
        sum0 = vec_add(sum0, y0);
    }
    if (i < n) { /* what fills up the tail adds e^(-infinity) = 0 */
        vec_f32 tail = vec_load_tail(x + i, n - i, vec_set(-INFINITY));

        tail = shifted_exp(tail, shift, scale);
        vec_store_tail(y + i, n - i, tail);
        sum1 = vec_add(sum1, tail);
    }
    return vec_sum(vec_add(vec_add(sum0, sum1), vec_add(sum2, sum3)));
}
