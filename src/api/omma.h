/*
 * omma.h - run InternVL3 vision-language models on CPUs.
 *
 * The one installed header.  A program opens a model (immutable, mapped from the published
 * checkpoint), creates an engine over it (threads and kernels), and holds conversations in
 * sessions:
 *
 *     omma_model_open() -> omma_engine_create() -> omma_session_create()
 *     omma_session_submit() -> omma_session_poll() until OMMA_EVENT_DONE, once a turn
 *
 * Conventions:
 *   - A call that can fail returns enum omma_status and fills *error (which may be NULL) when it
 * does; its out parameters are then untouched, unless said otherwise.
 *   - Objects are opaque.  open/close and create/destroy come in pairs; the latter of a pair takes
 * the address of the pointer, accepts NULL in it, and leaves NULL there.
 *   - Option structs start as all zeroes ({0}), and zero means the default.
 *   - Text is UTF-8 with a length in bytes; a NUL is an ordinary character.
 *   - The library never prints, aborts or exits, and reads no environment variable.
 *
 * The ABI is not yet stable.
 */
#ifndef OMMA_H
#define OMMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is declared here is exported; all else in the library is built with hidden visibility. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ------------------------------------------------------------------------------------------------
 * Status and errors
 * --------------------------------------------------------------------------------------------- */

/* Every value but OMMA_OK is also the exit code that omma(1) gives for it. */
enum omma_status {
    OMMA_OK = 0,
    OMMA_STATUS_USAGE = 2, /* an argument is out of its range or contradicts another */
    OMMA_STATUS_MODEL = 3, /* the model's files are missing, damaged, or of an unsupported kind */
    OMMA_STATUS_IMAGE = 4, /* a picture is missing, damaged, or of an unsupported kind */
    OMMA_STATUS_PROMPT =
        5, /* invalid UTF-8, a refused special token, more than the context holds */
    OMMA_STATUS_RESOURCES = 6, /* memory, threads or file descriptors cannot be had */
    OMMA_STATUS_OUTPUT = 7,    /* writing a file or a stream failed */
    OMMA_STATUS_CHANGED = 8,   /* the model's files changed while they were mapped */
    OMMA_STATUS_BUSY = 9,      /* as many requests wait as may: try again later */
    OMMA_STATUS_INTERNAL = 70, /* a fault of omma itself, non-finite logits among them */
};

enum { OMMA_ERROR_MESSAGE_BYTES = 4096 };

/* What went wrong, in one line or (for lists of tensors) several, without a newline at the end:
 * "path: field or tensor @byte: expected X, found Y". */
struct omma_error {
    enum omma_status status;
    char message[OMMA_ERROR_MESSAGE_BYTES];
};

/* "model", "image", ...: a word for messages and JSON. */
const char *omma_status_name(enum omma_status status);

enum omma_log_level { OMMA_LOG_WARNING, OMMA_LOG_INFO };

/* Receives what is worth knowing but no error.  May be called from any thread of the engine. */
typedef void (*omma_log_fn)(void *user, enum omma_log_level level, const char *message);

struct omma_log {
    omma_log_fn write; /* NULL: silent */
    void *user;
};

/* "0.1.0" */
const char *omma_version(void);

/* Kernel tier i of those that were built, best first; NULL behind the last one, which is "scalar".
 * *usable (may be NULL) receives whether this CPU and operating system can run it. */
const char *omma_isa_tier(size_t i, bool *usable);

/* Family i of the kernels ("gemm_bf16", "rms_norm", ...), NULL behind the last one, and the tier
 * whose kernel is used where isa, one of omma_isa_tier(), is the tier in use: isa itself or one
 * below it; NULL if the family has none there. */
const char *omma_kernel_family(size_t i, const char *isa, const char **tier);

/* ------------------------------------------------------------------------------------------------
 * The machine
 * --------------------------------------------------------------------------------------------- */

/* A NUMA node that holds the memory of cores that this process may use. */
struct omma_machine_node {
    size_t number;   /* the operating system's */
    size_t n_cores;  /* that this process may use, whose memory it holds */
    char cpus[1024]; /* the first hardware thread of each, "0-3,8"; cut with "..." */
    uint64_t memory_bytes, free_bytes;         /* 0: unknown */
    uint64_t huge_page_bytes, free_huge_pages; /* of the default size of huge pages, reserved */
};

/* What the operating system says of the machine, the process's limits, and settings that matter
 * here.  Texts are "" and numbers 0 where it does not say. */
struct omma_machine {
    char cpu[96];
    size_t n_packages, n_cores,
        n_cpus;                /* online, in the whole machine; CPUs are hardware threads */
    size_t n_allowed_cores;    /* by affinity, cpuset and the choice of CPUs */
    size_t n_usable_cores;     /* of these at a time, by the cgroup's quota */
    size_t l1_bytes, l2_bytes; /* data, of one core */
    size_t l3_bytes;           /* of the allowed cores together */
    size_t n_nodes;
    const struct omma_machine_node *nodes;
    uint64_t memory_bytes, available_bytes;
    uint64_t memory_limit_bytes; /* of the cgroup; UINT64_MAX: none */
    char huge_pages[16];         /* transparent ones: "always", "madvise", "never" */
    char governor[32];           /* of CPU 0's clock: "performance", "powersave", ... */
    char offline_cpus[64];       /* "3,5-7"; "": none */
    bool numa_balancing;         /* the kernel moves pages by itself */
    bool zone_reclaim;           /* a full node drops pages rather than take another node's */
};

