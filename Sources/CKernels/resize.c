#include "kernels.h"
#include "vector.h"

/* The two source pixels of an output pixel along one axis, and the share of the second. */
typedef struct { long low, high; float share; } source;

INLINE source source_of(long i, long in, long out) {
    float position = (float)i * ((float)in / (float)out);
    long low = (long)position;
    low = low < in - 1 ? low : in - 1;
    return (source){low, low + 1 < in ? low + 1 : low, position - (float)low};
}

KERNEL(void, bilinear_forward, (float *restrict y, const float *restrict x, long height, long width, long channels,
       long out_height, long out_width), y, x, height, width, channels, out_height, out_width) {
    for (long oy = 0; oy < out_height; oy++) {
        source v = source_of(oy, height, out_height);
        for (long ox = 0; ox < out_width; ox++, y += channels) {
            source h = source_of(ox, width, out_width);
            const float *top = x + v.low * width * channels, *bottom = x + v.high * width * channels;
            for (long c = 0; c < channels; c++) {
                float a = top[h.low * channels + c], b = bottom[h.low * channels + c];
                float above = a + (top[h.high * channels + c] - a) * h.share;
                float below = b + (bottom[h.high * channels + c] - b) * h.share;
                y[c] = above + (below - above) * v.share;
            }
        }
    }
}

KERNEL(void, bilinear_backward, (float *restrict dx, const float *restrict dy, long height, long width, long channels,
       long out_height, long out_width), dx, dy, height, width, channels, out_height, out_width) {
    for (long oy = 0; oy < out_height; oy++) {
        source v = source_of(oy, height, out_height);
        for (long ox = 0; ox < out_width; ox++, dy += channels) {
            source h = source_of(ox, width, out_width);
            float *top = dx + v.low * width * channels, *bottom = dx + v.high * width * channels;
            for (long c = 0; c < channels; c++) {
                float above = dy[c] * (1 - v.share), below = dy[c] * v.share;
                top[h.low * channels + c] += above * (1 - h.share);
                top[h.high * channels + c] += above * h.share;
                bottom[h.low * channels + c] += below * (1 - h.share);
                bottom[h.high * channels + c] += below * h.share;
            }
        }
    }
}

KERNEL(void, resample_forward, (float *restrict y, const float *restrict x, const int *restrict starts, const int *restrict
       counts, const float *restrict shares, long taps, long in, long out, long inner), y, x, starts, counts, shares, taps, in,
       out, inner) {
    (void)in;
    for (long i = 0; i < out; i++, y += inner) {
        for (long c = 0; c < inner; c++) y[c] = 0;
        for (long k = 0; k < counts[i]; k++) {
            const float *row = x + (starts[i] + k) * inner;
            float share = shares[i * taps + k];
            for (long c = 0; c < inner; c++) y[c] += share * row[c];
        }
    }
}

KERNEL(void, resample_backward, (float *restrict dx, const float *restrict dy, const int *restrict starts, const int *restrict
       counts, const float *restrict shares, long taps, long in, long out, long inner), dx, dy, starts, counts, shares, taps,
       in, out, inner) {
    (void)in;
    for (long i = 0; i < out; i++, dy += inner)
        for (long k = 0; k < counts[i]; k++) {
            float *row = dx + (starts[i] + k) * inner;
            float share = shares[i * taps + k];
            for (long c = 0; c < inner; c++) row[c] += share * dy[c];
        }
}
