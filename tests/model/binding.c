/* Tensors to fields: every form of names, every dtype, rows A10-A12 and A18 of the fault model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/binding.h"
#include "model/model.h"
#include "support/checkpoint.h"
#include "support/quantized.h"
#include "support/support.h"

static struct omma_model *open_written(const struct omma_test_checkpoint *checkpoint)
{
    char *dir = omma_test_folder();
    struct omma_model *model = NULL;
    struct omma_error error;

    omma_test_checkpoint_write(checkpoint, dir, 1);
    assert_ok(omma_model_open(dir, NULL, &model, &error));
    free(dir);
    return model;
}

static void refuse_written(const struct omma_test_checkpoint *checkpoint, const char *const *texts)
{
    char *dir = omma_test_folder();
    struct omma_model *model = NULL;
    struct omma_error error;

    omma_test_checkpoint_write(checkpoint, dir, 1);
    for (size_t i = 0; texts[i] != NULL; i++) {
        assert_fails(OMMA_STATUS_MODEL, texts[i], omma_model_open(dir, NULL, &model, &error));
    }
    assert_null(model);
    free(dir);
}

/* Elements of a matrix that may be of any dtype. */
static void same_matrix(const struct omma_matrix *a, const struct omma_matrix *b)
{
    assert_int_equal(a->n_rows, b->n_rows);
    assert_int_equal(a->n_columns, b->n_columns);
    assert_int_equal(a->group, b->group);
    assert_int_equal(a->scales == NULL, b->scales == NULL);
    for (size_t i = 0; a->scales != NULL && i < a->n_columns / a->group; i++) {
        assert_memory_equal(a->scales + i * a->scales_stride, b->scales + i * b->scales_stride,
                            a->n_rows * sizeof *a->scales);
    }
    if (a->dtype == b->dtype) {
        assert_memory_equal(a->data, b->data,
                            a->n_rows * a->n_columns * omma_dtype_bytes(a->dtype));
    }
}

static void same_vector(const float *a, const float *b, size_t n)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a != NULL) {
        assert_memory_equal(a, b, n * sizeof *a);
    }
}

static void same_linear(const struct omma_linear *a, const struct omma_linear *b)
{
    same_matrix(&a->weight, &b->weight);
    same_vector(a->bias, b->bias, a->weight.n_rows);
}

static void same_weights(const struct omma_model *a, const struct omma_model *b)
{
    const struct omma_weights *x = &a->weights, *y = &b->weights;

    same_vector(x->vision.class_embedding, y->vision.class_embedding, 16);
    same_matrix(&x->vision.position_embedding, &y->vision.position_embedding);
    same_linear(&x->vision.patch_embedding, &y->vision.patch_embedding);
    for (size_t i = 0; i < 2; i++) {
        const struct omma_vision_layer *v = &x->vision.layers[i], *w = &y->vision.layers[i];
        const struct omma_language_layer *l = &x->language.layers[i], *m = &y->language.layers[i];

        same_vector(v->norm1.weight, w->norm1.weight, 16);
        same_vector(v->norm1.bias, w->norm1.bias, 16);
        same_vector(v->norm2.weight, w->norm2.weight, 16);
        same_vector(v->norm2.bias, w->norm2.bias, 16);
        same_linear(&v->q, &w->q);
        same_linear(&v->k, &w->k);
        same_linear(&v->v, &w->v);
        same_vector(v->q_norm, w->q_norm, 16);
        same_vector(v->k_norm, w->k_norm, 16);
        same_linear(&v->projection, &w->projection);
        same_linear(&v->fc1, &w->fc1);
        same_linear(&v->fc2, &w->fc2);
        same_vector(v->scale1, w->scale1, 16);
        same_vector(v->scale2, w->scale2, 16);
        same_vector(l->attention_norm, m->attention_norm, 24);
        same_vector(l->ffn_norm, m->ffn_norm, 24);
        same_linear(&l->q, &m->q);
        same_linear(&l->k, &m->k);
        same_linear(&l->v, &m->v);
        same_linear(&l->o, &m->o);
        same_linear(&l->gate, &m->gate);
        same_linear(&l->up, &m->up);
        same_linear(&l->down, &m->down);
    }
    same_vector(x->projector.norm.weight, y->projector.norm.weight, 64);
    same_vector(x->projector.norm.bias, y->projector.norm.bias, 64);
    same_linear(&x->projector.fc1, &y->projector.fc1);
    same_linear(&x->projector.fc2, &y->projector.fc2);
    same_matrix(&x->language.embedding, &y->language.embedding);
    same_vector(x->language.norm, y->language.norm, 24);
    same_linear(&x->language.lm_head, &y->language.lm_head);
}

