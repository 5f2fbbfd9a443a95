/*
 * e^x within 1 ulp; 0 below -104, -infinity included, infinity above 89; NaN stays NaN.
 *
 * x = n ln 2 + r with n whole and |r| <= ln 2 / 2; n ln2_high is a multiple of 2^-24 as x is where
 * n is not 0, so that x - n ln2_high is exact.  e^r = 1 + r + r^2 (c2 + ... + c6 r^4), the
 * polynomial fitted for the least largest relative error (3e-9).
 */
static inline vec_f32 vec_exp(vec_f32 x)
{
    const vec_f32 whole =
        vec_set(0x1.8p23f); /* adding and subtracting it rounds to whole numbers */
    vec_f32 n, r, p;

    x = vec_min(vec_set(89.0f), vec_max(vec_set(-104.0f), x));
    n = vec_sub(vec_fma(x, vec_set(0x1.715476p0f), whole), whole); /* 1 / ln 2 */
    r = vec_fnma(n, vec_set(0x1.62e430p-1f), x);
    r = vec_fma(n, vec_set(0x1.05c610p-29f), r);
    p = vec_fma(vec_set(0x1.6a2422p-10f), r, vec_set(0x1.1239e2p-7f));
    p = vec_fma(p, r, vec_set(0x1.5558f2p-5f));
    p = vec_fma(p, r, vec_set(0x1.555492p-3f));
    p = vec_fma(p, r, vec_set(0x1.fffffcp-2f));
    p = vec_fma(p, r, vec_set(1.0f));
    p = vec_fma(p, r, vec_set(1.0f));
    return vec_scale(p, n);
}
