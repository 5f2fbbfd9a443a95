/*
 * Sampling: hand-computed cases, ranges, and a plain sort over everything to compare with.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "model/language/sampler.h"
#include "support/support.h"

enum { MAX_VOCAB = 64 };

static struct omma_sampler *create(const struct omma_sampling *sampling, size_t vocab)
{
    struct omma_error error;
    struct omma_sampler *sampler = NULL;

    assert_ok(omma_sampler_create(sampling, vocab, &sampler, &error));
    return sampler;
}

static int32_t choose(struct omma_sampler *sampler, const float *logits)
{
    struct omma_error error;
    int32_t id = -1;
    float margin;

    assert_ok(omma_sampler_choose(sampler, logits, &id, &margin, &error));
    return id;
}

static void accept(struct omma_sampler *sampler, int32_t id)
{
    struct omma_error error;

    assert_ok(omma_sampler_accept(sampler, id, &error));
}

/* Bit k of the result: id k was drawn at one of 2,000 steps. */
static uint64_t drawn(const struct omma_sampling *sampling, const float *logits, size_t vocab)
{
    struct omma_sampler *sampler = create(sampling, vocab);
    uint64_t ids = 0;

    for (int i = 0; i < 2000; i++) {
        int32_t id = choose(sampler, logits);

        ids |= (uint64_t)1 << id;
        accept(sampler, (int32_t)(vocab - 1));
    }
    omma_sampler_destroy(&sampler);
    return ids;
}

/* The authors' own vectors: kat_vectors of Random123. */
static void test_philox_vectors(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], random[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t random[4];

        omma_philox(cases[i].key, cases[i].counter, random);
        assert_memory_equal(random, cases[i].random, sizeof random);
    }
}

static void test_greedy(void **state)
{
    static const float logits[] = {1, 5, -2, 5, 4.5f};
    static const float alone[] = {-3};
    struct omma_sampler *sampler = create(&(struct omma_sampling){0}, 5);
    struct omma_error error;
    int32_t id;
    float margin;

    (void)state;
    assert_ok(omma_sampler_choose(sampler, logits, &id, &margin, &error));
    assert_int_equal(id, 1);
    assert_true(margin == 0);
    omma_sampler_destroy(&sampler);

    sampler = create(&(struct omma_sampling){.top_k = 1}, 3);
    assert_ok(omma_sampler_choose(sampler, logits + 2, &id, &margin, &error));
    assert_int_equal(id, 1);
    assert_true(margin == 0.5f);
    omma_sampler_destroy(&sampler);

    sampler = create(&(struct omma_sampling){0}, 1);
    assert_ok(omma_sampler_choose(sampler, alone, &id, &margin, &error));
    assert_int_equal(id, 0);
    assert_true(isfinite(margin));
    omma_sampler_destroy(&sampler);
}

/* The first of the largest and the margin of a vocabulary of several blocks, beside a plain search;
 * few values, so that many are equal. */
static void test_greedy_over_blocks(void **state)
{
    static const size_t vocabs[] = {1023, 1024, 1025, 3000, 4096};
    float logits[4096];
    uint64_t seed = 3;

    (void)state;
    for (size_t round = 0; round < 200; round++) {
        size_t vocab = vocabs[round % 5], best = 0;
        int32_t n_values = round % 2 == 0 ? 8 : 1000000, id;
        struct omma_sampler *sampler = create(&(struct omma_sampling){0}, vocab);
        float margin, second = -FLT_MAX;
        struct omma_error error;

        for (size_t i = 0; i < vocab; i++) {
            logits[i] = (float)(int32_t)(omma_test_random(&seed) % (uint64_t)n_values) - 500.0f;
        }
        logits[omma_test_random(&seed) % vocab] = 2e6f;
        for (size_t i = 1; i < vocab; i++) {
            best = logits[i] > logits[best] ? i : best;
        }
        for (size_t i = 0; i < vocab; i++) {
            second = i != best ? fmaxf(second, logits[i]) : second;
        }
        assert_ok(omma_sampler_choose(sampler, logits, &id, &margin, &error));
        assert_int_equal(id, best);
        assert_true(margin == logits[best] - second);
        logits[best] = round % 4 < 2 ? second : logits[best]; /* two of them */
        assert_ok(omma_sampler_choose(sampler, logits, &id, &margin, &error));
        assert_true(logits[id] - margin == second);
        for (size_t i = 0; i < (size_t)id; i++) {
            assert_true(logits[i] < logits[id]);
        }
        omma_sampler_destroy(&sampler);
    }
}

