/*
 * Rows of bytes: quantized from f32, and what goes back to f32.  All bits are those of the
 * definition: a division, a rounding to nearest even, and sums of integers.
 */

static inline float largest_magnitude(size_t n, const float *x)
{
    vec_f32 a = vec_set(0), b = a, c = a, d = a;
    size_t i = 0;

    for (; i + 4 * VEC_N <= n; i += 4 * VEC_N) {
        a = vec_max(a, vec_abs(vec_load(x + i)));
        b = vec_max(b, vec_abs(vec_load(x + i + VEC_N)));
        c = vec_max(c, vec_abs(vec_load(x + i + 2 * VEC_N)));
        d = vec_max(d, vec_abs(vec_load(x + i + 3 * VEC_N)));
    }
    for (; i + VEC_N <= n; i += VEC_N) {
        a = vec_max(a, vec_abs(vec_load(x + i)));
    }
    if (i < n) {
        b = vec_max(b, vec_abs(vec_load_tail(x + i, n - i, vec_set(0))));
    }
    return vec_largest(vec_max(vec_max(a, b), vec_max(c, d)));
}

/* x / scale to nearest even; within -128 to 127. */
static inline vec_i32 quotient(vec_f32 x, vec_f32 scale)
{
    vec_f32 q = vec_max(vec_div(x, scale), vec_set(-128));

    return vec_round(vec_min(q, vec_set(127)));
}

float OMMA_TIER(omma_quantize_i8)(size_t n, const float *x, int8_t *q, int32_t *sum)
{
    float scale = largest_magnitude(n, x) / 127.5f;
    vec_f32 divisor = vec_set(scale);
    vec_i32 sums = vec_i32_set(0);
    size_t i = 0;

    *sum = 0;
    if (scale == 0) { /* also where the quotient vanishes */
        memset(q, 0, n);
        return 0;
    }
    for (; i + VEC_N <= n; i += VEC_N) {
        vec_i32 rounded = quotient(vec_load(x + i), divisor);

        vec_i8_store(q + i, rounded);
        sums = vec_i32_add(sums, rounded);
    }
    if (i < n) {
        vec_i32 rounded = quotient(vec_load_tail(x + i, n - i, vec_set(0)), divisor);

        vec_i8_store_tail(q + i, n - i, rounded);
        sums = vec_i32_add(sums, rounded);
    }
    *sum = vec_i32_sum(sums);
    return scale;
}

void OMMA_TIER(omma_dequantize_i32)(size_t n, const int32_t *x, float a, const float *scales,
                                    float *y, bool accumulate)
{
    vec_f32 factor = vec_set(a), zero = vec_set(0);
    size_t i = 0;

    for (; i + VEC_N <= n; i += VEC_N) {
        vec_f32 scale = vec_mul(factor, vec_load(scales + i));
        vec_f32 value = vec_mul(vec_of_i32(vec_i32_load(x + i)), scale);

        vec_store(y + i, accumulate ? vec_add(vec_load(y + i), value) : value);
    }
    if (i < n) {
        vec_f32 scale = vec_mul(factor, vec_load_tail(scales + i, n - i, zero));
        vec_f32 value = vec_mul(vec_of_i32(vec_i32_load_tail(x + i, n - i)), scale);

        value = accumulate ? vec_add(vec_load_tail(y + i, n - i, zero), value) : value;
        vec_store_tail(y + i, n - i, value);
    }
}

void OMMA_TIER(omma_i8_to_f32)(size_t n, const int8_t *x, float *y)
{
    size_t i = 0;

    for (; i + VEC_N <= n; i += VEC_N) {
        vec_store(y + i, vec_of_i32(vec_i8_load(x + i)));
    }
    if (i < n) {
        vec_store_tail(y + i, n - i, vec_of_i32(vec_i8_load_tail(x + i, n - i)));
    }
}
