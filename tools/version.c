/* What this omma is made of and what it can use of this machine. */
#include "tools/version.h"

#include <histedit.h>
#include <jansson.h>
#include <png.h>
#include <stdio.h>

#include "api/omma.h"

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

void print_version(void)
{
    printf("omma %s\n", omma_version());
    print_tiers();
    printf("libraries: jansson %s, libedit %d.%d, libpng %s\n", jansson_version_str(),
           LIBEDIT_MAJOR, LIBEDIT_MINOR, png_get_libpng_ver(NULL));
}
