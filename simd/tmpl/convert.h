/*
 * Conversions between f32, bf16 and f16, bit for bit those of base/bf16.h.  Rounding is integer
 * arithmetic in every tier: vcvtneps2bf16 takes subnormals for zero.
 */

/* The bits of x rounded to bf16 in the upper half of each element; the lower half is arbitrary. */
static inline vec_i32 rounded_bits(vec_f32 x)
{
    vec_i32 bits = vec_bits(x);
    vec_i32 odd = vec_i32_and(vec_i32_right_16(bits), vec_i32_set(1));
    vec_i32 rounded = vec_i32_add(vec_i32_add(bits, vec_i32_set(0x7FFF)), odd);

    return vec_i32_if_nan(x, vec_i32_or(bits, vec_i32_set(0x400000)), rounded);
}

static inline vec_u16 bf16_of_f32(vec_f32 x)
{
    return vec_u16_narrow(vec_i32_right_16(rounded_bits(x)));
}

static inline vec_f32 round_to_bf16(vec_f32 x)
{
    return vec_of_bits(vec_i32_and(rounded_bits(x), vec_i32_set((int32_t)0xFFFF0000)));
}

static inline vec_f32 f32_of_bf16(vec_u16 x)
{
    return vec_of_bits(vec_i32_left_16(vec_u16_widen(x)));
}

void OMMA_TIER(omma_f32_to_bf16)(size_t n, const float *x, uint16_t *y)
{
    size_t i = 0;

    for (; i + VEC_N <= n; i += VEC_N) {
        vec_u16_store(y + i, bf16_of_f32(vec_load(x + i)));
    }
    if (i < n) {
        vec_u16_store_tail(y + i, n - i, bf16_of_f32(vec_load_tail(x + i, n - i, vec_set(0))));
    }
}

void OMMA_TIER(omma_bf16_to_f32)(size_t n, const uint16_t *x, float *y)
{
    size_t i = 0;

    for (; i + VEC_N <= n; i += VEC_N) {
        vec_store(y + i, f32_of_bf16(vec_u16_load(x + i)));
    }
    if (i < n) {
        vec_store_tail(y + i, n - i, f32_of_bf16(vec_u16_load_tail(x + i, n - i)));
    }
}

void OMMA_TIER(omma_f16_to_f32)(size_t n, const uint16_t *x, float *y)
{
    size_t i = 0;

    for (; i + VEC_N <= n; i += VEC_N) {
        vec_store(y + i, vec_of_f16(vec_u16_load(x + i)));
    }
    if (i < n) {
        vec_store_tail(y + i, n - i, vec_of_f16(vec_u16_load_tail(x + i, n - i)));
    }
}

void OMMA_TIER(omma_round_bf16_f32)(size_t n, const float *x, float *y)
{
    size_t i = 0;

    for (; i + VEC_N <= n; i += VEC_N) {
        vec_store(y + i, round_to_bf16(vec_load(x + i)));
    }
    if (i < n) {
        vec_store_tail(y + i, n - i, round_to_bf16(vec_load_tail(x + i, n - i, vec_set(0))));
    }
}
