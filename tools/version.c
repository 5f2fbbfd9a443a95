/* What this omma is made of and what it can use of this machine. */
#include "tools/version.h"

#include <stdio.h>

#include "api/omma.h"
#include "config.h"

static void print_tiers(void)
{
    size_t n_tiers = 0, n_usable = 0;
    const char *const *names = omma_isa_names(&n_usable);

    while (names[n_tiers] != NULL) {
        n_tiers++;
    }
    printf("kernel tiers:");
    for (size_t i = 0; i < n_tiers; i++) {
        printf(" %s%s", names[i], i + n_usable < n_tiers ? " (not on this CPU)" : "");
    }
    printf("\n");
}

/* Those that configure found. */
static void print_libraries(void)
{
    static const struct {
        const char *name, *version;
    } libraries[] = {
        {"hwloc", OMMA_HWLOC_VERSION},       {"jansson", OMMA_JANSSON_VERSION},
        {"libcrypto", OMMA_CRYPTO_VERSION},  {"libedit", OMMA_EDIT_VERSION},
        {"libjpeg", OMMA_JPEG_VERSION},      {"libpng", OMMA_PNG_VERSION},
        {"openblas", OMMA_OPENBLAS_VERSION}, {"pcre2", OMMA_PCRE2_VERSION},
        {"utf8proc", OMMA_UTF8PROC_VERSION},
    };

    printf("built with:");
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        printf("%s %s %s", i > 0 ? "," : "", libraries[i].name, libraries[i].version);
    }
    printf("\n");
}

void print_version(void)
{
    printf("omma %s\n", omma_version());
    print_tiers();
    print_libraries();
}
