/* A camera made of memory, for tests: preloaded, it answers for one /dev/video0 (and a /dev/video1
 * that gives no pictures, or for the next two numbers) as a V4L2 driver would, and fails when the test
 * tells it to. /dev/video10 is a virtual camera as v4l2loopback 0.12 makes one with exclusive_caps=1.
 *
 * FAKE_CAMERA_ROOT names a folder with stand-ins for /dev, /dev/v4l and /sys/class/video4linux, with
 * the file `control` that the test and this library share (see `struct control`), and with the
 * pictures WxH.jpg that an MJPEG stream sends. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Numbers of 32 bits, in this order; tests/camera/fake.rs has the same list. */
struct control {
    volatile uint32_t plugged;      /* 0: the device is gone */
    volatile uint32_t generation;   /* counts replugging: older openings stay dead */
    volatile uint32_t open_error;   /* errno of open, 0 for none */
    volatile uint32_t busy;         /* another program streams: setting anything up fails */
    volatile uint32_t stalled;      /* no frame comes */
    volatile uint32_t hangs;        /* calls that wait for a frame of this generation never return */
    volatile uint32_t width, height;/* the format was changed to this behind our back; 0 for not */
    volatile uint32_t damage;       /* 1: frames are cut off, 2: the driver flags them */
    volatile uint32_t kinds;        /* bits of the formats offered, in the order of KINDS */
    volatile uint32_t intervals;    /* 0: 30 fps, 1: 30000/1001 fps, 2: a range */
    volatile uint32_t stop_error;   /* errno of STREAMOFF */
    /* Counted here. */
    volatile uint32_t opened, closed, streaming, frames;
    /* How the driver describes its colours; a colour space of 0 means sRGB. */
    volatile uint32_t space, encoding, range;
    /* The virtual camera. */
    volatile uint32_t loop_state;   /* an enum loop_state */
    volatile uint32_t loop_open_error, loop_format_error, loop_write_error; /* errno, 0 for none */
    volatile uint32_t loop_width, loop_height; /* the size that a reader keeps; 0 for none */
    volatile uint32_t loop_fourcc;  /* the format that a reader keeps; 0 for none */
    volatile uint32_t loop_short;   /* bytes that a write leaves out */
    /* Counted here. */
    volatile uint32_t loop_open, loop_written, loop_bytes;
};

/* ABSENT: the module is not loaded; NEITHER: a writer that never started the output has closed it. */
enum loop_state { LOOP_ABSENT, LOOP_OUTPUT, LOOP_CAMERA, LOOP_NEITHER };
enum { LOOP_NODE = 2 };

#define MOST_FDS 64
#define MOST_BUFFERS 8

struct opening {
    int fd;
    int node;
    uint32_t generation;
    int starts; /* it has started the output of the virtual camera */
};

static struct control *control;
static char root[512];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct opening openings[MOST_FDS];
static struct {
    uint32_t generation; /* replugging makes another device */
    int owner; /* fd with buffers, -1 for none */
    int streaming;
    uint32_t fourcc, width, height;
    uint32_t numerator, denominator;
    uint32_t buffers;
    size_t buffer_bytes;
    uint32_t queue[MOST_BUFFERS];
    uint32_t queued;
    double started;
    uint64_t delivered;
    unsigned char *jpeg;
    size_t jpeg_bytes;
} device = {.owner = -1};

static const uint32_t KINDS[] = {V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_NV12,
                                 V4L2_PIX_FMT_RGB24, V4L2_PIX_FMT_GREY, V4L2_PIX_FMT_H264,
                                 V4L2_PIX_FMT_YUV420, V4L2_PIX_FMT_YVU420, V4L2_PIX_FMT_UYVY,
                                 V4L2_PIX_FMT_YVYU, V4L2_PIX_FMT_NV21, V4L2_PIX_FMT_BGR24,
                                 V4L2_PIX_FMT_XBGR32, V4L2_PIX_FMT_Y10, V4L2_PIX_FMT_Y16};
