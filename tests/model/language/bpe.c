/*
 * Byte-pair encoding against the reference's own words: of all adjacent pairs the lowest rank, all
 * its occurrences from left to right; and the work that a long piece takes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/language/bpe.h"
#include "model/language/tokenizer_files.h"
#include "support/support.h"

enum { MAX_PIECE = 64, MAX_TOKEN = 8 };

/* The rule word for word, one pass a round. */
static size_t encode_plainly(const struct omma_bpe *bpe, const char *piece, size_t n, int32_t *ids)
{
    for (size_t i = 0; i < n; i++) {
        ids[i] = bpe->byte_ids[(uint8_t)piece[i]];
    }
    for (;;) {
        struct omma_bpe_merge best = {.rank = UINT32_MAX};
        size_t n_out = 0;

        for (size_t i = 0; i + 1 < n; i++) {
            const struct omma_bpe_merge *merge = omma_bpe_find(bpe, ids[i], ids[i + 1]);

            if (merge != NULL && merge->rank < best.rank) {
                best = *merge;
            }
        }
        if (best.rank == UINT32_MAX) {
            return n;
        }
        for (size_t i = 0; i < n; i++) {
            bool is_pair = i + 1 < n && ids[i] == best.left && ids[i + 1] == best.right;

            ids[n_out++] = is_pair ? best.merged : ids[i];
            i += is_pair;
        }
        n = n_out;
    }
}

/* Merges over an alphabet of a few letters.  Tokens are made in one order and ranked in another, so
 * that a merge may rank before those that make its parts: no trained vocabulary does that, but the
 * rule says what happens then. */
static void make_merges(struct omma_bpe *bpe, uint64_t *random, size_t n_letters, size_t n_merges)
{
    int32_t pairs[64][2];
    char names[64 + 8][MAX_TOKEN + 1];
    size_t n_tokens = n_letters, n_pairs = 0;
    struct omma_error error;

    assert_ok(omma_bpe_init(bpe, n_merges, &error));
    for (size_t i = 0; i < n_letters; i++) {
        bpe->byte_ids['a' + i] = (int32_t)i;
        names[i][0] = (char)('a' + i);
        names[i][1] = '\0';
    }
    while (n_pairs < n_merges) {
        size_t left = omma_test_random(random) % n_tokens,
               right = omma_test_random(random) % n_tokens;
        char joined[2 * MAX_TOKEN + 1];
        size_t n_left = strlen(names[left]), n_right = strlen(names[right]);
        bool is_new = n_left + n_right <= MAX_TOKEN;

        memcpy(joined, names[left], n_left);
        memcpy(joined + n_left, names[right], n_right + 1);
        for (size_t i = 0; i < n_tokens; i++) { /* the same text is the same token: skip it here */
            is_new = is_new && strcmp(names[i], joined) != 0;
        }
        if (is_new) {
            memcpy(names[n_tokens], joined, MAX_TOKEN + 1);
            pairs[n_pairs][0] = (int32_t)left;
            pairs[n_pairs++][1] = (int32_t)right;
            n_tokens++;
        }
    }
    for (size_t i = n_merges; i-- > 0;) {
        size_t k = omma_test_random(random) % 2 ? omma_test_random(random) % (i + 1) : 0;
        size_t seen = 0, at = 0;

        for (at = 0; at < n_merges; at++) { /* the k-th that is not yet added */
            if (omma_bpe_find(bpe, pairs[at][0], pairs[at][1]) == NULL && seen++ == k) {
                break;
            }
        }
        assert_true(omma_bpe_add(bpe, pairs[at][0], pairs[at][1], (int32_t)(n_letters + at)));
    }
}

