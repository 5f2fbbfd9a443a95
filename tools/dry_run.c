/*
 * Times are the work over the limits of the machine, as measured now, over the fraction of a limit
 * that such work reaches (doc/performance.md).
 */
#include "tools/dry_run.h"

#include <stdio.h>

#include "tools/bench/measure.h"
#include "tools/bench/work.h"
#include "tools/json_out.h"
#include "tools/output.h"

/* Of the peak of multiply-adds, and of the bandwidth of reading. */
static const double PRODUCTS_REACH = 0.8, DECODING_REACHES = 0.9;

struct estimate {
    size_t image_tokens, cache_tokens;
    double kv_bytes, kv_context_bytes, kv_budget_bytes;
    bool fits, has_times;
    double tiles_s, prompt_s, token_s, total_s;
};

static enum omma_status estimate_times(const struct dry_run *run, struct messages *messages,
                                       struct estimate *estimate, struct omma_error *error)
{
    const struct omma_engine_info *engine = omma_engine_info(run->engine);
    const struct omma_peak *language, *vision;
    struct omma_limits limits;
    const char *name;
    double depth = (double)run->prompt_tokens + (double)run->answer_tokens / 2;

    message_progress(messages, "measuring the limits of this machine");
    TRY(omma_limits_measure(run->engine, &limits, error));
    message_progress_end(messages);
    language = bench_peak(engine, &limits, BENCH_PEAK_LANGUAGE, &name);
    vision = bench_peak(engine, &limits, BENCH_PEAK_VISION, &name);
    estimate->has_times = language->per_s > 0 && vision->per_s > 0 && limits.read_bytes_per_s > 0;
    if (!estimate->has_times) {
        return OMMA_OK;
    }
    estimate->tiles_s =
        (double)run->n_tiles * bench_tile_work(run->model) / (PRODUCTS_REACH * vision->per_s);
    estimate->prompt_s =
        bench_prefill_work(run->model, run->prompt_tokens) / (PRODUCTS_REACH * language->per_s);
    estimate->token_s = bench_decode_bytes(run->model, depth, 1, engine->kv_dtype) /
                        (DECODING_REACHES * limits.read_bytes_per_s);
    estimate->total_s =
        estimate->tiles_s + estimate->prompt_s + (double)run->answer_tokens * estimate->token_s;
    return OMMA_OK;
}

static void estimate_memory(const struct dry_run *run, struct estimate *estimate)
{
    struct omma_engine_stats stats;
    double position = bench_kv_bytes(run->model, omma_engine_info(run->engine)->kv_dtype);

    omma_engine_stats(run->engine, &stats);
    estimate->image_tokens = run->n_tiles * run->model->tokens_per_tile;
    estimate->cache_tokens = run->prompt_tokens + run->answer_tokens;
    if (estimate->cache_tokens > run->n_context) {
        estimate->cache_tokens = run->n_context;
    }
    estimate->fits = run->prompt_tokens <= run->n_context;
    estimate->kv_bytes = position * (double)estimate->cache_tokens;
    estimate->kv_context_bytes = position * (double)run->n_context;
    estimate->kv_budget_bytes = (double)stats.kv_bytes;
}

static void tell_lines(const struct dry_run *run, const struct estimate *estimate)
{
    printf("pictures   %zu (%zu tile%s, %zu tokens)\n", run->n_pictures, run->n_tiles,
           run->n_tiles == 1 ? "" : "s", estimate->image_tokens);
    printf("prompt     %zu tokens, an answer of up to %zu, a context of %zu%s\n",
           run->prompt_tokens, run->answer_tokens, run->n_context,
           estimate->fits ? "" : ": it does not fit");
    printf("weights    %.1f MB in %s files\n", 1e-6 * (double)run->model->file_bytes,
           run->model->weight_dtype);
    printf("KV cache   %.1f MB, %.1f MB for a whole context", 1e-6 * estimate->kv_bytes,
           1e-6 * estimate->kv_context_bytes);
    if (run->n_parallel > 1) {
        printf(", %.1f MB for %zu", 1e-6 * estimate->kv_context_bytes * (double)run->n_parallel,
               run->n_parallel);
    }
    printf("; all may take %.1f MB\n", 1e-6 * estimate->kv_budget_bytes);
    if (estimate->has_times) {
        printf("about      %.2f s for the tiles, %.2f s for the prompt, %.1f ms for a token of the "
               "answer, %.1f s in all\n",
               estimate->tiles_s, estimate->prompt_s, 1e3 * estimate->token_s, estimate->total_s);
    }
}

static enum omma_status tell_json(const struct dry_run *run, const struct estimate *estimate,
                                  struct omma_error *error)
{
    struct json_out out = json_out_object();

    json_out_set(&out, "pictures", json_integer((json_int_t)run->n_pictures));
    json_out_set(&out, "tiles", json_integer((json_int_t)run->n_tiles));
    json_out_set(&out, "image_tokens", json_integer((json_int_t)estimate->image_tokens));
    json_out_set(&out, "prompt_tokens", json_integer((json_int_t)run->prompt_tokens));
    json_out_set(&out, "answer_tokens", json_integer((json_int_t)run->answer_tokens));
    json_out_set(&out, "context", json_integer((json_int_t)run->n_context));
    json_out_set(&out, "fits", json_boolean(estimate->fits));
    json_out_set(&out, "weight_bytes", json_integer((json_int_t)run->model->file_bytes));
    json_out_set(&out, "kv_bytes", json_integer((json_int_t)estimate->kv_bytes));
    json_out_set(&out, "kv_context_bytes", json_integer((json_int_t)estimate->kv_context_bytes));
    json_out_set(&out, "kv_budget_bytes", json_integer((json_int_t)estimate->kv_budget_bytes));
    if (estimate->has_times) {
        json_out_set(&out, "estimated_s",
                     json_pack("{sf sf sf sf}", "tiles", estimate->tiles_s, "prompt",
                               estimate->prompt_s, "token", estimate->token_s, "total",
                               estimate->total_s));
    }
    return json_out_write(&out, stdout, true, error);
}

enum omma_status dry_run_tell(const struct dry_run *run, bool json, struct messages *messages,
                              struct omma_error *error)
{
    struct estimate estimate = {0};

    estimate_memory(run, &estimate);
    TRY(estimate_times(run, messages, &estimate, error));
    if (json) {
        TRY(tell_json(run, &estimate, error));
    } else {
        tell_lines(run, &estimate);
        TRY(output_flush(error));
    }
    if (!estimate.fits) {
        return fail(error, OMMA_STATUS_PROMPT,
                    "the prompt has %zu tokens (%zu tiles of %zu, and text), and the context %zu",
                    run->prompt_tokens, run->n_tiles, run->model->tokens_per_tile, run->n_context);
    }
    return OMMA_OK;
}
