/*
 * utf8.h - well-formed UTF-8 (Unicode, table 3-7): no overlong forms, no surrogates, nothing above
 * U+10FFFF.
 */
#ifndef OMMA_BASE_UTF8_H
#define OMMA_BASE_UTF8_H

#include "base/status.h"

enum omma_utf8_kind {
    OMMA_UTF8_WHOLE,   /* a character */
    OMMA_UTF8_PARTIAL, /* all bytes given begin a character, but do not end it */
    OMMA_UTF8_BAD,     /* ill-formed */
};

/* Look at what starts at bytes[0]; n_bytes >= 1.  *length: bytes of the character, of the
 * beginning, or of the maximal ill-formed subpart that one U+FFFD replaces (Unicode 3.9, as Python
 * does). *code (may be NULL): the character, if whole. */
enum omma_utf8_kind omma_utf8_next(const char *bytes, size_t n_bytes, size_t *length,
                                   uint32_t *code);

/* OMMA_STATUS_PROMPT with the offset of the first byte that is at fault; name stands for the text
 * in the message. */
enum omma_status omma_utf8_check(const char *name, const char *text, size_t n_bytes,
                                 struct omma_error *error);

#endif
