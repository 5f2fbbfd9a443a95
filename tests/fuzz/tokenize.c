/*
 * Texts of a stranger, in every mode of special tokens: refused as the prompt's fault, or tokenized
 * so that no added token stands for the user's own words.  The vocabulary is the demo's, from
 * tests/data/tokenizer below $OMMA_TEST_SRCDIR.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/omma.h"
#include "model/language/chat_template.h"
#include "model/language/text_decoder.h"

static struct omma_tokenizer *tokenizer;

static void close_tokenizer(void)
{
    omma_tokenizer_close(&tokenizer);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *root = getenv("OMMA_TEST_SRCDIR");
    char path[4096];

    (void)argc;
    (void)argv;
    snprintf(path, sizeof path, "%s/tests/data/tokenizer", root != NULL ? root : ".");
    if (omma_tokenizer_open(path, &tokenizer, NULL) != OMMA_OK) {
        fprintf(stderr, "cannot open %s\n", path);
        exit(1);
    }
    atexit(close_tokenizer);
    return 0;
}

static void check_added(const struct omma_tokens *tokens, size_t n_expected)
{
    size_t n_added = 0;

    for (size_t i = 0; i < tokens->n_tokens; i++) {
        size_t n_bytes;
        bool is_added;

        omma_token_bytes(tokenizer, tokens->ids[i], &n_bytes, &is_added);
        n_added += is_added;
    }
    if (n_added != n_expected) {
        abort();
    }
}

/* Control tokens are the template's: two turns and the answer's beginning, and the pictures'. */
static void check_template(const char *text, size_t n_bytes)
{
    static const size_t n_image_tokens[] = {2};
    struct omma_turn turn = {OMMA_ROLE_USER, text, n_bytes};
    struct omma_conversation conversation = {.turns = &turn, .n_turns = 1, .n_images = 1};
    struct omma_tokens tokens;

    if (omma_chat_template_render(tokenizer, &conversation, n_image_tokens, NULL, &tokens, NULL) ==
        OMMA_OK) {
        check_added(&tokens, 5 + 4);
        omma_tokens_free(&tokens);
    }
}

/* The first bytes as a stop text, and every byte an id. */
static void check_decoder(const uint8_t *data, size_t n_data)
{
    struct omma_stop stop = {(const char *)data, n_data < 3 ? n_data : 3};
    struct omma_text_decoder *decoder = NULL;
    const char *text;
    size_t n_bytes;
    bool stopped;

    if (omma_text_decoder_create(tokenizer, &stop, 1, &decoder, NULL) != OMMA_OK) {
        return;
    }
    for (size_t i = 0; i + 1 < n_data; i += 2) {
        int32_t id = data[i] | (data[i + 1] & 3) << 8;

        if (omma_text_decoder_add(decoder, id, &text, &n_bytes, &stopped, NULL) != OMMA_OK) {
            abort();
        }
        if (n_bytes >= stop.n_bytes && memmem(text, n_bytes, stop.text, stop.n_bytes) != NULL) {
            abort();
        }
    }
    if (omma_text_decoder_finish(decoder, &text, &n_bytes, NULL) != OMMA_OK) {
        abort();
    }
    omma_text_decoder_destroy(&decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    const char *text = (const char *)data;

    for (int special = OMMA_SPECIAL_LITERAL; special <= OMMA_SPECIAL_REJECT; special++) {
        struct omma_tokens tokens;
        enum omma_status status =
            omma_tokenize(tokenizer, text, n_bytes, (enum omma_special)special, &tokens, NULL);

        if (status != OMMA_OK && status != OMMA_STATUS_PROMPT) {
            abort();
        }
        if (status == OMMA_OK) {
            if (special != OMMA_SPECIAL_REFERENCE) {
                check_added(&tokens, 0);
            }
            omma_tokens_free(&tokens);
        }
    }
    check_template(text, n_bytes);
    check_decoder(data, n_bytes);
    return 0;
}
