/* Sums and products of rows, and the rotation of one head (RoPE). */

void OMMA_TIER(omma_add_f32)(size_t n, const float *x, float *y)
{
    size_t i = 0;

    for (; i + VEC_N <= n; i += VEC_N) {
        vec_store(y + i, vec_add(vec_load(y + i), vec_load(x + i)));
    }
    if (i < n) {
        vec_f32 zero = vec_set(0), tail = vec_load_tail(y + i, n - i, zero);

        vec_store_tail(y + i, n - i, vec_add(tail, vec_load_tail(x + i, n - i, zero)));
    }
}

void OMMA_TIER(omma_scale_add_f32)(size_t n, const float *scale, const float *x, float *y)
{
    size_t i = 0;

    for (; i + VEC_N <= n; i += VEC_N) {
        vec_store(y + i, vec_fma(vec_load(scale + i), vec_load(x + i), vec_load(y + i)));
    }
    if (i < n) {
        vec_f32 zero = vec_set(0), tail = vec_load_tail(y + i, n - i, zero);

        tail =
            vec_fma(vec_load_tail(scale + i, n - i, zero), vec_load_tail(x + i, n - i, zero), tail);
        vec_store_tail(y + i, n - i, tail);
    }
}

void OMMA_TIER(omma_scale_f32)(size_t n, float a, float *y)
{
    vec_f32 scale = vec_set(a);
    size_t i = 0;

    for (; i + VEC_N <= n; i += VEC_N) {
        vec_store(y + i, vec_mul(vec_load(y + i), scale));
    }
    if (i < n) {
        vec_store_tail(y + i, n - i, vec_mul(vec_load_tail(y + i, n - i, vec_set(0)), scale));
    }
}

void OMMA_TIER(omma_rope_f32)(size_t n, const float *cosine, const float *sine, float *x)
{
    size_t half = n / 2, j = 0;
    float *y = x + half;

    for (; j + VEC_N <= half; j += VEC_N) {
        vec_f32 low = vec_load(x + j), high = vec_load(y + j);
        vec_f32 c = vec_load(cosine + j), s = vec_load(sine + j);

        vec_store(x + j, vec_fnma(high, s, vec_mul(low, c)));
        vec_store(y + j, vec_fma(low, s, vec_mul(high, c)));
    }
    if (j < half) {
        size_t rest = half - j;
        vec_f32 zero = vec_set(0);
        vec_f32 low = vec_load_tail(x + j, rest, zero), high = vec_load_tail(y + j, rest, zero);
        vec_f32 c = vec_load_tail(cosine + j, rest, zero), s = vec_load_tail(sine + j, rest, zero);

        vec_store_tail(x + j, rest, vec_fnma(high, s, vec_mul(low, c)));
        vec_store_tail(y + j, rest, vec_fma(low, s, vec_mul(high, c)));
    }
}
