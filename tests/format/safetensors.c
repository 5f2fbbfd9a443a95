/* Headers of safetensors files: rows A of the fault model, each with a crafted file. */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/omma.h"
#include "format/safetensors.h"
#include "support/checkpoint.h"
#include "support/support.h"

#define TENSOR(name, dtype, shape, begin, end)                                                     \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end   \
    "]}"

/* One folder for all files of this program. */
static const char *folder(void)
{
    static char *made;

    made = made != NULL ? made : omma_test_folder();
    return made;
}

static char *write_header(const char *header, size_t n_header, size_t n_data)
{
    char *path = omma_test_join(folder(), "model.safetensors");

    omma_test_write_safetensors(path, header, n_header, n_data);
    return path;
}

/* A file with this header and n_data bytes must be refused with a message that holds all texts. */
static void refuse_bytes(const char *header, size_t n_header, size_t n_data, const char *one,
                         const char *other)
{
    char *path = write_header(header, n_header, n_data);
    struct omma_tensor_file *file = NULL;
    struct omma_error error;

    assert_fails(OMMA_STATUS_MODEL, one, omma_tensor_file_open(path, &file, &error));
    assert_non_null(strstr(error.message, other));
    assert_non_null(strstr(error.message, "model.safetensors"));
    assert_null(file);
    free(path);
}

static void refuse(const char *header, size_t n_data, const char *one, const char *other)
{
    refuse_bytes(header, strlen(header), n_data, one, other);
}

static void refuse_file(const void *bytes, size_t n_bytes, const char *text)
{
    char *path = omma_test_join(folder(), "model.safetensors");
    struct omma_tensor_file *file = NULL;
    struct omma_error error;

    omma_test_write(path, bytes, n_bytes);
    assert_fails(OMMA_STATUS_MODEL, text, omma_tensor_file_open(path, &file, &error));
    free(path);
}

static struct omma_tensor_file *accept(const char *header, size_t n_data)
{
    char *path = write_header(header, strlen(header), n_data);
    struct omma_tensor_file *file = NULL;
    struct omma_error error;

    assert_ok(omma_tensor_file_open(path, &file, &error));
    free(path);
    return file;
}

static void test_a_file_is_read(void **state)
{
    struct omma_tensor_file *file =
        accept("{\"__metadata__\":{\"prompt\":\"a\\u00e9\\ud83d\\ude00\\n\",\"a\":\"\"},"
               /* not in the order of their data, one empty, one a scalar */
               TENSOR("later", "BF16", "[2,3]", "16", "28") "," TENSOR(
                   "first", "F32", "[4]", "0",
                   "16") "," TENSOR("none", "I8", "[0,7]", "28",
                                    "28") "," TENSOR("sc\\u0061lar", "U8", "[]", "28", "29") "}   ",
               29);
    const struct omma_tensor *tensor;

    (void)state;
    assert_int_equal(omma_tensor_file_count(file), 4);
    assert_string_equal(omma_tensor_file_get(file, 0)->name, "first");
    assert_string_equal(omma_tensor_file_get(file, 1)->name, "later");
    assert_string_equal(omma_tensor_file_get(file, 2)->name, "none");
    assert_string_equal(omma_tensor_file_get(file, 3)->name, "scalar");
    tensor = omma_tensor_file_find(file, "later");
    assert_string_equal(tensor->dtype, "BF16");
    assert_int_equal(tensor->n_dimensions, 2);
    assert_int_equal(tensor->shape[0], 2);
    assert_int_equal(tensor->shape[1], 3);
    assert_int_equal(tensor->n_bytes, 12);
    assert_int_equal(*(const uint8_t *)tensor->data, 16);
    assert_int_equal(omma_tensor_file_find(file, "scalar")->n_dimensions, 0);
    assert_null(omma_tensor_file_find(file, "nothing"));
    assert_string_equal(omma_tensor_file_metadata(file, "prompt"), "a\xC3\xA9\xF0\x9F\x98\x80\n");
    assert_string_equal(omma_tensor_file_metadata(file, "a"), "");
    assert_null(omma_tensor_file_metadata(file, "b"));
    omma_tensor_file_close(&file);
    assert_null(file);
    omma_tensor_file_close(&file);
}

