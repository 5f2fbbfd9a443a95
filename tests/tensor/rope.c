/* RoPE's frequencies: plain, and dynamic NTK as transformers computes it in f32. */
#include <math.h>

#include "support/support.h"
#include "tensor/rope.h"

static void test_plain(void **state)
{
    struct omma_rope rope = {.head_dim = 64, .theta = 1e6};
    float frequency[32], cosine[32], sine[32];

    (void)state;
    assert_int_equal(omma_rope_length(&rope, 1 << 20), 0);
    omma_rope_frequencies(&rope, 0, frequency);
    assert_true(frequency[0] == 1.0f);
    for (int j = 0; j < 32; j++) {
        double want = pow(1e6, -2.0 * j / 64.0);

        assert_true(fabs(frequency[j] - want) <= want * 0x1p-22);
    }
    omma_rope_angles(&rope, frequency, 1000.0f, cosine, sine);
    assert_true(fabs(cosine[0] - cos(1000.0)) < 1e-7);
    assert_true(fabs(sine[0] - sin(1000.0)) < 1e-7);
}

static void test_dynamic(void **state)
{
    struct omma_rope rope = {
        .head_dim = 128, .theta = 1e6, .dynamic = true, .factor = 2.0, .max_positions = 300};
    float plain[64], scaled[64];

    (void)state;
    assert_int_equal(omma_rope_length(&rope, 300), 0);
    assert_int_equal(omma_rope_length(&rope, 301), 301);
    omma_rope_frequencies(&rope, 0, plain);
    omma_rope_frequencies(&rope, 600, scaled);
    assert_true(scaled[0] == 1.0f);
    for (int j = 0; j < 64; j++) {
        double base = 1e6 * pow(2.0 * 600 / 300 - 1.0, 128.0 / 126.0);
        double want = pow(base, -2.0 * j / 128.0);

        assert_true(fabs(scaled[j] - want) <= want * 0x1p-21);
        assert_true(j == 0 || scaled[j] < plain[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_dynamic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
