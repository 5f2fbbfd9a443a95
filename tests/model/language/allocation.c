/* Opening a tokenizer, rendering a conversation, sampling with a schema and decoding, with every
 * allocation failing once, and from one on: OMMA_STATUS_RESOURCES, and nothing is left (the
 * sanitizers watch for that). The allocators are the linker's --wrap here; jansson is given them
 * too. */
#include <stdlib.h>
#include <string.h>

#include "model/language/chat_template.h"
#include "model/language/sampler.h"
#include "model/language/text_decoder.h"
#include "model/schema/schema.h"
#include "support/failing_allocations.h"
#include "support/support.h"

/* A schema, read, and one token that fits it. */
static enum omma_status answer_in_json(const struct omma_tokenizer *tokenizer,
                                       struct omma_error *error)
{
    static const char text[] =
        "{\"properties\":{\"a\":{\"enum\":[1,\"x\",{\"k\":2.5}]},\"b\":{\"$ref\":\"#\"},\"c\":"
        "{\"anyOf\":[{\"type\":[\"null\",\"string\"]},{\"items\":{}}]}},\"required\":[\"a\"]}";
    const int32_t stop_id = omma_tokenizer_template_ids(tokenizer)->im_end;
    size_t vocab = omma_tokenizer_n_ids(tokenizer);
    static const struct omma_sampling greedy = {0};
    struct omma_schema *schema = NULL;
    struct omma_sampler *sampler = NULL;
    float *logits = calloc(vocab, sizeof *logits), margin;
    enum omma_status status;
    int32_t id;

    if (logits == NULL) {
        return omma_fail_memory(error, vocab * sizeof *logits, "logits");
    }
    OMMA_TRY_OR(
        status, out,
        omma_schema_create(tokenizer, &stop_id, 1, vocab, text, sizeof text - 1, &schema, error));
    OMMA_TRY_OR(status, out, omma_sampler_create(&greedy, vocab, &sampler, error));
    OMMA_TRY_OR(status, out, omma_sampler_constrain(sampler, schema, error));
    for (int i = 0; i < 3; i++) {
        OMMA_TRY_OR(status, out, omma_sampler_choose(sampler, logits, &id, &margin, error));
        OMMA_TRY_OR(status, out, omma_sampler_accept(sampler, id, error));
    }
out:
    omma_sampler_destroy(&sampler);
    omma_schema_close(&schema);
    free(logits);
    return status;
}

/* One token sampled and decoded. */
static enum omma_status answer(const struct omma_tokenizer *tokenizer, struct omma_error *error)
{
    static const float logits[] = {1, 2, 3};
    static const struct omma_sampling sampling = {.temperature = 1, .top_p = 0.9f, .top_k = 2};
    static const struct omma_stop stop = {"END", 3};
    struct omma_sampler *sampler = NULL;
    struct omma_text_decoder *decoder = NULL;
    const char *text;
    size_t n_bytes;
    int32_t id;
    float margin;
    bool stopped;
    enum omma_status status;

    OMMA_TRY_OR(status, out, omma_sampler_create(&sampling, 3, &sampler, error));
    OMMA_TRY_OR(status, out, omma_text_decoder_create(tokenizer, &stop, 1, &decoder, error));
    OMMA_TRY_OR(status, out, omma_sampler_choose(sampler, logits, &id, &margin, error));
    OMMA_TRY_OR(status, out, omma_sampler_accept(sampler, id, error));
    OMMA_TRY_OR(status, out, omma_text_decoder_add(decoder, id, &text, &n_bytes, &stopped, error));
    status = omma_text_decoder_finish(decoder, &text, &n_bytes, error);
out:
    omma_sampler_destroy(&sampler);
    omma_text_decoder_destroy(&decoder);
    return status;
}

static enum omma_status do_all(const char *dir, struct omma_error *error)
{
    static const char question[] = "Who? \xE1\xBA\xA1\xCC\x87 \xE4\xBD\xA0";
    static const struct omma_turn turn = {OMMA_ROLE_USER, question, sizeof question - 1};
    static const size_t n_image_tokens[] = {256};
    static const struct omma_conversation conversation = {
        .turns = &turn, .n_turns = 1, .n_images = 1};
    struct omma_tokenizer *tokenizer = NULL;
    struct omma_tokens tokens = {0};
    enum omma_status status;

    OMMA_TRY_OR(status, out, omma_tokenizer_open(dir, &tokenizer, error));
    OMMA_TRY_OR(
        status, out,
        omma_chat_template_render(tokenizer, &conversation, n_image_tokens, NULL, &tokens, error));
    omma_tokens_free(&tokens);
    OMMA_TRY_OR(status, out,
                omma_tokenize(tokenizer, question, sizeof question - 1, OMMA_SPECIAL_LITERAL,
                              &tokens, error));
    OMMA_TRY_OR(status, out, answer(tokenizer, error));
    status = answer_in_json(tokenizer, error);
out:
    omma_tokens_free(&tokens);
    omma_tokenizer_close(&tokenizer);
    return status;
}

/* How many allocations there are: the first plan under which none fails. */
static size_t sweep(const char *dir, bool persists)
{
    size_t n_spared = 0; /* giving back what a table did not need may fail unnoticed */

    for (size_t n = 0;; n++) {
        struct omma_error error = {0};
        enum omma_status status;

        omma_test_fail_allocations(n, persists);
        status = do_all(dir, &error);
        if (!omma_test_end_failing()) {
            assert_ok(status);
            return n;
        }
        if (status == OMMA_OK && !persists && n_spared == 0) {
            n_spared++;
            continue;
        }
        if (status != OMMA_STATUS_RESOURCES) {
            fail_msg("allocation %zu: %s: %s", n, omma_status_name(status), error.message);
        }
        assert_int_equal(error.status, OMMA_STATUS_RESOURCES);
        assert_true(error.message[0] != '\0');
    }
}

static void test_every_allocation_may_fail(void **state)
{
    char *dir = omma_test_source("tests/data/tokenizer");
    size_t n;

    (void)state;
    n = sweep(dir, false);
    assert_true(n > 50);
    assert_int_equal(sweep(dir, true), n);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
