#!/bin/busybox sh
# The test inside QEMU (see tools/camera_out.sh). Lines of results begin with RESULT.
/bin/busybox --install -s /bin
export PATH=/bin LD_LIBRARY_PATH=/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
minutes=$(sed -n 's/.*minutes=\([0-9]*\).*/\1/p' /proc/cmdline)
insmod /modules/mc.ko
insmod /modules/videodev.ko
insmod /modules/v4l2loopback.ko devices=2 video_nr=10,20 exclusive_caps=1,0 card_label=StyleForge,Counter
cd /tmp

result() { echo "RESULT $*"; }
check() { # NAME COMMAND...: fails the test unless the command succeeds
    name=$1
    shift
    if "$@" >/tmp/check.log 2>&1; then result "ok: $name"; else result "FAILED: $name"; cat /tmp/check.log; fi
}
# Starts the program with the style `none`, so that readers get the photo itself.
paint() {
    styleforge live --source photo.png --style none --camera-out "$@" >live.log 2>&1 &
    live=$!
    for _ in $(seq 200); do grep -q 'camera out:' live.log && return; sleep 0.1; done
    cat live.log
}
finish() { kill -INT $live; wait $live; }
# How alike two pictures are, in dB. The second input is fitted to 1280x720 first.
psnr() {
    ffmpeg -loglevel info "$@" -i photo.png -lavfi '[0]format=rgb24[a];[1]format=rgb24[b];[a][b]psnr' -f null - 2>&1 |
        sed -n 's/.*average:\([0-9inf]*\).*/\1/p'
}
alike() { # NAME DB
    result "$1: ${2:-none} dB"
    [ "$2" = inf ] || [ "${2:-0}" -ge 32 ] || result "FAILED: $1"
}

check "an idle device is no source" sh -c '! styleforge cameras | grep /dev/video10'
check "doctor finds the device" sh -c 'styleforge doctor | grep "ok *Camera out.*StyleForge (/dev/video10)"'

paint auto
sleep 3
check "a device in use is no source" sh -c '! styleforge cameras | grep /dev/video10'
check "a second program is refused" sh -c 'styleforge live --style none --camera-out /dev/video10 2>&1 | grep "another program writes"'
for size in "1280 720" "640 480"; do
    result "$(client read /dev/video10 $size 10 client.raw | sed 's/, latency.*//')"
    alike "client asking for $size" "$(psnr -f rawvideo -pixel_format yuyv422 -video_size 1280x720 -i client.raw)"
done
ffmpeg -y -loglevel error -f v4l2 -i /dev/video10 -frames:v 5 -update 1 ffmpeg.png
alike "ffmpeg" "$(psnr -i ffmpeg.png)"

# A program that keeps an older size gets it.
client hold /dev/video10 &
holder=$!
sleep 1
finish
paint auto --camera-out-size 1920x1080
result "with a reader of an older size: $(sed -n 's/^camera out: //p' live.log)"
check "the program that keeps it is counted" grep 'camera out:.*in use by 1 program$' live.log
sleep 1
ffmpeg -y -loglevel error -f v4l2 -i /dev/video10 -frames:v 5 -update 1 older.png
alike "older size" "$(psnr -i older.png)"
kill -9 $holder
finish

# Other writers leave the device as neither camera nor output.
ffmpeg -y -loglevel error -f lavfi -i testsrc2=size=640x480 -frames:v 5 -pix_fmt yuyv422 -f v4l2 /dev/video10
styleforge doctor | sed -n 's/.*\(Camera out.*\)/RESULT after ffmpeg wrote: \1/p'
paint /dev/video10 --camera-out-size 640x480
sleep 1
result "after ffmpeg wrote: $(client read /dev/video10 640 480 10 small.raw | sed 's/, latency.*//')"
finish
ffmpeg -y -loglevel error -f rawvideo -pixel_format yuyv422 -video_size 640x480 -i small.raw small.png

# Without exclusive_caps.
paint Counter
sleep 1
result "without exclusive_caps: $(client read /dev/video20 1280 720 10 | sed 's/, latency.*//')"
finish
check "the painting is not its own source" sh -c \
    'styleforge live --source /dev/video20 --style none --camera-out Counter --seconds 2 2>&1 | grep "shows the painting itself"'

# A source that does not exist: readers get the card.
styleforge live --source camera:Nothing --style none --camera-out auto --seconds 20 >live.log 2>&1 &
live=$!
for _ in $(seq 200); do grep -q 'camera out:' live.log && break; sleep 0.1; done
ffmpeg -y -loglevel error -f v4l2 -i /dev/video10 -frames:v 3 -update 1 card.png
finish

# The time painted into the pictures of a second device measures the latency from one device to the other.
client source /dev/video20 $((60 * minutes + 90)) &
sleep 2
styleforge live --source /dev/video20 --style none --camera-out /dev/video10 --camera-out-size 640x480 --json >report.json 2>live.log &
live=$!
for _ in $(seq 200); do grep -q 'camera out:' live.log && break; sleep 0.1; done
sleep 5
result "from the source: $(client read /dev/video20 640 480 100)"
result "from camera out: $(client read /dev/video10 640 480 100)"
memory() { sed -n 's/^VmRSS: *//p' /proc/$live/status; }
before=$(memory)
readers=0
until=$(($(date +%s) + 60 * minutes))
while [ "$(date +%s)" -lt $until ]; do
    client hold /dev/video10 &
    held=$!
    client read /dev/video10 640 480 3 >/dev/null
    kill -9 $held
    readers=$((readers + 2))
done
result "memory before and after $readers readers: $before, $(memory)"
finish
result "$(tr -d ' \n' <report.json | grep -o '"painted_fps":[0-9.]*\|"captured_fps":[0-9.]*\|"camera_out":{[^}]*}' | tr '\n' ' ')"
check "the device is free again" sh -c 'styleforge doctor | grep "ok *Camera out.*StyleForge (/dev/video10)"'
cat live.log
stty raw -F /dev/ttyS1
tar -cf /dev/ttyS1 ffmpeg.png older.png small.png card.png
result done
poweroff -f