/* cpus: as in struct omma_engine_options.  OMMA_STATUS_USAGE for a list that is none or names CPUs
 * that this process may not use. */
enum omma_status omma_machine_open(const char *cpus, struct omma_machine **machine,
                                   struct omma_error *error);
void omma_machine_close(struct omma_machine **machine);

/* ------------------------------------------------------------------------------------------------
 * Models
 * --------------------------------------------------------------------------------------------- */

struct omma_model;
struct omma_tokenizer;

struct omma_model_options {
    struct omma_log log;
};

/* What a model is; valid as long as the model. */
struct omma_model_info {
    const char *path;          /* the folder */
    const char *architecture;  /* of config.json, e.g. "InternVLChatModel" */
    const char *layout;        /* "original" or "hf" */
    const char *vision_name;   /* "InternViT-300M", "InternViT-6B", or "InternViT" */
    const char *language_name; /* "Qwen2" */
    const char *weight_dtype;  /* of the linear layers: "bf16", "f16", "f32", "int8" or "mixed" */
    size_t n_linears;          /* weight matrices of linear layers */
    size_t n_int8_linears;     /* those of int8; 0: the checkpoint is not quantized */
    size_t scale_group;    /* columns of an int8 weight that share a scale; 0: all of a row do */
    bool int8_activations; /* the checkpoint means what enters int8 layers to be quantized too */
    uint64_t n_parameters; /* all tensors together */
    uint64_t n_vision_parameters, n_projector_parameters, n_language_parameters;
    uint64_t file_bytes; /* of all safetensors files */
    size_t n_files;      /* safetensors files */
    size_t n_tensors;
    uint64_t mapped_bytes; /* file pages that a run touches */
    uint64_t
        anonymous_bytes; /* memory that opening took: small vectors widened to f32, the tokenizer */
    uint64_t step_bytes; /* weights that a decoding step reads: all of the language model's, of an
                            embedding that is not the head too one row only */
    size_t kv_bytes_per_token; /* with a bf16 KV cache */
    size_t n_vision_layers, vision_hidden, vision_heads, vision_ffn;
    size_t n_layers, hidden, n_heads, n_kv_heads, head_dim, ffn;
    size_t vocab;       /* rows of the embedding */
    size_t n_token_ids; /* ids that have a text: largest + 1 */
    size_t max_positions;
    size_t default_context; /* tokens of a session: the smaller of max_positions and 8192 */
    double rope_theta;
    const char *rope_scaling; /* "none" or "dynamic" */
    double rope_factor;
    size_t tile_size;            /* pixels of a tile's side: 448 */
    size_t tokens_per_tile;      /* 256 */
    size_t min_tiles, max_tiles; /* of one picture, the thumbnail not counted */
    bool use_thumbnail;
    int32_t context_id, im_start_id, im_end_id, image_start_id, image_end_id; /* -1: absent */
    const int32_t *stop_ids; /* generation ends at any of these */
    size_t n_stop_ids;
    char identity[65]; /* SHA-256 in hex over config, tokenizer, safetensors headers, file sizes */
};

/* Open the checkpoint folder at path and map its weights.  Config, names, shapes and tokenizer are
 * checked; the weights themselves are not read. */
enum omma_status omma_model_open(const char *path, const struct omma_model_options *options,
                                 struct omma_model **model, struct omma_error *error);

/* No engine may be left over the model. */
void omma_model_close(struct omma_model **model);

const struct omma_model_info *omma_model_info(const struct omma_model *model);

/* Owned by the model; NULL for a generated model, which has none. */
const struct omma_tokenizer *omma_model_tokenizer(const struct omma_model *model);

/* Called for each file of the model, in the order of their names, with its SHA-256 in hex; a false
 * return stops. */
typedef bool (*omma_digest_fn)(void *user, const char *file, uint64_t n_bytes, const char *sha256);

/* Read all files of the model and hash them.  OMMA_STATUS_MODEL, with tensor and element, for a
 * weight that is NaN or infinite. */
enum omma_status omma_model_verify(const struct omma_model *model, omma_digest_fn each, void *user,
                                   struct omma_error *error);

/* OMMA_STATUS_CHANGED if a file of the model was truncated or written since it was opened; a few
 * microseconds.  Engines ask it before and after every request. */
enum omma_status omma_model_check(const struct omma_model *model, struct omma_error *error);

/* For a handler of SIGBUS, which a truncated file or a failing disk raises: the file, tensor and
 * byte offset in the file that an address belongs to; "header" or "content" where no tensor is.
 * False if it is none of the model's. Async-signal-safe. */
bool omma_model_locate(const struct omma_model *model, const void *address, const char **file,
                       const char **tensor, uint64_t *offset);

/* Seeded random weights in the shape of a released model, for measuring. */
struct omma_model_shape {
    const char *size;       /* "1B", "2B", "8B", "14B", "38B", "78B" */
    size_t n_layers;        /* 0: all */
    size_t n_vision_layers; /* 0: all */
    bool int8;              /* linears of the language layers in int8 with a scale a row */
    uint64_t seed;
};

/* How many layers the released model of a size has, into shape->n_layers and n_vision_layers.
 * OMMA_STATUS_USAGE for an unknown size. */
