/*
 * Several sequences in one pass of the decoder, on the demo model, in every way of computing: each
 * gets the bits that it gets alone, prompts as well as single tokens; where a pass is mixed, single
 * tokens go through another product and come close. For any number of threads.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "model/language/decoder.h"
#include "model/model.h"
#include "support/support.h"
#include "tensor/attention.h"
#include "tensor/operators.h"
#include "tensor/rope.h"

enum { N_SEQUENCES = 4, N_STEPS = 3, MAX_TOKENS = 720, CAPACITY = 640 };

/* The third decodes over more than one block of keys. */
static const size_t n_prompt[N_SEQUENCES] = {13, 40, 600, 20};

struct world {
    struct omma_model *model;
    const struct omma_language_config *config;
    int32_t ids[N_SEQUENCES][CAPACITY];
    float positions[CAPACITY];
    float *inverse_frequency;
};

/* One way of computing: a team, a decoder, and the caches of sequences. */
struct rig {
    const struct world *world;
    struct omma_team *team;
    struct omma_decoder *decoder;
    struct omma_kv_cache caches[N_SEQUENCES];
    float *partials[N_SEQUENCES];
    size_t n_cached[N_SEQUENCES];
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    char *dir = omma_test_source("share/omma/demo");
    struct omma_error error;
    uint64_t seed = 1;

    assert_ok(omma_model_open(dir, NULL, &world->model, &error));
    free(dir);
    world->config = &world->model->config.language;
    for (size_t s = 0; s < N_SEQUENCES; s++) {
        for (size_t t = 0; t < CAPACITY; t++) {
            world->ids[s][t] = (int32_t)(omma_test_random(&seed) % world->config->vocab);
            world->positions[t] = (float)t;
        }
    }
    world->inverse_frequency = malloc(world->config->head_dim / 2 * sizeof(float));
    omma_rope_frequencies(&(struct omma_rope){.head_dim = world->config->head_dim,
                                              .theta = world->config->rope_theta},
                          0, world->inverse_frequency);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    omma_model_close(&world->model);
    free(world->inverse_frequency);
    free(world);
    return 0;
}

static struct rig make_rig(const struct world *world, const struct omma_compute *compute,
                           size_t n_threads)
{
    const struct omma_config *config = &world->model->config;
    struct rig rig = {.world = world};
    struct omma_error error;

    rig.team = omma_test_team(n_threads, omma_decoder_scratch_bytes(config));
    assert_ok(omma_decoder_create(config, &world->model->weights, compute, MAX_TOKENS, &rig.decoder,
                                  &error));
    for (size_t s = 0; s < N_SEQUENCES; s++) {
        assert_ok(
            omma_kv_cache_init(world->config, compute->operand, CAPACITY, &rig.caches[s], &error));
        rig.partials[s] =
            malloc(sizeof(float) * omma_attention_partials(world->config->n_heads,
                                                           world->config->head_dim, CAPACITY));
    }
    return rig;
}

static void free_rig(struct rig *rig)
{
    for (size_t s = 0; s < N_SEQUENCES; s++) {
        omma_kv_cache_fini(&rig->caches[s]);
        free(rig->partials[s]);
    }
    omma_decoder_destroy(&rig->decoder);
    omma_team_destroy(&rig->team);
}

struct call {
    struct omma_decoder *decoder;
    struct omma_decoder_pass pass;
};

static void run(struct omma_thread *self, void *argument)
{
    struct call *call = argument;

    omma_decoder_forward(self, call->decoder, &call->pass);
}

/* The next n_tokens[s] tokens of sequences first .. first + n in one pass; logits of each. */
static void forward(struct rig *rig, size_t first, size_t n, const size_t *n_tokens, float *logits)
{
    struct omma_decoder_sequence sequences[N_SEQUENCES];
    struct call call = {rig->decoder, {.sequences = sequences, .n_sequences = n, .logits = logits}};

    for (size_t i = 0; i < n; i++) {
        size_t s = first + i;

        sequences[i] = (struct omma_decoder_sequence){
            .n_tokens = n_tokens[s],
            .n_cached = rig->n_cached[s],
            .ids = rig->world->ids[s] + rig->n_cached[s],
            .positions = rig->world->positions + rig->n_cached[s],
            .inverse_frequency = rig->world->inverse_frequency,
            .cache = &rig->caches[s],
            .partials = rig->partials[s],
            .wants_logits = true,
        };
        rig->n_cached[s] += n_tokens[s];
    }
    omma_team_run(rig->team, run, &call);
    assert_int_equal(omma_decoder_bad_layer(rig->decoder), OMMA_DECODER_ALL_FINITE);
}

