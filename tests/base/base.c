/* Status messages, checked arithmetic, bf16 and f16, arenas. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/bf16.h"
#include "base/checked.h"
#include "support/support.h"

static void test_message_is_cut_at_a_character(void **state)
{
    struct omma_error error;
    char text[2 * OMMA_ERROR_MESSAGE_BYTES];

    (void)state;
    for (size_t i = 0; i + 1 < sizeof text; i += 2) {
        memcpy(text + i, "\xC3\xA9", 2);
    }
    text[sizeof text - 2] = '\0';
    assert_int_equal(omma_fail(&error, OMMA_STATUS_IMAGE, "%s", text), OMMA_STATUS_IMAGE);
    assert_int_equal(error.status, OMMA_STATUS_IMAGE);
    assert_true(strlen(error.message) < OMMA_ERROR_MESSAGE_BYTES);
    assert_string_equal(error.message + strlen(error.message) - 3, "...");
    assert_int_equal((strlen(error.message) - 3) % 2, 0);
    assert_int_equal(omma_fail(NULL, OMMA_STATUS_MODEL, "unseen"), OMMA_STATUS_MODEL);
}

static void test_message_holds_no_control_characters(void **state)
{
    struct omma_error error;

    (void)state;
    omma_fail(&error, OMMA_STATUS_MODEL, "a\x1B[2Jb\nc\td\x7F\xC3\xA9");
    assert_string_equal(error.message, "a?[2Jb\nc?d?\xC3\xA9");
}

static void test_checked_arithmetic(void **state)
{
    size_t result = 7;

    (void)state;
    assert_true(omma_checked_add(SIZE_MAX - 1, 1, &result));
    assert_true(result == SIZE_MAX);
    assert_false(omma_checked_add(SIZE_MAX, 1, &result));
    assert_false(omma_checked_multiply(SIZE_MAX / 2 + 1, 2, &result));
    assert_true(result == SIZE_MAX);
    assert_int_equal(omma_round_up(65, 64), 128);
}

static void test_bf16_rounds_to_nearest_even(void **state)
{
    (void)state;
    assert_int_equal(omma_bf16_of_f32(1.0f), 0x3F80);
    assert_int_equal(omma_bf16_of_f32(omma_f32_of_bits(0x3F808000u)), 0x3F80); /* tie, to even */
    assert_int_equal(omma_bf16_of_f32(omma_f32_of_bits(0x3F818000u)), 0x3F82); /* tie, to even */
    assert_int_equal(omma_bf16_of_f32(omma_f32_of_bits(0x3F808001u)), 0x3F81);
    assert_int_equal(omma_bf16_of_f32(omma_f32_of_bits(0x7F7FFFFFu)), 0x7F80); /* to infinity */
    assert_int_equal(omma_bf16_of_f32(-0.0f), 0x8000);
    assert_true(isnan(omma_f32_of_bf16(omma_bf16_of_f32(omma_f32_of_bits(0x7F800001u)))));
    assert_int_equal(omma_bf16_of_f32(omma_f32_of_bits(0x00008001u)), 0x0001); /* subnormal */
}

static void test_f16_values(void **state)
{
    (void)state;
    assert_true(omma_f32_of_f16(0x3C00) == 1.0f);
    assert_true(omma_f32_of_f16(0xC000) == -2.0f);
    assert_true(omma_f32_of_f16(0x7BFF) == 65504.0f);
    assert_true(omma_f32_of_f16(0x0001) == 0x1p-24f);
    assert_true(omma_f32_of_f16(0x03FF) == 1023 * 0x1p-24f);
    assert_true(isinf(omma_f32_of_f16(0xFC00)));
    assert_true(isnan(omma_f32_of_f16(0x7E00)));
}

static void test_arena_gives_aligned_zeroes(void **state)
{
    struct omma_arena arena = {0};

    (void)state;
    for (size_t n = 1; n < 1 << 20; n = n * 3 + 1) {
        unsigned char *bytes = omma_arena_take(&arena, n, 1);

        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % 64, 0);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(bytes[i], 0);
        }
        memset(bytes, 0xFF, n);
    }
    assert_null(omma_arena_take(&arena, SIZE_MAX, 2));
    assert_null(omma_arena_take(&arena, SIZE_MAX, 1));
    assert_string_equal(omma_arena_copy_text(&arena, "abcdef", 3), "abc");
    omma_arena_free(&arena);
    assert_int_equal(arena.n_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_is_cut_at_a_character),
        cmocka_unit_test(test_message_holds_no_control_characters),
        cmocka_unit_test(test_checked_arithmetic),
        cmocka_unit_test(test_bf16_rounds_to_nearest_even),
        cmocka_unit_test(test_f16_values),
        cmocka_unit_test(test_arena_gives_aligned_zeroes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
