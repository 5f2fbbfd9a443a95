/*
 * The grid rule of the reference, and CPython's order of a set, on which its ties depend.
 *
 * The set holds pairs of small integers.  What fixes its order is followed step by step: the hash
 * of a tuple (Objects/tupleobject.c: xxHash's rounds over the items' hashes, a small integer being
 * its own), the probing of the table and its growth (Objects/setobject.c: ten neighbouring slots,
 * then a jump; four times the entries when three fifths are full), and the order in which the
 * reference adds the pairs.  These have been the same in CPython 3.8 and all later ones, on 64-bit
 * machines.
 */
#include "model/vision/tile_grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SET_MIN_SIZE = 8, SET_LINEAR_PROBES = 9, SET_PERTURB_SHIFT = 5 };

/* An open-addressing table; an entry of 0 columns is free. */
struct shape_set {
    struct omma_tile_shape *slots; /* [mask + 1] */
    size_t mask;
    size_t n_used;
};

static uint64_t rotate_left_31(uint64_t x)
{
    return (x << 31) | (x >> 33);
}

/* hash((n_columns, n_rows)) */
static uint64_t hash_shape(struct omma_tile_shape shape)
{
    const uint64_t prime1 = 11400714785074694791u, prime2 = 14029467366897019727u,
                   prime5 = 2870177450012600261u;
    uint64_t hash = prime5;

    hash = rotate_left_31(hash + shape.n_columns * prime2) * prime1;
    hash = rotate_left_31(hash + shape.n_rows * prime2) * prime1;
    hash += 2 ^ (prime5 ^ 3527539u); /* 2: the tuple's length */
    return hash == UINT64_MAX ? 1546275796u : hash;
}

/* Put a shape that is not in the table into the first free slot of its sequence. */
static void place_shape(struct omma_tile_shape *slots, size_t mask, struct omma_tile_shape shape)
{
    uint64_t perturb = hash_shape(shape);
    size_t at = perturb & mask;

    for (;;) {
        size_t n_probes = at + SET_LINEAR_PROBES <= mask ? SET_LINEAR_PROBES : 0;

        for (size_t i = at; i <= at + n_probes; i++) {
            if (slots[i].n_columns == 0) {
                slots[i] = shape;
                return;
            }
        }
        perturb >>= SET_PERTURB_SHIFT;
        at = (at * 5 + 1 + perturb) & mask;
    }
}

static enum omma_status grow_set(struct shape_set *set, size_t n_slots, struct omma_error *error)
{
    struct omma_tile_shape *slots = calloc(n_slots, sizeof *slots);

    if (slots == NULL) {
        return omma_fail_memory(error, n_slots * sizeof *slots, "the grids of tiles");
    }
    for (size_t i = 0; set->slots != NULL && i <= set->mask; i++) {
        if (set->slots[i].n_columns != 0) {
            place_shape(slots, n_slots - 1, set->slots[i]);
        }
    }
    free(set->slots);
    set->slots = slots;
    set->mask = n_slots - 1;
    return OMMA_OK;
}

/* Add a shape that is not in the set. */
static enum omma_status add_shape(struct shape_set *set, size_t n_columns, size_t n_rows,
                                  struct omma_error *error)
{
    struct omma_tile_shape shape = {(uint16_t)n_columns, (uint16_t)n_rows};
    size_t n_slots = SET_MIN_SIZE;

    place_shape(set->slots, set->mask, shape);
    set->n_used++;
    if (set->n_used * 5 < set->mask * 3) {
        return OMMA_OK;
    }
    while (n_slots <= set->n_used * 4) {
        n_slots *= 2;
    }
    return grow_set(set, n_slots, error);
}

/* The reference goes through all columns and rows up to n, for n = min..max; a pair is new where
 * the larger of its numbers has just become n, or where n is min. */
static enum omma_status fill_set(struct shape_set *set, size_t min_tiles, size_t max_tiles,
                                 struct omma_error *error)
{
    OMMA_TRY(grow_set(set, SET_MIN_SIZE, error));
    for (size_t n = min_tiles; n <= max_tiles; n++) {
        for (size_t columns = 1; columns <= n; columns++) {
            size_t first = n == min_tiles || columns == n ? 1 : n;

            for (size_t rows = first; rows <= n && columns * rows <= max_tiles; rows++) {
                if (columns * rows >= min_tiles) {
                    OMMA_TRY(add_shape(set, columns, rows, error));
                }
            }
        }
    }
    return OMMA_OK;
}

