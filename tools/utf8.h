/*
 * utf8.h - characters of UTF-8 text.
 */
#ifndef OMMA_TOOLS_UTF8_H
#define OMMA_TOOLS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that the text begins with, and the character itself (may be NULL); 0 if it
 * begins with none: overlong forms and surrogates are none. */
size_t utf8_character(const char *bytes, size_t n_bytes, uint32_t *character);

/* What Python's str.isspace() has as white space. */
bool utf8_is_space(uint32_t character);

/* Bytes of white space at the start and at the end of text, as Python's str.strip() takes it away.
 */
size_t utf8_leading_space(const char *bytes, size_t n_bytes);
size_t utf8_trailing_space(const char *bytes, size_t n_bytes);

/* Where the text without both begins and ends; the same place if there is nothing else. */
void utf8_strip(const char *bytes, size_t n_bytes, size_t *begin, size_t *end);

#endif
