/*
 * A pass on the machine takes for each layer
 *
 *     bytes / (fraction x nodes x read)              decode
 *     products / (fraction x threads x clock x multiply-adds a cycle) x idle, or the reading of the
 *     weights if that takes longer                   prefill, tile
 *
 * with the fraction that a layer reached here, and where there are several nodes the barriers and
 * what each node fetches of the activations that others wrote.  What is not in the layers is the
 * head, which is read, and of a tile the projector, which multiplies.
 */
#include "tools/bench/project.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/bench/work.h"
#include "tools/json_out.h"
#include "tools/output.h"

enum { PANEL_ROWS = 32, BARRIERS_A_LAYER = 5, TILES = 13, TEXT_TOKENS = 64, POSITIONS = 1025 };

/* Output rows of a layer's linears, and their inputs. */
struct linear {
    double rows, columns;
};

/* Bytes of the language model that are in its layers, and those of a step that are not. */
static double rest_bytes(const struct omma_model_info *model)
{
    return 2 * (double)model->hidden *
           ((double)model->vocab + 2); /* head, a row, the last norm; bf16 */
}

static double layer_bytes(const struct omma_model_info *model)
{
    return ((double)model->step_bytes - rest_bytes(model)) / (double)model->n_layers;
}

static double layer_kv_bytes(const struct bench_projection *projection)
{
    double twice = strcmp(projection->engine->kv_dtype, "f32") == 0 ? 2 : 1;

    return twice * (double)projection->model->kv_bytes_per_token /
           (double)projection->model->n_layers;
}

/* The model with all its layers, as far as the work goes. */
static struct omma_model_info whole(const struct bench_projection *projection)
{
    struct omma_model_info model = *projection->model;

    model.n_layers = projection->n_layers;
    model.n_vision_layers = projection->n_vision_layers;
    return model;
}

static double threads(const struct bench_machine *machine)
{
    return (double)(machine->n_nodes * machine->cores_per_node);
}

/* How much longer the linears take because panels cannot be divided: 1 if they can. */
static double imbalance(const struct linear *linears, size_t n, double n_threads)
{
    double ideal = 0, real = 0;

    for (size_t i = 0; i < n; i++) {
        double panels = ceil(linears[i].rows / PANEL_ROWS);
        double work = linears[i].rows * linears[i].columns;

        ideal += work;
        real += work * ceil(panels / n_threads) * n_threads / panels;
    }
    return real / ideal;
}

static double language_imbalance(const struct omma_model_info *model, double n_threads)
{
    double hidden = (double)model->hidden, ffn = (double)model->ffn;
    double q = (double)(model->n_heads * model->head_dim);
    double kv = (double)(model->n_kv_heads * model->head_dim);
    /* q, k and v are split together; gate and up row by row */
    const struct linear linears[] = {
        {q + 2 * kv, hidden}, {hidden, q}, {ffn, 2 * hidden}, {hidden, ffn}};

    return imbalance(linears, sizeof linears / sizeof *linears, n_threads);
}

static double vision_imbalance(const struct omma_model_info *model, double n_threads)
{
    double d = (double)model->vision_hidden, ffn = (double)model->vision_ffn;
    const struct linear linears[] = {{3 * d, d}, {d, d}, {ffn, d}, {d, ffn}};

    return imbalance(linears, sizeof linears / sizeof *linears, n_threads);
}

/* Barriers, and bf16 activations of n rows and so many columns that a node takes from others. */
static double exchange_s(const struct bench_machine *machine, double n_rows, double n_columns)
{
    double foreign = (double)(machine->n_nodes - 1) / (double)machine->n_nodes;

    if (machine->n_nodes == 1) {
        return 0; /* barriers are in what was measured */
    }
    return BARRIERS_A_LAYER * machine->barrier_s +
           2 * n_rows * n_columns * foreign / machine->between_bytes_per_s;
}

static double language_exchange_s(const struct bench_projection *projection, double n_rows)
{
    const struct omma_model_info *model = projection->model;

    return exchange_s(projection->machine, n_rows,
                      (double)(2 * model->hidden + model->n_heads * model->head_dim + model->ffn));
}

/* ------------------------------------------------------------------------------------------------
 * The parts
 * --------------------------------------------------------------------------------------------- */

static double peak_of(const struct bench_machine *machine, const char *multiply)
{
    double per_cycle = strncmp(multiply, "bf16", 4) == 0   ? machine->bf16_per_cycle
                       : strncmp(multiply, "int8", 4) == 0 ? machine->i8_per_cycle
                                                           : machine->f32_per_cycle;

    return threads(machine) * machine->clock_hz * per_cycle;
}

static double step_s(const struct bench_projection *projection,
                     const struct bench_forecast *forecast, double depth)
{
    double read = projection->machine->read_bytes_per_s * (double)projection->machine->n_nodes;
    double bytes = layer_bytes(projection->model) + depth * layer_kv_bytes(projection);
    double layer_s = bytes / (forecast->decode_layer * read) + language_exchange_s(projection, 1);

    return (double)projection->n_layers * layer_s +
           rest_bytes(projection->model) / (forecast->decode_rest * read);
}

