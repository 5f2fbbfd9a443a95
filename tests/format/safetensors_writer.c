/* Headers that are written, and read again by the reader. */
#include <stdlib.h>
#include <string.h>

#include "format/safetensors.h"
#include "format/safetensors_writer.h"
#include "support/support.h"

/* The header, and zeroes for data, as a file; opened. */
static struct omma_safetensors *write_and_open(const struct omma_safetensors_writer *writer,
                                               struct omma_mapping *mapping)
{
    size_t n_bytes = writer->n_bytes + (size_t)writer->n_data_bytes;
    char *dir = omma_test_folder(), *path = omma_test_join(dir, "x.safetensors");
    struct omma_safetensors *file = NULL;
    char *bytes = calloc(n_bytes, 1);
    struct omma_error error;

    assert_non_null(bytes);
    memcpy(bytes, writer->text, writer->n_bytes);
    omma_test_write(path, bytes, n_bytes);
    assert_ok(omma_mapping_open(path, mapping, &error));
    assert_ok(omma_safetensors_open(mapping, &file, &error));
    free(bytes);
    free(path);
    free(dir);
    return file;
}

static void test_the_reader_finds_what_was_added(void **state)
{
    struct omma_safetensors_writer writer = {0};
    struct omma_safetensors *file;
    struct omma_mapping mapping;
    struct omma_error error;
    uint64_t offset = 99;
    const struct omma_tensor *tensor;

    (void)state;
    assert_ok(omma_safetensors_writer_note(&writer, "format", "pt", &error));
    assert_ok(omma_safetensors_writer_add(&writer, "a", "BF16", 2, (size_t[]){3, 5}, 30, &offset,
                                          &error));
    assert_int_equal(offset, 0);
    assert_ok(omma_safetensors_writer_add(&writer, "scalar", "F32", 0, NULL, 4, NULL, &error));
    assert_ok(
        omma_safetensors_writer_add(&writer, "b", "I8", 1, (size_t[]){7}, 7, &offset, &error));
    assert_int_equal(offset, 34);
    assert_ok(omma_safetensors_writer_end(&writer, 64, &error));
    assert_int_equal(writer.n_bytes % 64, 0);
    assert_int_equal(writer.n_data_bytes, 41);

    file = write_and_open(&writer, &mapping);
    assert_int_equal(omma_safetensors_count(file), 3);
    assert_int_equal(omma_safetensors_header_bytes(file), writer.n_bytes);
    assert_string_equal(omma_safetensors_metadata(file, "format"), "pt");
    tensor = omma_safetensors_find(file, "a");
    assert_string_equal(tensor->dtype, "BF16");
    assert_int_equal(tensor->n_dimensions, 2);
    assert_int_equal(tensor->shape[1], 5);
    tensor = omma_safetensors_find(file, "b");
    assert_ptr_equal(tensor->data, mapping.bytes + writer.n_bytes + 34);
    omma_safetensors_close(&file);
    omma_mapping_close(&mapping);
    omma_safetensors_writer_free(&writer);
    assert_null(writer.text);
}

/* As the reference's serializer writes it. */
static void test_exact_bytes(void **state)
{
    static const char expected[] =
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    struct omma_safetensors_writer writer = {0};
    struct omma_error error;

    (void)state;
    assert_ok(omma_safetensors_writer_add(&writer, "w", "F32", 1, (size_t[]){2}, 8, NULL, &error));
    assert_ok(omma_safetensors_writer_end(&writer, 8, &error));
    assert_int_equal(writer.n_bytes, 8 + 56);
    assert_memory_equal(writer.text, "\x38\0\0\0\0\0\0\0", 8);
    assert_memory_equal(writer.text + 8, expected, sizeof expected - 1);
    for (size_t i = 8 + sizeof expected - 1; i < writer.n_bytes; i++) {
        assert_int_equal(writer.text[i], ' ');
    }
    omma_safetensors_writer_free(&writer);
}

static void test_without_tensors(void **state)
{
    struct omma_safetensors_writer writer = {0};
    struct omma_safetensors *file;
    struct omma_mapping mapping;
    struct omma_error error;

    (void)state;
    assert_ok(omma_safetensors_writer_end(&writer, 8, &error));
    file = write_and_open(&writer, &mapping);
    assert_int_equal(omma_safetensors_count(file), 0);
    omma_safetensors_close(&file);
    omma_mapping_close(&mapping);
    omma_safetensors_writer_free(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_reader_finds_what_was_added),
        cmocka_unit_test(test_exact_bytes),
        cmocka_unit_test(test_without_tensors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
