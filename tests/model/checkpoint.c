/* Folders of a model: rows B of the fault model, changes underneath (J10-J13), limits (J1),
 * identity. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/checkpoint.h"
#include "model/model.h"
#include "support/checkpoint.h"
#include "support/support.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN
#endif
#endif

static const char index_name[] = "model.safetensors.index.json";

/* A folder with a small model in so many shards. */
static char *make_folder(size_t n_shards)
{
    struct omma_test_checkpoint checkpoint;
    char *dir = omma_test_folder();

    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    omma_test_checkpoint_write(&checkpoint, dir, n_shards);
    omma_test_checkpoint_free(&checkpoint);
    return dir;
}

static struct omma_model *open_model(const char *dir)
{
    struct omma_model *model = NULL;
    struct omma_error error;

    assert_ok(omma_model_open(dir, NULL, &model, &error));
    return model;
}

static void refuse(const char *dir, enum omma_status status, const char *one, const char *other)
{
    struct omma_model *model = NULL;
    struct omma_error error;

    assert_fails(status, one, omma_model_open(dir, NULL, &model, &error));
    if (strstr(error.message, other) == NULL) {
        fail_msg("message \"%s\" lacks \"%s\"", error.message, other);
    }
    assert_null(model);
}

/* Change an entry of the index's weight_map; NULL removes it. */
static void edit_index(const char *dir, const char *tensor, const char *shard)
{
    char *path = omma_test_join(dir, index_name);
    json_t *root = json_load_file(path, 0, NULL);
    json_t *map = json_object_get(root, "weight_map");
    char *text;

    assert_non_null(map);
    if (shard == NULL) {
        json_object_del(map, tensor);
    } else {
        json_object_set_new(map, tensor, json_string(shard));
    }
    text = json_dumps(root, 0);
    omma_test_write(path, text, strlen(text));
    json_decref(root);
    free(text);
    free(path);
}

static void test_shards_equal_one_file(void **state)
{
    char *one = make_folder(1), *three = make_folder(3);
    struct omma_model *a = open_model(one), *b = open_model(three);

    (void)state;
    assert_int_equal(omma_model_info(b)->n_files, 3);
    assert_true(omma_model_info(a)->n_parameters == omma_model_info(b)->n_parameters);
    assert_int_equal(omma_model_info(a)->n_tensors, omma_model_info(b)->n_tensors);
    assert_memory_equal(a->weights.language.lm_head.weight.data,
                        b->weights.language.lm_head.weight.data, 640 * 24 * 2);
    assert_string_not_equal(omma_model_info(a)->identity, omma_model_info(b)->identity);
    omma_model_close(&a);
    omma_model_close(&b);
    free(one);
    free(three);
}

/* The hub's cache: a snapshot of symbolic links to blobs elsewhere. */
static void test_symbolic_links_of_the_hub_cache(void **state)
{
    static const char *const names[] = {"config.json",
                                        "model-00001-of-00002.safetensors",
                                        "model-00002-of-00002.safetensors",
                                        "vocab.json",
                                        "model.safetensors.index.json",
                                        "merges.txt",
                                        "added_tokens.json",
                                        "tokenizer_config.json",
                                        "special_tokens_map.json"};
    char *blobs = make_folder(2), *snapshot = omma_test_folder();
    struct omma_model *a, *b;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *target = omma_test_join(blobs, names[i]), *link = omma_test_join(snapshot, names[i]);

        assert_int_equal(symlink(target, link), 0);
        free(target);
        free(link);
    }
    a = open_model(blobs);
    b = open_model(snapshot);
    assert_string_equal(omma_model_info(a)->identity, omma_model_info(b)->identity);
    omma_model_close(&a);
    omma_model_close(&b);
    free(blobs);
    free(snapshot);
}