/* The set's shapes in table order, sorted by their products without disturbing equal ones. */
static void sort_shapes(const struct shape_set *set, struct omma_tile_shape *sorted)
{
    size_t starts[OMMA_TILE_GRID_MAX_TILES + 2] = {0};

    for (size_t i = 0; i <= set->mask; i++) {
        if (set->slots[i].n_columns != 0) {
            starts[set->slots[i].n_columns * set->slots[i].n_rows + 1]++;
        }
    }
    for (size_t product = 1; product < sizeof starts / sizeof *starts; product++) {
        starts[product] += starts[product - 1];
    }
    for (size_t i = 0; i <= set->mask; i++) {
        if (set->slots[i].n_columns != 0) {
            sorted[starts[set->slots[i].n_columns * set->slots[i].n_rows]++] = set->slots[i];
        }
    }
}

enum omma_status omma_tile_grid_list(size_t min_tiles, size_t max_tiles,
                                     struct omma_tile_shape **shapes, size_t *n_shapes,
                                     struct omma_error *error)
{
    struct shape_set set = {0};
    struct omma_tile_shape *sorted;
    enum omma_status status = fill_set(&set, min_tiles, max_tiles, error);

    if (status != OMMA_OK) {
        goto done;
    }
    sorted = malloc(set.n_used * sizeof *sorted);
    if (sorted == NULL) {
        status = omma_fail_memory(error, set.n_used * sizeof *sorted, "the grids of tiles");
        goto done;
    }
    sort_shapes(&set, sorted);
    *shapes = sorted;
    *n_shapes = set.n_used;
done:
    free(set.slots);
    return status;
}

/* The shape nearest to the aspect ratio.  Of equally near ones a later (larger) one wins if the
 * picture has more than half as many pixels as the shape; the comparison is exact, in doubles, as
 * the reference's is. */
static struct omma_tile_shape nearest_shape(const struct omma_tile_shape *shapes, size_t n_shapes,
                                            size_t width, size_t height)
{
    struct omma_tile_shape best = {1, 1};
    double best_gap = INFINITY, aspect = (double)width / (double)height;
    uint64_t n_pixels = (uint64_t)width * height;
    const uint64_t half_tile = OMMA_TILE_SIZE * OMMA_TILE_SIZE / 2;

    for (size_t i = 0; i < n_shapes; i++) {
        uint64_t n_tiles = (uint64_t)shapes[i].n_columns * shapes[i].n_rows;
        double gap = fabs(aspect - (double)shapes[i].n_columns / (double)shapes[i].n_rows);

        if (gap < best_gap) {
            best_gap = gap;
            best = shapes[i];
        } else if (gap == best_gap && n_pixels > half_tile * n_tiles) {
            best = shapes[i];
        }
    }
    return best;
}

enum omma_status omma_image_grid(size_t width, size_t height, size_t min_tiles, size_t max_tiles,
                                 bool use_thumbnail, struct omma_grid *grid,
                                 struct omma_error *error)
{
    struct omma_tile_shape *shapes, best;
    size_t n_shapes, n_tiles;

    if (width < 1 || height < 1 || width > INT32_MAX || height > INT32_MAX) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "size of a picture: expected 1 to %d pixels a side, found %zux%zu",
                         INT32_MAX, width, height);
    }
    if (min_tiles < 1 || min_tiles > max_tiles || max_tiles > OMMA_TILE_GRID_MAX_TILES) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "number of tiles: expected 1 <= min <= max <= %d, found min %zu, max %zu",
                         OMMA_TILE_GRID_MAX_TILES, min_tiles, max_tiles);
    }
    OMMA_TRY(omma_tile_grid_list(min_tiles, max_tiles, &shapes, &n_shapes, error));
    best = nearest_shape(shapes, n_shapes, width, height);
    free(shapes);
    n_tiles = (size_t)best.n_columns * best.n_rows;
    grid->n_columns = best.n_columns;
    grid->n_rows = best.n_rows;
    grid->n_tiles = n_tiles + (use_thumbnail && n_tiles > 1 ? 1 : 0);
    return OMMA_OK;
}
