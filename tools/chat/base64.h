/*
 * base64.h - base64 (RFC 4648, section 4), strictly: no white space, the padding that belongs
 * there, no stray bits at the end.
 */
#ifndef OMMA_TOOLS_CHAT_BASE64_H
#define OMMA_TOOLS_CHAT_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* bytes: [n_text / 4 * 3].  False with the offset of what does not belong there in *bad. */
bool base64_decode(const char *text, size_t n_text, uint8_t *bytes, size_t *n_bytes, size_t *bad);

#endif
