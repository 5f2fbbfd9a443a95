/*
 * string_state.h - the bytes of a JSON string behind its first quote, one by one: well-formed UTF-8
 * without control characters, and escapes, those of surrogates in pairs only (RFC 8259, RFC 3629).
 */
#ifndef OMMA_SCHEMA_STRING_STATE_H
#define OMMA_SCHEMA_STRING_STATE_H

#include <stdbool.h>
#include <stdint.h>

enum omma_string_state {
    OMMA_STRING_TEXT, /* between characters */
    /* within a UTF-8 character: so many bytes are missing, the next one in a narrower range */
    OMMA_STRING_LAST,
    OMMA_STRING_TWO,
    OMMA_STRING_THREE,
    OMMA_STRING_TWO_FROM_A0,   /* behind E0 */
    OMMA_STRING_TWO_TO_9F,     /* behind ED */
    OMMA_STRING_THREE_FROM_90, /* behind F0 */
    OMMA_STRING_THREE_TO_8F,   /* behind F4 */
    OMMA_STRING_ESCAPE,        /* behind a backslash */
    OMMA_STRING_HEX,           /* behind \u */
    OMMA_STRING_HEX_D,         /* behind \uD */
    OMMA_STRING_HEX_THREE,     /* three digits are missing */
    OMMA_STRING_HEX_TWO,
    OMMA_STRING_HEX_ONE,
    OMMA_STRING_HIGH_TWO, /* behind \uD8 to \uDB: two digits, then a low surrogate */
    OMMA_STRING_HIGH_ONE,
    OMMA_STRING_HIGH_END,
    OMMA_STRING_LOW_ESCAPE,
    OMMA_STRING_LOW_HEX,
    OMMA_STRING_LOW_HEX_D,
    OMMA_STRING_END, /* behind the last quote */
    OMMA_STRING_BAD, /* the byte must not come here */
};

/* The state behind a byte; OMMA_STRING_BAD from the last two. */
enum omma_string_state omma_string_next(enum omma_string_state state, uint8_t byte);

/* Whether it is one within a UTF-8 character, or between characters. */
static inline bool omma_string_is_plain(enum omma_string_state state)
{
    return state < OMMA_STRING_ESCAPE;
}

#endif
