/*
 * engine_options.h - the options of commands that run a model.
 */
#ifndef OMMA_TOOLS_ENGINE_OPTIONS_H
#define OMMA_TOOLS_ENGINE_OPTIONS_H

#include "tools/message.h"
#include "tools/options.h"

struct engine_values {
    size_t n_threads; /* 0: one a physical core */
    const char *cpus; /* NULL: all that the process may use */
    int numa;         /* enum omma_numa */
    bool keep_mapped, drop_cache;
    const char *isa; /* NULL: the best */
    int precision;   /* enum omma_precision */
    int gemm;        /* enum omma_gemm */
    size_t chunk;    /* 0: the engine's own */
    int int8_off;    /* 1: weights alone are int8 */
    bool deterministic;
    const char *vision_threads; /* "auto" or a number; NULL: none of their own */
    size_t kv_bytes;            /* 0: what the machine has */
    int prefix_cache;           /* 1: on */
    size_t image_cache_bytes;
    const char *image_cache_dir; /* NULL: none */
};

extern const char *const numa_words[];
extern const char *const precision_words[];
extern const char *const gemm_words[];
extern const char *const int8_words[];
extern const char *const switch_words[];

/* Rows for the table of a command whose struct `type` has such values as its member `field`. */
/* clang-format off */
#define ENGINE_OPTIONS(type, field)                                                                \
    {.name = "threads", .letter = 't', .kind = OPTION_COUNT, .argument = "N",                      \
     .offset = offsetof(type, field.n_threads), .minimum = 1, .maximum = 4096,                     \
     .environment = "OMMA_THREADS",                                                                \
     .help = "threads; one for each physical core that the process may use if not given"},         \
    {.name = "cpus", .kind = OPTION_TEXT, .argument = "LIST",                                      \
     .offset = offsetof(type, field.cpus), .environment = "OMMA_CPUS",                             \
     .help = "CPUs to use, by the system's numbers: 0-3,8"},                                       \
    {.name = "numa", .kind = OPTION_CHOICE, .choices = numa_words,                                 \
     .offset = offsetof(type, field.numa), .environment = "OMMA_NUMA",                             \
     .help = "whether each memory node has copies of the weights that its threads read"},          \
    {.name = "mmap", .kind = OPTION_FLAG, .offset = offsetof(type, field.keep_mapped),             \
     .help = "with shard: move the files' pages to their nodes and copy nothing"},                 \
    {.name = "drop-cache", .kind = OPTION_FLAG, .offset = offsetof(type, field.drop_cache),        \
     .help = "once weights are copied, let the page cache forget their files"},                    \
    {.name = "isa", .kind = OPTION_TEXT, .argument = "TIER",                                       \
     .offset = offsetof(type, field.isa), .environment = "OMMA_ISA",                               \
     .help = "use no better kernels than this tier's; omma --version tells the tiers"},            \
    {.name = "precision", .kind = OPTION_CHOICE, .choices = precision_words,                       \
     .offset = offsetof(type, field.precision), .environment = "OMMA_PRECISION",                   \
     .help = "of the activations that enter matrix products"},                                     \
    {.name = "gemm", .kind = OPTION_CHOICE, .choices = gemm_words,                                 \
     .offset = offsetof(type, field.gemm), .environment = "OMMA_GEMM",                             \
     .help = "what multiplies matrices"},                                                          \
    {.name = "chunk", .kind = OPTION_COUNT, .argument = "N",                                       \
     .offset = offsetof(type, field.chunk), .minimum = 1, .maximum = 512,                          \
     .environment = "OMMA_CHUNK",                                                                  \
     .help = "tokens of the prompt that are computed together"},                                   \
    {.name = "int8-activations", .kind = OPTION_CHOICE, .choices = int8_words,                     \
     .offset = offsetof(type, field.int8_off),                                                     \
     .help = "multiply int8 weights by int8 activations; off: by what --precision says"},          \
    {.name = "deterministic", .kind = OPTION_FLAG, .offset = offsetof(type, field.deterministic),  \
     .help = "the same bits for any chunk, reuse of a prefix, and requests side by side"}

/* Of commands that answer questions. */
#define REQUEST_OPTIONS(type, field)                                                                \
    {.name = "vision-threads", .kind = OPTION_TEXT, .argument = "N|auto",                          \
     .offset = offsetof(type, field.vision_threads), .environment = "OMMA_VISION_THREADS",         \
     .help = "threads that encode pictures beside the others; 0: all do, in turn"},                \
    {.name = "kv-size", .kind = OPTION_SIZE, .argument = "BYTES",                                  \
     .offset = offsetof(type, field.kv_bytes), .minimum = 1, .maximum = SIZE_MAX,                  \
     .environment = "OMMA_KV_SIZE",                                                                \
     .help = "memory that the KV caches of all requests may take, 64G for example; what the "      \
             "machine has if not given"},                                                          \
    {.name = "prefix-cache", .kind = OPTION_CHOICE, .choices = switch_words,                       \
     .offset = offsetof(type, field.prefix_cache), .environment = "OMMA_PREFIX_CACHE",             \
     .help = "take the beginning of a prompt from the KV cache of another request that had it"},   \
    {.name = "image-cache", .kind = OPTION_SIZE, .argument = "BYTES",                              \
     .offset = offsetof(type, field.image_cache_bytes), .minimum = 0, .maximum = SIZE_MAX,         \
     .environment = "OMMA_IMAGE_CACHE",                                                            \
     .help = "memory for what was made of pictures, so that none is encoded twice; 0: none"},      \
    {.name = "image-cache-dir", .kind = OPTION_TEXT, .argument = "DIR",                            \
     .offset = offsetof(type, field.image_cache_dir), .environment = "OMMA_IMAGE_CACHE_DIR",       \
     .help = "keep it in files of this folder too"}
/* clang-format on */

/* The library's options, checked as far as can be without a model: OMMA_STATUS_USAGE for an unknown
 * tier, one that this CPU lacks, or options that contradict each other. */
enum omma_status engine_values_options(const struct engine_values *values,
                                       struct messages *messages,
                                       struct omma_engine_options *options,
                                       struct omma_error *error);

#endif
