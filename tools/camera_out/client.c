/* Readers and a source for the test of camera out with the real driver (tools/camera_out.sh).
 *
 * client source DEVICE SECONDS          writes 640x480 at 30 pictures a second, each with the time painted into it
 * client read DEVICE W H COUNT [FILE]   asks for a size as a browser does, reads COUNT pictures from shared buffers,
 *                                       writes the last one to FILE, and prints the latency of painted times
 * client hold DEVICE                    opens the device, starts to read, and sleeps */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BITS = 24, WIDTH = 640, HEIGHT = 480 };

static uint32_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)(t.tv_sec * 1000 + t.tv_nsec / 1000000) & ((1 << BITS) - 1);
}

static void must(int result, const char *what) {
    if (result < 0) {
        printf("client: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

/* Columns of black and white: the bits of a time. */
static int source(const char *device, int seconds) {
    static unsigned char yuyv[WIDTH * HEIGHT * 2];
    int fd = open(device, O_RDWR);
    must(fd, device);
    struct v4l2_format f = {.type = V4L2_BUF_TYPE_VIDEO_OUTPUT};
    f.fmt.pix.width = WIDTH, f.fmt.pix.height = HEIGHT;
    f.fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
    must(ioctl(fd, VIDIOC_S_FMT, &f), "S_FMT");
    for (int n = 0; n < 30 * seconds; n++) {
        uint32_t stamp = now_ms();
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            yuyv[2 * i] = stamp >> (i % WIDTH * BITS / WIDTH) & 1 ? 235 : 16;
            yuyv[2 * i + 1] = 128;
        }
        must(write(fd, yuyv, sizeof yuyv), "write");
        usleep(33333);
    }
    return 0;
}

static int by_size(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static int reads(const char *device, int width, int height, int count, const char *file) {
    int fd = open(device, O_RDWR);
    must(fd, device);
    struct v4l2_capability caps;
    must(ioctl(fd, VIDIOC_QUERYCAP, &caps), "QUERYCAP");
    if (!(caps.device_caps & V4L2_CAP_VIDEO_CAPTURE)) {
        printf("client: %s is no camera\n", device);
        return 1;
    }
    struct v4l2_format f = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    f.fmt.pix.width = width, f.fmt.pix.height = height;
    f.fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
    must(ioctl(fd, VIDIOC_S_FMT, &f), "S_FMT");
    width = f.fmt.pix.width, height = f.fmt.pix.height;
    struct v4l2_requestbuffers r = {.count = 4, .type = f.type, .memory = V4L2_MEMORY_MMAP};
    must(ioctl(fd, VIDIOC_REQBUFS, &r), "REQBUFS");
    unsigned char *buffers[32];
    for (unsigned i = 0; i < r.count; i++) {
        struct v4l2_buffer b = {.index = i, .type = f.type, .memory = r.memory};
        must(ioctl(fd, VIDIOC_QUERYBUF, &b), "QUERYBUF");
        buffers[i] = mmap(NULL, b.length, PROT_READ, MAP_SHARED, fd, b.m.offset);
        must(buffers[i] == MAP_FAILED ? -1 : 0, "mmap");
        must(ioctl(fd, VIDIOC_QBUF, &b), "QBUF");
    }
    must(ioctl(fd, VIDIOC_STREAMON, &f.type), "STREAMON");
    if (count < 0)
        for (;;)
            pause();
    int *latencies = calloc(count, sizeof *latencies);
    uint32_t began = now_ms();
    for (int n = 0; n < count; n++) {
        struct pollfd p = {fd, POLLIN, 0};
        must(poll(&p, 1, 10000) - 1, "poll: no picture");
        struct v4l2_buffer b = {.type = f.type, .memory = r.memory};
        must(ioctl(fd, VIDIOC_DQBUF, &b), "DQBUF");
        const unsigned char *picture = buffers[b.index];
        /* The times are in a picture of 4:3, in the middle. */
        int wide = height * 4 / 3, left = (width - wide) / 2;
        uint32_t stamp = 0;
        for (int bit = 0; bit < BITS; bit++) {
            int x = left + (2 * bit + 1) * wide / (2 * BITS);
            stamp |= (uint32_t)(picture[(height / 2 * width + x) * 2] > 125) << bit;
        }
        latencies[n] = (now_ms() - stamp) & ((1 << BITS) - 1);
        if (n == count - 1 && file) {
            FILE *to = fopen(file, "w");
            fwrite(picture, 2, (size_t)width * height, to);
            fclose(to);
        }
        must(ioctl(fd, VIDIOC_QBUF, &b), "QBUF");
    }
    uint32_t took = now_ms() - began;
    qsort(latencies, count, sizeof *latencies, by_size);
    printf("client: %dx%d, %d pictures in %u ms, latency ms: least %d, median %d, p95 %d\n", width, height,
           count, took, latencies[0], latencies[count / 2], latencies[count * 95 / 100]);
    return 0;
}

int main(int n, char **a) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (n == 4 && !strcmp(a[1], "source"))
        return source(a[2], atoi(a[3]));
    if (n >= 6 && !strcmp(a[1], "read"))
        return reads(a[2], atoi(a[3]), atoi(a[4]), atoi(a[5]), a[6]);
    if (n == 3 && !strcmp(a[1], "hold"))
        return reads(a[2], 640, 480, -1, NULL);
    return 2;
}