static void test_b1_missing_shard(void **state)
{
    char *dir = make_folder(3), *path = omma_test_join(dir, "model-00002-of-00003.safetensors");

    (void)state;
    unlink(path);
    refuse(dir, OMMA_STATUS_MODEL, "model-00002-of-00003.safetensors: cannot open: No such file",
           "");
    assert_int_equal(symlink("/nowhere/blob", path), 0);
    refuse(dir, OMMA_STATUS_MODEL, "model-00002-of-00003.safetensors: cannot open: No such file",
           "");
    free(path);
    free(dir);
}

static void test_b2_tensor_not_where_the_index_says(void **state)
{
    char *dir = make_folder(2);

    (void)state;
    edit_index(dir, "mlp1.0.weight", "model-00002-of-00002.safetensors");
    refuse(dir, OMMA_STATUS_MODEL, "mlp1.0.weight: expected in model-00002-of-00002.safetensors",
           "found in model-00001-of-00002.safetensors");
    edit_index(dir, "mlp1.0.weight", "model-00001-of-00002.safetensors");
    edit_index(dir, "mlp1.9.weight", "model-00001-of-00002.safetensors");
    refuse(dir, OMMA_STATUS_MODEL, "mlp1.9.weight: expected in model-00001-of-00002.safetensors",
           "found in no shard");
    edit_index(dir, "mlp1.9.weight", NULL);
    edit_index(dir, "mlp1.0.weight", NULL);
    refuse(dir, OMMA_STATUS_MODEL, "mlp1.0.weight: expected in the index",
           "found in model-00001-of-00002.safetensors alone");
    free(dir);
}

static void test_b3_tensor_in_two_shards(void **state)
{
    struct omma_test_checkpoint checkpoint;
    char *dir = omma_test_folder();

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    omma_test_checkpoint_add(&checkpoint, "mlp1.0.weight", 1, (const size_t[]){64});
    omma_test_checkpoint_write(&checkpoint, dir, 2);
    refuse(dir, OMMA_STATUS_MODEL, "mlp1.0.weight: expected in one shard", "found in model-0000");
    omma_test_checkpoint_free(&checkpoint);
    free(dir);
}

static void test_b4_names_that_lead_elsewhere(void **state)
{
    static const char *const names[] = {
        "../model-00001-of-00002.safetensors", "/etc/passwd", "..", ".", "", "a/b.safetensors"};
    char *dir = make_folder(2);

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        edit_index(dir, "mlp1.0.weight", names[i]);
        refuse(dir, OMMA_STATUS_MODEL,
               "weight_map.mlp1.0.weight: expected the name of a file in this folder", names[i]);
    }
    free(dir);
}

static void test_b4_damaged_index(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{}", "weight_map: expected an object, found nothing"},
        {"{\"weight_map\": []}", "weight_map: expected an object, found []"},
        {"{\"weight_map\": {}}", "weight_map: expected at least one tensor"},
        {"{\"weight_map\": {\"a\": 1}}", "weight_map.a: expected the name of a file"},
        {"{\"weight_map\": {\"a\": \"x\", \"a\": \"y\"}}", "@"},
        {"", "@0"},
    };
    char *dir = make_folder(2), *path = omma_test_join(dir, index_name);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        omma_test_write(path, cases[i].text, strlen(cases[i].text));
        refuse(dir, OMMA_STATUS_MODEL, index_name, cases[i].message);
    }
    free(path);
    free(dir);
}

static void keep_message(void *user, enum omma_log_level level, const char *message)
{
    if (level == OMMA_LOG_WARNING) {
        snprintf(user, 1000, "%s", message);
    }
}