enum omma_status omma_model_shape_complete(struct omma_model_shape *shape,
                                           struct omma_error *error);

/* Generate such a model in memory, without a tokenizer. */
enum omma_status omma_model_generate(const struct omma_model_shape *shape,
                                     struct omma_model **model, struct omma_error *error);

/* Write such a model as a folder in the original layout, without tokenizer files.  dir must not
 * exist or be empty. */
enum omma_status omma_model_generate_folder(const struct omma_model_shape *shape, const char *dir,
                                            struct omma_error *error);

/* ------------------------------------------------------------------------------------------------
 * Quantization
 * --------------------------------------------------------------------------------------------- */

/* What rounding to int8 made of a linear layer's weights w: q s instead, q int8, s the scale. */
struct omma_quantized_linear {
    const char *name; /* of its weight in the new folder */
    const char *part; /* "language" or "vision" */
    size_t layer;
    size_t n_rows, n_columns;
    size_t group;         /* columns that share a scale; n_columns: one a row */
    double squares;       /* sum of w^2 */
    double error_squares; /* sum of (w - q s)^2: the relative L2 error is sqrt(error_squares /
                             squares) */
    double max_error;     /* the largest |w - q s| */
};

struct omma_quantize_options {
    size_t group; /* columns that share a scale: 64 or 128; 0: all of a row.  A layer whose inputs
                     are no multiple keeps one scale a row */
    bool vision;  /* the vision tower's linears too */
    bool force;   /* replace the files of a model that dir holds, finished or not */
    uint64_t shard_bytes; /* of a file at most, but for a tensor that is larger; 0: 5e9 */
    uint64_t sync_bytes;  /* of the model between two waits for the disk, and what an interruption
                             may  lose; 0: 256 MB */
    size_t n_threads;     /* 0: one for each physical core that this process may use */
    struct omma_log log;
    /* Called from the calling thread; NULL: not. */
    void (*progress)(void *user, uint64_t n_done,
                     uint64_t n_total); /* bytes of the model's tensors */
    void (*linear)(void *user, const struct omma_quantized_linear *linear); /* in their order */
    void *user;
};

struct omma_quantize_result {
    size_t n_files;    /* safetensors files */
    uint64_t n_bytes;  /* of them */
    bool was_complete; /* dir held all of it: it was computed again and compared, nothing was
                          written */
};

/* Write the model as int8 weights to a folder in the -hf layout: compressed-tensors'
 * "int-quantized" with symmetric scales a row (or a group) and activations int8 per token at run
 * time; lm_head, embedding, projector and (without options.vision) vision tower in bf16.  The
 * source is a model in bf16, f16 or f32 opened from a folder.  dir is made if its parent is there.
 * Memory does not grow with the model. Interrupted at any point and called again, it goes on, and
 * the folder gets the same bytes; config.json comes last.  OMMA_STATUS_USAGE if dir is the model's
 * own, holds files of anything else (unless options.force), or is being written; OMMA_STATUS_MODEL
 * for a weight that is NaN or infinite or a model that is quantized; OMMA_STATUS_OUTPUT where
 * writing fails; OMMA_STATUS_CHANGED if the model's files changed. */
enum omma_status omma_model_quantize(const struct omma_model *model, const char *dir,
                                     const struct omma_quantize_options *options,
                                     struct omma_quantize_result *result, struct omma_error *error);

/* ------------------------------------------------------------------------------------------------
 * Text
 * --------------------------------------------------------------------------------------------- */

/* What an added token's name (<|im_end|>, <IMG_CONTEXT>, ...) in user text becomes. */
enum omma_special {
    OMMA_SPECIAL_LITERAL,   /* plain text, like any other */
    OMMA_SPECIAL_REFERENCE, /* the token, as the official tokenizer has it */
    OMMA_SPECIAL_REJECT,    /* OMMA_STATUS_PROMPT, with its byte offset */
};

/* An array of ids; release with omma_tokens_free(). */
struct omma_tokens {
    int32_t *ids;
    size_t n_tokens;
};

void omma_tokens_free(struct omma_tokens *tokens);

/* Open a tokenizer alone; the folder needs to hold the tokenizer's files only. */
enum omma_status omma_tokenizer_open(const char *dir, struct omma_tokenizer **tokenizer,
                                     struct omma_error *error);
void omma_tokenizer_close(struct omma_tokenizer **tokenizer);

enum omma_status omma_tokenize(const struct omma_tokenizer *tokenizer, const char *text,
                               size_t n_bytes, enum omma_special special,
                               struct omma_tokens *tokens, struct omma_error *error);

/* The bytes that id stands for, not necessarily whole characters; 0 bytes for an id without text.
 * *is_added (may be NULL) tells an added token.  Valid as long as the tokenizer. */
const char *omma_token_bytes(const struct omma_tokenizer *tokenizer, int32_t id, size_t *n_bytes,
                             bool *is_added);

/* ------------------------------------------------------------------------------------------------
 * Pictures
 * --------------------------------------------------------------------------------------------- */

struct omma_image;

struct omma_grid {
    size_t n_columns, n_rows;
    size_t n_tiles; /* with the thumbnail */
};

/* The grid of tiles for a picture of width x height: the reference's rule, ties included.
 * Ranges: 1 <= min_tiles <= max_tiles <= 256. */
