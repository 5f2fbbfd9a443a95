/*
 * What a session holds, as a file: little-endian, and in this order
 *
 *   char     magic[8]
 *   uint64   bytes of the identity, of the note, positions
 *   char     identity, note: padded with zeros to 8 bytes each
 *   uint64   [positions][2]: a slot's content, and its rope_length * 2 + of_answer
 *   rows     [layer][k, v][kv head][position][head_dim], as the cache has them
 *   uint8    SHA-256[32] over all before it
 *
 * The engine's thread only copies; files are read, written and hashed by the caller.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "engine/session.h"
#include "format/sha256.h"
#include "platform/file.h"
#include "platform/file_write.h"

static const char magic[8] = "OMMA kv1";

enum { DIGEST_BYTES = 32, MAX_NOTE_BYTES = 64 << 20, MAX_IDENTITY_BYTES = 512 };

struct head {
    char magic[8];
    uint64_t n_identity, n_note, n_positions;
};

struct stored_slot {
    uint64_t content, rope;
};

/* A file in memory, whole.  Its parts point into it. */
struct image {
    char *bytes;
    size_t n_bytes;
    char *identity, *note;
    struct stored_slot *slots;
    struct omma_kv_cache rows; /* with the file's positions as its capacity */
};

struct transfer {
    struct omma_session *session;
    struct image image;
    size_t n_note, n_positions;
    const char *note; /* to be written */
    bool is_refused;  /* of the store, which has no memory for it */
};

/* All that must be equal for keys and values to have the bits that they would get again. */
static void describe(const struct omma_engine *engine, char text[MAX_IDENTITY_BYTES])
{
    const struct omma_engine_info *info = &engine->info;

    snprintf(
        text, MAX_IDENTITY_BYTES,
        "model %s, %s kernels, %s activations, %s products, int8 activations %s, %s KV cache%s",
        engine->model->info.identity, info->isa, info->precision, info->gemm,
        info->int8_activations ? "on" : "off", info->kv_dtype,
        info->deterministic ? ", deterministic" : "");
}

/* Where the parts of a file lie; false if it would not fit into memory. */
static bool lay_out(const struct omma_kv_cache *cache, const struct head *head, struct image *image)
{
    size_t n_row =
        2 * cache->n_layers * cache->n_kv_heads * cache->head_dim * omma_dtype_bytes(cache->dtype);
    size_t note, slots, rows, end;

    if (head->n_identity > MAX_IDENTITY_BYTES || head->n_note > MAX_NOTE_BYTES ||
        head->n_positions > cache->capacity) {
        return false;
    }
    note = sizeof *head + omma_round_up(head->n_identity, 8);
    slots = note + omma_round_up(head->n_note, 8);
    rows = slots + head->n_positions * sizeof *image->slots;
    if (!omma_checked_multiply(head->n_positions, n_row, &end) ||
        !omma_checked_add(end, rows + DIGEST_BYTES, &end)) {
        return false;
    }
    image->n_bytes = end;
    if (image->bytes != NULL) {
        image->identity = image->bytes + sizeof *head;
        image->note = image->bytes + note;
        image->slots = (struct stored_slot *)(image->bytes + slots);
        image->rows = *cache;
        image->rows.capacity = head->n_positions;
        image->rows.data = image->bytes + rows;
        image->rows.n_bytes = end - rows - DIGEST_BYTES;
    }
    return true;
}

static enum omma_status digest_of(const char *bytes, size_t n_bytes, uint8_t digest[DIGEST_BYTES],
                                  struct omma_error *error)
{
    struct omma_sha256 *hash;

    OMMA_TRY(omma_sha256_begin(&hash, error));
    omma_sha256_add(hash, bytes, n_bytes);
    omma_sha256_end(&hash, digest);
    return OMMA_OK;
}