static void test_every_form_of_names(void **state)
{
    (void)state;
    for (int tower = OMMA_TEST_300M; tower <= OMMA_TEST_6B; tower++) {
        struct omma_test_checkpoint checkpoint;
        struct omma_model *original;

        omma_test_checkpoint_init(&checkpoint, (enum omma_test_tower)tower);
        original = open_written(&checkpoint);
        omma_test_checkpoint_free(&checkpoint);
        assert_int_equal(original->weights.vision.layers[1].q_norm != NULL, tower == OMMA_TEST_6B);
        assert_int_equal(original->weights.vision.layers[1].v.bias != NULL,
                         tower == OMMA_TEST_300M);
        for (int form = OMMA_TEST_HF_PUBLISHED; form <= OMMA_TEST_HF_NEWER; form++) {
            struct omma_model *model;

            omma_test_checkpoint_init(&checkpoint, (enum omma_test_tower)tower);
            omma_test_checkpoint_to_hf(&checkpoint, (enum omma_test_hf)form);
            model = open_written(&checkpoint);
            assert_string_equal(omma_model_info(model)->layout, "hf");
            assert_true(omma_model_info(model)->n_parameters ==
                        omma_model_info(original)->n_parameters);
            same_weights(original, model);
            omma_model_close(&model);
            omma_test_checkpoint_free(&checkpoint);
        }
        omma_model_close(&original);
    }
}

/* The bytes of each field are those of the tensor that it is named after. */
static void test_fields_hold_their_tensors(void **state)
{
    struct omma_test_checkpoint checkpoint;
    struct omma_model *model;
    const struct omma_test_tensor *tensor;

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    model = open_written(&checkpoint);
    tensor =
        omma_test_checkpoint_find(&checkpoint, "vision_model.encoder.layers.1.attn.qkv.weight");
    assert_memory_equal(model->weights.vision.layers[1].k.weight.data,
                        tensor->data + tensor->n_bytes / 3, tensor->n_bytes / 3);
    tensor = omma_test_checkpoint_find(&checkpoint, "vision_model.encoder.layers.0.mlp.fc2.weight");
    assert_memory_equal(model->weights.vision.layers[0].fc2.weight.data, tensor->data,
                        tensor->n_bytes);
    tensor = omma_test_checkpoint_find(&checkpoint, "mlp1.3.weight");
    assert_memory_equal(model->weights.projector.fc2.weight.data, tensor->data, tensor->n_bytes);
    tensor = omma_test_checkpoint_find(&checkpoint,
                                       "language_model.model.layers.1.mlp.gate_proj.weight");
    assert_memory_equal(model->weights.language.layers[1].gate.weight.data, tensor->data,
                        tensor->n_bytes);
    tensor = omma_test_checkpoint_find(
        &checkpoint, "language_model.model.layers.1.post_attention_layernorm.weight");
    for (size_t i = 0; i < 24; i++) {
        uint32_t bits = (uint32_t)(tensor->data[2 * i] | tensor->data[2 * i + 1] << 8) << 16;

        assert_memory_equal(&model->weights.language.layers[1].ffn_norm[i], &bits, 4);
    }
    omma_model_close(&model);
    omma_test_checkpoint_free(&checkpoint);
}