static void expect_same(const struct omma_compute *compute, size_t vocab, size_t n,
                        const float *alone, const float *together, const char *what)
{
    for (size_t s = 0; s < n; s++) {
        if (memcmp(alone + s * vocab, together + s * vocab, vocab * sizeof *alone) != 0) {
            fail_msg("%s: %s: sequence %zu has other logits than alone",
                     omma_test_compute_name(compute), what, s);
        }
    }
}

static void expect_close(const struct omma_compute *compute, size_t vocab, const float *alone,
                         const float *together)
{
    /* rounding to bf16 between the products lifts the least bit of a sum to 2^-9 */
    double tolerance = omma_test_operand_error(compute) > 0 ? 0.03 : 1e-4, largest = 0, worst = 0;

    for (size_t i = 0; i < vocab; i++) {
        largest = fmax(largest, fabs((double)alone[i]));
        worst = fmax(worst, fabs((double)alone[i] - (double)together[i]));
    }
    if (!(worst <= tolerance * largest)) {
        fail_msg("%s: logits up to %g differ by %g", omma_test_compute_name(compute), largest,
                 worst);
    }
}

/* Prompts in one pass, then single tokens of three sequences in one pass, then three single tokens
 * beside the prompt of the fourth. */
static void check(const struct world *world, const struct omma_compute *compute, size_t n_threads)
{
    static const size_t ones[N_SEQUENCES] = {1, 1, 1, 1};
    static const size_t mixed[N_SEQUENCES] = {1, 1, 1, 20};
    size_t vocab = world->config->vocab, n = N_SEQUENCES - 1;
    float *alone = malloc(N_SEQUENCES * vocab * sizeof *alone);
    float *together = malloc(N_SEQUENCES * vocab * sizeof *together);
    struct rig one = make_rig(world, compute, 1), many = make_rig(world, compute, n_threads);

    for (size_t s = 0; s < n; s++) {
        forward(&one, s, 1, n_prompt, alone + s * vocab);
    }
    forward(&many, 0, n, n_prompt, together);
    expect_same(compute, vocab, n, alone, together, "prompts");
    for (int step = 0; step < N_STEPS; step++) {
        for (size_t s = 0; s < n; s++) {
            forward(&one, s, 1, ones, alone + s * vocab);
        }
        forward(&many, 0, n, ones, together);
        expect_same(compute, vocab, n, alone, together, "single tokens");
    }
    for (size_t s = 0; s < N_SEQUENCES; s++) {
        forward(&one, s, 1, mixed, alone + s * vocab);
    }
    forward(&many, 0, N_SEQUENCES, mixed, together);
    for (size_t s = 0; s < n; s++) {
        expect_close(compute, vocab, alone + s * vocab, together + s * vocab);
    }
    expect_same(compute, vocab, 1, alone + n * vocab, together + n * vocab, "a prompt beside");
    free_rig(&one);
    free_rig(&many);
    free(alone);
    free(together);
}

static void test_sequences_as_alone(void **state)
{
    size_t n_computes;
    const struct omma_compute *computes = omma_test_computes(&n_computes);

    for (size_t c = 0; c < n_computes; c++) {
        /* OpenBLAS promises no bits */
        for (size_t n_threads = 1; !computes[c].use_blas && n_threads <= 3; n_threads++) {
            check(*state, &computes[c], n_threads);
        }
    }
}

/* Only those that want logits get a row. */
static void test_logits_that_are_wanted(void **state)
{
    const struct world *world = *state;
    size_t n_computes, vocab = world->config->vocab;
    const struct omma_compute *compute = omma_test_computes(&n_computes);
    struct rig rig = make_rig(world, compute, 2);
    float *all = malloc(N_SEQUENCES * vocab * sizeof *all), *one = calloc(vocab + 1, sizeof *one);
    struct omma_decoder_sequence sequences[2];
    struct call call = {rig.decoder, {.sequences = sequences, .n_sequences = 2, .logits = one}};

    forward(&rig, 0, 2, n_prompt, all);
    for (size_t s = 0; s < 2; s++) {
        sequences[s] = (struct omma_decoder_sequence){
            .n_tokens = n_prompt[s],
            .ids = world->ids[s],
            .positions = world->positions,
            .inverse_frequency = world->inverse_frequency,
            .cache = &rig.caches[s],
            .partials = rig.partials[s],
            .wants_logits = s == 1,
        };
    }
    one[vocab] = 7.0f;
    omma_team_run(rig.team, run, &call);
    assert_memory_equal(one, all + vocab, vocab * sizeof *one);
    assert_true(one[vocab] == 7.0f);
    free(all);
    free(one);
    free_rig(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequences_as_alone),
        cmocka_unit_test(test_logits_that_are_wanted),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
