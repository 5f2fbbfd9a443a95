/*
 * byte_symbols.h - the characters that stand for bytes in the files of a byte-level vocabulary
 * (spec 6.1, step 4): 21..7E, A1..AC, AE..FF for themselves, U+0100 and on for the other 68 in
 * order.
 */
#ifndef OMMA_LANGUAGE_BYTE_SYMBOLS_H
#define OMMA_LANGUAGE_BYTE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct omma_byte_symbols {
    int16_t byte_of[0x144]; /* by code point; -1: none */
};

void omma_byte_symbols_init(struct omma_byte_symbols *symbols);

/* Symbols (UTF-8) to bytes [n_text at most]; false if a character is none of the 256. */
bool omma_byte_symbols_decode(const struct omma_byte_symbols *symbols, const char *text,
                              size_t n_text, char *bytes, size_t *n_bytes);

#endif