enum { KIND_COUNT = sizeof KINDS / sizeof *KINDS };
static const uint32_t SIZES[][2] = {{640, 480}, {320, 240}, {1280, 720}};

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static long (*real_syscall)(long, ...);
static int (*real_poll)(struct pollfd *, nfds_t, int);
static DIR *(*real_opendir)(const char *);
static ssize_t (*real_readlink)(const char *, char *, size_t);
static ssize_t (*real_write)(int, const void *, size_t);

__attribute__((constructor)) static void begin(void) {
    real_open = dlsym(RTLD_NEXT, "open");
    real_openat = dlsym(RTLD_NEXT, "openat");
    real_close = dlsym(RTLD_NEXT, "close");
    real_syscall = dlsym(RTLD_NEXT, "syscall");
    real_poll = dlsym(RTLD_NEXT, "poll");
    real_opendir = dlsym(RTLD_NEXT, "opendir");
    real_readlink = dlsym(RTLD_NEXT, "readlink");
    real_write = dlsym(RTLD_NEXT, "write");
    const char *folder = getenv("FAKE_CAMERA_ROOT");
    if (!folder)
        return;
    snprintf(root, sizeof root, "%s", folder);
    char path[600];
    snprintf(path, sizeof path, "%s/control", root);
    int fd = real_open(path, O_RDWR);
    if (fd < 0)
        return;
    void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    real_close(fd);
    if (shared != MAP_FAILED)
        control = shared;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void nap(void) {
    struct timespec t = {0, 2000000};
    nanosleep(&t, NULL);
}

/* The stand-in for a path, or the path itself. */
static const char *redirected(const char *path, char *to, size_t size) {
    if (control && (!strcmp(path, "/dev") || !strncmp(path, "/dev/v4l", 8) ||
                    !strncmp(path, "/sys/class/video4linux", 22))) {
        snprintf(to, size, "%s%s", root, path);
        return to;
    }
    return path;
}

static struct opening *opening_of(int fd) {
    for (int i = 0; control && i < MOST_FDS; i++)
        if (openings[i].fd == fd && openings[i].generation)
            return &openings[i];
    return NULL;
}

static int is_dead(const struct opening *o) {
    return !control->plugged || o->generation != control->generation;
}

static int open_device(int node) {
    int is_loop = node == LOOP_NODE;
    if (is_loop ? !control->loop_state : !control->plugged) {
        errno = ENOENT;
        return -1;
    }
    int error = is_loop ? control->loop_open_error : control->open_error;
    if (error) {
        errno = error;
        return -1;
    }
    int fd = memfd_create("camera", MFD_CLOEXEC);
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MOST_FDS; i++)
        if (!openings[i].generation) {
            openings[i] = (struct opening){fd, node, control->generation, 0};
            break;
        }
    if (is_loop)
        control->loop_open++;
    else
        control->opened++;
    pthread_mutex_unlock(&lock);
    return fd;
}

static int node_of(const char *path) {
    static const char *const PATHS[] = {"/dev/video0", "/dev/video1", "/dev/video2", "/dev/video3"};
    for (int i = 0; control && i < 4; i++)
        if (!strcmp(path, PATHS[i]))
            return i % 2;
    return control && !strcmp(path, "/dev/video10") ? LOOP_NODE : -1;
}

static int open_any(const char *path, int flags, mode_t mode) {
    int node = node_of(path);
    if (node >= 0)
        return open_device(node);
    char to[1024];
    return real_open(redirected(path, to, sizeof to), flags, mode);
}

#define MODE(flags, mode)                                                                          \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                       \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode = va_arg(list, mode_t);                                                               \
        va_end(list);                                                                              \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_any(path, flags | O_LARGEFILE, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    MODE(flags, mode)
    return path[0] == '/' ? open_any(path, flags, mode) : real_openat(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags, mode)
    return path[0] == '/' ? open_any(path, flags, mode) : real_openat(folder, path, flags, mode);
}

DIR *opendir(const char *path) {
    char to[1024];
    return real_opendir(redirected(path, to, sizeof to));
}