static void test_against_the_rule_itself(void **state)
{
    uint64_t random = 1;
    struct omma_bpe_scratch scratch = {0};

    (void)state;
    for (int round = 0; round < 400; round++) {
        size_t n_letters = 1 + omma_test_random(&random) % 4;
        struct omma_bpe bpe;

        make_merges(&bpe, &random, n_letters,
                    n_letters == 1 ? 1 + omma_test_random(&random) % 7
                                   : 1 + omma_test_random(&random) % 24);
        for (int k = 0; k < 50; k++) {
            struct omma_token_list list = {0};
            struct omma_error error;
            char piece[MAX_PIECE];
            int32_t ids[MAX_PIECE];
            size_t n = omma_test_random(&random) % (MAX_PIECE + 1), n_expected;

            for (size_t i = 0; i < n; i++) {
                piece[i] = (char)('a' + omma_test_random(&random) % n_letters);
            }
            n_expected = encode_plainly(&bpe, piece, n, ids);
            assert_ok(omma_bpe_encode(&bpe, &scratch, piece, n, &list, &error));
            assert_int_equal(list.n_tokens, n_expected);
            if (n_expected > 0) {
                assert_memory_equal(list.ids, ids, n_expected * sizeof *ids);
            }
            omma_token_list_free(&list);
        }
        omma_bpe_free(&bpe);
    }
    omma_bpe_scratch_free(&scratch);
}

/* The round must be finished before a pair of lower rank that it made: abab, ab then aba. */
static void test_a_round_is_finished(void **state)
{
    static const int32_t expected[] = {2, 2};
    struct omma_bpe bpe;
    struct omma_bpe_scratch scratch = {0};
    struct omma_token_list list = {0};
    struct omma_error error;

    (void)state;
    assert_ok(omma_bpe_init(&bpe, 2, &error));
    bpe.byte_ids['a'] = 0;
    bpe.byte_ids['b'] = 1;
    assert_true(omma_bpe_add(&bpe, 2, 0, 3)); /* ab a */
    assert_true(omma_bpe_add(&bpe, 0, 1, 2)); /* a b */
    assert_false(omma_bpe_add(&bpe, 0, 1, 3));
    assert_ok(omma_bpe_encode(&bpe, &scratch, "abab", 4, &list, &error));
    assert_int_equal(list.n_tokens, 2);
    assert_memory_equal(list.ids, expected, sizeof expected);
    omma_token_list_free(&list);
    omma_bpe_scratch_free(&scratch);
    omma_bpe_free(&bpe);
}

/* Encode a megabyte as one piece, made of `n_letters` letters from 'a' on; the steps that takes
 * must be at most 8 n log2 n. */
static void assert_bounded(const struct omma_bpe *bpe, size_t n_letters, bool is_random)
{
    enum { N = 1 << 20 };
    static char piece[N];
    uint64_t random = 2;
    struct omma_bpe_scratch scratch = {0};
    struct omma_token_list list = {0};
    struct omma_error error;

    for (size_t i = 0; i < N; i++) {
        piece[i] = (char)('a' + (is_random ? omma_test_random(&random) : i) % n_letters);
    }
    assert_ok(omma_bpe_encode(bpe, &scratch, piece, N, &list, &error));
    assert_true(list.n_tokens > 0 && list.n_tokens <= N);
    assert_true(scratch.n_steps >= N - list.n_tokens); /* a merge a token less, at least */
    assert_true((double)scratch.n_steps <= 8.0 * N * log2(N));
    omma_token_list_free(&list);
    omma_bpe_scratch_free(&scratch);
}

/* Faults row F4. */
static void test_work_on_a_long_piece(void **state)
{
    uint64_t random = 2;

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        size_t n_letters = kind == 0 ? 1 : 4;
        struct omma_bpe bpe;

        make_merges(&bpe, &random, n_letters, kind == 0 ? 7 : 40);
        assert_bounded(&bpe, n_letters, kind == 2);
        omma_bpe_free(&bpe);
    }
}

static void test_work_with_the_full_vocabulary(void **state)
{
    struct omma_vocabulary vocabulary = {0};
    struct omma_bpe bpe = {0};
    struct omma_error error;

    (void)state;
    OMMA_TEST_NEED_SHARED(dir, "tokenizer");
    assert_ok(omma_tokenizer_files_read(dir, &vocabulary, &bpe, &error));
    assert_int_equal(bpe.n_merges, 151387);
    assert_bounded(&bpe, 1, false);
    assert_bounded(&bpe, 26, false);
    assert_bounded(&bpe, 26, true);
    omma_vocabulary_free(&vocabulary);
    omma_bpe_free(&bpe);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_rule_itself),
        cmocka_unit_test(test_a_round_is_finished),
        cmocka_unit_test(test_work_on_a_long_piece),
        cmocka_unit_test(test_work_with_the_full_vocabulary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