static void test_a1_not_a_file(void **state)
{
    char *dir = omma_test_folder(), *path = omma_test_join(dir, "x");
    struct omma_tensor_file *file = NULL;
    struct omma_error error;

    (void)state;
    refuse_file("", 0, "found 0 bytes");
    refuse_file("1234567", 7, "found 7 bytes");
    assert_fails(OMMA_STATUS_MODEL, "found a folder", omma_tensor_file_open(dir, &file, &error));
    assert_fails(OMMA_STATUS_MODEL, "No such file", omma_tensor_file_open(path, &file, &error));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_fails(OMMA_STATUS_MODEL, "found a FIFO", omma_tensor_file_open(path, &file, &error));
    unlink(path);
    if (geteuid() != 0) { /* root reads everything */
        omma_test_write(path, "x", 1);
        chmod(path, 0);
        assert_fails(OMMA_STATUS_MODEL, "Permission denied",
                     omma_tensor_file_open(path, &file, &error));
    }
    free(path);
    free(dir);
}

static void test_a2_length_of_the_header(void **state)
{
    static const uint64_t lengths[] = {0, 1, 9, 100000001, UINT64_MAX, UINT64_MAX - 7};
    uint8_t bytes[16] = {0};

    (void)state;
    memcpy(bytes + 8, "{}      ", 8);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (size_t k = 0; k < 8; k++) {
            bytes[k] = (uint8_t)(lengths[i] >> (8 * k));
        }
        refuse_file(bytes, sizeof bytes, "@0: expected the length of a header");
    }
}

static void test_a3_damaged_json(void **state)
{
    static const char *const headers[] = {
        "",
        "[]",
        "{",
        "{\"a\"}",
        "{\"a\":1}",
        "{\"a\":[]}",
        "{a:1}",
        "{\"a\":{}}",
        "{\"\\x\":1}",
        "{,}",
        "{\"__metadata__\":{\"a\":1}}",
        "{\"__metadata__\":[]}",
        "{} x",
        "{}{}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"more\":1}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}",
        "{\"a\":{\"dtype\":8}}",
        "tru",
        "{\"a\":nul}",
        "{" TENSOR("a", "U8", "[1]", "0", "1") ",}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        char padded[200];

        snprintf(padded, sizeof padded, "%-8s", headers[i]);
        refuse(padded, 1, "header @", "expected");
    }
    refuse_bytes("{}\0     ", 8, 0, "header @10", "expected");
    refuse_bytes("{\"\xFF\":1} ", 8, 0, "header @10", "UTF-8");
    refuse_bytes("{\"\xC0\x80\":1}", 8, 0, "header @10", "UTF-8");     /* overlong */
    refuse_bytes("{\"\xED\xA0\x80\":1}", 9, 0, "header @10", "UTF-8"); /* a surrogate */
    refuse_bytes("{\"\xE2\x82", 4, 0, "header @10", "UTF-8");          /* cut */
    refuse_bytes("{\"a\nb\":1}", 9, 0, "header @11", "control character");
}

static void test_a4_white_space_in_front(void **state)
{
    struct omma_tensor_file *file = accept(" \n{" TENSOR("a", "U8", "[1]", "0", "1") "}", 1);

    (void)state;
    assert_int_equal(omma_tensor_file_count(file), 1);
    omma_tensor_file_close(&file);
}

static void test_a5_repeated_keys(void **state)
{
    (void)state;
    refuse("{" TENSOR("a", "U8", "[1]", "0", "1") "," TENSOR("b", "U8", "[1]", "1", "2") "," TENSOR(
               "a", "U8", "[1]", "2", "3") "}",
           3, "header @113: expected each key once, found a again, first @9", "");
    refuse("{" TENSOR("a", "U8", "[1]", "0", "1") "," TENSOR("\\u0061", "U8", "[1]", "1", "2") "}",
           2, "found a again, first @9", "header @61");
    refuse("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "found __metadata__ again, first @9",
           "header @27");
    refuse("{\"__metadata__\":{\"k\":\"\",\"k\":\"\"}}", 0, "found k again, first @25",
           "header @32");
    refuse("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", 0, "found dtype again, first @14",
           "header @27");
}

static void test_a6_unknown_types(void **state)
{
    (void)state;
    refuse("{" TENSOR("a", "Q4", "[1]", "0", "1") "}", 1, "known type", "found Q4");
    refuse("{" TENSOR("a", "bf16", "[1]", "0", "2") "}", 2, "known type", "found bf16");
    refuse("{" TENSOR("a", "", "[1]", "0", "2") "}", 2, "known type", "found ");
}

