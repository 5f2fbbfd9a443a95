/* Words of the engine's options, and the tier's name held against those that exist. */
#include "tools/engine_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 4096 };

const char *const numa_words[] = {
    [OMMA_NUMA_AUTO] = "auto",     [OMMA_NUMA_OFF] = "off",       [OMMA_NUMA_SHARD] = "shard",
    [OMMA_NUMA_MIRROR] = "mirror", [OMMA_NUMA_MIRROR + 1] = NULL,
};

const char *const precision_words[] = {
    [OMMA_PRECISION_AUTO] = "auto",
    [OMMA_PRECISION_BF16] = "bf16",
    [OMMA_PRECISION_F32] = "f32",
    [OMMA_PRECISION_F32 + 1] = NULL,
};

const char *const gemm_words[] = {
    [OMMA_GEMM_AUTO] = "auto",
    [OMMA_GEMM_NATIVE] = "native",
    [OMMA_GEMM_OPENBLAS] = "openblas",
    [OMMA_GEMM_OPENBLAS + 1] = NULL,
};

const char *const int8_words[] = {"on", "off", NULL};

const char *const switch_words[] = {"off", "on", NULL};

static enum omma_status check_isa(const char *isa, struct omma_error *error)
{
    const char *tier;
    char names[256] = "";
    size_t n = 0;
    bool is_usable;

    for (size_t i = 0; (tier = omma_isa_tier(i, &is_usable)) != NULL; i++) {
        if (strcmp(isa, tier) == 0) {
            return is_usable ? OMMA_OK
                             : fail(error, OMMA_STATUS_USAGE, "--isa: this CPU lacks %s", isa);
        }
        if (is_usable && n < sizeof names) {
            n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n > 0 ? "|" : "", tier);
        }
    }
    return fail(error, OMMA_STATUS_USAGE, "--isa: expected %s, found \"%s\"", names, isa);
}

static enum omma_status parse_vision_threads(const char *text, struct omma_engine_options *options,
                                             struct omma_error *error)
{
    char *end;
    unsigned long n;

    options->no_vision_threads = text == NULL || strcmp(text, "0") == 0;
    options->n_vision_threads = 0;
    if (options->no_vision_threads || strcmp(text, "auto") == 0) {
        return OMMA_OK;
    }
    n = strtoul(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || *end != '\0' || n > MAX_THREADS) {
        return fail(error, OMMA_STATUS_USAGE,
                    "--vision-threads: expected auto or 0 to %d, found \"%s\"", MAX_THREADS, text);
    }
    options->n_vision_threads = n;
    return OMMA_OK;
}

enum omma_status engine_values_options(const struct engine_values *values,
                                       struct messages *messages,
                                       struct omma_engine_options *options,
                                       struct omma_error *error)
{
    if (values->isa != NULL) {
        TRY(check_isa(values->isa, error));
    }
    if (values->keep_mapped && values->numa == OMMA_NUMA_MIRROR) {
        return fail(error, OMMA_STATUS_USAGE, "--mmap: a mirror is made of copies");
    }
    if (values->deterministic && values->gemm == OMMA_GEMM_OPENBLAS) {
        return fail(error, OMMA_STATUS_USAGE,
                    "--deterministic: OpenBLAS does not promise the same bits; use --gemm native");
    }
    *options = (struct omma_engine_options){
        .n_threads = values->n_threads,
        .cpus = values->cpus,
        .numa = (enum omma_numa)values->numa,
        .keep_mapped = values->keep_mapped,
        .drop_cache = values->drop_cache,
        .isa = values->isa,
        .precision = (enum omma_precision)values->precision,
        .gemm = (enum omma_gemm)values->gemm,
        .prefill_chunk = values->chunk,
        .no_int8_activations = values->int8_off != 0,
        .deterministic = values->deterministic,
        .kv_bytes = values->kv_bytes,
        .share_prefixes = values->prefix_cache != 0,
        .image_cache_bytes = values->image_cache_bytes,
        .image_cache_dir = values->image_cache_dir,
        .log = messages_log(messages),
    };
    return parse_vision_threads(values->vision_threads, options, error);
}