/* On the engine's thread, which alone may take a session's memory away. */
static void copy_out(struct omma_engine *engine, void *argument)
{
    struct transfer *transfer = argument;
    const struct omma_kv_sequence *kv = transfer->session->kv;
    struct image *image = &transfer->image;
    struct head head = {.n_note = transfer->n_note, .n_positions = kv->n_cached};
    char identity[MAX_IDENTITY_BYTES];

    describe(engine, identity);
    memcpy(head.magic, magic, sizeof magic);
    head.n_identity = strlen(identity);
    if (!lay_out(&kv->cache, &head, image)) {
        return;
    }
    image->bytes = calloc(1, image->n_bytes);
    if (image->bytes == NULL || !lay_out(&kv->cache, &head, image)) {
        return;
    }
    memcpy(image->bytes, &head, sizeof head);
    memcpy(image->identity, identity, head.n_identity);
    if (transfer->n_note > 0) {
        memcpy(image->note, transfer->note, transfer->n_note);
    }
    for (size_t i = 0; i < kv->n_cached; i++) {
        image->slots[i] = (struct stored_slot){
            .content = kv->slots[i].content,
            .rope = (uint64_t)kv->slots[i].rope_length << 1 | kv->slots[i].of_answer,
        };
    }
    omma_kv_cache_copy(&kv->cache, &image->rows, 0, kv->n_cached);
}

static enum omma_status check_idle(const struct omma_session *session, struct omma_error *error)
{
    if (session->is_active) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "a request is running on this session: poll it to its end first");
    }
    return OMMA_OK;
}

/* path: of which the folder and the name within it are told apart. */
static enum omma_status replace(const char *path, const struct image *image,
                                struct omma_error *error)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash == NULL   ? strdup(".")
                : slash == path ? strdup("/")
                                : strndup(path, (size_t)(slash - path));
    enum omma_status status;

    if (dir == NULL) {
        return omma_fail_memory(error, strlen(path), "a path");
    }
    status = omma_file_replace(dir, slash != NULL ? slash + 1 : path, image->bytes, image->n_bytes,
                               error);
    free(dir);
    return status;
}

enum omma_status omma_session_save(struct omma_session *session, const char *path, const void *note,
                                   size_t n_note_bytes, struct omma_error *error)
{
    struct transfer transfer = {.session = session, .note = note, .n_note = n_note_bytes};
    struct image *image = &transfer.image;
    enum omma_status status;
    uint8_t digest[DIGEST_BYTES];

    OMMA_TRY(check_idle(session, error));
    if (n_note_bytes > MAX_NOTE_BYTES) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "%s: expected a note of at most %d bytes, found "
                         "%zu",
                         path, MAX_NOTE_BYTES, n_note_bytes);
    }
    omma_engine_call(session->engine, copy_out, &transfer);
    if (image->bytes == NULL) {
        return omma_fail_memory(error, image->n_bytes, path);
    }
    status = digest_of(image->bytes, image->n_bytes - DIGEST_BYTES, digest, error);
    if (status == OMMA_OK) {
        memcpy(image->bytes + image->n_bytes - DIGEST_BYTES, digest, sizeof digest);
        status = replace(path, image, error);
    }
    free(image->bytes);
    return status;
}

static enum omma_status check_identity(const struct omma_engine *engine, const char *path,
                                       const struct image *image, size_t n_identity,
                                       struct omma_error *error)
{
    char expected[MAX_IDENTITY_BYTES];

    describe(engine, expected);
    if (n_identity != strlen(expected) || memcmp(image->identity, expected, n_identity) != 0) {
        return omma_fail(error, OMMA_STATUS_PROMPT,
                         "%s: made by another model or with other options: expected %s; found %.*s",
                         path, expected, (int)n_identity, image->identity);
    }
    return OMMA_OK;
}

/* Whether the file that was read is whole, and for this engine and session. */
static enum omma_status check(const struct omma_session *session, const char *path,
                              struct transfer *transfer, struct omma_error *error)
{
    struct image *image = &transfer->image;
    size_t n_bytes = image->n_bytes, n_hashed;
    struct head head;
    uint8_t digest[DIGEST_BYTES];

