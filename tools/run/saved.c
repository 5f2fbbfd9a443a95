/* A conversation to the library's note, and back. */
#include "tools/run/saved.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/json_out.h"
#include "tools/run/transcript.h"

enum { DIGEST_DIGITS = 64 };

static void digest_text(const struct omma_image *image, char text[DIGEST_DIGITS + 1])
{
    const struct omma_image_info *info = omma_image_info(image);

    for (size_t i = 0; i < sizeof info->digest; i++) {
        snprintf(text + 2 * i, 3, "%02x", (unsigned)info->digest[i]);
    }
}

/* Those that stand in a turn. */
static json_t *json_of_pictures(const struct chat *chat)
{
    json_t *images = json_array();

    for (size_t i = 0; i < chat->n_placed; i++) {
        struct json_out out = json_out_object();
        char digest[DIGEST_DIGITS + 1];

        digest_text(chat->pictures->images[i], digest);
        json_out_set(&out, "path", json_out_string(chat->pictures->paths[i]));
        json_out_set(&out, "digest", json_out_string(digest));
        if (!out.is_complete || json_array_append_new(images, out.value) != 0) {
            json_decref(images);
            return NULL;
        }
    }
    return images;
}

enum omma_status saved_store(const char *path, const struct chat *chat, struct omma_error *error)
{
    const struct omma_conversation *common = &chat->request->conversation;
    struct json_out out = json_out_object();
    enum omma_status status;
    char *note = NULL;
    size_t n_note = 0;
    FILE *stream = open_memstream(&note, &n_note);

    if (stream == NULL) {
        json_decref(out.value);
        return fail_memory(error);
    }
    if (common->system != NULL) {
        json_out_set(&out, "system", json_out_text(common->system, common->n_system_bytes));
    }
    json_out_set(&out, "images", json_of_pictures(chat));
    json_out_set(&out, "turns", transcript_turns(&chat->conversation));
    status = json_out_write(&out, stream, true, error);
    if (fclose(stream) != 0 && status == OMMA_OK) {
        status = fail_memory(error);
    }
    if (status == OMMA_OK) {
        status = omma_session_save(chat->session, path, note, n_note, error);
    }
    free(note);
    return status;
}

static enum omma_status fail_note(const char *path, const char *what, struct omma_error *error)
{
    return fail(error, OMMA_STATUS_PROMPT, "%s: not a conversation of omma run: %s", path, what);
}

/* A picture may have changed since, or be cut by other options. */
static enum omma_status load_picture(const char *path, const json_t *image, struct chat *chat,
                                     struct omma_error *error)
{
    const char *name = json_string_value(json_object_get(image, "path"));

    if (name == NULL || json_string_value(json_object_get(image, "digest")) == NULL) {
        return fail_note(path, "images: expected a path and a digest", error);
    }
    return pictures_add(chat->pictures, &name, 1, error);
}

static enum omma_status load_pictures(const char *path, const json_t *images, struct chat *chat,
                                      struct omma_error *error)
{
    for (size_t i = 0; i < json_array_size(images); i++) {
        TRY(load_picture(path, json_array_get(images, i), chat, error));
    }
    for (size_t i = 0; i < json_array_size(images); i++) { /* now all are cut as they stay */
        const json_t *saved = json_object_get(json_array_get(images, i), "digest");
        char digest[DIGEST_DIGITS + 1];

        digest_text(chat->pictures->images[i], digest);
        if (strcmp(digest, json_string_value(saved)) != 0) {
            return fail(error, OMMA_STATUS_PROMPT,
                        "%s: %s: expected the tiles that it had (SHA-256 %s), found %s: the "
                        "picture changed, or --max-tiles, --min-tiles or --max-tiles-total did",
                        path, chat->pictures->paths[i], json_string_value(saved), digest);
        }
    }
    chat->n_placed = chat->pictures->n_pictures;
    return OMMA_OK;
}

static enum omma_status load_turns(const char *path, const json_t *turns, struct chat *chat,
                                   struct omma_error *error)
{
    for (size_t i = 0; i < json_array_size(turns); i++) {
        const json_t *turn = json_array_get(turns, i), *text = json_object_get(turn, "text");

        if (!json_is_string(text)) {
            return fail_note(path, "turns: expected a text", error);
        }
        TRY(conversation_add(&chat->conversation, i % 2 == 0 ? OMMA_ROLE_USER : OMMA_ROLE_ASSISTANT,
                             json_string_value(text), json_string_length(text), error));
    }
    return OMMA_OK;
}

static enum omma_status take_note(const char *path, const json_t *note, struct chat *chat,
                                  struct text *system, struct omma_error *error)
{
    const json_t *given = json_object_get(note, "system");

    if (json_is_string(given)) {
        system->n_bytes = json_string_length(given);
        system->bytes = malloc(system->n_bytes + 1);
        if (system->bytes == NULL) {
            return fail_memory(error);
        }
        memcpy(system->bytes, json_string_value(given), system->n_bytes + 1);
    }
    TRY(load_pictures(path, json_object_get(note, "images"), chat, error));
    return load_turns(path, json_object_get(note, "turns"), chat, error);
}

enum omma_status saved_load(const char *path, struct chat *chat, struct text *system,
                            struct omma_error *error)
{
    enum omma_status status;
    json_error_t problem;
    json_t *note;
    char *bytes;
    size_t n_bytes;

    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return OMMA_OK;
    }
    TRY(omma_session_load(chat->session, path, &bytes, &n_bytes, error));
    note = json_loadb(bytes, n_bytes, JSON_ALLOW_NUL, &problem);
    free(bytes);
    if (note == NULL) {
        return fail_note(path, problem.text, error);
    }
    status = take_note(path, note, chat, system, error);
    json_decref(note);
    return status;
}
