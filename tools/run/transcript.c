/* Writing of transcripts. */
#include "tools/run/transcript.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/json_out.h"

json_t *transcript_turns(const struct conversation *conversation)
{
    json_t *turns = json_array();

    for (size_t i = 0; i < conversation->n_turns; i++) {
        const struct omma_turn *turn = &conversation->turns[i];
        struct json_out out = json_out_object();

        json_out_set(&out, "role",
                     json_out_string(turn->role == OMMA_ROLE_USER ? "user" : "assistant"));
        json_out_set(&out, "text", json_out_text(turn->text, turn->n_bytes));
        if (!out.is_complete || json_array_append_new(turns, out.value) != 0) {
            json_decref(turns);
            return NULL;
        }
    }
    return turns;
}

static json_t *json_of_paths(const struct pictures *pictures)
{
    json_t *paths = json_array();

    for (size_t i = 0; i < pictures->n_pictures; i++) {
        if (json_array_append_new(paths, json_out_string(pictures->paths[i])) != 0) {
            json_decref(paths);
            return NULL;
        }
    }
    return paths;
}

enum omma_status transcript_save(const char *path, const struct omma_model_info *model,
                                 const char *system, size_t n_system_bytes,
                                 const struct conversation *conversation,
                                 const struct pictures *pictures, struct omma_error *error)
{
    struct json_out out = json_out_object();
    FILE *file = fopen(path, "wxe");
    enum omma_status status;

    if (file == NULL) {
        json_decref(out.value);
        return fail(error, errno == EEXIST ? OMMA_STATUS_USAGE : OMMA_STATUS_OUTPUT, "%s: %s", path,
                    strerror(errno));
    }
    json_out_set(&out, "model", json_out_string(model->path));
    json_out_set(&out, "identity", json_out_string(model->identity));
    if (system != NULL) {
        json_out_set(&out, "system", json_out_text(system, n_system_bytes));
    }
    json_out_set(&out, "images", json_of_paths(pictures));
    json_out_set(&out, "turns", transcript_turns(conversation));
    status = json_out_write(&out, file, false, error);
    errno = 0;
    if (fclose(file) != 0 && status == OMMA_OK) {
        status = fail(error, OMMA_STATUS_OUTPUT, "%s: %s", path, strerror(errno));
    }
    if (status != OMMA_OK) {
        unlink(path);
    }
    return status;
}