ssize_t readlink(const char *path, char *buffer, size_t size) {
    char to[1024];
    return real_readlink(redirected(path, to, sizeof to), buffer, size);
}

int close(int fd) {
    if (control && opening_of(fd)) {
        pthread_mutex_lock(&lock);
        struct opening *o = opening_of(fd);
        if (o) {
            o->generation = 0;
            if (o->node == LOOP_NODE)
                control->loop_open--;
            else
                control->closed++;
            if (o->starts)
                control->loop_state = LOOP_OUTPUT;
            if (device.owner == fd) {
                device.owner = -1;
                device.streaming = device.buffers = device.queued = 0;
                control->streaming = 0;
            }
        }
        pthread_mutex_unlock(&lock);
    }
    return real_close(fd);
}

static size_t frame_bytes(uint32_t fourcc, uint32_t w, uint32_t h) {
    switch (fourcc) {
    case V4L2_PIX_FMT_YUYV:
    case V4L2_PIX_FMT_UYVY:
    case V4L2_PIX_FMT_YVYU:
        return (size_t)(w + 1) / 2 * 4 * h;
    case V4L2_PIX_FMT_NV12:
    case V4L2_PIX_FMT_NV21:
    case V4L2_PIX_FMT_YUV420:
    case V4L2_PIX_FMT_YVU420:
        return (size_t)w * h + (size_t)w * ((h + 1) / 2);
    case V4L2_PIX_FMT_Y10:
    case V4L2_PIX_FMT_Y16:
        return (size_t)w * h * 2;
    case V4L2_PIX_FMT_XBGR32:
        return (size_t)w * h * 4;
    case V4L2_PIX_FMT_GREY:
        return (size_t)w * h;
    default:
        return (size_t)w * h * 3;
    }
}

static uint32_t row_bytes(uint32_t fourcc, uint32_t w) {
    switch (fourcc) {
    case V4L2_PIX_FMT_YUYV:
    case V4L2_PIX_FMT_UYVY:
    case V4L2_PIX_FMT_YVYU:
        return (w + 1) / 2 * 4;
    case V4L2_PIX_FMT_RGB24:
    case V4L2_PIX_FMT_BGR24:
        return w * 3;
    case V4L2_PIX_FMT_XBGR32:
        return w * 4;
    case V4L2_PIX_FMT_Y10:
    case V4L2_PIX_FMT_Y16:
        return w * 2;
    case V4L2_PIX_FMT_MJPEG:
    case V4L2_PIX_FMT_H264:
        return 0;
    default:
        return w;
    }
}

static void load_jpeg(uint32_t w, uint32_t h) {
    char path[600];
    free(device.jpeg);
    device.jpeg = NULL;
    device.jpeg_bytes = 0;
    snprintf(path, sizeof path, "%s/%ux%u.jpg", root, w, h);
    int fd = real_open(path, O_RDONLY);
    struct stat about;
    if (fd < 0)
        return;
    if (!fstat(fd, &about)) {
        device.jpeg = malloc(about.st_size);
        device.jpeg_bytes = read(fd, device.jpeg, about.st_size);
    }
    real_close(fd);
}

/* The picture that tests expect: brightness x + 2 y, colours x and y. */
static unsigned char luma(uint32_t x, uint32_t y) { return x + 2 * y; }
static unsigned char blue(uint32_t x) { return 64 + x / 8; }
static unsigned char red(uint32_t y) { return 192 - y / 8; }