/* s < 0 ? s r : s / r, once an id, before the choice; the margin is of the logits as they came. */
static void test_repetition_penalty(void **state)
{
    static const float logits[] = {4, 3, -1, -1.5f};
    static const float below[] = {-1, -1.5f};
    struct omma_sampler *sampler = create(&(struct omma_sampling){.repetition_penalty = 2}, 4);
    struct omma_error error;
    int32_t id;
    float margin;

    (void)state;
    assert_int_equal(choose(sampler, logits), 0);
    accept(sampler, 0);
    accept(sampler, 0); /* twice generated, penalised once: 2, not 1 */
    assert_ok(omma_sampler_choose(sampler, logits, &id, &margin, &error));
    assert_int_equal(id, 1);
    assert_true(margin == -1);
    accept(sampler, 1); /* 1.5 against 2 */
    assert_int_equal(choose(sampler, logits), 0);
    omma_sampler_destroy(&sampler);

    sampler = create(&(struct omma_sampling){.repetition_penalty = 2}, 2);
    accept(sampler, 0); /* -2 against -1.5 */
    assert_int_equal(choose(sampler, below), 1);
    omma_sampler_destroy(&sampler);
}

/* s - n f - p for n > 0, after the repetition penalty and before the temperature; negative ones
 * add. */
static void test_frequency_and_presence_penalties(void **state)
{
    static const float logits[] = {4, 3, 2.6f};
    struct omma_sampler *sampler =
        create(&(struct omma_sampling){.frequency_penalty = 0.5f, .presence_penalty = 0.25f}, 3);

    (void)state;
    assert_int_equal(choose(sampler, logits), 0);
    accept(sampler, 0); /* 3.25 */
    assert_int_equal(choose(sampler, logits), 0);
    accept(sampler, 0); /* 2.75 */
    assert_int_equal(choose(sampler, logits), 1);
    accept(sampler, 1); /* 2.25 */
    assert_int_equal(choose(sampler, logits), 0);
    accept(sampler, 0); /* 2.25 */
    assert_int_equal(choose(sampler, logits), 2);
    omma_sampler_destroy(&sampler);

    sampler =
        create(&(struct omma_sampling){.repetition_penalty = 2, .presence_penalty = -1.1f}, 3);
    accept(sampler, 0); /* 4 / 2 + 1.1; (4 + 1.1) / 2 would be less than 3 */
    assert_int_equal(choose(sampler, logits), 0);
    omma_sampler_destroy(&sampler);

    /* 0: 4 - 1.9 x 2 at a temperature of 0.2: e^-12 as likely as 1 */
    sampler = create(
        &(struct omma_sampling){.temperature = 0.2f, .frequency_penalty = 1.9f, .seed = 5}, 2);
    accept(sampler, 0);
    accept(sampler, 0);
    assert_int_equal(choose(sampler, logits), 1);
    omma_sampler_destroy(&sampler);
}

/* Log-probabilities of a large vocabulary: they sum to 1 and the first n of a plain sort are on
 * top.
 */
static void test_log_probabilities(void **state)
{
    enum { VOCAB = 151674, N_TOP = 20 };
    float *logits = malloc(VOCAB * sizeof *logits);
    struct omma_logprob top[N_TOP], one;
    double sum = 0, difference;
    uint64_t seed = 9;

    (void)state;
    for (int32_t i = 0; i < VOCAB; i++) { /* many equal ones */
        logits[i] = (float)(omma_test_random(&seed) % 3000) / 100.0f - 40;
    }
    one.logprob = omma_logprob_of(logits, VOCAB, 7, top, N_TOP);
    difference = (double)one.logprob - logits[7];
    for (int32_t i = 0; i < VOCAB; i++) {
        sum += exp(logits[i] + difference);
    }
    assert_true(fabs(sum - 1) < 1e-5); /* logprob is a float */
    for (size_t k = 0; k < N_TOP; k++) {
        size_t n_before = 0;

        for (int32_t i = 0; i < VOCAB; i++) {
            n_before +=
                logits[i] > logits[top[k].id] || (logits[i] == logits[top[k].id] && i < top[k].id);
        }
        assert_int_equal(n_before, k);
        assert_true(top[k].logprob == omma_logprob_of(logits, VOCAB, top[k].id, NULL, 0));
    }
    logits[7] = 3e38f; /* no overflow */
    assert_true(omma_logprob_of(logits, VOCAB, 7, &one, 1) == 0 && one.id == 7);
    free(logits);
}

