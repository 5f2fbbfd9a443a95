/*
 * omma info: what a model is, what it needs, and with --verify the SHA-256 of each of its files.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/common_options.h"
#include "tools/json_out.h"
#include "tools/model_path.h"
#include "tools/signals.h"

struct info_values {
    const char *model;
    bool json, verify, verbose;
};

static const struct info_values defaults = {0};

static const struct option_row rows[] = {
    MODEL_OPTION(struct info_values, model),
    {.name = "verify",
     .kind = OPTION_FLAG,
     .offset = offsetof(struct info_values, verify),
     .help = "read all files of the model and tell the SHA-256 of each"},
    JSON_OPTION(struct info_values, json),
    VERBOSE_OPTION(struct info_values, verbose),
    {0},
};

static double mega(uint64_t number)
{
    return (double)number / 1e6;
}

static void print_quantization(const struct omma_model_info *info)
{
    if (info->n_int8_linears == 0) {
        return;
    }
    printf("quantization    int8: %zu of %zu matrices, a scale for ", info->n_int8_linears,
           info->n_linears);
    if (info->scale_group > 0) {
        printf("%zu columns", info->scale_group);
    } else {
        printf("a row");
    }
    printf("; activations %s\n",
           info->int8_activations ? "int8, a scale for a token" : "not quantized");
}

static void print_sizes(const struct omma_model_info *info)
{
    printf("parameters      %.1f M (vision %.1f M, projector %.1f M, language %.1f M)\n",
           mega(info->n_parameters), mega(info->n_vision_parameters),
           mega(info->n_projector_parameters), mega(info->n_language_parameters));
    printf("files           %zu, %.1f MB, %zu tensors, linear layers in %s\n", info->n_files,
           mega(info->file_bytes), info->n_tensors, info->weight_dtype);
    print_quantization(info);
    printf("vision          %zu layers, width %zu, %zu heads, feed-forward %zu\n",
           info->n_vision_layers, info->vision_hidden, info->vision_heads, info->vision_ffn);
    printf("language        %zu layers, width %zu, %zu heads of %zu, %zu of keys and values, "
           "feed-forward %zu\n",
           info->n_layers, info->hidden, info->n_heads, info->head_dim, info->n_kv_heads,
           info->ffn);
    printf("vocabulary      %zu rows, %zu ids have a text\n", info->vocab, info->n_token_ids);
    printf("context         %zu positions, rope theta %g, scaling %s", info->max_positions,
           info->rope_theta, info->rope_scaling);
    if (strcmp(info->rope_scaling, "none") != 0) {
        printf(" by %g", info->rope_factor);
    }
    printf("\n");
}

static void print_rules(const struct omma_model_info *info)
{
    printf("tiles           %zu to %zu of %zu x %zu pixels a picture, %s, %zu tokens each\n",
           info->min_tiles, info->max_tiles, info->tile_size, info->tile_size,
           info->use_thumbnail ? "then a thumbnail" : "no thumbnail", info->tokens_per_tile);
    printf("token ids       context %" PRId32 ", im_start %" PRId32 ", im_end %" PRId32
           ", img %" PRId32 " and %" PRId32 ", stop",
           info->context_id, info->im_start_id, info->im_end_id, info->image_start_id,
           info->image_end_id);
    for (size_t i = 0; i < info->n_stop_ids; i++) {
        printf(" %" PRId32, info->stop_ids[i]);
    }
    printf("\nmemory          %.1f MB of mapped files, %.1f MB beside them, KV cache %.1f KB a "
           "token: %.1f MB for %zu\n",
           mega(info->mapped_bytes), mega(info->anonymous_bytes),
           (double)info->kv_bytes_per_token / 1e3,
           mega((uint64_t)info->kv_bytes_per_token * info->default_context), info->default_context);
    printf("identity        %s\n", info->identity);
}

static void print_info(const struct omma_model_info *info)
{
    printf("model           %s\n", info->path);
    printf("architecture    %s (%s layout): %s, %s\n", info->architecture, info->layout,
           info->vision_name, info->language_name);
    print_sizes(info);
    print_rules(info);
}

static void set_count(struct json_out *out, const char *key, uint64_t number)
{
    json_out_set(out, key, json_integer((json_int_t)number));
}

static void add_sizes(struct json_out *out, const struct omma_model_info *info)
{
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {
        {"parameters", info->n_parameters},
        {"vision_parameters", info->n_vision_parameters},
        {"projector_parameters", info->n_projector_parameters},
        {"language_parameters", info->n_language_parameters},
        {"file_bytes", info->file_bytes},
        {"files", info->n_files},
        {"tensors", info->n_tensors},
        {"mapped_bytes", info->mapped_bytes},
        {"anonymous_bytes", info->anonymous_bytes},
        {"kv_bytes_per_token", info->kv_bytes_per_token},
        {"vision_layers", info->n_vision_layers},
        {"vision_hidden", info->vision_hidden},
        {"vision_heads", info->vision_heads},
        {"vision_ffn", info->vision_ffn},
        {"linears", info->n_linears},
        {"int8_linears", info->n_int8_linears},
        {"scale_group", info->scale_group},
        {"layers", info->n_layers},
        {"hidden", info->hidden},
        {"heads", info->n_heads},
        {"kv_heads", info->n_kv_heads},
        {"head_dim", info->head_dim},
        {"ffn", info->ffn},
        {"vocab", info->vocab},
        {"token_ids", info->n_token_ids},
        {"max_positions", info->max_positions},
        {"tile_size", info->tile_size},
        {"tokens_per_tile", info->tokens_per_tile},
        {"min_tiles", info->min_tiles},
        {"max_tiles", info->max_tiles},
    };

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        set_count(out, counts[i].key, counts[i].value);
    }
}

static void add_special_ids(struct json_out *out, const struct omma_model_info *info)
{
    json_out_set(out, "context_id", json_integer(info->context_id));
    json_out_set(out, "im_start_id", json_integer(info->im_start_id));
    json_out_set(out, "im_end_id", json_integer(info->im_end_id));
    json_out_set(out, "image_start_id", json_integer(info->image_start_id));
    json_out_set(out, "image_end_id", json_integer(info->image_end_id));
    json_out_set(out, "stop_ids", json_out_ids(info->stop_ids, info->n_stop_ids));
}

static struct json_out json_of_info(const struct omma_model_info *info)
{
    struct json_out out = json_out_object();

    json_out_set(&out, "path", json_out_string(info->path));
    json_out_set(&out, "architecture", json_out_string(info->architecture));
    json_out_set(&out, "layout", json_out_string(info->layout));
    json_out_set(&out, "vision", json_out_string(info->vision_name));
    json_out_set(&out, "language", json_out_string(info->language_name));
    json_out_set(&out, "weight_dtype", json_out_string(info->weight_dtype));
    add_sizes(&out, info);
    json_out_set(&out, "int8_activations", json_boolean(info->int8_activations));
    json_out_set(&out, "thumbnail", json_boolean(info->use_thumbnail));
    json_out_set(&out, "rope_theta", json_real(info->rope_theta));
    json_out_set(&out, "rope_scaling", json_out_string(info->rope_scaling));
    json_out_set(&out, "rope_factor", json_real(info->rope_factor));
    add_special_ids(&out, info);
    json_out_set(&out, "identity", json_out_string(info->identity));
    return out;
}

/* What --verify fills: lines on standard output, or members of an object. */
struct digests {
    struct messages *messages;
    json_t *files; /* NULL: print */
    bool is_complete;
};