static void test_f32_and_f16(void **state)
{
    static const char *const dtypes[] = {"F32", "F16"}, *const names[] = {"f32", "f16"};
    struct omma_test_checkpoint checkpoint;
    struct omma_model *bf16;

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_6B);
    bf16 = open_written(&checkpoint);
    assert_true(bf16->weights.all_bf16);
    for (size_t i = 0; i < 2; i++) {
        struct omma_model *model;

        for (size_t k = 0; k < checkpoint.n_tensors; k++) {
            omma_test_tensor_convert(&checkpoint.tensors[k], dtypes[i]);
        }
        model = open_written(&checkpoint);
        assert_string_equal(omma_model_info(model)->weight_dtype, names[i]);
        assert_false(model->weights.all_bf16);
        same_weights(bf16, model); /* vectors to the bit */
        omma_model_close(&model);
    }
    omma_test_tensor_convert(&checkpoint.tensors[6], "BF16"); /* mlp1.1.weight */
    omma_model_close(&bf16);
    bf16 = open_written(&checkpoint);
    assert_string_equal(omma_model_info(bf16)->weight_dtype, "mixed");
    assert_false(bf16->weights.all_bf16);
    omma_model_close(&bf16);
    omma_test_checkpoint_free(&checkpoint);
}

/* A header one byte longer shifts every tensor off its alignment. */
static void test_a10_unaligned_tensors_are_copied(void **state)
{
    struct omma_test_checkpoint checkpoint;
    struct omma_model *aligned;
    struct omma_model shifted = {0};
    struct omma_binding binding;
    char *dir = omma_test_folder(), *path = omma_test_join(dir, "model.safetensors");
    struct omma_error error;
    char *bytes;
    size_t n_bytes;

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    for (size_t i = 0; i < checkpoint.n_tensors; i += 2) {
        omma_test_tensor_convert(&checkpoint.tensors[i], "F32");
    }
    aligned = open_written(&checkpoint);
    omma_test_checkpoint_write(&checkpoint, dir, 1);
    bytes = omma_test_read(path, &n_bytes); /* a header one byte longer */
    bytes = realloc(bytes, n_bytes + 1);
    assert_non_null(bytes);
    {
        size_t n_header = (size_t)(uint8_t)bytes[0] | (size_t)(uint8_t)bytes[1] << 8;

        memmove(bytes + 8 + n_header + 1, bytes + 8 + n_header, n_bytes - 8 - n_header);
        bytes[8 + n_header] = ' ';
        n_header++;
        bytes[0] = (char)n_header;
        bytes[1] = (char)(n_header >> 8);
    }
    omma_test_write(path, bytes, n_bytes + 1);
    assert_ok(omma_config_read(dir, &shifted.arena, &shifted.config, &error));
    assert_ok(omma_checkpoint_open(dir, NULL, &shifted.checkpoint, &error));
    assert_ok(omma_weights_bind(shifted.checkpoint, &shifted.config, &shifted.arena,
                                &shifted.weights, &binding, &error));
    assert_int_equal(binding.mapped_bytes, 0);
    assert_int_equal((uintptr_t)shifted.weights.language.lm_head.weight.data % 64, 0);
    same_weights(aligned, &shifted);
    omma_checkpoint_close(&shifted.checkpoint);
    omma_arena_free(&shifted.arena);
    omma_model_close(&aligned);
    omma_test_checkpoint_free(&checkpoint);
    free(bytes);
    free(path);
    free(dir);
}

static void test_a11_no_matrix_where_one_is_due(void **state)
{
    static const char *const texts[] = {
        "2 of another shape or type",
        "mlp1.1.weight: expected [24, 64], found BF16 []",
        "language_model.lm_head.weight: expected [640, 24], found BF16 [0, 24]",
        NULL,
    };
    struct omma_test_checkpoint checkpoint;

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    omma_test_tensor_reshape(omma_test_checkpoint_find(&checkpoint, "mlp1.1.weight"), 0, NULL);
    omma_test_tensor_reshape(
        omma_test_checkpoint_find(&checkpoint, "language_model.lm_head.weight"), 2,
        (const size_t[]){0, 24});
    refuse_written(&checkpoint, texts);
    omma_test_checkpoint_free(&checkpoint);
}