enum omma_status omma_image_grid(size_t width, size_t height, size_t min_tiles, size_t max_tiles,
                                 bool use_thumbnail, struct omma_grid *grid,
                                 struct omma_error *error);

struct omma_image_options {
    size_t min_tiles, max_tiles; /* 0: 1 and 12; pass the model's */
    bool no_thumbnail;
    bool doubled;        /* scale to twice the width and height first, as Pillow's BILINEAR does */
    bool strict;         /* refuse damaged pictures that Pillow would accept */
    size_t max_pixels;   /* refuse larger ones by their header; 0, and at most: 178956970, as
                            Pillow */
    struct omma_log log; /* warnings of the decoders */
};

/* Decode a JPEG or PNG file, cut it into tiles and keep these. */
enum omma_status omma_image_open(const char *path, const struct omma_image_options *options,
                                 struct omma_image **image, struct omma_error *error);

/* The same from memory; name stands for the path in messages. */
enum omma_status omma_image_open_memory(const char *name, const void *bytes, size_t n_bytes,
                                        const struct omma_image_options *options,
                                        struct omma_image **image, struct omma_error *error);

/* A session that was given the picture may still use it: close pictures after the sessions, or
 * after the requests that hold them are done. */
void omma_image_close(struct omma_image **image);

struct omma_image_info {
    size_t width, height; /* of the picture, after doubling */
    struct omma_grid grid;
    size_t tile_size;
    size_t n_tokens;    /* visual tokens: 256 a tile */
    uint8_t digest[32]; /* SHA-256 over the tiles' pixels */
};

const struct omma_image_info *omma_image_info(const struct omma_image *image);

/* RGB of tile k, [tile_size][tile_size][3], row by row; the thumbnail is last. */
const uint8_t *omma_image_tile(const struct omma_image *image, size_t k);

/* ------------------------------------------------------------------------------------------------
 * Engines
 * --------------------------------------------------------------------------------------------- */

struct omma_engine;

enum omma_precision {
    OMMA_PRECISION_AUTO, /* bf16 where the tier has the dot product, else f32 with a bf16 KV cache
                          */
    OMMA_PRECISION_BF16, /* what enters a matrix product is rounded to bf16; f32 sums */
    OMMA_PRECISION_F32,  /* activations, queries, probabilities and KV cache in f32 */
};

enum omma_gemm {
    OMMA_GEMM_AUTO, /* omma's own kernels; OpenBLAS where only scalar ones exist */
    OMMA_GEMM_NATIVE,
    OMMA_GEMM_OPENBLAS,
};

/* Where the weights lie that the threads multiply by.  On a machine with several NUMA nodes each
 * core reads the memory of its own node much faster.  The answers are the same bits with all of
 * these. */
enum omma_numa {
    OMMA_NUMA_AUTO,  /* off if the threads' memory is one node, else shard; off with a warning where
                        that does not fit */
    OMMA_NUMA_OFF,   /* the files' pages, wherever the page cache has them */
    OMMA_NUMA_SHARD, /* a node has copies of the rows that its threads read, in huge pages */
    OMMA_NUMA_MIRROR, /* a node has copies of all rows */
};

struct omma_engine_options {
    size_t n_threads; /* 0: one for each physical core that this process may use */
    const char *cpus; /* the operating system's numbers of the CPUs to use, "0-3,8", all among those
                         that this process may use; NULL: all of these */
    enum omma_numa numa;
    bool keep_mapped; /* shard copies nothing: the files' pages are read and moved to their nodes,
                         as far as the system does that */
    bool drop_cache;  /* once the weights are copied, let the page cache forget their files */
    const char *isa;  /* NULL: the best; else an upper bound, a usable omma_isa_tier() */
    enum omma_precision precision;
    enum omma_gemm gemm;
    size_t prefill_chunk;     /* tokens a pass; 0: 512; at most 512 */
    size_t n_vision_threads;  /* of n_threads, those that encode pictures while the others compute
                                 text; a side that has nothing to do lends its cores.  0: half */
    bool no_vision_threads;   /* pictures are encoded between two passes, by all threads */
    size_t max_batch;         /* requests that are computed side by side; 0: 8; at most 256 */
    size_t max_queue;         /* requests that wait besides; 0: 64 */
    size_t kv_bytes;          /* that the KV caches of all sessions may take together; a request
                                 waits while others have too much of it.  0: nine tenths of what the
                                 machine has available, less the files of weights that are mapped */
    bool share_prefixes;      /* a prompt takes the longest beginning that the KV cache of any
                                 session holds, or of one that is gone */
    size_t image_cache_bytes; /* memory for visual tokens of tiles that were encoded, which are
                                 taken from there when equal pixels come again; 0: none */
    const char *image_cache_dir; /* folder for them, on which engines can work at the same time and
                                    in which nothing is ever removed; NULL: none */
    bool no_int8_activations; /* int8 weights are multiplied by what `precision` says; otherwise, if
                                 the checkpoint means it so, by int8 with a scale a token */
    bool deterministic; /* answers have the same bits whatever runs beside them, in chunks of any
                           size, after reuse of a prefix, on any number of threads, on one tier;
                           natively multiplied.  A pass more a step where prompts and answers
                           meet, and what a session generated is computed once more when the next
                           prompt has it */
    struct omma_log log;
};

