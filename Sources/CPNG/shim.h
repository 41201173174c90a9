#ifndef PROLOGUE_PNG_SHIM_H
#define PROLOGUE_PNG_SHIM_H

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

/* A picture that is being read. libpng reports errors by a long jump, which Swift cannot receive: every call that may fail is
   made here, and tells by its result. */
typedef struct {
    const unsigned char *bytes;
    size_t count, position;
    png_structp png;
    png_infop info;
    int height, width;
    /* Grey, grey and alpha, colour, colour and alpha. */
    int channels;
    /* Why a call failed. */
    char message[160];
} png_reader;

static inline void png_reader_fail(png_structp png, png_const_charp message) {
    png_reader *reader = (png_reader *)png_get_error_ptr(png);
    snprintf(reader->message, sizeof reader->message, "%s", message);
    png_longjmp(png, 1);
}

static inline void png_reader_warn(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static inline void png_reader_take(png_structp png, png_bytep into, size_t count) {
    png_reader *reader = (png_reader *)png_get_io_ptr(png);
    if (count > reader->count - reader->position) png_error(png, "truncated");
    memcpy(into, reader->bytes + reader->position, count);
    reader->position += count;
}

/* Reads the header and asks for 8 bits a channel: of 16 the high byte, fewer scaled up, palettes as colours, tRNS as alpha.
   gAMA, sRGB and colour profiles are not asked for, so that levels stay as they are stored. */
static inline int png_reader_begin(png_reader *reader) {
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, png_reader_fail, png_reader_warn);
    if (!reader->png || !(reader->info = png_create_info_struct(reader->png))) {
        snprintf(reader->message, sizeof reader->message, "libpng cannot start");
        return 0;
    }
    if (setjmp(png_jmpbuf(reader->png))) return 0;
    png_set_read_fn(reader->png, reader, png_reader_take);
    png_set_user_limits(reader->png, 0x7fffffff, 0x7fffffff);
    png_read_info(reader->png, reader->info);
    png_set_expand(reader->png);
    png_set_strip_16(reader->png);
    png_set_interlace_handling(reader->png);
    png_read_update_info(reader->png, reader->info);
    reader->height = (int)png_get_image_height(reader->png, reader->info);
    reader->width = (int)png_get_image_width(reader->png, reader->info);
    reader->channels = png_get_channels(reader->png, reader->info);
    return 1;
}

/* Reads height·width·channels values. */
static inline int png_reader_pixels(png_reader *reader, unsigned char *pixels) {
    size_t row = (size_t)reader->width * (size_t)reader->channels;
    int interlaced = png_get_interlace_type(reader->png, reader->info) == PNG_INTERLACE_ADAM7;
    if (setjmp(png_jmpbuf(reader->png))) return 0;
    for (int pass = 0; pass < (interlaced ? 7 : 1); pass++)
        for (int y = 0; y < reader->height; y++) png_read_row(reader->png, pixels + (size_t)y * row, NULL);
    return 1;
}

static inline void png_reader_end(png_reader *reader) {
    if (reader->png) png_destroy_read_struct(&reader->png, reader->info ? &reader->info : NULL, NULL);
}

#endif