static void test_a12_all_faults_in_one_message(void **state)
{
    static const char *const texts[] = {
        "2 missing:\n  vision_model.encoder.layers.1.ls2\n  mlp1.3.bias",
        "3 of another shape or type:",
        "  vision_model.embeddings.class_embedding: expected [1, 1, 16], found BF16 [16]",
        "  mlp1.0.weight: expected [64], found BF16 [65]",
        "  mlp1.1.weight: expected BF16, F16 or F32 [24, 64], found I8 [24, 64]",
        "2 unexpected:\n  language_model.model.layers.2.input_layernorm.weight\n"
        "  vision_model.head.weight",
        NULL,
    };
    struct omma_test_checkpoint checkpoint;
    struct omma_test_tensor *tensor;

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    omma_test_checkpoint_remove(&checkpoint, "vision_model.encoder.layers.1.ls2");
    omma_test_checkpoint_remove(&checkpoint, "mlp1.3.bias");
    omma_test_checkpoint_add(&checkpoint, "vision_model.head.weight", 1, (const size_t[]){3});
    omma_test_checkpoint_add(&checkpoint, "language_model.model.layers.2.input_layernorm.weight", 1,
                             (const size_t[]){24});
    omma_test_tensor_reshape(omma_test_checkpoint_find(&checkpoint, "mlp1.0.weight"), 1,
                             (const size_t[]){65});
    omma_test_tensor_reshape(
        omma_test_checkpoint_find(&checkpoint, "vision_model.embeddings.class_embedding"), 1,
        (const size_t[]){16});
    tensor = omma_test_checkpoint_find(&checkpoint, "mlp1.1.weight");
    strcpy(tensor->dtype, "I8");
    tensor->n_bytes /= 2;
    refuse_written(&checkpoint, texts);
    omma_test_checkpoint_free(&checkpoint);
}

static void test_a12_long_lists_are_counted(void **state)
{
    static const char *const texts[] = {"20 unexpected:", "\n  and 8 more", NULL};
    struct omma_test_checkpoint checkpoint;
    char name[80];

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "more.%d", i);
        omma_test_checkpoint_add(&checkpoint, name, 1, (const size_t[]){1});
    }
    refuse_written(&checkpoint, texts);
    omma_test_checkpoint_free(&checkpoint);
}

/* Row C7, and pitfall 11: the tensors decide, a config that differs is refused. */
static void test_c7_vocabulary(void **state)
{
    static const char *const smaller[] = {"found BF16 [600, 24]", NULL};
    static const char *const few[] = {"found 600 rows", "each of the tokenizer's 621 ids", NULL};
    struct omma_test_checkpoint checkpoint;
    static const char *const names[] = {"language_model.model.embed_tokens.weight",
                                        "language_model.lm_head.weight"};

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    for (size_t i = 0; i < 2; i++) {
        omma_test_tensor_reshape(omma_test_checkpoint_find(&checkpoint, names[i]), 2,
                                 (const size_t[]){600, 24});
    }
    refuse_written(&checkpoint, smaller);
    json_object_set_new(json_object_get(checkpoint.config, "llm_config"), "vocab_size",
                        json_integer(600));
    json_object_del(json_object_get(checkpoint.config, "llm_config"), "eos_token_id");
    refuse_written(&checkpoint, few);
    omma_test_checkpoint_free(&checkpoint);
}