struct omma_engine_info {
    size_t n_threads;
    size_t n_vision_threads; /* 0: none of their own */
    size_t n_nodes;          /* NUMA nodes that the threads read from, at least 1 */
    const char *numa;        /* "off", "shard" or "mirror" */
    bool is_copied;          /* shard, mirror: the weights are copies; else the files' pages */
    const char *isa;         /* the tier in use */
    const char *precision;   /* "bf16" or "f32": of what enters a matrix product */
    const char *kv_dtype;    /* "bf16" or "f32" */
    const char *gemm;      /* "native" or "openblas"; int8 weights are always multiplied natively */
    bool int8_activations; /* int8 weights are multiplied by int8 activations */
    bool deterministic;
    size_t max_batch, max_queue; /* requests side by side, and waiting besides */
};

/* Start the threads.  The model must outlive the engine. */
enum omma_status omma_engine_create(struct omma_model *model,
                                    const struct omma_engine_options *options,
                                    struct omma_engine **engine, struct omma_error *error);

/* Stops the threads.  No session may be left. */
void omma_engine_destroy(struct omma_engine **engine);

const struct omma_engine_info *omma_engine_info(const struct omma_engine *engine);

/* What an engine does, and did since it was made.  Times of a request are those of its last event.
 */
struct omma_engine_stats {
    size_t n_active;                     /* requests that are computed */
    size_t n_queued;                     /* requests that wait until one of these ends */
    size_t n_tiles_waiting;              /* tiles of active requests that are not encoded yet */
    uint64_t kv_bytes, kv_granted_bytes; /* that KV caches may take, and have */
    uint64_t image_cache_bytes;          /* memory that the image cache has taken */
    /* since the engine was made: */
    uint64_t n_requests;  /* taken */
    uint64_t n_refused;   /* with OMMA_STATUS_BUSY */
    uint64_t n_finished;  /* ended by themselves: a stop, or a limit of length */
    uint64_t n_cancelled; /* and those past their deadline */
    uint64_t n_failed;
    uint64_t prefilled_tokens; /* of prompts, computed */
    uint64_t cached_tokens;    /* of prompts, taken from KV caches, */
    uint64_t shared_tokens;    /* and of these from other sessions' */
    uint64_t n_kv_evicted;     /* sessions whose KV cache gave way to others' requests */
    uint64_t decoded_tokens;   /* chosen */
    uint64_t n_tiles;          /* encoded */
    uint64_t cached_tiles;     /* taken from the image cache, its folder included */
    uint64_t n_passes;         /* over the language model's weights */
    double busy_s;             /* in such passes, and choosing tokens */
    double encode_s;           /* in encoding tiles */
    double tile_queue_s;       /* that tiles lay before the vision pool, all together */
    double lent_to_vision_s;   /* core-seconds of the others' threads in encoding tiles, */
    double lent_to_language_s; /* and of the vision threads in passes */
    double queue_s;            /* that requests waited before they were computed, all together */
};

/* From any thread, at any time: it waits for nothing that computes. */
void omma_engine_stats(const struct omma_engine *engine, struct omma_engine_stats *stats);

/* A linear layer of int8 weights, [n_rows][n_columns] as they lie, for comparing with a reference.
 */
struct omma_int8_linear {
    size_t n_rows, n_columns;
    const int8_t *weights;
};

/* Of the language model, by its name in the reference: "layers.0.self_attn.q_proj".  False if there
 * is none of that name, or its weights are not int8. */
bool omma_model_int8_linear(const struct omma_model *model, const char *name,
                            struct omma_int8_linear *linear);

/* What an engine makes of rows that enter such a layer. */
struct omma_int8_rows {
    size_t n_tokens;
    const float *input;        /* [n_tokens][n_columns], which the engine quantizes: */
    int8_t *q;                 /* [n_tokens][n_columns] */
    float *scales;             /* [n_tokens] */
    const int8_t *given_q;     /* [n_tokens][n_columns], which it multiplies: */
    const float *given_scales; /* [n_tokens] */
    float *output;             /* [n_tokens][n_rows], without the bias */
    float *sums;               /* [n_tokens][n_rows]: given_q times the weights, without any scale;
                                  exact below 2^24 */
};

/* OMMA_STATUS_USAGE if there is no such layer or its activations are not quantized. */
enum omma_status omma_engine_int8_linear(struct omma_engine *engine, const char *name,
                                         const struct omma_int8_rows *rows,
                                         struct omma_error *error);

/* The matrices that the threads of a node multiply by, and where their pages lie.  Of more than
 * about a million pages some are asked for, at equal distances. */
struct omma_node_placement {
    size_t node; /* the operating system's number */
    size_t n_threads;
    uint64_t weight_bytes; /* that these threads read */
    uint64_t copied_bytes; /* memory taken for copies */
    uint64_t huge_bytes;   /* of these in huge pages */
    uint64_t n_pages;      /* asked for: */
    uint64_t n_local;      /* on this node */
    uint64_t n_remote;     /* on another */
    uint64_t n_absent;     /* not mapped yet: nobody has read them */
};

/* node < n_nodes of omma_engine_info().  OMMA_STATUS_RESOURCES if the system does not tell. */
enum omma_status omma_engine_node(const struct omma_engine *engine, size_t node,
                                  struct omma_node_placement *placement, struct omma_error *error);

/* ------------------------------------------------------------------------------------------------
 * Sessions
 * --------------------------------------------------------------------------------------------- */

/* One conversation: its tokens and KV cache.  A request whose ids begin as the session's last ones
 * do computes only what is new. */
