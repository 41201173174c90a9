#include "kernels.h"
#include "vector.h"

void im2col(float *columns, const float *image, long height, long width, long channels, long kernel, long stride,
            long padding, long out_height, long out_width) {
    size_t pixel = (size_t)channels * sizeof(float);
    for (long oy = 0; oy < out_height; oy++)
        for (long ox = 0; ox < out_width; ox++)
            for (long ky = 0; ky < kernel; ky++) {
                long y = oy * stride + ky - padding;
                for (long kx = 0; kx < kernel; kx++, columns += channels) {
                    long x = ox * stride + kx - padding;
                    if (y < 0 || y >= height || x < 0 || x >= width) memset(columns, 0, pixel);
                    else memcpy(columns, image + (y * width + x) * channels, pixel);
                }
            }
}

KERNEL void col2im(float *restrict image, const float *restrict columns, long height, long width, long channels,
                   long kernel, long stride, long padding, long out_height, long out_width) {
    for (long oy = 0; oy < out_height; oy++)
        for (long ox = 0; ox < out_width; ox++)
            for (long ky = 0; ky < kernel; ky++) {
                long y = oy * stride + ky - padding;
                for (long kx = 0; kx < kernel; kx++, columns += channels) {
                    long x = ox * stride + kx - padding;
                    if (y < 0 || y >= height || x < 0 || x >= width) continue;
                    float *pixel = image + (y * width + x) * channels;
                    for (long c = 0; c < channels; c++) pixel[c] += columns[c];
                }
            }
}
