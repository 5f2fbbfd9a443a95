/* What this omma is made of and what it can use of this machine. */
#include "tools/version.h"

#include <stdio.h>

#include "api/omma.h"
#include "config.h"

static void print_tiers(void)
{
    const char *name;
    bool is_usable;

    printf("kernel tiers:");
    for (size_t i = 0; (name = omma_isa_tier(i, &is_usable)) != NULL; i++) {
        printf(" %s%s", name, is_usable ? "" : " (not on this CPU)");
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
        {"libjpeg", OMMA_JPEG_VERSION},      {"libmicrohttpd", OMMA_MICROHTTPD_VERSION},
        {"libpng", OMMA_PNG_VERSION},        {"openblas", OMMA_OPENBLAS_VERSION},
        {"pcre2", OMMA_PCRE2_VERSION},       {"sqlite", OMMA_SQLITE_VERSION},
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
