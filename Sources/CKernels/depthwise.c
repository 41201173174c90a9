#include "kernels.h"
#include "vector.h"

/* Places of the window from which the pixel at (oy, ox) reads inside the image: y0 ≤ y < y1, x0 ≤ x < x1. */
typedef struct { long y, x, y0, y1, x0, x1; } reach;

INLINE reach reach_of(image_window w, long oy, long ox) {
    long y = oy * w.stride - w.top, x = ox * w.stride - w.left;
    return (reach){y, x, y < 0 ? 0 : y, y + w.kernel_height > w.height ? w.height : y + w.kernel_height, x < 0 ? 0 : x,
                   x + w.kernel_width > w.width ? w.width : x + w.kernel_width};
}

KERNEL(void, depthwise_forward, (float *restrict y, const float *restrict x, const float *restrict weight, const float
       *restrict bias, image_window w), y, x, weight, bias, w) {
    for (long oy = 0; oy < w.out_height; oy++)
        for (long ox = 0; ox < w.out_width; ox++, y += w.channels) {
            reach r = reach_of(w, oy, ox);
            for (long c = 0; c < w.channels; c++) y[c] = bias[c];
            for (long iy = r.y0; iy < r.y1; iy++)
                for (long ix = r.x0; ix < r.x1; ix++) {
                    const float *pixel = x + (iy * w.width + ix) * w.channels;
                    const float *factor = weight + ((iy - r.y) * w.kernel_width + ix - r.x) * w.channels;
                    for (long c = 0; c < w.channels; c++) y[c] += factor[c] * pixel[c];
                }
        }
}

KERNEL(void, depthwise_backward, (float *restrict dx, const float *restrict dy, const float *restrict weight,
       image_window w), dx, dy, weight, w) {
    for (long oy = 0; oy < w.out_height; oy++)
        for (long ox = 0; ox < w.out_width; ox++, dy += w.channels) {
            reach r = reach_of(w, oy, ox);
            for (long iy = r.y0; iy < r.y1; iy++)
                for (long ix = r.x0; ix < r.x1; ix++) {
                    float *pixel = dx + (iy * w.width + ix) * w.channels;
                    const float *factor = weight + ((iy - r.y) * w.kernel_width + ix - r.x) * w.channels;
                    for (long c = 0; c < w.channels; c++) pixel[c] += factor[c] * dy[c];
                }
        }
}

KERNEL(void, depthwise_weight_sums, (float *restrict dweight, const float *restrict dy, const float *restrict x,
       image_window w), dweight, dy, x, w) {
    for (long oy = 0; oy < w.out_height; oy++)
        for (long ox = 0; ox < w.out_width; ox++, dy += w.channels) {
            reach r = reach_of(w, oy, ox);
            for (long iy = r.y0; iy < r.y1; iy++)
                for (long ix = r.x0; ix < r.x1; ix++) {
                    const float *pixel = x + (iy * w.width + ix) * w.channels;
                    float *factor = dweight + ((iy - r.y) * w.kernel_width + ix - r.x) * w.channels;
                    for (long c = 0; c < w.channels; c++) factor[c] += pixel[c] * dy[c];
                }
        }
}
