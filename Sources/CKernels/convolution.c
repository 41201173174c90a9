#include "kernels.h"
#include "vector.h"

INLINE long at_least(long a, long b) { return a > b ? a : b; }
INLINE long at_most(long a, long b) { return a < b ? a : b; }

/* The part of the window at output (oy, ox) that lies inside the image. */
typedef struct { long y0, y1, x0, x1; } inside;

INLINE inside inside_window(image_window w, long oy, long ox) {
    long y = oy * w.stride - w.top, x = ox * w.stride - w.left;
    return (inside){at_least(0, y), at_most(w.height, y + w.kernel_height), at_least(0, x),
                    at_most(w.width, x + w.kernel_width)};
}

void im2col(float *columns, const float *image, image_window w, long first_row, long rows) {
    size_t pixel = (size_t)w.channels * sizeof(float);
    for (long oy = first_row; oy < first_row + rows; oy++)
        for (long ox = 0; ox < w.out_width; ox++) {
            long x = ox * w.stride - w.left, x0 = at_least(0, x), x1 = at_most(w.width, x + w.kernel_width);
            for (long ky = 0; ky < w.kernel_height; ky++, columns += w.kernel_width * w.channels) {
                long y = oy * w.stride - w.top + ky;
                if (y < 0 || y >= w.height || x1 <= x0) {
                    memset(columns, 0, (size_t)w.kernel_width * pixel);
                    continue;
                }
                /* Pixels of a row are neighbours in memory. */
                if (x0 > x) memset(columns, 0, (size_t)(x0 - x) * pixel);
                memcpy(columns + (x0 - x) * w.channels, image + (y * w.width + x0) * w.channels,
                       (size_t)(x1 - x0) * pixel);
                if (x1 < x + w.kernel_width)
                    memset(columns + (x1 - x) * w.channels, 0, (size_t)(x + w.kernel_width - x1) * pixel);
            }
        }
}

KERNEL(void, col2im, (float *restrict image, const float *restrict columns, image_window w), image, columns, w) {
    for (long oy = 0; oy < w.out_height; oy++)
        for (long ox = 0; ox < w.out_width; ox++)
            for (long ky = 0; ky < w.kernel_height; ky++) {
                long y = oy * w.stride + ky - w.top;
                for (long kx = 0; kx < w.kernel_width; kx++, columns += w.channels) {
                    long x = ox * w.stride + kx - w.left;
                    if (y < 0 || y >= w.height || x < 0 || x >= w.width) continue;
                    float *pixel = image + (y * w.width + x) * w.channels;
                    for (long c = 0; c < w.channels; c++) pixel[c] += columns[c];
                }
            }
}

KERNEL(void, max_pool_forward, (float *restrict y, const float *restrict x, image_window w), y, x, w) {
    for (long oy = 0; oy < w.out_height; oy++)
        for (long ox = 0; ox < w.out_width; ox++, y += w.channels) {
            inside in = inside_window(w, oy, ox);
            for (long c = 0; c < w.channels; c++) y[c] = -INFINITY;
            for (long iy = in.y0; iy < in.y1; iy++)
                for (long ix = in.x0; ix < in.x1; ix++) {
                    const float *pixel = x + (iy * w.width + ix) * w.channels;
                    for (long c = 0; c < w.channels; c++) y[c] = pixel[c] > y[c] ? pixel[c] : y[c];
                }
        }
}

void max_pool_backward(float *dx, const float *dy, const float *x, const float *y, image_window w) {
    for (long oy = 0; oy < w.out_height; oy++)
        for (long ox = 0; ox < w.out_width; ox++, y += w.channels, dy += w.channels) {
            inside in = inside_window(w, oy, ox);
            for (long c = 0; c < w.channels; c++) {
                long winner = -1;
                for (long iy = in.y0; iy < in.y1 && winner < 0; iy++)
                    for (long ix = in.x0; ix < in.x1 && winner < 0; ix++)
                        if (x[(iy * w.width + ix) * w.channels + c] == y[c]) winner = (iy * w.width + ix) * w.channels + c;
                if (winner >= 0) dx[winner] += dy[c];
            }
        }
}

INLINE float share(image_window w, inside in, int counts_padding) {
    long area = counts_padding ? w.kernel_height * w.kernel_width : (in.y1 - in.y0) * (in.x1 - in.x0);
    return 1.0f / (float)area;
}

KERNEL(void, average_pool_forward, (float *restrict y, const float *restrict x, image_window w, int counts_padding),
       y, x, w, counts_padding) {
    for (long oy = 0; oy < w.out_height; oy++)
        for (long ox = 0; ox < w.out_width; ox++, y += w.channels) {
            inside in = inside_window(w, oy, ox);
            float scale = share(w, in, counts_padding);
            for (long c = 0; c < w.channels; c++) y[c] = 0;
            for (long iy = in.y0; iy < in.y1; iy++)
                for (long ix = in.x0; ix < in.x1; ix++) {
                    const float *pixel = x + (iy * w.width + ix) * w.channels;
                    for (long c = 0; c < w.channels; c++) y[c] += pixel[c];
                }
            for (long c = 0; c < w.channels; c++) y[c] *= scale;
        }
}

KERNEL(void, average_pool_backward, (float *restrict dx, const float *restrict dy, image_window w, int
       counts_padding), dx, dy, w, counts_padding) {
    for (long oy = 0; oy < w.out_height; oy++)
        for (long ox = 0; ox < w.out_width; ox++, dy += w.channels) {
            inside in = inside_window(w, oy, ox);
            float scale = share(w, in, counts_padding);
            for (long iy = in.y0; iy < in.y1; iy++)
                for (long ix = in.x0; ix < in.x1; ix++) {
                    float *pixel = dx + (iy * w.width + ix) * w.channels;
                    for (long c = 0; c < w.channels; c++) pixel[c] += scale * dy[c];
                }
        }
}