static void paint(unsigned char *to, uint32_t fourcc, uint32_t w, uint32_t h) {
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++)
            switch (fourcc) {
            case V4L2_PIX_FMT_YUYV:
            case V4L2_PIX_FMT_UYVY:
            case V4L2_PIX_FMT_YVYU: {
                unsigned char *pair = to + (size_t)y * ((w + 1) / 2 * 4) + x / 2 * 4;
                int late = fourcc == V4L2_PIX_FMT_UYVY, swapped = fourcc == V4L2_PIX_FMT_YVYU;
                pair[x % 2 * 2 + late] = luma(x, y);
                pair[(late ? 0 : 1) + 2 * swapped] = blue(x / 2 * 2);
                pair[(late ? 2 : 3) - 2 * swapped] = red(y);
                break;
            }
            case V4L2_PIX_FMT_NV12:
            case V4L2_PIX_FMT_NV21: {
                to[(size_t)y * w + x] = luma(x, y);
                unsigned char *pair = to + (size_t)w * h + (size_t)(y / 2) * w + x / 2 * 2;
                int swapped = fourcc == V4L2_PIX_FMT_NV21;
                pair[swapped] = blue(x / 2 * 2);
                pair[1 - swapped] = red(y / 2 * 2);
                break;
            }
            case V4L2_PIX_FMT_YUV420:
            case V4L2_PIX_FMT_YVU420: {
                to[(size_t)y * w + x] = luma(x, y);
                unsigned char *planes = to + (size_t)w * h + (size_t)(y / 2) * (w / 2) + x / 2;
                size_t plane = (size_t)(w / 2) * ((h + 1) / 2);
                int swapped = fourcc == V4L2_PIX_FMT_YVU420;
                planes[swapped * plane] = blue(x / 2 * 2);
                planes[!swapped * plane] = red(y / 2 * 2);
                break;
            }
            case V4L2_PIX_FMT_Y10:
            case V4L2_PIX_FMT_Y16: {
                uint16_t level = luma(x, y) << (fourcc == V4L2_PIX_FMT_Y10 ? 2 : 8);
                unsigned char *pixel = to + ((size_t)y * w + x) * 2;
                pixel[0] = level, pixel[1] = level >> 8;
                break;
            }
            case V4L2_PIX_FMT_BGR24:
            case V4L2_PIX_FMT_XBGR32: {
                int bytes = fourcc == V4L2_PIX_FMT_BGR24 ? 3 : 4;
                unsigned char *pixel = to + ((size_t)y * w + x) * bytes;
                pixel[2] = luma(x, y);
                pixel[1] = blue(x);
                pixel[0] = red(y);
                break;
            }
            case V4L2_PIX_FMT_GREY:
                to[(size_t)y * w + x] = luma(x, y);
                break;
            default: {
                unsigned char *pixel = to + ((size_t)y * w + x) * 3;
                pixel[0] = luma(x, y);
                pixel[1] = blue(x);
                pixel[2] = red(y);
            }
            }
}

/* Puts a picture into a buffer. Returns its bytes. */
static size_t fill(int fd, uint32_t index) {
    uint32_t w = control->width ? control->width : device.width;
    uint32_t h = control->width ? control->height : device.height;
    static unsigned char *picture;
    static uint32_t painted[3];
    size_t bytes;
    const unsigned char *from;
    if (device.fourcc == V4L2_PIX_FMT_MJPEG) {
        if (painted[0] != device.fourcc || painted[1] != w || painted[2] != h)
            load_jpeg(w, h);
        from = device.jpeg;
        bytes = device.jpeg_bytes;
    } else {
        bytes = frame_bytes(device.fourcc, w, h);
        if (painted[0] != device.fourcc || painted[1] != w || painted[2] != h) {
            free(picture);
            picture = calloc(1, bytes);
            paint(picture, device.fourcc, w, h);
        }
        from = picture;
    }
    painted[0] = device.fourcc, painted[1] = w, painted[2] = h;
    if (bytes > device.buffer_bytes)
        bytes = device.buffer_bytes;
    off_t at = index * device.buffer_bytes;
    if (control->damage == 1) {
        /* Nothing is left of the picture that was in the buffer before. */
        static const unsigned char zeros[4096];
        bytes /= 2;
        for (size_t i = bytes; i < device.buffer_bytes; i += sizeof zeros) {
            size_t left = device.buffer_bytes - i;
            if (pwrite(fd, zeros, left < sizeof zeros ? left : sizeof zeros, at + i) < 0)
                return 0;
        }
    }
    return pwrite(fd, from, bytes, at) < 0 ? 0 : bytes;
}

static double due(void) {
    double interval = (double)device.numerator / device.denominator;
    return device.started + (device.delivered + 1) * interval;
}

