/*
 * Where the weights lie: that each node's threads multiply by their own node's memory alone, what
 * is refused where it does not fit, and what the audit tells.
 *
 * Machines of several nodes are made up; this one cannot bind memory to them, all else is real.
 */
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "support/support.h"

static const char TWO_NODES[] = "package:2 [numa(memory=1GB)] core:4 1";

static struct omma_model *open_demo(void)
{
    char *path = omma_test_source("share/omma/demo");
    struct omma_model *model = NULL;
    struct omma_error error;

    assert_ok(omma_model_open(path, NULL, &model, &error));
    free(path);
    return model;
}

/* ------------------------------------------------------------------------------------------------
 * Who reads what
 * --------------------------------------------------------------------------------------------- */

/* The kernels have no room for an argument: what the wrappers below count. */
static struct {
    const struct omma_engine *engine;
    struct omma_kernels kernels;
    atomic_size_t n_own, n_foreign; /* bytes of weights */
} watch;

static void note(const void *address, size_t n, size_t stride)
{
    const struct omma_weight_memory *memory = watch.engine->weight_memory;
    size_t own = omma_team_node_of(watch.engine->team, (size_t)omp_get_thread_num());
    const char *first = address, *last = first + (n - 1) * stride * 2;
    const struct omma_node_memory *node = &memory->nodes[own];

    if (first >= node->bytes && last < node->bytes + node->n_bytes) {
        atomic_fetch_add(&watch.n_own, n * stride * 2);
    } else {
        atomic_fetch_add(&watch.n_foreign, n * stride * 2);
    }
}