static void test_a7_dimensions(void **state)
{
    (void)state;
    refuse("{" TENSOR("a", "U8", "[-1]", "0", "1") "}", 1, "a dimension from 0", "found -1");
    refuse("{" TENSOR("a", "U8", "[1.0]", "0", "1") "}", 1, "a dimension from 0", "found 1.0");
    refuse("{" TENSOR("a", "U8", "[1e0]", "0", "1") "}", 1, "a dimension from 0", "found 1e0");
    refuse("{" TENSOR("a", "U8", "[01]", "0", "1") "}", 1, "expected a number", "");
    refuse("{" TENSOR("a", "U8", "[\"1\"]", "0", "1") "}", 1, "a dimension", "found 1");
    refuse("{" TENSOR("a", "U8", "[2147483648]", "0", "1") "}", 1, "2^31 - 1", "");
    refuse("{" TENSOR("a", "U8", "[99999999999999999999999]", "0", "1") "}", 1, "2^31 - 1", "");
    refuse("{" TENSOR("a", "U8", "[1,1,1,1,1,1,1,1,1]", "0", "1") "}", 1, "at most 8", "");
    refuse("{" TENSOR("a", "F32", "[2147483647,2147483647,4]", "0", "1") "}", 1, "2^64", "");
    refuse("{" TENSOR("a", "F32", "[4,2147483647,2147483647]", "0", "1") "}", 1, "2^64", "");
    refuse("{" TENSOR("a", "F32", "[0,2147483647,2147483647,4]", "0", "0") "}", 0, "2^64", "");
    refuse("{" TENSOR("a", "U8", "[1]", "0", "18446744073709551616") "}", 1, "an offset", "");
    refuse("{" TENSOR("a", "U8", "[1]", "-1", "0") "}", 1, "an offset", "found -1");
}

static void test_a8_extents(void **state)
{
    (void)state;
    refuse("{" TENSOR("a", "U8", "[2]", "2", "0") "}", 2, "a @9: expected offsets that rise",
           "found 2 to 0");
    refuse("{" TENSOR("a", "U8", "[2]", "0", "3") "}", 2, "within the 2 bytes of data", "");
    refuse("{" TENSOR("a", "U8", "[2]", "0", "18446744073709551615") "}", 2, "offsets that rise",
           "");
    refuse("{" TENSOR("a", "U8", "[0]", "18446744073709551615", "18446744073709551615") "}", 2,
           "offsets that rise", "");
    refuse("{" TENSOR("a", "F32", "[2]", "0", "7") "}", 7, "expected 8 bytes", "found 7");
    refuse("{" TENSOR("a", "U8", "[2]", "0", "2") "," TENSOR("b", "U8", "[2]", "1", "3") "}", 3,
           "b @61: expected its data @115", "tensors overlap");
    refuse("{" TENSOR("a", "U8", "[2]", "0", "2") "," TENSOR("b", "U8", "[2]", "3", "5") "}", 5,
           "b @61", "a hole between tensors");
    refuse("{" TENSOR("a", "U8", "[2]", "1", "3") "}", 3, "a @9", "a hole between tensors");
    refuse("{" TENSOR("a", "U8", "[4]", "0", "4") "," TENSOR("b", "U8", "[0]", "2", "2") "}", 4,
           "b @61", "tensors overlap");
}

static void test_a9_file_too_long_or_cut(void **state)
{
    (void)state;
    refuse("{" TENSOR("a", "U8", "[2]", "0", "2") "}", 3, "to end @63 with the last tensor",
           "found 64 bytes");
    refuse("{" TENSOR("a", "U8", "[2]", "0", "2") "}", 1, "within the 1 bytes of data", "");
    refuse("{}      ", 1, "to end @16", "found 17 bytes");
}

/* The data begins at an odd offset: readers get the bytes where they are. */
static void test_a10_unaligned_data_is_not_moved(void **state)
{
    struct omma_tensor_file *file = accept("{" TENSOR("a", "F32", "[1]", "0", "4") "} ", 4);
    const struct omma_tensor *tensor = omma_tensor_file_get(file, 0);

    (void)state;
    assert_int_not_equal((uintptr_t)tensor->data % 4, 0);
    assert_memory_equal(tensor->data, "\0\1\2\3", 4);
    omma_tensor_file_close(&file);
}