static void test_head_under_its_names_or_tied(void **state)
{
    static const char *const names[] = {"lm_head.weight", "model.language_model.lm_head.weight"};
    static const char *const missing[] = {"1 missing:\n  language_model.lm_head.weight", NULL};
    static const char *const twice[] = {"1 unexpected:\n  lm_head.weight", NULL};
    struct omma_test_checkpoint checkpoint;
    struct omma_test_tensor *head;
    struct omma_model *model;
    json_t *language;

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    head = omma_test_checkpoint_find(&checkpoint, "language_model.lm_head.weight");
    language = json_object_get(checkpoint.config, "llm_config");
    for (size_t i = 0; i < 2; i++) {
        strcpy(head->name, names[i]);
        model = open_written(&checkpoint);
        assert_memory_equal(model->weights.language.lm_head.weight.data, head->data, head->n_bytes);
        omma_model_close(&model);
    }
    json_object_set_new(language, "tie_word_embeddings", json_true()); /* the file's head wins */
    model = open_written(&checkpoint);
    assert_ptr_not_equal(model->weights.language.lm_head.weight.data,
                         model->weights.language.embedding.data);
    omma_model_close(&model);
    omma_test_checkpoint_remove(&checkpoint, head->name);
    model = open_written(&checkpoint);
    assert_ptr_equal(model->weights.language.lm_head.weight.data,
                     model->weights.language.embedding.data);
    omma_model_close(&model);
    json_object_set_new(language, "tie_word_embeddings", json_false());
    refuse_written(&checkpoint, missing);
    omma_test_checkpoint_add(&checkpoint, "language_model.lm_head.weight", 2,
                             (const size_t[]){640, 24});
    omma_test_checkpoint_add(&checkpoint, "lm_head.weight", 2, (const size_t[]){640, 24});
    refuse_written(&checkpoint, twice);
    omma_test_checkpoint_free(&checkpoint);
}

/* The other layout ties by default: a file without a head is whole. */
static void test_hf_ties_by_default(void **state)
{
    struct omma_test_checkpoint checkpoint;
    struct omma_model *model;

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    omma_test_checkpoint_to_hf(&checkpoint, OMMA_TEST_HF_NEWER);
    omma_test_checkpoint_remove(&checkpoint, "lm_head.weight");
    model = open_written(&checkpoint);
    assert_ptr_equal(model->weights.language.lm_head.weight.data,
                     model->weights.language.embedding.data);
    omma_model_close(&model);
    omma_test_checkpoint_free(&checkpoint);
}

static void test_saved_rope_buffers_are_ignored(void **state)
{
    struct omma_test_checkpoint checkpoint;
    struct omma_model *model;

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    omma_test_checkpoint_add(&checkpoint,
                             "language_model.model.layers.0.self_attn.rotary_emb.inv_freq", 1,
                             (const size_t[]){4});
    model = open_written(&checkpoint);
    omma_model_close(&model);
    omma_test_checkpoint_free(&checkpoint);
}

/* The whole file in front of a page that must not be read: nothing that opening does reads beyond
 * the last tensor, which is a vector here. */
static void test_a18_nothing_is_read_past_the_last_tensor(void **state)
{
    struct omma_test_checkpoint checkpoint;
    char *dir = omma_test_folder(), *path = omma_test_join(dir, "model.safetensors");
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n_bytes, n_pages;
    struct omma_mapping mapping = {0};
    struct omma_checkpoint *opened = NULL;
    struct omma_model model = {0};
    struct omma_binding binding;
    struct omma_error error;
    uint8_t *pages;
    char *bytes;

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    omma_test_checkpoint_write(&checkpoint, dir, 1);
    assert_string_equal(checkpoint.tensors[checkpoint.n_tensors - 1].name,
                        "language_model.model.layers.1.post_attention_layernorm.weight");
    bytes = omma_test_read(path, &n_bytes);
    n_pages = (n_bytes + page - 1) / page;
    pages = mmap(NULL, (n_pages + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                 -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + n_pages * page, page, PROT_NONE), 0);
    memcpy(pages + n_pages * page - n_bytes, bytes, n_bytes);
    mapping.bytes = pages + n_pages * page - n_bytes;
    mapping.n_bytes = n_bytes;
    mapping.path = strdup("guarded");
    assert_ok(omma_checkpoint_open_mapping(&mapping, &opened, &error));
    assert_ok(omma_config_read(dir, &model.arena, &model.config, &error));
    assert_ok(
        omma_weights_bind(opened, &model.config, &model.arena, &model.weights, &binding, &error));
    opened->files[0].mapping.bytes = NULL; /* not the checkpoint's to unmap */
    omma_checkpoint_close(&opened);
    munmap(pages, (n_pages + 1) * page);
    omma_arena_free(&model.arena);
    omma_test_checkpoint_free(&checkpoint);
    free(bytes);
    free(path);
    free(dir);
}