static void watch_gemv(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                       const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    note(w, n, w_stride);
    watch.kernels.gemv_f32_bf16w(m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

static void watch_pack(size_t n, size_t k, const uint16_t *source, size_t stride, float *panel)
{
    note(source, n, stride);
    watch.kernels.pack_rows_f32_bf16(n, k, source, stride, panel);
}

static void answer(struct omma_engine *engine, const struct omma_image *image)
{
    static const char QUESTION[] = "How many shapes are there?";
    const struct omma_turn turn = {OMMA_ROLE_USER, QUESTION, sizeof QUESTION - 1};
    struct omma_request request = {
        .conversation = {.turns = &turn, .n_turns = 1, .images = &image, .n_images = 1},
        .max_new_tokens = 3,
        .ignore_stop_ids = true,
    };
    struct omma_session *session = NULL;
    struct omma_event event = {0};
    struct omma_error error;

    assert_ok(omma_session_create(engine, NULL, &session, &error));
    assert_ok(omma_session_submit(session, &request, &error));
    while (event.type != OMMA_EVENT_DONE) {
        assert_ok(omma_session_poll(session, -1, &event, &error));
    }
    omma_session_destroy(&session);
}

static void watch_answer(const char *synthetic, enum omma_numa numa, size_t n_threads)
{
    char *picture = omma_test_source("share/omma/demo/pictures/number.png");
    struct omma_topology_options machine = {.synthetic = synthetic};
    struct omma_engine_options options = {.n_threads = n_threads,
                                          .no_vision_threads = true, /* one team computes */
                                          .numa = numa,
                                          .precision = OMMA_PRECISION_F32,
                                          .gemm = OMMA_GEMM_NATIVE};
    struct omma_model *model = open_demo();
    struct omma_engine *engine = NULL;
    struct omma_image *image = NULL;
    struct omma_error error;

    assert_ok(omma_image_open(picture, NULL, &image, &error));
    assert_ok(omma_engine_create_on(model, &options, &machine, &engine, &error));
    watch.engine = engine;
    watch.kernels = engine->compute.kernels;
    atomic_store(&watch.n_own, 0);
    atomic_store(&watch.n_foreign, 0);
    engine->compute.kernels.gemv_f32_bf16w = watch_gemv;
    engine->compute.kernels.pack_rows_f32_bf16 = watch_pack;
    answer(engine, image);
    if (atomic_load(&watch.n_foreign) != 0) {
        fail_msg("%s, %s, %zu threads: %zu bytes of other nodes' memory, %zu of their own",
                 synthetic, omma_engine_info(engine)->numa, n_threads,
                 atomic_load(&watch.n_foreign), atomic_load(&watch.n_own));
    }
    /* the prompt's passes, and two of single tokens over the decoder */
    assert_true(atomic_load(&watch.n_own) > 3 * 2 * model->info.n_language_parameters / 2);
    omma_engine_destroy(&engine);
    omma_image_close(&image);
    omma_model_close(&model);
    free(picture);
}

static void test_each_node_reads_its_own(void **state)
{
    (void)state;
    for (size_t n_threads = 5; n_threads <= 8; n_threads++) {
        watch_answer(TWO_NODES, OMMA_NUMA_AUTO, n_threads);
    }
    watch_answer(TWO_NODES, OMMA_NUMA_MIRROR, 6);
    watch_answer("package:4 [numa(memory=1GB)] core:2 1", OMMA_NUMA_SHARD, 7);
    watch_answer("package:3 [numa(memory=1GB)] core:1 pu:2", OMMA_NUMA_SHARD, 3);
    watch_answer("package:16 [numa(memory=1GB)] core:1 1", OMMA_NUMA_SHARD, 16); /* few panels */
}

/* ------------------------------------------------------------------------------------------------
 * What fits
 * --------------------------------------------------------------------------------------------- */

static void count_warning(void *user, enum omma_log_level level, const char *message)
{
    *(int *)user += level == OMMA_LOG_WARNING && strstr(message, "read from the files") != NULL;
}

/* n_kilobytes of free memory on node 1 and as many of files, plenty on node 0 */
static char *make_root(size_t n_kilobytes)
{
    char *root = omma_test_folder(), text[200];

    omma_test_put(root, "sys/devices/system/node/has_memory", "0-1\n");
    omma_test_put(root, "sys/devices/system/node/node0/meminfo", "Node 0 MemFree: 1000000 kB\n");
    snprintf(text, sizeof text,
             "Node 1 MemTotal: 99999999 kB\nNode 1 MemFree: %zu kB\nNode 1 Active(anon): 99999 kB\n"
             "Node 1 Inactive(file): %zu kB\n",
             n_kilobytes, n_kilobytes);
    omma_test_put(root, "sys/devices/system/node/node1/meminfo", text);
    return root;
}

static void test_what_does_not_fit(void **state)
{
    char *root = make_root(2000);
    int n_warnings = 0;
    struct omma_topology_options machine = {.synthetic = TWO_NODES, .root = root};
    struct omma_engine_options options = {
        .n_threads = 8, .numa = OMMA_NUMA_MIRROR, .log = {count_warning, &n_warnings}};
    struct omma_model *model = open_demo();
    struct omma_engine *engine = NULL;
    struct omma_error error;

    (void)state;
    assert_fails(OMMA_STATUS_RESOURCES, " MB on node 1 (of 2), which has 4.1 MB available",
                 omma_engine_create_on(model, &options, &machine, &engine, &error));
    assert_null(engine);
    options.numa = OMMA_NUMA_SHARD; /* half of it fits */
    assert_ok(omma_engine_create_on(model, &options, &machine, &engine, &error));
    assert_string_equal(omma_engine_info(engine)->numa, "shard");
    assert_int_equal(omma_engine_info(engine)->n_nodes, 2);
    assert_true(omma_engine_info(engine)->is_copied);
    omma_engine_destroy(&engine);
    free(root);

    machine.root = root = make_root(100);
    assert_fails(OMMA_STATUS_RESOURCES, "numa shard: the weights take",
                 omma_engine_create_on(model, &options, &machine, &engine, &error));
    options.numa = OMMA_NUMA_AUTO;
    assert_ok(omma_engine_create_on(model, &options, &machine, &engine, &error));
    assert_int_equal(n_warnings, 1);
    assert_string_equal(omma_engine_info(engine)->numa, "off");
    assert_false(omma_engine_info(engine)->is_copied);
    omma_engine_destroy(&engine);
    options.numa = OMMA_NUMA_SHARD;
    options.keep_mapped = true; /* takes nothing */
    assert_ok(omma_engine_create_on(model, &options, &machine, &engine, &error));
    assert_false(omma_engine_info(engine)->is_copied);
    omma_engine_destroy(&engine);
    free(root);
    omma_model_close(&model);
}

static void test_control_group(void **state)
{
    char *root = make_root(1000000);
    struct omma_topology_options machine = {.synthetic = TWO_NODES, .root = root};
    struct omma_engine_options options = {.n_threads = 8, .numa = OMMA_NUMA_MIRROR};
    struct omma_model *model = open_demo();
    struct omma_engine *engine = NULL;
    struct omma_error error;

    (void)state;
    omma_test_put(root, "proc/self/cgroup", "0::/\n");
    omma_test_put(root, "sys/fs/cgroup/memory.max", "10000000\n");
    assert_fails(OMMA_STATUS_RESOURCES, "on 2 nodes together, and the control group allows 10.0 MB",
                 omma_engine_create_on(model, &options, &machine, &engine, &error));
    options.numa = OMMA_NUMA_SHARD;
    assert_ok(omma_engine_create_on(model, &options, &machine, &engine, &error));
    omma_engine_destroy(&engine);
    omma_model_close(&model);
    free(root);
}

/* ------------------------------------------------------------------------------------------------
 * The audit
 * --------------------------------------------------------------------------------------------- */

static void audit(struct omma_model *model, const char *synthetic,
                  const struct omma_engine_options *options, size_t node,
                  struct omma_node_placement *placement)
{
    struct omma_topology_options machine = {.synthetic = synthetic};
    struct omma_engine *engine = NULL;
    struct omma_error error;
    enum omma_status status;

    assert_ok(omma_engine_create_on(model, options, &machine, &engine, &error));
    assert_fails(OMMA_STATUS_USAGE, "node: expected less than",
                 omma_engine_node(engine, omma_engine_info(engine)->n_nodes, placement, &error));
    status = omma_engine_node(engine, node, placement, &error);
    omma_engine_destroy(&engine);
    if (status == OMMA_STATUS_RESOURCES) {
        print_message("%s\n", error.message);
        skip();
    }
    assert_int_equal(status, OMMA_OK);
    assert_int_equal(placement->n_local + placement->n_remote + placement->n_absent,
                     placement->n_pages);
    assert_true(placement->n_pages >= placement->weight_bytes / 4096);
}

/* On the nodes that this machine has, however many. */
static void test_audit_of_this_machine(void **state)
{
    struct omma_engine_options options = {.n_threads = 2, .numa = OMMA_NUMA_SHARD};
    struct omma_model *model = open_demo();
    struct omma_node_placement placement;
    uint64_t copied_bytes;

    (void)state;
    audit(model, NULL, &options, 0, &placement);
    assert_true(placement.n_threads >= 1);
    assert_int_equal(placement.n_local, placement.n_pages);
    assert_true(placement.copied_bytes >= placement.weight_bytes);
    assert_in_range(placement.huge_bytes, 0, placement.copied_bytes);
    assert_true(placement.weight_bytes <= 2 * model->info.n_parameters);
    copied_bytes = placement.copied_bytes;

    options.drop_cache = true; /* as a wish; file systems in memory have nothing to drop */
    audit(model, NULL, &options, 0, &placement);
    assert_int_equal(placement.n_local, placement.n_pages);
    assert_int_equal(placement.copied_bytes, copied_bytes);

    /* khugepaged may just be making huge pages of the file's, which takes them out of the page
     * table until they are read again: once */
    options.keep_mapped = true;
    for (int i = 0; i < 5 && (i == 0 || placement.n_absent > 0); i++) {
        audit(model, NULL, &options, 0, &placement);
    }
    assert_int_equal(placement.n_absent, 0);
    assert_int_equal(placement.copied_bytes, 0);
    omma_model_close(&model);

    /* how much of it is mapped already depends on the kernel: it maps around what is read */
    model = open_demo();
    options = (struct omma_engine_options){.n_threads = 2, .numa = OMMA_NUMA_OFF};
    audit(model, NULL, &options, 0, &placement);
    assert_true(placement.n_pages > 0);
    assert_int_equal(placement.copied_bytes, 0);
    omma_model_close(&model);
}

/* Memory that cannot be bound to where it should lie. */
static void test_audit_tells_what_is_remote(void **state)
{
    struct omma_engine_options options = {.n_threads = 8, .numa = OMMA_NUMA_SHARD};
    struct omma_model *model = open_demo();
    struct omma_node_placement first, other;

    (void)state;
    audit(model, "package:2 [numa(memory=1GB)(indexes=5,6)] core:4 1", &options, 1, &other);
    audit(model, "package:2 [numa(memory=1GB)(indexes=5,6)] core:4 1", &options, 0, &first);
    assert_int_equal(other.n_threads, 4);
    assert_int_equal(other.n_remote, other.n_pages);
    assert_int_equal(other.n_local, 0);
    /* the nodes share all products but the rows of the tables out */
    assert_true(first.weight_bytes + other.weight_bytes <
                2 * (model->info.n_parameters - model->info.vocab * model->info.hidden));
    assert_true(first.weight_bytes + other.weight_bytes > 2 * model->info.n_parameters * 8 / 10);
    options.numa = OMMA_NUMA_MIRROR;
    audit(model, TWO_NODES, &options, 1, &other);
    assert_true(other.copied_bytes > other.weight_bytes * 3 / 2);
    omma_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_node_reads_its_own),
        cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_control_group),
        cmocka_unit_test(test_audit_of_this_machine),
        cmocka_unit_test(test_audit_tells_what_is_remote),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
