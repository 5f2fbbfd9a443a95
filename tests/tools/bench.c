/*
 * The work that omma bench counts, against the table of the specification (section 11: parameters,
 * operations and bytes of the released shapes), and its order statistics.
 */
#include <math.h>

#include "tools/bench/measure.h" /* before cmocka and its macro fail() */
#include "tools/bench/work.h"

#include "support/support.h"

/* cmocka's own works in float. */
#define assert_close(found, expected, tolerance)                                                   \
    do {                                                                                           \
        double found_ = (found), expected_ = (expected);                                           \
        if (!(fabs(found_ - expected_) <= (tolerance))) {                                          \
            fail_msg("%s: %.15g, expected %.15g", #found, found_, expected_);                      \
        }                                                                                          \
    } while (0)

static const struct omma_model_info SHAPE_1B = {
    .weight_dtype = "bf16",
    .n_language_parameters = 629697920,
    .kv_bytes_per_token = 12288,
    .n_vision_layers = 24,
    .vision_hidden = 1024,
    .vision_ffn = 4096,
    .n_layers = 24,
    .hidden = 896,
    .n_heads = 14,
    .n_kv_heads = 2,
    .head_dim = 64,
    .ffn = 4864,
    .vocab = 151674,
    .tile_size = 448,
    .tokens_per_tile = 256,
};

static const struct omma_model_info SHAPE_78B = {
    .weight_dtype = "bf16",
    .n_language_parameters = 72699813888,
    .kv_bytes_per_token = 327680,
    .n_vision_layers = 45,
    .vision_hidden = 3200,
    .vision_ffn = 12800,
    .n_layers = 80,
    .hidden = 8192,
    .n_heads = 64,
    .n_kv_heads = 8,
    .head_dim = 128,
    .ffn = 29568,
    .vocab = 151674,
    .tile_size = 448,
    .tokens_per_tile = 256,
};

static void prefill_of_one_token_and_more(void **state)
{
    (void)state;
    /* 0.716 GFLOP of linear layers a token, 86,016 FLOP a token and position, 0.272 of the head */
    assert_close(2 * bench_prefill_work(&SHAPE_1B, 1), 0.716e9 + 0.272e9, 0.001e9);
    assert_close(2 * bench_prefill_work(&SHAPE_1B, 1000),
                 716e9 + 86016.0 * 1000 * 1000 / 2 + 0.272e9, 0.5e9);
    assert_close(2 * bench_prefill_work(&SHAPE_78B, 1), 140.4e9 + 2.485e9, 0.1e9);
}

static void tile_with_projector(void **state)
{
    (void)state;
    assert_close(2 * bench_tile_work(&SHAPE_1B), 723.6e9 + 2.3e9, 0.2e9);
    assert_close(2 * bench_tile_work(&SHAPE_78B), 11945e9 + 88.1e9, 1e9);
}

static void decode_reads_weights_once(void **state)
{
    struct omma_model_info tied = SHAPE_1B;

    (void)state;
    /* 1.259 GB less an embedding of 0.272 GB */
    assert_close(bench_decode_bytes(&SHAPE_1B, 0, "bf16"), 1.2594e9 - 0.2718e9, 0.001e9);
    assert_close(bench_decode_bytes(&SHAPE_1B, 1000, "bf16") -
                     bench_decode_bytes(&SHAPE_1B, 0, "bf16"),
                 12288000, 1);
    assert_close(bench_decode_bytes(&SHAPE_1B, 1000, "f32") -
                     bench_decode_bytes(&SHAPE_1B, 0, "f32"),
                 2 * 12288000, 1);
    assert_close(bench_decode_bytes(&SHAPE_78B, 0, "bf16"), 145.400e9 - 2.485e9, 0.01e9);
    tied.n_language_parameters -= tied.vocab * tied.hidden;
    assert_close(bench_decode_bytes(&tied, 0, "bf16"), bench_decode_bytes(&SHAPE_1B, 0, "bf16"),
                 2000);
}

static void median_of_odd_and_even(void **state)
{
    struct bench_samples samples = {.values = {3, 1, 2}, .n_values = 3};

    (void)state;
    assert_true(bench_median(&samples) == 2);
    assert_true(bench_minimum(&samples) == 1);
    assert_true(bench_maximum(&samples) == 3);
    samples.values[samples.n_values++] = 10;
    assert_true(bench_median(&samples) == 2.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefill_of_one_token_and_more),
        cmocka_unit_test(tile_with_projector),
        cmocka_unit_test(decode_reads_weights_once),
        cmocka_unit_test(median_of_odd_and_even),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