static int frame_ready(void) {
    return device.streaming && !control->stalled && device.queued && now() >= due();
}

static void wait_while_hanging(const struct opening *o) {
    uint32_t generation = o->generation;
    while (control->hangs && control->hangs == generation)
        nap();
}

/* Its header says that poll only writes. */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
int poll(struct pollfd *fds, nfds_t count, int timeout) {
    struct opening *o = count == 1 ? opening_of(fds[0].fd) : NULL;
    if (!o)
        return real_poll(fds, count, timeout);
    wait_while_hanging(o);
    double until = timeout < 0 ? 1e18 : now() + timeout / 1e3;
    for (;;) {
        pthread_mutex_lock(&lock);
        /* Whoever asks, as with the kernel's own queue of buffers (videobuf2). */
        int dead = is_dead(o), ready = frame_ready(), stopped = !device.streaming;
        pthread_mutex_unlock(&lock);
        if (dead || stopped || ready) {
            fds[0].revents = ready && !dead ? POLLIN : POLLERR;
            return 1;
        }
        if (now() >= until) {
            fds[0].revents = 0;
            return 0;
        }
        nap();
    }
}

static int fail(int code) {
    errno = code;
    return -1;
}

static void describe(struct v4l2_pix_format *pix) {
    pix->width = control->width ? control->width : device.width;
    pix->height = control->width ? control->height : device.height;
    pix->pixelformat = device.fourcc;
    pix->field = V4L2_FIELD_NONE;
    pix->bytesperline = row_bytes(device.fourcc, pix->width);
    pix->sizeimage = frame_bytes(device.fourcc, pix->width, pix->height);
    pix->colorspace = control->space ? control->space : V4L2_COLORSPACE_SRGB;
    pix->ycbcr_enc = control->encoding;
    pix->quantization = control->range;
}

static int offers(uint32_t fourcc) {
    for (int i = 0; i < KIND_COUNT; i++)
        if (KINDS[i] == fourcc && control->kinds >> i & 1)
            return 1;
    return 0;
}

static void set_defaults(void) {
    if (device.generation != control->generation) {
        device.generation = control->generation;
        device.owner = -1;
        device.streaming = device.buffers = device.queued = 0;
        device.width = 0;
    }
    if (!device.width || !offers(device.fourcc)) {
        device.width = 640, device.height = 480;
        device.numerator = 1, device.denominator = 30;
        for (int i = KIND_COUNT - 1; i >= 0; i--)
            if (control->kinds >> i & 1)
                device.fourcc = KINDS[i];
    }
}

static int set_format(struct v4l2_format *f) {
    if (control->busy || device.owner >= 0)
        return fail(EBUSY);
    uint32_t best = 0, best_off = ~0u;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t off = abs((int)SIZES[i][0] - (int)f->fmt.pix.width);
        if (off < best_off)
            best = i, best_off = off;
    }
    device.width = SIZES[best][0], device.height = SIZES[best][1];
    if (offers(f->fmt.pix.pixelformat))
        device.fourcc = f->fmt.pix.pixelformat;
    describe(&f->fmt.pix);
    return 0;
}

static int request(int fd, struct v4l2_requestbuffers *r) {
    if (control->busy || (device.owner >= 0 && device.owner != fd))
        return fail(EBUSY);
    if (device.streaming)
        return fail(EBUSY);
    device.queued = 0;
    if (!r->count) {
        device.owner = -1;
        device.buffers = 0;
        return 0;
    }
    if (r->count > MOST_BUFFERS)
        r->count = MOST_BUFFERS;
    size_t page = 4096;
    /* Larger than a frame, as real ones are. */
    struct v4l2_pix_format pix;
    describe(&pix);
    device.buffer_bytes = (pix.sizeimage / page + 2) * page;
    device.buffers = r->count;
    device.owner = fd;
    return ftruncate(fd, device.buffers * device.buffer_bytes);
}