/* An omma_digest_fn; the lines are those of sha256sum(1). */
static bool take_digest(void *user, const char *file, uint64_t n_bytes, const char *sha256)
{
    struct digests *digests = user;

    message_progress(digests->messages, "%s: %.1f MB", file, mega(n_bytes));
    if (digests->files == NULL) {
        message_progress_end(digests->messages);
        printf("%s  %s\n", sha256, file);
        fflush(stdout);
        return ferror(stdout) == 0;
    }
    if (json_object_set_new(digests->files, file, json_out_string(sha256)) != 0) {
        digests->is_complete = false;
    }
    return true;
}

static enum omma_status verify(const struct omma_model *model, struct messages *messages,
                               struct json_out *out, struct omma_error *error)
{
    struct digests digests = {.messages = messages, .is_complete = true};

    if (out != NULL) {
        digests.files = json_object();
        json_out_set(out, "sha256", digests.files);
    }
    TRY(omma_model_verify(model, take_digest, &digests, error));
    message_progress_end(messages);
    return digests.is_complete ? OMMA_OK : fail_memory(error);
}

static enum omma_status describe(const struct invocation *invocation,
                                 const struct omma_model *model, struct omma_error *error)
{
    const struct info_values *values = invocation->values;
    struct json_out out;

    if (!values->json) {
        print_info(omma_model_info(model));
        return values->verify ? verify(model, invocation->messages, NULL, error) : OMMA_OK;
    }
    out = json_of_info(omma_model_info(model));
    if (values->verify) {
        enum omma_status status = verify(model, invocation->messages, &out, error);

        if (status != OMMA_OK) {
            json_decref(out.value);
            return status;
        }
    }
    return json_out_write(&out, stdout, false, error);
}

static int run(const struct invocation *invocation, struct omma_error *error)
{
    const struct info_values *values = invocation->values;
    const struct omma_model_options options = {.log = messages_log(invocation->messages)};
    struct omma_model *model = NULL;
    const char *name = values->model;
    enum omma_status status;
    char *path = NULL;

    TRY(command_check_operands(invocation, 0, 1, error));
    if (invocation->options.n_operands == 1) {
        if (options_given(rows, &invocation->options, "model")) {
            return fail(error, OMMA_STATUS_USAGE, "--model and MODEL exclude each other");
        }
        name = invocation->options.operands[0];
    }
    TRY(require_model(name, error));
    invocation->messages->verbose = values->verbose;
    TRY(model_path_find(name, &path, error));
    status = omma_model_open(path, &options, &model, error);
    if (status == OMMA_OK) {
        signals_watch_model(model);
        status = describe(invocation, model, error);
        signals_watch_model(NULL);
    }
    omma_model_close(&model);
    free(path);
    return status;
}

const struct command command_info = {
    .name = "info",
    .operands = "[MODEL]",
    .summary = "Tell what a model is and what it needs",
    .options = rows,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .run = run,
};
