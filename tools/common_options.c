/* What the shared rows refer to. */
#include "tools/common_options.h"

const char *const special_words[] = {
    [OMMA_SPECIAL_LITERAL] = "literal",
    [OMMA_SPECIAL_REFERENCE] = "reference",
    [OMMA_SPECIAL_REJECT] = "reject",
    [OMMA_SPECIAL_REJECT + 1] = NULL,
};

enum omma_status require_model(const char *model, struct omma_error *error)
{
    if (model == NULL) {
        return fail(error, OMMA_STATUS_USAGE, "expected a model: -m MODEL or $OMMA_MODEL");
    }
    return OMMA_OK;
}