/* Layers of a prompt of n tokens; what is not in them is the head's row. */
static double prefill_s(const struct bench_projection *projection,
                        const struct bench_forecast *forecast, double peak, size_t n)
{
    const struct bench_machine *machine = projection->machine;
    struct omma_model_info model = whole(projection);
    double read = machine->read_bytes_per_s * (double)machine->n_nodes;
    double head = (double)model.hidden * (double)model.vocab;
    double products_s = (bench_prefill_work(&model, n) - head) / (forecast->prefill_layer * peak) *
                        language_imbalance(&model, threads(machine)) /
                        language_imbalance(&model, (double)projection->limits->n_threads);
    double chunks = ceil((double)n / (double)projection->layers->n_prompt);
    double reading_s = chunks * (double)model.n_layers * layer_bytes(projection->model) / read;

    return fmax(products_s, reading_s) +
           (double)model.n_layers * language_exchange_s(projection, (double)n) +
           projection->layers->prefill.rest_s * projection->layers->read_bytes_per_s / read;
}

static double tile_s(const struct bench_projection *projection,
                     const struct bench_forecast *forecast, double peak_here, double peak)
{
    const struct bench_machine *machine = projection->machine;
    const struct omma_model_info *model = projection->model;
    double idle = vision_imbalance(model, threads(machine)) /
                  vision_imbalance(model, (double)projection->limits->n_threads);
    double columns = (double)(5 * model->vision_hidden + model->vision_ffn);
    double layer_s = bench_tile_layer_work(model) / (forecast->tile_layer * peak) * idle +
                     exchange_s(machine, POSITIONS, columns);

    return (double)projection->n_vision_layers * layer_s +
           projection->layers->tile.rest_s * peak_here / peak * idle;
}

enum omma_status bench_project(const struct bench_projection *projection,
                               struct bench_forecast *forecast, struct omma_error *error)
{
    const struct bench_layers *layers = projection->layers;
    const struct omma_model_info *model = projection->model;
    struct bench_forecast made = {.depths = {0, 4096, 32768}};
    double read = layers->read_bytes_per_s, peak, here, vision_peak, vision_here, layer_work;

    here = bench_peak(projection->engine, projection->limits, BENCH_PEAK_LANGUAGE, &made.multiply)
               ->per_s;
    vision_here =
        bench_peak(projection->engine, projection->limits, BENCH_PEAK_VISION, &made.multiply_vision)
            ->per_s;
    peak = peak_of(projection->machine, made.multiply);
    vision_peak = peak_of(projection->machine, made.multiply_vision);
    if (!(here > 0 && vision_here > 0)) {
        return fail(error, OMMA_STATUS_USAGE, "the tier %s has no %s to project from",
                    projection->limits->isa, here > 0 ? made.multiply_vision : made.multiply);
    }
    if (peak == 0 || vision_peak == 0) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: expected the multiply-adds a cycle of the %s, which was measured",
                    projection->machine->name, peak == 0 ? made.multiply : made.multiply_vision);
    }
    layer_work = (bench_prefill_work(model, layers->n_prompt) -
                  (double)model->hidden * (double)model->vocab) /
                 (double)model->n_layers;
    made.decode_layer = (layer_bytes(model) + layers->depth * layer_kv_bytes(projection)) /
                        layers->decode.layer_s / read;
    made.decode_rest = rest_bytes(model) / layers->decode.rest_s / read;
    made.prefill_layer = layer_work / layers->prefill.layer_s / here;
    made.tile_layer = bench_tile_layer_work(model) / layers->tile.layer_s / vision_here;
    made.prefill_idle = 1 - 1 / language_imbalance(model, threads(projection->machine));
    made.weight_bytes = (double)projection->n_layers * layer_bytes(model) + rest_bytes(model);
    for (size_t i = 0; i < BENCH_N_DEPTHS; i++) {
        made.step_s[i] = step_s(projection, &made, (double)made.depths[i]);
    }
    made.prefill_s = prefill_s(projection, &made, peak, layers->n_prompt);
    made.tile_s = tile_s(projection, &made, vision_here, vision_peak);
    made.first_token_s =
        TILES * made.tile_s +
        prefill_s(projection, &made, peak, TILES * model->tokens_per_tile + TEXT_TOKENS);
    *forecast = made;
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Telling
 * --------------------------------------------------------------------------------------------- */

