/* The tests of the kernels, family by family: checks.def. */
#include "config.h"

#include "simd/check.h"

int main(void)
{
    const struct CMUnitTest tests[] = {
#define OMMA_CHECK(name) cmocka_unit_test(omma_check_##name),
#include "simd/checks.def"
#undef OMMA_CHECK
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
