/* The tiers that are built and that this CPU has, in a line. */
#include "config.h"

#include <stdio.h>

#include "simd/cpu.h"

int main(void)
{
    const char *space = "";

    for (int isa = 0; isa < OMMA_ISA_COUNT; isa++) {
        if (omma_isa_is_built(isa) && omma_isa_is_usable(isa)) {
            printf("%s%s", space, omma_isa_name(isa));
            space = " ";
        }
    }
    puts("");
    return 0;
}
