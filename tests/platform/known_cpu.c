/* Which CPU /proc/cpuinfo describes; the tables of what is known, which are those of
 * doc/performance.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/known_cpu.h"
#include "support/support.h"

static void identify(const char *cpuinfo, struct omma_cpu_id *id)
{
    char *root = omma_test_folder();

    omma_test_put(root, "proc/cpuinfo", cpuinfo);
    omma_cpu_identify(root, id);
    free(root);
}

static void test_x86(void **state)
{
    struct omma_cpu_id id;

    (void)state;
    identify("processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n"
             "model name\t: AMD EPYC\nstepping\t: 1\n\nprocessor\t: 1\nvendor_id\t: Other\n"
             "cpu family\t: 6\nmodel\t\t: 1\n",
             &id);
    assert_string_equal(id.name, "AMD EPYC");
    assert_string_equal(id.vendor, "AuthenticAMD");
    assert_int_equal(id.family, 25);
    assert_int_equal(id.model, 17);
    assert_string_equal(omma_known_read_find(&id, 1)->title, "AMD EPYC, Zen 4");
    assert_int_equal(omma_known_read_find(&id, 2)->n_threads, 2);
    assert_null(omma_known_read_find(&id, 1000));
    assert_true(omma_known_peaks_find(&id, "avx512bf16")->bf16 == 32);
    assert_null(omma_known_peaks_find(&id, "neon"));
    id.model = 1;
    assert_string_equal(omma_known_read_find(&id, 1)->title, "AMD EPYC, Zen 3");
    assert_null(omma_known_peaks_find(&id, "avx512bf16"));
    id.family = 6;
    assert_null(omma_known_read_find(&id, 1));
    assert_null(omma_known_peaks_find(&id, "avx2"));
}

static void test_arm(void **state)
{
    struct omma_cpu_id id;

    (void)state;
    identify("processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"
             "CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd4f\nCPU revision\t: 1\n",
             &id);
    assert_string_equal(id.vendor, "0x41");
    assert_int_equal(id.family, 8);
    assert_int_equal(id.model, 0xd4f);
    assert_string_equal(id.name, "0x41 8 0xd4f");
}

static void test_unknown(void **state)
{
    struct omma_cpu_id id;
    char *root = omma_test_folder();

    (void)state;
    omma_cpu_identify(root, &id);
    assert_string_equal(id.name, "unknown");
    assert_null(omma_known_read_find(&id, 1));
    identify("modelling: 3\nmodel name without a colon\n", &id);
    assert_string_equal(id.name, "unknown");
    assert_int_equal(id.model, 0);
    free(root);
}

static void test_tolerance(void **state)
{
    const struct omma_known_read row = {.low = 20, .high = 40};

    (void)state;
    assert_false(omma_known_read_confirms(&row, 17.9e9));
    assert_true(omma_known_read_confirms(&row, 18.1e9));
    assert_true(omma_known_read_confirms(&row, 43.9e9));
    assert_false(omma_known_read_confirms(&row, 44.1e9));
    assert_true(omma_known_peak_confirms(64, 62.1));
    assert_true(omma_known_peak_confirms(64, 65.9));
    assert_false(omma_known_peak_confirms(64, 62));
    assert_false(omma_known_peak_confirms(64, 32)); /* half a core */
    assert_false(omma_known_peak_confirms(64, 66));
    assert_false(omma_known_peak_confirms(0, 64));
}

/* The line that doc/performance.md must have for a row. */
static void row_text(const struct omma_known_read *row, char *text, size_t capacity)
{
    snprintf(text, capacity, "\n| %s | %s | %u | %u to %u | %zu | %g to %g |\n", row->title,
             row->vendor, row->family, row->first_model, row->last_model, row->n_threads, row->low,
             row->high);
}

static size_t count_rows(const char *text, const char *head)
{
    const char *at = strstr(text, head);
    size_t n = 0;

    assert_non_null(at);
    for (at = strchr(at + 1, '\n'); at[1] == '|'; at = strchr(at + 1, '\n')) {
        n++;
    }
    return n - 1; /* less the rule below the head */
}

static void assert_line(const char *text, const char *line)
{
    if (strstr(text, line) == NULL) {
        fail_msg("doc/performance.md lacks the line%s", line);
    }
}

static void test_tables_of_the_documentation(void **state)
{
    char *path = omma_test_source("doc/performance.md"), *text = omma_test_read(path, NULL);
    char line[256];
    size_t n = 0;

    (void)state;
    for (const struct omma_known_read *row = omma_known_reads(); row->title != NULL; row++, n++) {
        assert_true(0 < row->low && row->low <= row->high);
        row_text(row, line, sizeof line);
        assert_line(text, line);
    }
    assert_int_equal(count_rows(text, "\n| CPU | vendor | family | models | threads | GB/s |\n"),
                     n);
    n = 0;
    for (const struct omma_known_peaks *row = omma_known_peaks(); row->title != NULL; row++, n++) {
        snprintf(line, sizeof line, "\n| %s | %s | %u | %u to %u | %s | %g | %g | %g |\n",
                 row->title, row->vendor, row->family, row->first_model, row->last_model, row->isa,
                 row->f32, row->bf16, row->i8);
        assert_line(text, line);
    }
    assert_int_equal(
        count_rows(text, "\n| CPU | vendor | family | models | tier | f32 | bf16 | int8 |\n"), n);
    free(text);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x86),
        cmocka_unit_test(test_arm),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_tolerance),
        cmocka_unit_test(test_tables_of_the_documentation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
