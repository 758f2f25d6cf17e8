#!/bin/sh
# Runs the program with the kernel's own test camera, vivid, in an emulated machine: the list of cameras, every raw
# format, requests that the camera does not fulfil, a camera that is busy, not permitted, unplugged and back, and no
# camera.
#
#   tools/vivid.sh [PROGRAM]
#
# PROGRAM defaults to target/release/styleforge. Needs qemu-system-x86, busybox-static, cpio, kmod and the package of
# Debian's kernel, which is downloaded and not installed (apt-get download); no other permissions. Prints the programs'
# output, and ends with 1 if an expected line is missing. Painting is slow under emulation, so most runs show the source
# unpainted.
set -eu
program=$(realpath "${1:-$(dirname "$0")/../target/release/styleforge}")
PATH=$PATH:/sbin:/usr/sbin
for tool in qemu-system-x86_64 cpio depmod modprobe apt-get; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install qemu-system-x86 busybox-static cpio kmod" >&2; exit 1; }
done
busybox=$(command -v busybox) || { echo "busybox is missing: apt-get install busybox-static" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
apt-get download "$kernel" >/dev/null 2>&1
dpkg -x "$kernel"_*.deb kernel
version=${kernel#linux-image-}
depmod -b kernel "$version"

mkdir -p root/bin root/proc root/sys root/dev root/tmp root/etc root/modules root/root
cp "$busybox" root/bin/busybox
cp "$program" root/bin/styleforge
ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "root$(dirname "$library")"
    cp -L "$library" "root$library"
done
number=10
modprobe -d kernel -S "$version" --show-depends vivid | sed -n 's/^insmod \([^ ]*\).*/\1/p' >modules
while read -r module; do
    case $module in
    *.xz) xz -dc "$module" >"root/modules/$number-$(basename "$module" .xz)" ;;
    *) cp "$module" "root/modules/$number-$(basename "$module")" ;;
    esac
    number=$((number + 1))
done <modules

cat >root/init <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
for module in /modules/*; do
    case $module in
    # One camera that sends in single planes and has only its picture.
    *vivid*) insmod "$module" n_devs=1 node_types=0x1 num_inputs=1 input_types=0 multiplanar=1 no_error_inj=1 ;;
    *) insmod "$module" ;;
    esac
done
sleep 1
live="styleforge live --source camera --style none --device cpu --working-size 64"
driver=/sys/bus/platform/drivers/vivid
echo "== cameras"
styleforge cameras
for format in YUYV NV12 RGB BGR grey MJPEG; do
    echo "== $format"
    $live --format "$format" --size 320x180 --seconds 3 2>&1
done
echo "== painted"
styleforge live --source camera --style candy --device cpu --working-size 32 --seconds 6 2>&1
echo "== a rate that is not sent"
$live --size 640x360 --fps 50 --seconds 3 2>&1
echo "== busy"
$live --seconds 8 >/tmp/first 2>&1 &
sleep 4
$live --seconds 3 2>&1
wait
echo "== not permitted"
printf 'root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/root:/bin/sh\n' >/etc/passwd
chmod 660 /dev/video0
chmod 777 /root
su -s /bin/sh user -c "timeout 5 $live --seconds 2" 2>&1
echo "== unplugged and back"
camera=$(ls $driver | grep vivid)
$live --seconds 15 >/tmp/unplugged 2>&1 &
sleep 5
echo "$camera" >$driver/unbind
sleep 4
echo "$camera" >$driver/bind
wait
cat /tmp/unplugged
echo "== none"
echo "$camera" >$driver/unbind
timeout 4 $live --seconds 1 2>&1
echo "== end"
poweroff -f
INIT
chmod +x root/init
(cd root && find . | cpio --quiet -o -H newc | gzip -1 >../initrd)
timeout 420 qemu-system-x86_64 -accel tcg -cpu max -smp 2 -m 1500 -nographic -no-reboot \
    -kernel "kernel/boot/vmlinuz-$version" -initrd initrd -append "console=ttyS0 quiet panic=-1" \
    </dev/null 2>&1 | tr -d '\r' | tee log

while read -r line; do
    grep -qF "$line" log || { echo "vivid: the output lacks \"$line\"" >&2; exit 1; }
done <<'LINES'
camera:vivid-000-vid-cap
320 x 180, 30 fps, YUYV
320 x 180, 30 fps, NV12
320 x 180, 30 fps, RGB
320 x 180, 30 fps, BGR
320 x 180, 30 fps, grey
this camera does not send MJPEG
candy lite on QEMU
this camera does not send 50 fps
another program uses the camera
add yourself to the group video
the camera was unplugged
no camera is connected
== end
LINES
# Once before it was unplugged and once after.
sed -n '/^== unplugged/,/^== none/p' log | grep -c '^source: vivid' | grep -qx 2 || { echo "vivid: the camera did not return" >&2; exit 1; }
echo "vivid: all expected lines were printed"
