/*
 * resize [TIER...]: a photo of 12 megapixels (4000 x 3000) to its 12 tiles and the thumbnail, on
 * one thread, decoding left out: the median of 9, and the least, on every tier that this CPU has or
 * on those named.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/vision/image_processor.h"
#include "platform/clock.h"

enum { WIDTH = 4000, HEIGHT = 3000, N_RUNS = 9, TILE_BYTES = OMMA_TILE_SIZE * OMMA_TILE_SIZE * 3 };

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static bool is_wanted(int n_arguments, char **arguments, enum omma_isa isa)
{
    bool wanted = n_arguments == 1;

    for (int i = 1; i < n_arguments; i++) {
        wanted = wanted || strcmp(arguments[i], omma_isa_name(isa)) == 0;
    }
    return wanted && omma_isa_is_built(isa) && omma_isa_is_usable(isa);
}

static enum omma_status measure(enum omma_isa isa, const struct omma_raster *photo,
                                const struct omma_grid *grid, uint8_t *tiles,
                                struct omma_error *error)
{
    const struct omma_kernels kernels = omma_kernels_select(isa);
    double times[N_RUNS];

    for (int i = -1; i < N_RUNS; i++) { /* the first warms up */
        double begin = omma_clock_now();

        OMMA_TRY(omma_image_cut(&kernels, photo, grid, tiles, error));
        times[i < 0 ? 0 : i] = omma_clock_now() - begin;
    }
    qsort(times, N_RUNS, sizeof *times, compare);
    printf("%-12s %5.1f ms, at least %5.1f\n", omma_isa_name(isa), 1e3 * times[N_RUNS / 2],
           1e3 * times[0]);
    return OMMA_OK;
}

int main(int n_arguments, char **arguments)
{
    struct omma_raster photo = {malloc((size_t)WIDTH * HEIGHT * 3), WIDTH, HEIGHT};
    struct omma_grid grid;
    uint8_t *tiles = NULL;
    struct omma_error error;
    enum omma_status status = omma_image_grid(WIDTH, HEIGHT, 1, 12, true, &grid, &error);

    if (status == OMMA_OK) {
        tiles = malloc(grid.n_tiles * TILE_BYTES);
    }
    if (photo.rgb == NULL || tiles == NULL) {
        status = omma_fail_memory(&error, (size_t)WIDTH * HEIGHT * 3, "a photo and its tiles");
    }
    for (size_t i = 0; status == OMMA_OK && i < (size_t)WIDTH * HEIGHT * 3; i++) {
        photo.rgb[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    for (enum omma_isa isa = 0; status == OMMA_OK && isa < OMMA_ISA_COUNT; isa++) {
        if (is_wanted(n_arguments, arguments, isa)) {
            status = measure(isa, &photo, &grid, tiles, &error);
        }
    }
    if (status != OMMA_OK) {
        fprintf(stderr, "resize: %s\n", error.message);
    }
    free(tiles);
    free(photo.rgb);
    return (int)status;
}