static void test_b5_total_size_differs(void **state)
{
    char *dir = make_folder(2), *path = omma_test_join(dir, index_name);
    json_t *root = json_load_file(path, 0, NULL);
    char kept[1000] = "";
    const struct omma_model_options options = {.log = {.write = keep_message, .user = kept}};
    struct omma_model *model = NULL;
    struct omma_error error;
    char *text;

    (void)state;
    assert_ok(omma_model_open(dir, &options, &model, &error));
    assert_string_equal(kept, "");
    omma_model_close(&model);
    json_object_set_new(json_object_get(root, "metadata"), "total_size", json_integer(7));
    text = json_dumps(root, 0);
    omma_test_write(path, text, strlen(text));
    assert_ok(omma_model_open(dir, &options, &model, &error));
    assert_non_null(strstr(kept, "metadata.total_size: expected"));
    assert_non_null(strstr(kept, "found 7"));
    omma_model_close(&model);
    json_decref(root);
    free(text);
    free(path);
    free(dir);
}

struct digests {
    size_t n;
    char names[16][40];
    char hex[16][65];
};

static bool keep_digest(void *user, const char *file, uint64_t n_bytes, const char *sha256)
{
    struct digests *digests = user;

    assert_true(n_bytes > 0 && digests->n < 16);
    snprintf(digests->names[digests->n], 40, "%s", file);
    snprintf(digests->hex[digests->n], 65, "%s", sha256);
    return ++digests->n < 16;
}

static bool stop_at_once(void *user, const char *file, uint64_t n_bytes, const char *sha256)
{
    (void)file;
    (void)n_bytes;
    (void)sha256;
    ++*(size_t *)user;
    return false;
}

/* Row B6: shards of different revisions show in the digests of omma info --verify. */
static void test_b6_digests_of_all_files(void **state)
{
    char *dir = make_folder(2), *path = omma_test_join(dir, "model-00002-of-00002.safetensors");
    struct omma_model *model = open_model(dir);
    struct digests before = {0}, after = {0};
    char identity[65];
    struct omma_error error;
    size_t n_bytes, n_calls = 0;
    char *bytes;

    (void)state;
    assert_ok(omma_model_verify(model, keep_digest, &before, &error));
    assert_int_equal(before.n, 9);
    for (size_t i = 1; i < before.n; i++) {
        assert_true(strcmp(before.names[i - 1], before.names[i]) < 0);
    }
    assert_ok(omma_model_verify(model, stop_at_once, &n_calls, &error));
    assert_int_equal(n_calls, 1);
    snprintf(identity, sizeof identity, "%s", omma_model_info(model)->identity);
    omma_model_close(&model);
    bytes = omma_test_read(path, &n_bytes);
    bytes[n_bytes - 1] ^= 1; /* row A16: valid structure, other content */
    omma_test_write(path, bytes, n_bytes);
    model = open_model(dir);
    assert_ok(omma_model_verify(model, keep_digest, &after, &error));
    assert_int_equal(after.n, before.n);
    for (size_t i = 0; i < before.n; i++) {
        bool same = strcmp(before.hex[i], after.hex[i]) == 0;

        assert_int_equal(same, strcmp(before.names[i], "model-00002-of-00002.safetensors") != 0);
    }
    assert_string_equal(identity, omma_model_info(model)->identity); /* does not read the weights */
    omma_model_close(&model);
    free(bytes);
    free(path);
    free(dir);
}

/* Row A15, where omma info --verify asks for it. */
static void test_a15_weights_that_are_not_finite(void **state)
{
    static const struct {
        const char *dtype;
        const uint8_t bits[4];
        size_t n_bytes;
    } cases[] = {
        {"BF16", {0x80, 0x7F}, 2},            /* infinity */
        {"F16", {0x01, 0xFC}, 2},             /* NaN */
        {"F32", {0x00, 0x00, 0xC0, 0xFF}, 4}, /* NaN */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct omma_test_checkpoint checkpoint;
        struct digests digests = {0};
        char *dir = omma_test_folder();
        struct omma_test_tensor *tensor;
        struct omma_model *model;
        struct omma_error error;

        omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
        tensor = omma_test_checkpoint_find(&checkpoint, "mlp1.1.weight");
        omma_test_tensor_convert(tensor, cases[i].dtype);
        memcpy(tensor->data + 7 * cases[i].n_bytes, cases[i].bits, cases[i].n_bytes);
        omma_test_checkpoint_write(&checkpoint, dir, 1);
        model = open_model(dir);
        assert_fails(OMMA_STATUS_MODEL, "mlp1.1.weight @",
                     omma_model_verify(model, keep_digest, &digests, &error));
        assert_non_null(strstr(error.message, "NaN or infinity at element 7"));
        omma_model_close(&model);
        omma_test_checkpoint_free(&checkpoint);
        free(dir);
    }
}