static void test_filters(void **state)
{
    static const float ties[] = {1, 2, 2, 3};
    float logits[4]; /* probabilities 0.05, 0.5, 0.15, 0.3 */

    (void)state;
    logits[0] = logf(0.05f);
    logits[1] = logf(0.5f);
    logits[2] = logf(0.15f);
    logits[3] = logf(0.3f);
    assert_int_equal(drawn(&(struct omma_sampling){.temperature = 1}, logits, 4), 0xF);
    assert_int_equal(drawn(&(struct omma_sampling){.temperature = 1, .top_k = 2}, ties, 4), 0xE);
    assert_int_equal(drawn(&(struct omma_sampling){.temperature = 1, .top_k = 1}, ties, 4), 0x8);
    assert_int_equal(drawn(&(struct omma_sampling){.temperature = 1, .top_k = 9}, ties, 4), 0xF);
    assert_int_equal(drawn(&(struct omma_sampling){.temperature = 1, .top_p = 0.75f}, logits, 4),
                     0xA);
    assert_int_equal(drawn(&(struct omma_sampling){.temperature = 1, .top_p = 0.9f}, logits, 4),
                     0xE);
    assert_int_equal(drawn(&(struct omma_sampling){.temperature = 1, .top_p = 1}, logits, 4), 0xF);
    assert_int_equal(drawn(&(struct omma_sampling){.temperature = 1, .top_p = 1e-6f}, logits, 4),
                     0x2);
    assert_int_equal(drawn(&(struct omma_sampling){.temperature = 1, .min_p = 0.25f}, logits, 4),
                     0xE);
    assert_int_equal(drawn(&(struct omma_sampling){.temperature = 1, .min_p = 1}, logits, 4), 0x2);
    /* The temperature comes first: at 1/2 the probabilities are as 0.0025, 0.25, 0.0225, 0.09. */
    assert_int_equal(drawn(&(struct omma_sampling){.temperature = 0.5f, .top_p = 0.9f}, logits, 4),
                     0xA);
    /* top-k before top-p: of 0.5 and 0.3 alone, 0.3 is 0.375 of the sum. */
    assert_int_equal(
        drawn(&(struct omma_sampling){.temperature = 1, .top_k = 2, .top_p = 0.61f}, logits, 4),
        0x2);
    /* Among equals, the lower id goes first. */
    assert_int_equal(drawn(&(struct omma_sampling){.temperature = 1, .top_p = 0.5f}, ties + 1, 2),
                     0x2);
}

/* As the processors are written: sort all, drop from the smallest, then look up the same number. */
static int32_t choose_plainly(const struct omma_sampling *sampling, const float *logits,
                              size_t vocab, uint64_t step)
{
    double score[MAX_VOCAB], sorted[MAX_VOCAB], total = 0, most = -DBL_MAX, sum = 0, at;
    int32_t order[MAX_VOCAB], last = -1;
    bool dropped[MAX_VOCAB] = {false};

    for (size_t i = 0; i < vocab; i++) {
        size_t k = i;

        score[i] = (double)logits[i] / (double)sampling->temperature;
        most = fmax(most, score[i]);
        for (; k > 0 && sorted[k - 1] > score[i]; k--) {
            sorted[k] = sorted[k - 1];
            order[k] = order[k - 1];
        }
        sorted[k] = score[i];
        order[k] = (int32_t)i;
    }
    for (size_t i = 0; i < vocab && sampling->top_k > 0 && sampling->top_k < vocab; i++) {
        dropped[i] = score[i] < sorted[vocab - sampling->top_k];
    }
    for (size_t i = 0; i < vocab; i++) {
        total += dropped[i] ? 0 : exp(score[i] - most);
    }
    for (size_t k = 0; k + 1 < vocab && sampling->top_p > 0 && sampling->top_p < 1; k++) {
        if (!dropped[order[k]]) {
            sum += exp(sorted[k] - most);
            dropped[order[k]] = sum / total <= 1 - (double)sampling->top_p;
        }
    }
    total = 0;
    for (size_t i = 0; i < vocab; i++) {
        dropped[i] = dropped[i] || exp(score[i] - most) < (double)sampling->min_p;
        total += dropped[i] ? 0 : exp(score[i] - most);
    }
    at = omma_philox_uniform(sampling->seed, step) * total;
    for (size_t i = 0; i < vocab; i++) {
        if (!dropped[i]) {
            last = (int32_t)i;
            if (at < exp(score[i] - most)) {
                return last;
            }
            at -= exp(score[i] - most);
        }
    }
    return last;
}

