/*
 * text_decoder.h - ids to UTF-8 as they come: whole characters only, ill-formed bytes replaced as
 * Python's errors="replace" does, skipped ids left out, stop texts held back and cut off.
 */
#ifndef OMMA_LANGUAGE_TEXT_DECODER_H
#define OMMA_LANGUAGE_TEXT_DECODER_H

#include "api/omma.h"
#include "model/language/tokenizer.h"

struct omma_text_decoder; /* one answer */

/* Stops are copied.  tokenizer may be NULL (a generated model): every id is without text. */
enum omma_status omma_text_decoder_create(const struct omma_tokenizer *tokenizer,
                                          const struct omma_stop *stops, size_t n_stops,
                                          struct omma_text_decoder **decoder,
                                          struct omma_error *error);
void omma_text_decoder_destroy(struct omma_text_decoder **decoder);

/* Add an id.  *text receives what is new and sure to stay (valid until the next call); *stopped is
 * set once a stop text is complete, which is not part of any text given. */
enum omma_status omma_text_decoder_add(struct omma_text_decoder *decoder, int32_t id,
                                       const char **text, size_t *n_bytes, bool *stopped,
                                       struct omma_error *error);

/* The end: whatever was held back, incomplete characters replaced. */
enum omma_status omma_text_decoder_finish(struct omma_text_decoder *decoder, const char **text,
                                          size_t *n_bytes, struct omma_error *error);

#endif
