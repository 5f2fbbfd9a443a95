/*
 * normalize.h - Unicode normalisation form C, in time linear in the text.
 */
#ifndef OMMA_LANGUAGE_NORMALIZE_H
#define OMMA_LANGUAGE_NORMALIZE_H

#include "base/status.h"

/* text must be valid UTF-8.  *result is text itself if that is normalised beyond doubt; else the
 * new text, which *owned holds too, to be freed (NULL otherwise). */
enum omma_status omma_normalize_nfc(const char *text, size_t n_bytes, const char **result,
                                    size_t *n_result, char **owned, struct omma_error *error);

#endif