static void test_a13_names(void **state)
{
    size_t n_name = 1 << 20, n;
    char *header = malloc(n_name + 200);
    struct omma_tensor_file *file;

    (void)state;
    refuse("{" TENSOR("a\\u0000b", "U8", "[1]", "0", "1") "}", 1, "found one with a NUL", "@9");
    refuse("{\"__metadata__\":{\"a\":\"\\u0000\"}}", 0, "found one with a NUL", "@29");
    refuse("{" TENSOR("\\ud800", "U8", "[1]", "0", "1") "}", 1, "surrogate", "@10");
    refuse("{" TENSOR("\\udc00\\ud800", "U8", "[1]", "0", "1") "}", 1, "surrogate", "@10");
    refuse("{" TENSOR("\\ud800\\u0041", "U8", "[1]", "0", "1") "}", 1, "surrogate", "@10");
    memcpy(header, "{\"", 2);
    memset(header + 2, 'x', n_name);
    n = 2 + n_name;
    strcpy(header + n, "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}");
    file = accept(header, 1);
    assert_int_equal(strlen(omma_tensor_file_get(file, 0)->name), n_name);
    omma_tensor_file_close(&file);
    strcpy(header + n, "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}");
    refuse(header, 2, "a hole between tensors", "xxx");
    free(header);
}

/* 10^6 entries: time would show in the test's duration if it were not linear; memory is asked of
 * the allocator.  Nesting to 10^5 is refused where it begins. */
static void test_a14_many_entries_and_deep_nesting(void **state)
{
    enum { N = 1000000, NESTING = 100000 };
    char *header = malloc((size_t)N * 80 + 200);
    size_t n_header = 1, before, taken;
    struct omma_mapping mapping;
    struct omma_safetensors *file = NULL;
    struct omma_error error;
    char *path;

    (void)state;
    header[0] = '{';
    for (size_t i = 0; i < N; i++) {
        n_header += (size_t)sprintf(header + n_header,
                                    "%s\"%zx\":{\"dtype\":\"U8\",\"shape\":[1],"
                                    "\"data_offsets\":[%zu,%zu]}",
                                    i > 0 ? "," : "", i * 7919 % N, i, i + 1);
    }
    header[n_header++] = '}';
    path = write_header(header, n_header, N);
    assert_ok(omma_mapping_open(path, &mapping, &error));
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    assert_ok(omma_safetensors_open(&mapping, &file, &error));
    taken = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    assert_int_equal(omma_safetensors_count(file), N);
    assert_non_null(omma_safetensors_find(file, "f423f"));
    assert_true(taken <= 4 * n_header);
    omma_safetensors_close(&file);
    omma_mapping_close(&mapping);
    free(path);

    memcpy(header, "{\"a\":", 5);
    memset(header + 5, '[', NESTING);
    refuse_bytes(header, 5 + NESTING, 0, "an object that describes a tensor", "@13");
    memset(header, '{', NESTING);
    refuse_bytes(header, NESTING, 0, "expected a key", "@9");
    free(header);
}

static void test_a17_other_formats(void **state)
{
    static const char lfs[] = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    static const char html[] = "<!DOCTYPE html><html><body>404</body></html>";
    static const char pickle[] = "\x80\x02}q\x00X\x04\x00\x00\x00test";

    (void)state;
    refuse_file(lfs, sizeof lfs - 1, "a git-LFS pointer");
    refuse_file("GGUF\3\0\0\0\0\0\0\0\0\0\0\0", 16, "a GGUF file");
    refuse_file("PK\x03\x04\x14\0\x08\x08\x08\0\0\0\0\0\0\0", 16, "a zip archive");
    refuse_file(html, sizeof html - 1, "a HTML page");
    refuse_file(pickle, sizeof pickle - 1, "a Python pickle");
    refuse_file("GGUF", 4, "a GGUF file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_is_read),
        cmocka_unit_test(test_a1_not_a_file),
        cmocka_unit_test(test_a2_length_of_the_header),
        cmocka_unit_test(test_a3_damaged_json),
        cmocka_unit_test(test_a4_white_space_in_front),
        cmocka_unit_test(test_a5_repeated_keys),
        cmocka_unit_test(test_a6_unknown_types),
        cmocka_unit_test(test_a7_dimensions),
        cmocka_unit_test(test_a8_extents),
        cmocka_unit_test(test_a9_file_too_long_or_cut),
        cmocka_unit_test(test_a10_unaligned_data_is_not_moved),
        cmocka_unit_test(test_a13_names),
        cmocka_unit_test(test_a14_many_entries_and_deep_nesting),
        cmocka_unit_test(test_a17_other_formats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
