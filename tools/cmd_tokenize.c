/*
 * omma tokenize: the ids of a text, the bytes that each stands for, and their number; or, with
 * --jsonl, of one text a line.  Needs the tokenizer's files only.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/jsonl.h"
#include "tools/model_path.h"
#include "tools/text_in.h"
#include "tools/utf8.h"

struct tokenize_values {
    const char *model;
    int special;
    bool json, jsonl;
};

static const struct tokenize_values defaults = {0};

static const struct option_row rows[] = {
    MODEL_OPTION(struct tokenize_values, model),
    SPECIAL_OPTION(struct tokenize_values, special),
    JSON_OPTION(struct tokenize_values, json),
    {.name = "jsonl",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct tokenize_values, jsonl),
     .help = "read lines {\"text\": ...} from standard input and write a line {\"ids\": [...]} "
             "for each"},
    {0},
};

/* A piece in print: a byte that belongs to no whole printable character is \xNN, a backslash \\,
 * and the usual escapes.  To be freed; NULL: out of memory. */
static char *printable(const char *bytes, size_t n_bytes)
{
    char *text = malloc(4 * n_bytes + 1), *end = text;

    if (text == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n_bytes;) {
        size_t n = utf8_character(bytes + i, n_bytes - i, NULL);
        unsigned char byte = (unsigned char)bytes[i];

        if (n > 1) {
            memcpy(end, bytes + i, n);
            end += n;
            i += n;
            continue;
        }
        if (byte == '\\' || byte == '\n' || byte == '\t' || byte == '\r') {
            *end++ = '\\';
            *end++ = byte == '\\' ? '\\' : byte == '\n' ? 'n' : byte == '\t' ? 't' : 'r';
        } else if (n == 0 || byte < 0x20 || byte == 0x7F) {
            end += sprintf(end, "\\x%02X", byte);
        } else {
            *end++ = (char)byte;
        }
        i++;
    }
    *end = '\0';
    return text;
}

static char *piece_of(const struct omma_tokenizer *tokenizer, int32_t id, bool *is_added)
{
    size_t n_bytes;
    const char *bytes = omma_token_bytes(tokenizer, id, &n_bytes, is_added);

    return printable(bytes, n_bytes);
}

static enum omma_status print_table(const struct omma_tokenizer *tokenizer,
                                    const struct omma_tokens *tokens, struct omma_error *error)
{
    for (size_t i = 0; i < tokens->n_tokens; i++) {
        bool is_added;
        char *piece = piece_of(tokenizer, tokens->ids[i], &is_added);

        if (piece == NULL) {
            return fail_memory(error);
        }
        printf("%8" PRId32 "  %s%s\n", tokens->ids[i], piece, is_added ? "  (added token)" : "");
        free(piece);
    }
    printf("%zu tokens\n", tokens->n_tokens);
    return OMMA_OK;
}

static enum omma_status print_json(const struct omma_tokenizer *tokenizer,
                                   const struct omma_tokens *tokens, struct omma_error *error)
{
    struct json_out out = json_out_object();
    json_t *pieces = json_array();

    for (size_t i = 0; i < tokens->n_tokens; i++) {
        char *piece = piece_of(tokenizer, tokens->ids[i], NULL);

        if (piece == NULL || json_array_append_new(pieces, json_out_string(piece)) != 0) {
            out.is_complete = false;
        }
        free(piece);
    }
    json_out_set(&out, "ids", json_out_ids(tokens->ids, tokens->n_tokens));
    json_out_set(&out, "pieces", pieces);
    json_out_set(&out, "count", json_integer((json_int_t)tokens->n_tokens));
    return json_out_write(&out, stdout, true, error);
}

struct line_context {
    const struct omma_tokenizer *tokenizer;
    enum omma_special special;
};

/* A jsonl_fn: {"text": ...} to {"ids": [...]}. */
static enum omma_status tokenize_line(void *user, const json_t *value, struct json_out *answer,
                                      struct omma_error *error)
{
    const struct line_context *context = user;
    const json_t *text = json_object_get(value, "text");
    struct omma_tokens tokens;

    if (!json_is_string(text)) {
        return fail(error, OMMA_STATUS_PROMPT, "expected a string \"text\"");
    }
    TRY(omma_tokenize(context->tokenizer, json_string_value(text), json_string_length(text),
                      context->special, &tokens, error));
    json_out_set(answer, "ids", json_out_ids(tokens.ids, tokens.n_tokens));
    omma_tokens_free(&tokens);
    return OMMA_OK;
}

static enum omma_status run_text(const struct invocation *invocation,
                                 const struct omma_tokenizer *tokenizer, struct omma_error *error)
{
    const struct tokenize_values *values = invocation->values;
    struct omma_tokens tokens = {0};
    struct text text = {0};
    enum omma_status status;

    if (invocation->options.n_operands == 1) {
        TRY(text_copy(invocation->options.operands[0], &text, error));
    } else {
        TRY(text_read(stdin, "standard input", &text, error));
    }
    status = omma_tokenize(tokenizer, text.bytes, text.n_bytes, (enum omma_special)values->special,
                           &tokens, error);
    if (status == OMMA_OK) {
        status = values->json ? print_json(tokenizer, &tokens, error)
                              : print_table(tokenizer, &tokens, error);
    }
    omma_tokens_free(&tokens);
    text_free(&text);
    return status;
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    const struct tokenize_values *values = invocation->values;
    struct omma_tokenizer *tokenizer = NULL;
    char *path = NULL;
    int code;

    TRY(require_model(values->model, error));
    TRY(options_exclude(rows, &invocation->options, "json", "jsonl", error));
    TRY(command_check_operands(invocation, 0, values->jsonl ? 0 : 1, error));
    TRY(model_path_find(values->model, &path, error));
    code = omma_tokenizer_open(path, &tokenizer, error);
    if (code == OMMA_OK) {
        struct line_context context = {tokenizer, (enum omma_special)values->special};

        code = values->jsonl ? jsonl_run(tokenize_line, &context, error)
                             : (int)run_text(invocation, tokenizer, error);
    }
    omma_tokenizer_close(&tokenizer);
    free(path);
    return code;
}

const struct command command_tokenize = {
    .name = "tokenize",
    .operands = "[TEXT]",
    .summary = "Tell the ids of a text, and what each stands for",
    .description = "Without TEXT, standard input is read.",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