/* ------------------------------------------------------------------------------------------------
 * int8
 * --------------------------------------------------------------------------------------------- */

static const char *const Q_PROJ = "language_model.model.layers.1.self_attn.q_proj.weight";
static const char *const Q_SCALE = "language_model.model.layers.1.self_attn.q_proj.weight_scale";

static void test_int8_in_every_form_of_names(void **state)
{
    static const struct omma_test_quantization all = {.vision = true, .head = true};
    struct omma_test_checkpoint checkpoint;
    struct omma_model *original;
    const struct omma_language_layer *layer;
    const struct omma_test_tensor *scale;

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    omma_test_checkpoint_quantize(&checkpoint, &all);
    original = open_written(&checkpoint);
    assert_int_equal(omma_model_info(original)->n_int8_linears, 25);
    assert_true(original->weights.has_int8_language && original->weights.has_int8_vision);
    assert_true(original->weights.all_bf16);
    layer = &original->weights.language.layers[1];
    scale = omma_test_checkpoint_find(&checkpoint, Q_SCALE);
    for (size_t i = 0; i < 24; i++) {
        uint32_t bits = (uint32_t)(scale->data[2 * i] | scale->data[2 * i + 1] << 8) << 16;

        assert_memory_equal(&layer->q.weight.scales[i], &bits, 4);
    }
    assert_int_equal(layer->q.weight.dtype, OMMA_DTYPE_I8);
    assert_int_equal(layer->q.weight.group, 24);
    for (int form = OMMA_TEST_HF_PUBLISHED; form <= OMMA_TEST_HF_NEWER; form++) {
        struct omma_model *model;
        json_t *said;

        omma_test_checkpoint_free(&checkpoint);
        omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
        omma_test_checkpoint_quantize(&checkpoint, &all);
        said = json_incref(json_object_get(checkpoint.config, "quantization_config"));
        omma_test_checkpoint_to_hf(&checkpoint, (enum omma_test_hf)form);
        json_object_set_new(checkpoint.config, "quantization_config", said);
        model = open_written(&checkpoint);
        same_weights(original, model);
        omma_model_close(&model);
    }
    omma_model_close(&original);
    omma_test_checkpoint_free(&checkpoint);
}

/* Every type of scales, [rows] as well as [rows, 1]; and linears that are left as they are. */
static void test_int8_scales_of_any_type(void **state)
{
    static const char *const dtypes[] = {"BF16", "F32", "F16"};
    struct omma_test_checkpoint checkpoint;
    struct omma_test_tensor *scale;
    struct omma_model *model;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
        omma_test_checkpoint_quantize(&checkpoint, &(struct omma_test_quantization){0});
        scale = omma_test_checkpoint_find(&checkpoint, Q_SCALE);
        omma_test_tensor_convert(scale, "F32");
        for (size_t k = 0; k < 24; k++) {
            ((float *)(void *)scale->data)[k] = (float)(k + 1) / 64;
        }
        omma_test_tensor_convert(scale, dtypes[i]);
        scale->n_dimensions = 1;
        model = open_written(&checkpoint);
        for (size_t k = 0; k < 24; k++) {
            assert_true(model->weights.language.layers[1].q.weight.scales[k] ==
                        (float)(k + 1) / 64);
        }
        assert_string_equal(omma_model_info(model)->weight_dtype, "mixed");
        assert_int_equal(omma_model_info(model)->n_int8_linears, 14);
        assert_null(model->weights.language.lm_head.weight.scales);
        omma_model_close(&model);
        omma_test_checkpoint_free(&checkpoint);
    }
}