struct omma_session;

/* An event was queued, for a program that does not wait in omma_session_poll().  Called from a
 * thread of the engine, which computes nothing until it returns; it must not call omma.
 * omma_session_destroy() waits for a call that runs; none begins after it. */
typedef void (*omma_notify_fn)(void *user);

struct omma_session_options {
    size_t n_context;      /* tokens, prompt and answer; 0: the model's default_context */
    omma_notify_fn notify; /* NULL: none */
    void *user;
};

enum omma_status omma_session_create(struct omma_engine *engine,
                                     const struct omma_session_options *options,
                                     struct omma_session **session, struct omma_error *error);

/* Cancels what is running and waits for it. */
void omma_session_destroy(struct omma_session **session);

/* Write what the session holds to a file: tokens, what they say of pictures, keys and values, and a
 * note of the caller's (at most 64 MiB), such as the texts.  The file is replaced at once, by way
 * of PATH.partial. */
enum omma_status omma_session_save(struct omma_session *session, const char *path, const void *note,
                                   size_t n_note_bytes, struct omma_error *error);

/* Let the session hold that, and nothing else: a request that begins so computes the rest alone,
 * and encodes no picture that it holds.  *note: to be freed; a NUL stands behind its bytes.
 * OMMA_STATUS_PROMPT for a file that is damaged, that was made by another model, tier or precision,
 * or with other options that change what is computed, or that holds more than the context.  No
 * request may run on the session. */
enum omma_status omma_session_load(struct omma_session *session, const char *path, char **note,
                                   size_t *n_note_bytes, struct omma_error *error);

enum omma_role { OMMA_ROLE_USER, OMMA_ROLE_ASSISTANT };

struct omma_turn {
    enum omma_role role;
    const char *text;
    size_t n_bytes;
};

/* Texts and pictures of a whole conversation, to be answered or rendered.  "<image>", or another
 * mark, in user turns is the place of the next picture; without any, the pictures stand before the
 * first user turn. */
struct omma_conversation {
    const char
        *system; /* NULL: the template's own message; "" with n_system_bytes 0: no system turn */
    size_t n_system_bytes;
    const struct omma_turn *turns; /* user first, alternating, user last */
    size_t n_turns;
    const struct omma_image *const *images;
    size_t n_images;
    enum omma_special special;
    const char *image_mark; /* of a picture's place, not empty; NULL: "<image>" */
};

/* The conversation as ids, ready for an answer. */
enum omma_status omma_render(const struct omma_model *model,
                             const struct omma_conversation *conversation,
                             struct omma_tokens *tokens, struct omma_error *error);

/* A JSON schema (2020-12) that answers are held to: only such tokens may be chosen as lead to JSON
 * text that fits it.  Immutable; any number of requests may use one. */
struct omma_schema;

enum { OMMA_SCHEMA_MAX_BYTES = 1 << 20 };

/* text [n_bytes]: the schema; NULL: any JSON object.  It may use
 *   type (one or several), properties, required, additionalProperties, items, minLength, maxLength,
 *   enum, const, anyOf, $ref to a place in itself ("#/..."), true and {} for any value,
 * and what says nothing of values: title, description, default, examples, $defs, definitions,
 * $schema, $id at the top, $comment, deprecated, readOnly, writeOnly.  Any other keyword gives
 * OMMA_STATUS_USAGE with its name and JSON pointer, as does a schema that nothing fits.
 *
 * What an answer is held to is narrower than the schema in this: an object with properties has
 * these only, in their order; arrays and objects stand within each other up to 64 deep; numbers
 * have up to 18 digits, 17 behind the point, and 2 in the exponent; constants are written in one
 * way; white space is one space, or a newline with up to 32 spaces, behind brackets, commas and
 * colons and before closing brackets.  An answer that ends with OMMA_FINISH_LENGTH, or before a
 * stop text, is not complete. */
enum omma_status omma_schema_open(const struct omma_model *model, const char *text, size_t n_bytes,
                                  struct omma_schema **schema, struct omma_error *error);

/* After the requests that use it are done. */
void omma_schema_close(struct omma_schema **schema);

/* In this order: repetition penalty, frequency and presence penalty (all over generated tokens),
 * temperature, top-k, top-p, min-p; as transformers and, for what it lacks, vLLM have it. */
struct omma_sampling {
    float temperature;        /* >= 0; 0: greedy */
    size_t top_k;             /* 0: off */
    float top_p;              /* 0 or 1: off */
    float min_p;              /* 0: off */
    float repetition_penalty; /* 0 or 1: off; > 0 */
    float
        frequency_penalty;  /* taken from a token's logit for each time it was generated; -2 to 2 */
    float presence_penalty; /* taken from the logits of tokens generated so far; -2 to 2 */
    uint64_t seed;
};

/* Receives rows of a stage's output as they are computed, in order, from the engine's thread.
 * Stages and shapes are those of the reference's dump: vision.patch_embedding, vision.embedding,
 * vision.layer.N, vision.shuffled, projector, inputs_embeds, language.layer.N, language.norm,
 * logits (of an answer's next token, row 0; of scored tokens, the rows of those before them).
 * values: [n_rows][width], the rows from first_row on. */
typedef void (*omma_observe_fn)(void *user, const char *stage, size_t first_row, size_t n_rows,
                                size_t width, const float *values);

