/*
 * Tokenizer files of a stranger.  The first byte says which file the rest is; the others are small
 * and good.  What opens must round-trip a text and refuse nothing.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/omma.h"

static const char *const names[] = {"tokenizer.json",
                                    "vocab.json",
                                    "merges.txt",
                                    "added_tokens.json",
                                    "tokenizer_config.json",
                                    "special_tokens_map.json",
                                    "chat_template.jinja"};
enum { N_NAMES = sizeof names / sizeof *names };

static char dir[] = "/tmp/omma-fuzz-XXXXXX";

static void put(const char *name, const void *bytes, size_t n_bytes)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, n_bytes, file) != n_bytes || fclose(file) != 0) {
        abort();
    }
}

static void take_away(const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
}

/* A vocabulary of the 256 bytes and the template's tokens. */
static void put_good_files(void)
{
    static const char added[] = "{\"<|im_start|>\": 258, \"<|im_end|>\": 259, \"<img>\": 260, "
                                "\"</img>\": 261, \"<IMG_CONTEXT>\": 262}";
    static const char merges[] = "#version: 0.2\na b\nab a\n";
    char vocab[256 * 24] = "{\"ab\": 256, \"aba\": 257";
    size_t n = strlen(vocab);
    int next = 0x100;

    for (int byte = 0; byte < 256; byte++) {
        int is_itself =
            (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;

        n += (size_t)snprintf(vocab + n, sizeof vocab - n, ", \"\\u%04x\": %d",
                              is_itself ? byte : next++, byte);
    }
    n += (size_t)snprintf(vocab + n, sizeof vocab - n, "}");
    put("vocab.json", vocab, n);
    put("merges.txt", merges, strlen(merges));
    put("added_tokens.json", added, strlen(added));
}

static void remove_dir(void)
{
    for (int i = 0; i < N_NAMES; i++) {
        take_away(names[i]);
    }
    rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (mkdtemp(dir) == NULL) {
        abort();
    }
    atexit(remove_dir);
    return 0;
}

static void check(const struct omma_tokenizer *tokenizer)
{
    static const char text[] = "ababa <img> aa\n\n 12";
    struct omma_tokens tokens;
    size_t at = 0, n_bytes;

    if (omma_tokenize(tokenizer, text, strlen(text), OMMA_SPECIAL_LITERAL, &tokens, NULL) !=
        OMMA_OK) {
        abort();
    }
    for (size_t i = 0; i < tokens.n_tokens; i++) {
        const char *bytes = omma_token_bytes(tokenizer, tokens.ids[i], &n_bytes, NULL);

        if (n_bytes > strlen(text) - at || memcmp(bytes, text + at, n_bytes) != 0) {
            abort();
        }
        at += n_bytes;
    }
    if (at != strlen(text)) {
        abort();
    }
    omma_tokens_free(&tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct omma_tokenizer *tokenizer = NULL;
    struct omma_error error;
    const char *name;

    if (n_bytes == 0) {
        return 0;
    }
    put_good_files();
    name = names[data[0] % N_NAMES];
    if (data[0] % N_NAMES == 0) {
        take_away("vocab.json");
        take_away("merges.txt");
    }
    put(name, data + 1, n_bytes - 1);
    if (omma_tokenizer_open(dir, &tokenizer, &error) == OMMA_OK) {
        check(tokenizer);
        omma_tokenizer_close(&tokenizer);
    } else if (error.status != OMMA_STATUS_MODEL || error.message[0] == '\0') {
        abort();
    }
    take_away(name);
    return 0;
}