static int dequeue(int fd, struct v4l2_buffer *b) {
    if (device.owner != fd || !device.streaming)
        return fail(EINVAL);
    if (!frame_ready())
        return fail(EAGAIN);
    uint32_t index = device.queue[0];
    memmove(device.queue, device.queue + 1, --device.queued * sizeof *device.queue);
    device.delivered++;
    /* A camera without free buffers drops frames. */
    while (now() > due() + (double)device.numerator / device.denominator)
        device.delivered++;
    b->index = index;
    b->bytesused = fill(fd, index);
    b->flags = V4L2_BUF_FLAG_MAPPED | (control->damage == 2 ? V4L2_BUF_FLAG_ERROR : 0);
    b->field = V4L2_FIELD_NONE;
    b->length = device.buffer_bytes;
    b->sequence = device.delivered;
    double t = now();
    b->timestamp.tv_sec = (long)t;
    b->timestamp.tv_usec = (long)((t - (long)t) * 1e6);
    control->frames++;
    return 0;
}

static int enumerate_interval(struct v4l2_frmivalenum *i) {
    if (i->index)
        return fail(EINVAL);
    if (control->intervals == 2) {
        i->type = V4L2_FRMIVAL_TYPE_CONTINUOUS;
        i->stepwise.min = (struct v4l2_fract){1, 60};
        i->stepwise.max = (struct v4l2_fract){1, 1};
        i->stepwise.step = (struct v4l2_fract){1, 1};
        return 0;
    }
    i->type = V4L2_FRMIVAL_TYPE_DISCRETE;
    i->discrete = control->intervals ? (struct v4l2_fract){1001, 30000} : (struct v4l2_fract){1, 30};
    return 0;
}

static struct v4l2_pix_format loop_format;

static int answer_as_loop(struct opening *o, unsigned long request_code, void *argument) {
    switch (request_code) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *c = argument;
        memset(c, 0, sizeof *c);
        strcpy((char *)c->driver, "v4l2 loopback");
        strcpy((char *)c->card, "StyleForge");
        c->device_caps = V4L2_CAP_STREAMING | V4L2_CAP_READWRITE;
        c->device_caps |= control->loop_state == LOOP_OUTPUT ? V4L2_CAP_VIDEO_OUTPUT : 0;
        c->device_caps |= control->loop_state == LOOP_CAMERA ? V4L2_CAP_VIDEO_CAPTURE : 0;
        c->capabilities = c->device_caps | V4L2_CAP_DEVICE_CAPS;
        return 0;
    }
    case VIDIOC_S_FMT: {
        struct v4l2_pix_format *pix = &((struct v4l2_format *)argument)->fmt.pix;
        if (control->loop_format_error)
            return fail(control->loop_format_error);
        if (control->loop_state == LOOP_NEITHER)
            return fail(EINVAL);
        if (control->loop_width)
            pix->width = control->loop_width, pix->height = control->loop_height;
        if (control->loop_fourcc)
            pix->pixelformat = control->loop_fourcc;
        pix->bytesperline = 2 * pix->width;
        pix->sizeimage = pix->bytesperline * pix->height;
        loop_format = *pix;
        return 0;
    }
    case VIDIOC_G_FMT:
        ((struct v4l2_format *)argument)->fmt.pix = loop_format;
        return 0;
    case VIDIOC_STREAMON:
        o->starts = 1;
        if (control->loop_state == LOOP_NEITHER)
            return fail(EINVAL);
        control->loop_state = LOOP_CAMERA;
        return 0;
    case VIDIOC_S_PARM:
    case VIDIOC_G_PARM:
        return 0;
    default:
        return fail(ENOTTY);
    }
}

ssize_t write(int fd, const void *bytes, size_t count) {
    struct opening *o = opening_of(fd);
    if (!o || o->node != LOOP_NODE)
        return real_write(fd, bytes, count);
    if (control->loop_write_error)
        return fail(control->loop_write_error);
    control->loop_written++;
    control->loop_bytes = count;
    return count - control->loop_short;
}

