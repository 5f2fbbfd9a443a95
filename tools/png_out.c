/*
 * PNG files by libpng's row interface.  libpng's errors come by longjmp; write_rows() is the only
 * function that they cross, and it holds no resource.
 */
#include "tools/png_out.h"

#include <errno.h>
#include <fcntl.h>
#include <png.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Silent: the caller tells what happened. */
static void on_error(png_structp png, png_const_charp message)
{
    (void)message;
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static bool write_rows(png_structp png, png_infop info, FILE *file, const uint8_t *pixels,
                       size_t width, size_t height)
{
    if (setjmp(png_jmpbuf(png)) != 0) {
        return false;
    }
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (size_t y = 0; y < height; y++) {
        png_write_row(png, pixels + y * width * 3);
    }
    png_write_end(png, NULL);
    return true;
}

static bool write_picture(FILE *file, const uint8_t *pixels, size_t width, size_t height)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    bool is_written = info != NULL && write_rows(png, info, file, pixels, width, height);

    png_destroy_write_struct(&png, &info);
    return is_written;
}

enum omma_status png_write(const char *path, const uint8_t *pixels, size_t width, size_t height,
                           bool overwrite, struct omma_error *error)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (overwrite ? O_TRUNC : O_EXCL);
    int descriptor = open(path, flags, 0666);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "wb") : NULL;
    bool is_written;

    if (file == NULL) {
        enum omma_status status = fail(error, OMMA_STATUS_OUTPUT, "%s: %s", path, strerror(errno));

        if (descriptor >= 0) {
            close(descriptor);
        }
        return status;
    }
    errno = 0;
    is_written = write_picture(file, pixels, width, height);
    if (fclose(file) != 0 || !is_written) {
        fail(error, OMMA_STATUS_OUTPUT, "%s: %s", path,
             errno != 0 ? strerror(errno) : "libpng could not write it");
        unlink(path);
        return OMMA_STATUS_OUTPUT;
    }
    return OMMA_OK;
}