static void test_filters_against_a_plain_sort(void **state)
{
    uint64_t random = 7;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        float logits[MAX_VOCAB];
        size_t vocab = 1 + omma_test_random(&random) % MAX_VOCAB;
        bool has_ties = omma_test_random(&random) % 4 == 0;
        uint64_t step = omma_test_random(&random) % 3;
        struct omma_sampling sampling = {
            .temperature = (float)omma_test_uniform(&random, 0.05, 3),
            .top_k = omma_test_random(&random) % 3 ? omma_test_random(&random) % (vocab + 2) : 0,
            .top_p = omma_test_random(&random) % 3 ? (float)omma_test_uniform(&random, 0, 1) : 0,
            .min_p = omma_test_random(&random) % 3 ? (float)omma_test_uniform(&random, 0, 0.5) : 0,
            .seed = omma_test_random(&random)};
        struct omma_sampler *sampler = create(&sampling, vocab);

        for (size_t i = 0; i < vocab; i++) {
            logits[i] = has_ties ? (float)(omma_test_random(&random) % 5)
                                 : (float)omma_test_uniform(&random, -8, 8);
        }
        for (uint64_t i = 0; i < step; i++) {
            accept(sampler, 0);
        }
        assert_int_equal(choose(sampler, logits), choose_plainly(&sampling, logits, vocab, step));
        omma_sampler_destroy(&sampler);
    }
}

/* 40,000 draws of four ids: each count within 5 standard deviations. */
static void test_draws_follow_the_probabilities(void **state)
{
    static const double probability[] = {0.1, 0.2, 0.3, 0.4};
    struct omma_sampler *sampler = create(&(struct omma_sampling){.temperature = 1, .seed = 3}, 4);
    float logits[4];
    size_t n_drawn[4] = {0};
    enum { N = 40000 };

    (void)state;
    for (int i = 0; i < 4; i++) {
        logits[i] = logf((float)probability[i]) + 100;
    }
    for (int i = 0; i < N; i++) {
        n_drawn[choose(sampler, logits)]++;
        accept(sampler, 0);
    }
    for (int i = 0; i < 4; i++) {
        double expected = N * probability[i];

        assert_true(fabs((double)n_drawn[i] - expected) <
                    5 * sqrt(expected * (1 - probability[i])));
    }
    omma_sampler_destroy(&sampler);
}

/* The draw depends on the seed and the number of tokens accepted, nothing else. */
static void test_draws_are_reproducible(void **state)
{
    struct omma_sampling sampling = {.temperature = 2, .seed = 11};
    struct omma_sampler *one = create(&sampling, 64), *other = create(&sampling, 64), *third;
    float logits[64], noise[64];
    size_t n_same = 0;

    (void)state;
    sampling.seed++;
    third = create(&sampling, 64);
    for (size_t i = 0; i < 64; i++) {
        logits[i] = (float)(i % 7);
        noise[i] = (float)(i % 5);
    }
    for (int i = 0; i < 200; i++) {
        int32_t id = choose(one, logits);

        choose(other, noise);
        assert_int_equal(choose(other, logits), id);
        n_same += choose(third, logits) == id;
        accept(one, id);
        accept(other, (int32_t)(i % 64));
        accept(third, id);
    }
    assert_true(n_same < 100);
    omma_sampler_destroy(&one);
    omma_sampler_destroy(&other);
    omma_sampler_destroy(&third);
}