static int answer(struct opening *o, unsigned long request_code, void *argument) {
    int fd = o->fd;
    if (o->node == LOOP_NODE)
        return answer_as_loop(o, request_code, argument);
    if (is_dead(o))
        return fail(ENODEV);
    set_defaults();
    switch (request_code) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *c = argument;
        memset(c, 0, sizeof *c);
        strcpy((char *)c->driver, "fake");
        strcpy((char *)c->card, "Fake Camera");
        strcpy((char *)c->bus_info, "usb-fake-1");
        uint32_t camera = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        uint32_t own = o->node == 0 ? camera : V4L2_CAP_META_CAPTURE | V4L2_CAP_STREAMING;
        c->device_caps = own;
        c->capabilities = camera | V4L2_CAP_META_CAPTURE | V4L2_CAP_DEVICE_CAPS;
        return 0;
    }
    case VIDIOC_ENUM_FMT: {
        struct v4l2_fmtdesc *f = argument;
        uint32_t at = 0;
        for (int i = 0; o->node == 0 && i < KIND_COUNT; i++)
            if (control->kinds >> i & 1 && at++ == f->index) {
                f->pixelformat = KINDS[i];
                strcpy((char *)f->description, "fake");
                return 0;
            }
        return fail(EINVAL);
    }
    case VIDIOC_ENUM_FRAMESIZES: {
        struct v4l2_frmsizeenum *s = argument;
        if (s->index >= 3 || !offers(s->pixel_format))
            return fail(EINVAL);
        s->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        s->discrete.width = SIZES[s->index][0];
        s->discrete.height = SIZES[s->index][1];
        return 0;
    }
    case VIDIOC_ENUM_FRAMEINTERVALS:
        return enumerate_interval(argument);
    case VIDIOC_G_FMT:
        describe(&((struct v4l2_format *)argument)->fmt.pix);
        return 0;
    case VIDIOC_S_FMT:
        return set_format(argument);
    case VIDIOC_S_PARM: {
        struct v4l2_fract wanted = ((struct v4l2_streamparm *)argument)->parm.capture.timeperframe;
        if (control->busy || device.streaming)
            return fail(EBUSY);
        if (wanted.numerator && wanted.denominator)
            device.numerator = wanted.numerator, device.denominator = wanted.denominator;
    } /* fall through */
    case VIDIOC_G_PARM: {
        struct v4l2_streamparm *p = argument;
        memset(&p->parm, 0, sizeof p->parm);
        p->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        p->parm.capture.timeperframe = (struct v4l2_fract){device.numerator, device.denominator};
        return 0;
    }
    case VIDIOC_REQBUFS:
        return request(fd, argument);
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *b = argument;
        if (b->index >= device.buffers)
            return fail(EINVAL);
        b->length = device.buffer_bytes;
        b->m.offset = b->index * device.buffer_bytes;
        return 0;
    }
    case VIDIOC_QBUF: {
        struct v4l2_buffer *b = argument;
        if (b->index >= device.buffers || device.owner != fd)
            return fail(EINVAL);
        for (uint32_t i = 0; i < device.queued; i++)
            if (device.queue[i] == b->index)
                return fail(EINVAL);
        device.queue[device.queued++] = b->index;
        return 0;
    }
    case VIDIOC_DQBUF:
        return dequeue(fd, argument);
    case VIDIOC_STREAMON:
        if (device.owner != fd)
            return fail(EINVAL);
        device.streaming = control->streaming = 1;
        device.started = now();
        device.delivered = 0;
        return 0;
    case VIDIOC_STREAMOFF:
        if (control->stop_error)
            return fail(control->stop_error);
        device.streaming = control->streaming = 0;
        device.queued = 0;
        return 0;
    default:
        return fail(ENOTTY);
    }
}

long syscall(long number, ...) {
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_ioctl && control) {
        struct opening *o = opening_of((int)a[0]);
        if (o) {
            pthread_mutex_lock(&lock);
            /* Request codes are 32 bits wide, whatever they were widened to. */
            int result = answer(o, (uint32_t)a[1], (void *)a[2]);
            int code = errno;
            pthread_mutex_unlock(&lock);
            errno = code;
            return result;
        }
    }
    return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