static void print_assumptions(const struct bench_projection *projection,
                              const struct bench_forecast *forecast)
{
    const struct bench_machine *machine = projection->machine;
    const struct omma_limits *limits = projection->limits;

    printf("\nAssumed\n\n");
    printf(
        "- The machine reaches the fractions of its limits that %s, %zu threads, %s reached here: "
        "layers %.0f %% and head %.0f %% of reading while decoding; layers %.0f %% of the %s in a "
        "prefill, %.0f %% of the %s in a tile.\n",
        limits->cpu, limits->n_threads, limits->isa, 100 * forecast->decode_layer,
        100 * forecast->decode_rest, 100 * forecast->prefill_layer, forecast->multiply,
        100 * forecast->tile_layer, forecast->multiply_vision);
    printf("- Limits of the machine: %.0f GB/s a node, %.1f T multiply-adds/s on %.0f threads at "
           "%.2f GHz.\n",
           machine->read_bytes_per_s * 1e-9, peak_of(machine, forecast->multiply) * 1e-12,
           threads(machine), machine->clock_hz * 1e-9);
    printf("- Panels of %d rows leave %.0f %% of the threads' time idle in a prefill.\n",
           PANEL_ROWS, 100 * forecast->prefill_idle);
    if (machine->n_nodes > 1) {
        printf("- Each node reads its own rows of the weights; %d barriers a layer of %.1f us; "
               "activations of other nodes come at %.0f GB/s.\n",
               BARRIERS_A_LAYER, machine->barrier_s * 1e6, machine->between_bytes_per_s * 1e-9);
    }
    printf(
        "- The first token comes behind %d tiles and %d tokens of text; preparing the picture is "
        "not counted.\n",
        TILES, TEXT_TOKENS);
    printf("- The weights (%.1f GB that a step reads) fit the nodes' memory.\n",
           forecast->weight_bytes * 1e-9);
}

static void print_forecast(const struct bench_projection *projection,
                           const struct bench_forecast *forecast)
{
    size_t n_prompt = projection->layers->n_prompt;

    printf("Projected, not measured: %s, %s, on %s (tier %s)\n\n", projection->size,
           projection->model->weight_dtype, projection->machine->name, projection->machine->tier);
    printf("| %-12s | %10s | %16s |\n|--------------|-----------:|-----------------:|\n", "test",
           "ms", "rate");
    printf("| pp%-10zu | %10.2f | %12.2f t/s |\n", n_prompt, 1e3 * forecast->prefill_s,
           (double)n_prompt / forecast->prefill_s);
    for (size_t i = 0; i < BENCH_N_DEPTHS; i++) {
        char name[32];

        snprintf(name, sizeof name, forecast->depths[i] > 0 ? "tg@d%zu" : "tg",
                 forecast->depths[i]);
        printf("| %-12s | %10.2f | %12.2f t/s |\n", name, 1e3 * forecast->step_s[i],
               1 / forecast->step_s[i]);
    }
    printf("| %-12s | %10.2f | %8.2f tiles/s |\n", "vit1", 1e3 * forecast->tile_s,
           1 / forecast->tile_s);
    printf("| %-12s | %10.2f | %16s |\n", "ttft13", 1e3 * forecast->first_token_s, "");
    print_assumptions(projection, forecast);
}

static enum omma_status write_json(const struct bench_projection *projection,
                                   const struct bench_forecast *forecast, struct omma_error *error)
{
    struct json_out out = json_out_object();
    json_t *steps = json_array();

    for (size_t i = 0; i < BENCH_N_DEPTHS; i++) {
        json_array_append_new(steps,
                              json_pack("{s:I, s:f}", "depth", (json_int_t)forecast->depths[i],
                                        "step_s", forecast->step_s[i]));
    }
    json_out_set(&out, "projected_on", json_out_string(projection->machine->name));
    json_out_set(&out, "tier", json_out_string(projection->machine->tier));
    json_out_set(&out, "size", json_string(projection->size));
    json_out_set(&out, "weight_dtype", json_string(projection->model->weight_dtype));
    json_out_set(&out, "measured_on", json_out_string(projection->limits->cpu));
    json_out_set(&out, "isa", json_string(projection->limits->isa));
    json_out_set(&out, "n_threads", json_integer((json_int_t)projection->limits->n_threads));
    json_out_set(&out, "prompt_tokens", json_integer((json_int_t)projection->layers->n_prompt));
    json_out_set(&out, "prefill_s", json_real(forecast->prefill_s));
    json_out_set(&out, "decode", steps);
    json_out_set(&out, "tile_s", json_real(forecast->tile_s));
    json_out_set(&out, "first_token_s", json_real(forecast->first_token_s));
    json_out_set(&out, "decode_layer_fraction", json_real(forecast->decode_layer));
    json_out_set(&out, "decode_rest_fraction", json_real(forecast->decode_rest));
    json_out_set(&out, "prefill_layer_fraction", json_real(forecast->prefill_layer));
    json_out_set(&out, "tile_layer_fraction", json_real(forecast->tile_layer));
    json_out_set(&out, "prefill_idle", json_real(forecast->prefill_idle));
    json_out_set(&out, "weight_bytes", json_real(forecast->weight_bytes));
    return json_out_write(&out, stdout, false, error);
}

enum omma_status bench_forecast_report(const struct bench_projection *projection,
                                       const struct bench_forecast *forecast, bool is_json,
                                       struct omma_error *error)
{
    if (is_json) {
        TRY(write_json(projection, forecast, error));
    } else {
        print_forecast(projection, forecast);
    }
    return output_flush(error);
}