/* Extremes that overflow in float: still a token, the likeliest. */
static void test_extreme_values(void **state)
{
    static const float logits[] = {-FLT_MAX, FLT_MAX, 0};
    static const struct omma_sampling samplings[] = {
        {.temperature = FLT_MIN, .repetition_penalty = FLT_MAX},
        {.temperature = 1e-45f, .top_p = 0.5f},
        {.temperature = 1, .min_p = 1, .repetition_penalty = FLT_MIN},
        {.temperature = FLT_MAX / 1e30f, .top_k = 1}};

    (void)state;
    for (size_t i = 0; i < sizeof samplings / sizeof *samplings; i++) {
        struct omma_sampler *sampler = create(&samplings[i], 3);

        accept(sampler, 0);
        assert_int_equal(choose(sampler, logits), 1);
        omma_sampler_destroy(&sampler);
    }
}

/* Faults row F8. */
static void test_ranges(void **state)
{
    static const struct {
        struct omma_sampling sampling;
        const char *name;
    } cases[] = {
        {{.temperature = NAN}, "temperature: expected a finite number from 0 on, found"},
        {{.temperature = -1}, "temperature: expected a finite number from 0 on, found -1"},
        {{.temperature = INFINITY}, "temperature"}, /* what 1e308 is as a float */
        {{.top_p = -0.1f}, "top_p"},
        {{.top_p = 1.5f}, "top_p"},
        {{.top_p = NAN}, "top_p"},
        {{.min_p = -1}, "min_p"},
        {{.min_p = 2}, "min_p"},
        {{.min_p = NAN}, "min_p"},
        {{.frequency_penalty = 2.5f}, "frequency_penalty: expected a number from -2 to 2, found"},
        {{.frequency_penalty = NAN}, "frequency_penalty"},
        {{.presence_penalty = -2.5f}, "presence_penalty: expected a number from -2 to 2, found"},
        {{.presence_penalty = INFINITY}, "presence_penalty"},
        {{.repetition_penalty = -2}, "repetition_penalty"},
        {{.repetition_penalty = INFINITY}, "repetition_penalty"},
        {{.repetition_penalty = NAN}, "repetition_penalty"},
    };
    struct omma_error error;
    struct omma_sampler *sampler = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(OMMA_STATUS_USAGE, cases[i].name,
                     omma_sampler_create(&cases[i].sampling, 10, &sampler, &error));
        assert_null(sampler);
    }
    sampler = create(&(struct omma_sampling){0}, 10);
    assert_fails(OMMA_STATUS_USAGE, "below 10, found 10", omma_sampler_accept(sampler, 10, &error));
    assert_fails(OMMA_STATUS_USAGE, "found -1", omma_sampler_accept(sampler, -1, &error));
    omma_sampler_destroy(&sampler);
}

/* Faults row F11: never sampled from, and named. */
static void test_non_finite_logits(void **state)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    struct omma_error error;
    int32_t id = -7;
    float margin;

    (void)state;
    for (int is_sampled = 0; is_sampled < 2; is_sampled++) {
        for (size_t k = 0; k < 3; k++) {
            for (size_t at = 0; at < 4; at++) {
                struct omma_sampler *sampler =
                    create(&(struct omma_sampling){.temperature = (float)is_sampled}, 4);
                float logits[] = {1, 2, 3, 4};
                char text[64];

                logits[at] = bad[k];
                accept(sampler, 0);
                snprintf(text, sizeof text, "token 2 of the answer: id %zu: expected a finite", at);
                assert_fails(OMMA_STATUS_INTERNAL, text,
                             omma_sampler_choose(sampler, logits, &id, &margin, &error));
                assert_int_equal(id, -7);
                omma_sampler_destroy(&sampler);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox_vectors),
        cmocka_unit_test(test_greedy),
        cmocka_unit_test(test_greedy_over_blocks),
        cmocka_unit_test(test_repetition_penalty),
        cmocka_unit_test(test_frequency_and_presence_penalties),
        cmocka_unit_test(test_log_probabilities),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_filters_against_a_plain_sort),
        cmocka_unit_test(test_draws_follow_the_probabilities),
        cmocka_unit_test(test_draws_are_reproducible),
        cmocka_unit_test(test_extreme_values),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_non_finite_logits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