static size_t count_descriptors(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 256; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

/* Rows B7 and J17: nothing stays open, whether it worked or not. */
static void test_no_descriptor_stays_open(void **state)
{
    char *dir = make_folder(3), *path = omma_test_join(dir, "model-00002-of-00003.safetensors");
    size_t before = count_descriptors();
    struct omma_model *model = open_model(dir);

    (void)state;
    assert_int_equal(count_descriptors(), before);
    omma_model_close(&model);
    unlink(path);
    refuse(dir, OMMA_STATUS_MODEL, "No such file", "");
    assert_int_equal(count_descriptors(), before);
    free(path);
    free(dir);
}

/* ------------------------------------------------------------------------------------------------
 * Limits: each in a child of its own
 * --------------------------------------------------------------------------------------------- */

static int open_under_limit(const char *dir, int resource, rlim_t limit, const char *text)
{
    const struct rlimit wanted = {limit, limit};
    struct omma_model *model = NULL;
    struct omma_error error = {0};
    enum omma_status status;

    setrlimit(resource, &wanted);
    status = omma_model_open(dir, NULL, &model, &error);
    if (text != NULL && strstr(error.message, text) == NULL) {
        return 99;
    }
    return (int)status;
}

static int in_child(const char *dir, int resource, rlim_t limit, const char *text)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        _exit(open_under_limit(dir, resource, limit, text));
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* As few descriptors as the process has open, and one. */
static void test_b7_more_shards_than_descriptors(void **state)
{
    char *dir = make_folder(40);
    int next = open("/dev/null", O_RDONLY);

    (void)state;
    close(next);
    assert_int_equal(in_child(dir, RLIMIT_NOFILE, (rlim_t)next + 2, NULL), OMMA_OK);
    free(dir);
}

static void test_j1_limit_of_descriptors(void **state)
{
    char *dir = make_folder(1);

    (void)state;
    assert_int_equal(in_child(dir, RLIMIT_NOFILE, 0, "ulimit -n"), OMMA_STATUS_RESOURCES);
    free(dir);
}

static void test_j1_limit_of_address_space(void **state)
{
#ifdef UNDER_ASAN
    (void)state;
    skip(); /* the sanitizer takes terabytes of address space */
#else
    const struct omma_model_shape shape = {.size = "1B", .n_layers = 1, .n_vision_layers = 1};
    char *dir = omma_test_folder();
    struct omma_error error;

    (void)state;
    assert_ok(omma_model_generate_folder(&shape, dir, &error)); /* half a gigabyte */
    assert_int_equal(in_child(dir, RLIMIT_AS, (rlim_t)400 << 20, "ulimit -v"),
                     OMMA_STATUS_RESOURCES);
    free(dir);
#endif
}

/* ------------------------------------------------------------------------------------------------
 * Changes underneath
 * --------------------------------------------------------------------------------------------- */

/* Write one byte in place and give the file another time, which a quick test would not. */
static void touch(const char *path, size_t at)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000000000}};
    int fd = open(path, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "\x55", 1, (off_t)at), 1);
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

static void test_j11_overwritten_in_place(void **state)
{
    char *dir = make_folder(2), *path = omma_test_join(dir, "model-00001-of-00002.safetensors");
    struct omma_model *model = open_model(dir);
    struct digests digests = {0};
    struct omma_error error;

    (void)state;
    assert_ok(omma_model_check(model, &error));
    touch(path, 20000);
    assert_fails(OMMA_STATUS_CHANGED, path, omma_model_check(model, &error));
    assert_fails(OMMA_STATUS_CHANGED, "written to since it was opened",
                 omma_model_verify(model, keep_digest, &digests, &error));
    omma_model_close(&model);
    free(path);
    free(dir);
}

