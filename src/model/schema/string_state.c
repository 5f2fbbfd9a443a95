/* Strings byte by byte.  Each state looks at the byte's range alone. */
#include "model/schema/string_state.h"

static bool is_within(uint8_t byte, uint8_t low, uint8_t high)
{
    return byte >= low && byte <= high;
}

static bool is_hex(uint8_t byte)
{
    return is_within(byte, '0', '9') || is_within(byte, 'a', 'f') || is_within(byte, 'A', 'F');
}

static enum omma_string_state next_if(bool is_good, enum omma_string_state state)
{
    return is_good ? state : OMMA_STRING_BAD;
}

static enum omma_string_state begin_character(uint8_t byte)
{
    if (byte == '"') {
        return OMMA_STRING_END;
    }
    if (byte == '\\') {
        return OMMA_STRING_ESCAPE;
    }
    if (byte < 0x80) {
        return next_if(byte >= 0x20, OMMA_STRING_TEXT);
    }
    if (byte < 0xE0) {
        return next_if(byte >= 0xC2, OMMA_STRING_LAST);
    }
    if (byte < 0xF0) {
        return byte == 0xE0   ? OMMA_STRING_TWO_FROM_A0
               : byte == 0xED ? OMMA_STRING_TWO_TO_9F
                              : OMMA_STRING_TWO;
    }
    return byte == 0xF0   ? OMMA_STRING_THREE_FROM_90
           : byte == 0xF4 ? OMMA_STRING_THREE_TO_8F
                          : next_if(byte < 0xF4, OMMA_STRING_THREE);
}

static enum omma_string_state escaped(uint8_t byte)
{
    static const char letters[] = {'"', '\\', '/', 'b', 'f', 'n', 'r', 't'};

    for (unsigned i = 0; i < sizeof letters; i++) {
        if (byte == (uint8_t)letters[i]) {
            return OMMA_STRING_TEXT;
        }
    }
    return next_if(byte == 'u', OMMA_STRING_HEX);
}

static bool is_d(uint8_t byte)
{
    return byte == 'd' || byte == 'D';
}

enum omma_string_state omma_string_next(enum omma_string_state state, uint8_t byte)
{
    switch (state) {
    case OMMA_STRING_TEXT:
        return begin_character(byte);
    case OMMA_STRING_LAST:
        return next_if(is_within(byte, 0x80, 0xBF), OMMA_STRING_TEXT);
    case OMMA_STRING_TWO:
        return next_if(is_within(byte, 0x80, 0xBF), OMMA_STRING_LAST);
    case OMMA_STRING_THREE:
        return next_if(is_within(byte, 0x80, 0xBF), OMMA_STRING_TWO);
    case OMMA_STRING_TWO_FROM_A0:
        return next_if(is_within(byte, 0xA0, 0xBF), OMMA_STRING_LAST);
    case OMMA_STRING_TWO_TO_9F:
        return next_if(is_within(byte, 0x80, 0x9F), OMMA_STRING_LAST);
    case OMMA_STRING_THREE_FROM_90:
        return next_if(is_within(byte, 0x90, 0xBF), OMMA_STRING_TWO);
    case OMMA_STRING_THREE_TO_8F:
        return next_if(is_within(byte, 0x80, 0x8F), OMMA_STRING_TWO);
    case OMMA_STRING_ESCAPE:
        return escaped(byte);
    case OMMA_STRING_HEX:
        return is_d(byte) ? OMMA_STRING_HEX_D : next_if(is_hex(byte), OMMA_STRING_HEX_THREE);
    case OMMA_STRING_HEX_THREE:
        return next_if(is_hex(byte), OMMA_STRING_HEX_TWO);
    case OMMA_STRING_HEX_D:
        return is_within(byte, '0', '7') ? OMMA_STRING_HEX_TWO
               : is_within(byte, '8', '9') || is_within(byte | 0x20, 'a', 'b')
                   ? OMMA_STRING_HIGH_TWO
                   : OMMA_STRING_BAD;
    case OMMA_STRING_HEX_TWO:
        return next_if(is_hex(byte), OMMA_STRING_HEX_ONE);
    case OMMA_STRING_HEX_ONE:
        return next_if(is_hex(byte), OMMA_STRING_TEXT);
    case OMMA_STRING_HIGH_TWO:
        return next_if(is_hex(byte), OMMA_STRING_HIGH_ONE);
    case OMMA_STRING_HIGH_ONE:
        return next_if(is_hex(byte), OMMA_STRING_HIGH_END);
    case OMMA_STRING_HIGH_END:
        return next_if(byte == '\\', OMMA_STRING_LOW_ESCAPE);
    case OMMA_STRING_LOW_ESCAPE:
        return next_if(byte == 'u', OMMA_STRING_LOW_HEX);
    case OMMA_STRING_LOW_HEX:
        return next_if(is_d(byte), OMMA_STRING_LOW_HEX_D);
    case OMMA_STRING_LOW_HEX_D:
        return next_if(is_within(byte | 0x20, 'c', 'f'), OMMA_STRING_HEX_TWO);
    case OMMA_STRING_END:
    case OMMA_STRING_BAD:
        break;
    }
    return OMMA_STRING_BAD;
}