struct omma_observer {
    omma_observe_fn rows; /* NULL: none */
    void *user;
};

struct omma_stop {
    const char *text;
    size_t n_bytes;
};

/* The log-probability (natural) of a token among all rows of the embedding, by the logits as they
 * come from the model: before penalties, temperature, and whatever else sampling does. */
struct omma_logprob {
    int32_t id;
    float logprob;
};

enum { OMMA_MAX_TOP_LOGPROBS = 20 };

/* The most tokens of an answer if a request does not say. */
enum { OMMA_NEW_TOKENS = 1024 };

struct omma_request {
    struct omma_conversation conversation; /* or, if prompt_ids is set, its pictures alone */
    const int32_t *prompt_ids;             /* NULL: render the conversation */
    size_t n_prompt_ids;
    size_t max_new_tokens; /* 0: OMMA_NEW_TOKENS */
    struct omma_sampling sampling;
    const struct omma_schema
        *schema; /* what the answer is held to, of the same model; NULL: nothing */
    const struct omma_stop *stops; /* texts that end the answer and are left out of it */
    size_t n_stops;
    bool ignore_stop_ids;      /* go on to max_new_tokens, for measuring */
    const int32_t *forced_ids; /* fed instead of the chosen tokens, which are reported all
                                  the same; the answer ends with them.  NULL: none */
    size_t n_forced_ids;
    bool logprobs;         /* OMMA_EVENT_TOKEN tells its token's log-probability, */
    size_t n_top_logprobs; /* and the likeliest tokens', up to OMMA_MAX_TOP_LOGPROBS */
    size_t score_from;     /* not 0: no answer is given; of the prompt's tokens from this position
                              on, which stands behind its pictures, OMMA_EVENT_SCORE tells the
                              log-probabilities.  Logits are computed of 64 at a time.  Nothing that
                              is said of the answer may be set beside it */
    int priority; /* of requests that wait, and of prompts, the largest goes first; 0 is usual */
    double deadline_s; /* seconds after which it ends with OMMA_FINISH_DEADLINE; 0: none */
    struct omma_observer observer;
};

/* Queue a request.  Everything it points to is copied, but for the pictures and the schema.  One
 * request at a time a session, max_batch of an engine side by side; the others wait.
 * OMMA_STATUS_PROMPT if it cannot fit the context, with the counts of tiles and tokens;
 * OMMA_STATUS_BUSY if max_queue wait already.
 */
enum omma_status omma_session_submit(struct omma_session *session,
                                     const struct omma_request *request, struct omma_error *error);

enum omma_event_type {
    OMMA_EVENT_NONE,     /* nothing within the time given, or no request */
    OMMA_EVENT_PROGRESS, /* a tile was encoded, or a chunk of the prompt computed */
    OMMA_EVENT_TOKEN,    /* a token was chosen */
    OMMA_EVENT_SCORE,    /* a token of the prompt has its log-probability (score_from) */
    OMMA_EVENT_DONE,     /* the request ended; no event follows it */
};

enum omma_phase { OMMA_PHASE_ENCODE, OMMA_PHASE_PREFILL };

enum omma_finish {
    OMMA_FINISH_STOP,   /* a stop id or text */
    OMMA_FINISH_LENGTH, /* max_new_tokens, or the context is full; all was scored */
    OMMA_FINISH_CANCELLED,
    OMMA_FINISH_ERROR,
    OMMA_FINISH_DEADLINE, /* deadline_s is over */
};

/* "stop", "length", "cancelled", "error", "deadline" */
const char *omma_finish_name(enum omma_finish finish);

struct omma_usage {
    size_t prompt_tokens, image_tokens; /* the latter are among the former */
    size_t cached_tokens;               /* of the prompt, taken from the KV cache */
    size_t completion_tokens;           /* a closing stop id among them */
    size_t n_tiles;                     /* encoded for this request */
    size_t cached_tiles;                /* taken from the image cache instead */
};

/* Seconds from one stage of a request to the next, other requests' work beside it included: until
 * it was begun, its tiles were encoded, its prompt computed, its last token chosen. */
struct omma_timings {
    double queue_s, encode_s, prefill_s, decode_s, total_s;
    double tiles_s; /* of encode_s, those in which a tile of it was encoded; the rest it waited */
};

struct omma_event {
    enum omma_event_type type;
    /* OMMA_EVENT_PROGRESS: done of total; tiles, or tokens of the prompt.  OMMA_EVENT_SCORE: the
     * token's position, of so many */
    enum omma_phase phase;
    size_t n_done, n_total;
    /* OMMA_EVENT_TOKEN, OMMA_EVENT_SCORE */
    int32_t id;
    float margin;  /* its logit less the best other one; before sampling */
    float logprob; /* of a token of an answer, if the request wants it */
    /* OMMA_EVENT_TOKEN */
    size_t n_top_logprobs;
    struct omma_logprob top_logprobs[OMMA_MAX_TOP_LOGPROBS]; /* likeliest first, of equal ones the
                                                                lower id */
    const char *text; /* whole UTF-8 characters that are new, perhaps none; until the next poll.
                         OMMA_EVENT_DONE may bring the rest. */
    size_t n_bytes;
    /* OMMA_EVENT_DONE */
    enum omma_finish finish;
    struct omma_usage usage;
    struct omma_timings timings;
};