    if (n_bytes < sizeof head + DIGEST_BYTES || memcmp(image->bytes, magic, sizeof magic) != 0) {
        return omma_fail(error, OMMA_STATUS_PROMPT, "%s: not a session that omma saved", path);
    }
    n_hashed = n_bytes - DIGEST_BYTES;
    OMMA_TRY(digest_of(image->bytes, n_hashed, digest, error));
    if (memcmp(image->bytes + n_hashed, digest, sizeof digest) != 0) {
        return omma_fail(error, OMMA_STATUS_PROMPT,
                         "%s: damaged: its checksum is not that of its %zu bytes", path, n_bytes);
    }
    memcpy(&head, image->bytes, sizeof head);
    if (head.n_positions > session->n_context) {
        return omma_fail(error, OMMA_STATUS_PROMPT,
                         "%s: expected at most %zu tokens, the context, found %llu", path,
                         session->n_context, (unsigned long long)head.n_positions);
    }
    if (head.n_identity > n_hashed - sizeof head) {
        return omma_fail(error, OMMA_STATUS_PROMPT, "%s: not a session that omma saved", path);
    }
    image->identity = image->bytes + sizeof head;
    OMMA_TRY(check_identity(session->engine, path, image, head.n_identity, error));
    if (!lay_out(&session->kv->cache, &head, image) || image->n_bytes != n_bytes) {
        return omma_fail(error, OMMA_STATUS_PROMPT, "%s: expected %zu bytes, found %zu", path,
                         image->n_bytes, n_bytes);
    }
    transfer->n_note = head.n_note;
    transfer->n_positions = head.n_positions;
    return OMMA_OK;
}

static void copy_in(struct omma_engine *engine, void *argument)
{
    struct transfer *transfer = argument;
    struct omma_kv_sequence *kv = transfer->session->kv;
    const struct image *image = &transfer->image;

    if (!omma_kv_store_grant(engine->kv_store, kv, transfer->n_positions)) {
        transfer->is_refused = true;
        return;
    }
    omma_kv_cache_copy(&image->rows, &kv->cache, 0, transfer->n_positions);
    for (size_t i = 0; i < transfer->n_positions; i++) {
        kv->slots[i] = (struct omma_slot){
            .content = image->slots[i].content,
            .rope_length = image->slots[i].rope >> 1,
            .of_answer = image->slots[i].rope & 1,
        };
    }
    kv->n_cached = transfer->n_positions;
    omma_kv_store_settle(engine->kv_store, kv);
}

enum omma_status omma_session_load(struct omma_session *session, const char *path, char **note,
                                   size_t *n_note_bytes, struct omma_error *error)
{
    struct transfer transfer = {.session = session};
    struct image *image = &transfer.image;
    char *copy = NULL;
    enum omma_status status;

    OMMA_TRY(check_idle(session, error));
    status = omma_file_read(path, SIZE_MAX, &image->bytes, &image->n_bytes, error);
    if (status == OMMA_STATUS_MODEL) { /* it is no file of a model */
        status = OMMA_STATUS_PROMPT;
        if (error != NULL) {
            error->status = status;
        }
    }
    OMMA_TRY(status);
    OMMA_TRY_OR(status, out, check(session, path, &transfer, error));
    copy = malloc(transfer.n_note + 1);
    if (copy == NULL) {
        status = omma_fail_memory(error, transfer.n_note + 1, path);
        goto out;
    }
    memcpy(copy, image->note, transfer.n_note);
    copy[transfer.n_note] = '\0';
    omma_engine_call(session->engine, copy_in, &transfer);
    if (transfer.is_refused) {
        status = omma_fail(error, OMMA_STATUS_BUSY,
                           "%s: requests that run have the memory of its %zu tokens", path,
                           transfer.n_positions);
        goto out;
    }
    *note = copy;
    *n_note_bytes = transfer.n_note;
    copy = NULL;
out:
    free(copy);
    free(image->bytes);
    return status;
}