static void test_int8_groups(void **state)
{
    struct omma_test_checkpoint checkpoint;
    struct omma_test_tensor *scale;
    const struct omma_matrix *down;
    struct omma_model *model;

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    omma_test_checkpoint_widen(&checkpoint, 192);
    omma_test_checkpoint_quantize(&checkpoint, &(struct omma_test_quantization){.group = 64});
    scale = omma_test_checkpoint_find(&checkpoint,
                                      "language_model.model.layers.0.mlp.down_proj.weight_scale");
    model = open_written(&checkpoint);
    down = &model->weights.language.layers[0].down.weight;
    assert_int_equal(omma_model_info(model)->scale_group, 64);
    assert_int_equal(down->group, 64);
    for (size_t row = 0; row < 24; row++) {
        for (size_t g = 0; g < 3; g++) {
            const uint8_t *stored = scale->data + 2 * (row * 3 + g);
            uint32_t bits = (uint32_t)(stored[0] | stored[1] << 8) << 16;

            assert_memory_equal(&down->scales[g * down->scales_stride + row], &bits, 4);
        }
    }
    omma_model_close(&model);
    omma_test_checkpoint_free(&checkpoint);
}

static void set_scale(struct omma_test_checkpoint *checkpoint, size_t row, float value)
{
    struct omma_test_tensor *scale = omma_test_checkpoint_find(checkpoint, Q_SCALE);

    omma_test_tensor_convert(scale, "F32");
    ((float *)(void *)scale->data)[row] = value;
}

static void take_scale(struct omma_test_checkpoint *checkpoint)
{
    omma_test_checkpoint_remove(checkpoint, Q_SCALE);
}
static void shorten_scale(struct omma_test_checkpoint *checkpoint)
{
    omma_test_tensor_reshape(omma_test_checkpoint_find(checkpoint, Q_SCALE), 2,
                             (const size_t[]){23, 1});
}
static void widen_scale(struct omma_test_checkpoint *checkpoint)
{
    omma_test_tensor_reshape(omma_test_checkpoint_find(checkpoint, Q_SCALE), 2,
                             (const size_t[]){24, 2});
}
static void flatten_scale(struct omma_test_checkpoint *checkpoint)
{
    omma_test_tensor_reshape(omma_test_checkpoint_find(checkpoint, Q_SCALE), 0, NULL);
}
static void retype_scale(struct omma_test_checkpoint *checkpoint)
{
    strcpy(omma_test_checkpoint_find(checkpoint, Q_SCALE)->dtype, "I16");
}
static void zero_scale(struct omma_test_checkpoint *checkpoint)
{
    set_scale(checkpoint, 3, 0);
}
static void negative_scale(struct omma_test_checkpoint *checkpoint)
{
    set_scale(checkpoint, 4, -0.5f);
}
static void nan_scale(struct omma_test_checkpoint *checkpoint)
{
    set_scale(checkpoint, 5, NAN);
}
static void infinite_scale(struct omma_test_checkpoint *checkpoint)
{
    set_scale(checkpoint, 23, INFINITY);
}
static void float_weight(struct omma_test_checkpoint *checkpoint)
{
    struct omma_test_tensor *weight = omma_test_checkpoint_find(checkpoint, Q_PROJ);

    strcpy(weight->dtype, "BF16");
    omma_test_tensor_reshape(weight, 2, (const size_t[]){24, 24});
}
static void say_nothing(struct omma_test_checkpoint *checkpoint)
{
    json_object_del(checkpoint->config, "quantization_config");
}
static void add_zero_point(struct omma_test_checkpoint *checkpoint)
{
    omma_test_checkpoint_add(checkpoint,
                             "language_model.model.layers.1.self_attn.q_proj.weight_zero_point", 2,
                             (const size_t[]){24, 1});
}
static void quantize_embedding(struct omma_test_checkpoint *checkpoint)
{
    struct omma_test_tensor *weight =
        omma_test_checkpoint_find(checkpoint, "language_model.model.embed_tokens.weight");

    strcpy(weight->dtype, "I8");
    weight->n_bytes /= 2;
}

