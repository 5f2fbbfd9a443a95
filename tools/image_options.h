/*
 * image_options.h - the options of commands that read pictures.
 */
#ifndef OMMA_TOOLS_IMAGE_OPTIONS_H
#define OMMA_TOOLS_IMAGE_OPTIONS_H

#include "tools/message.h"
#include "tools/options.h"

struct image_values {
    size_t min_tiles, max_tiles; /* 0: not given */
    bool strict;
};

/* Rows for the table of a command whose struct `type` has such values as its member `field`. */
/* clang-format off */
#define IMAGE_OPTIONS(type, field)                                                                 \
    {.name = "max-tiles", .kind = OPTION_COUNT, .argument = "N",                                   \
     .offset = offsetof(type, field.max_tiles), .minimum = 1, .maximum = 256,                      \
     .help = "most tiles of a picture, its thumbnail not counted"},                                \
    {.name = "min-tiles", .kind = OPTION_COUNT, .argument = "N",                                   \
     .offset = offsetof(type, field.min_tiles), .minimum = 1, .maximum = 256,                      \
     .help = "fewest tiles of a picture"},                                                         \
    {.name = "strict-images", .kind = OPTION_FLAG, .offset = offsetof(type, field.strict),         \
     .help = "refuse damaged pictures that are accepted with a warning otherwise"}

/* size_t, of its own member; 0: not given */
#define MAX_TILES_TOTAL_OPTION(type, field)                                                        \
    {.name = "max-tiles-total", .kind = OPTION_COUNT, .argument = "N",                             \
     .offset = offsetof(type, field), .minimum = 1, .maximum = 65536,                              \
     .help = "tiles that all pictures share: each has at most N over their number"}
/* clang-format on */

/* OMMA_STATUS_USAGE if both bounds are given and contradict each other. */
enum omma_status image_values_check(const struct image_values *values, struct omma_error *error);

/* Fill what was not given with the values of the model or the rule's own (1 and 12), and hold the
 * two against each other. */
enum omma_status image_values_complete(struct image_values *values, size_t min_tiles,
                                       size_t max_tiles, struct omma_error *error);

/* How pictures are prepared for a model; what is odd about one is told under -v. */
enum omma_status image_values_options(const struct image_values *values,
                                      const struct omma_model_info *info, struct messages *messages,
                                      struct omma_image_options *options, struct omma_error *error);

#endif
