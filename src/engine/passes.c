/*
 * What the engine's thread computes with: its two teams, the decoder, and where tiles are encoded.
 *
 * OpenMP gives the teams of a caller the same workers, so a team is settled on its cores when it
 * follows the other one.
 */
#include "base/checked.h"
#include "engine/engine.h"

/* The team to run until end_pass(). */
static struct omma_team *begin_pass(struct omma_engine *engine)
{
    bool has_all = engine->pool == NULL || engine->runs_job ||
                   omma_cores_begin(&engine->cores, OMMA_SIDE_LANGUAGE, false);
    struct omma_team *team = has_all ? engine->team : engine->language_team;

    if (team != engine->last_team) {
        omma_team_settle(team);
        engine->last_team = team;
    }
    return team;
}

static void end_pass(struct omma_engine *engine)
{
    if (engine->pool != NULL && !engine->runs_job) {
        omma_cores_end(&engine->cores, OMMA_SIDE_LANGUAGE);
    }
}

struct token_pass {
    struct omma_decoder *decoder;
    const struct omma_decoder_pass *pass;
};

static void run_tokens(struct omma_thread *self, void *argument)
{
    const struct token_pass *call = argument;

    omma_decoder_forward(self, call->decoder, call->pass);
}

int omma_engine_forward(struct omma_engine *engine, const struct omma_decoder_pass *pass)
{
    struct token_pass call = {engine->decoder, pass};

    omma_team_run(begin_pass(engine), run_tokens, &call);
    end_pass(engine);
    return omma_decoder_bad_layer(engine->decoder);
}

void omma_engine_run_job(struct omma_engine *engine, const struct omma_job *job)
{
    if (engine->pool != NULL) {
        omma_cores_begin(&engine->cores, OMMA_SIDE_LANGUAGE, true);
    }
    engine->runs_job = true;
    if (engine->last_team != engine->team) {
        omma_team_settle(engine->team);
        engine->last_team = engine->team;
    }
    job->run(engine, job->argument);
    engine->runs_job = false;
    end_pass(engine);
}

enum omma_status omma_engine_encoder(struct omma_engine *engine, struct omma_encoder **encoder,
                                     struct omma_error *error)
{
    if (engine->encoder == NULL) {
        OMMA_TRY(omma_encoder_create(&engine->model->config, engine->weight_memory->weights,
                                     &engine->compute, &engine->encoder, error));
    }
    *encoder = engine->encoder;
    return OMMA_OK;
}

static enum omma_status create_language_team(struct omma_engine *engine, struct omma_error *error)
{
    struct omma_team_options options = {
        .n_threads = engine->split.n_language,
        .scratch_bytes = omma_decoder_scratch_bytes(&engine->model->config),
        .of = engine->team,
        .of_threads = engine->split.language,
    };

    if (engine->language_team != NULL) {
        return OMMA_OK;
    }
    OMMA_TRY(omma_team_create(&options, &engine->language_team, error));
    engine->last_team = engine->language_team;
    return OMMA_OK;
}

enum omma_status omma_engine_pool(struct omma_engine *engine, struct omma_vision_pool **pool,
                                  struct omma_error *error)
{
    if (engine->pool == NULL) {
        OMMA_TRY(create_language_team(engine, error));
        OMMA_TRY(omma_vision_pool_create(engine, &engine->pool, error));
    }
    *pool = engine->pool;
    return OMMA_OK;
}