static void test_int8_faults(void **state)
{
    static const struct {
        void (*bend)(struct omma_test_checkpoint *);
        const char *texts[3];
    } cases[] = {
        {take_scale, {"1 missing:", "layers.1.self_attn.q_proj.weight_scale"}},
        {shorten_scale,
         {"layers.1.self_attn.q_proj.weight_scale: expected BF16, F16 or F32 [24, 1], [24] or a "
          "column for each 64 or 128 of 24, found BF16 [23, 1]"}},
        {widen_scale, {"found BF16 [24, 2]"}},
        {flatten_scale, {"found BF16 []"}},
        {retype_scale, {"found I16 [24, 1]"}},
        {zero_scale,
         {"1 of values that are no scales:", "layers.1.self_attn.q_proj.weight_scale: row 3, "
                                             "column 0: expected more than 0, found 0"}},
        {negative_scale, {"row 4, column 0: expected more than 0, found -0.5"}},
        {nan_scale, {"row 5, column 0: expected more than 0, found nan"}},
        {infinite_scale, {"row 23, column 0: expected more than 0, found inf"}},
        {float_weight,
         {"layers.1.self_attn.q_proj.weight: expected I8 beside its scale, [24, 24], found BF16"}},
        {say_nothing,
         {"14 of another shape or type:", "14 unexpected:",
          "expected BF16, F16 or F32 [24, 24], "
          "found I8 [24, 24]"}},
        {add_zero_point, {"1 unexpected:", "q_proj.weight_zero_point"}},
        {quantize_embedding, {"embed_tokens.weight: expected BF16, F16 or F32 [640, 24]"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *texts[4] = {cases[i].texts[0], cases[i].texts[1], cases[i].texts[2], NULL};
        struct omma_test_checkpoint checkpoint;

        omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
        omma_test_checkpoint_quantize(&checkpoint, &(struct omma_test_quantization){0});
        cases[i].bend(&checkpoint);
        refuse_written(&checkpoint, texts);
        omma_test_checkpoint_free(&checkpoint);
    }
}

/* What the library of the format wrote. */
static void test_int8_of_the_reference(void **state)
{
    OMMA_TEST_NEED_SHARED(path, "reference/tiny-300m-int8");
    struct omma_model *model = NULL;
    struct omma_error error;

    (void)state;
    assert_ok(omma_model_open(path, NULL, &model, &error));
    assert_int_equal(omma_model_info(model)->n_int8_linears, 28);
    assert_true(omma_model_info(model)->int8_activations);
    assert_false(model->weights.has_int8_vision);
    omma_model_close(&model);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_of_names),
        cmocka_unit_test(test_fields_hold_their_tensors),
        cmocka_unit_test(test_f32_and_f16),
        cmocka_unit_test(test_a10_unaligned_tensors_are_copied),
        cmocka_unit_test(test_a11_no_matrix_where_one_is_due),
        cmocka_unit_test(test_a12_all_faults_in_one_message),
        cmocka_unit_test(test_a12_long_lists_are_counted),
        cmocka_unit_test(test_c7_vocabulary),
        cmocka_unit_test(test_head_under_its_names_or_tied),
        cmocka_unit_test(test_hf_ties_by_default),
        cmocka_unit_test(test_saved_rope_buffers_are_ignored),
        cmocka_unit_test(test_a18_nothing_is_read_past_the_last_tensor),
        cmocka_unit_test(test_int8_in_every_form_of_names),
        cmocka_unit_test(test_int8_scales_of_any_type),
        cmocka_unit_test(test_int8_groups),
        cmocka_unit_test(test_int8_faults),
        cmocka_unit_test(test_int8_of_the_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