/* Wait up to timeout_ms (-1: for ever, 0: not at all) for the next event.  A request that failed
 * gives OMMA_EVENT_DONE with OMMA_FINISH_ERROR and the call returns its status. */
enum omma_status omma_session_poll(struct omma_session *session, int timeout_ms,
                                   struct omma_event *event, struct omma_error *error);

/* Ask the session's request to end, whether it runs or waits; it does at the next tile, chunk or
 * token, with OMMA_FINISH_CANCELLED.  May be called from any thread and from a signal handler. */
void omma_session_cancel(struct omma_session *session);

/* ------------------------------------------------------------------------------------------------
 * Tensor files
 * --------------------------------------------------------------------------------------------- */

/* Any safetensors file, mapped: a reference's dump, say. */
struct omma_tensor_file;

struct omma_tensor {
    const char *name;
    const char *dtype; /* the file's word: "F32", "BF16", "I64", ... */
    size_t n_dimensions;
    size_t shape[8];
    const void *data; /* little-endian, row-major; not necessarily aligned */
    size_t n_bytes;
};

enum omma_status omma_tensor_file_open(const char *path, struct omma_tensor_file **file,
                                       struct omma_error *error);
void omma_tensor_file_close(struct omma_tensor_file **file);
size_t omma_tensor_file_count(const struct omma_tensor_file *file);
/* Tensors in the order of their data; valid as long as the file. */
const struct omma_tensor *omma_tensor_file_get(const struct omma_tensor_file *file, size_t index);
const struct omma_tensor *omma_tensor_file_find(const struct omma_tensor_file *file,
                                                const char *name); /* NULL: none */
/* A value of the file's __metadata__; NULL: none. */
const char *omma_tensor_file_metadata(const struct omma_tensor_file *file, const char *key);

/* ------------------------------------------------------------------------------------------------
 * Limits of the machine
 * --------------------------------------------------------------------------------------------- */

/* The peak of one multiply-add of the tier in use, all threads together. */
struct omma_peak {
    double per_s;    /* multiply-adds of single elements; 0: the tier has none of the kind */
    double per_step; /* of one instruction, or of the shortest chain of them that adds products */
    double clock_hz; /* of the threads in that pass, their mean */
    double per_cycle, known_per_cycle; /* of a thread, as measured at that clock, and the row of
                                          this CPU and tier in doc/performance.md; 0: there is none
                                        */
    bool counts;                       /* they are within 3 % of each other */
};

/* What the machine does at most, as measured; fractions are taken of these. */
struct omma_limits {
    char cpu[96];    /* "AMD EPYC": the name that the operating system has */
    const char *isa; /* the tier */
    size_t n_threads;
    double read_bytes_per_s; /* read-only passes over memory, all threads together: the median pass
                                of the best pattern */
    double read_spread;      /* distance of the quartiles of those passes, over the median */
    size_t read_streams, read_prefetch_bytes; /* the best pattern: streams a thread, and how far
                                                 ahead it prefetches, 0 for not at all */
    const char *read_memory;                  /* "model", "file" or "huge": the pages read */
    size_t read_bytes;                        /* of one pass */
    double known_low, known_high; /* bytes/s: the row of this CPU and number of threads in
                                     doc/performance.md; 0: there is none */
    bool read_counts;             /* at least 8 times the L3 caches, and within 10 % of that row */
    struct omma_peak f32, bf16, i8; /* f32 multiply-add, dot products of bf16 and of int8 */
    double clock_hz; /* the highest that a chain of dependent additions saw beside them */
};

/* Measure on the engine's threads, over the memory of the model's weights; about a second. */
enum omma_status omma_limits_measure(struct omma_engine *engine, struct omma_limits *limits,
                                     struct omma_error *error);

/* Read memory once more, as *limits says it was read, and renew what the read bandwidth is; about
 * 0.1 s.  For fractions where the bandwidth changes from one moment to the next. */
enum omma_status omma_limits_read_again(struct omma_engine *engine, struct omma_limits *limits,
                                        struct omma_error *error);

/* Decoding of n_sequences conversations side by side, a token of each in one pass over the weights.
 */
struct omma_decode_plan {
    size_t n_sequences;
    size_t
        depth; /* tokens that the cache of each holds before the first step; their keys and values
                  are made up, which takes no time and costs a step what true ones would */
    size_t n_steps;
    uint64_t seed; /* of the first tokens */
};

/* Measure whole steps, from one choice of tokens to the next, after one that warms up:
 * steps_s[n_steps] in seconds.  OMMA_STATUS_USAGE for more sequences than tokens of a pass, or more
 * than 2^24 tokens. */
enum omma_status omma_decode_measure(struct omma_engine *engine,
                                     const struct omma_decode_plan *plan, double *steps_s,
                                     struct omma_error *error);

/* As omma_limits_measure() without a model: threads and tier are those of an engine with these
 * options (NULL: the defaults), the memory is a file's. */
enum omma_status omma_limits_of_machine(const struct omma_engine_options *options,
                                        struct omma_limits *limits, struct omma_error *error);

/* The threads of such an engine read memory of the NUMA node with the operating system's number
 * `node`: renews the read bandwidth in *limits, measured before, as it says it was read.
 * OMMA_STATUS_USAGE if the process has no core at that node. */
enum omma_status omma_limits_from_node(const struct omma_engine_options *options, size_t node,
                                       struct omma_limits *limits, struct omma_error *error);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
