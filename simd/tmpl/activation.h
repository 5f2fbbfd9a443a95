/* GELU by erfc, and SwiGLU's product. */

/*
 * x (1 + erf(x / sqrt 2)) / 2 = max(x, 0) - t Q(t), t = |x|, Q(t) = erfc(t / sqrt 2) / 2: nothing
 * cancels on either side, and the relative error stays within a few 1e-7 as far as the result is a
 * normal number. Q(t) = e^(-t^2 / 2) R(t); R is smooth, from 1/2 falling as 0.4 / t, and is a
 * polynomial in (3 - t) / (3 + t) fitted on [0, 14.5] for the least largest relative error (2e-7
 * with the coefficients rounded).  t^2 is carried in two parts, as its rounding error would be one
 * of e^(-t^2 / 2).
 */
static inline vec_f32 gelu(vec_f32 x)
{
    const vec_f32 three = vec_set(3.0f);
    vec_f32 t = vec_min(vec_set(15.0f), vec_abs(x));
    vec_f32 square = vec_mul(t, t);
    vec_f32 rest = vec_fms(t, t, square); /* t^2 = square + rest */
    vec_f32 v = vec_div(vec_sub(three, t), vec_add(three, t));
    vec_f32 q, p;

    p = vec_fma(vec_set(-0x1.bdf458p-15f), v, vec_set(0x1.e266f4p-14f));
    p = vec_fma(p, v, vec_set(0x1.637b12p-12f));
    p = vec_fma(p, v, vec_set(-0x1.01c35ap-10f));
    p = vec_fma(p, v, vec_set(-0x1.7caf12p-9f));
    p = vec_fma(p, v, vec_set(0x1.91dcecp-8f));
    p = vec_fma(p, v, vec_set(0x1.7a943cp-5f));
    p = vec_fma(p, v, vec_set(0x1.f8bad2p-4f));
    p = vec_fma(p, v, vec_set(0x1.a6b66ap-3f));
    p = vec_fma(p, v, vec_set(0x1.f1b89cp-4f));
    q = vec_mul(vec_exp(vec_mul(square, vec_set(-0.5f))), p);
    q = vec_fnma(q, vec_mul(rest, vec_set(0.5f)), q); /* e^(-rest / 2) = 1 - rest / 2 */
    return vec_fnma(t, q, vec_max(vec_set(0), x));
}

/* e^(-gate) is infinite below -89: the quotient is then -0. */
static inline vec_f32 silu(vec_f32 gate)
{
    return vec_div(gate, vec_add(vec_set(1.0f), vec_exp(vec_sub(vec_set(0), gate))));
}

void OMMA_TIER(omma_gelu_f32)(size_t n, const float *x, float *y)
{
    size_t i = 0;

    for (; i + VEC_N <= n; i += VEC_N) {
        vec_store(y + i, gelu(vec_load(x + i)));
    }
    if (i < n) {
        vec_store_tail(y + i, n - i, gelu(vec_load_tail(x + i, n - i, vec_set(0))));
    }
}

void OMMA_TIER(omma_silu_mul_f32)(size_t n, const float *gate, const float *up, float *y)
{
    size_t i = 0;

    for (; i + VEC_N <= n; i += VEC_N) {
        vec_store(y + i, vec_mul(silu(vec_load(gate + i)), vec_load(up + i)));
    }
    if (i < n) {
        vec_f32 tail = silu(vec_load_tail(gate + i, n - i, vec_set(0)));

        vec_store_tail(y + i, n - i, vec_mul(tail, vec_load_tail(up + i, n - i, vec_set(0))));
    }
}
