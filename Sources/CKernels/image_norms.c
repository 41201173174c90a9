#include "kernels.h"
#include "vector.h"

KERNEL(void, add_squared_deviations, (float *restrict sum, const float *restrict x, const float *restrict mean, long
       rows, long channels), sum, x, mean, rows, channels) {
    for (long r = 0; r < rows; r++, x += channels)
        for (long c = 0; c < channels; c++) sum[c] += (x[c] - mean[c]) * (x[c] - mean[c]);
}

KERNEL(void, channel_norm_forward, (float *restrict y, const float *restrict x, const float *restrict mean, const
       float *restrict inverse, const float *restrict weight, const float *restrict bias, long rows, long channels),
       y, x, mean, inverse, weight, bias, rows, channels) {
    for (long r = 0; r < rows; r++, x += channels, y += channels)
        for (long c = 0; c < channels; c++) y[c] = (x[c] - mean[c]) * inverse[c] * weight[c] + bias[c];
}

KERNEL(void, channel_norm_sums, (float *restrict sums, const float *restrict dy, const float *restrict x, const float
       *restrict mean, const float *restrict inverse, long rows, long channels), sums, dy, x, mean, inverse, rows,
       channels) {
    float *products = sums + channels;
    for (long r = 0; r < rows; r++, x += channels, dy += channels)
        for (long c = 0; c < channels; c++) {
            sums[c] += dy[c];
            products[c] += dy[c] * ((x[c] - mean[c]) * inverse[c]);
        }
}

KERNEL(void, channel_norm_backward, (float *restrict dx, const float *restrict dy, const float *restrict x, const
       float *restrict mean, const float *restrict inverse, const float *restrict weight, const float *restrict shift,
       const float *restrict slope, long rows, long channels), dx, dy, x, mean, inverse, weight, shift, slope, rows,
       channels) {
    for (long r = 0; r < rows; r++, x += channels, dy += channels, dx += channels)
        for (long c = 0; c < channels; c++) {
            float normalized = (x[c] - mean[c]) * inverse[c];
            dx[c] = inverse[c] * (weight[c] * dy[c] - shift[c] - normalized * slope[c]);
        }
}