static void test_j11_tokenizer_overwritten_in_place(void **state)
{
    char *dir = make_folder(1), *path = omma_test_join(dir, "vocab.json");
    struct omma_model *model = open_model(dir);
    struct omma_error error;

    (void)state;
    touch(path, 3);
    assert_fails(OMMA_STATUS_CHANGED, "vocab.json", omma_model_check(model, &error));
    omma_model_close(&model);
    free(path);
    free(dir);
}

/* A download that renames over the file leaves the mapping what it was. */
static void test_j12_replaced_by_rename(void **state)
{
    char *dir = make_folder(1), *other = make_folder(1);
    char *path = omma_test_join(dir, "model.safetensors");
    char *from = omma_test_join(other, "model.safetensors");
    struct omma_model *model = open_model(dir);
    const uint8_t *data = model->weights.language.lm_head.weight.data;
    uint8_t before[64];
    struct omma_error error;

    (void)state;
    memcpy(before, data, sizeof before);
    touch(from, 30000);
    assert_int_equal(rename(from, path), 0);
    assert_ok(omma_model_check(model, &error));
    assert_memory_equal(data, before, sizeof before);
    unlink(path);
    assert_ok(omma_model_check(model, &error));
    omma_model_close(&model);
    free(path);
    free(from);
    free(dir);
    free(other);
}

static struct {
    sigjmp_buf back;
    const struct omma_model *model;
    const char *file, *tensor;
    uint64_t offset;
    bool found;
} fault;

static void on_sigbus(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    fault.found =
        omma_model_locate(fault.model, info->si_addr, &fault.file, &fault.tensor, &fault.offset);
    siglongjmp(fault.back, 1);
}

/* J13, a disk that fails, raises the same signal. */
static void test_j10_truncated_while_mapped(void **state)
{
    static const char name[] = "vision_model.embeddings.position_embedding";
    const struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
    char *dir = make_folder(1), *path = omma_test_join(dir, "model.safetensors");
    struct omma_model *model = open_model(dir);
    const struct omma_matrix *matrix = &model->weights.vision.position_embedding;
    const uint8_t *data = matrix->data;
    size_t at = 1024 * 16 * 2; /* its last row */
    struct sigaction before;
    struct omma_error error;
    volatile uint8_t seen = 0;

    (void)state;
    fault.model = model;
    sigaction(SIGBUS, &action, &before);
    assert_int_equal(truncate(path, 8192), 0);
    if (sigsetjmp(fault.back, 1) == 0) {
        seen = data[at];
        fail_msg("a byte behind the end of the file was read: %d", seen);
    }
    sigaction(SIGBUS, &before, NULL);
    assert_true(fault.found);
    assert_string_equal(fault.file, path);
    assert_string_equal(fault.tensor, name);
    assert_true(fault.offset ==
                (uint64_t)(data + at - model->checkpoint->tensors[0].file->mapping.bytes));
    assert_fails(OMMA_STATUS_CHANGED, "found 8192", omma_model_check(model, &error));
    omma_model_close(&model);
    free(path);
    free(dir);
}

static void test_locate(void **state)
{
    char *dir = make_folder(2);
    struct omma_model *model = open_model(dir);
    const struct omma_checkpoint *checkpoint = model->checkpoint;
    const char *file = NULL, *tensor = NULL;
    uint64_t offset = 0;
    int elsewhere = 0;

    (void)state;
    assert_false(omma_model_locate(model, &elsewhere, &file, &tensor, &offset));
    assert_false(omma_model_locate(model, NULL, &file, &tensor, &offset));
    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        const struct omma_checkpoint_tensor *at = &checkpoint->tensors[i];
        const uint8_t *last = (const uint8_t *)at->tensor->data + at->tensor->n_bytes - 1;

        assert_true(omma_model_locate(model, last, &file, &tensor, &offset));
        assert_string_equal(file, at->file->mapping.path);
        assert_string_equal(tensor, at->tensor->name);
        assert_true(offset == (uint64_t)(last - at->file->mapping.bytes));
    }
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        assert_true(
            omma_model_locate(model, checkpoint->files[i].mapping.bytes, &file, &tensor, &offset));
        assert_string_equal(tensor, checkpoint->files[i].is_weights ? "header" : "content");
        assert_true(offset == 0);
    }
    omma_model_close(&model);
    free(dir);
}

static void test_identity_follows_every_file_that_is_read(void **state)
{
    static const char *const names[] = {"config.json", "vocab.json", "merges.txt"};
    char *dir = make_folder(1);
    struct omma_model *model = open_model(dir);
    char identity[65];

    (void)state;
    snprintf(identity, sizeof identity, "%s", omma_model_info(model)->identity);
    omma_model_close(&model);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = omma_test_join(dir, names[i]);
        size_t n_bytes;
        char *text = omma_test_read(path, &n_bytes);

        text[n_bytes] = '\n'; /* white space alone */
        omma_test_write(path, text, n_bytes + 1);
        model = open_model(dir);
        assert_string_not_equal(identity, omma_model_info(model)->identity);
        snprintf(identity, sizeof identity, "%s", omma_model_info(model)->identity);
        omma_model_close(&model);
        free(text);
        free(path);
    }
    free(dir);
}

static void test_a17_folders_without_safetensors(void **state)
{
    static const char *const names[] = {"pytorch_model.bin", "model-q4.gguf",
                                        "weights.safetensors"};
    char *dir = make_folder(1), *weights = omma_test_join(dir, "model.safetensors");
    char *as_file = omma_test_join(dir, "config.json");

    (void)state;
    unlink(weights);
    refuse(dir, OMMA_STATUS_MODEL, "found neither", dir);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = omma_test_join(dir, names[i]);

        omma_test_write(path, "x", 1);
        refuse(dir, OMMA_STATUS_MODEL, names[i], "expected model.safetensors");
        unlink(path);
        free(path);
    }
    refuse(as_file, OMMA_STATUS_MODEL, "config.json", "expected the folder of a model");
    refuse("/nowhere/at/all", OMMA_STATUS_MODEL, "/nowhere/at/all", "No such file");
    free(as_file);
    free(weights);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shards_equal_one_file),
        cmocka_unit_test(test_symbolic_links_of_the_hub_cache),
        cmocka_unit_test(test_b1_missing_shard),
        cmocka_unit_test(test_b2_tensor_not_where_the_index_says),
        cmocka_unit_test(test_b3_tensor_in_two_shards),
        cmocka_unit_test(test_b4_names_that_lead_elsewhere),
        cmocka_unit_test(test_b4_damaged_index),
        cmocka_unit_test(test_b5_total_size_differs),
        cmocka_unit_test(test_b6_digests_of_all_files),
        cmocka_unit_test(test_a15_weights_that_are_not_finite),
        cmocka_unit_test(test_no_descriptor_stays_open),
        cmocka_unit_test(test_b7_more_shards_than_descriptors),
        cmocka_unit_test(test_j1_limit_of_descriptors),
        cmocka_unit_test(test_j1_limit_of_address_space),
        cmocka_unit_test(test_j10_truncated_while_mapped),
        cmocka_unit_test(test_j11_overwritten_in_place),
        cmocka_unit_test(test_j11_tokenizer_overwritten_in_place),
        cmocka_unit_test(test_j12_replaced_by_rename),
        cmocka_unit_test(test_locate),
        cmocka_unit_test(test_identity_follows_every_file_that_is_read),
        cmocka_unit_test(test_a17_folders_without_safetensors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
